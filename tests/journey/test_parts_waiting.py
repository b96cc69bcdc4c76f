"""Thousands of images wait, most of them in the queue and some in the outbox: no part's memory grows with them.

As many as one likes: `./test tests/journey/test_parts_waiting.py --waiting 10000`.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.journey.parts import Parts, in_folder, messages_in, parts
from tests.journey.upping import PATIENCE, Process, peak, within
from tests.pictures import encoded, scene

SENDERS = 8
MARGIN_EACH = 3_200  # bytes that an image may cost while it waits
NAMES = ("web server", "consumer", "broker")
BROKERS_MARGIN = 150_000_000  # it has a log of 64 MB in memory, whatever waits


def send(server: Process, content: bytes, count: int) -> list[str]:
    """Upload the same bytes so often, over some connections; the ids."""
    with ThreadPoolExecutor(SENDERS) as threads:
        return list(threads.map(lambda _: server.accepted(content), range(count)))


def until_ready(running: Parts, count: int) -> None:
    """Wait until so many requests lie in the queue."""
    for _ in within(10 * PATIENCE, pause=2):
        if messages_in(running, "images") >= count:
            return
    raise AssertionError(f"{messages_in(running, 'images')} of {count} requests are in the queue")


def until_analysed(consumer: Process, count: int) -> None:
    """Wait until a consumer has logged so many analyses."""
    for _ in within(20 * PATIENCE, pause=1):
        if len(consumer.events("analysed")) >= count:
            return
    raise AssertionError(f"{len(consumer.events('analysed'))} of {count} are analysed")


def test_waiting_images_cost_no_part_more_memory_than_a_tenth_of_them(
    tmp_path: Path, pytestconfig: pytest.Config, capsys: pytest.CaptureFixture[str]
) -> None:
    content = encoded(scene((64, 48)), "JPEG")
    began, waiting = time.monotonic(), pytestconfig.getoption("waiting")
    warm, queued, in_outbox = waiting // 10, waiting * 8 // 10, waiting * 2 // 10
    with parts(tmp_path, in_folder(tmp_path), web_servers=1, consumers=1) as running:
        [server], [consumer], broker = running.web_servers, running.consumers, running.broker
        send(server, content, warm)
        until_analysed(consumer, warm)
        before = [peak(process.pid) for process in (server, consumer, broker)]
        assert consumer.stop() == 0
        ids = send(server, content, queued)
        until_ready(running, queued)
        grown = [peak(broker.pid) - before[2]]
        broker.kill()
        ids += send(server, content, in_outbox)
        broker.start()
        broker.ctl("await_startup")
        until_ready(running, queued + in_outbox)
        consumer.start()
        until_analysed(consumer, warm + len(ids))
        grown = [peak(server.pid) - before[0], peak(consumer.pid) - before[1], *grown]
        assert {server.record(image_id)["status"] for image_id in ids[::100]} == {"analysed"}
    told = ", ".join(f"{part} {bytes_ / 1e6:+.0f} MB" for part, bytes_ in zip(NAMES, grown, strict=True))
    with capsys.disabled():
        print(f"\n{len(ids)} waiting: {told}, in {time.monotonic() - began:.0f} s")
    assert max(grown[:2]) < waiting * MARGIN_EACH
    assert grown[2] < BROKERS_MARGIN
