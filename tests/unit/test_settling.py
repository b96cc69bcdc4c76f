"""How a delivery ends, case by case; the crash tests walk the same code with a fault at every call."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from rayhound import records
from rayhound.pipeline.settling import Outcome, settle
from rayhound.telemetry import in_context
from tests.unit.fate import Fault, Strike
from tests.unit.world import MODEL, World

DOG = b"a dog"
NEWER = replace(MODEL, version="2.0")


def run(tmp_path: Path, told: Callable[[World], Awaitable[None]], kept: bool = False) -> None:
    async def all_of_it() -> None:
        await asyncio.wait_for(told(World(tmp_path, kept)), 30)

    asyncio.run(all_of_it())


async def stored(world: World, image_id: str) -> str:
    """The key of the image's bytes."""
    return records.image_key(await records.fact(world.archive, records.accepted_key(image_id)))


async def reason(world: World, image_id: str) -> str:
    return str((await records.record(world.archive, image_id)).failures[0]["reason"])


def test_an_image_is_retrieved_and_analysed_in_two_log_lines(tmp_path: Path) -> None:
    async def told(world: World) -> None:
        image_id = await world.upload(DOG)
        with capture_logs([in_context]) as logged:
            assert await world.consume() == [Outcome.ANALYSED]
        assert [e["event"] for e in logged] == ["retrieved", "analysed"]
        assert logged[1] == {
            "event": "analysed",
            "log_level": "info",
            "image_id": image_id,
            "correlation_id": image_id,
            "format": "JPEG",
            "width": 4,
            "height": 3,
            "bytes": 5,
            "contains": "dog",
            "dog": 0.9,
            "cat": 0.1,
            "model": MODEL.label,
            "seconds": 0.003,
        }

    run(tmp_path, told)


@pytest.mark.parametrize("bytes_now", [None, b"other bytes"])
def test_bytes_that_are_lost_or_changed_fail_with_that_reason(tmp_path: Path, bytes_now: bytes | None) -> None:
    async def told(world: World) -> None:
        image_id = await world.upload(DOG)
        assert image_id
        key = await stored(world, image_id)
        del world.archive.objects[key]
        if bytes_now:
            await world.archive.put(key, bytes_now)
        assert await world.consume() == [Outcome.FAILED]
        assert "missing, or are not those" in await reason(world, image_id)
        assert world.analysers.tried == []

    run(tmp_path, told)


def test_an_image_for_which_the_consumer_has_no_room_is_held_until_there_is_some(tmp_path: Path) -> None:
    async def told(world: World) -> None:
        await world.upload(DOG)
        (tmp_path / "spool").symlink_to("/dev/full/none")
        world.spool = tmp_path / "spool"
        with capture_logs([in_context]) as logged:
            settling = asyncio.create_task(world.consume())
            while not logged:
                await asyncio.sleep(0.001)
            (tmp_path / "spool").unlink()
            (tmp_path / "spool").mkdir()
            assert await settling == [Outcome.ANALYSED]
        assert logged[0]["event"] == "waiting"
        assert "cannot be kept in" in logged[0]["why"]
        assert not list((tmp_path / "spool").iterdir())

    run(tmp_path, told)


def test_an_image_that_cannot_be_fetched_leaves_nothing_of_it_behind(tmp_path: Path) -> None:
    async def told(world: World) -> None:
        await world.upload(DOG)
        world.spool = tmp_path / "spool"
        world.spool.mkdir()
        desk, delivery = world.desk(), await world.take()
        desk.patience.stopping.set()
        world.fate.strikes.append(Strike(Fault.REFUSED, 3))  # accepted.json, what is there, the image
        assert await settle(desk, delivery) is Outcome.RELEASED
        assert not list(world.spool.iterdir())

    run(tmp_path, told)


def test_a_request_for_an_image_that_was_removed_is_rejected_with_that_reason(tmp_path: Path) -> None:
    async def told(world: World) -> None:
        image_id = await world.upload(DOG)
        for key in [k for k in world.archive.objects if str(image_id) in k and k[0].isdigit()]:
            del world.archive.objects[key]
        with capture_logs([in_context]) as logged:
            assert await world.consume() == [Outcome.REJECTED]
        assert await world.consume() == []
        assert [(e["event"], "was removed" in e["why"]) for e in logged] == [("rejected", True)]

    run(tmp_path, told)


@pytest.mark.parametrize("archive_json", [None, {"archive_id": "another"}])
def test_nothing_is_rejected_or_failed_where_the_archive_is_not_ours(
    tmp_path: Path, archive_json: dict[str, str] | None
) -> None:
    async def told(world: World) -> None:
        await world.upload(DOG)
        world.archive.objects.clear()
        if archive_json:
            await world.archive.put("archive.json", records.dumps(archive_json))
        assert await world.consume(at_most=1) == [Outcome.FOREIGN]

    run(tmp_path, told)


def test_a_request_of_another_archive_is_released_unread(tmp_path: Path) -> None:
    async def told(world: World) -> None:
        await world.upload(DOG)
        delivery = await world.take()
        assert await settle(replace(world.desk(), archive_id="another"), delivery) is Outcome.FOREIGN

    run(tmp_path, told)


def test_what_nobody_can_read_fails_at_once_with_its_reason(tmp_path: Path) -> None:
    async def told(world: World) -> None:
        image_id = await world.upload(b"garbage")
        assert image_id
        assert await world.consume() == [Outcome.FAILED]
        assert await reason(world, image_id) == "nobody can read this"
        assert len(world.analysers.tried) == 1

    run(tmp_path, told)


def test_poison_fails_with_the_way_its_last_analyser_ended(tmp_path: Path) -> None:
    async def told(world: World) -> None:
        image_id = await world.upload(b"poison")
        assert image_id
        await world.consume()
        assert await reason(world, image_id) == "3 analysers died of it; the last one: killed by signal 11 (SIGSEGV)"

    run(tmp_path, told)


def test_an_attempt_that_may_be_alive_is_waited_for(tmp_path: Path) -> None:
    async def told(world: World) -> None:
        image_id = await world.upload(DOG)
        assert image_id
        other = records.attempt_key(image_id, MODEL.label, 0, 1)
        await world.archive.put(other, b"{}")
        delivery = await world.take()
        desk = replace(world.desk(), alive_for=timedelta(seconds=130))
        settling = asyncio.create_task(settle(desk, delivery))
        await asyncio.sleep(0.05)
        assert not settling.done()
        assert world.analysers.tried == []
        world.now += timedelta(seconds=131)
        assert await settling is Outcome.ANALYSED
        assert not (await records.look(world.archive, image_id)).attempts

    run(tmp_path, told)


def test_an_attempt_that_somebody_else_wrote_first_is_theirs(tmp_path: Path) -> None:
    async def told(world: World) -> None:
        image_id = await world.upload(b"poison")
        assert image_id

        async def dies_of_it(number: int) -> None:
            await world.archive.put(records.attempt_key(image_id, MODEL.label, 0, number), b"{}")

        await dies_of_it(1)
        # accepted.json, what is there, the image, and then the attempt
        world.fate.strikes.append(Strike(Fault.SECOND_ACTOR, 4, lambda: dies_of_it(2)))
        assert await world.consume() == [Outcome.FAILED]
        assert world.analysers.tried == [b"poison"], "the third that died of it"

    run(tmp_path, told)


def test_whoever_waited_for_an_attempt_takes_its_analysis_for_an_answer(tmp_path: Path) -> None:
    async def told(world: World) -> None:
        image_id = await world.upload(DOG)
        assert image_id
        await world.archive.put(records.attempt_key(image_id, MODEL.label, 0, 1), b"{}")
        delivery = await world.take()
        desk = replace(world.desk(), alive_for=timedelta(seconds=130))
        settling = asyncio.create_task(settle(desk, delivery))
        await asyncio.sleep(0.02)
        await world.archive.put(records.analysis_key(image_id, MODEL.label), records.dumps({"analysed_at": "now"}))
        assert await settling is Outcome.KNOWN
        assert world.analysers.tried == []

    run(tmp_path, told)


def test_stopping_releases_what_waits_for_somebody_else(tmp_path: Path) -> None:
    async def told(world: World) -> None:
        image_id = await world.upload(DOG)
        assert image_id
        await world.archive.put(records.attempt_key(image_id, MODEL.label, 0, 1), b"{}")
        delivery = await world.take()
        desk = replace(world.desk(), alive_for=timedelta(seconds=130))
        settling = asyncio.create_task(settle(desk, delivery))
        await asyncio.sleep(0.01)
        desk.patience.stopping.set()
        assert await settling is Outcome.RELEASED

    run(tmp_path, told)


def test_an_analysis_that_somebody_else_stored_first_stands_and_is_logged_by_them_alone(tmp_path: Path) -> None:
    async def told(world: World) -> None:
        image_id = await world.upload(DOG)
        assert image_id
        theirs = records.dumps({"contains": "cat", "analysed_at": "now"})

        async def first() -> None:
            await world.archive.put(records.analysis_key(image_id, MODEL.label), theirs)

        delivery = await world.take()
        with capture_logs([in_context]) as logged:
            settling = asyncio.create_task(settle(world.desk(), delivery))
            while not world.analysers.tried:
                await asyncio.sleep(0)
            await first()
            await settling
        assert await records.read(world.archive, records.analysis_key(image_id, MODEL.label)) == theirs
        assert "analysed" not in [e["event"] for e in logged]

    run(tmp_path, told)
