"""How far a run has come, on stderr: one line every few seconds, readable in a log too."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

EVERY = 5.0
T = TypeVar("T")


def tracked(what: str, steps: Iterable[T], total: int) -> Iterator[T]:
    """The same steps; every few seconds a line says how many are done, and when the rest will be."""
    began = told = time.monotonic()
    for done, step in enumerate(steps, 1):
        yield step
        now = time.monotonic()
        if now - told > EVERY or done == total:
            told, left = now, (now - began) / done * (total - done)
            tell(f"{what}: {done} of {total}, {now - began:.0f} s, {left:.0f} s to go")


def tell(line: str) -> None:
    """One line for whoever watches."""
    print(line, file=sys.stderr, flush=True)
