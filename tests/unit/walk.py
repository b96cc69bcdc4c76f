"""Walking through a case: faults strike at each of its calls in turn, and the promise is checked each time.

What comes after a fault is what a restart does: the queue is filled again, hours pass, web servers sweep, and a
consumer settles until nothing is left.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

from structlog.testing import capture_logs

from rayhound.domain import RayhoundError
from rayhound.telemetry import in_context
from tests.unit.fate import Death, Fault, Strike
from tests.unit.scenarios import Case, Scenario, a_consumer_settles, nothing
from tests.unit.world import World

MOST_CALLS = 500


class Walk:
    """One case with one kind of queue, played over and over."""

    def __init__(self, tmp_path: Path, kept: bool, case: Case) -> None:
        self._tmp_path = tmp_path
        self._kept = kept
        self._case = case

    async def once(self, fault: Fault, actor: Scenario = nothing) -> int:
        """A fault at every call in turn; how many there were."""
        for at in range(1, MOST_CALLS):
            if await self._play([(fault, at, actor)]):
                return at - 1
        raise AssertionError("the case never ends")

    async def twice(self, first: Fault, second: Fault, actor: Scenario = nothing) -> int:
        """A fault at every call, and another at every one after it, a restart's too; how many pairs there were."""
        pairs = 0
        for at in range(1, MOST_CALLS):
            for then in range(1, MOST_CALLS):
                left = await self._play([(first, at, nothing), (second, then, actor)], restarted=True)
                if left == 2:
                    return pairs
                if left:
                    break
                pairs += 1
        raise AssertionError("the case never ends")

    async def _play(self, faults: Sequence[tuple[Fault, int, Scenario]], restarted: bool = False) -> int:
        """Play the case to its end and check; how many faults found no call to strike."""
        with capture_logs([in_context]) as logged:
            world = World(self._tmp_path, self._kept)
            world.logged = logged
            await self._case.before(world)
            world.fate.strikes = [Strike(fault, after, partial(actor, world)) for fault, after, actor in faults]
            await _until_it_dies(world, self._case.act)
            if restarted:
                await _restarted(world)
            left = len(world.fate.strikes)
            await world.arrive()
            await world.afterwards()
            try:
                await world.check()
            except AssertionError as e:
                told = ", then ".join(f"{fault.value}, at call {after}" for fault, after, _ in faults)
                raise AssertionError(f"{told}: {e}") from e
        return left


async def _restarted(world: World) -> None:
    """The process starts again, and the same fate still awaits it."""
    world.start(replace(world.fate, dead=False, away=set()))
    await _until_it_dies(world, a_minute_passes)
    await _until_it_dies(world, a_consumer_settles)


async def a_minute_passes(world: World) -> None:
    """What is not an hour old may still get its image."""
    world.now += timedelta(minutes=2)
    await world.sweep(expire=False)


async def _until_it_dies(world: World, stage: Scenario) -> None:
    with suppress(Death, RayhoundError):
        await stage(world)
