"""A temporary file that an upload is written to, and hashed, as it streams in."""

import asyncio
import errno
import hashlib
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, TypeVar

from rayhound import reading
from rayhound.domain import Header, Limits, StorageFull, Unavailable

PIECE = 1_000_000

T = TypeVar("T")


class Spool:
    """One upload on its way to disk. Bytes are held up to a piece (1 MB), and written by a thread."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / f"upload-{secrets.token_hex(16)}"
        self.bytes = 0
        self._held: list[bytes] = []
        self._written = 0
        self._hash = hashlib.sha256()
        self._file: BinaryIO | None = None

    def keep(self, piece: bytes) -> None:
        """Hold some bytes."""
        self._held.append(piece)
        self.bytes += len(piece)

    @property
    def full(self) -> bool:
        """Whether a piece is held, so that it should be written."""
        return self.bytes - self._written >= PIECE

    async def write(self) -> None:
        """Write what is held; raises `StorageFull` or `Unavailable`."""
        await _in_thread(self._write)

    async def finish(self, limits: Limits) -> tuple[Header, str]:
        """Write the rest and look at the whole: its header, and its SHA-256 in hexadecimal.

        Raises `NotAnImage` or `Unreadable`, or as `write` does.
        """

        def finish() -> tuple[Header, str]:
            self._write().close()
            return reading.inspect(self.path, limits), self._hash.hexdigest()

        return await _in_thread(finish)

    async def remove(self) -> None:
        """Remove the file, if there is one."""
        file = self._file
        if file is None:
            return

        def remove() -> None:
            with suppress(OSError):  # a file that could not be written says so once more when it is closed
                file.close()
            self.path.unlink(missing_ok=True)

        await _in_thread(remove)

    def _write(self) -> BinaryIO:
        if self._file is None:
            self._file = self.path.open("xb")
        for piece in self._held:
            self._hash.update(piece)
            self._file.write(piece)
        self._held.clear()
        self._written = self.bytes
        return self._file


async def _in_thread(call: Callable[[], T]) -> T:
    try:
        return await asyncio.to_thread(call)
    except OSError as e:
        if e.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull("the upload does not fit the storage", "free some space, or give the archive more") from e
        raise Unavailable(f"the upload cannot be spooled: {e.strerror}", "is the archive's disk well?") from e
