"""The faults of the crash enumeration are real: the adapters meet each of them here, and say and leave the same.

On the left of each comparison stand the adapters in memory with a fate of `tests/unit/fate.py`, on the right the real
ones with a network, a store or a broker that does it to them.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aio_pika.exceptions import ChannelNotFoundEntity

from rayhound.adapters.memory import Broker, MemoryArchive, MemoryQueue
from rayhound.adapters.rabbitmq import publishing
from rayhound.domain import Misconfigured, RayhoundError, Unavailable
from rayhound.ports import Archive, Published, Publisher
from tests import s3proxy, s3site
from tests.rabbits import PREFETCH, Rabbit, Site, a_request, channel_of, eventually, next_of
from tests.s3proxy import CUT, LATE, LOST, refuses
from tests.s3site import KEY
from tests.unit.fate import Fate, Fault, Strike
from tests.unit.fateful import FatefulArchive, FatefulPublisher, Queue
from tests.unit.scenarios import the_connection_is_lost, the_queue_is_deleted, the_queue_is_made_with_other_arguments
from tests.unit.world import World

pytestmark = pytest.mark.anyio

BEFORE = "2026/11/23/an-image/was-there.json"

Told = tuple[object, object, object]


async def said(doing: Awaitable[Any]) -> object:
    """What comes of it: its answer, or the kind of its error."""
    try:
        return await doing
    except RayhoundError as e:
        return type(e)


async def puts(archive: Archive) -> object:
    return await archive.put(KEY, b"{}")


async def deletes(archive: Archive) -> object:
    await archive.delete(BEFORE)
    return None


async def gets(archive: Archive) -> object:
    return [piece async for piece in archive.get(BEFORE)]


async def lists(archive: Archive) -> object:
    return [entry.key async for entry in archive.list("")]


Doing = Callable[[Archive], Awaitable[object]]

AT_THE_STORE: list[tuple[Doing, str, Fault, list[s3proxy.Fault]]] = [
    (puts, "PUT", Fault.REFUSED, [refuses(403, "AccessDenied"), refuses(404, "NoSuchBucket")]),
    (puts, "PUT", Fault.FULL, [refuses(403, "QuotaExceeded")]),
    (puts, "PUT", Fault.NOT_DONE, [refuses(500), refuses(503, "SlowDown"), CUT]),
    (puts, "PUT", Fault.REPLY_LOST, [s3proxy.Fault(status=500), LOST]),
    (puts, "PUT", Fault.DONE_LATER, [LATE]),
    (puts, "PUT", Fault.DONE_AGAIN, [LATE]),
    (deletes, "DELETE", Fault.REFUSED, [refuses(403, "AccessDenied")]),
    (deletes, "DELETE", Fault.NOT_DONE, [refuses(500), CUT]),
    (deletes, "DELETE", Fault.REPLY_LOST, [s3proxy.Fault(status=500), LOST]),
    (deletes, "DELETE", Fault.DONE_LATER, [LATE]),
    (deletes, "DELETE", Fault.DONE_AGAIN, [LATE]),
    (gets, "GET", Fault.REFUSED, [refuses(403, "AccessDenied"), refuses(500), CUT, LOST]),
    (lists, "GET", Fault.REFUSED, [refuses(403, "AccessDenied"), refuses(500), CUT, LOST]),
]


async def told(doing: Awaitable[object], lies: Callable[[], Awaitable[object]], late: Awaitable[object]) -> Told:
    """What it says, what lies there then, and what lies there once all that was under way has come."""
    answer, then = await said(doing), await lies()
    await late
    return answer, then, await lies()


async def told_in_memory(doing: Doing, fault: Fault) -> Told:
    fate, archive = Fate([Strike(fault, 1)]), MemoryArchive()
    await archive.put(BEFORE, b"here")

    async def lies() -> object:
        return {key: content for key, (content, _) in archive.objects.items()}

    return await told(doing(FatefulArchive(archive, fate)), lies, fate.arrive())


@pytest.mark.parametrize(
    ("doing", "method", "fault", "really"),
    [(doing, method, fault, really) for doing, method, fault, all_of_it in AT_THE_STORE for really in all_of_it],
)
async def test_a_fault_of_the_store_is_what_the_enumeration_takes_it_for(
    store: s3site.Site, doing: Doing, method: str, fault: Fault, really: s3proxy.Fault
) -> None:
    await store.archive.put(BEFORE, b"here")
    store.proxy.meets(method, really, ever=fault is not Fault.DONE_AGAIN)

    async def lies() -> object:
        return store.lies()

    assert await told_in_memory(doing, fault) == await told(doing(store.archive), lies, store.proxy.arrive())


async def waiting(site: Site) -> int:
    try:
        return await site.waiting()
    except ChannelNotFoundEntity:
        return 0


async def waits(site: Site) -> None:
    """One request waits in the end."""

    async def is_there() -> bool:
        return await waiting(site) == 1

    await eventually(is_there)


async def is_returned_and_the_queue_cannot_be_made_anew(site: Site) -> object:
    await site.delete()
    async with channel_of(site.broker.url) as channel:
        await channel.queue_delete(site.queues.dead)
        await channel.declare_queue(site.queues.dead, durable=True)
    return await publishes(site.queue)


async def is_swallowed(site: Site) -> object:
    site.proxy.black_hole = True
    publishing = asyncio.create_task(publishes(site.queue))
    await asyncio.wait({publishing}, timeout=0.2)
    await site.proxy.cut()
    return await publishing


async def loses_its_confirm(site: Site) -> object:
    site.proxy.deaf = True
    publishing = asyncio.create_task(publishes(site.queue))
    await waits(site)
    await site.proxy.cut()
    return await publishing


async def is_on_its_way_for_longer_than_anybody_waits(site: Site) -> object:
    site.proxy.moving.clear()
    return await publishes(site.queue)


async def publishes(publisher: Publisher) -> object:
    return await said(publisher.publish(a_request(), "outbox/x.1"))


Misfortune = Callable[[Site], Awaitable[object]]
Event = Callable[[], Awaitable[None]]

TO_A_PUBLISH: list[tuple[Fault, Misfortune]] = [
    (Fault.REFUSED, is_returned_and_the_queue_cannot_be_made_anew),
    (Fault.NOT_DONE, is_swallowed),
    (Fault.REPLY_LOST, loses_its_confirm),
    (Fault.DONE_LATER, is_on_its_way_for_longer_than_anybody_waits),
]


@pytest.mark.parametrize(("fault", "really"), TO_A_PUBLISH)
async def test_a_publish_that_goes_wrong_is_what_the_enumeration_takes_it_for(
    site: Site, fault: Fault, really: Misfortune, monkeypatch: pytest.MonkeyPatch
) -> None:
    if fault is Fault.DONE_LATER:
        monkeypatch.setattr(publishing, "CONFIRM_SECONDS", 0.5)

    async def late() -> None:
        site.proxy.moving.set()
        if fault is Fault.DONE_LATER:
            await waits(site)

    assert await told_of_a_publish(fault) == await told(really(site), lambda: waiting(site), late())


async def told_of_a_publish(fault: Fault) -> Told:
    fate, queue = Fate([Strike(fault, 1)]), MemoryQueue(Broker())

    async def lies() -> object:
        return len(queue.broker.waiting)

    return await told(publishes(FatefulPublisher(queue, fate)), lies, fate.arrive())


async def lent_twice(queue: Queue, cut: Event, quicker: Queue) -> object:
    """A request's connection is lost while it is in hand, and it is lent again; the first one settles it for nobody."""
    request = a_request()
    await queue.publish(request, "outbox/x.1")
    async with aclosing(queue.deliveries()) as deliveries, aclosing(quicker.deliveries()) as others:
        first = await next_of(deliveries)
        await cut()
        again = await next_of(others)
        await first.reject()
        await again.release()
        once_more = await next_of(others)
        await once_more.ack()
    return [(lent.request == request, lent.lent_before) for lent in (first, again, once_more)]


@pytest.mark.parametrize("another", [False, True], ids=["to whoever had it", "to another consumer"])
async def test_a_lost_connection_lends_again_as_the_enumeration_has_it(
    site: Site, tmp_path: Path, another: bool
) -> None:
    world = World(tmp_path, kept=True)
    other = MemoryQueue(world.broker) if another else world.queue
    in_memory = await lent_twice(world.queue, partial(the_connection_is_lost, world), other)
    async with Rabbit(site.broker.url, PREFETCH, site.queues) as other_consumer:
        really = await lent_twice(site.queue, site.proxy.cut, other_consumer if another else site.queue)
        assert await site.waiting() == len(world.broker.waiting) == 0
    assert in_memory == really


async def test_a_queue_that_is_deleted_and_made_anew_is_as_the_enumeration_has_it(site: Site, tmp_path: Path) -> None:
    world = World(tmp_path, kept=True)

    async def in_turn(publisher: Publisher, delete: Event) -> list[object]:
        before = await publishes(publisher)
        await delete()
        return [before, await publishes(publisher)]

    in_memory = await in_turn(world.house.publisher, partial(the_queue_is_deleted, world))
    assert in_memory == await in_turn(site.queue, site.delete) == [Published.KEPT] * 2
    assert await site.waiting() == len(world.broker.waiting) == 1


async def test_a_queue_with_other_arguments_refuses_as_the_enumeration_has_it(site: Site, tmp_path: Path) -> None:
    world = World(tmp_path, kept=True)

    async def make_it() -> None:
        await site.delete()
        async with channel_of(site.broker.url) as channel:
            await channel.declare_queue(site.queues.images, durable=True)
        await site.proxy.cut()

        async def is_named() -> bool:
            return isinstance(site.queue.publisher.trouble, Misconfigured)

        await eventually(is_named)

    async def in_turn(publisher: Publisher, make_it: Event) -> list[object]:
        await make_it()
        return [await publishes(publisher) for _ in range(3)]

    in_memory = await in_turn(world.house.publisher, partial(the_queue_is_made_with_other_arguments, world))
    assert in_memory == await in_turn(site.queue, make_it) == [Unavailable] * 3
    assert await world.consume() == []
    assert await site.waiting() == len(world.broker.waiting) == 0
