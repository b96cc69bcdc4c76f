"""The life of a process: its signals, what goes on in its background, how many files it may open."""

import asyncio
import resource
import signal
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager, suppress

from rayhound.telemetry import log


def raise_open_files() -> None:
    """As many connections as `Limits` allows need more open files than the usual soft limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS calls endless what it does not grant
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def told_to_stop() -> asyncio.Future[None]:
    """Done at the first SIGINT or SIGTERM; a second one ends the process at once, which loses nothing."""
    loop = asyncio.get_running_loop()
    stopped = loop.create_future()

    def stop() -> None:
        if stopped.done():  # by two signals that came at once, such as Ctrl-C and somebody who passes it on
            return
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
        log().info("stopping")
        stopped.set_result(None)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    return stopped


@asynccontextmanager
async def running(work: Coroutine[None, None, None]) -> AsyncGenerator[asyncio.Task[None], None]:
    """Something that goes on in the background until the end of the block."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
