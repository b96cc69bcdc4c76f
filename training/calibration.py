"""From scores to answers: a temperature a label, and the bands in which a model says that it does not know."""

import numpy as np
from numpy.typing import NDArray

from rayhound.domain import Band
from rayhound.evaluation.answers import Numbers, verdicts

COLDEST, HOTTEST = 0.1, 20.0
LEAST = 1e-7
MISTAKEN = 0.001
LIKELY = 0.5
WAYS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9)
LOWERS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)
UPPERS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98)


def sigmoid(logits: NDArray[np.floating]) -> Numbers:
    """Logits as probabilities."""
    return 1 / (1 + np.exp(-np.clip(np.asarray(logits, np.float64), -60, 60)))


def logits(scores: NDArray[np.floating]) -> Numbers:
    """Probabilities as logits."""
    kept = np.clip(np.asarray(scores, np.float64), LEAST, 1 - LEAST)
    return np.log(kept / (1 - kept))


def temperature(found: Numbers, shown: NDArray[np.floating]) -> float:
    """What the logits of one label are to be divided by, so that the labels that are `shown` surprise least."""

    def surprise(heat: float) -> float:
        likely = np.clip(sigmoid(found / np.exp(heat)), LEAST, 1 - LEAST)
        return float(-np.mean(shown * np.log(likely) + (1 - shown) * np.log(1 - likely)))

    low, high = np.log(COLDEST), np.log(HOTTEST)
    part = (np.sqrt(5) - 1) / 2
    for _ in range(60):  # a golden section: the surprise has one valley
        left, right = high - part * (high - low), low + part * (high - low)
        low, high = (low, right) if surprise(left) < surprise(right) else (left, high)
    return float(np.exp((low + high) / 2))


def band(scores: Numbers, shown: NDArray[np.floating], answered: float) -> Band:
    """The one band for all columns with which the fewest answers are wrong while the share `answered` gets one."""
    best, chosen = (np.inf, 0.0), Band(0.5, 0.5)
    for lower in LOWERS:
        for upper in UPPERS:
            said = verdicts(scores, [Band(lower, upper)] * scores.shape[1])
            known = (said >= 0).all(1)
            if known.mean() < answered:
                continue
            wrong = float((said[known] != shown[known]).any(1).mean())
            # Of equally good ones the narrower: it says "I don't know" less often.
            if (wrong, upper - lower) < best:
                best, chosen = (wrong, upper - lower), Band(lower, upper)
    return chosen


def split(scores: Numbers, shown: NDArray[np.floating]) -> Band:
    """The band of a label: it may be there from where one in a thousand of those without it reaches."""
    others = scores[shown < 0.5]
    low = min((way for way in WAYS if (others >= way).mean() <= MISTAKEN), default=WAYS[-1])
    return Band(low, max(low, LIKELY))
