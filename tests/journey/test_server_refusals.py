"""A refusal is read by the real curl, however much it is about to send, and is never seen as a reset."""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rayhound.adapters.memory import MemoryArchive
from rayhound.domain import Limits
from rayhound.ports import Storage
from tests.journey.serving import answer, picture, served, upload

HUGE = 300_000_000
LIMITS = Limits(body=2 * HUGE, linger=15)


class NearlyFull(MemoryArchive):
    """An archive with room for small images alone."""

    async def ping(self) -> Storage:
        return Storage(datetime.now(UTC), 60_000_000, 1_000_000_000)


@dataclass(frozen=True)
class Refusal:
    status: int
    limits: Limits = LIMITS
    archive: Callable[[], MemoryArchive] = MemoryArchive
    early: bool = True


REFUSALS = [
    Refusal(413, replace(LIMITS, body=1_000_000)),
    Refusal(429, replace(LIMITS, uploads=0)),
    Refusal(507, archive=NearlyFull),
    Refusal(415, early=False),
]


@pytest.fixture(scope="module")
def huge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("huge") / "huge.jpg"
    with path.open("wb") as file:
        file.truncate(HUGE)
    return path


def curl(*words: str) -> subprocess.CompletedProcess[str]:
    if shutil.which("curl") is None:
        pytest.skip("there is no curl")
    command = [
        "curl",
        "--silent",
        "--show-error",
        "--include",
        "--max-time",
        "60",
        "--write-out",
        "\n%{size_upload}",
        *words,
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)


@pytest.mark.parametrize("expect", [True, False], ids=["expect", "without-expect"])
@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda r: str(r.status))
def test_curl_reads_why_300_megabytes_are_refused(tmp_path: Path, huge: Path, refusal: Refusal, expect: bool) -> None:
    with served(tmp_path, refusal.limits, refusal.archive()) as server:
        header = [] if expect else ["--header", "Expect:"]
        done = curl(*header, "--form", f"image=@{huge}", f"{server.url}/upload")
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        *_, content, sent = done.stdout.splitlines()
        said = json.loads(content)
        assert said["status"] == refusal.status
        assert said["hint"]
        if expect and refusal.early:
            assert int(sent) == 0
        assert server.spooled() == []


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda r: str(r.status))
def test_a_client_that_reads_only_after_it_sent_everything_reads_why(tmp_path: Path, refusal: Refusal) -> None:
    with served(tmp_path, refusal.limits, refusal.archive()) as server, server.connect() as blind:
        blind.sendall(upload(bytes(50_000_000)))
        assert answer(blind)[0] == refusal.status


def test_a_wrong_content_type_is_refused_before_its_body(tmp_path: Path, huge: Path) -> None:
    with served(tmp_path, LIMITS) as server:
        done = curl("--upload-file", str(huge), "--request", "POST", f"{server.url}/upload")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout.splitlines()[-2])["status"] == 400


def test_a_body_where_none_is_expected_is_refused_as_kindly(tmp_path: Path, huge: Path) -> None:
    with served(tmp_path, LIMITS) as server:
        done = curl("--header", "Expect:", "--form", f"image=@{huge}", f"{server.url}/nothing")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout.splitlines()[-2])["status"] == 404


@pytest.mark.parametrize("refusal", [r for r in REFUSALS if r.early], ids=lambda r: str(r.status))
def test_a_client_that_expects_100_continue_is_refused_without_it(tmp_path: Path, refusal: Refusal) -> None:
    with served(tmp_path, refusal.limits, refusal.archive()) as server, server.connect() as polite:
        polite.sendall(announcing(HUGE))
        status, text = answer(polite)
        assert status == refusal.status
        assert "connection: close" in text


def test_a_client_that_expects_100_continue_gets_it_when_it_is_welcome(tmp_path: Path) -> None:
    with served(tmp_path, LIMITS) as server, server.connect() as polite:
        whole = upload(picture(), "Expect: 100-continue\r\n")
        head, _, body = whole.partition(b"\r\n\r\n")
        polite.sendall(head + b"\r\n\r\n")
        assert answer(polite)[0] == 100
        polite.sendall(body)
        assert answer(polite)[0] == 202


def test_an_unread_body_is_thrown_away_for_a_bounded_time_only(tmp_path: Path) -> None:
    with served(tmp_path, replace(LIMITS, uploads=0, linger=0.3)) as server, server.connect() as endless:
        endless.sendall(announcing(HUGE).replace(b"Expect: 100-continue\r\n", b""))
        assert answer(endless)[0] == 429
        with pytest.raises(ConnectionError):
            pour(endless)


def test_a_slot_is_free_while_a_refused_body_is_thrown_away(tmp_path: Path) -> None:
    with served(tmp_path, replace(LIMITS, uploads=1)) as server, server.connect() as refused:
        refused.sendall(upload(b"no image" * 1000, "X-Correlation-ID: !\r\n")[:2000])
        assert answer(refused)[0] == 400
        with server.connect() as next_one:
            next_one.sendall(upload(picture()))
            assert answer(next_one)[0] == 202


def announcing(size: int) -> bytes:
    head = upload(b"", "Expect: 100-continue\r\n").partition(b"Content-Length")[0]
    return head + b"Content-Length: %d\r\n\r\n" % size


def pour(connection: socket.socket) -> None:
    for _ in range(HUGE // 100_000):
        connection.sendall(bytes(100_000))
        time.sleep(0.005)
