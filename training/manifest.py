"""The folder that a model is trained on: images, and `manifest.csv`, which says what each shows.

Columns, in any order, others are ignored:

- `path`: of the image, from the folder;
- `labels` (or `label`): what it shows, several joined by `+`; `neither`, or nothing, when it shows none of them;
- `split`: `train` or `val`; what is in `val` is never trained on;
- `source`: where it comes from. Images of one source resemble each other, so whole sources are held out to measure.
"""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rayhound.domain import MODEL_WORD

NOTHING = "neither"
SPLITS = ("train", "val")


@dataclass(frozen=True)
class Row:
    """One image of the manifest."""

    path: Path
    labels: frozenset[str]
    split: str
    source: str


def read(folder: Path) -> list[Row]:
    """The rows of a folder's manifest; raises `ValueError` with the line that is wrong."""
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        named = set(rows.fieldnames or ())
        label = "labels" if "labels" in named else "label"
        if missing := {"path", label, "split", "source"} - named:
            raise ValueError(f"manifest.csv has no column {', '.join(sorted(missing))}")
        return [_row(folder, row, label, number) for number, row in enumerate(rows, 2)]


def labels_of(rows: Iterable[Row]) -> tuple[str, ...]:
    """Every label that a manifest uses, in the order of the model's scores."""
    return tuple(sorted({label for row in rows for label in row.labels}))


def targets(rows: Sequence[Row], labels: Sequence[str]) -> NDArray[np.float32]:
    """What a perfect model would answer: a line an image, a column a label."""
    return np.array([[label in row.labels for label in labels] for row in rows], np.float32).reshape(-1, len(labels))


def _row(folder: Path, row: dict[str, str], label: str, number: int) -> Row:
    path = folder / row["path"]
    if not path.is_file():
        raise ValueError(f"manifest.csv, line {number}: there is no {row['path']}")
    if row["split"] not in SPLITS:
        raise ValueError(f"manifest.csv, line {number}: the split is {row['split']!r}, where train or val is asked")
    shown = frozenset(word.strip() for word in row[label].split("+") if word.strip()) - {NOTHING}
    if bad := [word for word in shown if not MODEL_WORD.fullmatch(word)]:
        wanted = "letters, digits, dots, hyphens and underscores are asked"
        raise ValueError(f"manifest.csv, line {number}: the label is {bad[0]!r}, where {wanted}")
    return Row(path, shown, row["split"], row["source"])
