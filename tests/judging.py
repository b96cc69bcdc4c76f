"""Images that were judged, for tests of figures: what they show, and the scores that they got."""

import numpy as np

from rayhound.evaluation.answers import Judged

LABELS = ("cat", "dog", "radiograph")


def judged(*images: tuple[str, tuple[float, float, float]]) -> Judged:
    """Images that show what is named first, with the scores that they got."""
    shown = np.array([[label in what.split("+") for label in LABELS] for what, _ in images], float)
    scores = np.array([scores for _, scores in images])
    return Judged(LABELS, frozenset({"radiograph"}), scores, shown, tuple("here" for _ in images))
