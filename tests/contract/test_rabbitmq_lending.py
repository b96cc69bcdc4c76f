"""What RabbitMQ counts, cancels and forgives: in this 3.10 and 4.3 differ, and nobody should notice."""

import asyncio
from collections.abc import Generator
from contextlib import aclosing
from typing import Any

import pytest
from structlog.testing import capture_logs

from rayhound.adapters.rabbitmq import messages
from rayhound.domain import Misconfigured
from rayhound.ports import Published
from tests.brokers import VERSIONS, RabbitBroker, rabbitmq
from tests.rabbits import (
    PREFETCH,
    Rabbit,
    Site,
    a_request,
    channel_of,
    delete,
    eventually,
    next_of,
    some_queues,
    taken_from,
    waiting_in,
)

pytestmark = pytest.mark.anyio

SETTINGS = """\
consumer_timeout = 3000
frame_max = 8192
"""
SETTINGS_OF = {
    "3.10": SETTINGS,
    "4.3": SETTINGS + "quorum_queue.property_equivalence.relaxed_checks_on_redeclaration = true\n",
}
# How often 3.10 looks for deliveries that are held too long, and both for dead letters that nobody took.
IMPATIENCE = """\
application:set_env(rabbit, channel_tick_interval, 500),
application:set_env(rabbit, dead_letter_worker_publisher_confirm_timeout, 500).
"""


@pytest.fixture(scope="module", params=VERSIONS)
def odd_broker(request: pytest.FixtureRequest) -> Generator[RabbitBroker]:
    """A broker that somebody set up oddly: short of patience, with small frames, and generous where it should not."""
    with rabbitmq(request.param, settings=SETTINGS_OF[request.param]) as broker:
        broker.ctl("eval", IMPATIENCE)
        yield broker


async def test_what_is_held_longer_than_consumer_timeout_comes_again_and_can_be_settled(
    odd_broker: RabbitBroker,
) -> None:
    async with Rabbit(odd_broker.url, PREFETCH, some_queues()) as queue:
        requests = {a_request() for _ in range(PREFETCH)}
        for request in requests:
            await queue.publish(request, "outbox/x.1")
        async with aclosing(queue.deliveries()) as deliveries:
            held = [await next_of(deliveries) for _ in requests]
            again = [await next_of(deliveries) for _ in requests]
            assert {delivery.request for delivery in again} == requests
            assert all(delivery.lent_before for delivery in again)
            with capture_logs() as logs:  # who held it too long is heard by nobody, and harms nobody
                for late in held:
                    await late.ack()
            assert [entry["event"] for entry in logs] == ["lent_again"] * PREFETCH
            assert queue.subscriber.trouble is None
            for delivery in again:
                await delivery.ack()
        assert await waiting_in(odd_broker.url, queue.queues.images) == 0


@pytest.mark.parametrize("arguments", [{"x-queue-type": "classic"}, {"x-queue-type": "quorum"}])
async def test_a_broker_that_forgives_other_arguments_does_not_forgive_ours(
    odd_broker: RabbitBroker, arguments: dict[str, Any]
) -> None:
    queues = some_queues()
    async with channel_of(odd_broker.url) as channel:
        await channel.declare_queue(queues.images, durable=True, arguments=arguments)
    async with Rabbit(odd_broker.url, PREFETCH, queues) as queue:
        assert isinstance(queue.subscriber.trouble, Misconfigured)
        assert "'x-" in queue.subscriber.trouble.detail


async def test_a_dead_letter_waits_in_the_queue_that_it_came_from_until_there_is_one_for_it(
    odd_broker: RabbitBroker,
) -> None:
    async with Rabbit(odd_broker.url, PREFETCH, some_queues()) as queue:
        request = a_request()
        await queue.publish(request, "outbox/x.1")
        await delete(odd_broker.url, queue.queues.dead)
        async with aclosing(queue.deliveries()) as deliveries:
            await (await next_of(deliveries)).reject()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1):
                    await anext(deliveries)
        await queue.ping()  # declares both
        letter = await taken_from(odd_broker.url, queue.queues.dead, seconds=60)
        assert messages.read(letter.body) == request


async def test_a_limit_of_a_policy_counts_where_it_is_lower_than_ours(odd_broker: RabbitBroker) -> None:
    queues = some_queues()
    policy = ("limit", f"^{queues.images}$", '{"delivery-limit": 2}')
    await asyncio.to_thread(odd_broker.ctl, "set_policy", "--apply-to", "queues", *policy)
    async with Rabbit(odd_broker.url, PREFETCH, queues) as queue:
        assert await queue.publish(a_request(), "outbox/x.1") is Published.KEPT

        async def is_dead() -> bool:
            async with channel_of(odd_broker.url) as channel:
                message = await (await channel.get_queue(queues.images, ensure=False)).get(fail=False)
                if message is not None:
                    await message.reject(requeue=True)
            return await waiting_in(odd_broker.url, queues.dead) == 1

        await eventually(is_dead)


async def test_a_request_that_is_released_fifty_times_is_still_there(site: Site) -> None:
    request = await site.publish()
    async with aclosing(site.queue.deliveries()) as deliveries:
        for _ in range(50):
            await (await next_of(deliveries)).release()
        delivery = await next_of(deliveries)
        assert delivery.request == request
        assert delivery.lent_before
        await delivery.ack()
    assert await site.waiting() == 0
    with pytest.raises(TimeoutError):
        await taken_from(site.broker.url, site.queues.dead, seconds=0.2)


@pytest.mark.parametrize("verb", ["nack", "reject"])
async def test_a_look_from_the_management_page_counts_as_lent_before(site: Site, verb: str) -> None:
    request = await site.publish()
    async with channel_of(site.broker.url) as channel:
        queue = await channel.get_queue(site.queues.images, ensure=False)
        looked_at = await queue.get()
        assert looked_at is not None
        await getattr(looked_at, verb)(requeue=True)
    async with aclosing(site.queue.deliveries()) as deliveries:
        delivery = await next_of(deliveries)
        assert delivery.request == request
        assert delivery.lent_before


async def test_a_consumer_that_dies_again_and_again_of_one_request_does_not_lose_it(site: Site) -> None:
    request = await site.publish()
    for lent_before in [False] + [True] * 24:  # past the limit of 20 that RabbitMQ 4 has of its own
        async with Rabbit(site.broker.url, PREFETCH, site.queues) as dying, aclosing(dying.deliveries()) as deliveries:
            delivery = await next_of(deliveries)
            assert delivery.request == request
            assert delivery.lent_before is lent_before
