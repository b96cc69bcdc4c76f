"""An archive in a bucket of a real S3 server, seen through a proxy that can break things."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from rayhound.adapters.objects import ObjectArchive
from tests import s3server
from tests.s3proxy import S3Proxy, in_front_of

KEY = "2026/11/23/an-image/accepted.json"
IMAGE = "2026/11/23/an-image/image.jpg"


@dataclass
class Site:
    """An archive, the proxy that it goes through, and the server's bucket behind both."""

    archive: ObjectArchive
    proxy: S3Proxy
    server: s3server.S3Server
    bucket: str

    def lies(self) -> dict[str, bytes]:
        """What the server really keeps."""
        return self.server.lies(self.bucket)

    def another(self) -> ObjectArchive:
        """A second client of the same bucket, with the constants of `objects` as they are now."""
        return ObjectArchive(f"s3://{self.bucket}", s3server.environment(self.proxy.port))


@asynccontextmanager
async def opened() -> AsyncIterator[Site]:
    """A site with a bucket of its own."""
    server = s3server.start()
    bucket = server.bucket()
    async with in_front_of(server.port) as proxy:
        archive = ObjectArchive(f"s3://{bucket}", s3server.environment(proxy.port))
        yield Site(archive, proxy, server, bucket)
    await archive.close()


async def content(archive: ObjectArchive, key: str) -> bytes:
    """An object whole."""
    return b"".join([piece async for piece in archive.get(key)])


async def listed(archive: ObjectArchive) -> list[str]:
    """Every key of an archive."""
    return [entry.key async for entry in archive.list("")]
