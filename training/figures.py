"""How right a model is: figures of a set of images, whole and by source."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.calibration import Band, Numbers, verdicts

BINS = 10


@dataclass(frozen=True)
class Judged:
    """Images with the calibrated scores that they were given and what they show; `whole` labels are no animals."""

    labels: tuple[str, ...]
    whole: frozenset[str]
    scores: Numbers
    shown: NDArray[np.floating]
    sources: tuple[str, ...]

    def only(self, chosen: NDArray[np.bool_]) -> "Judged":
        """Those of the images that are chosen."""
        sources = tuple(s for s, is_in in zip(self.sources, chosen, strict=True) if is_in)
        return Judged(self.labels, self.whole, self.scores[chosen], self.shown[chosen], sources)

    def columns(self, whole: bool) -> list[int]:
        """The columns of the labels that are, or are not, of the whole picture."""
        return [n for n, label in enumerate(self.labels) if (label in self.whole) == whole]


def figures(judged: Judged, bands: Sequence[Band]) -> dict[str, Any]:
    """The figures of all images together. Shares are from 0 to 1; one of no image at all is None."""
    animals, wholes = judged.columns(False), judged.columns(True)
    said = verdicts(judged.scores, list(bands))
    shown = judged.shown > 0.5
    is_photo = np.logical_not(shown[:, wholes].any(1))
    taken = (said[:, wholes] != 0).any(1)
    known = is_photo & ~taken & (said[:, animals] >= 0).all(1)
    right = (said[:, animals] == shown[:, animals]).all(1)
    plain = is_photo & (shown[:, animals].sum(1) == 1)
    other = is_photo & ~shown.any(1)
    scores = judged.scores[:, animals]
    return {
        "images": len(shown),
        "photos": int(is_photo.sum()),
        "answered": _share(known, is_photo),
        "right_of_answered": _share(right, known),
        "one_against_another": _share(shown[:, animals][np.arange(len(shown)), scores.argmax(1)], plain),
        "others_called": _share(known & (said[:, animals] == 1).any(1), other),
        "whole_recognised": _share((said[:, wholes] == 1).any(1), ~is_photo),
        "photos_taken_for_whole": _share((said[:, wholes] == 1).any(1), is_photo),
        "calibration_error": calibration_error(scores[is_photo], shown[is_photo][:, animals]),
    }


def by_source(judged: Judged, bands: Sequence[Band]) -> dict[str, dict[str, Any]]:
    """The same figures of each source."""
    sources = np.array(judged.sources)
    return {source: figures(judged.only(sources == source), bands) for source in sorted(set(judged.sources))}


def calibration_error(scores: Numbers, shown: NDArray[np.bool_]) -> float | None:
    """How far probabilities are from what came true, over ten bins, weighed by how many fall into each."""
    flat, came = scores.ravel(), shown.ravel()
    if not flat.size:
        return None
    bins = np.minimum((flat * BINS).astype(int), BINS - 1)
    gaps = [abs(flat[bins == n].mean() - came[bins == n].mean()) * (bins == n).sum() for n in set(bins)]
    return float(sum(gaps) / flat.size)


def _share(those: NDArray[np.bool_], of: NDArray[np.bool_]) -> float | None:
    return float(those[of].mean()) if of.any() else None
