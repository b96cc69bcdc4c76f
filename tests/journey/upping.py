"""Rayhound as real processes: started, asked, killed and started again."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

PATIENCE = 60.0
RAYHOUND = (sys.executable, "-m", "rayhound", "up")
SERVE = (sys.executable, "-m", "rayhound", "serve")
CONSUME = (sys.executable, "-m", "rayhound", "consume")


class Server:
    """One part of Rayhound on one port, of this machine at first, whoever runs it; every run appends to one log."""

    def __init__(self, log: Path, port: int, host: str = "127.0.0.1") -> None:
        self.log, self.port = log, port
        # No connection is kept: the server at its other end may have been killed since.
        unkept = httpx.Limits(max_keepalive_connections=0)
        self.http = httpx.Client(base_url=f"http://{host}:{port}", timeout=PATIENCE, limits=unkept)

    def answers(self) -> bool:
        """Whether /livez says yes."""
        with suppress(httpx.TransportError):
            return self.http.get("/livez").status_code == 200
        return False

    def send(self, content: bytes, **headers: str) -> httpx.Response:
        """Upload some bytes."""
        return self.http.post("/upload", files={"image": ("an image", content)}, headers=headers)

    def accepted(self, content: bytes) -> str:
        """Upload some bytes that must be accepted; the image's id."""
        answer = self.send(content)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["image_id"])

    def record(self, image_id: str) -> dict[str, Any]:
        """The record of an image as it is now."""
        record: dict[str, Any] = self.http.get(f"/images/{image_id}").json()
        return record

    def answered(self, image_id: str, seconds: float = 2 * PATIENCE) -> dict[str, Any]:
        """The record of an image once it is no longer queued."""
        for _ in within(seconds):
            wait = {"Prefer": "wait=5"}
            record: dict[str, Any] = self.http.get(f"/images/{image_id}", headers=wait).json()
            if record["status"] != "queued":
                return record
        raise AssertionError(f"still queued: {record}\n{self.log.read_text()[-3000:]}")

    def ready(self) -> tuple[int, dict[str, Any]]:
        """The status and body of /readyz."""
        answer = self.http.get("/readyz")
        return answer.status_code, answer.json()

    def until_ready(self) -> None:
        """Wait until /readyz says yes."""
        for _ in within(PATIENCE):
            status, body = self.ready()
            if status == 200:
                return
        raise AssertionError(f"/readyz says {status}: {body}\n{self.log.read_text()[-3000:]}")

    def until_unsound(self) -> dict[str, str]:
        """What /readyz says of the analysers, once they have failed their self-test."""
        for _ in within(PATIENCE):
            status, body = self.ready()
            check: dict[str, str] = body["checks"]["analysers"]
            if status == 503 and "hint" in check:
                return check
        raise AssertionError(f"/readyz says {status}: {body}\n{self.log.read_text()[-3000:]}")

    def metric(self, name: str) -> float:
        """What /metrics says of a metric without labels."""
        lines = self.http.get("/metrics").text.splitlines()
        return next(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{name} "))

    def events(self, name: str) -> list[dict[str, str]]:
        """The fields of every log line of one event, of all runs."""
        return events_in(self.log, name)


class Process(Server):
    """One part of Rayhound as a process of ours, and whoever serves its port at the moment."""

    def __init__(self, log: Path, port: int, command: Sequence[str], environment: Mapping[str, str]) -> None:
        super().__init__(log, port)
        self.command = [*command]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("RAYHOUND_", "AWS_"))}
        self._environment = kept | dict(environment)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        self.http.close()

    def start(self) -> None:
        """Start it, and wait until it answers; an unexpected end tells its log."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command, stdout=log, stderr=log, env=self._environment, start_new_session=True
            )
        for _ in within(PATIENCE):
            if self.answers():
                return
            assert self._process.poll() is None, self.log.read_text()[-3000:]
        raise AssertionError(f"it did not start: {self.log.read_text()[-3000:]}")

    def kill(self) -> None:
        """SIGKILL to it and all its children at once."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(PATIENCE)

    def stop(self) -> int:
        """SIGTERM, and its exit status."""
        assert self._process is not None
        self._process.terminate()
        return self.wait()

    def wait(self) -> int:
        """Its exit status, once it has ended."""
        assert self._process is not None
        return self._process.wait(PATIENCE)

    @property
    def ended(self) -> bool:
        """Whether it ended by itself."""
        return self._process is not None and self._process.poll() is not None

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid


class Up(Process):
    """`rayhound up` on a folder."""

    def __init__(self, data: Path, port: int, command: Sequence[str] = RAYHOUND, **environment: str) -> None:
        where = ["--data", str(data), "--port", str(port)]
        super().__init__(data.parent / f"{data.name}.log", port, [*command, *where], environment)
        self.data = data


def events_in(log: Path, name: str) -> list[dict[str, str]]:
    """The fields of every line of one event in a log."""
    lines = (line.split() for line in log.read_text(errors="replace").splitlines())
    found = (words[3:] for words in lines if len(words) > 3 and words[2] == name)
    return [dict(word.split("=", 1) for word in words if "=" in word) for words in found]


def peak(pid: int) -> int:
    """The most memory that a process ever had, in bytes."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) * 1024


def within(seconds: float, pause: float = 0.05) -> Iterator[None]:
    """Try again and again, until a time is over."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        yield
        time.sleep(pause)


@contextmanager
def other_runs(up: Up) -> Iterator[subprocess.Popen[bytes]]:
    """A second `rayhound up` on the same folder, on a port of its own."""
    command = [*RAYHOUND, "--data", str(up.data), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()
