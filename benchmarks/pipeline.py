"""How much of the bare loop of decode and classify is left once images are kept safe, queued and answered.

    python -m benchmarks.pipeline [--images N] [--rounds N] [--photos FOLDER]

All in one run on the same cores, so that the ratios mean something on a noisy machine: the bare loop against `rayhound
up` that drains a backlog, takes uploads while it analyses, and drains a backlog after a SIGKILL. Then times to accept
while it analyses, and the peak of memory of each process with 12-megapixel photos.
"""

import signal
import tempfile
from pathlib import Path

from benchmarks.bare import bare
from benchmarks.measuring import Figures, Run, accept, arguments, drain, end_to_end, warm_up, workplace
from benchmarks.photos import drawn
from benchmarks.running import peak_memory, up
from benchmarks.sending import sent
from rayhound.analysers.cores import cores

LARGE = 48


def runs(sample: list[Path], count: int, folder: Path) -> dict[str, Run]:
    """What one round measures of `rayhound up`."""
    with up(folder) as system:
        warm_up(system, sample)
        return {"drain": drain(system, sample, count), "end to end": end_to_end(system, sample, count)}


def drain_after_kill(sample: list[Path], count: int, folder: Path) -> float:
    """Images a second of a backlog whose process was killed and started again."""
    with up(folder) as system:
        system.signal_analysers(signal.SIGSTOP)
        sent(system.port, sample, count)
    with up(folder) as system:
        times = system.until_analysed(count)
        return (count - 1) / (times[-1] - times[0])


def memory(folder: Path) -> None:
    """The peak of each process with large photos."""
    large = folder / "large.jpg"
    large.write_bytes(drawn(1, (4000, 3000)))
    with up(folder) as system:
        sent(system.port, [large], LARGE)
        system.until_analysed(LARGE)
        analysers = [peak_memory(pid) for pid in system.analysers]
        (own,) = (peak_memory(pid) for pids in system.processes.values() for pid in pids)
    print(f"memory, 12-megapixel photos: server {own:.0f} MB, an analyser {max(analysers):.0f} MB")


def main() -> None:
    """Measure everything and print it."""
    given = arguments(__doc__, images=1600).parse_args()
    figures = Figures()
    with workplace(given.photos) as (place, sample):
        for number in range(given.rounds):
            loop = bare(sample, given.images)
            print(f"round {number + 1}: bare loop {loop:.0f} images/s on {cores()} cores", flush=True)
            with tempfile.TemporaryDirectory() as folder:
                for way, run in runs(sample, given.images, Path(folder)).items():
                    print(f"  {way}: {run}", flush=True)
                    figures.add(f"{way} / bare loop", run.rate / loop)
            with tempfile.TemporaryDirectory() as folder:
                rate = drain_after_kill(sample, given.images, Path(folder))
                figures.add("drain after a SIGKILL / bare loop", rate / loop)
            with tempfile.TemporaryDirectory() as folder, up(Path(folder)) as system:
                accept("up", system, sample, given.images // 2, figures)
        figures.show()
        memory(place)


if __name__ == "__main__":
    main()
