"""How questions are answered, and every error of the web server."""

import asyncio
import time
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs

from rayhound import records
from rayhound.domain import Broken, Limits, RayhoundError, StorageFull, Unavailable
from rayhound.server import Check
from tests.unit.server_site import Site, files, picture, problem


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_whoever_has_the_version_already_is_sent_nothing_again(site: Site) -> None:
    async def visit(client: httpx.AsyncClient) -> None:
        url = (await client.post("/upload", **files(picture()))).headers["location"]
        for path in (url, url + "/content"):
            tag = (await client.get(path)).headers["etag"]
            assert (await client.get(path, headers={"If-None-Match": f'"x", W/{tag}'})).status_code == 304
            assert (await client.get(path, headers={"If-None-Match": '"x"'})).status_code == 200

    site.visit(visit)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/upload/", 404),
        ("GET", "/upload", 405),
        ("DELETE", "/images", 405),
        ("OPTIONS", "/images", 405),
        ("GET", "/images/nonsense", 404),
        ("GET", "/images/019ab2c4-5d6e-7f80-9a1b-2c3d4e5f6071", 404),
        ("GET", "/images/019ab2c4-5d6e-7f80-9a1b-2c3d4e5f6071/content", 404),
        ("GET", "/images?before=nonsense", 400),
        ("GET", "/images?limit=0", 422),
        ("GET", "/images?limit=201", 422),
        ("GET", "/images?status=lost", 422),
        ("GET", "/images?contains=", 422),
        ("GET", "/static-offline-docs/nothing.js", 404),
    ],
)
def test_every_error_is_a_problem(site: Site, method: str, path: str, status: int) -> None:
    said = problem(site.ask(method, path), status)
    if "=" in path:
        assert path.partition("?")[2].partition("=")[0] in said["detail"]
        assert "nput" not in said["detail"]  # as the library that checks them would say


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("limit=0", "limit must be a whole number from 1 to 200, not '0'"),
        ("limit=many", "limit must be a whole number from 1 to 200, not 'many'"),
        ("status=lost", "status must be one of queued, analysed, failed, not 'lost'"),
        ("contains=", "contains must be labels joined by +, neither or uncertain, not ''"),
    ],
)
def test_a_wrong_parameter_is_told_with_what_is_allowed(site: Site, asked: str, said: str) -> None:
    assert problem(site.ask("GET", f"/images?{asked}"), 422)["detail"] == said


def test_what_get_may_ask_head_may_too_and_405_says_so(site: Site) -> None:
    assert site.ask("DELETE", "/images").headers["allow"] == "GET, HEAD"
    assert site.ask("GET", "/upload").headers["allow"] == "POST"


def test_the_bare_address_leads_to_the_docs(site: Site) -> None:
    begun = site.ask("GET", "/")
    assert (begun.status_code, begun.headers["location"]) == (307, "/docs")


def test_an_unforeseen_error_is_logged_and_no_trace_of_it_leaves(site: Site) -> None:
    async def check() -> Check:
        raise RuntimeError("secret")

    site.checks = (check,)
    with capture_logs() as lines:
        response = site.ask("GET", "/readyz")
    problem(response, 500)
    assert "secret" not in response.text
    assert [line["event"] for line in lines] == ["unexpected"]


def test_waiting_ends_as_soon_as_there_is_news(site: Site) -> None:
    async def visit(client: httpx.AsyncClient) -> None:
        image_id = (await client.post("/upload", **files(picture()))).json()["image_id"]
        asked = asyncio.create_task(client.get(f"/images/{image_id}", headers={"Prefer": "respond-async, wait=50"}))
        await asyncio.sleep(0.02)
        said = {"analysed_at": "2026", "contains": "cat", "model": {"name": "m"}}
        await site.archive.put(records.analysis_key(image_id, "m@1-0"), records.dumps(said))
        site.waiters.tell(image_id)
        answer = await asyncio.wait_for(asked, 30)
        assert answer.json()["status"] == "analysed"
        assert answer.headers["preference-applied"] == "wait=50"
        assert "retry-after" not in answer.headers

    site.visit(visit)


def test_waiting_is_bounded_and_ends_when_the_server_does(site: Site) -> None:
    site.limits = Limits(wait=1)

    async def visit(client: httpx.AsyncClient) -> None:
        url = (await client.post("/upload", **files(picture()))).headers["location"]
        began = time.monotonic()
        answer = await client.get(url, headers={"Prefer": "wait=60"})
        assert answer.headers["preference-applied"] == "wait=1"
        assert answer.json()["status"] == "queued"
        assert time.monotonic() - began > 0.9
        site.waiters.end()
        for _ in range(20):
            await client.get(url, headers={"Prefer": "wait=60"})
        assert time.monotonic() - began < 15

    site.visit(visit)


def test_pages_follow_each_other_newest_first(site: Site) -> None:
    async def visit(client: httpx.AsyncClient) -> None:
        ids = [(await client.post("/upload", **files(picture()))).json()["image_id"] for _ in range(5)]
        first = await client.get("/images", params={"limit": 3, "status": "queued"})
        assert [i["image_id"] for i in first.json()["images"]] == sorted(ids, reverse=True)[:3]
        link, rel = first.headers["link"].split("; ")
        assert rel == 'rel="next"'
        last = await client.get(link.strip("<>"))
        assert [i["image_id"] for i in last.json()["images"]] == sorted(ids, reverse=True)[3:]
        assert last.json()["before"] is None
        assert "link" not in last.headers
        for both in ("dog%2Bcat", "dog+cat"):
            assert (await client.get(f"/images?contains={both}")).json() == {"images": [], "before": None}

    site.visit(visit)


@pytest.mark.parametrize(
    ("illness", "status"),
    [(None, 200), (Unavailable("away"), 200), (StorageFull("full"), 200), (Broken("broken", "restart"), 503)],
)
def test_only_a_broken_archive_makes_it_unready(site: Site, illness: RayhoundError | None, status: int) -> None:
    site.archive.ill = illness
    ready = site.ask("GET", "/readyz")
    assert ready.status_code == status
    assert ready.json()["checks"]["archive"]["ok"] is (illness is None)
    assert site.ask("GET", "/livez").status_code == 200


@pytest.mark.parametrize(("vital", "status"), [(False, 200), (True, 503)])
def test_a_vital_check_that_fails_makes_it_unready_and_says_why(site: Site, vital: bool, status: int) -> None:
    async def check() -> Check:
        return Check("analysers", False, vital, "they do not pass", "give them memory")

    site.checks = (check,)
    ready = site.ask("GET", "/readyz")
    assert ready.status_code == status
    assert ready.json()["checks"]["analysers"] == {
        "ok": False,
        "detail": "they do not pass",
        "hint": "give them memory",
    }


def test_head_is_get_without_the_content(site: Site) -> None:
    async def visit(client: httpx.AsyncClient) -> None:
        url = (await client.post("/upload", **files(picture()))).headers["location"]
        for path in (url, url + "/content", "/images", "/livez", "/metrics"):
            assert (await client.head(path)).status_code == 200
        head = await client.head(url + "/content")
        assert head.headers["content-length"] == str(len(picture()))
        assert head.content == b""

    site.visit(visit)


def test_the_docs_need_no_internet_and_describe_every_call(site: Site) -> None:
    page = site.ask("GET", "/docs").text
    assert "http://" not in page
    assert "https://" not in page
    assert site.ask("GET", "/static-offline-docs/swagger-ui-bundle.js").status_code == 200
    paths = site.ask("GET", "/openapi.json").json()["paths"]
    assert set(paths) == {
        *("/upload", "/images", "/images/{image_id}", "/images/{image_id}/content"),
        *("/livez", "/readyz", "/metrics"),
    }
    upload = paths["/upload"]["post"]
    assert {"202", "400", "408", "413", "415", "422", "429", "503", "507"} == set(upload["responses"])
    taken = ["Idempotency-Key", "X-Correlation-ID", "traceparent", "Prefer"]
    assert [p["name"] for p in upload["parameters"]] == taken
    assert "image" in upload["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]
