"""Files that survive a power cut, created once and never overwritten; blocking, for the directory archive's threads.

A temporary file in the same file system, fsync, `link` (which never overwrites), fsync of the folder. The file is on
stable storage before it has a name, so a failure until then leaves nothing. A folder whose fsync failed is in doubt for
good: Linux reports such a failure once and may have dropped the data, so the process must be restarted.
"""

import errno
import filecmp
import os
from collections import OrderedDict
from contextlib import suppress
from itertools import count
from pathlib import Path

from rayhound.domain import Broken, InDoubt
from rayhound.ports import Put

KNOWN_FOLDERS = 10_000
PIECE = 1024 * 1024
FULL = (errno.ENOSPC, errno.EDQUOT)

_SURELY_NOT = (*FULL, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENAMETOOLONG, errno.EMLINK)


class DurableFolder:
    """A folder in which files appear whole, or not at all; `spool` in it takes those that have no name yet.

    Paths are plain strings, and calls few: each one gives up Python's lock and has to win it back.
    """

    def __init__(self, root: Path, spool: Path) -> None:
        self._root = str(root)
        self._temporary = f"{spool}/{os.getpid()}-{os.urandom(4).hex()}"
        self._numbers = count()
        self._known: OrderedDict[str, None] = OrderedDict()
        self._broken: str | None = None

    def check(self) -> None:
        """Raises `Broken` once the fsync of a folder has failed."""
        if self._broken:
            raise Broken(self._broken, "look at the disk, then restart this process")

    def put(self, key: str, content: bytes | Path) -> Put:
        """Create a file; a spooled one of the same file system is linked. Raises OSError where surely it was not."""
        self.check()
        target = f"{self._root}/{key}"
        temporary = self._written(content) if isinstance(content, bytes) else str(content)
        try:
            if isinstance(content, Path):
                _sync(temporary)
            linked = self._link(temporary, target)
            put = Put.CREATED if linked else _compare(temporary, target)
        finally:
            if isinstance(content, bytes):
                os.unlink(temporary)
        if put is not Put.OTHER:
            self._sync_folder(os.path.dirname(target))
        return put

    def delete(self, key: str) -> None:
        """Remove a file, and with an image's last one its folder."""
        path = f"{self._root}/{key}"
        with suppress(FileNotFoundError):
            os.unlink(path)
        if key[0].isdigit():
            folder = os.path.dirname(path)
            with suppress(OSError):
                os.rmdir(folder)
                self._forget(folder)

    def _written(self, content: bytes) -> str:
        name = f"{self._temporary}-{next(self._numbers)}"
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            _write(descriptor, content)
            os.fsync(descriptor)
        except BaseException:
            os.unlink(name)
            raise
        finally:
            os.close(descriptor)
        return name

    def _copied(self, spooled: str) -> str:
        name = f"{self._temporary}-{next(self._numbers)}"
        with open(name, "xb", buffering=0) as file, open(spooled, "rb", buffering=0) as source:
            try:
                while piece := source.read(PIECE):
                    _write(file.fileno(), piece)
                os.fsync(file.fileno())
            except BaseException:
                os.unlink(name)
                raise
        return name

    def _link(self, temporary: str, target: str) -> bool:
        """Give a file its name; whether it was free."""
        folder = os.path.dirname(target)
        for last in (False, True):
            self._ensure(folder)
            try:
                os.link(temporary, target)
                return True
            except FileExistsError:
                return False
            except FileNotFoundError:  # the folder was removed from outside since we saw it
                self._forget(folder)
                if last:
                    raise
            except OSError as e:
                if e.errno == errno.EXDEV:
                    return self._link_copy(temporary, target)
                if e.errno not in _SURELY_NOT:
                    raise InDoubt(f"the archive could not say whether it stored {target}: {e.strerror}") from e
                raise
        return False

    def _link_copy(self, spooled: str, target: str) -> bool:
        copy = self._copied(spooled)
        try:
            return self._link(copy, target)
        finally:
            os.unlink(copy)

    def _ensure(self, folder: str) -> None:
        """Make a folder, and fsync its parent the first time that we write below it, whoever made it."""
        if folder in self._known or folder == self._root:
            return
        parent = os.path.dirname(folder)
        self._ensure(parent)
        with suppress(FileExistsError):
            os.mkdir(folder)
        self._sync_folder(parent)
        self._known[folder] = None
        if len(self._known) > KNOWN_FOLDERS:  # forgetting one costs an fsync
            with suppress(KeyError):
                self._known.popitem(last=False)

    def _forget(self, folder: str) -> None:
        while folder != self._root:
            self._known.pop(folder, None)
            folder = os.path.dirname(folder)

    def _sync_folder(self, folder: str) -> None:
        try:
            _sync(folder)
        except FileNotFoundError:
            raise
        except OSError as e:
            self._broken = f"the folder {folder} could not be brought to stable storage: {e.strerror}"
            self.check()


def _compare(temporary: str, target: str) -> Put:
    """What lies there: ours only once it is on stable storage too, since whoever linked it may have died before."""
    if not filecmp.cmp(temporary, target, shallow=False):
        return Put.OTHER
    _sync(target)
    return Put.SAME


def _write(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _sync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
