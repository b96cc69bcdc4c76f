"""The queue of one process on one machine: in memory, leaning on the markers in the outbox.

A request waits here only while its marker lies in the archive, and the marker goes when the request is settled. So a
crash loses nothing: the next start sweeps the outbox and fills the queue again.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace

from rayhound.domain import Request, TryLater
from rayhound.ports import Archive, Delivery, Published
from rayhound.telemetry import log


@dataclass(frozen=True, slots=True)
class _Held:
    request: Request
    marker: str
    lent_before: bool


class EmbeddedQueue:
    """Publisher and subscriber in one.

    `suspects` are images that may have been in hand when the last process died; they count as lent before.
    """

    def __init__(self, archive: Archive, prefetch: int, suspects: frozenset[str] = frozenset()) -> None:
        self._archive = archive
        self.prefetch = prefetch
        self._suspects = set(suspects)
        self._waiting: deque[_Held] = deque()
        self._held: dict[str, str] = {}
        self._markers: set[str] = set()
        self._lent = 0
        self._changed = asyncio.Event()

    async def publish(self, request: Request, marker: str) -> Published:
        """As `Publisher.publish`: held while its marker lies there, or busy while another marker holds the image."""
        holder = self._held.setdefault(request.image_id, marker)
        if holder != marker:
            return Published.BUSY
        if marker not in self._markers:
            self._markers.add(marker)
            self._waiting.append(_Held(request, marker, request.image_id in self._suspects))
            self._suspects.discard(request.image_id)
            self._changed.set()
        return Published.HELD

    def holds(self, marker: str) -> bool:
        """As `Publisher.holds`."""
        return marker in self._markers

    async def ping(self) -> None:
        """As `Publisher.ping`: it is in this very process."""

    async def deliveries(self) -> AsyncGenerator[Delivery, None]:
        """As `Subscriber.deliveries`."""
        while True:
            if self._waiting and self._lent < self.prefetch:
                self._lent += 1
                yield _Lending(self, self._waiting.popleft())
            else:
                self._changed.clear()
                await self._changed.wait()

    async def forget(self, held: _Held) -> None:
        """A request is settled: its marker goes, and no other."""
        try:
            await self._archive.delete(held.marker)
        except TryLater as e:  # left over, it comes again and is found settled
            log().warning("marker_left", why=e.detail)
        self._markers.discard(held.marker)
        del self._held[held.request.image_id]
        self._returned()

    def take_back(self, held: _Held) -> None:
        """A request is lent again, first of all."""
        self._waiting.appendleft(replace(held, lent_before=True))
        self._returned()

    def _returned(self) -> None:
        self._lent -= 1
        self._changed.set()


class _Lending:
    def __init__(self, queue: EmbeddedQueue, held: _Held) -> None:
        self.request = held.request
        self.lent_before = held.lent_before
        self._queue = queue
        self._held = held

    async def ack(self) -> None:
        await self._queue.forget(self._held)

    async def release(self) -> None:
        self._queue.take_back(self._held)

    async def reject(self) -> None:
        await self._queue.forget(self._held)
