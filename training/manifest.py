"""The folder that a model is trained on: a labelled folder, as `rayhound evaluate` reads it, with two columns more.

Every image has a `split`, `train` or `val` (what is in `val` is never trained on), and a `source`: whole sources are
held out to measure.
"""

from pathlib import Path

from rayhound.domain import BadRequest
from rayhound.evaluation import manifest
from rayhound.evaluation.manifest import Row

SPLITS = ("train", "val")


def read(folder: Path) -> list[Row]:
    """The rows of a folder's manifest; raises `NotFound`, or `BadRequest` with the line that is wrong."""
    rows = manifest.read(folder / manifest.NAME, "split", "source")
    lines: dict[Path, int] = {}
    for number, row in enumerate(rows, 2):
        where = f"{manifest.NAME}, line {number}"
        if not row.path.is_file():
            raise BadRequest(f"{where}: there is no {row.path.relative_to(folder)}", manifest.HINT)
        if lines.setdefault(row.path, number) != number:
            hint = "an image that is learnt from must not be asked later; let each stand in one line"
            raise BadRequest(f"{where}: {row.path.relative_to(folder)} is in line {lines[row.path]} too", hint)
        if row.split not in SPLITS:
            raise BadRequest(f"{where}: the split is {row.split!r}, where train or val is asked", manifest.HINT)
    return rows
