"""An archive in a folder: a laptop's disk, or a volume that several processes mount."""

import asyncio
import os
import re
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeVar

from rayhound.adapters.durable import FULL, PIECE, DurableFolder
from rayhound.domain import NotFound, RayhoundError, StorageFull, Unavailable
from rayhound.ports import Entry, Put, Storage

T = TypeVar("T")

THREADS = 32
BATCH = 256
ABANDONED_AFTER = 3600.0

_OURS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]*")


class DirectoryArchive:
    """An archive in a folder that is there already; `spool` in it takes temporary files and is no part of it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.spool = root / ".spool"
        self._folder = DurableFolder(root, self.spool)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="archive")
        self._cleared = float("-inf")
        try:
            self.spool.mkdir(exist_ok=True)
        except OSError as e:
            raise _away(e, root) from e

    async def close(self) -> None:
        """Wait for what is under way, and end the threads."""
        await asyncio.get_running_loop().run_in_executor(None, self._threads.shutdown)

    async def put(self, key: str, content: bytes | Path) -> Put:
        """As `Archive.put`; a spooled file of the same file system is linked, not copied."""
        return await self._run(lambda: self._folder.put(key, content))

    async def get(self, key: str) -> AsyncGenerator[bytes, None]:
        """As `Archive.get`."""
        offset = 0
        while True:
            piece = await self._run(partial(self._read, key, offset))
            if piece:
                yield piece
            offset += len(piece)
            if len(piece) < PIECE:
                return

    async def list(self, prefix: str, after: str = "") -> AsyncGenerator[Entry, None]:
        """As `Archive.list`; names that are not ours (`lost+found`) are left out."""
        entries = self._walk(prefix, after)
        while True:
            batch = await self._run(lambda: list(islice(entries, BATCH)))
            for entry in batch:
                yield entry
            if len(batch) < BATCH:
                return

    async def delete(self, key: str) -> None:
        """As `Archive.delete`; an image's folder goes with its last object."""
        await self._run(lambda: self._folder.delete(key))

    async def ping(self) -> Storage:
        """As `Archive.ping`."""
        return await self._run(self._ping)

    async def _run(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._telling, call)

    def _telling(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except OSError as e:
            raise _away(e, self.root) from e

    def _read(self, key: str, offset: int) -> bytes:
        """A piece of an object, short only at its end. Objects never change, so each piece may open it anew."""
        try:
            descriptor = os.open(self.root / key, os.O_RDONLY | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError) as e:
            raise NotFound(f"the archive has no {key}") from e
        try:
            return os.pread(descriptor, PIECE, offset)  # of a file it is short at the end alone
        except IsADirectoryError as e:
            raise NotFound(f"the archive has no {key}") from e
        finally:
            os.close(descriptor)

    def _walk(self, prefix: str, after: str) -> Iterator[Entry]:
        names = []
        try:
            with os.scandir(self.root / prefix) as entries:
                ours = (entry for entry in entries if _OURS.fullmatch(entry.name))
                names = sorted(entry.name + "/" * entry.is_dir(follow_symlinks=False) for entry in ours)
        except (FileNotFoundError, NotADirectoryError):
            if not self.root.is_dir():
                raise
        for name in names:
            key = prefix + name
            if name.endswith("/"):
                if key > after or after.startswith(key):
                    yield from self._walk(key, after)
            elif key > after:
                with suppress(FileNotFoundError):
                    stat = os.stat(f"{self.root}/{key}")
                    yield Entry(key, stat.st_size, datetime.fromtimestamp(stat.st_mtime, UTC))

    def _ping(self) -> Storage:
        self._folder.check()
        self._clear_abandoned()
        with tempfile.TemporaryFile(dir=self.spool, buffering=0) as probe:
            probe.write(b"rayhound")
            probe.seek(0)
            if probe.read() != b"rayhound":
                raise Unavailable(f"the archive {self.root} does not read back what was written")
            now = datetime.fromtimestamp(os.fstat(probe.fileno()).st_mtime, UTC)
        space = os.statvfs(self.root)
        return Storage(now, space.f_bavail * space.f_frsize, space.f_blocks * space.f_frsize)

    def _clear_abandoned(self) -> None:
        """Remove temporary files that nobody has written for an hour; younger ones may be another process's."""
        if time.monotonic() - self._cleared < ABANDONED_AFTER:
            return
        self._cleared = time.monotonic()
        for name in os.listdir(self.spool):
            path = self.spool / name
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > ABANDONED_AFTER:
                    path.unlink()


def _away(error: OSError, root: Path) -> RayhoundError:
    if error.errno in FULL:
        return StorageFull(f"the archive {root} is full", "free space, or give it a larger disk")
    return Unavailable(f"the archive {root} cannot be used: {error.strerror or error}", "is it mounted and writable?")
