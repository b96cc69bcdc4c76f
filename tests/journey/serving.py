"""A web server on a real socket, and clients as rude as they come."""

import asyncio
import io
import re
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image

from rayhound import records
from rayhound.adapters.memory import Broker, MemoryArchive, MemoryQueue
from rayhound.domain import Limits
from rayhound.pipeline.accepting import House
from rayhound.server import Parts, Room, Waiters, WebServer, create_app

PATIENCE = 20.0

T = TypeVar("T")


@dataclass
class Served:
    """A web server that runs in a thread."""

    web: WebServer
    parts: Parts
    loop: asyncio.AbstractEventLoop

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.web.port}"

    def begin(self, what: Coroutine[Any, Any, None]) -> Callable[[], None]:
        """Begin something in its event loop; the answer waits for its end."""
        future = asyncio.run_coroutine_threadsafe(what, self.loop)
        return lambda: future.result(PATIENCE)

    def connect(self) -> socket.socket:
        """A bare connection to it."""
        return socket.create_connection(("127.0.0.1", self.web.port), timeout=PATIENCE)

    def spooled(self) -> list[Path]:
        """What lies in its spool."""
        return list(self.parts.spool.iterdir())


@contextmanager
def served(spool: Path, limits: Limits, archive: MemoryArchive | None = None) -> Iterator[Served]:
    """A web server on a memory archive, stopped in the end."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def start() -> Served:
        store = archive or MemoryArchive()
        house = House(store, await records.identify(store), MemoryQueue(Broker()))
        parts = Parts(house, spool, limits, Room(store), Waiters())
        web = WebServer(create_app(parts), limits, ("127.0.0.1", 0), parts.waiters.end)
        await web.start()
        return Served(web, parts, loop)

    async def close(web: WebServer) -> None:
        await web.stop()
        await loop.shutdown_default_executor()

    def run(what: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(what, loop).result(PATIENCE)

    try:
        server = run(start())
        try:
            yield server
        finally:
            run(close(server.web))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE)
        loop.close()


def picture() -> bytes:
    """A small JPEG."""
    out = io.BytesIO()
    Image.new("RGB", (40, 30), "brown").save(out, "JPEG")
    return out.getvalue()


def upload(content: bytes, headers: str = "") -> bytes:
    """A whole upload as it goes over the wire."""
    body = b'--X\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n\r\n' + content + b"\r\n--X--\r\n"
    head = f"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=X\r\n{headers}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def get(path: str) -> bytes:
    """A GET as it goes over the wire."""
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def answer(connection: socket.socket) -> tuple[int, str]:
    """One answer: its status, and its header and content as text. Raises `ConnectionError` where none comes."""
    got = b""
    while b"\r\n\r\n" not in got:
        got += _more(connection)
    head, _, content = got.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head.lower())
    while length and len(content) < int(length[1]):
        content += _more(connection)
    return int(head.split()[1]), (head + b"\r\n\r\n" + content).decode()


def closed(connection: socket.socket) -> bool:
    """Whether the other side closes the connection, within the patience of a test."""
    with suppress(ConnectionError):
        while connection.recv(65536):
            pass
    return True


def eventually(what: Callable[[], bool]) -> bool:
    """Whether something becomes true, within the patience of a test."""
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends:
        if what():
            return True
        time.sleep(0.02)
    return False


def _more(connection: socket.socket) -> bytes:
    piece = connection.recv(65536)
    if not piece:
        raise ConnectionError("closed before an answer")
    return piece
