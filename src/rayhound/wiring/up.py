"""`rayhound up`: web server, queue, consumer and analysers in one process, on one folder."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack, aclosing
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from rayhound import __version__, records, telemetry
from rayhound.adapters.embedded import EmbeddedQueue
from rayhound.adapters.lock import locked
from rayhound.consumer import Consumer
from rayhound.domain import Limits, Misconfigured
from rayhound.pipeline.accepting import House
from rayhound.pipeline.patience import Patience
from rayhound.pipeline.settling import Desk
from rayhound.ports import Archive
from rayhound.server.app import Parts, create_app
from rayhound.server.room import Room
from rayhound.server.running import WebServer
from rayhound.server.waiting import Waiters
from rayhound.settings import Settings
from rayhound.wiring.archive import folder, open_archive
from rayhound.wiring.process import raise_open_files, running, told_to_stop
from rayhound.wiring.roles import DEFAULTS, Command, analysers_of, bounded, check_analysers, usual_analyser
from rayhound.wiring.sweeping import sweep_alone

AT_HOME = "127.0.0.1"

Announce = Callable[[str], None]


def up(settings: Settings, announce: Announce, limits: Limits = DEFAULTS, analyser: Command = usual_analyser) -> int:
    """Run everything on one folder until SIGINT or SIGTERM; `announce` is told where it listens and what to try.

    `limits` are those of one upload and one analysis, but for what is a setting. Raises `Misconfigured` when it cannot
    start.
    """
    telemetry.configure(settings.log_format)
    raise_open_files()
    data = folder(settings)
    try:
        data.mkdir(parents=True, exist_ok=True)
        _refuse_somebody_elses(data)
        with locked(data) as unclean:
            asyncio.run(_up(settings, announce, bounded(settings, limits), analyser, unclean))
    except OSError as e:
        detail = f"the folder {data} cannot be used: {e.strerror or e}"
        raise Misconfigured(detail, "give a folder on a disk that can be written, with --data") from e
    return 0


def _refuse_somebody_elses(data: Path) -> None:
    """Raises `Misconfigured` for a folder that holds other things: a mistyped name must not make an archive of them."""
    names = [path.name for path in data.iterdir() if not path.name.startswith(".") and path.name != "lost+found"]
    if names and "archive.json" not in names:
        detail = f"the folder {data} holds {len(names)} other things, {min(names)} among them, and is no archive"
        raise Misconfigured(detail, "give a new or an empty folder with --data")


async def _up(settings: Settings, announce: Announce, limits: Limits, analyser: Command, unclean: bool) -> None:
    analysers, in_hand = analysers_of(settings, limits, analyser)
    stopped = told_to_stop()
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(open_archive(settings))
        archive = opened.archive
        archive_id = await records.identify(archive)
        started = (await archive.ping()).now
        suspects = await _suspects(archive, in_hand) if unclean else frozenset()
        queue = EmbeddedQueue(archive, in_hand, suspects)
        house = House(archive, archive_id, queue)
        await stack.enter_async_context(analysers)
        spool = Path(stack.enter_context(TemporaryDirectory(prefix="rayhound-")))
        waiters = Waiters()
        room, metrics = Room(archive), (telemetry.EVERY_PROCESS, telemetry.WEB_SERVER, telemetry.CONSUMER)
        checks = (lambda: check_analysers(analysers),)
        parts = Parts(house, opened.spool, limits, room, waiters, checks, metrics)
        server = WebServer(create_app(parts), limits, (settings.host or AT_HOME, settings.port), waiters.end)
        stopping = asyncio.Event()
        # The lock proves that no other process tries an image, so nobody's attempt is waited for.
        patience = Patience(stopping, seconds=float("inf"))
        desk = Desk(archive, archive_id, analysers, spool, patience, timedelta(0), waiters.tell)
        await server.start()
        _welcome(settings, server.port, announce)
        async with running(sweep_alone(house, started)), running(Consumer(desk, queue, analysers).run()) as consuming:
            await asyncio.wait({stopped, consuming}, return_when=asyncio.FIRST_COMPLETED)
            stopping.set()
            await server.drain(settings.drain_seconds or 0)
            await consuming


async def _suspects(archive: Archive, in_hand: int) -> frozenset[str]:
    """The images that may have been in hand when the last process was killed: the oldest that were waiting."""
    found: set[str] = set()
    async with aclosing(archive.list(records.OUTBOX)) as markers:
        async for entry in markers:
            image_id = entry.key.removeprefix(records.OUTBOX).partition(".")[0]
            if (await records.look(archive, image_id)).accepted:
                found.add(image_id)
            if len(found) == in_hand:
                break
    return frozenset(found)


def _welcome(settings: Settings, port: int, announce: Announce) -> None:
    host = settings.host or AT_HOME
    host = f"[{host}]" if ":" in host else host
    url = f"http://{host}:{port}"
    where = folder(settings).resolve()
    if settings.log_format == "json":
        telemetry.log().info("listening", version=__version__, url=url, archive=str(where))
        return
    server = "" if url == "http://127.0.0.1:5000" else f" --server {url}"
    announce(f"""\
Rayhound {__version__} listens on {url} and keeps images in {where}
Send it one from another terminal:
    rayhound upload{server} PICTURE.jpg
    curl -F image=@PICTURE.jpg {url}/upload
Read about the rest at {url}/docs; stop with Ctrl-C.""")
