"""Shares with the interval in which the true one lies 95 times in a hundred."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any

from rayhound.evaluation.answers import Answers, Mask

Z = 1.959964


@dataclass(frozen=True)
class Share:
    """So many of so many."""

    hits: int
    of: int

    @property
    def interval(self) -> tuple[float, float]:
        """The interval of 95 % (Wilson, 1927), which holds for few images and for shares near 0 and 1."""
        share, spread = self.hits / self.of, Z * Z / self.of
        middle = (share + spread / 2) / (1 + spread)
        half = sqrt(share * (1 - share) * spread + spread * spread / 4) / (1 + spread)
        return max(0.0, middle - half), min(1.0, middle + half)

    def told(self) -> dict[str, Any]:
        """The share as figures tell it; of nothing there is no share."""
        share, (low, high) = (self.hits / self.of, self.interval) if self.of else (None, (None, None))
        return {"share": share, "low": low, "high": high, "hits": self.hits, "of": self.of}


def share(those: Mask, of: Mask) -> Share:
    """How many of some images are among those."""
    return Share(int((those & of).sum()), int(of.sum()))


def by_label(answers: Answers) -> Mapping[str, Mapping[str, Any]]:
    """Precision and recall of each label.

    Precision: of the images whose answer names it, those that show it. Recall: of the images that show it, those whose
    answer names it; `uncertain` names none. Of a picture that is all one thing, such as a radiograph, nothing else is
    to be found: it counts for the recall of that label alone.
    """
    found = {}
    for n, label in enumerate(answers.judged.labels):
        called, shown = answers.called[:, n], answers.shown[:, n]
        sought = shown if label in answers.judged.whole else shown & answers.is_photo
        precision, recall = share(shown, called), share(called, sought)
        found[label] = {"images": int(shown.sum()), "precision": precision.told(), "recall": recall.told()}
    return found
