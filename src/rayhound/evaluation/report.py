"""Every figure of an evaluation together, in words that JSON knows."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from rayhound.domain import answer
from rayhound.evaluation import reliability, risk, shares
from rayhound.evaluation.answers import Answers
from rayhound.evaluation.figures import by_source, figures


def report(answers: Answers, contains: Sequence[str]) -> dict[str, Any]:
    """All figures of what a model said; `contains` is its answer to each image.

    Shares are from 0 to 1, intervals are those of 95 %, and what could not be measured is None.
    """
    known = answers.is_photo & answers.is_answered
    return {
        "figures": figures(answers.judged, answers.bands),
        "answered": shares.share(known, answers.is_photo).told(),
        "right_of_answered": shares.share(answers.is_right, known).told(),
        "labels": shares.by_label(answers),
        "confusion": confusion(answers, contains),
        "reliability": [asdict(one) for one in bins(answers)],
        "risk": [asdict(point) for point in risk.at(risk.curve(answers))],
        "sources": by_source(answers.judged, answers.bands) if any(answers.judged.sources) else {},
    }


def truths(answers: Answers) -> list[str]:
    """What each image shows, in the word that an answer without any fault would be."""
    labels = answers.judged.labels
    return [answer([labels[n] for n in np.flatnonzero(row)]) for row in answers.shown]


def confusion(answers: Answers, contains: Sequence[str]) -> dict[str, dict[str, int]]:
    """How many images that show this were answered with that: truth by truth, the commonest answers first."""
    pairs = Counter(zip(truths(answers), contains, strict=True))
    columns = [word for word, _ in Counter(contains).most_common()]
    return {
        truth: {word: pairs[truth, word] for word in columns if pairs[truth, word]}
        for truth in sorted({truth for truth, _ in pairs})
    }


def bins(answers: Answers) -> tuple[reliability.Bin, ...]:
    """The reliability of the probabilities that photos got, labels of the whole picture aside."""
    animals = answers.judged.columns(False)
    photos = answers.judged.scores[answers.is_photo][:, animals]
    return reliability.bins(photos, answers.shown[answers.is_photo][:, animals])
