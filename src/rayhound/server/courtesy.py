"""What every answer owes its caller, around the whole application.

A correlation id that comes back; `nosniff`; `HEAD` wherever `GET` is; `Connection: close` while the server drains;
no stack trace; and a refusal that can be read: whoever is still sending a body when the answer is given would see a
reset instead of it, if the connection were closed at once. So the rest of the body is thrown away, for a bounded time.
"""

import asyncio
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, clear_contextvars

from rayhound.domain import CORRELATION_ID, TRACEPARENT, Unavailable
from rayhound.server.problems import answer, name_of
from rayhound.telemetry import REFUSED, log, trace_id

QUIET_SECONDS = 5.0  # a sender that is silent for so long has read the answer, or never will
ALWAYS_HEARD = ("/livez", "/readyz", "/metrics")


class Courtesy:
    """An ASGI application around another. `linger` is how many seconds an unread body is thrown away at most."""

    def __init__(self, app: ASGIApp, linger: float) -> None:
        self.app = app
        self.linger = linger
        self.draining = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers = dict(scope["headers"])
        correlation_id = headers.get(b"x-correlation-id", b"").decode("latin-1")
        clear_contextvars()
        if CORRELATION_ID.fullmatch(correlation_id):
            bind_contextvars(correlation_id=correlation_id)
        else:
            correlation_id = ""
        traceparent = headers.get(b"traceparent", b"").decode("latin-1")
        if TRACEPARENT.fullmatch(traceparent):
            bind_contextvars(trace_id=trace_id(traceparent))
        crowded = scope.get("state", {}).get("crowded", False)
        exchange = _Exchange(self, receive, send, correlation_id, crowded)
        exchange.unread = b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"
        app = _refuse if crowded and scope["path"] not in ALWAYS_HEARD else self.app
        if scope["method"] == "HEAD":  # RFC 9110, 9.3.2: as GET; the HTTP server leaves the content out
            scope = {**scope, "method": "GET", "rayhound.head": True}
        try:
            await app(scope, exchange.receive, exchange.send)
        except Exception:  # the application has answered 500 before it raised
            log().error("unexpected", method=scope["method"], path=scope["path"], exc_info=True)


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    busy = Unavailable("as many connections as fit are open", "come again in a moment, or close those you do not need")
    if scope["path"] == "/upload":
        REFUSED.labels(name_of(busy)).inc()
    await answer(busy)(scope, receive, send)


class _Exchange:
    """One request and its answer: knows whether the body has been read to its end."""

    def __init__(self, courtesy: Courtesy, receive: Receive, send: Send, correlation_id: str, close: bool) -> None:
        self.unread = False
        self._courtesy = courtesy
        self._receive = receive
        self._send = send
        self._correlation_id = correlation_id
        self._close = close

    async def receive(self) -> Message:
        message = await self._receive()
        if not message.get("more_body", False):
            self.unread = False
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self._send({**message, "headers": self._headers(message["headers"])})
        elif self.unread and not message.get("more_body", False):
            await self._send({**message, "more_body": True})
            await self._linger()
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        else:
            await self._send(message)

    def _headers(self, given: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        headers = [*given, (b"x-content-type-options", b"nosniff")]
        if self._correlation_id and not any(name == b"x-correlation-id" for name, _ in given):
            headers.append((b"x-correlation-id", self._correlation_id.encode()))
        if self.unread or self._close or self._courtesy.draining:
            headers.append((b"connection", b"close"))
        return headers

    async def _linger(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._courtesy.linger):
                while self.unread:
                    async with asyncio.timeout(QUIET_SECONDS):
                        await self.receive()
