"""The broker itself: its life and death, its alarms, and whom it lets in. Most of these have a broker of their own."""

import asyncio
import re
from collections.abc import Generator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from rayhound.adapters.rabbitmq import Address, RabbitPublisher, RabbitSubscriber, Tls
from rayhound.adapters.rabbitmq.troubles import check_broker
from rayhound.domain import InDoubt, Misconfigured, Request, Unavailable
from rayhound.ports import Published
from rayhound.settings import read
from rayhound.wiring.queue import open_subscriber
from tests.brokers import VERSIONS, RabbitBroker, rabbitmq
from tests.proxy import Proxy
from tests.rabbits import PREFETCH, Rabbit, a_request, eventually, next_of, published_in_the_end, some_queues

pytestmark = pytest.mark.anyio

FRESH_SECONDS = 3  # RabbitMQ 3.10 forgets a quorum queue, whole, when it is killed within a second of its making

BROKERS = {
    ("RabbitMQ", "3.9.29"): "3.9.29",
    ("RabbitMQ", "3.8"): "3.8",
    ("LavinMQ", "2.1.0"): "LavinMQ",
    ("RabbitMQ", "3.10.8"): None,
    ("RabbitMQ", "3.13.7"): None,
    ("RabbitMQ", "4.3.6"): None,
    ("RabbitMQ", "4.0.0-rc.1"): None,
    ("RabbitMQ", "5.0.0"): None,
}


@pytest.fixture(scope="module", params=VERSIONS)
def own_broker(request: pytest.FixtureRequest) -> Generator[RabbitBroker]:
    """A broker that may be killed and made short of memory."""
    with rabbitmq(request.param) as broker:
        yield broker


async def test_a_broker_that_is_killed_loses_no_request_and_is_found_again(own_broker: RabbitBroker) -> None:
    async with Rabbit(own_broker.url, PREFETCH, some_queues()) as queue:
        requests = {a_request() for _ in range(20)}
        for request in requests:
            assert await queue.publish(request, "outbox/x.1") is Published.KEPT
        async with aclosing(queue.deliveries()) as deliveries:
            held = await next_of(deliveries)
            await asyncio.sleep(FRESH_SECONDS)
            own_broker.kill()
            with pytest.raises((Unavailable, InDoubt)):
                await queue.publish(a_request(), "outbox/x.1")
            await held.ack()  # nobody is there to hear it
            await asyncio.to_thread(own_broker.start)
            seen: dict[Request, bool] = {}
            while len(seen) < len(requests):
                delivery = await next_of(deliveries)
                seen[delivery.request] = delivery.lent_before
                await delivery.ack()
        assert set(seen) == requests
        assert seen[held.request]
        await published_in_the_end(queue, a_request())


async def test_a_broker_that_blocks_counts_as_away_until_it_takes_again(own_broker: RabbitBroker) -> None:
    async with Rabbit(own_broker.url, PREFETCH, some_queues()) as queue:
        request = a_request()
        await queue.publish(request, "outbox/x.1")
        await asyncio.to_thread(own_broker.ctl, "set_vm_memory_high_watermark", "0.0000001")

        async def is_blocked() -> bool:
            try:
                await queue.publish(a_request(), "outbox/x.1")
            except InDoubt:
                return False
            except Unavailable:
                return True
            return False

        await eventually(is_blocked)
        async with asyncio.timeout(3):
            for _ in range(100):
                with pytest.raises(Unavailable, match="takes nothing"):
                    await queue.publish(a_request(), "outbox/x.1")
        with pytest.raises(Unavailable):
            await queue.ping()
        async with aclosing(queue.deliveries()) as deliveries:  # who consumes is not blocked
            delivery = await next_of(deliveries)
            assert delivery.request == request
            await delivery.ack()
        await asyncio.to_thread(own_broker.ctl, "set_vm_memory_high_watermark", "0.4")
        await published_in_the_end(queue, a_request())
        await queue.ping()


async def test_a_user_needs_no_more_than_the_two_queues(own_broker: RabbitBroker) -> None:
    queues = some_queues()
    ours = f"^{queues.images}(\\.dead)?$"
    own_broker.ctl("add_user", "rayhound", "sesame")
    own_broker.ctl("add_vhost", "pictures")
    url = own_broker.url.replace("guest:guest", "rayhound:sesame") + "pictures"
    async with RabbitPublisher(Address(url), queues) as publisher:
        assert isinstance(publisher.trouble, Misconfigured)
        assert "pictures" in publisher.trouble.detail
    own_broker.ctl("set_permissions", "-p", "pictures", "rayhound", "^$", "^$", "^$")
    async with RabbitPublisher(Address(url), queues) as publisher:
        assert isinstance(publisher.trouble, Misconfigured)
        assert queues.dead in publisher.trouble.detail
        assert "Users" in publisher.trouble.hint
    write = f"^(amq\\.default|{queues.images}(\\.dead)?)$"
    own_broker.ctl("set_permissions", "-p", "pictures", "rayhound", ours, write, ours)
    async with Rabbit(url, PREFETCH, queues) as queue:
        assert await queue.publish(a_request(), "outbox/x.1") is Published.KEPT
        async with aclosing(queue.deliveries()) as deliveries:
            await (await next_of(deliveries)).reject()


async def test_it_speaks_tls_with_a_certificate_of_its_own_and_to_nobody_else(rabbit_broker: RabbitBroker) -> None:
    folder, queues = rabbit_broker.folder, some_queues()
    url = f"amqps://guest:guest@localhost:{rabbit_broker.tls_port}/"
    own = Tls(folder / "ca.pem", folder / "client.pem", folder / "client.key")
    async with RabbitPublisher(Address(url, tls=own), queues) as publisher:
        assert publisher.trouble is None
        assert await publisher.publish(a_request(), "outbox/x.1") is Published.KEPT
    for stranger, told in (
        (Address(url), "trust"),
        (Address(url, tls=Tls(folder / "ca.pem")), "trust|away"),
        (Address(url.replace("localhost", "127.0.0.1"), tls=own), "trust"),
        (Address(url, tls=Tls(folder / "none.pem")), "TLS files"),
    ):
        async with RabbitPublisher(stranger, queues) as publisher:
            assert publisher.trouble is not None
            assert re.search(told, publisher.trouble.detail), publisher.trouble.detail


@pytest.mark.parametrize(("broker", "named"), BROKERS.items())
def test_a_broker_that_cannot_keep_the_promise_is_named(broker: tuple[str, str], named: str | None) -> None:
    properties: dict[str, Any] = {"product": broker[0], "version": broker[1].encode()}
    if named is None:
        check_broker(properties, Address("amqp://host"))
        return
    with pytest.raises(Misconfigured, match=named) as told:
        check_broker(properties, Address("amqp://host"))
    assert told.value.hint


@pytest.mark.parametrize(
    ("url", "shown", "virtual_host"),
    [
        ("amqp://host", "amqp://guest@host:5672/", "/"),
        ("amqp://a:b%40@host:1/", "amqp://a@host:1/", "/"),
        ("amqp://a:b@host/%2F", "amqp://a@host:5672/%2F", "/"),
        ("amqps://a:b@[::1]/x%2Fy", "amqps://a@[::1]:5671/x%2Fy", "x/y"),
    ],
)
def test_an_address_is_read_as_the_standard_has_it_and_shown_without_password(
    url: str, shown: str, virtual_host: str
) -> None:
    address = Address(url)
    assert (str(address), address.virtual_host) == (shown, virtual_host)
    apart = Address(url, user="me", password="sesame")
    own = ("a", "b@" if "%40" in url else "b") if "a:b" in url else ("me", "sesame")
    assert (apart.login, apart.secret) == own, "what the address says itself goes first"
    assert "sesame" not in f"{apart}{apart!r}"


@pytest.mark.parametrize(
    "url", ["", "host", "http://host", "amqp://", "amqp://host:port", "amqp://host:99999", "amqp://host/?heartbeat=1"]
)
def test_what_is_no_address_is_told(url: str) -> None:
    with pytest.raises(Misconfigured) as told:
        Address(url)
    assert "amqp://" in told.value.hint


def test_certificates_without_tls_are_told() -> None:
    with pytest.raises(Misconfigured, match="TLS"):
        Address("amqp://host", tls=Tls(Path("ca.pem")))


async def test_a_start_needs_no_broker() -> None:
    async with Proxy(9) as proxy:
        proxy.refusing = True
        async with Rabbit(f"amqp://127.0.0.1:{proxy.port}", PREFETCH, some_queues()) as queue:
            with pytest.raises(Unavailable, match="away"):
                await queue.publish(a_request(), "outbox/x.1")
            async with aclosing(queue.deliveries()) as deliveries:
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.3):
                        await anext(deliveries)


async def test_a_wrong_password_is_told_once_with_whose_it_is_and_which_secret_holds_it(
    rabbit_broker: RabbitBroker,
) -> None:
    async with Proxy(rabbit_broker.port) as proxy:
        environment = {
            "RAYHOUND_QUEUE": f"amqp://127.0.0.1:{proxy.port}",
            "RAYHOUND_QUEUE_USER": "rayhound",
            "RAYHOUND_QUEUE_PASSWORD": "sesame",
            "RAYHOUND_QUEUE_SECRET": "rabbitmq-auth",
        }

        async def is_tried_again() -> bool:
            return proxy.taken > 3

        with capture_logs() as logs:
            async with open_subscriber(read(environment), PREFETCH):
                await eventually(is_tried_again)
    [told] = [entry for entry in logs if entry["event"] == "broker_away"]
    assert f"amqp://rayhound@127.0.0.1:{proxy.port}/ does not let us in" in told["why"]
    assert "Secret rabbitmq-auth" in told["hint"]
    assert "sesame" not in str(logs)


async def test_strangers_are_not_let_in(rabbit_broker: RabbitBroker) -> None:
    for url, named in (
        (rabbit_broker.url.replace("guest:guest", "guest:sesame"), "ACCESS_REFUSED|refused"),
        (rabbit_broker.url + "nowhere", "nowhere"),
    ):
        async with RabbitSubscriber(Address(url), PREFETCH) as subscriber:
            assert isinstance(subscriber.trouble, Misconfigured)
            assert re.search(named, subscriber.trouble.detail)
            assert subscriber.trouble.hint
            assert "sesame" not in subscriber.trouble.detail
