"""Waiting for an answer: `Prefer: wait=N` (RFC 7240)."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_WAIT = re.compile(r'(?:^|[,;])\s*wait\s*=\s*"?(\d{1,9})"?\s*(?=[,;]|$)', re.IGNORECASE)


def preferred(headers: list[str], most: float) -> int | None:
    """The seconds that `Prefer` headers ask to wait, at most so many; none where they do not ask."""
    found = _WAIT.search(", ".join(headers))
    return min(int(found[1]), int(most)) if found else None


class Waiters:
    """Who waits in this process for which image."""

    def __init__(self) -> None:
        self.over = False
        self._waiting: dict[str, set[asyncio.Event]] = {}

    def tell(self, image_id: str) -> None:
        """Wake whoever waits for this image: there is news in the archive."""
        for event in self._waiting.get(image_id, ()):
            event.set()

    def end(self) -> None:
        """Wake everybody and let nobody wait any more: the process is about to stop."""
        self.over = True
        for image_id in self._waiting:
            self.tell(image_id)

    @contextmanager
    def watching(self, image_id: str) -> Iterator[asyncio.Event]:
        """An event that is set at every `tell` for an image."""
        event = asyncio.Event()
        self._waiting.setdefault(image_id, set()).add(event)
        try:
            yield event
        finally:
            self._waiting[image_id].discard(event)
            if not self._waiting[image_id]:
                del self._waiting[image_id]


async def news(event: asyncio.Event, seconds: float) -> None:
    """Wait until the event is set, or so many seconds; whatever came first, the event is clear again."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    event.clear()
