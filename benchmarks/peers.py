"""Rayhound beside Celery, FastAPI and RabbitMQ that do the same durable work.

    python -m benchmarks.peers [--images N] [--rounds N] [--photos FOLDER] [--celery PYTHON]

`benchmarks/celery_stack/__init__.py` tells what is the same, and what Celery's side does not promise. Each has one
process for HTTP, a new RabbitMQ node, and an analysing process for each core; all in one run on the same cores.
Rates are counted alike, by the time of each stored analysis, and so is every process's CPU: of the web server, of the
consumer or the worker (consumers), of its analysers or its pool (analysers), of the broker and of the sender.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

from benchmarks.bare import bare
from benchmarks.measuring import Figures, accept, arguments, workplace
from benchmarks.parts import Opening, compared, in_turn, parts, require_rabbitmq, serving
from benchmarks.running import System, started, until_ready, wait_for
from rayhound.analysers.cores import cores
from tests.brokers import RabbitBroker, free_ports, rabbitmq

ROOT = Path(__file__).parent.parent
CELERY = ROOT / ".venv/benchmarks/bin/python"
STACK = "benchmarks.celery_stack"


@contextmanager
def celery_serving(python: Path, broker: RabbitBroker, folder: Path) -> Iterator[System]:
    """The stack's web server and the broker, and nobody who analyses."""
    (port,) = free_ports(1)
    for name in ("images", "analyses", "spool"):
        (folder / name).mkdir()
    command = [str(python), "-m", "uvicorn", f"{STACK}.web:web", "--port", str(port)]
    with started(command, folder / "web.log", environment(broker, folder)) as pid:
        until_ready(port)
        yield System(port, {"web server": [pid], "broker": [broker.pid]}, folder, "analyses/*.json")


@contextmanager
def celery_stack(python: Path, broker: RabbitBroker, folder: Path) -> Iterator[System]:
    """The whole stack: its web server, one worker with a pool of as many processes as cores, and the broker."""
    log = folder / "worker.log"
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    pool = ["--pool", "prefork", "--concurrency", str(cores())]
    command = [str(python), "-m", "celery", "-A", f"{STACK}.queue", "worker", "--loglevel", "INFO", *pool, *quiet]
    with (
        celery_serving(python, broker, folder) as server,
        started(command, log, environment(broker, folder)) as pid,
    ):
        wait_for(lambda: " ready." in log.read_text())
        yield System(server.port, {**server.processes, "consumers": [pid]}, folder, server.stored)


def environment(broker: RabbitBroker, folder: Path) -> dict[str, str]:
    """What the stack's processes read."""
    return {
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}",
        "STACK_BROKER": broker.url,
        "STACK_DATA": str(folder),
        "OPENBLAS_NUM_THREADS": "1",  # as Rayhound's analysers have it
    }


@contextmanager
def with_broker(
    opening: Callable[[RabbitBroker, Path], AbstractContextManager[System]], folder: Path
) -> Iterator[System]:
    """A system with a broker of its own, since Celery's workers leave two dozen queues for delays in theirs."""
    with rabbitmq() as broker, opening(broker, folder) as system:
        yield system


def rayhound(broker: RabbitBroker, folder: Path) -> AbstractContextManager[System]:
    """The whole of Rayhound: its web server, one consumer with an analyser for each core, and the broker."""
    return parts(broker, 1, cores(), folder)


def rayhound_serving(broker: RabbitBroker, folder: Path) -> AbstractContextManager[System]:
    """Rayhound's web server and the broker, and nobody who analyses."""
    data = folder / "archive"
    data.mkdir()
    return serving(broker, {"RAYHOUND_ARCHIVE": str(data)}, folder)


def one_round(openings: dict[str, Opening], sample: list[Path], count: int, number: int, figures: Figures) -> None:
    """Measure both once."""
    loop = bare(sample, count)
    print(f"round {number + 1}: bare loop {loop:.0f} images/s on {cores()} cores", flush=True)
    for what, runs in compared(in_turn(openings, number), sample, count).items():
        for name, run in runs.items():
            figures.add(f"{what}, {name} / bare loop", run.rate / loop)
            figures.add(f"{what}, {name}, CPU ms an image", sum(run.costs.values()))
        figures.add(f"{what}, Rayhound / Celery", runs["Rayhound"].rate / runs["Celery"].rate)


def main() -> None:
    """Measure everything and print it."""
    options = arguments(__doc__, images=800)
    options.add_argument("--celery", type=Path, default=CELERY, help="a Python that has requirements/benchmarks.txt")
    given = options.parse_args()
    require_celery(given.celery)
    require_rabbitmq()
    figures = Figures()
    whole: dict[str, Opening] = {
        "Rayhound": partial(with_broker, rayhound),
        "Celery": partial(with_broker, partial(celery_stack, given.celery)),
    }
    serving_alone: dict[str, Opening] = {
        "Rayhound": partial(with_broker, rayhound_serving),
        "Celery": partial(with_broker, partial(celery_serving, given.celery)),
    }
    with workplace(given.photos) as (_, sample):
        for number in range(given.rounds):
            one_round(whole, sample, given.images, number, figures)
            for name, opening in in_turn(serving_alone, number).items():
                with tempfile.TemporaryDirectory() as folder, opening(Path(folder)) as system:
                    accept(name, system, sample, given.images, figures)
    figures.show()


def require_celery(python: Path) -> None:
    """End here with a hint unless this Python has Celery."""
    if not python.exists() or subprocess.run([python, "-c", "import celery, uvicorn, onnxruntime"]).returncode:
        sys.exit(f"error: {python} has no Celery to measure beside\nhint: `just bench-peers` installs it")


if __name__ == "__main__":
    main()
