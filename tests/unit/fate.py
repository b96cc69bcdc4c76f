"""What may befall a call on a port: its process dies, it is refused, nobody tells what became of it, somebody acts.

Which of them an adapter really meets, and what it makes of it, `tests/contract/test_faults.py` shows.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from rayhound.domain import InDoubt, RayhoundError, StorageFull, Unavailable


class Death(BaseException):
    """The process is killed; nothing of it runs any more."""


class Call(Enum):
    """What a call on a port is."""

    READ = "reads the archive"
    CHANGE = "puts a fact or a marker, or deletes an object"
    KEEP = "puts an image"
    PUBLISH = "publishes a request"
    ANALYSE = "has an image analysed"
    SETTLE = "acknowledges, releases or rejects"


class Fault(Enum):
    """What happens at one call."""

    DIES_BEFORE = "the process dies before it"
    DIES_AFTER = "the process dies after it"
    REFUSED = "it is not done, and says so"
    FULL = "there is no room for it, and it is not done"
    NOT_DONE = "it is not done, and nobody says so"
    REPLY_LOST = "it is done, and its reply is lost"
    DONE_LATER = "nobody says what became of it, and it is done once the process has given up"
    DONE_AGAIN = "it is done, and what was sent of it before is done once the process has given up"
    SECOND_ACTOR = "somebody else acts to the end first"


DOUBTS = (Fault.NOT_DONE, Fault.REPLY_LOST, Fault.DONE_LATER)
REFUSES = frozenset(Call) - {Call.SETTLE}  # a broker that cannot be told lends again, and nothing is raised
CHANGES = frozenset({Call.CHANGE, Call.KEEP, Call.PUBLISH})  # a read without an answer is refused: nothing is in doubt

Actor = Callable[[], Awaitable[None]]


async def nobody() -> None:
    """Does nothing."""


@dataclass(frozen=True)
class Strike:
    """A fault at the `after`-th call that it may strike, counted from the strike before."""

    fault: Fault
    after: int
    actor: Actor = nobody

    def may_strike(self, call: Call) -> bool:
        """Whether such a call can meet this fault."""
        if self.fault is Fault.REFUSED:
            return call in REFUSES
        if self.fault is Fault.FULL:
            return call in (Call.CHANGE, Call.KEEP)
        if self.fault is Fault.DONE_AGAIN:
            return call is Call.CHANGE  # an image is never put twice
        return self.fault not in DOUBTS or call in CHANGES


@dataclass
class Fate:
    """What awaits one process. `away` are calls that are refused from now on; `late` is what will yet be done."""

    strikes: list[Strike] = field(default_factory=list)
    away: set[Call] = field(default_factory=set)
    late: list[Callable[[], Awaitable[Any]]] = field(default_factory=list)
    calls: int = 0
    dead: bool = False

    async def call(self, call: Call, done: Callable[[], Awaitable[Any]]) -> Any:
        """Do it, unless something befalls it."""
        if self.dead:
            raise Death
        if self.strikes and self.strikes[0].may_strike(call):
            self.calls += 1
            if self.calls == self.strikes[0].after:
                self.calls = 0
                return await self._meet(self.strikes.pop(0), call, done)
        return await self._unless_away(call, done)

    async def arrive(self) -> None:
        """What is still under way is done at last."""
        while self.late:
            with suppress(RayhoundError):
                await self.late.pop(0)()

    async def _unless_away(self, call: Call, done: Callable[[], Awaitable[Any]]) -> Any:
        if call in self.away:
            raise Unavailable("away on cue")
        return await done()

    async def _meet(self, strike: Strike, call: Call, done: Callable[[], Awaitable[Any]]) -> Any:
        fault = strike.fault
        if fault is Fault.SECOND_ACTOR:
            await strike.actor()
            return await self._unless_away(call, done)
        if fault is Fault.REFUSED:
            raise Unavailable("refused on cue")
        if fault is Fault.FULL:
            raise StorageFull("full on cue")
        if fault is Fault.DONE_AGAIN:
            self.late.append(done)
            return await self._unless_away(call, done)
        if fault is Fault.DONE_LATER:
            self.late.append(done)
        elif fault in (Fault.REPLY_LOST, Fault.DIES_AFTER):
            await self._unless_away(call, done)
        if fault in DOUBTS:
            raise InDoubt("its reply was lost on cue")
        self.dead = True
        raise Death
