"""An archive that is waited for: what settling sees of it while it holds what is in hand."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from rayhound.domain import Broken, InDoubt, StorageFull, TryLater, Unavailable
from rayhound.ports import Archive, Entry, Put, Storage
from rayhound.telemetry import log

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for an archive that is away: until `stopping`, or `seconds`; asked again every `pause`."""

    stopping: asyncio.Event
    seconds: float
    pause: float = 1.0


class PatientArchive:
    """The same archive, asked again while it is away, full or in doubt.

    What was put in doubt and is found with the same bytes counts as created: we did it.
    """

    def __init__(self, archive: Archive, patience: Patience) -> None:
        self._archive = archive
        self._patience = patience
        self._deadline = asyncio.get_running_loop().time() + patience.seconds

    async def put(self, key: str, content: bytes | Path) -> Put:
        """As `Archive.put`."""
        doubtful = False

        async def once() -> Put:
            nonlocal doubtful
            try:
                put = await self._archive.put(key, content)
            except InDoubt:
                doubtful = True
                raise
            return Put.CREATED if doubtful and put is Put.SAME else put

        return await self.patiently(once)

    async def get(self, key: str) -> AsyncGenerator[bytes, None]:
        """As `Archive.get`; once the first piece came, a failure is the reader's."""
        pieces = self._archive.get(key)
        try:
            first = await anext(pieces)
        except StopAsyncIteration:
            return
        except TryLater as e:
            await self._wait(e)
            async with aclosing(self.get(key)) as again:
                async for piece in again:
                    yield piece
            return
        async with aclosing(pieces):
            yield first
            async for piece in pieces:
                yield piece

    async def list(self, prefix: str, after: str = "") -> AsyncGenerator[Entry, None]:
        """As `Archive.list`, whole."""

        async def once() -> list[Entry]:
            async with aclosing(self._archive.list(prefix, after)) as entries:
                return [entry async for entry in entries]

        for entry in await self.patiently(once):
            yield entry

    async def delete(self, key: str) -> None:
        """As `Archive.delete`."""
        await self.patiently(lambda: self._archive.delete(key))

    async def ping(self) -> Storage:
        """As `Archive.ping`."""
        return await self.patiently(self._archive.ping)

    async def patiently(self, once: Callable[[], Awaitable[T]]) -> T:
        """Do something, and again while there is no room or no answer; raises what it raised when patience is over."""
        while True:
            try:
                return await once()
            except (Unavailable, InDoubt, StorageFull) as e:
                await self._wait(e)

    async def _wait(self, error: TryLater) -> None:
        stopping = self._patience.stopping
        late = asyncio.get_running_loop().time() >= self._deadline
        if isinstance(error, Broken) or stopping.is_set() or late:
            raise error
        log().warning("waiting", why=error.detail)
        try:
            async with asyncio.timeout(self._patience.pause):
                await stopping.wait()
        except TimeoutError:
            return
