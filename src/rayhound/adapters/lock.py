"""One process at a time on a folder, and whether the last one ended well."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rayhound.domain import Misconfigured

_OPEN, _CLOSED = b"open\n", b"closed\n"


@contextmanager
def locked(folder: Path) -> Iterator[bool]:
    """Hold a folder alone; yields whether the last holder ended without closing (killed, or the power went).

    The lock is the kernel's (`flock`) and ends with this process, however it ends; child processes do not inherit it.
    Raises `Misconfigured` when somebody holds it.
    """
    descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as e:
            raise Misconfigured(
                f"another `rayhound up` works on {folder}", "stop it, or give this one a folder of its own with --data"
            ) from e
        unclean = os.pread(descriptor, len(_CLOSED), 0) == _OPEN
        _write(descriptor, _OPEN)
        yield unclean
        _write(descriptor, _CLOSED)
    finally:
        os.close(descriptor)


def _write(descriptor: int, state: bytes) -> None:
    # A torn or missing state would read as a clean end, so the new one is whole before the file is cut to its length.
    os.pwrite(descriptor, state, 0)
    os.ftruncate(descriptor, len(state))
    os.fsync(descriptor)
