"""Crash enumeration: for every call on a port, what if the process died there, the call failed, nobody told what became
of it, or somebody else acted at that very moment? After a restart the promise holds each time."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from rayhound.domain import Request, Unavailable
from rayhound.pipeline.accepting import House
from rayhound.pipeline.settling import Outcome
from rayhound.ports import Published, Put
from tests.unit.fate import Fault, Strike
from tests.unit.scenarios import (
    ACTORS,
    AT_THE_BROKER,
    CASES,
    DOG,
    a_dog_is_waiting,
    poison_is_waiting,
    what_was_in_doubt_is_done,
)
from tests.unit.walk import Walk
from tests.unit.world import World

SHORT = ("accept with a key in the end", "settle what was lent before")
QUEUES = pytest.mark.parametrize("kept", [False, True], ids=["embedded", "broker"])


@QUEUES
@pytest.mark.parametrize("fault", [f for f in Fault if f is not Fault.SECOND_ACTOR])
@pytest.mark.parametrize("case", CASES)
def test_the_promise_holds_wherever_a_fault_strikes(tmp_path: Path, kept: bool, fault: Fault, case: str) -> None:
    calls = asyncio.run(Walk(tmp_path, kept, CASES[case]).once(fault))
    assert calls >= 1, "the fault struck nowhere"


@QUEUES
@pytest.mark.parametrize("actor", ACTORS)
@pytest.mark.parametrize("case", CASES)
def test_the_promise_holds_whenever_somebody_else_acts(tmp_path: Path, kept: bool, actor: str, case: str) -> None:
    calls = asyncio.run(Walk(tmp_path, kept, CASES[case]).once(Fault.SECOND_ACTOR, ACTORS[actor]))
    assert calls >= 3, "nobody else acted"


@pytest.mark.parametrize("actor", AT_THE_BROKER)
@pytest.mark.parametrize("case", CASES)
def test_the_promise_holds_whatever_happens_at_the_broker(tmp_path: Path, actor: str, case: str) -> None:
    calls = asyncio.run(Walk(tmp_path, True, CASES[case]).once(Fault.SECOND_ACTOR, AT_THE_BROKER[actor]))
    assert calls >= 3, "nothing happened at the broker"


@QUEUES
@pytest.mark.parametrize("second", [Fault.DIES_AFTER, Fault.NOT_DONE, Fault.REPLY_LOST])
@pytest.mark.parametrize("first", [Fault.DIES_AFTER, Fault.NOT_DONE, Fault.REPLY_LOST])
@pytest.mark.parametrize("case", SHORT)
def test_the_promise_holds_wherever_two_faults_strike(
    tmp_path: Path, kept: bool, case: str, first: Fault, second: Fault
) -> None:
    assert asyncio.run(Walk(tmp_path, kept, CASES[case]).twice(first, second)) >= 3


@QUEUES
@pytest.mark.parametrize("case", SHORT)
def test_the_promise_holds_whenever_what_was_in_doubt_is_done_after_all(tmp_path: Path, kept: bool, case: str) -> None:
    walk = Walk(tmp_path, kept, CASES[case])
    assert asyncio.run(walk.twice(Fault.DONE_LATER, Fault.SECOND_ACTOR, what_was_in_doubt_is_done)) >= 3


Told = Callable[[World], Awaitable[None]]


def run(tmp_path: Path, kept: bool, told: Told) -> None:
    async def all_of_it() -> None:
        await told(World(tmp_path, kept))

    asyncio.run(all_of_it())


@QUEUES
def test_poison_fails_after_three_analysers_and_its_neighbour_does_not(tmp_path: Path, kept: bool) -> None:
    async def told(world: World) -> None:
        await poison_is_waiting(world)
        assert await world.consume() == [Outcome.FAILED, Outcome.ANALYSED]
        assert world.analysers.tried == [b"poison"] * 3 + [DOG]
        await world.check()

    run(tmp_path, kept, told)


@QUEUES
def test_poison_that_kills_the_whole_process_fails_after_four_at_most(tmp_path: Path, kept: bool) -> None:
    async def told(world: World) -> None:
        await poison_is_waiting(world)
        deaths = 0
        for _ in range(10):
            world.analysers.kills_the_process = True
            try:
                await world.consume()
                break
            except BaseException:
                deaths += 1
                world.start()
                await world.sweep()
        assert deaths <= 4
        await world.afterwards()
        await world.check()

    run(tmp_path, kept, told)


@QUEUES
def test_analysers_that_die_of_everything_condemn_nothing(tmp_path: Path, kept: bool) -> None:
    async def told(world: World) -> None:
        await a_dog_is_waiting(world)
        world.analysers.sound = False
        assert await world.consume(at_most=5) == [Outcome.RELEASED] * 5
        world.analysers.sound = True
        assert await world.consume() == [Outcome.ANALYSED]
        await world.check()

    run(tmp_path, kept, told)


@QUEUES
def test_a_sender_who_is_told_that_the_storage_is_full_left_nothing(tmp_path: Path, kept: bool) -> None:
    async def told(world: World) -> None:
        for put in range(1, 6):
            world.start()
            world.fate.strikes = [Strike(Fault.FULL, put)]
            await world.upload(b"dog %d" % put, f"key {put}")
        await world.afterwards()
        await world.check()
        kept = {content for content, _ in world.archive.objects.values()}
        assert len(world.refused) == 2, "no room for its marker, no room for its image"
        assert not world.refused & kept

    run(tmp_path, kept, told)


class Slept:
    """An acceptor that slept for an hour before it stored its image, while a sweep was about to remove its marker.

    The sweep has looked, and found no image; it deletes the marker once the acceptor publishes, and that fails.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.looked, self.go = asyncio.Event(), asyncio.Event()
        put, delete = world.archive.put, world.archive.delete
        self.sweeping: asyncio.Task[None] | None = None

        async def put_after_the_sweep_looked(key: str, content: bytes | Path) -> Put:
            if "/image." in key and self.sweeping is None:
                world.now += timedelta(hours=2)
                self.sweeping = asyncio.create_task(world.sweep())
                await self.looked.wait()
            return await put(key, content)

        async def delete_later(key: str) -> None:
            self.looked.set()
            await self.go.wait()
            await delete(key)

        world.archive.put = put_after_the_sweep_looked  # type: ignore[method-assign]
        world.archive.delete = delete_later  # type: ignore[method-assign]

    async def publish(self, request: Request, marker: str) -> Published:
        self.go.set()
        assert self.sweeping
        await self.sweeping
        raise Unavailable("the broker is away")

    def holds(self, marker: str) -> bool:
        return False

    async def ping(self) -> None:
        raise Unavailable("the broker is away")


def test_an_acceptor_that_slept_while_its_marker_expired_loses_nothing(tmp_path: Path) -> None:
    async def told(world: World) -> None:
        slept = Slept(world)
        assert await world.upload(DOG, house=House(world.archive, world.house.archive_id, slept))
        await world.afterwards()
        await world.check()

    run(tmp_path, True, told)
