"""One connection, with the bounds that uvicorn lacks.

uvicorn keeps a half-sent header open without end, waits without end for a reader that takes nothing, and answers
garbage in plain text.
"""

import asyncio
import json
from http import HTTPStatus
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from rayhound.domain import Limits
from rayhound.server.problems import DOCS_HINT, MEDIA_TYPE, document


class _Wire(h11.Connection):
    """An h11 connection that remembers why it refused, and bounds a header that came in one piece too."""

    def __init__(self, most: int) -> None:
        super().__init__(h11.SERVER, max_incomplete_event_size=most)
        self.most = most
        self.why = h11.RemoteProtocolError("Invalid HTTP request")

    def next_event(self) -> Any:
        try:
            event = super().next_event()
            if isinstance(event, h11.Request):
                size = len(event.target) + sum(len(name) + len(value) + 4 for name, value in event.headers)
                if size > self.most:
                    raise h11.RemoteProtocolError("Header too long", error_status_hint=431)
        except h11.RemoteProtocolError as e:
            self.why = e
            raise
        return event


class Connection(H11Protocol):
    """uvicorn's HTTP/1.1 connection, bounded: its number, its header's time and size, and its reader's patience."""

    def __init__(self, limits: Limits, **given: Any) -> None:
        super().__init__(**given)
        self.limits = limits
        self.conn: _Wire = _Wire(limits.headers)
        self._refused = False
        self._header_since: float | None = self.loop.time()
        self._moved = self.loop.time()
        self._buffered = 0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, unless too many are here: a tenth more than the limit are told so, those beyond are closed unheard."""
        super().connection_made(transport)
        most = self.limits.connections
        if len(self.connections) > most:
            self.app_state = {**self.app_state, "crowded": True}
        if len(self.connections) > most + most // 10 + 1:
            transport.abort()
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        if self._timer:
            self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came, and note when a header began to come."""
        if self._refused:
            return
        if self._header_since is None and self.conn.their_state is h11.IDLE:
            self._header_since = self.loop.time()
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE and not self._refused:
            self._header_since = None

    def resume_writing(self) -> None:
        """The reader took a good part of what was sent."""
        self._moved = self.loop.time()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, or too much of it, with a problem; then throw away what still comes, for a while."""
        self._refused = True
        self._header_since = self.loop.time()
        if self.cycle is not None:  # its body turned out to be garbage: nobody is there to be answered
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.close()
            return
        status = HTTPStatus(self.conn.why.error_status_hint)
        body = json.dumps(document(status, status.phrase, *self._complaint(status))).encode()
        headers = [
            ("content-type", MEDIA_TYPE),
            ("content-length", str(len(body))),
            ("x-content-type-options", "nosniff"),
            ("connection", "close"),
        ]
        response = h11.Response(status_code=status, headers=headers, reason=status.phrase.encode())
        for event in (response, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.write_eof()

    def _complaint(self, status: HTTPStatus) -> tuple[str, str]:
        """What is wrong, and what to do."""
        if status is HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE:
            detail = f"the headers of the request are longer than {self.limits.headers // 1024} KB"
            return detail, "send fewer cookies and shorter headers and addresses; an image belongs into the body"
        why = str(self.conn.why).partition(": bytearray(")[0]  # what was sent is nothing to print
        return f"this is no HTTP request: {why}", f"speak HTTP/1.1, to http:// and not https://; {DOCS_HINT}"

    def _unsupported_upgrade_warning(self) -> None:
        """Whoever asks for a websocket is answered in plain HTTP (RFC 9110, 7.8), and that is no cause to warn."""

    def _look(self) -> None:
        """Drop a connection whose header does not come to its end, or whose reader takes nothing."""
        now, buffered = self.loop.time(), self.transport.get_write_buffer_size()
        if buffered == 0 or buffered < self._buffered:
            self._moved = now
        self._buffered = buffered
        late = self._header_since is not None and now - self._header_since > self.limits.silence
        if late or now - self._moved > self.limits.silence:
            self.transport.abort()
        else:
            self._timer = self.loop.call_later(self.limits.silence / 4, self._look)
