"""Web servers, consumers and a broker apart: small misfortunes, each by itself."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.journey.ledger import Ledger, judge, send_until_accepted
from tests.journey.parts import KILLING_CONSUME, Parts, another, dead_letters, dog, in_folder, parts
from tests.journey.upping import CONSUME, PATIENCE, Process, within


@pytest.fixture
def archive(tmp_path: Path) -> dict[str, str]:
    return in_folder(tmp_path)


@pytest.fixture
def running(tmp_path: Path, archive: dict[str, str]) -> Iterator[Parts]:
    with parts(tmp_path, archive, web_servers=2, consumers=1) as one:
        yield one


def test_any_web_server_answers_for_any_image_and_waits_for_any_consumer(running: Parts) -> None:
    first, second = running.web_servers
    for number in range(5):
        image_id = first.accepted(dog(number))
        record = second.answered(image_id)
        assert record["status"] == "analysed"
        assert second.http.get(f"/images/{image_id}/content").content == dog(number)
    assert running.web_servers[0].stop() == 0
    assert running.consumers[0].stop() == 0


def test_twins_at_two_web_servers_make_one_image(running: Parts) -> None:
    with ThreadPoolExecutor(2) as threads:
        for number in range(10):
            headers = {"Idempotency-Key": f"twin-{number}"}
            sent = [threads.submit(server.send, dog(number), **headers) for server in running.web_servers]
            ids = {one.result().json()["image_id"] for one in sent}
            assert len(ids) == 1
            assert running.web_servers[0].answered(ids.pop())["status"] == "analysed"


def test_uploads_are_accepted_while_the_broker_is_away_and_analysed_once_it_is_back(running: Parts) -> None:
    server = running.web_servers[0]
    running.broker.kill()
    began = time.monotonic()
    ids = [server.accepted(dog(number)) for number in range(20)]
    assert time.monotonic() - began < PATIENCE, "an upload waits for a broker that is known to be away"
    assert server.ready()[0] == 200
    assert not server.ready()[1]["checks"]["queue"]["ok"]
    running.broker.start()
    assert {server.answered(i, 4 * PATIENCE)["status"] for i in ids} == {"analysed"}


def test_a_broker_that_lost_everything_is_repaired_by_requeue(running: Parts, archive: dict[str, str]) -> None:
    server, consumer = running.web_servers[0], running.consumers[0]
    consumer.stop()
    ids = [server.accepted(dog(number)) for number in range(10)]
    running.broker.kill()
    shutil.rmtree(running.broker.folder / "mnesia")
    running.broker.start()
    consumer.start()
    command = [sys.executable, "-m", "rayhound", "requeue"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAYHOUND_")}
    asked = subprocess.run(command, env=kept | archive, capture_output=True, text=True, timeout=PATIENCE)
    assert asked.returncode == 0, asked.stderr
    assert "15 s" in asked.stderr
    assert {server.answered(i, 4 * PATIENCE)["status"] for i in ids} == {"analysed"}


def test_a_consumer_of_another_archive_takes_nothing_and_says_why(running: Parts, tmp_path: Path) -> None:
    server, consumer = running.web_servers[0], running.consumers[0]
    consumer.stop()
    (tmp_path / "another").mkdir()
    with another(running, CONSUME, tmp_path, RAYHOUND_ARCHIVE=str(tmp_path / "another")) as wrong:
        ids = [server.accepted(dog(number)) for number in range(5)]
        why = until_unready(wrong, "requests")
        assert "archive" in why["detail"]
        assert "RAYHOUND_ARCHIVE" in why["hint"]
        assert "rayhound requeue" in why["hint"]
        assert {server.record(i)["status"] for i in ids} == {"queued"}
        consumer.start()
        assert {server.answered(i)["status"] for i in ids} == {"analysed"}
    assert dead_letters(running) == 0


def test_a_consumer_whose_folder_goes_away_condemns_nothing(
    running: Parts, archive: dict[str, str], tmp_path: Path
) -> None:
    server, consumer = running.web_servers[0], running.consumers[0]
    consumer.stop()
    ids = [server.accepted(dog(number)) for number in range(5)]
    mount = tmp_path / "mount"
    mount.symlink_to(archive["RAYHOUND_ARCHIVE"].removeprefix("file://"))
    with another(running, CONSUME, tmp_path, RAYHOUND_ARCHIVE=str(mount)) as moved:
        assert server.answered(ids[0])["status"] == "analysed"
        (tmp_path / "empty").mkdir()
        (tmp_path / "empty" / ".spool").mkdir()
        (tmp_path / "empty-link").symlink_to(tmp_path / "empty")
        (tmp_path / "empty-link").rename(mount)
        later = [server.accepted(dog(number)) for number in range(5, 10)]
        until_unready(moved, "requests")
        assert {server.record(i)["status"] for i in later} == {"queued"}
    consumer.start()
    assert {server.answered(i)["status"] for i in ids + later} == {"analysed"}
    assert dead_letters(running) == 0


def test_a_model_that_fails_on_everything_condemns_nothing(
    running: Parts, archive: dict[str, str], tmp_path: Path
) -> None:
    server, consumer = running.web_servers[0], running.consumers[0]
    consumer.stop()
    with another(running, (*KILLING_CONSUME, "all"), tmp_path, **archive) as failing:
        ids = [server.accepted(dog(number)) for number in range(5)]
        assert "self-test" in until_unready(failing, "analysers")["detail"]
        assert {server.record(i)["status"] for i in ids} == {"queued"}
    consumer.start()
    assert {server.answered(i)["status"] for i in ids} == {"analysed"}
    assert dead_letters(running) == 0


def test_restarts_one_after_another_lose_no_upload(running: Parts, capsys: pytest.CaptureFixture[str]) -> None:
    ledger, over = Ledger(), threading.Event()

    def restart_in_turn() -> int:
        rounds = 0
        while not over.is_set() and rounds < 3:
            for process in running.all:
                assert process.stop() == 0, process.log.read_text()[-2000:]
                process.start()
            rounds += 1
        return rounds

    with ThreadPoolExecutor(3) as threads:
        restarting = threads.submit(restart_in_turn)
        sent = [threads.submit(send_until_accepted, running.web_servers, ledger, n) for n in range(200)]
        for one in sent:
            one.result()
        over.set()
        rounds = restarting.result()
    verdict = judge(running.web_servers[0], ledger, running.consumers)
    with capsys.disabled():
        print(f"\nrestarts: {verdict}; {rounds} rounds of restarts")
    assert (verdict.uploads, verdict.lost, verdict.doubled, verdict.failed) == (200, 0, 0, 0)


def test_a_web_server_that_slept_for_long_loses_nothing(running: Parts) -> None:
    sleeper, other = running.web_servers
    with ThreadPoolExecutor(4) as threads:
        sending = [threads.submit(sleeper.send, dog(number)) for number in range(40)]
        time.sleep(0.3)
        os.kill(sleeper.pid, signal.SIGSTOP)
        time.sleep(5)
        assert other.answered(other.accepted(dog(99)))["status"] == "analysed"
        os.kill(sleeper.pid, signal.SIGCONT)
        ids = [one.result().json()["image_id"] for one in sending]
    assert {other.answered(i)["status"] for i in ids} == {"analysed"}


def until_unready(process: Process, name: str) -> dict[str, str]:
    """What /readyz says of one check, once it is not ok and has a hint."""
    for _ in within(PATIENCE):
        status, body = process.ready()
        check: dict[str, str] = body["checks"][name]
        if status == 503 and not check["ok"] and check.get("hint"):
            return check
    raise AssertionError(f"/readyz says {status}: {body}\n{process.log.read_text()[-3000:]}")
