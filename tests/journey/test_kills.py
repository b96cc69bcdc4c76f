"""The whole process tree is SIGKILLed again and again while images come; the client's own ledger is the judge."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.journey.conftest import Plan
from tests.journey.ledger import Ledger, judge, send_until_accepted
from tests.journey.upping import PATIENCE, Up, within

SENDERS = 4


def kill_and_restart(up: Up, ledger: Ledger, sent: threading.Event, plan: Plan) -> None:
    """Kill it as the ledger grows, at moments of chance."""
    chance = random.Random(4)
    for kill in range(1, plan.kills + 1):
        wanted = kill * plan.uploads // (plan.kills + 1)
        for _ in within(4 * PATIENCE, pause=0.01):
            if len(ledger) >= wanted or sent.is_set():
                break
        time.sleep(chance.uniform(0, 0.2))
        up.kill()
        up.start()


def test_nothing_accepted_is_lost_and_nothing_is_done_twice(
    tmp_path: Path, free_port: int, plan: Plan, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger, sent = Ledger(), threading.Event()
    began = time.monotonic()
    with Up(tmp_path / "data", free_port) as up:
        with ThreadPoolExecutor(SENDERS + 1) as threads:
            killing = threads.submit(kill_and_restart, up, ledger, sent, plan)
            senders = [threads.submit(send_until_accepted, [up], ledger, number) for number in range(plan.uploads)]
            try:
                for sender in senders:
                    sender.result()
            finally:
                sent.set()
                threads.shutdown(cancel_futures=True)
            killing.result()
        verdict = judge(up, ledger, [up])
    took = time.monotonic() - began
    with capsys.disabled():
        print(f"\nkill journey: {verdict}; {plan.kills} kills of the whole process tree, in {took:.0f} s")
    assert (verdict.uploads, verdict.lost, verdict.doubled) == (plan.uploads, 0, 0)
