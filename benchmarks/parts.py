"""What it costs to be many parts: web server, RabbitMQ and consumer, against `rayhound up` and the bare loop.

    python -m benchmarks.parts [--images N] [--rounds N] [--photos FOLDER]

All in one run on the same cores, the broker's among them; the contenders take turns at going first:

- one web server and one consumer with an analyser for each core, against `rayhound up` and the bare loop;
- two consumers of one analyser each, against one of them;
- times to accept with an archive in a folder and in a bucket, with one sender and with eight, while nobody analyses.

It starts a RabbitMQ and an S3 server of its own, as the tests do (see CONTRIBUTING.md for how to get them).
"""

import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path

from benchmarks.bare import bare
from benchmarks.measuring import Figures, Run, accept, arguments, drain, end_to_end, warm_up, workplace
from benchmarks.running import RAYHOUND, System, started, until_ready, up
from rayhound.analysers.cores import cores
from tests import s3server
from tests.brokers import Installed, RabbitBroker, free_ports, rabbitmq

Opening = Callable[[Path], AbstractContextManager[System]]


@contextmanager
def parts(broker: RabbitBroker, consumers: int, analysers: int, folder: Path) -> Iterator[System]:
    """One web server and some consumers on a new folder, and the broker."""
    data = folder / "archive"
    data.mkdir()
    shared = {"RAYHOUND_ARCHIVE": str(data), "RAYHOUND_ANALYSERS": str(analysers)}
    with ExitStack() as stack:
        server = stack.enter_context(serving(broker, shared, folder))
        pids = []
        for number, metrics in enumerate(free_ports(consumers)):
            own = {"RAYHOUND_QUEUE": broker.url, "RAYHOUND_HOST": "127.0.0.1", "RAYHOUND_METRICS_PORT": str(metrics)}
            log = folder / f"consume-{number}.log"
            pids.append(stack.enter_context(started((*RAYHOUND, "consume"), log, shared | own)))
            until_ready(metrics)
        yield System(server.port, {**server.processes, "consumers": pids}, data)


@contextmanager
def serving(broker: RabbitBroker, archive: Mapping[str, str], folder: Path) -> Iterator[System]:
    """A web server and the broker, and nobody who analyses. What is left in the queue goes with them."""
    (port,) = free_ports(1)
    own = {"RAYHOUND_QUEUE": broker.url, "RAYHOUND_HOST": "127.0.0.1", "RAYHOUND_PORT": str(port)}
    try:
        with started((*RAYHOUND, "serve"), folder / "serve.log", {**archive, **own}) as pid:
            until_ready(port)
            yield System(port, {"web server": [pid], "broker": [broker.pid]}, folder)
    finally:
        broker.ctl("delete_queue", "images")


def compared(openings: Mapping[str, Opening], sample: list[Path], count: int) -> dict[str, dict[str, Run]]:
    """One round of systems that do the same, in the order given: by measurement, then by system."""
    runs: dict[str, dict[str, Run]] = {}
    for name, opening in openings.items():
        with tempfile.TemporaryDirectory() as folder, opening(Path(folder)) as system:
            warm_up(system, sample)
            for what, measure in (("drain", drain), ("end to end", end_to_end)):
                run = runs.setdefault(what, {})[name] = measure(system, sample, count)
                print(f"  {what}, {name}: {run}", flush=True)
    return runs


def in_turn(openings: Mapping[str, Opening], number: int) -> dict[str, Opening]:
    """The order of a round: each second one the other way round."""
    return dict(list(openings.items())[:: -1 if number % 2 else 1])


def archives(folder: Path) -> dict[str, dict[str, str]]:
    """The settings of an archive of each kind that there is."""
    data = folder / "accepted"
    data.mkdir()
    found = {"folder": {"RAYHOUND_ARCHIVE": str(data)}}
    if s3server.binary() is None:
        print(f"hint: install versitygw {s3server.VERSION} to measure a bucket too: tests/s3server.py", file=sys.stderr)
    else:
        server = s3server.start()
        found["bucket"] = {"RAYHOUND_ARCHIVE": f"s3://{server.bucket()}", **s3server.environment(server.port)}
    return found


def one_round(broker: RabbitBroker, sample: list[Path], count: int, number: int, figures: Figures) -> None:
    """Measure the pipeline and the consumers once."""
    loop = bare(sample, count)
    print(f"round {number + 1}: bare loop {loop:.0f} images/s on {cores()} cores", flush=True)
    pipelines: dict[str, Opening] = {"up": up, "parts": partial(parts, broker, 1, cores())}
    for what, runs in compared(in_turn(pipelines, number), sample, count).items():
        figures.add(f"{what}, up / bare loop", runs["up"].rate / loop)
        figures.add(f"{what}, parts / bare loop", runs["parts"].rate / loop)
        figures.add(f"{what}, parts / up", runs["parts"].rate / runs["up"].rate)
    consumers: dict[str, Opening] = {f"consumers: {n}": partial(parts, broker, n, 1) for n in (1, 2)}
    for what, runs in compared(in_turn(consumers, number), sample, count).items():
        figures.add(f"{what}, two consumers / one", runs["consumers: 2"].rate / runs["consumers: 1"].rate)


def main() -> None:
    """Measure everything and print it."""
    given = arguments(__doc__, images=800).parse_args()
    require_rabbitmq()
    figures = Figures()
    with workplace(given.photos) as (place, sample), rabbitmq() as broker:
        kept = archives(place)
        for number in range(given.rounds):
            one_round(broker, sample, given.images, number, figures)
            for where, archive in kept.items():
                with tempfile.TemporaryDirectory() as folder, serving(broker, archive, Path(folder)) as system:
                    accept(where, system, sample, given.images, figures)
    figures.show()


def require_rabbitmq() -> None:
    """End here with a hint unless RabbitMQ is installed."""
    if Installed.missing():
        sys.exit("error: there is no rabbitmq-server\nhint: install RabbitMQ; no service of the system needs to run")


if __name__ == "__main__":
    main()
