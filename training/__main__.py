"""One command from a folder of labelled images to a model file, its card and its figures.

    python -m training FOLDER OUT --rehearse SOURCE,SOURCE --rehearse SOURCE --whole radiograph

What is done already is found in OUT and not done again. See training/README.md.
"""

import argparse
import datetime
import json
import logging
import signal
import subprocess
import sys

import numpy as np

from rayhound.domain import RayhoundError
from rayhound.evaluation import figures
from training import finishing, learning, making, telling
from training.asking import Task, arguments, task
from training.finishing import Heard, Written
from training.progress import tell


def main() -> int:
    """Make a model; the exit status is 1, and an error says why, where it cannot be made, and 130 once interrupted."""
    given = arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that both ways to stop it end its helpers too
    logging.getLogger().setLevel(logging.ERROR)  # ONNX Runtime advises to simplify a network that is simple already
    usual = "further" if given.begin else "full" if learning.device().type == "cuda" else "frugal"
    try:
        _make(task(given, usual), given)
    except RayhoundError as e:
        tell(f"error: {e.detail}\nhint: {e.hint}")
        return 1
    except OSError as e:
        tell(f"error: {e}\nhint: make room if the disk is full; the same command goes on from what is whole")
        return 1
    except KeyboardInterrupt:
        tell("stopped; the same command goes on from the last epoch that was whole")
        return 130
    return 0


def _make(asked: Task, given: argparse.Namespace) -> None:
    tell(f"to learn from: {telling.summary(asked.rows)}")
    numbered = list(enumerate(asked.rehearsals, 1))
    weights = [making.make_weights(asked, f"rehearsal-{n}", said.held_out, said.begin) for n, said in numbered]
    student = making.make_weights(asked, "student", begin=asked.begin)
    if given.only_learn:
        return
    plain = [1.0] * len(asked.labels)
    unseen = []
    for (number, said), file in zip(numbered, weights, strict=True):
        model = given.out / f"rehearsal-{number}.onnx"
        finishing.write(asked, file, model, Written({"name": model.stem}, plain, said.held_out))
        rows = np.array([n for n, row in enumerate(asked.rows) if row.source in said.held_out])
        unseen.append(finishing.heard(asked, model, rows))
    raw = given.out / "student.onnx"
    finishing.write(asked, student, raw, Written({"name": "student"}, plain))
    kept_back = np.array([n for n, row in enumerate(asked.rows) if row.split == "val"])
    val = finishing.heard(asked, raw, kept_back)
    _finish(asked, given, unseen, val)


def _finish(asked: Task, given: argparse.Namespace, unseen: list[Heard], val: Heard) -> None:
    """Calibrate on what was never seen, write the file with that, and say how right it is."""
    heat = finishing.temperatures(asked, [*unseen, val])
    bands = finishing.bands(asked, [*unseen, val], heat)
    measured = {"kept back of every source": figures.figures(finishing.judged(asked, val, heat), bands)}
    for number, said in enumerate(unseen, 1):
        judged = finishing.judged(asked, said, heat)
        measured[f"rehearsal {number}, all"] = figures.figures(judged, bands)
        measured |= figures.by_source(judged, bands)
    model = telling.Model(
        given.name,
        given.version,
        asked.labels,
        asked.whole,
        asked.recipe.side,
        heat,
        bands,
        telling.summary(asked.rows, asked.begin.name if asked.begin else None),
        given.rights,
        datetime.date.today().isoformat(),
        given.commit or _commit(),
    )
    first = measured.get("rehearsal 1, all", measured["kept back of every source"])
    made = given.out / f"{given.name}.onnx"
    finishing.write(asked, given.out / "student.npz", made, Written(telling.metadata(model, first), heat))
    (given.out / "figures.json").write_text(json.dumps(measured, indent=1))
    (given.out / "card.md").write_text(telling.card(model, measured))
    tell(telling.table(measured))
    tell(f"{made} is the model, {given.out / 'card.md'} its card; `rayhound model --model {made}` shows it")


def _commit() -> str:
    said = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return said.stdout.strip() or "unknown"


if __name__ == "__main__":
    sys.exit(main())
