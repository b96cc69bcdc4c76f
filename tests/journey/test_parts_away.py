"""The broker, or the archive, is away for a while: uploads are told the truth, and all goes on when it is back."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import s3server
from tests.journey.ledger import Ledger, judge
from tests.journey.network import Network
from tests.journey.parts import KILLING_CONSUME, Parts, another, dead_letters, dog, in_folder, parts
from tests.journey.upping import PATIENCE, SERVE, Process, within
from tests.killing import picture

BROKER_AWAY_SECONDS = 60.0
ARCHIVE_AWAY_SECONDS = 20.0
AT_ONCE_SECONDS = 2.0  # an upload that waited for a confirm would take 5
SWEEP_SECONDS = 75.0
IN_HAND = 12
# Whoever is told 503 may be told of doubt, so it is sent again with its key.
KEY = {"Idempotency-Key": "refused-at-first"}


def accept(server: Process, ledger: Ledger, content: bytes) -> str:
    """Upload an image that must be accepted, and write it down."""
    image_id = server.accepted(content)
    ledger.accepted(image_id, image_id, content)
    return image_id


def test_a_minute_without_the_broker_is_a_minute_of_prompt_uploads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger, took = Ledger(), []
    with parts(tmp_path, in_folder(tmp_path), web_servers=1, consumers=2) as running:
        [server] = running.web_servers
        running.broker.kill()
        for number, _ in enumerate(within(BROKER_AWAY_SECONDS, pause=0.3)):
            began = time.monotonic()
            accept(server, ledger, dog(number))
            took.append(time.monotonic() - began)
        waiting = server.metric("rayhound_outbox_markers")
        running.broker.start()
        verdict = judge(server, ledger, running.consumers)
        until_swept(server, tmp_path / "archive/outbox")
        letters = dead_letters(running)
    usual = sorted(took)[len(took) // 2]
    with capsys.disabled():
        print(
            f"\nbroker away for a minute: {verdict}, {letters} dead letters; half of the uploads took less than "
            f"{usual:.2f} s, and up to {waiting:.0f} markers waited"
        )
    assert usual < AT_ONCE_SECONDS, "uploads wait for a broker that is known to be away"
    assert waiting > 0
    assert (verdict.lost, verdict.doubled, verdict.failed, letters) == (0, 0, 0, 0)


def until_swept(server: Process, outbox: Path) -> None:
    """Wait until the outbox is empty, and the metrics say so."""
    for _ in within(SWEEP_SECONDS + PATIENCE):
        if not list(outbox.iterdir()) and server.metric("rayhound_outbox_markers") == 0:
            return
    raise AssertionError(f"{len(list(outbox.iterdir()))} markers are left: {server.log.read_text()[-3000:]}")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True).returncode != 0:
        pytest.skip("mounting a file system needs root")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def remount(folder: Path, how: str) -> None:
    """Make a file system read-only (`ro`) or writable (`rw`), as soon as no file in it is being written."""
    for _ in within(PATIENCE):
        if subprocess.run(["mount", "-o", f"remount,{how}", folder], capture_output=True).returncode == 0:
            return
    raise AssertionError(f"it cannot be remounted {how}")


def with_images_in_hand(server: Process, consumer: Process, ledger: Ledger, folder: Path) -> None:
    """Let a consumer have many images in hand, the first of which takes it some seconds."""
    consumer.until_ready()
    accept(server, ledger, picture("slow", folder).read_bytes())
    for number in range(IN_HAND):
        accept(server, ledger, dog(number))
    for _ in within(PATIENCE):
        if len(consumer.events("retrieved")) > 1:
            return
    raise AssertionError(f"it took nothing: {consumer.log.read_text()[-3000:]}")


def refused_while_away(server: Process, seconds: float) -> int:
    """Upload until a time is over; each must be refused with a reason, by a server that stays ready. How many were."""
    refused = 0
    for _ in within(seconds, pause=0.5):
        answer = server.send(dog(99), **KEY)
        assert answer.status_code == 503, answer.text
        assert answer.json()["detail"]
        assert answer.json()["hint"]
        assert answer.headers["Retry-After"]
        refused += 1
        status, body = server.ready()
        assert status == 200, "all web servers would be unready at once"
        assert not body["checks"]["archive"]["ok"]
        assert body["checks"]["archive"]["hint"]
    return refused


def goes_on(running: Parts, server: Process, consumer: Process, ledger: Ledger) -> str:
    """Once the archive is back: uploads are accepted, all is analysed, nothing was given back. The verdict's words."""
    for _ in within(PATIENCE):
        if (answer := server.send(dog(99), **KEY)).status_code == 202:
            break
        assert answer.status_code == 503, answer.text
    ledger.accepted(KEY["Idempotency-Key"], answer.json()["image_id"], dog(99))
    verdict = judge(server, ledger, [consumer])
    assert (verdict.lost, verdict.doubled, verdict.failed) == (0, 0, 0), verdict
    assert consumer.events("waiting"), "the consumer did not notice"
    assert not consumer.events("released")
    assert not consumer.events("rejected")
    assert dead_letters(running) == 0
    return str(verdict)


def test_an_archive_that_becomes_read_only_refuses_uploads_and_holds_deliveries(
    tmp_path: Path, disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive, ledger = in_folder(disk), Ledger()
    with parts(tmp_path, archive, 1, 0) as running, another(running, KILLING_CONSUME, tmp_path, **archive) as consumer:
        [server] = running.web_servers
        with_images_in_hand(server, consumer, ledger, tmp_path)
        remount(disk, "ro")
        try:
            refused = refused_while_away(server, ARCHIVE_AWAY_SECONDS)
            assert {server.record(i)["image_id"] for i in ledger.sha256} == set(ledger.sha256), "reading goes on"
            assert "queued" in {server.record(i)["status"] for i in ledger.sha256}
        finally:
            remount(disk, "rw")
        verdict = goes_on(running, server, consumer, ledger)
    with capsys.disabled():
        print(f"\narchive read-only for {ARCHIVE_AWAY_SECONDS:.0f} s: {verdict}; {refused} uploads refused meanwhile")


def test_a_bucket_that_is_away_refuses_uploads_and_holds_deliveries(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    s3, ledger = s3server.start(), Ledger()
    with Network() as network, parts(tmp_path, {}, 0, 0) as running:
        proxy = network.before(s3.port)
        archive = {**s3server.environment(proxy.port), "RAYHOUND_ARCHIVE": f"s3://{s3.bucket()}"}
        with (
            another(running, SERVE, tmp_path, **archive) as server,
            another(running, KILLING_CONSUME, tmp_path, **archive) as consumer,
        ):
            with_images_in_hand(server, consumer, ledger, tmp_path)
            proxy.refusing = True
            network.cut(proxy)
            refused = refused_while_away(server, ARCHIVE_AWAY_SECONDS)
            proxy.refusing = False
            verdict = goes_on(running, server, consumer, ledger)
    with capsys.disabled():
        print(f"\nbucket away for {ARCHIVE_AWAY_SECONDS:.0f} s: {verdict}; {refused} uploads refused meanwhile")
