"""RabbitMQ from a test's side: both roles as one queue, queues of its own, and a look behind the adapter's back."""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from rayhound.adapters.rabbitmq import Address, Queues, RabbitPublisher, RabbitSubscriber
from rayhound.domain import InDoubt, Request, Unavailable, new_image_id
from rayhound.ports import Delivery, Published
from tests.brokers import RabbitBroker
from tests.proxy import Proxy

PREFETCH = 4
SOON = 60.0  # generous: the machine may be busy with something else


def a_request() -> Request:
    """A request that nobody made before."""
    image_id = new_image_id()
    return Request(image_id, "an archive", f"for {image_id}", requested_at=datetime.now(UTC))


def some_queues() -> Queues:
    """Queues that no other test has."""
    name = f"images-{os.urandom(4).hex()}"
    return Queues(name, f"{name}.dead")


class Rabbit:
    """A publisher and a subscriber of one broker, as one queue."""

    def __init__(self, url: str, prefetch: int, queues: Queues) -> None:
        self.queues = queues
        self.publisher = RabbitPublisher(Address(url), queues)
        self.subscriber = RabbitSubscriber(Address(url), prefetch, queues)

    @property
    def prefetch(self) -> int:
        return self.subscriber.prefetch

    @prefetch.setter
    def prefetch(self, prefetch: int) -> None:
        self.subscriber.prefetch = prefetch

    async def __aenter__(self) -> Self:
        await self.publisher.__aenter__()
        await self.subscriber.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.subscriber.__aexit__(kind, error, trace)
        await self.publisher.__aexit__(kind, error, trace)

    async def publish(self, request: Request, marker: str) -> Published:
        return await self.publisher.publish(request, marker)

    def holds(self, marker: str) -> bool:
        return self.publisher.holds(marker)

    async def ping(self) -> None:
        await self.publisher.ping()

    def deliveries(self) -> AsyncGenerator[Delivery, None]:
        return self.subscriber.deliveries()


@asynccontextmanager
async def channel_of(url: str) -> AsyncIterator[AbstractChannel]:
    """A channel that has nothing to do with the adapter."""
    async with await aio_pika.connect(url, timeout=10) as connection:
        yield await connection.channel(on_return_raises=True)


async def taken_from(url: str, name: str, seconds: float = 10) -> AbstractIncomingMessage:
    """Take the next message out of a queue, behind the adapter's back; `TimeoutError` if none comes in time."""
    async with channel_of(url) as channel, asyncio.timeout(seconds):
        queue = await channel.get_queue(name, ensure=False)
        while True:
            message = await queue.get(fail=False)
            if message is not None:
                await message.ack()
                return message
            await asyncio.sleep(0.05)


async def waiting_in(url: str, name: str) -> int:
    """How many messages a queue has ready."""
    async with channel_of(url) as channel:
        return (await channel.declare_queue(name, passive=True)).declaration_result.message_count or 0


async def delete(url: str, *names: str) -> None:
    """Delete queues, as somebody on the management page would."""
    async with channel_of(url) as channel:
        for name in names:
            await channel.queue_delete(name)


async def eventually(happens: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(SOON):
        while not await happens():
            await asyncio.sleep(0.05)


async def published_in_the_end(queue: Rabbit, request: Request) -> None:
    """Publish as a sweep would: again, until it is kept."""

    async def kept() -> bool:
        try:
            return await queue.publish(request, "outbox/x.1") is Published.KEPT
        except (Unavailable, InDoubt):
            return False

    await eventually(kept)


async def next_of(deliveries: AsyncGenerator[Delivery, None]) -> Delivery:
    """The next delivery, which surely comes."""
    async with asyncio.timeout(SOON):
        return await anext(deliveries)


@dataclass
class Site:
    """A broker, a proxy before it, and a queue whose both roles go through that proxy."""

    broker: RabbitBroker
    proxy: Proxy
    queue: Rabbit

    @property
    def queues(self) -> Queues:
        return self.queue.queues

    async def publish(self) -> Request:
        """Publish a new request."""
        request = a_request()
        assert await self.queue.publish(request, "outbox/x.1") is Published.KEPT
        return request

    async def delete(self) -> None:
        """Delete the queue behind the adapter's back."""
        await delete(self.broker.url, self.queues.images)

    async def waiting(self) -> int:
        """How many requests are ready, as the broker says."""
        return await waiting_in(self.broker.url, self.queues.images)


@asynccontextmanager
async def site_at(broker: RabbitBroker) -> AsyncIterator[Site]:
    """A site with queues of its own."""
    async with Proxy(broker.port) as proxy:
        url = f"amqp://guest:guest@127.0.0.1:{proxy.port}/"
        async with Rabbit(url, PREFETCH, some_queues()) as queue:
            yield Site(broker, proxy, queue)
