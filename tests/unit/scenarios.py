"""What people and processes do in the crash tests: what was before, what is done, and what somebody else does."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from rayhound import records
from rayhound.pipeline.accepting import requeue
from tests.unit.fate import Call, Death, Fault, Strike
from tests.unit.world import World

Scenario = Callable[[World], Awaitable[None]]

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
        world.fate.strikes = [Strike(Fault.DIES_BEFORE, stage)]
        with suppress(Death):
            await world.upload(b"dog %d" % stage, f"key {stage}")
        world.start()


async def poison_is_waiting(world: World) -> None:
    await world.upload(b"poison")
    await world.upload(DOG)


async def garbage_is_waiting(world: World) -> None:
    await world.upload(b"garbage")


async def garbage_failed(world: World) -> None:
    await world.upload(b"garbage")
    await world.consume()


async def a_dog_was_lent_before(world: World) -> None:
    """Whoever had it died, so it is tried alone, and its attempt is written down."""
    await world.upload(DOG)
    await world.take()
    world.start()
    if not world.kept:
        await a_web_server_sweeps(world)


async def garbage_is_asked_for_again(world: World) -> None:
    await garbage_failed(world)
    await everything_is_requeued(world)
    await a_web_server_sweeps(world)


async def the_queue_was_lost(world: World) -> None:
    """The embedded one lies in the outbox."""
    await world.upload(DOG)
    for marker in [key for key in world.archive.objects if key.startswith("outbox/")]:
        del world.archive.objects[marker]
    await the_queue_is_deleted(world)
    world.start()


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


async def a_dog_is_sent_until_it_is_taken(world: World) -> None:
    """As the promise tells a sender who got no certain answer: once more, with the same key."""
    if await world.upload(DOG, "key") is None:
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


async def somebody_else_sends_another_with_the_key(world: World) -> None:
    await world.upload(b"another dog", "key", world.other_web_server())


async def the_connection_is_lost(world: World) -> None:
    """What was in hand is lent again, while whoever had it goes on and learns nothing of it."""
    world.broker.disconnect()


async def another_consumer_is_lent_it(world: World) -> None:
    await the_connection_is_lost(world)
    await world.other_consumer()


async def the_broker_goes_away(world: World) -> None:
    await the_connection_is_lost(world)
    world.fate.away |= {Call.PUBLISH}


async def the_queue_is_deleted(world: World) -> None:
    """And what waited in it, until somebody asks for it again; the next to publish makes the queue anew."""
    world.broker.waiting.clear()
    world.broker.lent.clear()
    world.lost_queue = True


async def the_queue_is_made_with_other_arguments(world: World) -> None:
    await the_queue_is_deleted(world)
    world.fate.away |= {Call.PUBLISH}


async def the_archive_goes_away(world: World) -> None:
    """And whoever waits for it is told to stop."""
    world.fate.away |= {Call.READ, Call.CHANGE, Call.KEEP}
    world.stopping.set()


async def what_was_in_doubt_is_done(world: World) -> None:
    await world.arrive()


@dataclass(frozen=True)
class Case:
    """What was before, and what is done."""

    before: Scenario
    act: Scenario


ACCEPTING = {
    "accept": Case(nothing, a_dog_is_sent),
    "accept with a key": Case(nothing, a_dog_is_sent_with_the_key),
    "accept with a key in the end": Case(nothing, a_dog_is_sent_until_it_is_taken),
    "accept it again with its key": Case(a_dog_was_accepted_under_a_key, a_dog_is_sent_with_the_key),
    "accept it again after it was analysed": Case(that_dog_was_analysed, a_dog_is_sent_with_the_key),
    "accept another with the same key": Case(a_dog_was_accepted_under_a_key, another_image_is_sent_with_the_key),
}
SWEEPING = {
    "sweep": Case(their_acceptors_died, a_web_server_sweeps),
    "sweep past the key": Case(its_key_was_removed_and_used_again, a_web_server_sweeps),
}
SETTLING = {
    "settle": Case(a_dog_is_waiting, a_consumer_settles),
    "settle what was lent before": Case(a_dog_was_lent_before, a_consumer_settles),
    "settle poison": Case(poison_is_waiting, a_consumer_settles),
    "settle garbage": Case(garbage_is_waiting, a_consumer_settles),
    "settle the next try": Case(garbage_is_asked_for_again, a_consumer_settles),
}
REQUEUEING = {
    "requeue what failed": Case(garbage_failed, everything_is_requeued),
    "requeue what the queue lost": Case(the_queue_was_lost, everything_is_requeued),
}
CASES = ACCEPTING | SWEEPING | SETTLING | REQUEUEING

ACTORS: dict[str, Scenario] = {
    "sends it with the key": somebody_else_sends_it_with_the_key,
    "sends another with the key": somebody_else_sends_another_with_the_key,
    "sweeps": somebody_else_sweeps,
    "settles": somebody_else_settles,
    "takes the archive away": the_archive_goes_away,
}
AT_THE_BROKER: dict[str, Scenario] = {
    "cuts the connection": the_connection_is_lost,
    "cuts it, and another consumer is quicker": another_consumer_is_lent_it,
    "takes the broker away": the_broker_goes_away,
    "deletes the queue": the_queue_is_deleted,
    "makes the queue with other arguments": the_queue_is_made_with_other_arguments,
}
