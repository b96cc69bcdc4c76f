"""Files that survive a power cut."""

import os
from pathlib import Path
from typing import BinaryIO


def sync(path: Path) -> None:
    """Bring a file, or a folder's names, to stable storage."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def keep(file: BinaryIO, temporary: Path, name: Path) -> None:
    """Bring a written file to stable storage, and give it its name there."""
    file.flush()
    os.fsync(file.fileno())
    os.replace(temporary, name)
    sync(name.parent)
