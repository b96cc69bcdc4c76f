"""Sweeping at the right moments: what a web server finds at its start, and then every 15 seconds."""

import asyncio
from datetime import datetime

from rayhound.domain import TryLater
from rayhound.pipeline.accepting import EXPIRE_AGE, SWEEP_AGE, House, sweep
from rayhound.telemetry import OUTBOX, OUTBOX_AGE, log

SWEEP_SECONDS = 15.0


async def sweep_alone(house: House, started: datetime) -> None:
    """Sweep for ever as the only web server of an archive.

    At the start nobody else can be accepting: every older marker is completed at once, and one without an image goes
    when it is an hour old. Later none goes: its acceptor, this very process, may have slept as long with the laptop.
    """
    first = True
    while True:
        try:
            now = (await house.archive.ping()).now
            before = started if first else now - SWEEP_AGE
            swept = await sweep(house, before, started - EXPIRE_AGE if first else None)
            OUTBOX.set(swept.markers)
            OUTBOX_AGE.set((now - swept.oldest).total_seconds() if swept.oldest else 0)
            first = False
        except TryLater as e:
            log().warning("sweep_put_off", why=e.detail)
        except Exception as e:  # one marker that we stumble over must not end all sweeping
            log().error("sweep_failed", exc_info=e)
        await asyncio.sleep(SWEEP_SECONDS)
