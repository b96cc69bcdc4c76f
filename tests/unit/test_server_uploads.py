"""How uploads are answered."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, BinaryIO

import httpx
import pytest
from structlog.testing import capture_logs

from rayhound import records
from rayhound.domain import Broken, Limits, RayhoundError, Unavailable
from rayhound.telemetry import in_context
from tests.unit.server_site import Site, files, picture, problem

ACCEPTED = "rayhound_images_accepted_total"


def value(text: str, name: str) -> float:
    """What one metric says."""
    return float(next((line.split()[1] for line in text.splitlines() if line.startswith(name + " ")), 0))


def analysed(image_id: str) -> tuple[str, bytes]:
    """The key and the content of an analysis."""
    said = {"analysed_at": "2026", "contains": "cat", "model": {"name": "m"}}
    return records.analysis_key(image_id, "m@1-0"), records.dumps(said)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_an_accepted_image_is_answered_with_its_id_and_can_be_read_back(site: Site) -> None:
    async def visit(client: httpx.AsyncClient) -> None:
        answer = await client.post("/upload", **files(picture(), "süße cat.jpg"))
        assert answer.status_code == 202
        said = answer.json()
        assert list(said) == ["message", "correlation_id", "image_id", "status", "status_url"]
        assert said["status"] == "queued"
        assert said["correlation_id"] == said["image_id"] == answer.headers["x-correlation-id"]
        assert answer.headers["location"] == said["status_url"] == f"/images/{said['image_id']}"
        shown = await client.get(said["status_url"])
        assert shown.headers["retry-after"] == "1"
        assert shown.json()["file_name"] == "süße cat.jpg"
        content = await client.get(said["status_url"] + "/content")
        assert content.content == picture()
        assert content.headers["content-type"] == "image/jpeg"
        assert content.headers["etag"] == f'"{shown.json()["sha256"]}"'
        assert content.headers["content-security-policy"] == "default-src 'none'; sandbox"
        assert content.headers["content-disposition"].startswith('attachment; filename="s__e cat.jpg"; filename*=UTF-8')
        assert content.headers["x-content-type-options"] == "nosniff"

    site.visit(visit)


def test_a_callers_correlation_id_comes_back_in_answer_record_and_every_log_line(site: Site) -> None:
    with capture_logs([in_context]) as lines:
        good = site.ask("POST", "/upload", headers={"X-Correlation-ID": "visit:17"}, **files(picture()))
        bad = site.ask("POST", "/upload", headers={"X-Correlation-ID": "visit:17"}, **files(b"text"))
    assert good.json()["correlation_id"] == good.headers["x-correlation-id"] == bad.headers["x-correlation-id"]
    assert problem(bad, 415)["correlation_id"] == "visit:17"
    assert [(line["event"], line["correlation_id"]) for line in lines] == [
        ("accepted", "visit:17"),
        ("refused", "visit:17"),
    ]


def test_the_same_key_and_bytes_get_the_first_answer(site: Site) -> None:
    async def visit(client: httpx.AsyncClient) -> None:
        first = await client.post(
            "/upload", headers={"Idempotency-Key": "k", "X-Correlation-ID": "a"}, **files(picture())
        )
        again = await client.post(
            "/upload", headers={"Idempotency-Key": "k", "X-Correlation-ID": "b"}, **files(picture())
        )
        assert again.json() == first.json()
        assert again.headers["x-correlation-id"] == "a"
        other = await client.post("/upload", headers={"Idempotency-Key": "k"}, **files(picture(50)))
        assert problem(other, 422)["type"] == "urn:rayhound:key-reused"
        assert len((await client.get("/images")).json()["images"]) == 1

    site.visit(visit)


def test_a_repeated_upload_is_counted_once_and_told_where_the_image_stands(site: Site) -> None:
    async def visit(client: httpx.AsyncClient) -> None:
        before = value((await client.get("/metrics")).text, ACCEPTED)
        for _ in range(2):
            answer = await client.post("/upload", headers={"Idempotency-Key": "k"}, **files(picture()))
            assert (answer.status_code, answer.json()["status"]) == (202, "queued")
        await site.archive.put(*analysed(answer.json()["image_id"]))
        answer = await client.post("/upload", headers={"Idempotency-Key": "k"}, **files(picture()))
        assert answer.json()["status"] == "analysed"
        assert "has been analysed" in answer.json()["message"]
        assert value((await client.get("/metrics")).text, ACCEPTED) - before == 1

    site.visit(visit)


def test_an_upload_may_wait_for_its_analysis(site: Site) -> None:
    async def visit(client: httpx.AsyncClient) -> None:
        sent = asyncio.create_task(client.post("/upload", headers={"Prefer": "wait=50"}, **files(picture())))
        while not (ids := [key.split("/")[3] for key in site.archive.objects if key.endswith("accepted.json")]):
            await asyncio.sleep(0.01)
        await site.archive.put(*analysed(ids[0]))
        site.waiters.tell(ids[0])
        answer = await asyncio.wait_for(sent, 30)
        assert (answer.status_code, answer.json()["status"]) == (202, "analysed")
        assert answer.headers["preference-applied"] == "wait=50"
        late = await client.post("/upload", headers={"Prefer": "wait=1"}, **files(picture()))
        assert (late.status_code, late.json()["status"]) == (202, "queued")

    site.visit(visit)


@pytest.mark.parametrize(
    "headers",
    [
        [("X-Correlation-ID", "")],
        [("X-Correlation-ID", "a b")],
        [("X-Correlation-ID", "x" * 129)],
        [("X-Correlation-ID", "a"), ("X-Correlation-ID", "b")],
        [("Idempotency-Key", "")],
        [("Idempotency-Key", "a b")],
        [("Idempotency-Key", "x" * 256)],
        [("Idempotency-Key", "a"), ("Idempotency-Key", "a")],
        [("Content-Type", "image/jpeg")],
        [("Content-Type", "multipart/form-data; boundary=X"), ("Content-Type", "multipart/form-data; boundary=Y")],
    ],
)
def test_a_malformed_header_is_refused(site: Site, headers: list[tuple[str, str]]) -> None:
    problem(site.ask("POST", "/upload", headers=headers, **files(picture())), 400)


@pytest.mark.parametrize("content", [b"", b"<svg/>", b"plain text", b"PK\x03\x04zip", b"%PDF-1.7"])
def test_what_is_no_image_is_415_and_leaves_nothing(site: Site, content: bytes) -> None:
    problem(site.ask("POST", "/upload", **files(content)), 415)
    assert [key for key in site.archive.objects if key != "archive.json"] == []


def test_an_image_of_too_many_pixels_is_422(site: Site) -> None:
    site.limits = Limits(pixels=1000)
    problem(site.ask("POST", "/upload", **files(picture())), 422)


def test_a_body_over_the_limit_is_413_whether_it_is_announced_or_streamed(site: Site) -> None:
    site.limits = Limits(body=10_000)

    async def stream() -> Any:
        yield b'--X\r\nContent-Disposition: form-data; name="image"\r\n\r\n'
        for _ in range(20):
            yield bytes(1000)

    problem(site.ask("POST", "/upload", **files(bytes(10_001))), 413)
    streamed = {"Content-Type": "multipart/form-data; boundary=X"}
    problem(site.ask("POST", "/upload", content=stream(), headers=streamed), 413)


def test_storage_below_its_reserve_is_507(site: Site) -> None:
    site.archive.free = 50_000_500  # the reserve of a storage of 1 GB is 50 MB
    refused = site.ask("POST", "/upload", **files(picture() + bytes(500)))
    assert problem(refused, 507)["type"] == "urn:rayhound:storage-full"
    assert refused.json()["detail"].startswith("50 MB are free, but 50 MB must stay free beside the 1.")
    assert refused.headers["retry-after"]


@pytest.mark.parametrize("pieces", [0, 2_000])
def test_a_disk_that_fills_while_an_upload_comes_is_507_and_nothing_of_it_stays(
    site: Site, monkeypatch: pytest.MonkeyPatch, pieces: int
) -> None:
    def full(path: Path, mode: str) -> BinaryIO:
        path.touch()
        return open("/dev/full", "wb")

    async def slowly() -> AsyncIterator[bytes]:
        yield b'--X\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n\r\n' + picture()
        for _ in range(pieces):
            yield bytes(1000)
        yield b"\r\n--X--\r\n"

    monkeypatch.setattr(Path, "open", full)
    streamed = {"Content-Type": "multipart/form-data; boundary=X"}
    refused = site.ask("POST", "/upload", content=slowly(), headers=streamed)
    assert problem(refused, 507)["type"] == "urn:rayhound:storage-full"


@pytest.mark.parametrize("illness", [Unavailable("away", "mend it"), Broken("broken", "restart")])
def test_an_archive_that_is_ill_is_503_with_retry_after(site: Site, illness: RayhoundError) -> None:
    site.archive.ill = illness
    refused = site.ask("POST", "/upload", **files(picture()))
    problem(refused, 503)
    assert int(refused.headers["retry-after"]) > 0


def test_readyz_looks_again_as_soon_as_an_upload_failed(site: Site) -> None:
    async def visit(client: httpx.AsyncClient) -> None:
        assert (await client.get("/readyz")).json()["checks"]["archive"] == {"ok": True}
        site.archive.ill = Unavailable("away", "mend it")
        assert (await client.post("/upload", **files(picture()))).status_code == 503
        assert (await client.get("/readyz")).json()["checks"]["archive"]["ok"] is False

    site.visit(visit)


@pytest.mark.parametrize("given", ["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "not a trace", None])
def test_a_trace_is_kept_with_the_image_and_in_every_log_line_and_what_is_none_is_ignored(
    site: Site, given: str | None
) -> None:
    valid = given if given and given.startswith("00-") else None
    headers = {"traceparent": given} if given else {}
    with capture_logs([in_context]) as lines:
        good = site.ask("POST", "/upload", headers=headers, **files(picture()))
        site.ask("POST", "/upload", headers=headers, **files(b"text"))
    image_id = good.json()["image_id"]
    accepted = json.loads(site.archive.objects[records.accepted_key(image_id)][0])
    assert accepted["traceparent"] == valid
    assert [line["event"] for line in lines] == ["accepted", "refused"]
    assert [line.get("trace_id") for line in lines] == ([valid[3:35]] * 2 if valid else [None, None])
    assert (lines[0]["image_id"], lines[0]["media_type"]) == (image_id, "image/jpeg")


def test_text_where_a_file_was_meant_is_refused_with_the_missing_at_sign(site: Site) -> None:
    head = {"Content-Type": "multipart/form-data; boundary=X"}
    form = b'--X\r\nContent-Disposition: form-data; name="image"\r\n\r\ncat.jpg\r\n--X--\r\n'
    assert "image=@" in problem(site.ask("POST", "/upload", content=form, headers=head), 415)["hint"]
    assert "image=@" not in problem(site.ask("POST", "/upload", **files(b"cat.jpg")), 415)["hint"]


def test_more_uploads_than_fit_are_429(site: Site) -> None:
    site.limits = Limits(uploads=0)
    assert problem(site.ask("POST", "/upload", **files(picture())), 429)["type"] == "urn:rayhound:too-busy"


def test_the_metrics_count_what_was_accepted_and_refused(site: Site) -> None:
    refused = 'rayhound_uploads_refused_total{reason="not-an-image"}'
    before = site.ask("GET", "/metrics").text
    site.ask("POST", "/upload", **files(picture()))
    site.ask("POST", "/upload", **files(b"text"))
    after = site.ask("GET", "/metrics").text
    assert value(after, ACCEPTED) - value(before, ACCEPTED) == 1
    assert value(after, refused) - value(before, refused) == 1
    assert value(after, "rayhound_uploads_spooling") == 0
    assert "_created" not in after


def test_the_metrics_tell_whether_all_is_well_and_nothing_of_other_roles(site: Site) -> None:
    site.archive.free = 500_000_000
    text = site.ask("GET", "/metrics").text
    room = [value(text, f"rayhound_archive_{name}_bytes") for name in ("free", "size", "reserve")]
    assert room == [500_000_000, 1_000_000_000, 50_000_000]
    well = [value(text, name) for name in ("rayhound_ready", 'rayhound_check_ok{check="archive"}')]
    assert well == [1, 1]
    assert "process_cpu_seconds_total" in text
    assert "rayhound_analysers_alive" not in text
    site.archive.free = 1_000_000
    text = site.ask("GET", "/metrics").text
    assert [value(text, name) for name in ("rayhound_ready", 'rayhound_check_ok{check="archive"}')] == [1, 0]
