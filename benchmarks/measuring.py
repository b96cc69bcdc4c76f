"""The measurements that benchmarks share, and how their figures are printed.

- drain: a backlog that was accepted while the analysers stood still, from the first stored analysis to the last;
- end to end: a sender on the same machine uploads while they analyse; from the first upload to the last analysis;
- accept: from request to `202`, with one sender and with eight.
"""

import argparse
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.photos import photos
from benchmarks.running import System
from benchmarks.sending import SENDERS, sent

WARM_UP = 16
TICK = 0.004  # how exactly a file system tells the time


@dataclass(frozen=True)
class Run:
    """What one measurement gave: images a second, and CPU milliseconds an image by group of processes."""

    rate: float
    costs: Mapping[str, float]

    def __str__(self) -> str:
        costs = ", ".join(f"{group} {cost:.2f}" for group, cost in self.costs.items())
        return f"{self.rate:.0f} images/s; CPU ms an image: {costs}"


@dataclass(frozen=True)
class Figures:
    """Figures of several rounds, by name."""

    found: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, figure: float) -> None:
        """Keep one round's figure."""
        self.found.setdefault(name, []).append(figure)

    def show(self) -> None:
        """Print the median of each, and the range."""
        for name, figures in self.found.items():
            median, least, most = statistics.median(figures), min(figures), max(figures)
            print(f"{name}: median {median:.2f} ({least:.2f}–{most:.2f})", flush=True)


def arguments(about: str | None, images: int) -> argparse.ArgumentParser:
    """The options that every benchmark has."""
    options = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--images", type=int, default=images, help=f"images a measurement; {images} unless given")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--photos", type=Path, help="a folder of JPEGs; drawn ones of 500×375 otherwise")
    return options


@contextmanager
def workplace(given: Path | None) -> Iterator[tuple[Path, list[Path]]]:
    """A folder to work in, on a disk, and the photos to send."""
    tempfile.tempdir = os.environ.get("TMPDIR", "/var/tmp")  # /tmp may be memory, where fsync costs nothing
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started ends with us
    with tempfile.TemporaryDirectory(prefix="rayhound-benchmark-") as name:
        yield Path(name), photos(given, Path(name))


def warm_up(system: System, sample: list[Path]) -> None:
    """Let every process do once what it will be measured at."""
    sent(system.port, sample, WARM_UP)
    system.until_analysed(WARM_UP)


def drain(system: System, sample: list[Path], count: int) -> Run:
    """A backlog, made while the analysers are stopped, and then drained."""
    had = len(system.analyses())
    system.signal_analysers(signal.SIGSTOP)
    sent(system.port, sample, count)
    before = system.cpu()
    system.signal_analysers(signal.SIGCONT)
    times = system.until_analysed(had + count)[-count:]
    return Run((count - 1) / max(times[-1] - times[0], TICK), _costs(system, before, count))


def end_to_end(system: System, sample: list[Path], count: int) -> Run:
    """Uploading and analysing at once, on the same cores."""
    had, before, began = len(system.analyses()), system.cpu(), time.time()
    sender = sent(system.port, sample, count).cpu
    last = system.until_analysed(had + count)[-1]
    return Run(count / (last - began), _costs(system, before, count) | {"sender": 1000 * sender / count})


def accept(name: str, system: System, sample: list[Path], count: int, figures: Figures) -> None:
    """Times to accept, of one sender with a quarter of the images, and of eight with all."""
    sent(system.port, sample, WARM_UP)
    for senders, share in ((1, max(1, count // 4)), (SENDERS, count)):
        times = sent(system.port, sample, share, senders)
        found = {percent: times.milliseconds(percent) for percent in (50, 99)}
        what = f"accept, {name}, {senders} sender{'s' * (senders > 1)}"
        print(f"  {what}: p50 {found[50]:.1f} ms, p99 {found[99]:.1f} ms", flush=True)
        for percent, milliseconds in found.items():
            figures.add(f"{what}, p{percent} ms", milliseconds)


def _costs(system: System, before: Mapping[str, float], count: int) -> dict[str, float]:
    return {group: 1000 * (seconds - before[group]) / count for group, seconds in system.cpu().items()}
