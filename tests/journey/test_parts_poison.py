"""An image that kills whole consumers, among a thousand that do not."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.journey.ledger import Ledger, judge
from tests.journey.parts import KILLING_CONSUME, dead_letters, in_folder, others, parts
from tests.journey.upping import PATIENCE, Process, within
from tests.killing import picture
from tests.pictures import encoded, scene

NEIGHBOURS = 1000
SENDERS = 4
DEATHS = 4


def restarted_until(consumers: Sequence[Process], server: Process, image_id: str) -> int:
    """Start again whichever consumer ended, as Kubernetes would, until an image is settled; how many ended."""
    deaths = 0
    for _ in within(10 * PATIENCE, pause=0.2):
        for consumer in consumers:
            if consumer.ended:
                deaths += 1
                assert deaths <= DEATHS, f"{deaths} consumers died of one image"
                consumer.start()
        if server.record(image_id)["status"] != "queued":
            return deaths
    raise AssertionError(f"still queued after {deaths} deaths: {consumers[0].log.read_text()[-3000:]}")


def test_an_image_that_kills_consumers_fails_alone_among_a_thousand(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive, ledger, began = in_folder(tmp_path), Ledger(), time.monotonic()

    def send(number: int) -> None:
        content = encoded(scene((32, 24)), "PNG") + b"%06d" % number  # readers stop at a PNG's end
        ledger.accepted(f"image-{number}", server.accepted(content), content)

    with parts(tmp_path, archive, web_servers=1, consumers=0) as running, ExitStack() as stack:
        [server] = running.web_servers
        made = others(running, [KILLING_CONSUME] * 2, tmp_path, **archive, RAYHOUND_ANALYSERS="2")
        consumers = [stack.enter_context(one) for one in made]
        with ThreadPoolExecutor(SENDERS) as threads:
            list(threads.map(send, range(NEIGHBOURS // 2)))
            murder = picture("murder", tmp_path).read_bytes()
            poison = server.accepted(murder)
            ledger.accepted("poison", poison, murder)
            rest = threads.map(send, range(NEIGHBOURS // 2, NEIGHBOURS))
            deaths = restarted_until(consumers, server, poison)
            list(rest)
        record = server.answered(poison)
        verdict = judge(server, ledger, consumers)
        letters = dead_letters(running)
    with capsys.disabled():
        took = time.monotonic() - began
        print(f"\npoison: {verdict}; {deaths} consumers died of it, {letters} dead letters, in {took:.0f} s")
    assert record["status"] == "failed"
    assert record["reason"].startswith("3 analysers died of it")
    assert deaths >= 1
    assert (verdict.uploads, verdict.lost, verdict.doubled, verdict.failed) == (NEIGHBOURS + 1, 0, 0, 1)
    assert letters == 0
