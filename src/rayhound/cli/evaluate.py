"""`rayhound evaluate`: how good a model is, on images of which it is known what they show."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rayhound.cli import console
from rayhound.cli.model import analysed
from rayhound.cli.options import ModelFile, settings
from rayhound.cli.progress import Progress
from rayhound.domain import BadRequest, NotFound

if TYPE_CHECKING:
    from rayhound.adapters.onnx import OnnxClassifier
    from rayhound.evaluation.answers import Answers
    from rayhound.evaluation.manifest import Row


@dataclass(frozen=True)
class Looked:
    """The images that were analysed, what was found out of each, and the others with a reason."""

    rows: "Sequence[Row]"
    records: Sequence[dict[str, Any]]
    unreadable: Sequence[dict[str, Any]]


def evaluate(
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="A folder with a manifest.csv, or such a file.", show_default=False),
    ],
    split: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only images of this split, such as val.", show_default=False)
    ] = None,
    model: ModelFile = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write figures.json and the pictures to this folder.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all figures as one JSON line.")] = False,
) -> int:
    """Say how good the model is, on a folder of labelled images.

    Each image is read and classified as `rayhound classify` does it. What cannot be read is named and left out. Nothing
    is written unless `--out` is given: then reliability.png, risk.png, mistakes.png and figures.json.

    Exit status: 0 when there are figures, however many images could not be read; 1 otherwise.
    """
    from rayhound.evaluation import manifest
    from rayhound.wiring.classifier import open_classifier

    rows = _rows(folder, split)
    classifier = open_classifier(settings(model=model))
    _prepare(out)
    looked = _look(rows, classifier)
    if not looked.rows:
        raise NotFound("none of the images could be read", manifest.HINT)
    answers = _answers(looked, classifier)
    found = _found(looked, answers, classifier)
    _warn_of_strangers(found)
    if out:
        _write(out, looked, answers, found)
    if as_json:
        console.out_json(found)
    else:
        _tell(found)
    return 0


def _rows(folder: Path, split: str | None) -> "Sequence[Row]":
    from rayhound.evaluation import manifest

    file = folder / manifest.NAME if folder.is_dir() else folder
    rows = manifest.read(file, *(["split"] if split else []))
    chosen = [row for row in rows if split in (None, row.split)]
    if not chosen:
        where = f" in the split {split!r}" if split else ""
        raise NotFound(f"{file} names no image{where}", manifest.HINT)
    return chosen


def _prepare(out: Path | None) -> None:
    """Make the folder before an hour of work rather than after it."""
    try:
        if out:
            out.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise BadRequest(f"the folder {out} cannot be made: {e.strerror}", "name another folder with --out") from e


def _look(rows: "Sequence[Row]", classifier: "OnnxClassifier") -> Looked:
    records = []
    with Progress(len(rows)) as progress:
        for row in rows:
            records.append(analysed(row.path, classifier))
            progress.passed()
    pairs = [(row, record) for row, record in zip(rows, records, strict=True) if "reason" not in record]
    unreadable = [record for record in records if "reason" in record]
    return Looked([row for row, _ in pairs], [record for _, record in pairs], unreadable)


def _answers(looked: Looked, classifier: "OnnxClassifier") -> "Answers":
    import numpy as np

    from rayhound.evaluation import manifest
    from rayhound.evaluation.answers import Answers, Judged

    labels = classifier.labels
    names = tuple(label.name for label in labels)
    scores = np.array([[record["scores"][name] for name in names] for record in looked.records])
    whole = frozenset(label.name for label in labels if label.is_whole)
    shown, sources = manifest.targets(looked.rows, names), tuple(row.source for row in looked.rows)
    return Answers(Judged(names, whole, scores, shown, sources), tuple(label.band for label in labels))


def _found(looked: Looked, answers: "Answers", classifier: "OnnxClassifier") -> dict[str, Any]:
    from rayhound.evaluation import manifest, mistakes
    from rayhound.evaluation.report import report, truths

    shown = truths(answers)
    strangers = sorted(set(manifest.labels_of(looked.rows)) - set(answers.judged.labels))
    unreadable = [{"path": record["path"], "reason": record["reason"]} for record in looked.unreadable]
    worst = [
        {"path": looked.records[n]["path"], "shows": shown[n], **_said(looked.records[n])}
        for n in mistakes.worst(answers)
    ]
    figures = report(answers, [record["contains"] for record in looked.records])
    head = {"model": classifier.model.label, "unreadable": unreadable, "unknown_labels": strangers}
    return {**head, **figures, "mistakes": worst}


def _said(record: dict[str, Any]) -> dict[str, Any]:
    return {key: record[key] for key in ("contains", "scores", "note") if key in record}


def _warn_of_strangers(found: dict[str, Any]) -> None:
    if found["unknown_labels"]:
        names = ", ".join(found["unknown_labels"])
        hint = "to it such an image shows none of its labels, and neither is the right answer"
        console.warning(f"the model has no label {names}", hint)


def _write(out: Path, looked: Looked, answers: "Answers", found: dict[str, Any]) -> None:
    from rayhound.evaluation import pictures, risk
    from rayhound.evaluation.report import bins

    own = None
    if found["right_of_answered"]["of"]:
        own = found["answered"]["share"], 1 - found["right_of_answered"]["share"]
    try:
        pictures.reliability(bins(answers), found["figures"]["calibration_error"]).save(out / "reliability.png")
        pictures.risk(risk.curve(answers), own).save(out / "risk.png")
        pictures.sheet(list(_tiles(found["mistakes"]))).save(out / "mistakes.png")
        (out / "figures.json").write_text(json.dumps(found, indent=1, ensure_ascii=False), encoding="utf-8")
    except OSError as e:
        raise BadRequest(f"{out} cannot be written: {e.strerror or e}", "name another folder with --out") from e


def _tiles(worst: Sequence[dict[str, Any]]) -> "Iterator[Any]":
    from rayhound import reading
    from rayhound.domain import Limits
    from rayhound.evaluation.pictures import TILE, Tile

    for record in worst:
        path = Path(record["path"])
        answer = f"said {record['contains']}, shows {record['shows']}"
        yield Tile(reading.read(path, TILE, Limits()).pixels, (answer, console.scores(record), path.name))


def _tell(found: dict[str, Any]) -> None:
    figures = found["figures"]
    console.out(f"{found['model']} on {figures['images']} images, {figures['photos']} of them photos")
    console.out(f"answered {_interval(found['answered'])} of photos")
    console.out(f"right {_interval(found['right_of_answered'])} of those answered")
    console.out(f"calibration error {_number(figures['calibration_error'])}")
    console.out(f"could not be read: {len(found['unreadable'])}\n")
    if found["unreadable"]:
        console.table(("IMAGE", "REASON"), [(one["path"], one["reason"]) for one in found["unreadable"]])
        console.out("")
    rows = [
        (label, str(of["images"]), _interval(of["precision"]), _interval(of["recall"]))
        for label, of in found["labels"].items()
    ]
    console.table(("LABEL", "IMAGES", "PRECISION (95 %)", "RECALL (95 %)"), rows)
    _tell_confusion(found["confusion"])
    console.out("")
    points = [(_percent(p["coverage"]), _percent(p["risk"]), f"{p['certain']:.3f}") for p in found["risk"]]
    console.table(("COVERAGE", "WRONG", "AT LEAST SO SURE"), points)
    if found["sources"]:
        console.out("")
        keys = ("images", "answered", "right_of_answered", "others_called", "whole_recognised", "calibration_error")
        head = ("SOURCE", *(key.replace("_", " ").upper() for key in keys))
        console.table(head, [(name, *_cells(of, keys)) for name, of in found["sources"].items()])


def _tell_confusion(confusion: dict[str, dict[str, int]]) -> None:
    console.out("")
    answers = list(dict.fromkeys(word for row in confusion.values() for word in row))
    rows = [(truth, *(str(row.get(word, 0)) for word in answers)) for truth, row in confusion.items()]
    console.table(("SHOWS", *(f"SAID {word}" for word in answers)), rows)


def _cells(figures: dict[str, Any], keys: Sequence[str]) -> Iterator[str]:
    for key in keys:
        value = figures[key]
        if key == "images":
            yield str(value)
        else:
            yield _number(value) if key == "calibration_error" else _percent(value)


def _interval(share: dict[str, Any]) -> str:
    if share["share"] is None:
        return "–"
    return f"{_percent(share['share'])} ({100 * share['low']:.1f}–{100 * share['high']:.1f})"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
