"""What a model file says of itself, and its card for people."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rayhound.domain import Band
from rayhound.evaluation.manifest import Row
from training import sampling


@dataclass(frozen=True)
class Model:
    """A model that is to be written: who it is, how its scores become answers, and what it was made from."""

    name: str
    version: str
    labels: tuple[str, ...]
    whole: frozenset[str]
    side: int
    temperatures: Sequence[float]
    bands: Sequence[Band]
    trained_on: str
    rights: str
    date: str
    commit: str


def metadata(model: Model, measured: Mapping[str, Any]) -> dict[str, str]:
    """The entries of the file's metadata, all text; `figures` are those of images from sources that it never saw."""
    shown = ("photos", "answered", "right_of_answered", "one_against_another", "others_called", "calibration_error")
    whole = ("whole_recognised", "photos_taken_for_whole")
    figures = [(key, measured[key]) for key in (*shown, *whole) if measured.get(key) is not None]
    return {
        "name": model.name,
        "version": model.version,
        "labels": ",".join(model.labels),
        "whole": ",".join(sorted(model.whole)),
        "thresholds": ",".join(map(str, model.bands)),
        "temperatures": ",".join(f"{value:.4g}" for value in model.temperatures),
        "input": f"uint8, N x {model.side} x {model.side} x 3, RGB, the whole picture squeezed to a square",
        "trained_on": model.trained_on,
        "rights": model.rights,
        "figures": ", ".join(f"{key} {value:.4g}" for key, value in figures),
        "date": model.date,
        "commit": model.commit,
    }


def summary(rows: Sequence[Row], begun: str | None = None) -> str:
    """What a model was trained on, in one line, and which model it was before, if it was one."""
    learnt = [row for row in rows if row.split == "train"]
    answers = Counter(sampling.answer(row) for row in learnt)
    counted = ", ".join(f"{answer} {count:,}" for answer, count in sorted(answers.items()))
    said = f"{len(learnt):,} images of {len({row.source for row in learnt})} sources: {counted}"
    return f"{said}; begun from {begun}" if begun else said


def card(model: Model, measured: Mapping[str, Mapping[str, Any]]) -> str:
    """The model's card, as a page."""
    said = metadata(model, {})
    lines = [f"# {model.name}@{model.version}", "", "| | |", "|---|---|"]
    lines += [f"| {key} | {value} |" for key, value in said.items() if value]
    return "\n".join([*lines, "", "## How right it is", "", table(measured), ""])


def table(measured: Mapping[str, Mapping[str, Any]]) -> str:
    """Figures by source, as a table of a page."""
    keys = [key for key in next(iter(measured.values())) if key != "images"]
    lines = [f"| | {' | '.join(key.replace('_', ' ') for key in keys)} |", "|---" * (len(keys) + 1) + "|"]
    for name, figures in measured.items():
        lines.append(f"| {name} | {' | '.join(_cell(key, figures[key]) for key in keys)} |")
    return "\n".join(lines)


def _cell(key: str, value: float | int | None) -> str:
    if value is None:
        return "–"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4f}" if key == "calibration_error" else f"{100 * value:.1f} %"
