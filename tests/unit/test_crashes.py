"""Crash enumeration: for every call on a port, what if the process died there, the call failed, its reply was lost, or
somebody else acted at that very moment? After a restart the promise holds each time."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from rayhound import records
from rayhound.domain import Request, Unavailable
from rayhound.pipeline.accepting import House, requeue
from rayhound.pipeline.settling import Outcome
from rayhound.ports import Published, Put
from tests.unit.fate import Death, Fault
from tests.unit.world import Scenario, World, walk

DOG = b"a dog"


async def nothing(world: World) -> None:
    pass


async def a_dog_is_waiting(world: World) -> None:
    await world.upload(DOG)


async def a_dog_was_accepted_under_a_key(world: World) -> None:
    await world.upload(DOG, "key")


async def that_dog_was_analysed(world: World) -> None:
    await world.upload(DOG, "key")
    await world.consume()


async def their_acceptors_died(world: World) -> None:
    """Acceptances that ended at every stage, and that nobody finishes."""
    for stage in range(1, 7):
        world.fate.begin(Fault.DIES_BEFORE, stage, nobody)
        with suppress(Death):
            await world.upload(b"dog %d" % stage, f"key {stage}")
        world.start()


async def nobody() -> None:
    pass


async def poison_is_waiting(world: World) -> None:
    await world.upload(b"poison")
    await world.upload(DOG)


async def garbage_is_waiting(world: World) -> None:
    await world.upload(b"garbage")


async def garbage_failed(world: World) -> None:
    await world.upload(b"garbage")
    await world.consume()


async def the_queue_was_lost(world: World) -> None:
    await world.upload(DOG)
    world.broker.waiting.clear()
    world.lost_queue = True


async def its_key_was_removed_and_used_again(world: World) -> None:
    """Keys may be removed from outside; the first image is then past its key, and never a loser."""
    first = await world.upload(DOG, "key")
    assert first
    for key in [k for k in world.archive.objects if k.startswith("keys/")]:
        del world.archive.objects[key]
    await world.upload(b"another dog", "key")
    world.keys_removed = True
    accepted = await records.fact(world.archive, records.accepted_key(first))
    await records.mark(world.archive, accepted)


async def a_dog_is_sent(world: World) -> None:
    await world.upload(DOG)


async def a_dog_is_sent_with_the_key(world: World) -> None:
    await world.upload(DOG, "key")


async def another_image_is_sent_with_the_key(world: World) -> None:
    """Only one of the two can have it, and whoever was told 202 does."""
    await world.upload(b"another dog", "key")


async def a_web_server_sweeps(world: World) -> None:
    world.now += timedelta(minutes=2)
    await world.sweep()


async def a_consumer_settles(world: World) -> None:
    await world.consume()


async def everything_is_requeued(world: World) -> None:
    async for _ in requeue(world.seen, failed=True):
        pass


async def somebody_else_sends_it_with_the_key(world: World) -> None:
    await world.upload(DOG, "key", world.other_web_server())


async def somebody_else_sweeps(world: World) -> None:
    """And takes a marker without an image for an hour old, which `up` does at its start alone."""
    world.now += timedelta(minutes=2)
    await world.sweep(world.other_web_server(), expire=world.kept)


async def somebody_else_settles(world: World) -> None:
    await world.consume()


Case = tuple[Scenario, Scenario]

ACTS: dict[str, Case] = {
    "accept": (nothing, a_dog_is_sent),
    "accept with a key": (nothing, a_dog_is_sent_with_the_key),
    "accept it again with its key": (a_dog_was_accepted_under_a_key, a_dog_is_sent_with_the_key),
    "accept it again after it was analysed": (that_dog_was_analysed, a_dog_is_sent_with_the_key),
    "accept another with the same key": (a_dog_was_accepted_under_a_key, another_image_is_sent_with_the_key),
    "sweep": (their_acceptors_died, a_web_server_sweeps),
    "sweep past the key": (its_key_was_removed_and_used_again, a_web_server_sweeps),
    "settle": (a_dog_is_waiting, a_consumer_settles),
    "settle poison": (poison_is_waiting, a_consumer_settles),
    "settle garbage": (garbage_is_waiting, a_consumer_settles),
    "requeue what failed": (garbage_failed, everything_is_requeued),
    "requeue what the queue lost": (the_queue_was_lost, everything_is_requeued),
}
ACTORS: dict[str, Scenario] = {
    "sends it with the key": somebody_else_sends_it_with_the_key,
    "sweeps": somebody_else_sweeps,
    "settles": somebody_else_settles,
}

QUEUES = pytest.mark.parametrize("kept", [False, True], ids=["embedded", "broker"])


@QUEUES
@pytest.mark.parametrize("fault", [f for f in Fault if f is not Fault.SECOND_ACTOR])
@pytest.mark.parametrize("act", ACTS)
def test_the_promise_holds_wherever_a_fault_strikes(tmp_path: Path, kept: bool, fault: Fault, act: str) -> None:
    prepare, scenario = ACTS[act]
    calls = asyncio.run(walk(tmp_path, kept, fault, prepare, scenario, nothing))
    assert calls >= 3, "the fault struck nowhere"


@QUEUES
@pytest.mark.parametrize("actor", ACTORS)
@pytest.mark.parametrize("act", ACTS)
def test_the_promise_holds_whenever_somebody_else_acts(tmp_path: Path, kept: bool, actor: str, act: str) -> None:
    prepare, scenario = ACTS[act]
    calls = asyncio.run(walk(tmp_path, kept, Fault.SECOND_ACTOR, prepare, scenario, ACTORS[actor]))
    assert calls >= 3, "nobody else acted"


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
