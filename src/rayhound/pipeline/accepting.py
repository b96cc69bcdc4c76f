"""Taking responsibility for an image, so that whoever dies, and whenever, somebody finishes it.

Each step is on stable storage before the next: the marker, the image, and then `complete`: the key, `accepted.json`,
the request. Every step creates and never overwrites, and means the same whoever repeats it.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from rayhound import records
from rayhound.domain import (
    InDoubt,
    KeyReused,
    NotFound,
    Request,
    StorageFull,
    TryLater,
    Unavailable,
    Upload,
    is_image_id,
    new_image_id,
)
from rayhound.ports import Archive, Published, Publisher, Put
from rayhound.records import Marker
from rayhound.telemetry import PUBLISH_SECONDS, UNPUBLISHED, about, log

CONFIRM_SECONDS = 5.0
SWEEP_AGE = timedelta(minutes=1)
EXPIRE_AGE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class House:
    """What accepting needs: the archive, its id, and where requests go."""

    archive: Archive
    archive_id: str
    publisher: Publisher


@dataclass(frozen=True, slots=True)
class Accepted:
    """An image that is ours; `accepted` is what `accepted.json` says of it, `new` whether this very upload made it."""

    image_id: str
    correlation_id: str
    accepted: dict[str, Any]
    new: bool


async def accept(house: House, upload: Upload, spooled: Path) -> Accepted:
    """Take responsibility for a spooled upload; once this returns, it ends analysed or failed.

    Raises `KeyReused`; `StorageFull` or `Unavailable`; and `InDoubt` or `Broken` where it may or may not be ours.
    """
    key = upload.idempotency_key
    key_sha256 = hashlib.sha256(key.encode()).hexdigest() if key is not None else None
    marker = await records.mark(house.archive, records.acceptance(new_image_id(), upload, key_sha256))
    try:
        put = await house.archive.put(records.image_key(marker.accepted), spooled)
    except (StorageFull, Unavailable):
        with suppress(TryLater):
            await house.archive.delete(marker.key)
        raise
    if put is Put.OTHER:
        raise InDoubt(f"other bytes lie where image {marker.image_id} belongs")
    try:
        return await complete(house, marker, acceptor=True)
    except StorageFull as e:  # no refusal any more: the image is stored, and a sweep finishes it once there is room
        raise InDoubt(e.detail, e.hint) from e


async def complete(house: House, marker: Marker, acceptor: bool = False) -> Accepted:
    """Finish an acceptance whose image is stored, whoever began it.

    Returns the image that the sender is told of: the marker's own, or the one that its Idempotency-Key made before.
    """
    own, digest = marker.image_id, marker.accepted["key_sha256"]
    if digest is not None:
        key = records.idempotency_key(digest)
        if await house.archive.put(key, records.dumps(marker.accepted)) is Put.OTHER:
            marker = await _give_way(house.archive, marker, key)
    accepted, request = marker.accepted, _request(house, marker)
    with about(request):
        put = await house.archive.put(records.accepted_key(marker.image_id), records.dumps(accepted))
        if put is Put.CREATED and not acceptor:
            log().info("completed")
        await _hand_over(house, marker, request, acceptor)
    return Accepted(marker.image_id, accepted["correlation_id"], accepted, acceptor and marker.image_id == own)


def _request(house: House, marker: Marker) -> Request:
    """What the queue is asked for, as of now."""
    said = marker.accepted
    trace = said.get("traceparent")  # an acceptance of before it was kept has none
    ids = (marker.image_id, house.archive_id, said["correlation_id"])
    return Request(*ids, marker.retry, trace, datetime.now(UTC))


async def _give_way(archive: Archive, marker: Marker, key: str) -> Marker:
    """Give way to the image that the key made: its marker, to be completed; or the own one, if it is past the key."""
    if (await records.look(archive, marker.image_id)).accepted:
        return marker
    try:
        winner = await records.fact(archive, key)
    except NotFound as e:
        raise InDoubt("the Idempotency-Key was removed at this very moment") from e
    same = (winner["sha256"], winner["bytes"]) == (marker.accepted["sha256"], marker.accepted["bytes"])
    there = (await records.look(archive, winner["image_id"])).image is not None
    # A request in memory leans on a marker, and the winner's own may be gone: so it gets one before ours goes.
    again = await records.mark(archive, winner) if same and there else marker
    await archive.delete(records.image_key(marker.accepted))
    await archive.delete(marker.key)
    if not same:
        raise KeyReused("this Idempotency-Key already belongs to another image", "send a new key for a new image")
    if not there:
        raise KeyReused("this key made an image that has since been removed", "send a new key")
    return again


async def _hand_over(house: House, marker: Marker, request: Request, acceptor: bool) -> None:
    published = None
    try:
        with PUBLISH_SECONDS.time():
            async with asyncio.timeout(CONFIRM_SECONDS):
                published = await house.publisher.publish(request, marker.key)
    except (TimeoutError, TryLater) as e:
        log().warning("unpublished", why=str(e) or "no confirm in time")
        UNPUBLISHED.inc()
    if published is None and acceptor:
        # Under a new name, because a sweep may be about to delete this one; and one that no sweep leaves for a minute.
        await records.mark_accepted(house.archive, marker.accepted, marker.retry)
    elif published is not Published.KEPT:
        return
    with suppress(TryLater):  # left over, it only comes again
        await house.archive.delete(marker.key)


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep saw: how many markers, and when the oldest was put."""

    markers: int
    oldest: datetime | None


async def sweep(house: House, before: datetime | None, expire_before: datetime | None) -> Swept:
    """Finish what others began: every marker put before a moment, by the storage's clock, and all of accepted images.

    A marker without an image goes once it was put before `expire_before`: nobody was told that it is ours. With no
    `before` they are counted only.
    """
    markers, oldest = 0, None
    async with aclosing(house.archive.list(records.OUTBOX)) as entries:
        async for entry in entries:
            markers += 1
            oldest = min(oldest or entry.modified, entry.modified)
            due = before is not None and (entry.modified <= before or records.is_of_accepted(entry.key))
            if due and not house.publisher.holds(entry.key):
                expired = expire_before is not None and entry.modified <= expire_before
                await _revisit(house, entry.key, expired)
    return Swept(markers, oldest)


async def _revisit(house: House, key: str, expired: bool) -> None:
    try:
        marker = await records.read_marker(house.archive, key)
    except NotFound:  # finished meanwhile
        return
    except (ValueError, KeyError):
        log().error("unreadable_marker", key=key)
        return
    with about(_request(house, marker)):
        if (await records.look(house.archive, marker.image_id)).image is None:
            if expired:
                await house.archive.delete(key)
                log().info("expired")
            return
        try:
            await complete(house, marker)
        except KeyReused as e:
            log().info("gave_way", why=e.detail)


class Again(StrEnum):
    """What `requeue` did with an image, or would do."""

    QUEUED = "queued again"
    WAITING = "waiting already"
    NEXT_TRY = "next try"
    FAILED = "failed; ask for it with --failed or by its id"
    ANALYSED = "analysed already, left"
    UNKNOWN = "unknown to this archive"


@dataclass(frozen=True, slots=True)
class Requeued:
    """One image of a `requeue`, and in which try it waits."""

    image_id: str
    outcome: Again
    retry: int = 0


async def requeue(
    archive: Archive,
    ids: Sequence[str] | None = None,
    failed: bool = False,
    model: str | None = None,
    dry_run: bool = False,
) -> AsyncGenerator[Requeued, None]:
    """Ask for images again, by putting their markers; a web server's sweep completes them as if just accepted.

    With no ids: all that is queued, and with `failed` all that failed too. Given ids that failed are tried again.
    With a `model`, `name@version`, all that it has neither analysed nor failed at, whatever others have done.
    """
    async with aclosing(archive.list(records.OUTBOX)) as entries:
        waiting = {entry.key.removeprefix(records.OUTBOX).partition(".")[0] async for entry in entries}
    async with aclosing(_given(ids) if ids is not None else records.accepted_ids(archive)) as images:
        async for image_id in images:
            requeued = await _again(archive, image_id, waiting, failed or ids is not None, model)
            if not dry_run and requeued.outcome in (Again.QUEUED, Again.NEXT_TRY):
                accepted = await records.fact(archive, records.accepted_key(image_id))
                await records.mark_accepted(archive, accepted, requeued.retry)
            yield requeued


async def _given(ids: Sequence[str]) -> AsyncGenerator[str, None]:
    for image_id in ids:
        yield image_id


def _of(model: str | None, mentions: tuple[records.Mention, ...]) -> list[records.Mention]:
    """What a model said, whatever its file; or what any said."""
    return [said for said in mentions if model in (None, said.label.rpartition("-")[0])]


async def _again(archive: Archive, image_id: str, waiting: set[str], failed: bool, model: str | None) -> Requeued:
    facts = await records.look(archive, image_id) if is_image_id(image_id) else records.Facts()
    if not facts.accepted:
        return Requeued(image_id, Again.UNKNOWN)
    analyses, failures = (_of(model, mentions) for mentions in (facts.analyses, facts.failures))
    if analyses:
        return Requeued(image_id, Again.ANALYSED)
    if image_id in waiting:
        return Requeued(image_id, Again.WAITING)
    if not failures:
        return Requeued(image_id, Again.QUEUED, facts.next_try())
    return Requeued(image_id, Again.NEXT_TRY if failed else Again.FAILED, facts.next_try())
