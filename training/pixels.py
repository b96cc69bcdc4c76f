"""Every image once decoded, as the square that the model will see: the program's own reading, kept in one file."""

import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rayhound import reading
from rayhound.domain import Limits, RayhoundError, Unreadable
from rayhound.evaluation import manifest
from rayhound.evaluation.manifest import Row
from training.progress import tracked

NAMED = 5


def square(path: Path, side: int) -> NDArray[np.uint8]:
    """An image as the program shows it to a model: upright, RGB, squeezed to a square.

    Raises `Unreadable` with the name of an image that cannot be read.
    """
    try:
        picture = reading.read(path, side, Limits()).pixels
    except (RayhoundError, OSError) as e:
        raise Unreadable(f"{path}: {e}", f"mend it, or take it out of {manifest.NAME}") from e
    return np.asarray(picture.resize((side, side), Image.Resampling.BILINEAR))


def load(rows: Sequence[Row], side: int, folder: Path) -> NDArray[np.uint8]:
    """The squares of all rows, N × side × side × 3, from the file that an earlier run left or from the images.

    Raises `Unreadable` with the names of images that cannot be read, once all were tried.
    """
    kept = folder / f"pixels-{side}.npy"
    if not kept.exists():
        part = kept.with_suffix(".part")
        try:
            _decode(rows, side, part)
            part.replace(kept)
        finally:
            part.unlink(missing_ok=True)
    loaded: NDArray[np.uint8] = np.load(kept, mmap_mode="c")  # PyTorch warns of what it may not write
    return loaded


def _decode(rows: Sequence[Row], side: int, into: Path) -> None:
    made = np.lib.format.open_memmap(into, mode="w+", dtype=np.uint8, shape=(len(rows), side, side, 3))
    with into.open("r+b") as file:  # a full disk says so here, and does not kill whoever writes to the memory
        os.posix_fallocate(file.fileno(), 0, into.stat().st_size)
    unreadable = []
    for number, found in enumerate(tracked("decoding", _decoded(rows, side), len(rows))):
        if isinstance(found, str):
            unreadable.append(found)
        else:
            made[number] = found
    if unreadable:
        named = "; ".join(unreadable[:NAMED]) + ("; …" if len(unreadable) > NAMED else "")
        hint = f"mend them, or take them out of {manifest.NAME}"
        raise Unreadable(f"{len(unreadable)} of {len(rows)} images cannot be read: {named}", hint)
    made.flush()


def _decoded(rows: Sequence[Row], side: int) -> Iterator[NDArray[np.uint8] | str]:
    """The squares in the order of the rows, decoded by all cores, each or what is wrong with it."""
    with ProcessPoolExecutor(len(os.sched_getaffinity(0)), initializer=_leave_signals) as pool:
        try:
            yield from pool.map(partial(_square_or_why, side=side), [row.path for row in rows], chunksize=16)
        finally:
            pool.shutdown(cancel_futures=True)


def _leave_signals() -> None:
    """Ctrl-C is for the process that asked, and a process that is told to end ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _square_or_why(path: Path, side: int) -> NDArray[np.uint8] | str:
    try:
        return square(path, side)
    except Unreadable as e:
        return e.detail
