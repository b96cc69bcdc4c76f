"""The worst mistakes: where a model was wrong, and how sure it was."""

import numpy as np

from rayhound.evaluation.answers import Answers

SHOWN = 24


def worst(answers: Answers, most: int = SHOWN) -> list[int]:
    """The lines of the images with a wrong answer, the surest first. `uncertain` is none, except of a radiograph.

    Wrong is an answer that names what is not there or leaves out what is; a photo taken for a picture that is all one
    thing, such as a radiograph; and such a picture that got an answer as if it were a photo.
    """
    judged = answers.judged
    wholes = judged.columns(True)
    taken = (answers.said[:, wholes] == 1).any(1)
    wrong = np.where(answers.is_photo, taken | (answers.is_answered & ~answers.is_right), answers.is_answered)
    off = np.abs(judged.scores - answers.shown)
    # Of a radiograph it is known that it is one, and not what it shows.
    worst_off = np.where(answers.is_photo, off.max(1), off[:, wholes].max(1, initial=0))
    return sorted(np.flatnonzero(wrong).tolist(), key=lambda n: -worst_off[n])[:most]
