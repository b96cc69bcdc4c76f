"""Which files `upload` and `classify` take: what was named, and what looks like an image in a folder that was named."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rayhound.cli import console
from rayhound.domain import BadRequest, NotFound

SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"))
BEGINNINGS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM", b"II*\x00", b"MM\x00*")

HINT = "name files, or folders that have images in them; nothing was done"


@dataclass(frozen=True, slots=True)
class Found:
    """A file, and why it is skipped; none where it is taken."""

    path: Path
    skipped: str | None = None


def files_of(paths: Iterable[Path]) -> tuple[Path, ...]:
    """The files of some paths, each once; what is skipped is told. Raises as `find` does, and `NotFound` for none."""
    found = list(find(paths))
    for skipped in (f for f in found if f.skipped):
        console.tell(f"skipped {console.printable(str(skipped.path))}: {skipped.skipped}")
    files = tuple(dict.fromkeys(f.path for f in found if not f.skipped))
    if not files:
        raise NotFound("there is no image in what you named", HINT)
    return files


def find(paths: Iterable[Path]) -> Iterator[Found]:
    """The files of some paths; one that was named is always taken, whatever is in it.

    Raises `NotFound` for no such path, and `BadRequest` for one that may have no end, such as a pipe or a device.
    In folders hidden files are passed over, links to folders are not followed, and what does not look like an image is
    skipped with a reason, as is a folder that is itself an archive of Rayhound.
    """
    for path in paths:
        if os.path.isdir(path):
            yield from _in_folder(path)
        elif os.path.isfile(path):
            yield Found(path)
        elif os.path.exists(path):
            raise BadRequest(f"{str(path)!r} is neither a file nor a folder", HINT)
        else:
            raise NotFound(f"there is no file or folder {str(path)!r}", HINT)


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
    if not os.path.isfile(path):
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
