"""A small world for the crash tests: an archive and a queue that fail on cue, fake analysers, and the promise itself.

A fault strikes at the k-th call on a port. What comes after is what a restart does: the queue is filled again, an hour
passes, web servers sweep, and a consumer settles until nothing is left. Then `check` looks whether the promise held.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from structlog.testing import capture_logs

from rayhound import records
from rayhound.adapters.embedded import EmbeddedQueue
from rayhound.adapters.memory import Broker, MemoryArchive, MemoryQueue
from rayhound.domain import (
    AnalyserDied,
    Classification,
    Contains,
    Findings,
    Header,
    Model,
    RayhoundError,
    Unreadable,
    Upload,
)
from rayhound.pipeline.accepting import House, accept, requeue, sweep
from rayhound.pipeline.patience import Patience
from rayhound.pipeline.settling import Analyse, Desk, Outcome, settle
from rayhound.ports import Delivery
from rayhound.telemetry import in_context
from tests.unit.fate import Death, Fate, FatefulArchive, FatefulPublisher, Fault, Queue

MODEL = Model("fake", "1.0", "0123456789abcdef" * 4)
ARCHIVE_ID = "the archive"
PREFETCH = 4


@dataclass
class FakeAnalysers:
    """Analysers that die of poison, cannot read garbage, and find a dog in everything else."""

    fate: Fate = field(default_factory=Fate)
    sound: bool = True
    kills_the_process: bool = False
    tried: list[bytes] = field(default_factory=list)
    model: Model = MODEL

    @asynccontextmanager
    async def turn(self, alone: bool) -> AsyncIterator[Analyse]:
        async def analyse(image: Path) -> Findings:
            content = image.read_bytes()
            self.tried.append(content)
            await self.fate.call(lambda: asyncio.sleep(0))
            if content.startswith(b"poison") or not self.sound:
                if self.kills_the_process:
                    self.fate.dead = True
                    raise Death
                raise AnalyserDied("killed by signal 11 (SIGSEGV)")
            if content.startswith(b"garbage"):
                raise Unreadable("nobody can read this")
            said = Classification(Contains.DOG, {"dog": 0.9, "cat": 0.1})
            return Findings("JPEG", "RGB", 4, 3, said, 0.001, 0.002)

        yield analyse

    async def recover(self) -> bool:
        return self.sound


class World:
    """One archive and one queue, and those who work on them."""

    def __init__(self, tmp_path: Path, kept: bool) -> None:
        self.now = datetime.now(UTC)
        self.archive = MemoryArchive(lambda: self.now)
        self.archive.objects["archive.json"] = (records.dumps({"archive_id": ARCHIVE_ID}), self.now)
        self.kept = kept
        self.broker = Broker()
        self.spool = tmp_path
        self.promised: dict[str, bytes] = {}
        self.keyed: dict[str, set[str]] = {}
        self.logged: list[Any] = []
        self.lost_queue = False
        self.keys_removed = False
        self.start()

    def start(self) -> None:
        """A process starts, whoever ran before."""
        self.fate = Fate()
        self.seen = FatefulArchive(self.archive, self.fate)
        self.broker.disconnect()
        markers = sorted(key for key in self.archive.objects if key.startswith("outbox/"))
        suspects = frozenset(key.removeprefix("outbox/").partition(".")[0] for key in markers[:PREFETCH])
        self.queue: Queue = (
            MemoryQueue(self.broker, PREFETCH) if self.kept else EmbeddedQueue(self.seen, PREFETCH, suspects)
        )
        self.house = House(self.seen, ARCHIVE_ID, FatefulPublisher(self.queue, self.fate))
        self.analysers = FakeAnalysers(self.fate)

    def other_web_server(self) -> House:
        """Another web server on the same archive and broker, that no fate awaits."""
        queue = MemoryQueue(self.broker, PREFETCH) if self.kept else self.queue
        return House(self.archive, ARCHIVE_ID, queue)

    def desk(self) -> Desk:
        # Whoever tried before is dead in these tests: no attempt is waited for.
        patience = Patience(asyncio.Event(), seconds=1000, pause=0.001)
        return Desk(self.seen, ARCHIVE_ID, self.analysers, self.spool, patience, alive_for=timedelta(0))

    async def upload(self, content: bytes, key: str | None = None, house: House | None = None) -> str | None:
        """Send an image; the id of the 202, or none where there was an error."""
        spooled = self.spool / f"{hashlib.sha256(content).hexdigest()}-{id(content)}"
        spooled.write_bytes(content)
        header = Header("JPEG", "image/jpeg", "jpg", 4, 3)
        digest = hashlib.sha256(content).hexdigest()
        upload = Upload(header, len(content), digest, "a.jpg", None, key)
        try:
            accepted = await accept(house or self.house, upload, spooled)
        except RayhoundError:
            return None
        self.promised[accepted.image_id] = content
        if key is not None:
            self.keyed.setdefault(key, set()).add(accepted.image_id)
        return accepted.image_id

    async def sweep(self, house: House | None = None, expire: bool = True) -> None:
        await sweep(house or self.house, self.now - timedelta(minutes=1), self.now if expire else None)

    async def consume(self, at_most: int = 1000) -> list[Outcome]:
        """Settle what is lent until nothing is."""
        outcomes = []
        async with aclosing(self.queue.deliveries()) as deliveries:
            for _ in range(at_most):
                taking = asyncio.ensure_future(anext(deliveries))
                for _ in range(5):  # both queues yield at once what they have
                    await asyncio.sleep(0)
                if not taking.done():
                    taking.cancel()
                    await asyncio.gather(taking, return_exceptions=True)
                    break
                outcomes.append(await settle(self.desk(), taking.result()))
        return outcomes

    async def take(self) -> Delivery:
        """The next delivery, settled by nobody yet."""
        async with aclosing(self.queue.deliveries()) as deliveries:
            return await anext(deliveries)

    async def afterwards(self) -> None:
        """Restart, and let hours pass, until web servers and a consumer have nothing left to do."""
        self.start()
        if self.lost_queue:
            [_ async for _ in requeue(self.archive)]
        for _ in range(4):
            self.now += timedelta(hours=2)
            await self.sweep()
            await self.consume()

    async def check(self) -> None:
        """The promise: what was accepted is there, as it came, and was answered once; and nothing else is left."""
        for image_id, content in self.promised.items():
            accepted = await records.fact(self.archive, records.accepted_key(image_id))
            assert await records.read(self.archive, records.image_key(accepted)) == content, "bytes lost"
        ids = [image_id async for image_id in records.accepted_ids(self.archive)]
        assert set(self.promised) <= set(ids), "an accepted image is gone"
        keys: dict[str, str] = {}
        for image_id in ids:
            facts = await records.look(self.archive, image_id)
            record = await records.record(self.archive, image_id)
            assert facts.image is not None, "accepted without its bytes"
            assert facts.status is not records.Facts().status, "queued for ever"
            content = await records.read(self.archive, records.image_key(record.accepted))
            wanted = "failed" if content.startswith((b"poison", b"garbage")) else "analysed"
            assert str(facts.status) == wanted, f"{content!r} {facts.status}: {record.failures}"
            assert not facts.attempts, "attempts left behind"
            if (digest := record.accepted["key_sha256"]) and not self.keys_removed:
                assert keys.setdefault(digest, image_id) == image_id, "two images for one key"
        assert self.keys_removed or all(len(told) == 1 for told in self.keyed.values()), "two answers for one key"
        folders = {key.split("/")[3] for key in self.archive.objects if key[0].isdigit()}
        assert folders == set(ids), "something is left of what was not accepted"
        assert not [key for key in self.archive.objects if key.startswith("outbox/")], "markers left"
        assert not self.broker.dead, "dead letters"
        assert all({"image_id", "correlation_id"} <= e.keys() for e in self.logged), "a line about nobody"
        analysed = [(e["image_id"], e["model"]) for e in self.logged if e["event"] == "analysed"]
        assert len(analysed) == len(set(analysed)), "analysed twice"


Scenario = Callable[[World], Awaitable[None]]


async def walk(tmp_path: Path, kept: bool, fault: Fault, prepare: Scenario, act: Scenario, actor: Scenario) -> int:
    """Let the fault strike at every call of `act` in turn, and check the promise each time; the number of calls."""
    for at in range(1, 500):
        with capture_logs([in_context]) as logged:
            world = World(tmp_path, kept)
            world.logged = logged
            await prepare(world)
            world.fate.begin(fault, at, lambda world=world: actor(world))  # type: ignore[misc]
            with suppress(Death, RayhoundError):
                await act(world)
            struck = world.fate.struck
            await world.afterwards()
            try:
                await world.check()
            except AssertionError as e:
                raise AssertionError(f"{fault.value}, at call {at}: {e}") from e
        if not struck:
            return at - 1
    raise AssertionError("the scenario never ends")
