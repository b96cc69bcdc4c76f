"""One command from a folder of labelled images to a model file, its card and its figures.

    python -m training FOLDER OUT --rehearse SOURCE,SOURCE --rehearse SOURCE --whole radiograph

What is done already is found in OUT and not done again. See training/README.md.
"""

import argparse
import datetime
import json
import subprocess
from pathlib import Path

import numpy as np

from rayhound.evaluation import figures
from rayhound.evaluation.manifest import labels_of
from training import beginning, finishing, learning, making, manifest, telling
from training.finishing import Heard, Written
from training.making import Task
from training.progress import tell
from training.recipe import RECIPES


def arguments() -> argparse.Namespace:
    """What the command line says."""
    options = argparse.ArgumentParser(
        "python -m training", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("folder", type=Path, help="the images and their manifest.csv")
    options.add_argument("out", type=Path, help="where everything goes; run again, it goes on from there")
    options.add_argument("--recipe", choices=RECIPES, help="full where there is a GPU, else frugal, unless given")
    options.add_argument(
        "--rehearse",
        action="append",
        default=[],
        metavar="SOURCES",
        help="hold these out once, to measure and calibrate",
    )
    options.add_argument(
        "--begin",
        action="append",
        default=[],
        type=Path,
        metavar="MODEL",
        help="go on from this model file; then one for each --rehearse, which must not have learnt from its sources",
    )
    options.add_argument(
        "--whole", default="", metavar="LABELS", help="labels of the whole picture, such as radiograph"
    )
    options.add_argument("--sources", default="", metavar="SOURCES", help="use these alone")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--name", default="rayhound")
    options.add_argument("--version", default="1")
    options.add_argument("--rights", default="not stated", help="of the training data, for the card")
    options.add_argument("--commit", help="of the code; asked of git unless given")
    options.add_argument("--only-learn", action="store_true", help="stop when the weights are there")
    given = options.parse_args()
    if given.begin and len(given.begin) != 1 + len(given.rehearse):
        options.error(f"{1 + len(given.rehearse)} --begin are asked: the model's, and one for each --rehearse")
    if given.recipe and (given.recipe == "further") != bool(given.begin):
        options.error("--begin and --recipe further go together")
    return given


def main() -> None:
    """Make a model."""
    given = arguments()
    given.out.mkdir(parents=True, exist_ok=True)
    task = _task(given)
    rehearsals = [frozenset(text.split(",")) for text in given.rehearse]
    begin = given.begin or [None] * (1 + len(rehearsals))
    weights = {
        f"rehearsal-{n}": making.make_weights(task, f"rehearsal-{n}", held, begin[n])
        for n, held in enumerate(rehearsals, 1)
    }
    student = making.make_weights(task, "student", begin=begin[0])
    if given.only_learn:
        return
    plain = [1.0] * len(task.labels)
    unseen = []
    for (name, file), held in zip(weights.items(), rehearsals, strict=True):
        model = given.out / f"{name}.onnx"
        finishing.write(task, file, model, Written({"name": name}, plain, held))
        rows = np.array([n for n, row in enumerate(task.rows) if row.source in held])
        unseen.append(finishing.heard(task, model, rows))
    finishing.write(task, student, given.out / "plain.onnx", Written({"name": given.name}, plain))
    kept_back = np.array([n for n, row in enumerate(task.rows) if row.split == "val"])
    val = finishing.heard(task, given.out / "plain.onnx", kept_back)
    _finish(task, given, unseen, val)


def _task(given: argparse.Namespace) -> Task:
    rows = manifest.read(given.folder)
    if given.sources:
        rows = [row for row in rows if row.source in given.sources.split(",")]
    labels = labels_of(rows)
    usual = "further" if given.begin else "full" if learning.device().type == "cuda" else "frugal"
    recipe = RECIPES[given.recipe or usual]
    whole = frozenset(given.whole.split(",")) & set(labels)
    return Task(rows, labels, whole, recipe, given.seed, given.out)


def _finish(task: Task, given: argparse.Namespace, unseen: list[Heard], val: Heard) -> None:
    """Calibrate on what was never seen, write the file with that, and say how right it is."""
    heat = finishing.temperatures(task, [*unseen, val])
    bands = finishing.bands(task, [*unseen, val], heat)
    measured = {"kept back of every source": figures.figures(finishing.judged(task, val, heat), bands)}
    for number, said in enumerate(unseen, 1):
        judged = finishing.judged(task, said, heat)
        measured[f"rehearsal {number}, all"] = figures.figures(judged, bands)
        measured |= figures.by_source(judged, bands)
    begun = beginning.read(given.begin[0], task.recipe.courses.student.network).name if given.begin else None
    model = telling.Model(
        given.name,
        given.version,
        task.labels,
        task.whole,
        task.recipe.side,
        heat,
        bands,
        telling.summary(task.rows, begun),
        given.rights,
        datetime.date.today().isoformat(),
        given.commit or _commit(),
    )
    first = measured.get("rehearsal 1, all", measured["kept back of every source"])
    made = given.out / f"{given.name}.onnx"
    finishing.write(task, given.out / "student.npz", made, Written(telling.metadata(model, first), heat))
    (given.out / "figures.json").write_text(json.dumps(measured, indent=1))
    (given.out / "card.md").write_text(telling.card(model, measured))
    tell(telling.table(measured))


def _commit() -> str:
    said = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return said.stdout.strip() or "unknown"


if __name__ == "__main__":
    main()
