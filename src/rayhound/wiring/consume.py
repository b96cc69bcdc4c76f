"""`rayhound consume`: one consumer of many, on an archive and a broker that all parts share."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from rayhound import __version__, records, telemetry
from rayhound.consumer import Consumer
from rayhound.domain import Limits
from rayhound.pipeline.patience import Patience
from rayhound.pipeline.settling import Desk
from rayhound.server.app import create_health_app
from rayhound.server.running import WebServer
from rayhound.settings import Settings
from rayhound.wiring.archive import open_archive
from rayhound.wiring.process import raise_open_files, running, told_to_stop
from rayhound.wiring.queue import address, check_subscriber, open_subscriber
from rayhound.wiring.roles import (
    DEFAULTS,
    EVERYWHERE,
    Command,
    analysers_of,
    bounded,
    check_analysers,
    check_consumer,
    require_parts,
    usual_analyser,
)

HOLD_SECONDS = 20 * 60.0  # RabbitMQ takes back what is not settled within 30 minutes (consumer_timeout)
LATE_SECONDS = 10.0  # what an analysis may take beyond its deadline, until its attempt counts as a death


def consume(settings: Settings, limits: Limits = DEFAULTS, analyser: Command = usual_analyser) -> int:
    """Analyse images until SIGINT or SIGTERM; raises `Misconfigured` or `Unavailable` when it cannot start."""
    require_parts(settings)
    telemetry.configure(settings.log_format)
    raise_open_files()
    asyncio.run(_consume(settings, bounded(settings, limits), analyser))
    return 0


async def _consume(settings: Settings, limits: Limits, analyser: Command) -> None:
    stopped = told_to_stop()
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(open_archive(settings))
        archive_id = await records.identify(opened.archive)
        analysers, in_hand = analysers_of(settings, limits, analyser)
        await stack.enter_async_context(analysers)
        subscriber = await stack.enter_async_context(open_subscriber(settings, in_hand))
        spool = Path(stack.enter_context(TemporaryDirectory(prefix="rayhound-")))
        stopping = asyncio.Event()
        alive_for = timedelta(seconds=limits.analysis_wall + LATE_SECONDS)
        desk = Desk(opened.archive, archive_id, analysers, spool, Patience(stopping, HOLD_SECONDS), alive_for)
        consumer = Consumer(desk, subscriber, analysers)
        checks = (
            lambda: check_analysers(analysers),
            lambda: check_subscriber(subscriber),
            lambda: check_consumer(consumer),
        )
        server = WebServer(create_health_app(checks), limits, (settings.host or EVERYWHERE, settings.metrics_port))
        await server.start()
        where = {"archive": str(settings.archive), "archive_id": archive_id, "queue": str(address(settings))}
        telemetry.log().info("consuming", version=__version__, metrics_port=server.port, **where)
        async with running(consumer.run()) as consuming:
            await asyncio.wait({stopped, consuming}, return_when=asyncio.FIRST_COMPLETED)
            stopping.set()
            await consuming
            await server.drain(0)
