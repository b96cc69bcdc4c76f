"""Faults that strike at the k-th call on a port: the process dies, the call fails, its reply is lost, somebody acts."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

from rayhound.domain import InDoubt, Request, Unavailable
from rayhound.ports import Archive, Entry, Published, Publisher, Put, Storage, Subscriber


class Death(BaseException):
    """The process is killed; nothing of it runs any more."""


class Fault(Enum):
    """What happens at the k-th call."""

    DIES_BEFORE = "the process dies before it"
    DIES_AFTER = "the process dies after it"
    REFUSED = "it is not done, and says so"
    REPLY_LOST = "it is done, and its reply is lost"
    SECOND_ACTOR = "somebody else acts to the end first"


@dataclass
class Fate:
    """Counts calls, and strikes at one of them."""

    fault: Fault | None = None
    at: int = 0
    actor: Callable[[], Awaitable[None]] | None = None
    calls: int = 0
    dead: bool = False

    async def call(self, done: Callable[[], Awaitable[Any]]) -> Any:
        if self.dead:
            raise Death
        self.calls += 1
        if self.fault is None or self.calls != self.at:
            return await done()
        if self.fault is Fault.SECOND_ACTOR:
            assert self.actor is not None
            await self.actor()
            return await done()
        if self.fault is Fault.REFUSED:
            raise Unavailable("refused on cue")
        if self.fault is not Fault.DIES_BEFORE:
            await done()
        if self.fault is Fault.REPLY_LOST:
            raise InDoubt("its reply was lost on cue")
        self.dead = True
        raise Death

    def begin(self, fault: Fault, at: int, actor: Callable[[], Awaitable[None]]) -> None:
        """From now on calls count."""
        self.fault, self.at, self.actor, self.calls = fault, at, actor, 0

    @property
    def struck(self) -> bool:
        return self.fault is not None and self.calls >= self.at


class FatefulArchive:
    """An archive whose calls meet their fate."""

    def __init__(self, archive: Archive, fate: Fate) -> None:
        self._archive = archive
        self._fate = fate

    async def put(self, key: str, content: bytes | Path) -> Put:
        put: Put = await self._fate.call(lambda: self._archive.put(key, content))
        return put

    async def get(self, key: str) -> AsyncGenerator[bytes, None]:
        async def whole() -> bytes:
            return b"".join([piece async for piece in self._archive.get(key)])

        yield await self._fate.call(whole)

    async def list(self, prefix: str, after: str = "") -> AsyncGenerator[Entry, None]:
        async def whole() -> list[Entry]:
            return [entry async for entry in self._archive.list(prefix, after)]

        for entry in await self._fate.call(whole):
            yield entry

    async def delete(self, key: str) -> None:
        await self._fate.call(lambda: self._archive.delete(key))

    async def ping(self) -> Storage:
        storage: Storage = await self._fate.call(self._archive.ping)
        return storage


class Queue(Publisher, Subscriber, Protocol):
    """Both sides in one object."""


class FatefulPublisher:
    """A publisher whose calls meet their fate."""

    def __init__(self, publisher: Publisher, fate: Fate) -> None:
        self._publisher = publisher
        self._fate = fate

    async def publish(self, request: Request, marker: str) -> Published:
        published: Published = await self._fate.call(lambda: self._publisher.publish(request, marker))
        return published

    def holds(self, marker: str) -> bool:
        return self._publisher.holds(marker)

    async def ping(self) -> None:
        await self._publisher.ping()
