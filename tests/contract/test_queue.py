"""What every queue promises. A new adapter joins by adding its opener to `OPENERS`."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import pytest

from rayhound.adapters.embedded import EmbeddedQueue
from rayhound.adapters.memory import Broker, MemoryArchive, MemoryQueue
from rayhound.domain import Request, new_image_id
from rayhound.ports import Archive, Delivery, Publisher, Put, Subscriber
from tests.rabbits import Rabbit, some_queues

pytestmark = pytest.mark.anyio

PREFETCH = 4


class Queue(Publisher, Subscriber, Protocol):
    """Both sides in one object."""


@dataclass
class Opened:
    """A queue, the archive that its markers lie in, and how it looks after everybody died and was started again."""

    queue: Queue
    archive: Archive
    again: Callable[[], Awaitable[Queue]]


@asynccontextmanager
async def embedded(request: pytest.FixtureRequest) -> AsyncIterator[Opened]:
    archive = MemoryArchive()

    async def again() -> Queue:
        lent = frozenset(key.removeprefix("outbox/").partition(".")[0] for key in archive.objects)
        return EmbeddedQueue(archive, PREFETCH, lent)

    yield Opened(EmbeddedQueue(archive, PREFETCH), archive, again)


@asynccontextmanager
async def memory(request: pytest.FixtureRequest) -> AsyncIterator[Opened]:
    broker = Broker()

    async def again() -> Queue:
        broker.disconnect()
        return MemoryQueue(broker, PREFETCH)

    yield Opened(MemoryQueue(broker, PREFETCH), MemoryArchive(), again)


@asynccontextmanager
async def rabbitmq(request: pytest.FixtureRequest) -> AsyncIterator[Opened]:
    broker = request.getfixturevalue("rabbit_broker")
    async with AsyncExitStack() as lives:
        queues = some_queues()
        first = AsyncExitStack()
        lives.push_async_callback(first.aclose)

        async def again() -> Queue:
            await first.aclose()
            return await lives.enter_async_context(Rabbit(broker.url, PREFETCH, queues))

        yield Opened(await first.enter_async_context(Rabbit(broker.url, PREFETCH, queues)), MemoryArchive(), again)


Opener = Callable[[pytest.FixtureRequest], AbstractAsyncContextManager[Opened]]
OPENERS: dict[str, Opener] = {"embedded": embedded, "memory": memory, "rabbitmq": rabbitmq}


@pytest.fixture(params=OPENERS)
async def opened(request: pytest.FixtureRequest) -> AsyncIterator[Opened]:
    async with OPENERS[request.param](request) as one:
        yield one


async def publish(opened: Opened, request: Request) -> str:
    marker = f"outbox/{request.image_id}.1"
    assert await opened.archive.put(marker, b"{}") is Put.CREATED
    await opened.queue.publish(request, marker)
    return marker


def a_request() -> Request:
    image_id = new_image_id()
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    return Request(image_id, "an archive", f"for {image_id}", 2, trace, datetime.now(UTC))


async def take(queue: Queue, count: int, seconds: float = 5) -> list[Delivery]:
    """The next deliveries, as many as come within a time, at most `count`."""
    taken: list[Delivery] = []
    try:
        async with asyncio.timeout(seconds), aclosing(queue.deliveries()) as deliveries:
            while len(taken) < count:
                taken.append(await anext(deliveries))
    except TimeoutError:
        pass
    return taken


async def test_a_request_arrives_as_it_was_published(opened: Opened) -> None:
    request = a_request()
    await publish(opened, request)
    [delivery] = await take(opened.queue, 1)
    assert delivery.request == request
    assert not delivery.lent_before


async def test_requests_arrive_in_order(opened: Opened) -> None:
    requests = [a_request() for _ in range(PREFETCH)]
    for request in requests:
        await publish(opened, request)
    assert [d.request for d in await take(opened.queue, PREFETCH)] == requests


async def test_a_request_that_is_acknowledged_never_comes_again(opened: Opened) -> None:
    await publish(opened, a_request())
    [delivery] = await take(opened.queue, 1)
    await delivery.ack()
    assert await take(opened.queue, 1, seconds=0.2) == []
    assert [key async for key in _outbox(opened)] in ([], [f"outbox/{delivery.request.image_id}.1"])


async def test_no_more_are_lent_than_prefetched(opened: Opened) -> None:
    for _ in range(PREFETCH + 2):
        await publish(opened, a_request())
    taken = await take(opened.queue, PREFETCH + 2, seconds=0.3)
    assert len(taken) == PREFETCH
    await taken[0].ack()
    assert len(await take(opened.queue, 2, seconds=0.3)) == 1


async def test_a_request_that_is_released_comes_again_as_lent_before(opened: Opened) -> None:
    request = a_request()
    await publish(opened, request)
    [delivery] = await take(opened.queue, 1)
    await delivery.release()
    [again] = await take(opened.queue, 1)
    assert again.request == request
    assert again.lent_before


async def test_a_request_that_is_rejected_never_comes_again(opened: Opened) -> None:
    await publish(opened, a_request())
    [delivery] = await take(opened.queue, 1)
    await delivery.reject()
    assert await take(opened.queue, 1, seconds=0.2) == []


async def test_somebody_who_waits_is_lent_what_comes_later(opened: Opened) -> None:
    waiting = asyncio.create_task(take(opened.queue, 1))
    await asyncio.sleep(0)
    request = a_request()
    await publish(opened, request)
    assert [d.request for d in await waiting] == [request]


async def test_what_was_lent_when_its_holder_died_comes_again_as_lent_before(opened: Opened) -> None:
    request = a_request()
    marker = await publish(opened, request)
    assert len(await take(opened.queue, 1)) == 1
    queue = await opened.again()
    if queue.holds(marker) or isinstance(queue, EmbeddedQueue):  # what leans on markers is filled from them
        await queue.publish(request, marker)
    [again] = await take(queue, 1)
    assert again.request == request
    assert again.lent_before


async def test_a_queue_that_is_there_answers(opened: Opened) -> None:
    await opened.queue.ping()


def _outbox(opened: Opened) -> AsyncIterator[str]:
    async def listed() -> AsyncIterator[str]:
        async for entry in opened.archive.list("outbox/"):
            yield entry.key

    return listed()
