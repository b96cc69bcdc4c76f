"""Web servers, consumers and the broker are SIGKILLed again and again while images come; the clients' ledger judges.

As long as one likes: `./test tests/journey/test_parts_kills.py --uploads 10000 --kills 50`.
"""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests import s3server
from tests.journey.conftest import Plan
from tests.journey.ledger import Ledger, judge, send_until_accepted
from tests.journey.parts import Parts, in_folder, parts
from tests.journey.upping import PATIENCE

SENDERS = 4


def archive_of(kind: str, folder: Path) -> dict[str, str]:
    """The settings of a new archive in a folder or in a bucket."""
    if kind == "folder":
        return in_folder(folder)
    server = s3server.start()
    return {**s3server.environment(server.port), "RAYHOUND_ARCHIVE": f"s3://{server.bucket()}/images"}


def kill_all_in_turn(plan: Plan, running: Parts, ledger: Ledger, sent: threading.Event) -> dict[str, int]:
    """Each part in turn, as the ledger grows, at moments of chance; how often each kind was killed."""
    chance, kills = random.Random(5), {"web servers": 0, "consumers": 0, "broker": 0}
    for number in range(plan.kills):
        for kind in kills:
            step = (list(kills).index(kind) + 1) / len(kills)
            wanted = (number + step) * plan.uploads / (plan.kills + 1)
            ends = time.monotonic() + 2 * PATIENCE
            while len(ledger) < wanted and not sent.is_set() and time.monotonic() < ends:
                time.sleep(0.01)
            time.sleep(chance.uniform(0, 0.3))
            if kind == "broker":
                running.broker.kill()
                running.broker.start()
            else:
                process = chance.choice(running.web_servers if kind == "web servers" else running.consumers)
                process.kill()
                process.start()
            kills[kind] += 1
    return kills


@pytest.mark.parametrize(("kind", "version"), [("folder", "3.10"), ("bucket", "4.3")])
def test_nothing_is_lost_or_done_twice_whichever_part_is_killed(
    tmp_path: Path, kind: str, version: str, plan: Plan, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger, sent = Ledger(), threading.Event()
    began = time.monotonic()
    with parts(tmp_path, archive_of(kind, tmp_path), version=version) as running:
        with ThreadPoolExecutor(SENDERS + 1) as threads:
            killing = threads.submit(kill_all_in_turn, plan, running, ledger, sent)
            servers = running.web_servers
            senders = [threads.submit(send_until_accepted, servers, ledger, number) for number in range(plan.uploads)]
            try:
                for sender in senders:
                    sender.result()
            finally:
                sent.set()
                threads.shutdown(cancel_futures=True)
            kills = killing.result()
        verdict = judge(running.web_servers[0], ledger, running.consumers)
    told = ", ".join(f"{count} kills of {kind}" for kind, count in kills.items())
    with capsys.disabled():
        took = time.monotonic() - began
        print(f"\nparts, archive in a {kind}, RabbitMQ {version}: {verdict}; {told}, in {took:.0f} s")
    assert (verdict.uploads, verdict.lost, verdict.doubled) == (plan.uploads, 0, 0)
