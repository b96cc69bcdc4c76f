"""Where facts lie, how a record is derived from them, and how the newest are found."""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from rayhound import records
from rayhound.adapters.memory import MemoryArchive
from rayhound.domain import (
    Contains,
    Header,
    Misconfigured,
    NotFound,
    Record,
    Status,
    Upload,
    id_at,
    is_image_id,
    new_image_id,
    time_of,
)
from rayhound.ports import Put
from rayhound.records import Wanted

LABEL = "a.model@1.2-01234567"


def run(told: Callable[[MemoryArchive], Awaitable[None]]) -> None:
    async def all_of_it() -> None:
        await told(MemoryArchive())

    asyncio.run(all_of_it())


async def an_image(archive: MemoryArchive, image_id: str, contains: str | None = None, failed: bool = False) -> None:
    upload = Upload(Header("JPEG", "image/jpeg", "jpg", 4, 3), 3, hashlib.sha256(b"dog").hexdigest(), "dog.jpg")
    accepted = records.acceptance(image_id, upload, None)
    await archive.put(records.image_key(accepted), b"dog")
    await archive.put(records.accepted_key(image_id), records.dumps(accepted))
    if contains:
        fact = {"image_id": image_id, "contains": contains, "analysed_at": "2026-11-23T00:00:00.000Z", "bytes": 3}
        await archive.put(records.analysis_key(image_id, LABEL), records.dumps(fact))
    if failed:
        fact = {"image_id": image_id, "reason": "broken", "failed_at": "2026-11-23T00:00:00.000Z"}
        await archive.put(records.failed_key(image_id, LABEL, 0), records.dumps(fact))


def id_of(moment: datetime, entropy: int = 0) -> str:
    return id_at(round(moment.timestamp() * 1000), entropy)


def test_ids_sort_by_time_and_tell_it() -> None:
    moment = datetime(2026, 11, 23, 12, 0, 0, 5000, tzinfo=UTC)
    earlier, later = id_of(moment, 2**70), id_of(moment + timedelta(milliseconds=1))
    assert earlier < later
    assert time_of(earlier) == moment
    assert is_image_id(earlier)
    assert is_image_id(new_image_id())
    assert not is_image_id(earlier.upper())
    assert not is_image_id("../../etc/passwd")
    assert not is_image_id("6ba7b810-9dad-11d1-80b4-00c04fd430c8")


def test_an_images_folder_follows_from_its_id() -> None:
    image_id = id_of(datetime(2026, 11, 23, 23, 59, 59, 999000, tzinfo=UTC))
    assert records.folder(image_id) == f"2026/11/23/{image_id}/"


def test_status_is_derived_from_what_is_there() -> None:
    async def told(archive: MemoryArchive) -> None:
        image_id = new_image_id()
        with pytest.raises(NotFound):
            await records.record(archive, image_id)
        await an_image(archive, image_id)
        assert (await records.record(archive, image_id)).status is Status.QUEUED
        await an_image(archive, image_id, failed=True)
        record = await records.record(archive, image_id)
        assert record.status is Status.FAILED
        assert records.as_json(record)["reason"] == "broken"
        await an_image(archive, image_id, contains="dog")
        record = await records.record(archive, image_id)
        assert record.status is Status.ANALYSED
        shown = records.as_json(record)
        assert shown["contains"] == "dog"
        assert "reason" not in shown
        assert len(shown["analyses"]) == 2

    run(told)


def test_of_many_models_the_newest_analysis_is_the_records() -> None:
    async def told(archive: MemoryArchive) -> None:
        image_id = new_image_id()
        await an_image(archive, image_id, contains="cat")
        fact = {"image_id": image_id, "contains": "dog", "analysed_at": "2026-11-24T00:00:00.000Z"}
        await archive.put(records.analysis_key(image_id, "b@2-76543210"), records.dumps(fact))
        shown = records.as_json(await records.record(archive, image_id))
        assert shown["contains"] == "dog"
        assert [a["contains"] for a in shown["analyses"]] == ["dog", "cat"]

    run(told)


def test_labels_with_dots_are_told_from_tries_and_attempts() -> None:
    async def told(archive: MemoryArchive) -> None:
        image_id = new_image_id()
        await archive.put(records.failed_key(image_id, LABEL, 2), b"{}")
        for number in (2, 10, 1):
            await archive.put(records.attempt_key(image_id, LABEL, 3, number), b"{}")
        facts = await records.look(archive, image_id)
        assert [(f.label, f.retry) for f in facts.failures] == [(LABEL, 2)]
        assert [(a.label, a.retry, a.number) for a in facts.attempts] == [(LABEL, 3, n) for n in (1, 2, 10)]
        assert facts.settled(LABEL, 2)
        assert facts.settled(LABEL, 1)
        assert not facts.settled(LABEL, 3)
        assert not facts.settled("another", 0)
        assert facts.next_try() == 3

    run(told)


def test_the_same_acceptance_gives_the_same_bytes_when_it_was_read_back() -> None:
    upload = Upload(Header("PNG", "image/png", "png", 1, 1), 1, "0" * 64, "häßlich \u202e.png", "a.b:c", "key")
    accepted = records.acceptance(new_image_id(), upload, "1" * 64)
    assert records.dumps(json.loads(records.dumps(accepted))) == records.dumps(accepted)


class Overwriting(MemoryArchive):
    """A store that does not know conditional writes."""

    async def put(self, key: str, content: object) -> Put:
        return Put.CREATED


def test_a_store_that_overwrites_is_refused() -> None:
    with pytest.raises(Misconfigured, match="overwrites"):
        asyncio.run(records.identify(Overwriting()))


async def pages(archive: MemoryArchive, limit: int, wanted: Wanted) -> list[list[Record]]:
    found, before = [], None
    for _ in range(1000):
        page = await records.page(archive, before, limit, wanted)
        found.append(list(page.records))
        if page.before is None:
            return found
        before = page.before
    raise AssertionError("the pages never end")


def test_pages_hold_every_image_once_newest_first() -> None:
    async def told(archive: MemoryArchive) -> None:
        now = datetime.now(UTC)
        ages = [timedelta(seconds=s) for s in (0, 1, 2, 100, 5000)] + [timedelta(days=d) for d in (1, 2, 40, 400)]
        ids = [id_of(now - age, 7) for age in ages]
        for image_id in ids:
            await an_image(archive, image_id)
        for limit in (1, 2, 4, 100):
            found = await pages(archive, limit, Wanted())
            assert [r.image_id for page in found for r in page] == ids
            assert all(len(page) == limit for page in found[:-1])
            assert found[-1], "an empty page at the end"

    run(told)


def test_images_of_one_moment_are_told_apart_by_the_cursor() -> None:
    async def told(archive: MemoryArchive) -> None:
        now = datetime.now(UTC) - timedelta(hours=3)
        ids = sorted((id_of(now, entropy) for entropy in range(30)), reverse=True)
        for image_id in ids:
            await an_image(archive, image_id)
        found = await pages(archive, 7, Wanted())
        assert [r.image_id for page in found for r in page] == ids

    run(told)


def test_a_crowd_does_not_have_to_be_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rayhound.records.listing.CROWD", 20)

    async def told(archive: MemoryArchive) -> None:
        then = datetime.now(UTC) - timedelta(days=9)
        ids = [id_of(then - timedelta(milliseconds=10 * n)) for n in range(300)]
        for image_id in ids:
            await an_image(archive, image_id)
        seen = [image_id async for image_id in records.newest(archive, None)]
        assert seen == ids

    run(told)


def test_an_image_of_a_web_server_whose_clock_is_ahead_is_listed() -> None:
    async def told(archive: MemoryArchive) -> None:
        image_id = id_of(datetime.now(UTC) + timedelta(minutes=10))
        await an_image(archive, image_id)
        assert [r.image_id for page in await pages(archive, 5, Wanted()) for r in page] == [image_id]

    run(told)


def test_filters_take_by_status_and_by_answer() -> None:
    async def told(archive: MemoryArchive) -> None:
        now = datetime.now(UTC)
        for n in range(40):
            contains = (None, "dog", "cat", "dog+cat")[n % 4]
            await an_image(archive, id_of(now - timedelta(seconds=n)), contains, failed=n % 8 == 0)
        counts = {
            Wanted(Status.ANALYSED): 30,
            Wanted(Status.FAILED): 5,
            Wanted(Status.QUEUED): 5,
            Wanted(contains=Contains.DOG): 10,
            Wanted(Status.FAILED, Contains.DOG): 0,
        }
        for wanted, count in counts.items():
            found = await pages(archive, 4, wanted)
            assert sum(map(len, found)) == count, wanted

    run(told)


def test_a_filter_that_finds_nothing_returns_a_cursor_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rayhound.records.listing.LOOK_AT_MOST", 32)

    async def told(archive: MemoryArchive) -> None:
        now = datetime.now(UTC)
        for n in range(100):
            await an_image(archive, id_of(now - timedelta(seconds=n)))
        page = await records.page(archive, None, 10, Wanted(Status.FAILED))
        assert page.records == ()
        assert page.before == id_of(now - timedelta(seconds=31))
        assert sum(map(len, await pages(archive, 10, Wanted(Status.FAILED)))) == 0

    run(told)


def test_an_empty_archive_has_one_empty_page() -> None:
    async def told(archive: MemoryArchive) -> None:
        assert await pages(archive, 10, Wanted()) == [[]]
        await records.identify(archive)
        assert await pages(archive, 10, Wanted()) == [[]]

    run(told)
