"""Whether the archive has room for one more upload."""

import asyncio

from rayhound.domain import StorageFull, Unavailable
from rayhound.ports import Archive, Storage
from rayhound.telemetry import FREE, RESERVE, SIZE

LOOK_SECONDS = 1.0
LEAST_RESERVE = 32_000_000
MOST_RESERVE = 1_000_000_000


def reserve(storage: Storage) -> int:
    """The bytes that stay free, so that facts about images that are ours still fit: 5 % of the storage, bounded."""
    return min(max((storage.size or 0) // 20, LEAST_RESERVE), MOST_RESERVE)


class Room:
    """The archive's room as it was a second ago at most; many may ask, one looks."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._looked = float("-inf")
        self._look: asyncio.Task[Storage] | None = None

    async def look(self, patience: float = 5.0) -> Storage:
        """The storage as it is; raises as `Archive.ping` does, and `Unavailable` when that takes too long (seconds)."""
        now = asyncio.get_running_loop().time()
        if self._look is None or (self._look.done() and now - self._looked > LOOK_SECONDS):
            self._looked = now
            self._look = asyncio.create_task(self._archive.ping())
        try:
            async with asyncio.timeout(patience):
                storage = await asyncio.shield(self._look)
        except TimeoutError as e:
            raise Unavailable("the archive does not answer", "is its disk or its network away?") from e
        if storage.free is not None and storage.size is not None:
            FREE.set(storage.free)
            SIZE.set(storage.size)
            RESERVE.set(reserve(storage))
        return storage

    def doubt(self) -> None:
        """Look again at the next question: something that was kept in the archive a moment ago failed."""
        self._looked = float("-inf")

    async def require(self, size: int) -> None:
        """Raises `StorageFull` unless this many bytes fit beside the reserve."""
        require(await self.look(), size)


def require(storage: Storage, size: int) -> None:
    """Raises `StorageFull` unless this many bytes fit into a storage beside its reserve."""
    kept = reserve(storage)
    if storage.free is not None and storage.free < kept + size:
        coming = f" beside the {amount(size)} that are being received" if size else ""
        raise StorageFull(
            f"{amount(storage.free)} are free, but {amount(kept)} must stay free{coming}",
            "free some space, or give the archive more",
        )


def amount(size: float) -> str:
    """Bytes as people say them: `3 MB`, `1.2 GB`."""
    for unit in ("bytes", "kB", "MB"):
        if size < 999.5:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:,.1f} GB"
