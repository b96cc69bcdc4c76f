"""The loop of a consumer: take what is lent, settle it, and stop kindly.

Nothing is taken before every analyser passed its self-test. When something had to be released, the consumer takes
nothing for a while: what is not possible now would be lent again at once, for ever.
"""

import asyncio
from contextlib import aclosing
from typing import Any, Protocol

from rayhound.domain import Misconfigured, RayhoundError, Request
from rayhound.pipeline.settling import Desk, Outcome, settle
from rayhound.ports import Delivery, Subscriber
from rayhound.telemetry import about, log

PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0
LOOK_AGAIN_SECONDS = 300.0


class Analysers(Protocol):
    """The processes that read and classify, as a consumer sees them."""

    @property
    def unsound(self) -> RayhoundError | None:
        """Why they cannot be trusted, if they cannot."""

    async def sound(self) -> None:
        """Wait until every one passed its self-test."""

    def drain(self) -> None:
        """Begin nothing new."""


class Consumer:
    """Settles what a subscriber lends, until the desk's patience is told to stop.

    `trouble` says why it takes nothing, where somebody has to set that right: it was handed a request of another
    archive, or its own is gone. A request of another archive is looked for again every `look_again` seconds.
    """

    def __init__(
        self, desk: Desk, subscriber: Subscriber, analysers: Analysers, look_again: float = LOOK_AGAIN_SECONDS
    ) -> None:
        self.trouble: RayhoundError | None = None
        self._desk = desk
        self._subscriber = subscriber
        self._analysers = analysers
        self._look_again = look_again
        self._prefetch = subscriber.prefetch
        self._pause = PAUSE_SECONDS

    async def run(self) -> None:
        """Take and settle; when it is told to stop, what is being analysed is finished first."""
        stopping = asyncio.create_task(self._desk.patience.stopping.wait())
        while not stopping.done():
            await _either(stopping, asyncio.create_task(self._analysers.sound()))
            if stopping.done():
                break
            # After a request that is not ours, one at a time: each look costs the others one lending, and no more.
            self._subscriber.prefetch = self._prefetch if self.trouble is None else 1
            if pause := await self._take(stopping):
                await _either(stopping, asyncio.create_task(asyncio.sleep(pause)))

    async def _take(self, stopping: asyncio.Task[bool]) -> float:
        """Settle deliveries until one is released, or it is time to stop; how many seconds to pause then."""
        released = asyncio.Event()
        under_way: set[asyncio.Task[None]] = set()

        async def settled(delivery: Delivery) -> None:
            outcome = await settle(self._desk, delivery)
            if outcome is Outcome.FOREIGN:
                self._tell_foreign(delivery.request)
            elif outcome is not Outcome.RELEASED and self.trouble is not None:
                self.trouble = None
                released.set()  # to go on with more than one at a time
            if outcome in (Outcome.RELEASED, Outcome.FOREIGN):
                released.set()
                self._pause = min(self._pause * 2, LONGEST_PAUSE_SECONDS)
            else:
                self._pause = PAUSE_SECONDS

        async def take() -> None:
            async with aclosing(self._subscriber.deliveries()) as deliveries:
                async for delivery in deliveries:
                    task = asyncio.create_task(settled(delivery))
                    under_way.add(task)
                    task.add_done_callback(under_way.discard)

        await _either(stopping, asyncio.create_task(take()), asyncio.create_task(released.wait()))
        if stopping.done():
            self._analysers.drain()
        if under_way:
            await asyncio.wait(under_way)
        if isinstance(self.trouble, Misconfigured):
            return self._look_again
        return self._pause / 2 if self._pause > PAUSE_SECONDS else 0.0

    def _tell_foreign(self, request: Request) -> None:
        ours = self._desk.archive_id
        if request.archive_id == ours:
            self.trouble = RayhoundError(f"the archive {ours} is no longer where it was", "is its folder mounted?")
        else:
            self.trouble = Misconfigured(
                f"the queue holds a request of archive {request.archive_id}, and this consumer's is {ours}",
                "set RAYHOUND_ARCHIVE right; or, if that archive is gone, purge the queue and run `rayhound requeue`",
            )
        with about(request):
            log().error("foreign_request", why=self.trouble.detail, hint=self.trouble.hint)


async def _either(stopping: asyncio.Task[bool], *others: asyncio.Task[Any]) -> None:
    """Wait for the first of some tasks; the others end, but for the one that tells to stop."""
    await asyncio.wait({stopping, *others}, return_when=asyncio.FIRST_COMPLETED)
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    for task in others:
        if not task.cancelled() and (error := task.exception()):
            log().error("interrupted", exc_info=error)
