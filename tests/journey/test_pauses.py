"""Three minutes in which web servers and consumers stand still (SIGSTOP) amid their work, and everybody else goes on.

One web server is stopped between each two steps of accepting, and two consumers in an analysis, one of them with its
analysers; the sweep and the deadline of an attempt both pass meanwhile.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.analysing import state
from tests.journey.ledger import Ledger, judge
from tests.journey.parts import KILLING_CONSUME, Parts, dead_letters, dog, in_folder, others, parts
from tests.journey.pausing_serve import STEPS
from tests.journey.upping import PATIENCE, Process, within
from tests.killing import picture

PAUSE_SECONDS = 180.0
IMPATIENT_SECONDS = 20.0
SLOW_IMAGES = 15
CONSUME = (*KILLING_CONSUME, "patient")
PAUSING_SERVE = (sys.executable, "-m", "tests.journey.pausing_serve")
POINTS = range(len(STEPS) + 1)
PAUSED = 2 * len(POINTS)


def until(happens: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
    """Wait until something is so."""
    for _ in within(seconds):
        if happens():
            return
    raise AssertionError(f"not within {seconds:g} s: {what}")


def stopped_in_an_analysis(running: Parts, made: Sequence[Process], folder: Path, ledger: Ledger) -> None:
    """Let the last two of three consumers stand still while each tries an image that the first was killed with."""
    [server] = running.web_servers
    first, alone, whole = made
    for one in made:
        one.until_ready()
    for number in range(SLOW_IMAGES):
        content = picture("slow", folder).read_bytes() + bytes(number)  # readers stop at a PNG's end
        ledger.accepted(f"slow-{number}", server.accepted(content), content)
    until(lambda: bool(first.events("retrieved")), "a consumer has an image in hand")
    first.kill()
    until(lambda: len(attempts(folder)) == 2, "each of two consumers tries an image")
    os.kill(alone.pid, signal.SIGSTOP)
    os.killpg(whole.pid, signal.SIGSTOP)
    assert len(attempts(folder)) == 2


def attempts(folder: Path) -> list[Path]:
    """Attempts that lie in the archive."""
    return list((folder / "archive").glob("2*/**/attempt.*"))


def send_patiently(paused: Process, step: int, ledger: Ledger) -> None:
    """Upload with a key, and wait as long as it takes."""
    key = {"Idempotency-Key": f"patient-{step}"}
    files, url = {"image": ("an image", dog(step))}, f"http://127.0.0.1:{paused.port}/upload"
    answer = httpx.post(url, files=files, headers=key, timeout=2 * PAUSE_SECONDS)
    assert answer.status_code == 202, f"{step} steps: {answer.text}"
    ledger.accepted(f"patient-{step}", answer.json()["image_id"], dog(step))


def send_impatiently(paused: Process, other: Process, step: int, ledger: Ledger) -> None:
    """Upload with a key, give up soon, and send it with the same key to another web server."""
    key = {"Idempotency-Key": f"impatient-{step}"}
    files, url = {"image": ("an image", dog(step))}, f"http://127.0.0.1:{paused.port}/upload"
    with pytest.raises(httpx.TimeoutException):
        httpx.post(url, files=files, headers=key, timeout=IMPATIENT_SECONDS)
    answer = other.send(dog(step), **key)
    assert answer.status_code == 202, f"{step} steps: {answer.text}"
    ledger.accepted(f"impatient-{step}", answer.json()["image_id"], dog(step))


def test_three_minutes_of_standing_still_lose_nothing_double_nothing_and_condemn_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive, ledger, began = in_folder(tmp_path), Ledger(), time.monotonic()
    # In the end the processes go first, so that nobody waits for their answers.
    with (
        ThreadPoolExecutor(2 * len(POINTS)) as threads,
        parts(tmp_path, archive, 1, 0) as running,
        ExitStack() as stack,
    ):
        [server] = running.web_servers
        pausing = [(*PAUSING_SERVE, str(step)) for step in POINTS]
        made = others(running, [*[CONSUME] * 4, *pausing, *pausing], tmp_path, **archive)
        consumers, patient, impatient, paused = made[:4], made[4 : -len(POINTS)], made[-len(POINTS) :], made[4:]
        for process in made:
            stack.push(process)
        list(threads.map(Process.start, consumers[:3]))
        stopped_in_an_analysis(running, consumers[:3], tmp_path, ledger)
        list(threads.map(Process.start, (consumers[3], *paused)))
        sending = [threads.submit(send_patiently, one, step, ledger) for step, one in enumerate(patient)]
        sending += [threads.submit(send_impatiently, one, server, step, ledger) for step, one in enumerate(impatient)]
        until(lambda: {state(one.pid) for one in paused} == {"T"}, "every web server stands still at its step")
        go_on_without_them(server, ledger)
        for process in (*consumers[1:3], *paused):
            os.killpg(process.pid, signal.SIGCONT)
        for sent in sending:
            sent.result(PATIENCE)
        verdict = judge(server, ledger, consumers)
        swept = time.monotonic()
        until(lambda: not list((tmp_path / "archive/outbox").iterdir()), "the outbox is empty", 75 + PATIENCE)
        until(lambda: not attempts(tmp_path), "no attempt is left")
        letters = dead_letters(running)
    with capsys.disabled():
        print(
            f"\npauses: {verdict}, {letters} dead letters; {PAUSED} web servers between two steps of accepting "
            f"and 2 consumers in an analysis stood still for {PAUSE_SECONDS:.0f} s; the outbox was empty "
            f"{time.monotonic() - swept:.0f} s later, in {time.monotonic() - began:.0f} s"
        )
    assert (verdict.lost, verdict.doubled, verdict.failed) == (0, 0, 0)
    assert letters == 0


def go_on_without_them(server: Process, ledger: Ledger) -> None:
    """Three minutes of uploads to a web server that does not stand still."""
    for number, _ in enumerate(within(PAUSE_SECONDS, pause=5)):
        content = dog(100 + number)
        ledger.accepted(f"meanwhile-{number}", server.accepted(content), content)
