"""`rayhound up`: web server, queue, consumer and analysers in one process, on one folder."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from rayhound import __version__, records, telemetry
from rayhound.adapters.embedded import EmbeddedQueue
from rayhound.adapters.lock import locked
from rayhound.analysers.cores import cores
from rayhound.analysers.pool import Analysers, command
from rayhound.consumer import consume
from rayhound.domain import Limits, Misconfigured
from rayhound.pipeline.accepting import House
from rayhound.pipeline.patience import Patience
from rayhound.pipeline.settling import Desk
from rayhound.ports import Archive
from rayhound.server.app import Parts, create_app
from rayhound.server.health import Check
from rayhound.server.room import Room
from rayhound.server.running import WebServer
from rayhound.server.waiting import Waiters
from rayhound.settings import Settings
from rayhound.wiring.archive import open_archive
from rayhound.wiring.process import raise_open_files, running, told_to_stop
from rayhound.wiring.sweeping import sweep_alone

ALSO_IN_HAND = 16  # fetching, analysing and storing overlap, so that an analyser never waits for a disk

DEFAULTS = Limits()

Announce = Callable[[str], None]
Command = Callable[[Settings, Limits], Sequence[str]]


def usual_analyser(settings: Settings, limits: Limits) -> Sequence[str]:
    """The command that starts one analyser."""
    return command(settings.model, limits)


def up(settings: Settings, announce: Announce, limits: Limits = DEFAULTS, analyser: Command = usual_analyser) -> int:
    """Run everything on one folder until SIGINT or SIGTERM; `announce` is told where it listens and what to try.

    `limits` are those of one upload and one analysis, but for the memory, which is a setting. Raises `Misconfigured`
    when it cannot start.
    """
    limits = replace(limits, analysis_memory=settings.analysis_memory)
    telemetry.configure(settings.log_format)
    raise_open_files()
    folder = settings.archive
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder) as unclean:
            asyncio.run(_up(settings, announce, limits, analyser(settings, limits), unclean))
    except OSError as e:
        detail = f"the folder {folder} cannot be used: {e.strerror or e}"
        raise Misconfigured(detail, "give a folder on a disk that can be written, with --data") from e
    return 0


async def _up(settings: Settings, announce: Announce, limits: Limits, analyser: Sequence[str], unclean: bool) -> None:
    count = settings.analysers or cores()
    in_hand = count + ALSO_IN_HAND
    stopped = told_to_stop()
    async with AsyncExitStack() as stack:
        archive = await stack.enter_async_context(open_archive(settings))
        archive_id = await records.identify(archive)
        started = (await archive.ping()).now
        suspects = await _suspects(archive, in_hand) if unclean else frozenset()
        queue = EmbeddedQueue(archive, in_hand, suspects)
        house = House(archive, archive_id, queue)
        analysers = await stack.enter_async_context(Analysers(analyser, count, limits))
        spool = Path(stack.enter_context(TemporaryDirectory(prefix="rayhound-")))
        waiters = Waiters()
        parts = Parts(house, archive.spool, limits, Room(archive), waiters, (lambda: _check(analysers),))
        server = WebServer(create_app(parts), limits, (settings.host, settings.port), waiters.end)
        stopping = asyncio.Event()
        # The lock proves that no other process tries an image, so nobody's attempt is waited for.
        patience = Patience(stopping, seconds=float("inf"))
        desk = Desk(archive, archive_id, analysers, spool, patience, timedelta(0), waiters.tell)
        await server.start()
        announce(_welcome(settings, server.port))
        async with running(sweep_alone(house, started)), running(consume(desk, queue, analysers)) as consuming:
            await asyncio.wait({stopped, consuming}, return_when=asyncio.FIRST_COMPLETED)
            stopping.set()
            await server.drain(settings.drain_seconds)
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


async def _check(analysers: Analysers) -> Check:
    why = analysers.unsound
    return Check("analysers", True) if why is None else Check("analysers", False, True, why.detail, why.hint)


def _welcome(settings: Settings, port: int) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    url = f"http://{host}:{port}"
    server = "" if url == "http://127.0.0.1:5000" else f" --server {url}"
    return f"""\
Rayhound {__version__} listens on {url} and keeps images in {settings.archive.resolve()}
Send it one from another terminal:
    rayhound upload{server} cat.jpg
    curl -F image=@cat.jpg {url}/upload
Read about the rest at {url}/docs; stop with Ctrl-C."""
