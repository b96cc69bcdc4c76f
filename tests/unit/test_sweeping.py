"""What a web server finishes at once, what it leaves for a minute, and what it does not touch without a broker."""

import asyncio
from pathlib import Path

import pytest

from rayhound import records
from rayhound.domain import Request, Unavailable
from rayhound.pipeline.accepting import House, requeue, sweep
from rayhound.pipeline.settling import Outcome
from rayhound.ports import Published
from rayhound.wiring import sweeping
from tests.unit.fate import Call
from tests.unit.test_settling import DOG, run
from tests.unit.world import World


def outbox(world: World) -> list[str]:
    """The markers that there are."""
    return [key for key in world.archive.objects if key.startswith(records.OUTBOX)]


@pytest.mark.parametrize("kept", [True, False], ids=["broker", "embedded"])
def test_an_image_that_was_requeued_is_queued_by_the_next_sweep(tmp_path: Path, kept: bool) -> None:
    async def told(world: World) -> None:
        await world.upload(b"garbage")
        assert await world.consume() == [Outcome.FAILED]
        assert [r async for r in requeue(world.archive, failed=True)]
        await world.sweep()
        assert await world.consume() == [Outcome.FAILED]
        assert not outbox(world)

    run(tmp_path, told, kept)


def test_an_upload_that_the_broker_did_not_confirm_leaves_one_marker_and_is_queued_by_the_next_sweep(
    tmp_path: Path,
) -> None:
    async def told(world: World) -> None:
        world.fate.away.add(Call.PUBLISH)
        assert await world.upload(DOG)
        [marker] = outbox(world)
        assert records.is_of_accepted(marker)
        world.fate.away.clear()
        await world.sweep()
        assert await world.consume() == [Outcome.ANALYSED]
        assert not outbox(world)

    run(tmp_path, told, kept=True)


class Coming:
    """A publisher that is away until it is there."""

    def __init__(self) -> None:
        self.there = False
        self.pings = 0
        self.asked: list[str] = []

    async def publish(self, request: Request, marker: str) -> Published:
        self.asked.append(request.image_id)
        await self.ping()
        return Published.KEPT

    def holds(self, marker: str) -> bool:
        return False

    async def ping(self) -> None:
        self.pings += 1
        if not self.there:
            raise Unavailable("not there yet")


def test_markers_are_left_alone_while_the_broker_is_away_and_finished_as_soon_as_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def told(world: World) -> None:
        publisher = Coming()
        house = House(world.archive, world.house.archive_id, publisher)
        image_id = await world.upload(DOG, house=house)
        assert publisher.asked == [image_id]
        monkeypatch.setattr(sweeping, "LOOK_SECONDS", 0.01)
        monkeypatch.setattr(sweeping, "SWEEP_SECONDS", 0.02)
        for_ever = asyncio.create_task(sweeping.sweep_among_others(house))
        try:
            while publisher.pings < 20:
                await asyncio.sleep(0.01)
            assert publisher.asked == [image_id], "it was tried in vain"
            monkeypatch.setattr(sweeping, "SWEEP_SECONDS", 1000)
            publisher.there = True
            while outbox(world):
                await asyncio.sleep(0.01)
            assert publisher.asked == [image_id] * 2
        finally:
            for_ever.cancel()

    run(tmp_path, told, kept=True)


def test_a_sweep_with_no_moment_counts_only(tmp_path: Path) -> None:
    async def told(world: World) -> None:
        world.fate.away.add(Call.PUBLISH)
        await world.upload(DOG)
        world.fate.away.clear()
        swept = await sweep(world.house, None, world.now)
        assert (swept.markers, swept.oldest) == (1, world.now)
        assert await world.consume() == []

    run(tmp_path, told, kept=True)
