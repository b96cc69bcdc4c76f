"""What only a network between us and RabbitMQ can break."""

import asyncio
from contextlib import aclosing

import pytest
from structlog.testing import capture_logs

from rayhound.adapters.rabbitmq import Address, RabbitPublisher
from rayhound.domain import InDoubt, Request, Unavailable
from rayhound.ports import Published
from tests.brokers import RabbitBroker
from tests.rabbits import Site, a_request, eventually, next_of, published_in_the_end, some_queues, waiting_in

pytestmark = pytest.mark.anyio


async def test_a_connection_that_is_cut_is_opened_again_and_its_deliveries_are_lent_again(site: Site) -> None:
    request = await site.publish()
    async with aclosing(site.queue.deliveries()) as deliveries:
        first = await next_of(deliveries)
        await site.proxy.cut()
        again = await next_of(deliveries)
        assert again.request == first.request == request
        assert again.lent_before
        with capture_logs() as logs:
            await first.ack()
        assert [entry["event"] for entry in logs] == ["lent_again"]
        await again.ack()
    assert await site.waiting() == 0


@pytest.mark.parametrize("verb", ["ack", "release", "reject"])
async def test_a_delivery_whose_settling_is_swallowed_harms_nobody(site: Site, verb: str) -> None:
    request = await site.publish()
    async with aclosing(site.queue.deliveries()) as deliveries:
        first = await next_of(deliveries)
        site.proxy.black_hole = True
        await getattr(first, verb)()
        await site.proxy.cut()
        site.proxy.black_hole = False
        again = await next_of(deliveries)
        assert again.request == request
        assert again.lent_before


async def test_a_confirm_that_is_lost_leaves_doubt(site: Site) -> None:
    request = a_request()
    site.proxy.delay = 0.5
    publishing = asyncio.create_task(site.queue.publish(request, "outbox/x.1"))

    async def is_there() -> bool:
        return await site.waiting() == 1

    await eventually(is_there)
    await site.proxy.cut()
    with pytest.raises(InDoubt):
        await publishing
    site.proxy.delay = 0
    async with aclosing(site.queue.deliveries()) as deliveries:
        assert (await next_of(deliveries)).request == request


async def test_a_broker_that_is_away_is_told_at_once_and_found_again(site: Site) -> None:
    site.proxy.refusing = True
    await site.proxy.cut()

    async def is_missed() -> bool:
        return site.queue.publisher.trouble is not None and site.queue.subscriber.trouble is not None

    await eventually(is_missed)
    async with asyncio.timeout(3):  # far less than a confirm is waited for, a hundred times
        for _ in range(100):
            with pytest.raises(Unavailable):
                await site.queue.publish(a_request(), "outbox/x.1")
    with pytest.raises(Unavailable):
        await site.queue.ping()
    site.proxy.refusing = False
    await published_in_the_end(site.queue, a_request())
    await site.queue.ping()
    assert site.queue.publisher.trouble is None


async def test_a_network_that_swallows_everything_costs_one_wait_and_not_one_for_each_upload(site: Site) -> None:
    site.proxy.black_hole = True
    with pytest.raises(InDoubt):
        await site.queue.publish(a_request(), "outbox/x.1")
    with pytest.raises(Unavailable):
        await site.queue.publish(a_request(), "outbox/x.1")
    site.proxy.black_hole = False
    await site.proxy.cut()
    await published_in_the_end(site.queue, a_request())


async def test_a_lost_connection_is_told_once_and_not_at_every_attempt(site: Site) -> None:
    with capture_logs() as logs:
        site.proxy.refusing = True
        await site.proxy.cut()
        await asyncio.sleep(1.5)
        site.proxy.refusing = False
        await published_in_the_end(site.queue, a_request())
    told = [entry["why"] for entry in logs if entry["event"] == "broker_away" and entry["role"] == "publisher"]
    assert len(told) == len(set(told)) <= 2


async def test_who_asks_for_confirms_is_answered_by_hundreds_at_once(site: Site) -> None:
    requests = [a_request() for _ in range(300)]
    kept = await asyncio.gather(*(site.queue.publish(request, "outbox/x.1") for request in requests))
    assert kept == [Published.KEPT] * 300
    seen: set[Request] = set()
    async with aclosing(site.queue.deliveries()) as deliveries:
        while len(seen) < 300:
            delivery = await next_of(deliveries)
            seen.add(delivery.request)
            await delivery.ack()
    assert seen == set(requests)


async def test_publishing_that_is_given_up_leaves_the_others_alone(site: Site) -> None:
    site.proxy.delay = 0.2
    publishing = [asyncio.create_task(site.queue.publish(a_request(), "outbox/x.1")) for _ in range(20)]
    asking = [asyncio.create_task(site.queue.ping()) for _ in range(2)]
    await asyncio.sleep(0.1)
    for task in (*publishing[::2], asking[0]):
        task.cancel()
    assert await asyncio.gather(*publishing[1::2], asking[1]) == [*[Published.KEPT] * 10, None]


async def test_the_publisher_alone_needs_no_subscriber(rabbit_broker: RabbitBroker) -> None:
    queues = some_queues()
    async with RabbitPublisher(Address(rabbit_broker.url), queues) as publisher:
        assert await publisher.publish(a_request(), "outbox/x.1") is Published.KEPT
        assert not publisher.holds("outbox/x.1")
    assert await waiting_in(rabbit_broker.url, queues.images) == 1
