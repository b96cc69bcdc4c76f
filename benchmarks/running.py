"""What is measured, as a benchmark sees it: a port that takes images, processes that use CPU, and stored analyses."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from tests.brokers import free_ports

TICK = os.sysconf("SC_CLK_TCK")
PATIENCE = 600.0
RAYHOUND = (sys.executable, "-m", "rayhound")


@dataclass(frozen=True)
class System:
    """Something that takes images and analyses them.

    `processes` are those that were started, by group; their children count with them. `stored` is the pattern of the
    files that analyses are stored in, `analysing` the group whose children analyse.
    """

    port: int
    processes: Mapping[str, Sequence[int]]
    data: Path
    stored: str = "2*/*/*/*/analysis.*.json"
    analysing: str = "consumers"

    @property
    def analysers(self) -> list[int]:
        """The process ids of those that decode and classify."""
        return [child for pid in self.processes.get(self.analysing, ()) for child in children(pid)]

    def cpu(self) -> dict[str, float]:
        """CPU seconds so far of each group, and of the analysers apart."""
        analysers = self.analysers
        used = {
            group: sum(cpu_seconds(one) for pid in pids for one in family(pid) if one not in analysers)
            for group, pids in self.processes.items()
        }
        return used | {"analysers": sum(map(cpu_seconds, analysers))}

    def signal_analysers(self, number: int) -> None:
        """Stop all analysers where they are, or let them go on."""
        for pid in self.analysers:
            os.kill(pid, number)

    def analyses(self) -> list[float]:
        """When each analysis was stored, by the file system's clock, sorted."""
        return sorted(path.stat().st_mtime for path in self.data.glob(self.stored))

    def until_analysed(self, count: int) -> list[float]:
        """The times of all analyses, once so many are there; asks seldom, so as not to be measured itself."""
        wait_for(lambda: len(self.analyses()) >= count, pause=0.5)
        return self.analyses()


@contextmanager
def started(command: Sequence[str], log: Path, environment: Mapping[str, str]) -> Iterator[int]:
    """The process id of a command that runs until the end of the block, and is killed there with all its children."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAYHOUND_")}
    with log.open("ab") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=out, env=kept | dict(environment), start_new_session=True
        )
    try:
        yield process.pid
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def up(folder: Path) -> Iterator[System]:
    """`rayhound up`: one process that serves and consumes, and its analysers."""
    (port,) = free_ports(1)
    command = (*RAYHOUND, "up", "--data", str(folder / "up"), "--port", str(port))
    with started(command, folder / "up.log", {}) as pid:
        until_ready(port)
        yield System(port, {"server": [pid]}, folder / "up", analysing="server")


def until_ready(port: int, path: str = "/readyz") -> None:
    """Wait until a GET is answered with 200."""

    def ready() -> bool:
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == 200
        finally:
            connection.close()

    wait_for(ready)


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
    raise TimeoutError("what is measured did not do it in time")


def children(pid: int) -> list[int]:
    """The children of a process, whichever of its threads started them."""
    return [int(word) for task in Path(f"/proc/{pid}/task").glob("*/children") for word in task.read_text().split()]


def family(pid: int) -> list[int]:
    """A process, its children, and theirs."""
    return [pid, *(one for child in children(pid) for one in family(child))]


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / TICK


def peak_memory(pid: int) -> float:
    """The largest resident size of a process so far, in MB."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) / 1000
