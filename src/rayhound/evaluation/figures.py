"""How right a model is: figures of a set of images, whole and by source."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from rayhound.domain import Band
from rayhound.evaluation.answers import Answers, Judged, Mask
from rayhound.evaluation.reliability import calibration_error


def figures(judged: Judged, bands: Sequence[Band]) -> dict[str, Any]:
    """The figures of all images together. Shares are from 0 to 1; one of no image at all is None."""
    answers = Answers(judged, tuple(bands))
    animals, wholes = judged.columns(False), judged.columns(True)
    shown, is_photo = answers.shown, answers.is_photo
    known = is_photo & answers.is_answered
    plain = is_photo & (shown[:, animals].sum(1) == 1)
    other = is_photo & ~shown.any(1)
    called: Mask = np.asarray(answers.called[:, animals].any(1))
    scores = judged.scores[:, animals]
    recognised: Mask = np.asarray(answers.called[:, wholes].any(1))
    return {
        "images": len(shown),
        "photos": int(is_photo.sum()),
        "answered": _share(known, is_photo),
        "right_of_answered": _share(answers.is_right, known),
        "one_against_another": _share(shown[:, animals][np.arange(len(shown)), scores.argmax(1)], plain),
        "others_called": _share(called, other),
        "whole_recognised": _share(recognised, ~is_photo),
        "photos_taken_for_whole": _share(recognised, is_photo),
        "calibration_error": calibration_error(scores[is_photo], shown[is_photo][:, animals]),
    }


def by_source(judged: Judged, bands: Sequence[Band]) -> dict[str, dict[str, Any]]:
    """The same figures of each source."""
    sources = np.array(judged.sources)
    return {source: figures(judged.only(sources == source), bands) for source in sorted(set(judged.sources))}


def _share(those: Mask, of: Mask) -> float | None:
    return float(those[of].mean()) if of.any() else None
