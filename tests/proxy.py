"""A network that fails when a test says so: a TCP proxy that delays, cuts, swallows, or lets nobody in."""

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Self

PIECE = 65536


class Proxy:
    """Between a client and `host:port`, on a port of its own that stays the same.

    `delay` is in seconds, for each piece in each direction; while `black_hole` is set everything is swallowed and
    nobody is told; while `deaf` is set, what `host:port` says; while `refusing` is set new connections are cut at once.
    While `moving` is cleared everything waits on its way, and comes when it is set again. `taken` counts connections.
    """

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self.delay = 0.0
        self.black_hole = False
        self.deaf = False
        self.refusing = False
        self.moving = asyncio.Event()
        self.moving.set()
        self.port = 0
        self.taken = 0
        self._target = (host, port)
        self._connections: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        await self.cut()

    async def cut(self) -> None:
        """Cut every connection there is; a new one may be made."""
        connections = list(self._connections)
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        self.taken += 1
        writers = [writer]
        try:
            if self.refusing:
                return
            there, back = await asyncio.open_connection(*self._target)
            writers.append(back)
            pumps = [
                asyncio.create_task(self._pump(reader, back)),
                asyncio.create_task(self._pump(there, writer, back=True)),
            ]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        except (OSError, asyncio.CancelledError):
            pass  # a cut is what was asked for
        finally:
            self._connections.discard(task)
            for one in writers:
                one.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, back: bool = False) -> None:
        with suppress(OSError):
            while piece := await reader.read(PIECE):
                if self.delay:
                    await asyncio.sleep(self.delay)
                await self.moving.wait()
                if not (self.black_hole or (self.deaf and back)):
                    writer.write(piece)
                    await writer.drain()
