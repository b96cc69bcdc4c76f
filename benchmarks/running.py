"""`rayhound up` as a benchmark sees it: a process with children, CPU seconds and a peak of memory."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
PATIENCE = 600.0


@dataclass(frozen=True)
class Server:
    """A running `rayhound up`."""

    process: subprocess.Popen[bytes]
    port: int
    data: Path

    @property
    def analysers(self) -> list[int]:
        """The process ids of its analysers."""
        return [int(p) for p in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()]

    def get(self, path: str) -> tuple[int, bytes]:
        """Status and content of one answer."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", path)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, content

    def cpu(self) -> tuple[float, float]:
        """CPU seconds so far: of the process that serves and consumes, and of its analysers."""
        return cpu_seconds(self.process.pid), sum(map(cpu_seconds, self.analysers))

    def signal_analysers(self, number: int) -> None:
        """Stop all analysers where they are, or let them go on."""
        for pid in self.analysers:
            os.kill(pid, number)

    def analyses(self) -> list[float]:
        """When each analysis was stored, by the file system's clock, sorted."""
        return sorted(path.stat().st_mtime for path in self.data.glob("2*/*/*/*/analysis.*.json"))

    def until_analysed(self, count: int) -> list[float]:
        """The times of so many analyses, once they are there; asks seldom, so as not to be measured itself."""
        wait_for(lambda: len(self.analyses()) >= count, pause=1.0)
        return self.analyses()


@contextmanager
def up(data: Path, *options: str) -> Iterator[Server]:
    """Run it until the end of the block, and kill it there."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = int(s.getsockname()[1])
    command = [sys.executable, "-m", "rayhound", "up", "--data", str(data), "--port", str(port), *options]
    with data.with_suffix(".log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    server = Server(process, port, data)
    try:
        wait_for(lambda: server.get("/readyz")[0] == 200)
        yield server
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_for(what: Callable[[], bool], pause: float = 0.05) -> None:
    """Wait until a call says yes."""
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends:
        try:
            if what():
                return
        except OSError:
            pass
        time.sleep(pause)
    raise TimeoutError("the server did not do it in time")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / TICK


def peak_memory(pid: int) -> float:
    """The largest resident size of a process so far, in MB."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) / 1000
