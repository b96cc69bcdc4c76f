"""The life of the web server inside a running event loop: start, drain, stop."""

import asyncio
import math
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

import uvicorn
from fastapi import FastAPI

from rayhound.domain import Limits, Misconfigured
from rayhound.server.connections import Connection
from rayhound.server.courtesy import Courtesy
from rayhound.telemetry import log


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to whoever runs this process."""
        yield


class WebServer:
    """Serves an application on one host and port, beside whatever else the event loop does.

    `end` is called once it is time to finish: who waits in the application for something to happen is sent away.
    """

    def __init__(
        self, app: FastAPI, limits: Limits, address: tuple[str, int], end: Callable[[], None] = lambda: None
    ) -> None:
        self._address = address
        self._courtesy = Courtesy(app, limits.linger)
        self._server = _Server(_configuration(limits, self._courtesy))
        self._end = end
        self.port = address[1]

    async def start(self) -> None:
        """Listen; `port` then says where. Raises `Misconfigured` for an address that cannot be had."""
        listener = _listen(*self._address)
        self.port = listener.getsockname()[1]
        self._serving = asyncio.create_task(self._server.serve(sockets=[listener]))
        await self._server.listening.wait()

    async def drain(self, seconds: float) -> None:
        """Go on accepting for some seconds, closing each connection with its answer; then finish what is in flight.

        So lost no upload: whoever balances the load needs a moment to learn of the end. What is in flight ends by
        itself: a sender or reader that hangs is dropped after `Limits.silence`, an upload after `Limits.upload`.
        """
        self._courtesy.draining = True
        log().info("draining", port=self.port, in_flight=len(self._server.server_state.tasks), seconds=seconds)
        await asyncio.sleep(seconds)
        await self._finish()
        log().info("stopped", port=self.port)

    async def stop(self) -> None:
        """Close every connection now; acceptances that have begun still run to their end."""
        for connection in list(self._server.server_state.connections):
            connection.transport.abort()
        await self._finish()

    async def _finish(self) -> None:
        self._end()
        self._server.should_exit = True
        await self._serving


def _listen(host: str, port: int) -> socket.socket:
    # asyncio turns Nagle's algorithm off only where the protocol is named; with it each answer takes 40 ms.
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as e:
        listener.close()
        hint = "stop what listens there, or choose another: --port, RAYHOUND_PORT, a consumer's RAYHOUND_METRICS_PORT"
        raise Misconfigured(f"cannot listen on {host} port {port}: {e.strerror}", hint) from e
    return listener


def _configuration(limits: Limits, app: Courtesy) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=cast(Any, partial(Connection, limits)),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=math.ceil(limits.keep_alive),
        timeout_graceful_shutdown=math.ceil(limits.upload),
    )
