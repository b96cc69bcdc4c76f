"""What a model said of images and what they show, as arrays: a line an image, a column a label."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rayhound.domain import Band

Numbers = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Judged:
    """Images with the calibrated scores that they were given and what they show; `whole` labels are no animals."""

    labels: tuple[str, ...]
    whole: frozenset[str]
    scores: Numbers
    shown: NDArray[np.floating]
    sources: tuple[str, ...]

    def only(self, chosen: Mask) -> "Judged":
        """Those of the images that are chosen."""
        sources = tuple(s for s, is_in in zip(self.sources, chosen, strict=True) if is_in)
        return Judged(self.labels, self.whole, self.scores[chosen], self.shown[chosen], sources)

    def columns(self, whole: bool) -> list[int]:
        """The columns of the labels that are, or are not, of the whole picture."""
        return [n for n, label in enumerate(self.labels) if (label in self.whole) == whole]


def verdicts(scores: Numbers, bands: Sequence[Band]) -> NDArray[np.int8]:
    """1 where a label is there, 0 where it is not, and -1 where nobody knows."""
    lower, upper = np.array([b.lower for b in bands]), np.array([b.upper for b in bands])
    return np.where(scores >= upper, 1, np.where(scores < lower, 0, -1)).astype(np.int8)


@dataclass(frozen=True)
class Answers:
    """What the scores of images amount to, with the bands of a model."""

    judged: Judged
    bands: tuple[Band, ...]

    @cached_property
    def said(self) -> NDArray[np.int8]:
        """The verdict on each label."""
        return verdicts(self.judged.scores, self.bands)

    @cached_property
    def shown(self) -> Mask:
        """Which labels each image shows."""
        return self.judged.shown > 0.5

    @cached_property
    def is_photo(self) -> Mask:
        """Which images show no label of the whole picture."""
        return np.logical_not(self.shown[:, self.judged.columns(True)].any(1))

    @cached_property
    def is_answered(self) -> Mask:
        """Which images got an answer other than `uncertain`."""
        animals, wholes = self.judged.columns(False), self.judged.columns(True)
        taken = (self.said[:, wholes] != 0).any(1)
        return np.asarray(~taken & (self.said[:, animals] >= 0).all(1))

    @cached_property
    def is_right(self) -> Mask:
        """Which images had every label that is not of the whole picture right."""
        animals = self.judged.columns(False)
        return np.asarray((self.said[:, animals] == self.shown[:, animals]).all(1))

    @cached_property
    def called(self) -> Mask:
        """Which labels the answer or its note names; an answer that is `uncertain` names no animal."""
        named = np.asarray(self.said == 1)
        animals = self.judged.columns(False)
        named[:, animals] &= self.is_answered[:, None]
        return named
