"""The labelled folder: images, and `manifest.csv`, which says what each shows.

Columns, in any order, others are ignored:

- `path`: of the image, from the manifest's folder;
- `labels` (or `label`): what it shows, several joined by `+`; `neither`, or nothing, when it shows none of them;
- `split`, where there: which part of the images it belongs to, such as `train` or `val`;
- `source`, where there: where it comes from. Images of one source resemble each other.
"""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rayhound.domain import MODEL_WORD, BadRequest, Contains, NotFound

NAME = "manifest.csv"
HINT = (
    f"{NAME} has the columns path and labels, training asks for split and source too; docs/guides/models.md shows one"
)


@dataclass(frozen=True)
class Row:
    """One image of the manifest."""

    path: Path
    labels: frozenset[str]
    split: str
    source: str


def read(file: Path, *required: str) -> list[Row]:
    """The rows of a manifest, which must have the `required` columns.

    Raises `NotFound`, or `BadRequest` with the line that is wrong. Whether the images are there is not looked at.
    """
    try:
        with file.open(newline="", encoding="utf-8-sig") as opened:
            rows = csv.DictReader(opened)
            named = set(rows.fieldnames or ())
            label = "labels" if "labels" in named else "label"
            if missing := {"path", label, *required} - named:
                raise BadRequest(f"{file.name} has no column {', '.join(sorted(missing))}", HINT)
            return [_row(file, row, label, number) for number, row in enumerate(rows, 2)]
    except OSError as e:
        raise NotFound(f"{file} cannot be read: {e.strerror}", HINT) from e
    except (ValueError, csv.Error) as e:  # bytes that are no text, or no table
        raise BadRequest(f"{file} cannot be read: {e}", HINT) from e


def labels_of(rows: Iterable[Row]) -> tuple[str, ...]:
    """Every label that a manifest uses, sorted."""
    return tuple(sorted({label for row in rows for label in row.labels}))


def targets(rows: Sequence[Row], labels: Sequence[str]) -> NDArray[np.float32]:
    """What a perfect model would answer: a line an image, a column a label."""
    return np.array([[label in row.labels for label in labels] for row in rows], np.float32).reshape(-1, len(labels))


def _row(file: Path, row: dict[str, str | None], label: str, number: int) -> Row:
    # A line that is too short has None where its columns are missing.
    path, text = row["path"], row[label] or ""
    if not path:
        raise BadRequest(f"{file.name}, line {number}: the path is missing", HINT)
    said = frozenset(word.strip() for word in text.split("+") if word.strip())
    shown = said - {Contains.NEITHER}
    if shown and shown != said:
        raise BadRequest(f"{file.name}, line {number}: the label is {text!r}, where neither stands alone", HINT)
    if bad := sorted(word for word in shown if not MODEL_WORD.fullmatch(word)):
        wanted = "letters, digits, dots, hyphens and underscores are asked"
        raise BadRequest(f"{file.name}, line {number}: the label is {bad[0]!r}, where {wanted}", HINT)
    return Row(file.parent / path, shown, row.get("split") or "", row.get("source") or "")
