"""How far a command is: a bar on a terminal, plain lines elsewhere; always on stderr."""

import sys
import time
from types import TracebackType
from typing import Self

from rayhound.cli.console import printable, tell

SAY_AGAIN = 10.0  # seconds after which the same trouble is told again


class Progress:
    """Counts images that have ended, of a total that is known."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._said = ""
        self._said_at = 0.0
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

    def passed(self) -> None:
        """One image has ended, of which there is nothing to say; without a bar that is told every ten seconds."""
        self._done += 1
        now = time.monotonic()
        if self._bar:
            self._bar.advance(self._bar.task_ids[0])
        elif self._done == self._total or now - self._said_at >= SAY_AGAIN:
            self._said_at = now
            tell(f"{self._done}/{self._total}")

    def trouble(self, why: str) -> None:
        """Something is about to be tried again; said at once, and then every ten seconds while it lasts."""
        now = time.monotonic()
        if why == self._said and now - self._said_at < SAY_AGAIN:
            return
        line = f"{printable(why)}; {'still trying' if why == self._said else 'trying again for up to a minute'}"
        self._said, self._said_at = why, now
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
