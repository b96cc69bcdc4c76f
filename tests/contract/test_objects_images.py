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


async def test_a_reader_goes_on_where_its_connection_was_lost(site: Site, image: Path) -> None:
    await site.archive.put(IMAGE, image)
    site.proxy.meets("GET", Fault(upto=PART + 1000))
    assert await content(site.archive, IMAGE) == image.read_bytes()
    site.proxy.meets("GET", Fault(upto=0), ever=True)
    with pytest.raises(Unavailable):
        await content(site.archive, IMAGE)


async def test_an_image_goes_in_parts_that_are_sent_again_where_one_is_lost(site: Site, image: Path) -> None:
    site.proxy.meets("partNumber=2", Fault(False, 0, upto=PART // 2), refuses(500))
    assert await site.archive.put(IMAGE, image) is Put.CREATED
    assert site.lies() == {IMAGE: image.read_bytes()}
    assert site.proxy.count("partNumber=2") == 3
    assert await site.archive.put(IMAGE, image) is Put.SAME
    image.write_bytes(image.read_bytes()[:-1] + b"!")
    assert await site.archive.put(IMAGE, image) is Put.OTHER
    image.write_bytes(bytes(PART + 1))
    assert await site.archive.put(IMAGE, image) is Put.OTHER
    assert site.proxy.count(r"POST .*uploads") == 1


@pytest.mark.parametrize("part", ["uploads", "partNumber=1", "partNumber=3"])
async def test_an_image_that_is_refused_leaves_neither_an_object_nor_parts(
    site: Site, image: Path, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "PARTS_TOGETHER", 1)  # a part that is under way may come after the abort
    site.proxy.meets(part, refuses(403, "AccessDenied"))
    with pytest.raises(Unavailable):
        await site.archive.put(IMAGE, image)
    assert site.lies() == {}
    assert site.server.multiparts(site.bucket) == []
    assert site.proxy.count(r"POST .*uploadId") == 0


async def test_an_image_is_not_begun_where_its_key_cannot_be_looked_at(site: Site, image: Path) -> None:
    site.proxy.meets("GET", refuses(403, "AccessDenied"))
    with pytest.raises(Unavailable):
        await site.archive.put(IMAGE, image)
    assert site.proxy.count("POST|PUT") == 0


_INTERNAL = "<Error><Code>InternalError</Code></Error>"


@pytest.mark.parametrize("fault", [refuses(500), Fault(status=500), CUT, LOST])
async def test_a_store_that_completes_once_whoever_repeats_it_is_asked_again(
    site: Site, image: Path, fault: Fault
) -> None:
    site.proxy.meets(r"POST .*uploadId", fault)
    assert await site.archive.put(IMAGE, image) is Put.CREATED
    assert site.lies() == {IMAGE: image.read_bytes()}


@pytest.mark.parametrize(
    ("faults", "lies"),
    [
        ([refuses(500)] * 9, False),
        ([refuses(400, "InvalidPart")], False),
        ([refuses(404, "NoSuchUpload")], False),
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
        "cut",
        "lost, then 404",
        "500 after, then 404",
        "200 with an error, then 404",
        "200 with another",
    ],
)
async def test_once_completing_was_asked_for_every_failure_is_doubt(
    site: Site, image: Path, faults: list[Fault], lies: bool
) -> None:
    site.proxy.meets(r"POST .*uploadId", *faults)
    with pytest.raises(InDoubt):
        await site.archive.put(IMAGE, image)
    assert (IMAGE in site.lies()) is lies
    assert site.server.multiparts(site.bucket) == []
    site.proxy.mend()
    assert await site.archive.put(IMAGE, image) is (Put.SAME if lies else Put.CREATED)
    assert site.lies() == {IMAGE: image.read_bytes()}


async def test_an_abort_that_fails_too_hides_nothing(site: Site, image: Path) -> None:
    site.proxy.meets(r"POST .*uploadId", Fault(status=400))
    site.proxy.meets("DELETE", refuses(403, "AccessDenied"))
    with pytest.raises(InDoubt):
        await site.archive.put(IMAGE, image)
    assert set(site.lies()) == {IMAGE}


async def test_more_images_than_fit_in_memory_wait_within_bounds(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "IMAGES_TOGETHER", 1)
    archive = site.another()
    monkeypatch.setattr(objects, "WHOLE_SECONDS", 0.2)
    small = tmp_path / "small"
    small.write_bytes(b"pixels")
    site.proxy.meets("PUT", STALLS)
    first = asyncio.create_task(archive.put(IMAGE, small))
    await site.proxy.saw("PUT")
    with pytest.raises(Unavailable, match="slow"):
        await archive.put("2026/11/23/another/image.jpg", small)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await archive.put(IMAGE, small) is Put.CREATED


async def test_a_spooled_image_that_is_gone_is_a_sure_failure(site: Site, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="spooled"):
        await site.archive.put(IMAGE, tmp_path / "none")
    assert site.proxy.asked == []


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


async def putter(site: Site, *images: Path) -> asyncio.subprocess.Process:
    told = json.dumps(s3server.environment(site.proxy.port))
    command = [sys.executable, "-c", PUTTER, f"s3://{site.bucket}", told, *map(str, images)]
    return await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)


async def test_memory_is_flat_whatever_the_size_of_an_image(site: Site, tmp_path: Path) -> None:
    few, many = tmp_path / "few", tmp_path / "many"
    few.write_bytes(bytes(20_000_000))
    with many.open("wb") as file:
        file.truncate(200_000_000)
    process = await putter(site, few, many)
    async with asyncio.timeout(240):
        said, _ = await process.communicate()
    assert process.returncode == 0
    of_few, of_many = map(int, said.split())
    assert of_many - of_few < 12 * PART, "some parts, not the image"
    assert len(site.lies()["2026/11/23/many/image.jpg"]) == 200_000_000


async def test_a_killed_writer_leaves_nothing_that_is_listed_but_parts_that_a_lifecycle_rule_must_remove(
    site: Site, image: Path
) -> None:
    site.proxy.meets("partNumber=3", STALLS)
    process = await putter(site, image)
    await site.proxy.saw("partNumber=3")
    async with asyncio.timeout(60):
        while len(site.server.multiparts(site.bucket)) < 2:
            await asyncio.sleep(0.05)
    process.kill()
    await process.communicate()
    assert await listed(site.archive) == []
    assert site.lies() == {}
    assert len(site.server.multiparts(site.bucket)) == 2


async def test_an_image_in_one_request_whose_answer_is_lost_is_looked_at(site: Site, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.write_bytes(b"pixels")
    site.proxy.meets("PUT", LOST)
    assert await site.archive.put(IMAGE, small) is Put.SAME
    site.proxy.meets("PUT", CUT)
    with pytest.raises(InDoubt):
        await site.archive.put("2026/11/23/another/image.jpg", small)
    small.write_bytes(b"others")
    site.proxy.meets("PUT", CUT)
    assert await site.archive.put(IMAGE, small) is Put.OTHER
    site.proxy.meets("PUT|GET", CUT, ever=True)
    with pytest.raises(InDoubt):
        await site.archive.put(IMAGE, small)
    assert site.lies() == {IMAGE: b"pixels"}
