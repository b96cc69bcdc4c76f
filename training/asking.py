"""What a run is asked to make: its command line, and all that can be wrong with it before the first hour of work."""

import argparse
import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rayhound.domain import MODEL_WORD, BadRequest, Contains, Misconfigured
from rayhound.evaluation.manifest import Row, labels_of
from training import beginning, manifest
from training.beginning import Begun
from training.recipe import RECIPES, Recipe

README = "training/README.md says what a run asks for"


@dataclass(frozen=True)
class Rehearsal:
    """A model made beside, of all but some sources, to measure and calibrate on these."""

    held_out: frozenset[str]
    begin: Begun | None


@dataclass(frozen=True)
class Task:
    """What is to be made, from what, where. `whole` labels are of the whole picture and stand alone."""

    rows: Sequence[Row]
    labels: tuple[str, ...]
    whole: frozenset[str]
    recipe: Recipe
    seed: int
    out: Path
    begin: Begun | None  # the model to go on from, rather than from ImageNet's weights
    rehearsals: Sequence[Rehearsal]

    def is_learnt(self, held_out: frozenset[str]) -> NDArray[np.bool_]:
        """Which rows may be learnt from while some sources are held out."""
        return np.array([row.split == "train" and row.source not in held_out for row in self.rows])


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """What the command line says."""
    options = argparse.ArgumentParser("python -m training", description="Make a model from a folder of labelled images")
    options.add_argument("folder", type=Path, help="the images and their manifest.csv")
    options.add_argument("out", type=Path, help="where everything goes; run again, it goes on from there")
    options.add_argument(
        "--recipe", choices=RECIPES, help="further with --begin, else full on a GPU and frugal without"
    )
    options.add_argument(
        "--rehearse",
        action="append",
        default=[],
        metavar="SOURCES",
        help="hold these out once, to measure and calibrate",
    )
    options.add_argument(
        "--begin",
        action="append",
        default=[],
        type=Path,
        metavar="MODEL",
        help="go on from this model file; then one for each --rehearse, which must not have learnt from its sources",
    )
    options.add_argument(
        "--whole", default="", metavar="LABELS", help="labels of the whole picture, such as radiograph"
    )
    options.add_argument("--sources", default="", metavar="SOURCES", help="use these alone")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--name", default="rayhound")
    options.add_argument("--version", default="1")
    options.add_argument("--rights", default="not stated", help="of the training data, for the card")
    options.add_argument("--commit", help="of the code; asked of git unless given")
    options.add_argument("--only-learn", action="store_true", help="stop when the weights are there")
    given = options.parse_args(words)
    if wrong := _wrong(given):
        options.error(wrong)
    return given


def _wrong(given: argparse.Namespace) -> str | None:
    if given.begin and len(given.begin) != 1 + len(given.rehearse):
        return f"--begin is asked {1 + len(given.rehearse)} times: for the model, and for each --rehearse"
    if given.recipe and (given.recipe == "further") != bool(given.begin):
        return "--begin and --recipe further go together"
    if not all(map(_named, given.rehearse)):
        return "--rehearse: the sources to hold out are asked"
    for option in ("name", "version"):
        if not MODEL_WORD.fullmatch(getattr(given, option)):
            return f"--{option}: 1 to 64 letters, digits, dots, hyphens and underscores are asked"
    return None


def task(given: argparse.Namespace, usual: str) -> Task:
    """The task that a command line asks for, by the usual recipe unless another is named.

    Raises `BadRequest`, `NotFound` or `Misconfigured` for whatever would end the run, or make its figures worthless.
    """
    rows = manifest.read(given.folder)
    sources, chosen = {row.source for row in rows}, _named(given.sources)
    _require(chosen, sources, "--sources", "source")
    rows = [row for row in rows if not chosen or row.source in chosen]
    labels, whole = labels_of(rows), _named(given.whole)
    _require(whole, labels, "--whole", "label")
    recipe = RECIPES[given.recipe or usual]
    begin: list[Begun | None] = [beginning.read(path, recipe.courses.student.network) for path in given.begin]
    held_out = [_named(text) for text in given.rehearse]
    for some in held_out:
        _require(some, {row.source for row in rows}, "--rehearse", "source")
    begin = begin or [None] * (1 + len(held_out))
    rehearsals = [Rehearsal(*pair) for pair in zip(held_out, begin[1:], strict=True)]
    asked = Task(rows, labels, whole, recipe, given.seed, given.out, begin[0], rehearsals)
    _check_labels(asked)
    _remember(asked, given.folder)
    return asked


def _named(text: str) -> frozenset[str]:
    return frozenset(word.strip() for word in text.split(",") if word.strip())


def _require(names: Iterable[str], there: Iterable[str], option: str, what: str) -> None:
    if missing := sorted(set(names) - set(there)):
        raise BadRequest(f"{option} names {missing[0]!r}, which no image has as {what}", f"there are {_list(there)}")


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _check_labels(asked: Task) -> None:
    """Each label needs images to learn from in every model that is made, and others to calibrate on."""
    if not asked.labels:
        raise BadRequest("no image has a label", README)
    if Contains.UNCERTAIN in asked.labels:
        raise BadRequest("a label is 'uncertain', which is the answer of a model in doubt", "call it something else")
    learnt = {"the split train": asked.is_learnt(frozenset())}
    learnt |= {f"the split train without {_list(r.held_out)}": asked.is_learnt(r.held_out) for r in asked.rehearsals}
    learnt |= {"the split val": np.array([row.split == "val" for row in asked.rows])}
    for where, these in learnt.items():
        here = labels_of(row for row, is_here in zip(asked.rows, these, strict=True) if is_here)
        if missing := sorted(set(asked.labels) - set(here)):
            hint = "it is learnt from the images of train, and its probabilities are made true on those of val"
            raise BadRequest(f"no image of {where} shows {missing[0]!r}", hint)


def _remember(asked: Task, folder: Path) -> None:
    """Note in the folder of the results what they are of; raises `BadRequest` if it holds those of another run."""
    rows = "\n".join(
        f"{os.path.relpath(r.path, folder)} {r.path.stat().st_size} {'+'.join(sorted(r.labels))} {r.split} {r.source}"
        for r in asked.rows
    )
    said: dict[str, Any] = {
        "images": hashlib.sha256(rows.encode()).hexdigest(),
        "whole": sorted(asked.whole),
        "begin": asked.begin and asked.begin.sha256,
        "rehearsals": [[sorted(r.held_out), r.begin and r.begin.sha256] for r in asked.rehearsals],
        "recipe": asdict(asked.recipe),
        "seed": asked.seed,
    }
    kept = asked.out / "asked.json"
    try:
        asked.out.mkdir(parents=True, exist_ok=True)
        if not kept.exists():
            kept.write_text(json.dumps(said, indent=1))
        before = dict(json.loads(kept.read_bytes()))
    except (OSError, ValueError, TypeError) as e:
        raise Misconfigured(f"{asked.out} cannot be used: {e}", "name another folder for the results") from e
    if other := [name for name in said if before.get(name) != said[name]]:
        hint = "name another folder for the results, or ask for what was asked for then: asked.json says it"
        raise BadRequest(f"{asked.out} holds a run with other {', '.join(other)}", hint)
