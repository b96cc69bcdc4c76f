"""The loop of a consumer: take what is lent, settle it, and stop kindly.

Nothing is taken before every analyser passed its self-test. When something had to be released, the consumer takes
nothing for a while: what is not possible now would be lent again at once, for ever.
"""

import asyncio
from contextlib import aclosing
from typing import Any, Protocol

from rayhound.domain import RayhoundError
from rayhound.pipeline.settling import Desk, Outcome, settle
from rayhound.ports import Subscriber
from rayhound.telemetry import log

PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0


class Analysers(Protocol):
    """The processes that read and classify, as a consumer sees them."""

    @property
    def unsound(self) -> RayhoundError | None:
        """Why they cannot be trusted, if they cannot."""

    async def sound(self) -> None:
        """Wait until every one passed its self-test."""

    def drain(self) -> None:
        """Begin nothing new."""


async def consume(desk: Desk, subscriber: Subscriber, analysers: Analysers) -> None:
    """Settle deliveries until the desk's patience is told to stop; then finish what is being analysed."""
    stopping = asyncio.create_task(desk.patience.stopping.wait())
    pause = PAUSE_SECONDS
    while not stopping.done():
        await _either(stopping, asyncio.create_task(analysers.sound()))
        if stopping.done():
            break
        if await _take(desk, subscriber, stopping, analysers):
            await _either(stopping, asyncio.create_task(asyncio.sleep(pause)))
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        else:
            pause = PAUSE_SECONDS


async def _take(desk: Desk, subscriber: Subscriber, stopping: asyncio.Task[bool], analysers: Analysers) -> bool:
    """Settle deliveries until one is released, or it is time to stop; whether one was released."""
    released = asyncio.Event()
    under_way: set[asyncio.Task[Outcome]] = set()

    def ended(task: asyncio.Task[Outcome]) -> None:
        under_way.discard(task)
        if task.result() is Outcome.RELEASED:
            released.set()

    async def take() -> None:
        async with aclosing(subscriber.deliveries()) as deliveries:
            async for delivery in deliveries:
                task = asyncio.create_task(settle(desk, delivery))
                under_way.add(task)
                task.add_done_callback(ended)

    await _either(stopping, asyncio.create_task(take()), asyncio.create_task(released.wait()))
    if stopping.done():
        analysers.drain()
    if under_way:
        await asyncio.wait(under_way)
    return released.is_set()


async def _either(stopping: asyncio.Task[bool], *others: asyncio.Task[Any]) -> None:
    """Wait for the first of some tasks; the others end, but for the one that tells to stop."""
    await asyncio.wait({stopping, *others}, return_when=asyncio.FIRST_COMPLETED)
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    for task in others:
        if not task.cancelled() and (error := task.exception()):
            log().error("interrupted", exc_info=error)
