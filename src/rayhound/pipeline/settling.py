"""Answering a request: read the image, analyse it, store what was found, and only then acknowledge.

A delivery comes at least once and an analysis is written once, so the effect is there exactly once. What kills its
analyser is told from what was killed beside it by facts of our own: attempts, written before the image is tried alone.
"""

import asyncio
import hashlib
import os
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from rayhound import records, telemetry
from rayhound.domain import (
    AnalyserDied,
    Draining,
    Findings,
    Model,
    NotFound,
    Request,
    StorageFull,
    TryLater,
    Unreadable,
)
from rayhound.pipeline.patience import Patience, PatientArchive
from rayhound.ports import Archive, Delivery, Put
from rayhound.records import Facts
from rayhound.telemetry import log

ATTEMPTS = 3
READS = 3

Analyse = Callable[[Path], Awaitable[Findings]]


class Analysers(Protocol):
    """The processes that read and classify, as settling sees them."""

    @property
    def model(self) -> Model:
        """Whose analyses these are; raises `Unsound` before the first passed self-test."""

    def turn(self, alone: bool) -> AbstractAsyncContextManager[Analyse]:
        """A free analyser; with `alone`, no other analysis runs meanwhile. Raises `Unsound` or `Draining`."""

    async def recover(self) -> bool:
        """After a death: replace the dead and test all; whether every one passed."""


class Outcome(StrEnum):
    """How a delivery ended; a foreign one, of another archive, was released too."""

    ANALYSED = "analysed"
    FAILED = "failed"
    KNOWN = "known"
    REJECTED = "rejected"
    RELEASED = "released"
    FOREIGN = "foreign"


for _outcome in Outcome:  # from the start, so that an increase from none to one is seen
    telemetry.SETTLED.labels(_outcome)


@dataclass(frozen=True, slots=True)
class Desk:
    """What settling needs.

    `spool` is a folder for an image while it is analysed; `alive_for` is how long somebody else's attempt may still
    run (0 where nobody else can be); `tell` hears of every image that is settled.
    """

    archive: Archive
    archive_id: str
    analysers: Analysers
    spool: Path
    patience: Patience
    alive_for: timedelta
    tell: Callable[[str], None] = lambda image_id: None


async def settle(desk: Desk, delivery: Delivery) -> Outcome:
    """Bring one delivery to its end; this is the only place that acknowledges, and it does so last."""
    request, began = delivery.request, time.monotonic()
    with telemetry.about(request), telemetry.taken(request, delivery.lent_before):
        try:
            outcome = await _Case(desk, request, delivery.lent_before).conclude()
        except TryLater as e:
            log().info("released", why=e.detail)
            outcome = Outcome.RELEASED
        except Exception as e:  # a fault of ours must not keep the delivery for ever
            log().error("released", exc_info=e)
            outcome = Outcome.RELEASED
        telemetry.SETTLED.labels(outcome).inc()
        if outcome in (Outcome.RELEASED, Outcome.FOREIGN):
            await delivery.release()
        elif outcome is Outcome.REJECTED:
            log().error("rejected", why="the archive does not know it: it was never accepted, or was removed since")
            await delivery.reject()
        else:
            desk.tell(request.image_id)
            await delivery.ack()
            telemetry.SETTLE_SECONDS.observe(time.monotonic() - began)
    return outcome


class _Case:
    """One request on the desk, and what was learned of it so far."""

    def __init__(self, desk: Desk, request: Request, lent_before: bool) -> None:
        self.desk = desk
        self.archive = PatientArchive(desk.archive, desk.patience)
        self.request = request
        self.lent_before = lent_before
        self.image_id = request.image_id
        self.dead: dict[str, str] = {}
        self.mine: str | None = None
        self.suspected = lent_before

    async def conclude(self) -> Outcome:
        if self.request.archive_id != self.desk.archive_id:
            return Outcome.FOREIGN
        try:
            accepted = await records.fact(self.archive, records.accepted_key(self.image_id))
        except NotFound:
            ours = await records.is_ours(self.archive, self.desk.archive_id)
            return Outcome.REJECTED if ours else Outcome.FOREIGN
        except ValueError:
            return await self._fail(self.desk.analysers.model, "its accepted.json is damaged")
        model = self.desk.analysers.model
        facts = await records.look(self.archive, self.image_id)
        if facts.settled(model.label, self.request.retry):
            await self._forget_attempts(facts, model.label)
            return Outcome.KNOWN
        for _ in range(READS):
            async with self._spooled(accepted) as image:
                if image is not None:
                    log().info("retrieved", bytes=accepted["bytes"])
                    return await self._try(image, accepted, model, facts)
        if not await records.is_ours(self.archive, self.desk.archive_id):
            return Outcome.FOREIGN
        return await self._fail(model, "its stored bytes are missing, or are not those that were accepted")

    async def _try(self, image: Path, accepted: dict[str, Any], model: Model, known: Facts) -> Outcome:
        """Try the image until it is analysed, nobody can read it, or three analysers died of it."""
        while True:
            facts = await self._when_nobody_tries(model, known)
            if facts is None:
                return Outcome.KNOWN
            attempts = facts.attempts_of(model.label, self.request.retry)
            if len(attempts) >= ATTEMPTS:
                how = self.dead.get(attempts[-1].key, "its whole process ended")
                return await self._fail(model, f"{len(attempts)} analysers died of it; the last one: {how}")
            self.suspected |= bool(attempts)
            number = attempts[-1].number + 1 if attempts else 1
            key = records.attempt_key(self.image_id, model.label, self.request.retry, number)
            findings = None
            try:
                async with self.desk.analysers.turn(self.suspected) as analyse:
                    if not self.suspected or await self._attempt(key):
                        findings = await analyse(image)
                if findings is not None:
                    return await self._keep(findings, accepted, model)
            except Unreadable as e:
                return await self._fail(model, e.detail)
            except AnalyserDied as death:
                if not await self._proven(key, death):
                    return Outcome.RELEASED
            finally:
                await self._release_attempt()
            known = await records.look(self.archive, self.image_id)

    async def _proven(self, key: str, death: AnalyserDied) -> bool:
        """Whether the image is to blame for a death: only if every analyser passes its self-test afterwards."""
        if not await self.desk.analysers.recover():
            return False
        if self.mine == key or await self._attempt(key):
            log().warning("analyser_died", attempt=key.split(".")[-2], why=str(death))
            self.dead[key], self.mine = str(death), None
        return True

    async def _when_nobody_tries(self, model: Model, facts: Facts) -> Facts | None:
        """The facts, once no attempt of somebody else's may still be alive; none if the request is settled by then."""
        while True:
            if facts.settled(model.label, self.request.retry):
                await self._forget_attempts(facts, model.label)
                return None
            attempts = [a for a in facts.attempts_of(model.label, self.request.retry) if a.key not in self.dead]
            if not attempts or not self.desk.alive_for:
                return facts
            now = (await self.archive.ping()).now
            if all(a.modified + self.desk.alive_for <= now for a in attempts):
                return facts
            await self._sleep()
            facts = await records.look(self.archive, self.image_id)

    async def _sleep(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self.desk.patience.pause):
                await self.desk.patience.stopping.wait()
                raise Draining("stopping, while somebody else's attempt may still be alive")

    async def _attempt(self, key: str) -> bool:
        """Write down that the image is tried now; whether it was we who wrote it."""
        fact = {"image_id": self.image_id, "at": records.instant(), "by": os.urandom(8).hex()}
        if await self.archive.put(key, records.dumps(fact)) is not Put.CREATED:
            return False
        self.mine = key
        return True

    async def _release_attempt(self) -> None:
        """Take back an attempt that no analyser died of, if the archive is there to be told so."""
        if self.mine is not None:
            with suppress(TryLater):
                await self.desk.archive.delete(self.mine)
            self.mine = None

    async def _keep(self, findings: Findings, accepted: dict[str, Any], model: Model) -> Outcome:
        fact = {"image_id": self.image_id, **records.analysis(findings, model, accepted["bytes"])}
        if await self._store(records.analysis_key(self.image_id, model.label), fact):
            shown = {name: fact[name] for name in ("format", "width", "height", "bytes", "contains")}
            scores = dict(sorted(fact["scores"].items(), key=lambda score: -score[1]))
            log().info("analysed", **shown, **scores, model=model.label, seconds=fact["seconds"])
            telemetry.ANALYSED.labels(fact["contains"]).inc()
            telemetry.READING.observe(findings.reading_seconds)
            telemetry.CLASSIFYING.observe(findings.classifying_seconds)
        await self._forget_dead(model)
        return Outcome.ANALYSED

    async def _fail(self, model: Model, reason: str) -> Outcome:
        fact = {"image_id": self.image_id, **records.failure(reason, model, self.request.retry)}
        key = records.failed_key(self.image_id, model.label, self.request.retry)
        if await self._store(key, fact):
            log().warning("failed", reason=reason, model=model.label)
        await self._forget_dead(model)
        return Outcome.FAILED

    async def _store(self, key: str, fact: dict[str, Any]) -> bool:
        """Store what was found; whether it was we who did."""
        with telemetry.STORING.time():
            return await self.archive.put(key, records.dumps(fact)) is Put.CREATED

    async def _forget_dead(self, model: Model) -> None:
        """Remove the attempts of a request that is settled now; most images never had one."""
        if self.suspected:
            await self._forget_attempts(await records.look(self.archive, self.image_id), model.label)

    async def _forget_attempts(self, facts: Facts, label: str) -> None:
        for attempt in facts.attempts:
            if attempt.label == label and facts.settled(label, attempt.retry):
                await self.archive.delete(attempt.key)

    @asynccontextmanager
    async def _spooled(self, accepted: dict[str, Any]) -> AsyncGenerator[Path | None, None]:
        """The stored bytes in a file of their own; none if they are missing or not those that were accepted."""
        path = self.desk.spool / f"{self.image_id}-{id(self)}"
        try:
            with telemetry.FETCHING.time():
                found = await self.archive.patiently(lambda: self._fetched(accepted, path))
            yield path if found == accepted["sha256"] else None
        finally:
            path.unlink(missing_ok=True)

    async def _fetched(self, accepted: dict[str, Any], path: Path) -> str:
        """The SHA-256 of the stored bytes, which lie at `path` then; empty if they are missing."""
        digest = hashlib.sha256()
        try:
            with path.open("wb") as file:
                async with aclosing(self.desk.archive.get(records.image_key(accepted))) as pieces:
                    async for piece in pieces:
                        digest.update(piece)
                        file.write(piece)
        except NotFound:
            return ""
        except OSError as e:
            hint = "the folder that TMPDIR names must have room for the images in hand"
            raise StorageFull(
                f"an image cannot be kept in {path.parent} while it is analysed: {e.strerror}", hint
            ) from e
        return digest.hexdigest()
