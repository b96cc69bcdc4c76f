"""Analysers of real processes, some of which die of their pictures."""

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from rayhound.analysers.pool import Analysers, command
from rayhound.domain import AnalyserDied, Draining, Findings, Limits, Request, Unreadable, Unsound
from rayhound.settings import DEFAULT_MODEL
from rayhound.telemetry import about, in_context
from tests import killing, pictures
from tests.analysing import KILLING, ask, kill_idle, opened, pids, run, state


@pytest.fixture
def calm(tmp_path: Path) -> Path:
    """A picture that nobody dies of."""
    path = tmp_path / "calm.jpg"
    path.write_bytes(pictures.encoded(pictures.scene(), "JPEG"))
    return path


def test_an_analyser_finds_out_what_the_model_says(calm: Path) -> None:
    async def story() -> None:
        limits = Limits()
        async with Analysers(command(DEFAULT_MODEL, limits), 1, limits) as analysers:
            with pytest.raises(Unsound, match="not passed their first self-test"):
                _ = analysers.model
            await analysers.sound()
            findings = await ask(analysers, calm)
            assert analysers.model.name == "pets"
            assert (findings.format, findings.mode, findings.width, findings.height) == ("JPEG", "RGB", 160, 120)
            assert findings.classification.scores.keys() == {"cat", "dog", "radiograph"}
            assert findings.reading_seconds > 0
            assert findings.classifying_seconds > 0

    run(story)


def test_what_is_unreadable_costs_no_analyser(calm: Path) -> None:
    async def story() -> None:
        async with opened() as analysers:
            broken = calm.with_name("broken")
            broken.write_bytes(calm.read_bytes()[:700])
            before = pids()
            with pytest.raises(Unreadable, match="cut off"):
                await ask(analysers, broken)
            assert (await ask(analysers, calm)).width == 160
            assert pids() == before

    run(story)


@pytest.mark.parametrize(
    ("deed", "reason"),
    [
        ("segfault", r"killed by signal 11 \(SIGSEGV\)"),
        ("hang", "did not answer within 6 s"),
        ("burn", "took more than 2 s of CPU"),
        ("eat", r"needed more than 0\.2 GB of memory"),
        ("raise", "raised ValueError: this picture does not please me"),
        ("leave", "exited with status 3"),
    ],
)
def test_a_picture_that_kills_its_analyser_is_told_why_and_the_next_one_is_answered(
    deed: str, reason: str, tmp_path: Path, calm: Path
) -> None:
    async def story() -> None:
        wall = 6 if deed == "hang" else 60  # a busy machine takes long to burn two seconds of CPU
        limits = Limits(analysis_cpu=2, analysis_wall=wall, analysis_memory=200_000_000)
        async with opened(1, limits) as analysers:
            with pytest.raises(AnalyserDied, match=reason):
                await ask(analysers, killing.picture(deed, tmp_path))
            assert await analysers.recover()
            assert (await ask(analysers, calm)).width == 160
            assert analysers.alive == 1

    run(story)


def test_a_process_that_stood_still_beyond_the_deadline_blames_no_picture_that_was_answered(tmp_path: Path) -> None:
    async def story() -> None:
        limits = Limits(analysis_cpu=60, analysis_wall=8)
        async with opened(1, limits) as analysers, analysers.turn(alone=False) as analyse:
            asking = asyncio.ensure_future(analyse(killing.picture("slow", tmp_path)))
            await asyncio.sleep(0.5)
            assert not asking.done()
            time.sleep(limits.analysis_wall + 1)  # noqa: ASYNC251 - as if by SIGSTOP, nothing of it runs
            assert (await asking).width == 64

    run(story)


def test_what_a_library_prints_is_no_answer_but_lines_about_the_image(tmp_path: Path) -> None:
    async def story() -> None:
        with capture_logs([in_context]) as lines:
            async with opened() as analysers:
                with about(Request("an image", "an archive", "visit:17")):
                    assert (await ask(analysers, killing.picture("print", tmp_path))).width == 64
        said = [(line["text"], line["correlation_id"]) for line in lines if line["event"] == "analyser_said"]
        assert said == [("a library's chatter", "visit:17"), ("and its C code's", "visit:17")]

    run(story)


def test_two_that_die_at_once_are_both_replaced(tmp_path: Path, calm: Path) -> None:
    async def story() -> None:
        async with opened(2) as analysers:

            async def die(deed: str) -> bool:
                with pytest.raises(AnalyserDied):
                    await ask(analysers, killing.picture(deed, tmp_path))
                return await analysers.recover()

            assert all(await asyncio.gather(die("leave"), die("segfault")))
            answers = await asyncio.gather(*(ask(analysers, calm) for _ in range(6)))
            assert [findings.width for findings in answers] == [160] * 6
            assert analysers.alive == 2

    run(story)


def test_nothing_begins_between_a_death_and_the_test_that_follows(tmp_path: Path, calm: Path) -> None:
    async def story() -> None:
        async with opened(2) as analysers:
            slow = asyncio.create_task(ask(analysers, killing.picture("burn", tmp_path)))
            with pytest.raises(AnalyserDied):
                await ask(analysers, killing.picture("leave", tmp_path))

            async def next_one() -> Findings:
                async with analysers.turn() as analyse:
                    assert slow.done(), "the neighbour in flight ends before anything else begins"
                    return await analyse(calm)

            assert (await next_one()).width == 160
            assert isinstance(slow.exception(), AnalyserDied)

    run(story)


def test_an_analyser_that_dies_while_idle_is_replaced_and_no_image_is_blamed(calm: Path) -> None:
    async def story() -> None:
        async with opened() as analysers:
            await kill_idle(analysers)
            assert (await ask(analysers, calm)).width == 160

    run(story)


def test_whoever_is_cancelled_leaves_the_others_a_sound_pool(tmp_path: Path, calm: Path) -> None:
    async def story() -> None:
        async with opened() as analysers:
            hanging = asyncio.create_task(ask(analysers, killing.picture("hang", tmp_path)))
            waiting = asyncio.create_task(ask(analysers, calm))
            patient = asyncio.create_task(ask(analysers, calm))
            await asyncio.sleep(0.1)
            waiting.cancel()
            hanging.cancel()
            assert (await patient).width == 160
            with pytest.raises(asyncio.CancelledError):
                await hanging

    run(story)


def test_who_wants_to_be_alone_waits_for_all_and_lets_nobody_in(calm: Path) -> None:
    async def story() -> None:
        async with opened(2) as analysers:
            events: list[str] = []

            async def alone() -> None:
                async with analysers.turn(alone=True) as analyse:
                    events.append("alone begins")
                    await analyse(calm)
                    await asyncio.sleep(0.05)
                    events.append("alone ends")

            async def another() -> None:
                async with analysers.turn():
                    events.append("another")

            async with analysers.turn():
                first = asyncio.create_task(alone())
                await asyncio.sleep(0)
                second = asyncio.create_task(another())
                await asyncio.sleep(0.05)
                assert events == []
            await asyncio.gather(first, second)
            assert events == ["alone begins", "alone ends", "another"]

    run(story)


def test_a_draining_pool_refuses_those_who_wait_and_finishes_what_it_has(calm: Path) -> None:
    async def story() -> None:
        async with opened() as analysers, analysers.turn() as analyse:
            waiting = asyncio.create_task(ask(analysers, calm))
            await asyncio.sleep(0)
            analysers.drain()
            with pytest.raises(Draining):
                await waiting
            with pytest.raises(Draining):
                await ask(analysers, calm)
            assert (await analyse(calm)).width == 160

    run(story)


def test_analysers_at_work_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    hang = killing.picture("hang", tmp_path)
    program = f"""
import asyncio, sys
from rayhound import telemetry
from rayhound.analysers.pool import Analysers
from rayhound.domain import Limits
from pathlib import Path
async def main():
    telemetry.configure()
    async with Analysers([sys.executable, {KILLING!r}, "{{}}"], 2, Limits()) as analysers:
        await analysers.sound()
        async with analysers.turn() as analyse:
            asyncio.get_running_loop().call_later(0.5, sys.stdout.write, "hanging\\n")
            await analyse(Path({str(hang)!r}))
telemetry.configure()
asyncio.run(main())
"""
    parent = subprocess.Popen([sys.executable, "-u", "-c", program], stdout=subprocess.PIPE)
    with parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"hanging\n"
        children = pids(parent.pid)
        assert len(children) == 2
        parent.kill()
    until = time.monotonic() + 60
    while any(Path(f"/proc/{pid}").exists() and state(pid) != "Z" for pid in children):
        assert time.monotonic() < until
        time.sleep(0.01)


def test_closing_leaves_no_process_behind(calm: Path) -> None:
    async def story() -> None:
        async with opened(2):
            assert len(pids()) == 2
        assert pids() == set()

    run(story)
