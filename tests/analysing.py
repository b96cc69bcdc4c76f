"""Analysers of real processes for tests: how they are opened, asked, killed and counted."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rayhound.analysers.pool import Analysers
from rayhound.domain import Findings, Limits

KILLING = str(Path(__file__).parent / "killing.py")
LIMITS = Limits(analysis_cpu=2, analysis_wall=60)
PATIENCE = 300


def run(story: Callable[[], Awaitable[Any]]) -> None:
    """Run a test's story within bounds."""

    async def bounded() -> None:
        async with asyncio.timeout(PATIENCE):
            await story()

    asyncio.run(bounded())


@asynccontextmanager
async def opened(count: int = 1, limits: Limits = LIMITS, *words: str) -> AsyncIterator[Analysers]:
    """Sound analysers that die of pictures in pure colours."""
    command_line = [sys.executable, KILLING, json.dumps(asdict(limits)), *words]
    async with Analysers(command_line, count, limits, retry=0.2) as analysers:
        await analysers.sound()
        yield analysers


async def ask(analysers: Analysers, path: Path, alone: bool = False) -> Findings:
    async with analysers.turn(alone) as analyse:
        return await analyse(path)


async def kill_idle(analysers: Analysers) -> None:
    """Kill every analyser from outside, and return once the pool can know."""
    for pid in pids():
        os.kill(pid, signal.SIGKILL)
    while analysers.alive:
        await asyncio.sleep(0.01)


def pids(parent: int | None = None) -> set[int]:
    """The living children of a process, of this one unless given."""
    children: set[int] = set()
    for task in Path(f"/proc/{parent or os.getpid()}/task").iterdir():
        children |= {int(word) for word in (task / "children").read_text().split()}
    return {pid for pid in children if state(pid) != "Z"}


def state(pid: int) -> str:
    """A process's state, `Z` when it is only waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except FileNotFoundError:
        return "Z"
