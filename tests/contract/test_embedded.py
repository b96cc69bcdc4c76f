"""What only the queue in memory has: it leans on markers, and deletes exactly the one that a request leans on."""

import asyncio
from contextlib import aclosing
from dataclasses import replace

import pytest

from rayhound.adapters.embedded import EmbeddedQueue
from rayhound.adapters.memory import MemoryArchive
from rayhound.domain import Request, Unavailable, new_image_id
from rayhound.ports import Delivery, Published

pytestmark = pytest.mark.anyio

REQUEST = Request(new_image_id(), "an archive", "a correlation")
FIRST, SECOND = f"outbox/{REQUEST.image_id}.1", f"outbox/{REQUEST.image_id}.2"


@pytest.fixture
async def archive() -> MemoryArchive:
    archive = MemoryArchive()
    for marker in (FIRST, SECOND):
        await archive.put(marker, b"{}")
    return archive


@pytest.fixture
async def queue(archive: MemoryArchive) -> EmbeddedQueue:
    return EmbeddedQueue(archive, 4)


async def take(queue: EmbeddedQueue) -> Delivery | None:
    async with aclosing(queue.deliveries()) as deliveries:
        try:
            async with asyncio.timeout(0.05):
                return await anext(deliveries)
        except TimeoutError:
            return None


async def test_a_request_leans_on_its_marker_and_another_marker_must_come_again(queue: EmbeddedQueue) -> None:
    assert await queue.publish(REQUEST, FIRST) is Published.HELD
    assert await queue.publish(REQUEST, FIRST) is Published.HELD
    assert await queue.publish(replace(REQUEST, retry=1), SECOND) is Published.BUSY
    assert queue.holds(FIRST)
    assert not queue.holds(SECOND)
    assert await take(queue)
    assert await take(queue) is None


@pytest.mark.parametrize("verb", ["ack", "reject"])
async def test_a_settled_requests_marker_goes_and_no_other(
    queue: EmbeddedQueue, archive: MemoryArchive, verb: str
) -> None:
    await queue.publish(REQUEST, FIRST)
    delivery = await take(queue)
    assert delivery
    assert set(archive.objects) == {FIRST, SECOND}
    await getattr(delivery, verb)()
    assert set(archive.objects) == {SECOND}
    assert not queue.holds(FIRST)
    assert await queue.publish(replace(REQUEST, retry=1), SECOND) is Published.HELD


async def test_a_released_request_keeps_its_marker(queue: EmbeddedQueue, archive: MemoryArchive) -> None:
    await queue.publish(REQUEST, FIRST)
    delivery = await take(queue)
    assert delivery
    await delivery.release()
    assert set(archive.objects) == {FIRST, SECOND}
    assert queue.holds(FIRST)


async def test_a_marker_that_cannot_be_deleted_comes_again(
    queue: EmbeddedQueue, archive: MemoryArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(key: str) -> None:
        raise Unavailable("away")

    await queue.publish(REQUEST, FIRST)
    delivery = await take(queue)
    assert delivery
    monkeypatch.setattr(archive, "delete", away)
    await delivery.ack()
    assert not queue.holds(FIRST)
    assert await queue.publish(REQUEST, FIRST) is Published.HELD


async def test_suspects_count_as_lent_before_once(archive: MemoryArchive) -> None:
    queue = EmbeddedQueue(archive, 4, frozenset({REQUEST.image_id}))
    await queue.publish(REQUEST, FIRST)
    delivery = await take(queue)
    assert delivery
    assert delivery.lent_before
    await delivery.ack()
    await queue.publish(REQUEST, SECOND)
    delivery = await take(queue)
    assert delivery
    assert not delivery.lent_before
