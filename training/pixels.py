"""Every image once decoded, as the square that the model will see: the program's own reading, kept in one file."""

import hashlib
import os
from collections.abc import Sequence
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
    """The squares of all rows, N × side × side × 3, from the file that an earlier run left or from the images."""
    named = hashlib.sha256("\n".join(str(row.path) for row in rows).encode()).hexdigest()[:12]
    kept = folder / f"pixels-{side}-{named}.npy"
    if not kept.exists():
        part = kept.with_suffix(".part")
        shape = (len(rows), side, side, 3)
        made = np.lib.format.open_memmap(part, mode="w+", dtype=np.uint8, shape=shape)
        with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            decoded = pool.map(partial(square, side=side), [row.path for row in rows], chunksize=64)
            for number, pixels in enumerate(tracked("decoding", decoded, len(rows))):
                made[number] = pixels
        made.flush()
        part.replace(kept)
    loaded: NDArray[np.uint8] = np.load(kept, mmap_mode="c")  # PyTorch warns of what it may not write
    return loaded
