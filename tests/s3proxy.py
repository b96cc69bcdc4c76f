"""A proxy in front of a real S3 server that breaks what the tests ask it to break."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Fault:
    """What happens to one request.

    `done`: whether the server gets it. `status`: what is answered (0: the connection is closed, -1: nothing, ever);
    none leaves the server's own answer. `upto`: how many bytes of that answer's body, or of the request's own where it
    is not `done`, go through before the connection is closed. `late`: the server gets it at the next `arrive`.
    `of`: it is the fault of answers with this status alone. `after`: how many seconds the answer takes.
    """

    done: bool = True
    status: int | None = None
    code: str = "TestError"
    upto: int | None = None
    body: str = ""
    late: bool = False
    of: int | None = None
    after: float = 0.0


def refuses(status: int, code: str = "TestError", message: str = "as asked") -> Fault:
    """It is answered so, and not done."""
    body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return Fault(done=False, status=status, code=code, body=body)


_ETAG = re.compile(rb"(?i)(etag(?:: ?|>)(?:\"|&#34;|&quot;)?)[0-9a-f]{32}")

PASSES = Fault()
CUT = Fault(done=False, status=0)
LOST = Fault(done=True, status=0)
LATE = Fault(done=False, status=0, late=True)
STALLS = Fault(done=False, status=-1)


@dataclass
class _Rule:
    asked: re.Pattern[str]
    faults: list[Fault]
    ever: bool


@dataclass
class S3Proxy:
    """`meets` says what the next requests meet; `asked` tells what came, as `PUT /bucket/key?query`.

    `encrypted`: as where a KMS key encrypts, no ETag is a digest (but those of parts, which their client hands back).
    """

    upstream: int
    port: int = 0
    encrypted: bool = False
    asked: list[str] = field(default_factory=list)
    conditions: list[str] = field(default_factory=list)
    _rules: list[_Rule] = field(default_factory=list)
    _late: list[tuple[bytes, bytes]] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def meets(self, asked: str, *faults: Fault, ever: bool = False) -> None:
        """The next requests whose text this pattern is found in meet these faults in turn, or the last for `ever`."""
        self._rules.append(_Rule(re.compile(asked), list(faults), ever))

    def mend(self) -> None:
        """Nothing breaks any more."""
        self._rules.clear()

    async def arrive(self) -> None:
        """What is still under way comes to the server."""
        while self._late:
            await self._forward(*self._late.pop(0))

    def count(self, asked: str) -> int:
        """How many such requests came."""
        return sum(re.search(asked, one) is not None for one in self.asked)

    async def saw(self, asked: str, seconds: float = 60.0) -> None:
        """Wait until such a request came."""
        async with asyncio.timeout(seconds):
            while not self.count(asked):
                self._changed.clear()
                await self._changed.wait()

    def _fault(self, asked: str) -> Fault:
        for rule in self._rules:
            if rule.faults and rule.asked.search(asked):
                return rule.faults[0] if rule.ever and len(rule.faults) == 1 else rule.faults.pop(0)
        return PASSES

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            method, target, _ = head.split(b" ", 2)
            asked = f"{method.decode()} {target.decode()}"
            fault = self._fault(asked)
            self.asked.append(asked)
            if b"if-none-match: *" in head.lower():
                self.conditions.append(asked)
            self._changed.set()
            length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
            size = int(length[1]) if length else 0
            body = await reader.readexactly(size if fault.upto is None or fault.done else min(fault.upto, size))
            if fault.late:
                self._late.append((head, body))
            if fault.status == -1:
                await asyncio.sleep(3600)
            answer = await self._forward(head, body) if fault.done else b""
            if self.encrypted and "partNumber" not in asked:
                answer = _ETAG.sub(rb"\g<1>" + b"0" * 32, answer)
            await asyncio.sleep(fault.after)
            if fault.of is None or answer.startswith(b"HTTP/1.1 %d " % fault.of):
                answer = _broken(fault, answer)
            writer.write(answer)
            await writer.drain()

    async def _forward(self, head: bytes, body: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.upstream)
        try:
            writer.write(head.replace(b"\r\n", b"\r\nConnection: close\r\n", 1) + body)
            return await reader.read()
        finally:
            await _closed(writer)


def _broken(fault: Fault, answer: bytes) -> bytes:
    if fault.status == 0:
        return b""
    if fault.status is not None:
        body = (fault.body or f"<Error><Code>{fault.code}</Code><Message>as asked</Message></Error>").encode()
        head = f'HTTP/1.1 {fault.status} Asked\r\nETag: "e"\r\nConnection: close\r\nContent-Length: {len(body)}'
        return head.encode() + b"\r\n\r\n" + body
    if fault.upto is not None:
        return answer[: answer.index(b"\r\n\r\n") + 4 + fault.upto]
    return answer


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


@asynccontextmanager
async def in_front_of(port: int) -> AsyncIterator[S3Proxy]:
    """A proxy on a free port, until the block ends."""
    proxy = S3Proxy(port)
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        with suppress(asyncio.CancelledError):  # asyncio would print what a connection's task is cancelled with
            try:
                await proxy._serve(reader, writer)
            finally:
                await _closed(writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
