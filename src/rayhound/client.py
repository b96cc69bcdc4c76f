"""The HTTP client of the command line: sends images, waits for their records, lists them. It prints nothing.

What can be tried again is tried again, until the server has given no answer for as long as the client has patience.
An upload always carries an Idempotency-Key, so however often it is sent it makes one image.
"""

import asyncio
import random
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlsplit

import httpx

from rayhound.domain import BadRequest, Never, NotFound, RayhoundError, StorageFull, Unavailable

LONGEST_ASKED = 30.0  # seconds of a Retry-After that are heeded
LONGEST_PAUSE = 5.0
WAIT = 30  # seconds that one request waits for a record, below what proxies bear
AGAIN = (429, 502, 503, 504)
LOOPBACK = ("localhost", "127.0.0.1", "::1")

Json = dict[str, Any]


class Client:
    """A connection to one Rayhound server; close it with `async with`.

    `patience` is the seconds without an answer after which the server counts as gone; none means that nothing is tried
    again, nor is it where the very first connection is refused. `on_trouble` is told, in words, whenever something is.
    """

    def __init__(
        self, server: str, patience: float = 0.0, on_trouble: Callable[[str], None] = lambda why: None
    ) -> None:
        self.server = address(server)
        url = urlsplit(self.server)
        self._patience = patience
        self._on_trouble = on_trouble
        self._http = httpx.AsyncClient(
            base_url=self.server,
            timeout=httpx.Timeout(60.0, connect=10.0),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=64),
            verify=url.scheme == "https",  # loading certificates takes a tenth of a second
            trust_env=url.hostname not in LOOPBACK,  # a proxy would look for this machine on its own
        )
        self._answered = time.monotonic()
        self._is_there = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def upload(self, path: Path) -> Json:
        """Send a file, streamed from disk, and return the answer to it: `image_id`, `status`, `status_url` and more.

        Raises `Never` for a file that is refused, `StorageFull`, `Unavailable` when the server stays away, and OSError.
        """
        headers = {"Idempotency-Key": str(uuid.uuid4())}

        async def send() -> httpx.Response:
            with path.open("rb") as content:
                return await self._http.post("/upload", files={"image": (path.name, content)}, headers=headers)

        return _content(await self._until_answered(send))

    async def record(self, image_id: str, wait: bool = False) -> Json:
        """The record of an image; with `wait`, as soon as it is settled, or still `queued` after 30 s.

        Raises `NotFound` and `Unavailable`.
        """
        headers = {"Prefer": f"wait={WAIT}"} if wait else {}
        return _content(
            await self._until_answered(lambda: self._http.get(f"/images/{quote(image_id, safe='')}", headers=headers))
        )

    async def records(self, wanted: Mapping[str, str], limit: int) -> AsyncIterator[Json]:
        """At most `limit` records, newest first; `wanted` may hold `status`, `contains` and `before`."""
        query: dict[str, str] = {**wanted}
        while limit > 0:
            asked = query | {"limit": str(min(limit, 200))}
            page = _content(await self._until_answered(partial(self._http.get, "/images", params=asked)))
            for record in page["images"]:
                yield record
            limit -= len(page["images"])
            if page["before"] is None:
                return
            query["before"] = page["before"]

    async def _until_answered(self, send: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
        began, pause = time.monotonic(), 0.25
        hint = f"is `rayhound up` running there? See {self.server}/readyz, and give --server"
        while True:
            try:
                response = await send()
            except httpx.TransportError as e:
                problem, asked = Unavailable(f"{self.server} gives no answer ({_reason(e)})", hint), 0.0
                if isinstance(e, httpx.ConnectError) and not self._is_there:
                    raise problem from e
            else:
                self._is_there = True
                if response.status_code not in AGAIN:
                    self._answered = time.monotonic()
                    return response
                told, asked = _problem(response), _retry_after(response)
                problem = Unavailable(told.detail, told.hint or hint)
            if time.monotonic() - max(began, self._answered) >= self._patience:
                raise problem
            self._on_trouble(problem.detail)
            await asyncio.sleep(max(asked, pause * random.uniform(0.5, 1)))
            pause = min(pause * 2, LONGEST_PAUSE)


def address(server: str) -> str:
    """The address of a server as a URL without a slash at its end, `http` where none is said; raises `BadRequest`."""
    whole = (server if "://" in server else f"http://{server}").rstrip("/")
    wrong = BadRequest(f"{server!r} is no address of a server", "give it like http://127.0.0.1:5000")
    try:
        url = urlsplit(whole)
        is_good = url.scheme in ("http", "https") and url.hostname and url.port != 0
    except ValueError as e:  # brackets or a port that are none
        raise wrong from e
    if not is_good:
        raise wrong
    return whole


def _reason(error: httpx.TransportError) -> str:
    return str(error) or type(error).__name__


def _retry_after(response: httpx.Response) -> float:
    """Seconds of Retry-After (RFC 9110, 10.2.3), bounded; a date in it counts as none."""
    asked = response.headers.get("Retry-After", "")
    return min(float(asked), LONGEST_ASKED) if asked.isdecimal() else 0.0


def _content(response: httpx.Response) -> Json:
    if not response.is_success:
        raise _problem(response)
    try:
        content: Json = response.json()
    except ValueError as e:
        raise BadRequest(f"{response.url} did not answer with JSON", "is that a Rayhound server?") from e
    return content


def _problem(response: httpx.Response) -> RayhoundError:
    """An answer's problem (RFC 9457) as our error; the status decides its kind."""
    try:
        problem = response.json()
        detail, hint = str(problem["detail"]), str(problem.get("hint") or "")
    except (ValueError, KeyError, TypeError):
        detail, hint = f"{response.url} answered {response.status_code} {response.reason_phrase}", ""
    kinds: dict[int, type[RayhoundError]] = {404: NotFound, 507: StorageFull}
    return kinds.get(response.status_code, Never)(detail, hint)
