"""The analysers together: whose turn it is, and whether their word can be trusted.

    new ──► under test ──passed──► sound ──a death──► under test
                │  ▲                         (no analysis begins; those in flight end first)
              failed│ every few seconds
                ▼  │
              unsound  (no turn is given: whoever waits is told why)

One task, the keeper, replaces the dead and tests all; nobody else does, so deaths at the same moment are one repair.
"""

import asyncio
import json
import sys
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from types import TracebackType

from rayhound import telemetry
from rayhound.analysers.process import Analyser
from rayhound.analysers.selftest import Drawing, draw
from rayhound.domain import AnalyserDied, Draining, Findings, Limits, Model, RayhoundError, Unreadable, Unsound

Analyse = Callable[[Path], Awaitable[Findings]]
RETRY_SECONDS = 5.0
HINT = "look at the memory limit (RAYHOUND_ANALYSIS_MEMORY) and at the model file (RAYHOUND_MODEL)"
RESTART = "restart it to use the new one, or put the old one back"


def command(model: Path, limits: Limits) -> list[str]:
    """The command line of one analyser."""
    return [sys.executable, "-m", "rayhound.analyser", str(model), json.dumps(asdict(limits))]


@dataclass(slots=True)
class Seat:
    """A place for one analyser. Whoever has a turn holds the seat; the analyser on it may be replaced meanwhile."""

    analyser: Analyser | None = None
    model: Model | None = None

    @property
    def vacant(self) -> bool:
        """Whether no living analyser is here."""
        return self.analyser is None or self.analyser.dead


@dataclass(frozen=True, slots=True)
class Waiter:
    """Somebody who waits for a turn."""

    seat: "asyncio.Future[Seat]"
    alone: bool


class Analysers:
    """A number of child processes that analyse, each replaced when it dies; opened with `async with`."""

    def __init__(self, command: Sequence[str], count: int, limits: Limits, retry: float = RETRY_SECONDS) -> None:
        """Prepare `count` analysers that `command` starts; while unsound they are tested every `retry` seconds."""
        self._command = command
        self._limits = limits
        self._retry = retry
        self._seats = [Seat() for _ in range(count)]
        self._free = list(self._seats)
        self._waiting: deque[Waiter] = deque()
        self._alone = False
        self._analysing = 0
        self._under_test = True
        self._draining = False
        self._unsound: RayhoundError | None = Unsound("the analysers have not passed their first self-test yet")
        self._model: Model | None = None
        self._told: set[str | None] = set()
        self._changed = asyncio.Event()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> "Analysers":
        """Start the keeper, who starts the analysers; `sound` tells when they may be used."""
        telemetry.ANALYSERS.set_function(lambda: self.alive)
        self._stack.push_async_callback(self._end_all)
        keeper = asyncio.create_task(self._keep())
        self._stack.push_async_callback(asyncio.wait, [keeper])
        self._stack.callback(keeper.cancel)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give no more turns, and end every analyser."""
        self.drain()
        await self._stack.aclose()

    @property
    def model(self) -> Model:
        """The model of every analyser; raises `Unsound` before the first passed self-test."""
        if self._model is None:
            raise self._refusal()
        return self._model

    @property
    def unsound(self) -> RayhoundError | None:
        """Why no analyser can be trusted, or None while they are sound."""
        return self._unsound

    @property
    def alive(self) -> int:
        """How many analysers run."""
        return sum(not seat.vacant for seat in self._seats)

    @asynccontextmanager
    async def turn(self, alone: bool = False) -> AsyncIterator[Analyse]:
        """Wait for an analyser of one's own; first come, first served.

        With `alone`, until no other turn is taken; none begins before this one ends. Raises `Unsound` or `Draining`.
        Calling what it gives raises `Unreadable`, or `AnalyserDied`, after which nothing begins until all are tested.
        """
        with telemetry.WAITING.time():
            seat = await self._take(alone)
        try:
            yield lambda path: self._analyse(seat, path)
        finally:
            self._give_back(seat)

    async def recover(self) -> bool:
        """Wait until the dead are replaced and every analyser was tested; whether all passed."""
        await self._until(lambda: not self._under_test)
        return self._unsound is None

    async def sound(self) -> None:
        """Wait until every analyser has passed its self-test."""
        await self._until(lambda: self._unsound is None and not self._under_test)

    def drain(self) -> None:
        """Let nothing new begin: whoever waits for a turn is told `Draining`, and who has one goes on."""
        self._draining = True
        self._serve()

    async def _take(self, alone: bool) -> Seat:
        waiter = Waiter(asyncio.get_running_loop().create_future(), alone)
        self._waiting.append(waiter)
        self._serve()
        try:
            return await waiter.seat
        except asyncio.CancelledError:
            if not waiter.seat.cancelled() and waiter.seat.exception() is None:
                self._free.append(waiter.seat.result())
                self._alone = False
            self._serve()
            raise

    def _give_back(self, seat: Seat) -> None:
        self._free.append(seat)
        self._alone = False
        self._serve()

    def _serve(self) -> None:
        """Give seats, or the reason why there is none, to those who wait."""
        while self._waiting:
            waiter = self._waiting[0]
            if waiter.seat.done():
                self._waiting.popleft()
            elif self._draining:
                self._waiting.popleft().seat.set_exception(Draining("this process is stopping"))
            elif self._unsound is not None:
                self._waiting.popleft().seat.set_exception(self._refusal())
            elif self._may_begin(waiter):
                self._alone = waiter.alone
                self._waiting.popleft().seat.set_result(self._free.pop())
            else:
                return

    def _may_begin(self, waiter: Waiter) -> bool:
        if self._under_test or self._alone:
            return False
        return len(self._free) == len(self._seats) if waiter.alone else bool(self._free)

    async def _analyse(self, seat: Seat, path: Path) -> Findings:
        if seat.vacant:  # It died while idle, which no image is to blame for.
            self._suspect()
        await self._until(lambda: not self._under_test)
        if self._unsound is not None or seat.analyser is None:
            raise self._refusal()
        self._analysing += 1
        try:
            return await seat.analyser.ask(path)
        finally:
            self._analysing -= 1
            if seat.vacant:
                self._suspect()
            elif self._under_test:
                self._notify()

    def _refusal(self) -> Unsound:
        return Unsound(self._unsound.detail, self._unsound.hint) if self._unsound else Unsound("no analyser is there")

    def _suspect(self) -> None:
        self._under_test = True
        self._notify()

    async def _keep(self) -> None:
        """Test all at start, after every death, and every few seconds while unsound."""
        while True:
            await self._until(lambda: self._under_test and not self._analysing)
            self._unsound = await self._test()
            self._under_test = False
            self._tell()
            self._serve()
            self._notify()
            if self._unsound is not None:
                await asyncio.sleep(self._retry)
                self._under_test = True

    def _tell(self) -> None:
        """Log that they cannot be trusted, once for each reason, and that they can (again)."""
        why = self._unsound
        detail = why.detail if why else None
        if detail in self._told:
            return
        if why is None or None in self._told:
            self._told.clear()
        self._told.add(detail)
        if why:
            telemetry.log().warning("analysers_unsound", detail=why.detail, hint=why.hint or None)
        else:
            telemetry.log().info("analysers_sound", model=self._model.label if self._model else None)

    async def _test(self) -> RayhoundError | None:
        """Replace the dead, then ask all at the same time; why they cannot be trusted, if so."""
        try:
            # Drawn anew for each test: a temporary file of days ago may have been tidied away.
            with tempfile.TemporaryDirectory(prefix="rayhound-") as folder:
                pictures = await draw(Path(folder), with_large=self._model is None)
                await self._with_each(self._replace)
                await self._with_each(partial(self._check, pictures))
        except Exception as e:
            return _explained(e)
        self._model = self._model or self._seats[0].model
        if self._model is not None:
            telemetry.MODEL.labels(self._model.label).set(1)
        return None

    async def _with_each(self, step: Callable[[Seat], Awaitable[None]]) -> None:
        """Do this with all seats at the same time, and only when all are done raise the first error."""
        for outcome in await asyncio.gather(*map(step, self._seats), return_exceptions=True):
            if outcome is not None:
                raise outcome

    async def _replace(self, seat: Seat) -> None:
        if not seat.vacant:
            return
        if seat.analyser is not None:
            await seat.analyser.end()
            telemetry.REPLACED.inc()
        seat.analyser = Analyser(self._command, self._limits)
        seat.model = await seat.analyser.start()

    async def _check(self, pictures: Sequence[Drawing], seat: Seat) -> None:
        assert seat.analyser is not None
        try:
            for picture in pictures:
                if not picture.is_answered_by(await seat.analyser.ask(picture.path)):
                    raise Unsound("an analyser answered its self-test wrongly", HINT)
            first = self._model or self._seats[0].model
            if first and seat.model != first:
                now = seat.model.label if seat.model else "none"
                raise Unsound(f"the model file is now {now}, and this process began with {first.label}", RESTART)
        except RayhoundError:
            await seat.analyser.end()  # so that the next test begins with another
            raise

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _until(self, true: Callable[[], bool]) -> None:
        while not true():
            await self._changed.wait()

    async def _end_all(self) -> None:
        await asyncio.gather(*(seat.analyser.end() for seat in self._seats if seat.analyser))
        telemetry.ANALYSERS.set_function(lambda: 0)


def _explained(failure: Exception) -> RayhoundError:
    if isinstance(failure, AnalyserDied):
        return Unsound(f"an analyser did not pass its self-test: it {failure}", HINT)
    if isinstance(failure, Unreadable):
        return Unsound(f"an analyser could not read its self-test: {failure.detail}", HINT)
    if isinstance(failure, RayhoundError):
        return failure
    return Unsound(f"the analysers could not be tested: {type(failure).__name__}: {failure}", HINT)
