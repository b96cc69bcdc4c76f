"""From weights to the file: eight bits, temperatures, bands, and what it says of itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from rayhound.domain import Band
from rayhound.evaluation import manifest
from rayhound.evaluation.answers import Judged, Numbers
from training import calibration, export, pixels, quantization, sampling
from training.asking import Task
from training.making import SHARES
from training.progress import tracked

ANSWERED = 0.92  # of the photos never learnt from; of the model itself, which has learnt most, more get an answer


@dataclass(frozen=True)
class Heard:
    """The logits of images that a network never saw, and which rows they are of."""

    rows: NDArray[np.int64]
    logits: Numbers


@dataclass(frozen=True)
class Written:
    """What goes into a model file beside its weights; of the sources held out it sees nothing."""

    about: Mapping[str, str]
    temperatures: Sequence[float]
    held_out: frozenset[str] = frozenset()


def write(task: Task, weights: Path, to: Path, what: Written) -> None:
    """Write the model file of some weights, in eight bits, with its last layer divided by the temperatures."""
    found = dict(np.load(weights))
    heat = np.array(what.temperatures, np.float32)
    found["labels.weight"], found["labels.bias"] = found["labels.weight"] / heat[:, None], found["labels.bias"] / heat
    exact = to.with_suffix(".exact.onnx")
    about = {"labels": ",".join(task.labels), **what.about}  # whoever begins from the file asks for them
    export.write(exact, task.recipe.courses.student.network, task.recipe.side, found, about)
    quantization.quantize(exact, _examples(task, what.held_out), to)
    exact.unlink()


def heard(task: Task, model: Path, rows: NDArray[np.int64]) -> Heard:
    """What a model file answers to some rows, as logits."""
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    scores = []
    for row in tracked(f"asking {model.name}", rows.tolist(), len(rows)):
        square = pixels.square(task.rows[row].path, task.recipe.side)
        scores.append(session.run(None, {"image": square[None]})[0][0])
    return Heard(rows, calibration.logits(np.array(scores)))


def temperatures(task: Task, all_heard: Sequence[Heard]) -> list[float]:
    """One temperature a label, of everything that was heard."""
    found, shown = _together(task, all_heard)
    return [calibration.temperature(found[:, n], shown[:, n]) for n in range(len(task.labels))]


def bands(task: Task, all_heard: Sequence[Heard], heat: Sequence[float]) -> list[Band]:
    """The band of each label; one of the whole picture has its own, and photos alone decide the others'."""
    found, shown = _together(task, all_heard)
    scores = calibration.sigmoid(found / np.array(heat))
    wholes = [n for n, label in enumerate(task.labels) if label in task.whole]
    animals = [n for n, label in enumerate(task.labels) if label not in task.whole]
    is_photo = ~(shown[:, wholes] > 0.5).any(1)
    common = calibration.band(scores[is_photo][:, animals], shown[is_photo][:, animals], ANSWERED)
    made = dict.fromkeys(animals, common)
    made |= {n: calibration.split(scores[:, n], shown[:, n]) for n in wholes}
    return [made[n] for n in range(len(task.labels))]


def judged(task: Task, said: Heard, heat: Sequence[float]) -> Judged:
    """What was heard, beside what is true."""
    shown = manifest.targets([task.rows[n] for n in said.rows], task.labels)
    sources = tuple(task.rows[n].source for n in said.rows)
    return Judged(task.labels, task.whole, calibration.sigmoid(said.logits / np.array(heat)), shown, sources)


def _together(task: Task, all_heard: Sequence[Heard]) -> tuple[Numbers, NDArray[np.float32]]:
    rows = np.concatenate([said.rows for said in all_heard])
    return np.concatenate([said.logits for said in all_heard]), manifest.targets(
        [task.rows[n] for n in rows], task.labels
    )


def _examples(task: Task, held_out: frozenset[str]) -> NDArray[np.uint8]:
    likely = sampling.weights(task.rows, SHARES) * task.is_learnt(held_out)
    rows = sampling.drawn(likely / likely.sum(), quantization.EXAMPLES, (task.seed,))
    return np.stack([pixels.square(task.rows[row].path, task.recipe.side) for row in rows])
