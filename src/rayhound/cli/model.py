"""`rayhound classify` and `rayhound model`: the model at work on files, without any server."""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rayhound.cli import console
from rayhound.cli.folder import files_of
from rayhound.cli.options import AsJson, ModelFile, settings
from rayhound.domain import Findings, Header, Limits, RayhoundError

if TYPE_CHECKING:
    from rayhound.ports import Classifier


def _threshold(word: str) -> float | list[float]:
    numbers = [float(text) for text in word.split(":")]
    return numbers[0] if len(numbers) == 1 else numbers


# What a model file says of itself is text; these are lists and a number.
KINDS: dict[str, Callable[[str], Any]] = {
    "labels": lambda text: [label.strip() for label in text.split(",")],
    "whole": lambda text: [label.strip() for label in text.split(",") if label.strip()],
    "temperatures": lambda text: [float(value) for value in text.split(",")],
    "thresholds": lambda text: [_threshold(word) for word in text.split(",")],
    "side": int,
}


def classify(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH", help="Files and folders.", show_default=False)],
    model: ModelFile = None,
    as_json: AsJson = False,
) -> int:
    """Say what images contain, right here: no server, nothing is kept.

    A folder is searched for images, as `rayhound upload` does it.

    Exit status: 0 when every image was classified, 1 otherwise.
    """
    from rayhound.wiring.classifier import open_classifier

    files = files_of(paths)
    classifier = open_classifier(settings(model=model))
    records = []
    for path in files:
        records.append(analysed(path, classifier))
        if as_json:
            console.out_json(records[-1])
    if not as_json:
        console.table(("IMAGE", "STATUS", "ANSWER", "SCORES", "SIZE", "REASON"), [_row(record) for record in records])
    console.hints_about((record["path"], record.get("hint", "")) for record in records)
    return 0 if all(record["status"] == "analysed" for record in records) else 1


def analysed(path: Path, classifier: "Classifier") -> dict[str, Any]:
    """What `rayhound classify` says of one file; an image that cannot be analysed has a `reason`."""
    from rayhound import reading

    ends = "refused"  # by its header, as a web server would; what is found out later is that it failed
    try:
        header = reading.inspect(path, Limits())
        ends = "failed"
        return {"path": str(path), "status": "analysed", **_findings(path, header, classifier)}
    except RayhoundError as e:
        return {"path": str(path), "status": ends, "reason": e.detail, "hint": e.hint}
    except OSError as e:
        return {"path": str(path), "status": "failed", "reason": e.strerror or str(e)}


def _findings(path: Path, header: Header, classifier: "Classifier") -> dict[str, Any]:
    from rayhound import reading, records

    began = time.perf_counter()
    picture = reading.read(path, classifier.side, Limits())
    read = time.perf_counter()
    said = classifier.classify(picture.pixels)
    size = (picture.format, picture.mode, picture.width, picture.height)
    findings = Findings(*size, said, round(read - began, 6), round(time.perf_counter() - read, 6))
    with path.open("rb") as content:
        sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    found = {
        "file_name": path.name,
        "media_type": header.media_type,
        "sha256": sha256,
        **records.analysis(findings, classifier.model, path.stat().st_size),
    }
    return {name: value for name, value in found.items() if value is not None}


def _row(record: dict[str, Any]) -> tuple[str, ...]:
    shown = (console.answer(record), console.scores(record), console.size(record), console.reason(record))
    return (record["path"], record["status"], *shown)


def model(
    model: ModelFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as one JSON line.")] = False,
) -> None:
    """Show what the model file says of itself."""
    from rayhound.wiring.classifier import open_classifier

    said = open_classifier(settings(model=model)).description()
    if as_json:
        console.out_json({name: KINDS[name](text) if name in KINDS else text for name, text in said.items()})
        return
    width = max(map(len, said))
    for name, value in said.items():
        console.out(f"{name.ljust(width)}  {console.printable(str(value))}")
