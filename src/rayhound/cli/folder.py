"""Which files `rayhound upload` sends: what was named, and what looks like an image in a folder that was named."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rayhound.domain import NotFound

SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"))
BEGINNINGS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM", b"II*\x00", b"MM\x00*")


@dataclass(frozen=True, slots=True)
class Found:
    """A file, and why it is skipped; none where it is sent."""

    path: Path
    skipped: str | None = None


def find(paths: Iterable[Path]) -> Iterator[Found]:
    """The files of some paths; one that was named is always sent, whatever it is. Raises `NotFound` for no such path.

    In folders hidden files are passed over, links to folders are not followed, and what does not look like an image is
    skipped with a reason, as is a folder that is itself an archive of Rayhound.
    """
    for path in paths:
        if path.is_dir():
            yield from _in_folder(path)
        elif path.exists():
            yield Found(path)
        else:
            raise NotFound(f"there is no file or folder {str(path)!r}", "nothing was sent")


def _in_folder(top: Path) -> Iterator[Found]:
    for name, folders, files in os.walk(top):
        folder = Path(name)
        if "archive.json" in files:
            folders.clear()
            yield Found(folder, "an archive of Rayhound")
            continue
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        for file in sorted(f for f in files if not f.startswith(".")):
            yield _judged(folder / file)


def _judged(path: Path) -> Found:
    if not path.is_file():
        return Found(path, "not a file")
    if path.suffix.lower() in SUFFIXES:
        return Found(path)
    try:
        with path.open("rb") as content:
            first = content.read(12)
    except OSError as e:
        return Found(path, e.strerror or "cannot be read")
    webp = first[:4] == b"RIFF" and first[8:] == b"WEBP"
    return Found(path, None if webp or first.startswith(BEGINNINGS) else "does not look like an image")
