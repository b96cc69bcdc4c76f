"""Asking for an image again: what had no answer, what failed, and what a new model has not seen."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from rayhound import records
from rayhound.pipeline.accepting import Again, requeue
from rayhound.pipeline.settling import Outcome
from tests.unit.test_settling import DOG, run
from tests.unit.world import MODEL, World

NEWER = replace(MODEL, version="2.0")


def test_a_failed_image_is_tried_again_in_its_next_try_and_its_failure_stays(tmp_path: Path) -> None:
    async def told(world: World) -> None:
        image_id = await world.upload(b"garbage")
        assert image_id
        await world.consume()
        assert [r.outcome async for r in requeue(world.archive)] == [Again.FAILED]
        [requeued] = [r async for r in requeue(world.archive, [image_id])]
        assert (requeued.outcome, requeued.retry) == (Again.NEXT_TRY, 1)
        assert [r.outcome async for r in requeue(world.archive, failed=True)] == [Again.WAITING]
        world.now += timedelta(minutes=2)
        await world.sweep()
        assert await world.consume() == [Outcome.FAILED]
        facts = await records.look(world.archive, image_id)
        assert [f.retry for f in facts.failures] == [0, 1]

    run(tmp_path, told)


def test_requeue_leaves_what_is_analysed_and_names_what_it_does_not_know(tmp_path: Path) -> None:
    async def told(world: World) -> None:
        image_id = await world.upload(DOG)
        assert image_id
        await world.consume()
        asked = [image_id, "nonsense", "0" * 36]
        outcomes = [r.outcome async for r in requeue(world.archive, asked)]
        assert outcomes == [Again.ANALYSED, Again.UNKNOWN, Again.UNKNOWN]

    run(tmp_path, told)


def test_a_new_model_analyses_what_another_has_when_asked_and_a_consumer_on_the_old_one_has_nothing_to_do(
    tmp_path: Path,
) -> None:
    async def told(world: World) -> None:
        image_id = await world.upload(DOG)
        assert image_id
        await world.consume()
        newer = f"{NEWER.name}@{NEWER.version}"
        for model, expected in ((MODEL, Outcome.KNOWN), (NEWER, Outcome.ANALYSED)):
            world.analysers.model = model
            assert [r.outcome async for r in requeue(world.archive, model=newer)] == [Again.QUEUED]
            world.now += timedelta(minutes=2)
            await world.sweep()
            assert await world.consume() == [expected]
        assert [r.outcome async for r in requeue(world.archive, model=newer)] == [Again.ANALYSED]
        facts = await records.look(world.archive, image_id)
        assert {a.label for a in facts.analyses} == {MODEL.label, NEWER.label}

    run(tmp_path, told)


def test_a_new_model_gets_what_another_failed_at_and_its_own_failure_only_when_asked(tmp_path: Path) -> None:
    async def told(world: World) -> None:
        await world.upload(b"garbage")
        await world.consume()
        world.analysers.model, newer = NEWER, f"{NEWER.name}@{NEWER.version}"
        for expected, failed in ((Again.QUEUED, False), (Again.NEXT_TRY, True)):
            assert [r.outcome async for r in requeue(world.archive, failed=failed, model=newer)] == [expected]
            world.now += timedelta(minutes=2)
            await world.sweep()
            assert await world.consume() == [Outcome.FAILED]
            assert [r.outcome async for r in requeue(world.archive, model=newer)] == [Again.FAILED]

    run(tmp_path, told)


def test_a_dry_run_changes_nothing(tmp_path: Path) -> None:
    async def told(world: World) -> None:
        await world.upload(DOG)
        for key in [k for k in world.archive.objects if k.startswith("outbox/")]:
            del world.archive.objects[key]
        before = dict(world.archive.objects)
        assert [r.outcome async for r in requeue(world.archive, dry_run=True)] == [Again.QUEUED]
        assert world.archive.objects == before

    run(tmp_path, told)
