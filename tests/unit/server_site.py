"""A web server without a socket, and what is sent to it."""

import asyncio
import io
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import httpx
from PIL import Image

from rayhound import records
from rayhound.adapters.memory import Broker, MemoryArchive, MemoryQueue
from rayhound.domain import Limits, RayhoundError
from rayhound.pipeline.accepting import House
from rayhound.ports import Put, Storage
from rayhound.server import Check, Parts, Room, Waiters, create_app
from rayhound.server.courtesy import Courtesy

T = TypeVar("T")


class Ailing(MemoryArchive):
    """A memory archive with an end, and an illness that can be set."""

    ill: RayhoundError | None = None
    free: int | None = None

    async def ping(self) -> Storage:
        if self.ill:
            raise self.ill
        return Storage(datetime.now(UTC), self.free, 1_000_000_000)

    async def put(self, key: str, content: bytes | Path) -> Put:
        if self.ill:
            raise self.ill
        return await super().put(key, content)


@dataclass
class Site:
    """A web server without a socket."""

    spool: Path
    limits: Limits = field(default_factory=Limits)
    checks: tuple[Callable[[], Awaitable[Check]], ...] = ()
    archive: Ailing = field(default_factory=Ailing)
    waiters: Waiters = field(default_factory=Waiters)

    def visit(self, what: Callable[[httpx.AsyncClient], Awaitable[T]]) -> T:
        """Do something as a client, then see that nothing is left in the spool."""

        async def run() -> T:
            ill, self.archive.ill = self.archive.ill, None
            house = House(self.archive, await records.identify(self.archive), MemoryQueue(Broker()))
            self.archive.ill = ill
            parts = Parts(house, self.spool, self.limits, Room(self.archive), self.waiters, self.checks)
            transport = httpx.ASGITransport(Courtesy(create_app(parts), self.limits.linger))
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return await what(client)

        result = asyncio.run(run())
        assert list(self.spool.iterdir()) == []
        return result

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """One request."""
        return self.visit(lambda client: client.request(method, path, **more))


def picture(width: int = 40, height: int = 30) -> bytes:
    """A small JPEG."""
    out = io.BytesIO()
    Image.new("RGB", (width, height), "brown").save(out, "JPEG")
    return out.getvalue()


def files(content: bytes, name: str = "cat.jpg") -> dict[str, Any]:
    """The form of an upload."""
    return {"files": {"image": (name, content)}}


def problem(response: httpx.Response, status: int) -> dict[str, Any]:
    """The problem that a response is: this status, and all that every problem has."""
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["x-content-type-options"] == "nosniff"
    said: dict[str, Any] = response.json()
    assert said["type"].startswith("urn:rayhound:")
    assert said["status"] == status
    assert said["title"]
    assert said["detail"]
    assert said["hint"]
    return said
