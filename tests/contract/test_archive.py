"""What every archive promises, whichever storage it is on. A new adapter joins by adding its opener to `OPENERS`."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rayhound.adapters.directory import DirectoryArchive
from rayhound.adapters.durable import PIECE
from rayhound.adapters.memory import MemoryArchive
from rayhound.adapters.objects import ObjectArchive
from rayhound.domain import NotFound, new_image_id
from rayhound.ports import Archive, Put
from rayhound.records import folder, identify
from tests import s3server
from tests.lending import opened_by_a_pod

pytestmark = pytest.mark.anyio


@dataclass
class Opened:
    """An archive, and a look behind its back: every key that really lies on the storage, with its bytes."""

    archive: Archive
    lies: Callable[[], dict[str, bytes]]


@asynccontextmanager
async def in_a_folder(tmp_path: Path) -> AsyncIterator[Opened]:
    root = tmp_path / "archive"
    root.mkdir()
    archive = DirectoryArchive(root)

    def lies() -> dict[str, bytes]:
        files = (p for p in root.rglob("*") if p.is_file())
        return {str(p.relative_to(root)): p.read_bytes() for p in files}

    yield Opened(archive, lies)
    await archive.close()


@asynccontextmanager
async def in_memory(tmp_path: Path) -> AsyncIterator[Opened]:
    archive = MemoryArchive()
    yield Opened(archive, lambda: {key: content for key, (content, _) in archive.objects.items()})


@asynccontextmanager
async def in_a_bucket(tmp_path: Path) -> AsyncIterator[Opened]:
    server = s3server.start()
    bucket = server.bucket()
    archive = ObjectArchive(f"s3://{bucket}/some/prefix", s3server.environment(server.port))

    def lies() -> dict[str, bytes]:
        found = server.lies(bucket)
        assert all(key.startswith("some/prefix/") for key in found)
        return {key.removeprefix("some/prefix/"): content for key, content in found.items()}

    yield Opened(archive, lies)
    await archive.close()


@asynccontextmanager
async def in_a_bucket_by_pod_identity(tmp_path: Path) -> AsyncIterator[Opened]:
    """With no right but those that the guide lists, and keys that are renewed every three seconds."""
    async with opened_by_a_pod(tmp_path, seconds=303) as site:
        yield Opened(site.archive, lambda: {key.removeprefix("images/"): what for key, what in site.lies().items()})


OPENERS: dict[str, Callable[[Path], AbstractAsyncContextManager[Opened]]] = {
    "directory": in_a_folder,
    "memory": in_memory,
    "bucket": in_a_bucket,
    "pod identity": in_a_bucket_by_pod_identity,
}


@pytest.fixture(params=OPENERS)
async def opened(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Opened]:
    async with OPENERS[request.param](tmp_path) as one:
        yield one


async def content(archive: Archive, key: str) -> bytes:
    return b"".join([piece async for piece in archive.get(key)])


async def keys(archive: Archive, prefix: str, after: str = "") -> list[str]:
    return [entry.key async for entry in archive.list(prefix, after)]


async def test_what_was_put_is_got_and_lies_there(opened: Opened) -> None:
    key = folder(new_image_id()) + "accepted.json"
    assert await opened.archive.put(key, b"bytes") is Put.CREATED
    assert await content(opened.archive, key) == b"bytes"
    assert opened.lies() == {key: b"bytes"}


async def test_nothing_is_ever_overwritten(opened: Opened) -> None:
    assert await opened.archive.put("keys/a.json", b"first") is Put.CREATED
    assert await opened.archive.put("keys/a.json", b"first") is Put.SAME
    assert await opened.archive.put("keys/a.json", b"other") is Put.OTHER
    assert await opened.archive.put("keys/a.json", b"firsT") is Put.OTHER
    assert opened.lies() == {"keys/a.json": b"first"}


async def test_of_many_who_put_at_once_exactly_one_creates(opened: Opened) -> None:
    puts = [opened.archive.put("keys/a.json", str(n).encode()) for n in range(20)]
    outcomes = await asyncio.gather(*puts)
    assert sorted(o.name for o in outcomes) == ["CREATED"] + ["OTHER"] * 19
    winner = outcomes.index(Put.CREATED)
    assert opened.lies() == {"keys/a.json": str(winner).encode()}


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE])
async def test_a_spooled_file_is_stored_whole_whatever_its_size(opened: Opened, tmp_path: Path, size: int) -> None:
    spooled = tmp_path / "spooled"
    spooled.write_bytes(os.urandom(size))
    key = folder(new_image_id()) + "image.jpg"
    assert await opened.archive.put(key, spooled) is Put.CREATED
    assert await opened.archive.put(key, spooled) is Put.SAME
    whole = spooled.read_bytes()
    spooled.unlink()
    assert await content(opened.archive, key) == whole
    assert opened.lies() == {key: whole}


async def test_what_is_not_there_is_not_found(opened: Opened) -> None:
    with pytest.raises(NotFound):
        await content(opened.archive, "keys/none.json")
    await opened.archive.put("keys/a.json", b"{}")
    with pytest.raises(NotFound):
        await content(opened.archive, "keys")
    with pytest.raises(NotFound):
        await content(opened.archive, "keys/a.json/b.json")


async def test_an_abandoned_reader_harms_nobody(opened: Opened, tmp_path: Path) -> None:
    spooled = tmp_path / "spooled"
    spooled.write_bytes(bytes(3 * PIECE))
    await opened.archive.put("keys/big", spooled)
    async with aclosing(opened.archive.get("keys/big")) as pieces:
        async for _ in pieces:
            break
    assert len(await content(opened.archive, "keys/big")) == 3 * PIECE


async def test_a_listing_is_sorted_by_key_and_begins_after_a_key(opened: Opened) -> None:
    names = ["2026/11/23/b/x.json", "2026/11/23/a/x.json", "2026/11/23/a.json", "2026/11/22/z/x.json", "outbox/1.a"]
    for name in names:
        await opened.archive.put(name, b"{}")
    assert await keys(opened.archive, "") == sorted(names)
    day = ["2026/11/23/a.json", "2026/11/23/a/x.json", "2026/11/23/b/x.json"]
    assert await keys(opened.archive, "2026/11/23/") == day
    assert await keys(opened.archive, "2026/11/23/", after="2026/11/23/a.json") == day[1:]
    assert await keys(opened.archive, "2026/11/23/", after="2026/11/23/a") == day
    assert await keys(opened.archive, "2026/11/23/", after="2026/11/23/a/x.json") == day[2:]
    assert await keys(opened.archive, "2026/11/23/", after="2026/11/23/zzz") == []
    assert await keys(opened.archive, "2026/11/24/") == []
    assert await keys(opened.archive, "2026/11/23/", after="2026/11/23/a/") == day[1:]


async def test_a_listing_tells_size_and_the_storages_time(opened: Opened) -> None:
    before = (await opened.archive.ping()).now
    await opened.archive.put("outbox/a", b"12345")
    after = (await opened.archive.ping()).now
    [entry] = [entry async for entry in opened.archive.list("outbox/")]
    assert entry.bytes == 5
    slack = timedelta(seconds=1)  # some file systems keep whole seconds
    assert before - slack <= entry.modified <= after + slack
    assert abs(entry.modified - datetime.now(UTC)) < timedelta(minutes=1)


async def test_a_long_listing_is_complete(opened: Opened) -> None:
    names = [f"outbox/{n:04}" for n in range(700)]
    await asyncio.gather(*(opened.archive.put(name, b"") for name in names))
    assert await keys(opened.archive, "outbox/") == names
    assert await keys(opened.archive, "outbox/", after=names[298]) == names[299:]


async def test_objects_may_come_and_go_while_they_are_listed(opened: Opened) -> None:
    names = [f"outbox/{n:04}" for n in range(600)]
    await asyncio.gather(*(opened.archive.put(name, b"") for name in names))
    seen = []
    async with aclosing(opened.archive.list("outbox/")) as entries:
        async for entry in entries:
            seen.append(entry.key)
            if len(seen) == 1:
                for name in names[300:]:
                    await opened.archive.delete(name)
    assert seen[:256] == names[:256]
    assert set(seen) <= set(names)


async def test_deleting_is_done_once_and_for_all(opened: Opened) -> None:
    await opened.archive.put("outbox/a", b"1")
    await opened.archive.delete("outbox/a")
    await opened.archive.delete("outbox/a")
    assert opened.lies() == {}
    assert await opened.archive.put("outbox/a", b"2") is Put.CREATED


async def test_an_image_can_be_put_again_after_its_folder_was_emptied(opened: Opened) -> None:
    key = folder(new_image_id()) + "image.jpg"
    await opened.archive.put(key, b"1")
    await opened.archive.delete(key)
    assert await opened.archive.put(key, b"2") is Put.CREATED
    assert opened.lies() == {key: b"2"}


async def test_a_probe_leaves_nothing(opened: Opened) -> None:
    await opened.archive.ping()
    assert opened.lies() == {}
    assert await keys(opened.archive, "") == []


async def test_an_archive_keeps_its_id(opened: Opened) -> None:
    first = await identify(opened.archive)
    assert await identify(opened.archive) == first
    assert set(opened.lies()) == {"archive.json"}
