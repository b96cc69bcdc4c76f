"""The archive and the broker in memory: what the real ones promise, without a disk or a network."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from rayhound.domain import NotFound, Request
from rayhound.ports import Delivery, Entry, Published, Put, Storage


class MemoryArchive:
    """An archive in a dictionary, with a clock that can be set."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.objects: dict[str, tuple[bytes, datetime]] = {}
        self._now = now

    async def put(self, key: str, content: bytes | Path) -> Put:
        """As `Archive.put`."""
        content = content if isinstance(content, bytes) else content.read_bytes()
        if key in self.objects:
            return Put.SAME if self.objects[key][0] == content else Put.OTHER
        self.objects[key] = (content, self._now())
        return Put.CREATED

    async def get(self, key: str) -> AsyncGenerator[bytes, None]:
        """As `Archive.get`."""
        if key not in self.objects:
            raise NotFound(f"the archive has no {key}")
        yield self.objects[key][0]

    async def list(self, prefix: str, after: str = "") -> AsyncGenerator[Entry, None]:
        """As `Archive.list`."""
        for key in sorted(k for k in self.objects if k.startswith(prefix) and k > after):
            if key in self.objects:
                content, modified = self.objects[key]
                yield Entry(key, len(content), modified)

    async def delete(self, key: str) -> None:
        """As `Archive.delete`."""
        self.objects.pop(key, None)

    async def ping(self) -> Storage:
        """As `Archive.ping`."""
        return Storage(self._now(), None, None)


@dataclass
class Broker:
    """What a broker keeps when its clients die: requests in order, whether each was lent before, and dead letters."""

    waiting: deque[tuple[Request, bool]] = field(default_factory=deque)
    lent: list["_Lent"] = field(default_factory=list)
    dead: list[Request] = field(default_factory=list)

    def disconnect(self) -> None:
        """A client went away: what it had in hand is lent again, first."""
        self.waiting.extendleft((lent.request, True) for lent in reversed(self.lent))
        self.lent.clear()


class MemoryQueue:
    """One client of a `Broker`."""

    def __init__(self, broker: Broker, prefetch: int = 16) -> None:
        self.broker = broker
        self.prefetch = prefetch
        self._changed = asyncio.Event()

    async def publish(self, request: Request, marker: str) -> Published:
        """As `Publisher.publish`."""
        self.broker.waiting.append((request, False))
        self._changed.set()
        return Published.KEPT

    def holds(self, marker: str) -> bool:
        """As `Publisher.holds`: a broker that keeps holds nothing."""
        return False

    async def ping(self) -> None:
        """As `Publisher.ping`."""

    async def deliveries(self) -> AsyncGenerator[Delivery, None]:
        """As `Subscriber.deliveries`."""
        while True:
            if self.broker.waiting and len(self.broker.lent) < self.prefetch:
                request, before = self.broker.waiting.popleft()
                lent = _Lent(self, request, before)
                self.broker.lent.append(lent)
                yield lent
            else:
                self._changed.clear()
                await self._changed.wait()

    def settle(self, lent: "_Lent") -> bool:
        """A lending ends; whether it still was one: after a lost connection nobody hears of it."""
        if lent not in self.broker.lent:
            return False
        self.broker.lent.remove(lent)
        self._changed.set()
        return True


class _Lent:
    def __init__(self, queue: MemoryQueue, request: Request, lent_before: bool) -> None:
        self.request = request
        self.lent_before = lent_before
        self._queue = queue

    async def ack(self) -> None:
        self._queue.settle(self)

    async def release(self) -> None:
        if self._queue.settle(self):
            self._queue.broker.waiting.appendleft((self.request, True))

    async def reject(self) -> None:
        if self._queue.settle(self):
            self._queue.broker.dead.append(self.request)
