"""RabbitMQ's queues: what waits in them, what becomes a dead letter, and what happens when somebody changes them."""

import asyncio
import json
import re
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import aio_pika
import pytest
from structlog.testing import capture_logs

from rayhound.adapters.rabbitmq import Queues, messages, subscribing
from rayhound.domain import Misconfigured, Unavailable
from rayhound.ports import Published
from tests.brokers import RabbitBroker
from tests.rabbits import (
    PREFETCH,
    Rabbit,
    Site,
    a_request,
    channel_of,
    delete,
    next_of,
    published_in_the_end,
    some_queues,
    taken_from,
)

pytestmark = pytest.mark.anyio


async def test_a_person_can_read_a_message_in_the_management_page(site: Site) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    request = replace(a_request(), traceparent=trace, requested_at=datetime(2026, 11, 23, 10, 15, 2, 345_678, UTC))
    await site.queue.publish(request, "outbox/x.1")
    message = await taken_from(site.broker.url, site.queues.images)
    event = json.loads(message.body)
    assert event.pop("time") == "2026-11-23T10:15:02.345678Z"
    assert event.pop("id") == message.message_id
    assert event == {
        "specversion": "1.0",
        "source": "/archives/an%20archive",
        "type": "rayhound.analysis.requested",
        "subject": request.image_id,
        "data": {
            "image_id": request.image_id,
            "archive_id": "an archive",
            "correlation_id": request.correlation_id,
            "retry": 0,
        },
    }
    assert (message.message_id or "").startswith(request.image_id)
    assert message.correlation_id == request.correlation_id
    assert message.delivery_mode == 2
    assert (message.content_type, message.app_id) == ("application/cloudevents+json", "rayhound")
    assert message.type == "rayhound.analysis.requested"
    assert message.timestamp == datetime(2026, 11, 23, 10, 15, 2, tzinfo=UTC)
    assert message.headers["traceparent"] == trace


@pytest.mark.parametrize(
    ("headers", "time"), [({}, None), ({"traceparent": "not a trace"}, "yesterday"), ({"traceparent": 7}, 20261123)]
)
async def test_a_message_without_a_trace_or_a_time_that_can_be_read_is_lent_without(
    site: Site, headers: dict[str, Any], time: object
) -> None:
    request = replace(a_request(), requested_at=None)
    event = json.loads(messages.written(request).body) | {"time": time}
    async with channel_of(site.broker.url) as channel:
        message = aio_pika.Message(json.dumps(event).encode(), headers=headers)
        await channel.default_exchange.publish(message, site.queues.images)
    async with aclosing(site.queue.deliveries()) as deliveries:
        assert (await next_of(deliveries)).request == request


async def test_both_queues_are_quorum_queues_that_lose_nothing(site: Site) -> None:
    async with channel_of(site.broker.url) as channel:
        for name, arguments in (
            (site.queues.images, site.queues.images_arguments),
            (site.queues.dead, site.queues.dead_arguments),
        ):
            await channel.declare_queue(name, durable=True, arguments=arguments)
    assert site.queues.images_arguments["x-queue-type"] == site.queues.dead_arguments["x-queue-type"] == "quorum"


async def test_what_is_rejected_becomes_a_dead_letter(site: Site) -> None:
    request = await site.publish()
    async with aclosing(site.queue.deliveries()) as deliveries:
        await (await next_of(deliveries)).reject()
        letter = await taken_from(site.broker.url, site.queues.dead)
        assert messages.read(letter.body) == request


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"[]",
        b'{"specversion": "1.0", "type": "something.else", "data": {}}',
        b'{"specversion": "1.0", "type": "rayhound.analysis.requested"}',
        b'{"specversion": "1.0", "type": "rayhound.analysis.requested", "data": {"image_id": "../x", "retry": 0}}',
        b"[" * 100_000,
    ],
)
async def test_what_nobody_can_read_becomes_a_dead_letter_and_what_follows_is_lent(site: Site, body: bytes) -> None:
    async with channel_of(site.broker.url) as channel:
        await channel.default_exchange.publish(aio_pika.Message(body), site.queues.images)
    request = await site.publish()
    with capture_logs() as logs:
        async with aclosing(site.queue.deliveries()) as deliveries:
            assert (await next_of(deliveries)).request == request
            letter = await taken_from(site.broker.url, site.queues.dead)
    assert letter.body == body
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == ["unreadable_request"]


async def test_what_was_not_handed_over_goes_back_when_the_iterator_is_closed(site: Site) -> None:
    for _ in range(PREFETCH):
        await site.publish()
    async with aclosing(site.queue.deliveries()) as deliveries:
        mine = await next_of(deliveries)
    async with Rabbit(site.broker.url, PREFETCH, site.queues) as other, aclosing(other.deliveries()) as deliveries:
        theirs = {(await next_of(deliveries)).request for _ in range(PREFETCH - 1)}
    assert mine.request not in theirs


async def test_a_message_that_is_returned_makes_the_queue_anew(site: Site) -> None:
    await site.publish()
    await site.delete()
    requests = {await site.publish()}
    assert await site.waiting() == 1
    async with aclosing(site.queue.deliveries()) as deliveries:
        assert {(await next_of(deliveries)).request} == requests


async def test_of_twins_that_are_returned_at_once_none_counts_as_kept_without_being_there(site: Site) -> None:
    request = a_request()
    await site.delete()
    kept = await asyncio.gather(*(site.queue.publish(request, f"outbox/x.{n}") for n in range(8)))
    assert kept == [Published.KEPT] * 8
    assert await site.waiting() == 8


@pytest.mark.parametrize("pause", [0, 2])
async def test_a_queue_that_is_deleted_while_we_consume_is_consumed_from_again(
    site: Site, pause: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscribing, "IDLE_SECONDS", 0.5)
    async with aclosing(site.queue.deliveries()) as deliveries:
        waiting = asyncio.create_task(next_of(deliveries))
        await asyncio.sleep(0.2)
        await site.delete()  # RabbitMQ 3.10 tells the consumer, but not if the queue is made anew at once
        await asyncio.sleep(pause)
        request = a_request()
        await published_in_the_end(site.queue, request)
        assert (await waiting).request == request


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"x-queue-type": "classic"}, "'x-"),
        ({"x-queue-type": "quorum"}, "'x-"),
        (Queues().images_arguments | {"x-dead-letter-routing-key": "elsewhere"}, "'x-dead-letter-routing-key'"),
    ],
)
async def test_a_queue_with_other_arguments_is_named_and_used_once_it_is_gone(
    rabbit_broker: RabbitBroker, arguments: dict[str, Any], named: str
) -> None:
    queues = some_queues()
    async with channel_of(rabbit_broker.url) as channel:
        await channel.declare_queue(queues.images, durable=True, arguments=arguments)
    async with Rabbit(rabbit_broker.url, PREFETCH, queues) as queue:
        trouble = queue.subscriber.trouble
        assert isinstance(trouble, Misconfigured)
        assert re.search(named, trouble.detail)
        assert queues.images in trouble.detail
        assert "Migration" in trouble.hint
        with pytest.raises(Unavailable, match=named):
            await queue.publish(a_request(), "outbox/x.1")
        await delete(rabbit_broker.url, queues.images)
        request = a_request()
        await published_in_the_end(queue, request)
        async with aclosing(queue.deliveries()) as deliveries:
            assert (await next_of(deliveries)).request == request


async def test_whoever_is_lent_nothing_begins_anew_and_nobody_is_told(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscribing, "IDLE_SECONDS", 0.2)
    with capture_logs() as logs:
        async with aclosing(site.queue.deliveries()) as deliveries:
            waiting = asyncio.create_task(next_of(deliveries))
            await asyncio.sleep(1)
            assert site.queue.subscriber.trouble is None
            request = await site.publish()
            held = await waiting
            assert held.request == request
            with pytest.raises(TimeoutError):  # with something in hand the connection is kept
                async with asyncio.timeout(1):
                    await anext(deliveries)
            await held.ack()
    assert logs == []
    assert await site.waiting() == 0
