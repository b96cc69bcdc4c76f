"""How far `rayhound upload` is: a bar on a terminal, plain lines elsewhere; always on stderr."""

import sys
from types import TracebackType
from typing import Self

from rayhound.cli.console import printable, tell


class Progress:
    """Counts images that have ended, of a total that is known."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._said = ""
        self._bar = _bar(total) if sys.stderr.isatty() else None

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def ended(self, line: str) -> None:
        """One image has ended, in these words."""
        self._done += 1
        if self._bar:
            self._bar.advance(self._bar.task_ids[0])
        else:
            tell(f"{self._done}/{self._total} {printable(line)}")

    def trouble(self, why: str) -> None:
        """Something is about to be tried again; said once until another reason comes."""
        if why == self._said:
            return
        self._said = why
        line = f"{printable(why)}; trying again"
        if self._bar:
            self._bar.console.print(line, markup=False, highlight=False)
        else:
            tell(line)


def _bar(total: int):  # type: ignore[no-untyped-def]
    from rich import progress
    from rich.console import Console

    columns = (progress.BarColumn(), progress.MofNCompleteColumn(), progress.TimeRemainingColumn())
    bar = progress.Progress(*columns, console=Console(stderr=True), transient=True)
    bar.add_task("", total=total)
    return bar
