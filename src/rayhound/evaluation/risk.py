"""Risk against coverage: how wrong a model would be if it answered the surest of the photos alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rayhound.evaluation.answers import Answers, Numbers

COVERAGES = (1.0, 0.99, 0.98, 0.97, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5)


@dataclass(frozen=True)
class Point:
    """With an answer for every photo at least so `certain`: the share that gets one, and the share of these wrong."""

    coverage: float
    risk: float
    certain: float


def curve(answers: Answers) -> tuple[Point, ...]:
    """Every point there is, the surest photos first; photos that are equally sure come in together."""
    certain, wrong = _photos(answers)
    order = np.argsort(-certain, kind="stable")
    certain, wrong = certain[order], wrong[order]
    counts = np.arange(1, len(certain) + 1)
    risks, coverages = np.cumsum(wrong) / counts, counts / max(1, len(certain))
    last = np.append(certain[1:] != certain[:-1], True)[: len(certain)]
    return tuple(Point(float(coverages[n]), float(risks[n]), float(certain[n])) for n in np.flatnonzero(last))


def at(points: Sequence[Point], coverages: Sequence[float] = COVERAGES) -> tuple[Point, ...]:
    """For each share of the photos the first point at which at least so many get an answer."""
    found = [next(point for point in points if point.coverage >= wanted - 1e-9) for wanted in coverages if points]
    return tuple(dict.fromkeys(found))


def _photos(answers: Answers) -> tuple[Numbers, Numbers]:
    """How sure the model is of each photo as a whole, and 1 where its likelier answer is wrong."""
    judged = answers.judged
    animals, wholes = judged.columns(False), judged.columns(True)
    scores = judged.scores[answers.is_photo]
    sure = np.concatenate([np.maximum(scores[:, animals], 1 - scores[:, animals]), 1 - scores[:, wholes]], 1)
    likelier = scores[:, animals] >= 0.5
    wrong = (likelier != answers.shown[answers.is_photo][:, animals]).any(1)
    return sure.min(1), wrong.astype(np.float64)
