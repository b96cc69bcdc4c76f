"""Which images an epoch shows, and how often: no source and no answer drowns the others."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rayhound.evaluation.manifest import Row

# A source ten times as large is shown four times as often: 10 ** (1 - 0.4).
EVENNESS = 0.4


def weights(rows: Sequence[Row], shares: dict[str, float]) -> NDArray[np.float64]:
    """How likely each row is drawn. `shares` weighs answers against each other; one that is not named has 1.

    An answer is the labels of a row joined by `+`, or `neither`.
    """
    answers = [answer(row) for row in rows]
    sizes = Counter((row.source, answer) for row, answer in zip(rows, answers, strict=True))
    each = np.array([sizes[row.source, answer] ** -EVENNESS for row, answer in zip(rows, answers, strict=True)])
    for group in set(answers):
        chosen = np.array([answer == group for answer in answers])
        each[chosen] *= shares.get(group, 1.0) / each[chosen].sum()
    drawn: NDArray[np.float64] = each / each.sum()
    return drawn


def answer(row: Row) -> str:
    """What a row shows, in one word."""
    return "+".join(sorted(row.labels)) or "neither"


def drawn(likely: NDArray[np.float64], count: int, seed: tuple[int, ...]) -> NDArray[np.int64]:
    """The rows of one epoch, in order: each as often as its weight says, to within one, and the rest by lot."""
    rng = np.random.default_rng(seed)
    wanted = likely * count
    whole = np.floor(wanted).astype(np.int64)
    rest = wanted - whole
    short = count - int(whole.sum())
    by_lot = rng.choice(len(likely), short, replace=False, p=rest / rest.sum()) if short else np.empty(0, np.int64)
    order = np.concatenate([np.repeat(np.arange(len(likely)), whole), by_lot])
    return rng.permutation(order)
