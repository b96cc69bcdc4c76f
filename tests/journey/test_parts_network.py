"""A network that delays, cuts and swallows, between each two of the parts, while images come."""

import threading
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from tests import s3server
from tests.brokers import RabbitBroker, free_ports, rabbitmq
from tests.journey.ledger import Ledger, judge, send_until_accepted
from tests.journey.network import Network
from tests.journey.upping import CONSUME, SERVE, Process
from tests.proxy import Proxy

DELAY_SECONDS = 0.3  # of each piece, in each direction
DELAYED_SECONDS = 4.0
CUTS = 6
CUT_EVERY_SECONDS = 0.5
SWALLOWED_SECONDS = 25.0  # two heartbeats of 10 s, and some
SENDERS = 3
SENDER_PAUSE_SECONDS = 0.2
REPLICAS = 2
# Which pairs it befalls at the same time: none of them hides what the others do.
TOGETHER = (
    ("web server, RabbitMQ", "consumer, S3"),
    ("consumer, RabbitMQ", "client, web server"),
    ("web server, S3",),
)


@dataclass(frozen=True)
class Site:
    """Web servers, as clients see them, and consumers; and the proxies of each pair of parts."""

    web_servers: list[Process]
    consumers: list[Process]
    network: Network
    pairs: dict[str, list[Proxy]]

    def between(self, pairs: tuple[str, ...]) -> list[Proxy]:
        """The proxies of some pairs."""
        return [proxy for pair in pairs for proxy in self.pairs[pair]]

    def delay(self, *pairs: str) -> None:
        """Delay everything for some seconds."""
        for proxy in self.between(pairs):
            proxy.delay = DELAY_SECONDS
        time.sleep(DELAYED_SECONDS)
        for proxy in self.between(pairs):
            proxy.delay = 0

    def cut(self, *pairs: str) -> None:
        """Cut every connection."""
        for proxy in self.between(pairs):
            self.network.cut(proxy)

    def swallow(self, *pairs: str) -> None:
        """Let nothing through for some seconds, and nobody know; then what was half said is cut."""
        for proxy in self.between(pairs):
            proxy.black_hole = True
        time.sleep(SWALLOWED_SECONDS)
        for proxy in self.between(pairs):
            proxy.black_hole = False
        self.cut(*pairs)


@contextmanager
def site(folder: Path, broker: RabbitBroker) -> Generator[Site]:
    """Everything on a bucket and a broker, with a proxy wherever two parts meet."""
    s3 = s3server.start()
    archive = f"s3://{s3.bucket()}"
    with Network() as network, ExitStack() as stack:
        ports = free_ports(2 * REPLICAS)
        doors = [network.before(port) for port in ports[:REPLICAS]]
        pairs = {"client, web server": doors}
        for role in ("web server", "consumer"):
            pairs[f"{role}, RabbitMQ"] = [network.before(broker.port)]
            pairs[f"{role}, S3"] = [network.before(s3.port)]

        def started(role: str, command: tuple[str, ...], port: int, seen_at: int) -> Process:
            settings = {
                **s3server.environment(pairs[f"{role}, S3"][0].port),
                "RAYHOUND_ARCHIVE": archive,
                "RAYHOUND_QUEUE": f"amqp://guest:guest@127.0.0.1:{pairs[f'{role}, RabbitMQ'][0].port}/",
                "RAYHOUND_HOST": "127.0.0.1",
                "RAYHOUND_ANALYSERS": "1",
                "RAYHOUND_PORT": str(port),
                "RAYHOUND_METRICS_PORT": str(port),
            }
            return stack.enter_context(Process(folder / f"{port}.log", seen_at, command, settings))

        servers = [started("web server", SERVE, port, door.port) for port, door in zip(ports, doors, strict=False)]
        consumers = [started("consumer", CONSUME, port, port) for port in ports[REPLICAS:]]
        yield Site(servers, consumers, network, pairs)


def misbehave(network: Site) -> None:
    """Everything that a network does, between each pair of parts; RabbitMQ's first, as the sweep takes its time."""
    for pairs in TOGETHER:
        network.swallow(*pairs)
    for pairs in TOGETHER:
        network.delay(*pairs)
        for _ in range(CUTS):
            network.cut(*pairs)
            time.sleep(CUT_EVERY_SECONDS)


def test_a_network_that_delays_cuts_and_swallows_loses_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger, over, began = Ledger(), threading.Event(), time.monotonic()

    def send(first: int) -> None:
        for number in count(first, SENDERS):
            if over.wait(SENDER_PAUSE_SECONDS):
                return
            send_until_accepted(parts.web_servers, ledger, number)

    with rabbitmq() as broker, site(tmp_path, broker) as parts:
        with ThreadPoolExecutor(SENDERS) as threads:
            sending = [threads.submit(send, first) for first in range(SENDERS)]
            try:
                misbehave(parts)
            finally:
                over.set()
            for sent in sending:
                sent.result()
        verdict = judge(parts.web_servers[0], ledger, parts.consumers)
        queues = broker.ctl("list_queues", "name", "messages")
    with capsys.disabled():
        took = time.monotonic() - began
        print(f"\nnetwork that delays, cuts and swallows between {len(parts.pairs)} pairs: {verdict}, in {took:.0f} s")
    assert (verdict.lost, verdict.doubled, verdict.failed) == (0, 0, 0)
    assert "images.dead\t0" in queues
