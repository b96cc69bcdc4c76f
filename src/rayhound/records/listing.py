"""Looking through the archive: every accepted image, and the newest ones page by page."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime

from rayhound.domain import NotFound, Record, Status, id_at, milliseconds_of, time_of
from rayhound.ports import Archive
from rayhound.records.facts import record

LOOK_AT_MOST = 1000
CROWD = 2000
TOGETHER = 16
DAY = 86_400_000  # milliseconds

_IN_A_DAY = re.compile(r"\d{4}/\d\d/\d\d/")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A filter of records; none wants all."""

    status: Status | None = None
    contains: str | None = None

    def takes(self, record: Record) -> bool:
        """Whether a record passes."""
        if self.contains and (not record.analyses or record.analyses[0]["contains"] != self.contains):
            return False
        return self.status in (None, record.status)


@dataclass(frozen=True, slots=True)
class Page:
    """Some records, newest first, and the cursor that the next page begins from (none at the end)."""

    records: tuple[Record, ...]
    before: str | None


async def page(archive: Archive, before: str | None, limit: int, wanted: Wanted) -> Page:
    """The newest records before a cursor; a filter looks at 1,000 of them at most before it returns a cursor."""
    found: list[Record] = []
    looked = 0
    async with aclosing(_batches(archive, before)) as batches:
        async for batch in batches:
            records = await asyncio.gather(*(_if_there(archive, image_id) for image_id in batch))
            found += [r for r in records if r and wanted.takes(r)]
            looked += len(batch)
            if len(found) > limit:
                return Page(tuple(found[:limit]), found[limit - 1].image_id)
            if looked >= LOOK_AT_MOST:
                return Page(tuple(found), batch[-1])
    return Page(tuple(found), None)


async def _batches(archive: Archive, before: str | None) -> AsyncGenerator[list[str], None]:
    batch: list[str] = []
    async with aclosing(newest(archive, before)) as ids:
        async for image_id in ids:
            batch.append(image_id)
            if len(batch) == TOGETHER:
                yield batch
                batch = []
    if batch:
        yield batch


async def _if_there(archive: Archive, image_id: str) -> Record | None:
    try:
        return await record(archive, image_id)
    except NotFound:  # its day was removed from outside a moment ago
        return None


async def accepted_ids(archive: Archive) -> AsyncGenerator[str, None]:
    """Every accepted image of the archive, oldest first."""
    async with aclosing(archive.list("")) as entries:
        async for entry in entries:
            if not _IN_A_DAY.match(entry.key):  # days are digits, and sort before everything else
                return
            if entry.key.endswith("/accepted.json"):
                yield entry.key.split("/")[3]


async def newest(archive: Archive, before: str | None) -> AsyncGenerator[str, None]:
    """Accepted images, newest first.

    Folders sort upwards, so this lists from a moment ago, with a window that doubles while little is found and
    shrinks where images crowd.
    """
    oldest = await _oldest_day(archive)
    if oldest is None:
        return
    ahead = DAY  # another web server's clock may be ahead of ours
    high = milliseconds_of(before) + 1 if before else _milliseconds(datetime.now(UTC)) + ahead
    window = 120_000 + (0 if before else ahead)
    while high > oldest:
        low = max(high - window, oldest)
        ids = await _between(archive, low, high)
        if len(ids) > CROWD and high - low > 1:
            window = max((high - low) // 8, 1)
            continue
        for image_id in reversed(ids):
            if before is None or image_id < before:
                yield image_id
        high, window = low, window * 2


async def _between(archive: Archive, low: int, high: int) -> list[str]:
    """The accepted images of [low, high) in milliseconds, oldest first; it stops where they are seen to crowd."""
    ids: list[str] = []
    day = low - low % DAY
    while day < high and len(ids) <= CROWD:
        prefix = f"{time_of(id_at(day)):%Y/%m/%d}/"
        async with aclosing(archive.list(prefix, after=prefix + id_at(max(low, day)))) as entries:
            async for entry in entries:
                image_id = entry.key.split("/")[3]
                if image_id >= id_at(high) or len(ids) > CROWD:
                    break
                if entry.key.endswith("/accepted.json"):
                    ids.append(image_id)
        day += DAY
    return ids


async def _oldest_day(archive: Archive) -> int | None:
    async with aclosing(archive.list("")) as entries:
        async for entry in entries:
            if _IN_A_DAY.match(entry.key):
                return _milliseconds(datetime.strptime(entry.key[:10], "%Y/%m/%d").replace(tzinfo=UTC))
            break
    return None


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
