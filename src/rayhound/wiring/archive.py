"""The archive of the settings, opened."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rayhound.adapters import bucket
from rayhound.adapters.directory import DirectoryArchive
from rayhound.adapters.objects import ObjectArchive
from rayhound.domain import Misconfigured
from rayhound.ports import Archive
from rayhound.settings import Settings

AT_HOME = Path("rayhound-data")


@dataclass(frozen=True, slots=True)
class Opened:
    """An archive, and the folder in which uploads to it are spooled: on its own file system, where it has one."""

    archive: Archive
    spool: Path


def folder(settings: Settings) -> Path:
    """The folder that `rayhound up` works on, `./rayhound-data` unless set; raises `Misconfigured` for a bucket."""
    archive = settings.archive or AT_HOME
    if isinstance(archive, str):
        hint = "give a folder with --data, or use `rayhound serve` and `rayhound consume` with the bucket"
        raise Misconfigured(f"`rayhound up` keeps its images in a folder, and {archive} is none", hint)
    return archive


def sources(where: Path | str) -> dict[str, str]:
    """Where the endpoint, region and credentials of a bucket come from, never a secret itself; none for a folder."""
    return bucket.sources() if isinstance(where, str) else {}


@asynccontextmanager
async def open_archive(settings: Settings) -> AsyncGenerator[Opened, None]:
    """An archive that is there already; raises `Unavailable` if it is not."""
    where = settings.archive or AT_HOME
    if isinstance(where, str):
        objects = ObjectArchive(where)
        try:
            with TemporaryDirectory(prefix="rayhound-") as spool:
                yield Opened(objects, Path(spool))
        finally:
            await objects.close()
        return
    directory = DirectoryArchive(where)
    try:
        yield Opened(directory, directory.spool)
    finally:
        await directory.close()
