"""Sweeping at the right moments: what a web server finds at its start, and then every 15 seconds."""

import asyncio
from collections.abc import Callable
from datetime import datetime

from rayhound.domain import TryLater
from rayhound.pipeline.accepting import EXPIRE_AGE, SWEEP_AGE, House, sweep
from rayhound.ports import Publisher
from rayhound.telemetry import OUTBOX, OUTBOX_AGE, log

SWEEP_SECONDS = 15.0
LOOK_SECONDS = 3.0


async def sweep_alone(house: House, started: datetime) -> None:
    """Sweep for ever as the only web server of an archive.

    At the start nobody else can be accepting: every older marker is completed at once, and one without an image goes
    when it is an hour old. Later none goes: its acceptor, this very process, may have slept as long with the laptop.
    """
    while not await _swept(house, lambda now: started, lambda now: started - EXPIRE_AGE):
        await asyncio.sleep(SWEEP_SECONDS)
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        await _swept(house, lambda now: now - SWEEP_AGE, None)


async def sweep_among_others(house: House) -> None:
    """Sweep for ever as one of many web servers: every 15 seconds, and at once when the broker is back.

    While it is away markers are counted only: to finish each would be in vain, every 15 seconds.
    """
    while True:
        was_there, waited = await _is_there(house.publisher), 0.0
        await _swept(house, (lambda now: now - SWEEP_AGE) if was_there else None, lambda now: now - EXPIRE_AGE)
        while waited < SWEEP_SECONDS:
            await asyncio.sleep(LOOK_SECONDS)
            waited += LOOK_SECONDS
            is_there = await _is_there(house.publisher)
            if is_there and not was_there:
                break
            was_there = is_there


async def _is_there(publisher: Publisher) -> bool:
    try:
        await publisher.ping()
    except TryLater:
        return False
    return True


Moment = Callable[[datetime], datetime]


async def _swept(house: House, before: Moment | None, expire_before: Moment | None) -> bool:
    """Sweep once, by the storage's clock; whether it could be done."""
    try:
        now = (await house.archive.ping()).now
        moments = (moment(now) if moment else None for moment in (before, expire_before))
        swept = await sweep(house, *moments)
    except TryLater as e:
        log().warning("sweep_put_off", why=e.detail)
        return False
    except Exception as e:  # one marker that we stumble over must not end all sweeping
        log().error("sweep_failed", exc_info=e)
        return False
    OUTBOX.set(swept.markers)
    OUTBOX_AGE.set((now - swept.oldest).total_seconds() if swept.oldest else 0)
    return True
