"""An archive that is away is waited for, and what was in doubt is found out."""

import asyncio
from pathlib import Path

import pytest

from rayhound.domain import InDoubt, StorageFull, Unavailable
from rayhound.pipeline.patience import Patience, PatientArchive
from rayhound.pipeline.settling import Outcome, settle
from rayhound.ports import Put
from tests.unit.test_settling import run
from tests.unit.world import World

DOG = b"a dog"


def test_an_archive_that_is_away_is_waited_for_and_the_analysis_is_stored(tmp_path: Path) -> None:
    async def told(world: World) -> None:
        image_id = await world.upload(DOG)
        assert image_id
        delivery = await world.take()
        away = 12
        put = world.archive.put

        async def put_later(key: str, content: bytes | Path) -> Put:
            nonlocal away
            if "analysis" in key and away:
                away -= 1
                raise StorageFull("full") if away % 2 else Unavailable("away")
            return await put(key, content)

        world.archive.put = put_later  # type: ignore[method-assign]
        assert await settle(world.desk(), delivery) is Outcome.ANALYSED
        assert len(world.analysers.tried) == 1

    run(tmp_path, told)


def test_a_put_whose_reply_was_lost_is_found_to_be_ours(tmp_path: Path) -> None:
    async def told(world: World) -> None:
        put = world.archive.put
        lost = 1

        async def lossy(key: str, content: bytes | Path) -> Put:
            nonlocal lost
            done = await put(key, content)
            if lost:
                lost -= 1
                raise InDoubt("lost")
            return done

        world.archive.put = lossy  # type: ignore[method-assign]
        patient = PatientArchive(world.archive, Patience(asyncio.Event(), 10, 0.001))
        assert await patient.put("keys/a", b"1") is Put.CREATED
        assert await patient.put("keys/a", b"1") is Put.SAME

    run(tmp_path, told)


def test_patience_ends_when_the_process_is_told_to_stop(tmp_path: Path) -> None:
    async def told(world: World) -> None:
        async def away() -> None:
            raise Unavailable("away")

        world.archive.ping = away  # type: ignore[assignment,method-assign]
        stopping = asyncio.Event()
        patient = PatientArchive(world.archive, Patience(stopping, 1000, 1000))
        waiting = asyncio.create_task(patient.ping())
        await asyncio.sleep(0.01)
        stopping.set()
        with pytest.raises(Unavailable):
            await waiting
        with pytest.raises(Unavailable):
            await PatientArchive(world.archive, Patience(asyncio.Event(), 0, 1000)).ping()

    run(tmp_path, told)
