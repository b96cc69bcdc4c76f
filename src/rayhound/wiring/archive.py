"""The archive of the settings, opened."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from rayhound.adapters.directory import DirectoryArchive
from rayhound.settings import Settings


@asynccontextmanager
async def open_archive(settings: Settings) -> AsyncGenerator[DirectoryArchive, None]:
    """An archive that is there already; raises `Unavailable` if it is not."""
    archive = DirectoryArchive(settings.archive)
    try:
        yield archive
    finally:
        await archive.close()
