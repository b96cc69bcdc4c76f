"""An archive in a folder: a laptop's disk, or a volume that several processes mount.

`put`: a temporary file in the same file system, fsync, `link` (which never overwrites), fsync of the folder. The file
is on stable storage before it has a name, so a failure until then leaves nothing. A folder whose fsync failed is in
doubt for good: Linux reports such a failure once and may have dropped the data, so the process must be restarted.
"""

import asyncio
import errno
import filecmp
import os
import re
import shutil
import tempfile
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import BinaryIO, TypeVar

from rayhound.domain import Broken, InDoubt, NotFound, RayhoundError, StorageFull, Unavailable
from rayhound.ports import Entry, Put, Storage

T = TypeVar("T")

PIECE = 1024 * 1024
THREADS = 32
KNOWN_FOLDERS = 10_000
ABANDONED_AFTER = 3600.0

_OURS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]*")
_FULL = (errno.ENOSPC, errno.EDQUOT)
_SURELY_NOT = (*_FULL, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENAMETOOLONG, errno.EMLINK)


class DirectoryArchive:
    """An archive in a folder that is there already; `spool` in it takes temporary files and is no part of it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.spool = root / ".spool"
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="archive")
        self._known: OrderedDict[Path, None] = OrderedDict()
        self._broken: str | None = None
        self._cleared = 0.0
        try:
            self.spool.mkdir(exist_ok=True)
        except OSError as e:
            raise _away(e, root) from e

    async def close(self) -> None:
        """Wait for what is under way, and end the threads."""
        await asyncio.get_running_loop().run_in_executor(None, self._threads.shutdown)

    async def put(self, key: str, content: bytes | Path) -> Put:
        """As `Archive.put`; a spooled file of the same file system is linked, not copied."""
        return await self._run(lambda: self._put(self.root / key, content))

    async def get(self, key: str) -> AsyncGenerator[bytes, None]:
        """As `Archive.get`."""
        file, piece = await self._run(lambda: self._open(key))
        try:
            while piece:
                yield piece
                piece = await self._run(lambda: _read(file)) if len(piece) == PIECE else b""
        finally:
            file.close()

    async def list(self, prefix: str, after: str = "") -> AsyncGenerator[Entry, None]:
        """As `Archive.list`; names that are not ours (`lost+found`) are left out."""
        entries = self._walk(prefix, after)
        while batch := await self._run(lambda: list(islice(entries, 256))):
            for entry in batch:
                yield entry

    async def delete(self, key: str) -> None:
        """As `Archive.delete`; an image's folder goes with its last object."""
        await self._run(lambda: self._delete(self.root / key))

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

    def _put(self, target: Path, content: bytes | Path) -> Put:
        if self._broken:
            raise Broken(self._broken, "look at the disk, then restart this process")
        temporary = self._written(content) if isinstance(content, bytes) else content
        try:
            if isinstance(content, Path):
                _sync(content)
            linked = self._link(temporary, target)
            put = Put.CREATED if linked else self._compare(temporary, target)
        finally:
            if isinstance(content, bytes):
                temporary.unlink(missing_ok=True)
        if put is not Put.OTHER:
            self._sync_folder(target.parent)
        return put

    def _written(self, content: bytes) -> Path:
        descriptor, name = tempfile.mkstemp(dir=self.spool)
        try:
            with open(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            os.unlink(name)
            raise
        return Path(name)

    def _link(self, temporary: Path, target: Path) -> bool:
        """Give a file its name; whether it was free."""
        for last in (False, True):
            self._ensure(target.parent)
            try:
                os.link(temporary, target)
                return True
            except FileExistsError:
                return False
            except FileNotFoundError:  # the folder was removed from outside since we saw it
                self._forget(target.parent)
                if last:
                    raise
            except OSError as e:
                if e.errno == errno.EXDEV:
                    return self._link_copy(temporary, target)
                if e.errno not in _SURELY_NOT:
                    raise InDoubt(f"the archive could not say whether it stored {target.name}: {e.strerror}") from e
                raise
        return False

    def _link_copy(self, spooled: Path, target: Path) -> bool:
        descriptor, name = tempfile.mkstemp(dir=self.spool)
        copy = Path(name)
        try:
            with open(descriptor, "wb") as file, spooled.open("rb") as source:
                shutil.copyfileobj(source, file, PIECE)
                file.flush()
                os.fsync(file.fileno())
            return self._link(copy, target)
        finally:
            copy.unlink()

    def _compare(self, temporary: Path, target: Path) -> Put:
        """What lies there: ours only once it is on stable storage too, since whoever linked it may have died before."""
        if not filecmp.cmp(temporary, target, shallow=False):
            return Put.OTHER
        _sync(target)
        return Put.SAME

    def _ensure(self, folder: Path) -> None:
        """Make a folder, and fsync its parent the first time that we write below it, whoever made it."""
        if folder in self._known or folder == self.root:
            return
        self._ensure(folder.parent)
        with suppress(FileExistsError):
            folder.mkdir()
        self._sync_folder(folder.parent)
        self._known[folder] = None
        if len(self._known) > KNOWN_FOLDERS:  # forgetting one costs an fsync
            with suppress(KeyError):
                self._known.popitem(last=False)

    def _forget(self, folder: Path) -> None:
        for known in (folder, *folder.parents):
            self._known.pop(known, None)

    def _sync_folder(self, folder: Path) -> None:
        try:
            _sync(folder)
        except FileNotFoundError:
            raise
        except OSError as e:
            self._broken = f"the folder {folder} could not be brought to stable storage: {e.strerror}"
            raise Broken(self._broken, "look at the disk, then restart this process") from e

    def _open(self, key: str) -> tuple[BinaryIO, bytes]:
        try:
            file = (self.root / key).open("rb", buffering=0)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as e:
            raise NotFound(f"the archive has no {key}") from e
        try:
            return file, _read(file)
        except BaseException:
            file.close()
            raise

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
                    stat = (self.root / key).stat()
                    yield Entry(key, stat.st_size, datetime.fromtimestamp(stat.st_mtime, UTC))

    def _delete(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        if len(path.relative_to(self.root).parts) == 5:
            with suppress(OSError):
                path.parent.rmdir()
                self._forget(path.parent)

    def _ping(self) -> Storage:
        if self._broken:
            raise Broken(self._broken, "look at the disk, then restart this process")
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
        if time.monotonic() - self._cleared < ABANDONED_AFTER and self._cleared:
            return
        self._cleared = time.monotonic()
        for name in os.listdir(self.spool):
            path = self.spool / name
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > ABANDONED_AFTER:
                    path.unlink()


def _read(file: BinaryIO) -> bytes:
    return file.read(PIECE)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _away(error: OSError, root: Path) -> RayhoundError:
    if error.errno in _FULL:
        return StorageFull(f"the archive {root} is full", "free space, or give it a larger disk")
    return Unavailable(f"the archive {root} cannot be used: {error.strerror or error}", "is it mounted and writable?")
