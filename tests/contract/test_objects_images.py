"""Large images in a bucket: parts that are lost or refused, completing in doubt, memory, and killed writers."""

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from rayhound.adapters import objects
from rayhound.adapters.objects import PART
from rayhound.domain import InDoubt, Unavailable
from rayhound.ports import Put
from tests import s3server
from tests.s3proxy import CUT, LOST, STALLS, Fault, refuses
from tests.s3site import IMAGE, Site, content, listed

pytestmark = pytest.mark.anyio


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """An image of three parts."""
    path = tmp_path / "spooled"
    path.write_bytes(os.urandom(2 * PART + 12_344) + b"?")
    return path


async def test_a_reader_goes_on_where_its_connection_was_lost(store: Site, image: Path) -> None:
    await store.archive.put(IMAGE, image)
    store.proxy.meets("GET", Fault(upto=PART + 1000))
    assert await content(store.archive, IMAGE) == image.read_bytes()
    store.proxy.meets("GET", Fault(upto=0), ever=True)
    with pytest.raises(Unavailable):
        await content(store.archive, IMAGE)


async def test_an_image_goes_in_parts_that_are_sent_again_where_one_is_lost(store: Site, image: Path) -> None:
    store.proxy.meets("partNumber=2", Fault(False, 0, upto=PART // 2), refuses(500))
    assert await store.archive.put(IMAGE, image) is Put.CREATED
    assert store.lies() == {IMAGE: image.read_bytes()}
    assert store.proxy.count("partNumber=2") == 3
    assert await store.archive.put(IMAGE, image) is Put.SAME
    image.write_bytes(image.read_bytes()[:-1] + b"!")
    assert await store.archive.put(IMAGE, image) is Put.OTHER
    image.write_bytes(bytes(PART + 1))
    assert await store.archive.put(IMAGE, image) is Put.OTHER
    assert store.proxy.count(r"POST .*uploads") == 1


@pytest.mark.parametrize("part", ["uploads", "partNumber=1", "partNumber=3"])
async def test_an_image_that_is_refused_leaves_neither_an_object_nor_parts(
    store: Site, image: Path, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "PARTS_TOGETHER", 1)  # a part that is under way may come after the abort
    store.proxy.meets(part, refuses(403, "AccessDenied"))
    with pytest.raises(Unavailable):
        await store.archive.put(IMAGE, image)
    assert store.lies() == {}
    assert store.server.multiparts(store.bucket) == []
    assert store.proxy.count(r"POST .*uploadId") == 0


async def test_an_image_is_not_begun_where_its_key_cannot_be_looked_at(store: Site, image: Path) -> None:
    store.proxy.meets("GET", refuses(403, "AccessDenied"))
    with pytest.raises(Unavailable):
        await store.archive.put(IMAGE, image)
    assert store.proxy.count("POST|PUT") == 0


_INTERNAL = "<Error><Code>InternalError</Code></Error>"


@pytest.mark.parametrize("fault", [refuses(500), Fault(status=500), CUT, LOST])
async def test_a_store_that_completes_once_whoever_repeats_it_is_asked_again(
    store: Site, image: Path, fault: Fault
) -> None:
    store.proxy.meets(r"POST .*uploadId", fault)
    assert await store.archive.put(IMAGE, image) is Put.CREATED
    assert store.lies() == {IMAGE: image.read_bytes()}


@pytest.mark.parametrize(
    ("faults", "lies"),
    [
        ([refuses(500)] * 9, False),
        ([refuses(400, "InvalidPart")], False),
        ([refuses(404, "NoSuchUpload")], False),
        ([refuses(409, "ConditionalRequestConflict")], False),
        ([CUT] * 9, False),
        ([LOST, refuses(404, "NoSuchUpload")], True),
        ([Fault(status=500), refuses(404, "NoSuchUpload")], True),
        ([Fault(status=200, body=_INTERNAL), refuses(404, "NoSuchUpload")], True),
        ([Fault(status=200, body="<Error><Code>Other</Code></Error>")], True),
    ],
    ids=[
        "500",
        "400",
        "404",
        "409",
        "cut",
        "lost, then 404",
        "500 after, then 404",
        "200 with an error, then 404",
        "200 with another",
    ],
)
async def test_once_completing_was_asked_for_every_failure_is_doubt(
    store: Site, image: Path, faults: list[Fault], lies: bool
) -> None:
    store.proxy.meets(r"POST .*uploadId", *faults)
    with pytest.raises(InDoubt):
        await store.archive.put(IMAGE, image)
    assert (IMAGE in store.lies()) is lies
    assert store.server.multiparts(store.bucket) == []
    store.proxy.mend()
    assert await store.archive.put(IMAGE, image) is (Put.SAME if lies else Put.CREATED)
    assert store.lies() == {IMAGE: image.read_bytes()}


async def test_an_abort_that_fails_too_hides_nothing(store: Site, image: Path) -> None:
    store.proxy.meets(r"POST .*uploadId", Fault(status=400))
    store.proxy.meets("DELETE", refuses(403, "AccessDenied"))
    with pytest.raises(InDoubt):
        await store.archive.put(IMAGE, image)
    assert set(store.lies()) == {IMAGE}


async def test_more_images_than_fit_in_memory_wait_within_bounds(
    store: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "IMAGES_TOGETHER", 1)
    archive = store.another()
    monkeypatch.setattr(objects, "WHOLE_SECONDS", 0.2)
    small = tmp_path / "small"
    small.write_bytes(b"pixels")
    store.proxy.meets("PUT", STALLS)
    first = asyncio.create_task(archive.put(IMAGE, small))
    await store.proxy.saw("PUT")
    with pytest.raises(Unavailable, match="slow"):
        await archive.put("2026/11/23/another/image.jpg", small)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await archive.put(IMAGE, small) is Put.CREATED


async def test_a_spooled_image_that_is_gone_is_a_sure_failure(store: Site, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="spooled"):
        await store.archive.put(IMAGE, tmp_path / "none")
    assert store.proxy.asked == []


PUTTER = """
import asyncio, json, pathlib, resource, sys
from rayhound.adapters.objects import ObjectArchive
archive = ObjectArchive(sys.argv[1], json.loads(sys.argv[2]))
async def main():
    for path in sys.argv[3:]:
        await archive.put("2026/11/23/" + pathlib.Path(path).name + "/image.jpg", pathlib.Path(path))
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, flush=True)
asyncio.run(main())
"""


async def putter(store: Site, *images: Path) -> asyncio.subprocess.Process:
    told = json.dumps(s3server.environment(store.proxy.port))
    command = [sys.executable, "-c", PUTTER, f"s3://{store.bucket}", told, *map(str, images)]
    return await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)


async def test_memory_is_flat_whatever_the_size_of_an_image(store: Site, tmp_path: Path) -> None:
    few, many = tmp_path / "few", tmp_path / "many"
    few.write_bytes(bytes(20_000_000))
    with many.open("wb") as file:
        file.truncate(200_000_000)
    process = await putter(store, few, many)
    async with asyncio.timeout(240):
        said, _ = await process.communicate()
    assert process.returncode == 0
    of_few, of_many = map(int, said.split())
    assert of_many - of_few < 12 * PART, "some parts, not the image"
    assert len(store.lies()["2026/11/23/many/image.jpg"]) == 200_000_000


async def test_a_killed_writer_leaves_nothing_that_is_listed_but_parts_that_a_lifecycle_rule_must_remove(
    store: Site, image: Path
) -> None:
    store.proxy.meets("partNumber=3", STALLS)
    process = await putter(store, image)
    await store.proxy.saw("partNumber=3")
    async with asyncio.timeout(60):
        while len(store.server.multiparts(store.bucket)) < 2:
            await asyncio.sleep(0.05)
    process.kill()
    await process.communicate()
    assert await listed(store.archive) == []
    assert store.lies() == {}
    assert len(store.server.multiparts(store.bucket)) == 2


async def test_an_image_in_one_request_whose_answer_is_lost_is_looked_at(store: Site, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.write_bytes(b"pixels")
    store.proxy.meets("PUT", LOST)
    assert await store.archive.put(IMAGE, small) is Put.SAME
    store.proxy.meets("PUT", CUT)
    with pytest.raises(InDoubt):
        await store.archive.put("2026/11/23/another/image.jpg", small)
    small.write_bytes(b"others")
    store.proxy.meets("PUT", CUT)
    assert await store.archive.put(IMAGE, small) is Put.OTHER
    store.proxy.meets("PUT|GET", CUT, ever=True)
    with pytest.raises(InDoubt):
        await store.archive.put(IMAGE, small)
    assert store.lies() == {IMAGE: b"pixels"}
