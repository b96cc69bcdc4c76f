"""The ports, with calls that meet their fate."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Protocol

from rayhound.domain import Request
from rayhound.ports import Archive, Delivery, Entry, Published, Publisher, Put, Storage, Subscriber
from tests.unit.fate import Call, Fate


class FatefulArchive:
    """An archive whose calls meet their fate."""

    def __init__(self, archive: Archive, fate: Fate) -> None:
        self._archive = archive
        self._fate = fate

    async def put(self, key: str, content: bytes | Path) -> Put:
        call = Call.KEEP if isinstance(content, Path) else Call.CHANGE
        put: Put = await self._fate.call(call, lambda: self._archive.put(key, content))
        return put

    async def get(self, key: str) -> AsyncGenerator[bytes, None]:
        async def whole() -> bytes:
            return b"".join([piece async for piece in self._archive.get(key)])

        yield await self._fate.call(Call.READ, whole)

    async def list(self, prefix: str, after: str = "") -> AsyncGenerator[Entry, None]:
        async def whole() -> list[Entry]:
            return [entry async for entry in self._archive.list(prefix, after)]

        for entry in await self._fate.call(Call.READ, whole):
            yield entry

    async def delete(self, key: str) -> None:
        await self._fate.call(Call.CHANGE, lambda: self._archive.delete(key))

    async def ping(self) -> Storage:
        storage: Storage = await self._fate.call(Call.CHANGE, self._archive.ping)
        return storage


class Queue(Publisher, Subscriber, Protocol):
    """Both sides in one object."""


class FatefulPublisher:
    """A publisher whose calls meet their fate."""

    def __init__(self, publisher: Publisher, fate: Fate) -> None:
        self._publisher = publisher
        self._fate = fate

    async def publish(self, request: Request, marker: str) -> Published:
        published: Published = await self._fate.call(Call.PUBLISH, lambda: self._publisher.publish(request, marker))
        return published

    def holds(self, marker: str) -> bool:
        return self._publisher.holds(marker)

    async def ping(self) -> None:
        await self._publisher.ping()


class FatefulSubscriber:
    """A subscriber whose deliveries meet their fate as they are settled."""

    def __init__(self, subscriber: Subscriber, fate: Fate) -> None:
        self.prefetch = subscriber.prefetch
        self._subscriber = subscriber
        self._fate = fate

    async def deliveries(self) -> AsyncGenerator[Delivery, None]:
        async with aclosing(self._subscriber.deliveries()) as deliveries:
            async for delivery in deliveries:
                yield _Lent(delivery, self._fate)


class _Lent:
    def __init__(self, delivery: Delivery, fate: Fate) -> None:
        self.request = delivery.request
        self.lent_before = delivery.lent_before
        self._delivery = delivery
        self._fate = fate

    async def ack(self) -> None:
        await self._fate.call(Call.SETTLE, self._delivery.ack)

    async def release(self) -> None:
        await self._fate.call(Call.SETTLE, self._delivery.release)

    async def reject(self) -> None:
        await self._fate.call(Call.SETTLE, self._delivery.reject)
