"""Whether probabilities keep their word: of all answers given with 0.9, nine in ten should be right."""

from dataclasses import dataclass

import numpy as np

from rayhound.evaluation.answers import Mask, Numbers

BINS = 10


@dataclass(frozen=True)
class Bin:
    """Probabilities that lie close together: how many, their mean, and the share of them that came true."""

    count: int
    said: float
    came: float


def bins(scores: Numbers, shown: Mask) -> tuple[Bin, ...]:
    """Those of ten equal bins from 0 to 1 that any probability falls into, whichever label it is of."""
    flat, came = scores.ravel(), shown.ravel()
    places = np.minimum((flat * BINS).astype(int), BINS - 1)
    each = [places == n for n in range(BINS)]
    return tuple(Bin(int(at.sum()), float(flat[at].mean()), float(came[at].mean())) for at in each if at.any())


def calibration_error(scores: Numbers, shown: Mask) -> float | None:
    """How far probabilities are from what came true, over ten bins, weighed by how many fall into each."""
    found = bins(scores, shown)
    gaps = [abs(one.said - one.came) * one.count for one in found]
    return sum(gaps) / sum(one.count for one in found) if found else None
