"""`rayhound serve`: one web server of many, on an archive and a broker that all parts share."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack

from rayhound import __version__, records, telemetry
from rayhound.domain import Limits
from rayhound.pipeline.accepting import House
from rayhound.server.app import Parts, create_app
from rayhound.server.room import Room
from rayhound.server.running import WebServer
from rayhound.server.waiting import Waiters
from rayhound.settings import Settings
from rayhound.wiring.archive import open_archive
from rayhound.wiring.process import raise_open_files, running, told_to_stop
from rayhound.wiring.queue import address, open_publisher
from rayhound.wiring.roles import DEFAULTS, DRAIN_SECONDS, EVERYWHERE, bounded, require_parts
from rayhound.wiring.sweeping import sweep_among_others

Announce = Callable[[str], None]


def serve(settings: Settings, limits: Limits = DEFAULTS) -> int:
    """Take in images until SIGINT or SIGTERM; raises `Misconfigured` or `Unavailable` when it cannot start."""
    require_parts(settings)
    telemetry.configure(settings.log_format)
    raise_open_files()
    asyncio.run(_serve(settings, bounded(settings, limits)))
    return 0


async def _serve(settings: Settings, limits: Limits) -> None:
    stopped = told_to_stop()
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(open_archive(settings))
        archive_id = await records.identify(opened.archive)
        publisher = await stack.enter_async_context(open_publisher(settings))
        house = House(opened.archive, archive_id, publisher)
        waiters = Waiters()
        parts = Parts(house, opened.spool, limits, Room(opened.archive), waiters)
        host = settings.host or EVERYWHERE
        server = WebServer(create_app(parts), limits, (host, settings.port), waiters.end)
        await server.start()
        where = {"archive": str(settings.archive), "archive_id": archive_id, "queue": str(address(settings))}
        telemetry.log().info("serving", version=__version__, host=host, port=server.port, **where)
        async with running(sweep_among_others(house)):
            await stopped
            drain = DRAIN_SECONDS if settings.drain_seconds is None else settings.drain_seconds
            await server.drain(drain)
