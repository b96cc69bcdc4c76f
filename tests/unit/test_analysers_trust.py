"""Whether analysers can be trusted: their self-test, and what becomes of those that do not pass it."""

import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from rayhound import telemetry
from rayhound.analysers.pool import Analysers, command
from rayhound.domain import Limits, Misconfigured, Unsound
from rayhound.settings import DEFAULT_MODEL
from tests import pictures
from tests.analysing import KILLING, LIMITS, ask, kill_idle, opened, run


def value(name: str, **labels: str) -> float:
    """What one sample says now; 0 before it is there."""
    return telemetry.CONSUMER.get_sample_value(name, labels) or 0


def replaced() -> float:
    """How many analysers were replaced: one at each test that they do not pass."""
    return value("rayhound_analysers_replaced_total")


@pytest.fixture
def calm(tmp_path: Path) -> Path:
    """A picture that nobody dies of."""
    path = tmp_path / "calm.jpg"
    path.write_bytes(pictures.encoded(pictures.scene(), "JPEG"))
    return path


def test_analysers_that_die_of_the_test_picture_are_unsound_and_say_what_to_look_at(calm: Path) -> None:
    async def story() -> None:
        command_line = [sys.executable, KILLING, json.dumps(asdict(LIMITS)), "all"]
        async with Analysers(command_line, 2, LIMITS, retry=0.2) as analysers:
            assert not await analysers.recover()
            with pytest.raises(Unsound, match="exited with status 3") as refused:
                await ask(analysers, calm)
            assert "RAYHOUND_ANALYSIS_MEMORY" in refused.value.hint
            assert analysers.unsound is not None

    run(story)


def test_the_log_tells_each_change_once_however_often_they_are_tested(tmp_path: Path) -> None:
    async def story() -> None:
        model = tmp_path / "model.onnx"
        limits = Limits()
        with capture_logs() as lines:
            async with Analysers(command(model, limits), 1, limits, retry=0.01) as analysers:
                before = replaced()
                while replaced() < before + 3:
                    await asyncio.sleep(0.01)
                model.symlink_to(DEFAULT_MODEL)
                await analysers.sound()
                await kill_idle(analysers)
                label = analysers.model.label
        assert [line["event"] for line in lines] == ["analysers_unsound", "analysers_sound"]
        assert lines[0]["log_level"] == "warning"
        assert str(model) in lines[0]["detail"]
        assert lines[0]["hint"]
        assert lines[1]["model"] == label

    run(story)


def test_a_memory_limit_too_small_for_any_picture_is_unsound(calm: Path) -> None:
    async def story() -> None:
        limits = Limits(analysis_memory=20_000_000)
        async with Analysers(command(DEFAULT_MODEL, limits), 1, limits) as analysers:
            assert not await analysers.recover()
            assert analysers.unsound is not None
            assert "needed more than 0.02 GB of memory" in analysers.unsound.detail

    run(story)


def test_a_missing_model_is_unsound_with_the_model_s_own_hint() -> None:
    async def story() -> None:
        async with Analysers(command(Path("/none.onnx"), LIMITS), 1, LIMITS) as analysers:
            assert not await analysers.recover()
            assert isinstance(analysers.unsound, Misconfigured)
            assert "/none.onnx" in analysers.unsound.detail
            assert analysers.unsound.hint

    run(story)


def test_unsound_analysers_are_sound_again_once_they_are_mended(tmp_path: Path, calm: Path) -> None:
    async def story() -> None:
        model = tmp_path / "model.onnx"
        model.symlink_to(DEFAULT_MODEL)
        limits = Limits()
        async with Analysers(command(model, limits), 1, limits, retry=0.2) as analysers:
            await analysers.sound()
            model.unlink()
            await kill_idle(analysers)
            with pytest.raises(Unsound):
                await ask(analysers, calm)
            assert analysers.unsound is not None
            model.symlink_to(DEFAULT_MODEL)
            await analysers.sound()
            assert (await ask(analysers, calm)).width == 160

    run(story)


def test_another_model_under_the_same_name_is_not_used_before_a_restart(tmp_path: Path, calm: Path) -> None:
    async def story() -> None:
        model = tmp_path / "model.onnx"
        model.write_bytes(DEFAULT_MODEL.read_bytes())
        limits = Limits()
        async with Analysers(command(model, limits), 1, limits, retry=0.2) as analysers:
            await analysers.sound()
            model.write_bytes(DEFAULT_MODEL.read_bytes() + b"\x72\x0c\x0a\x07version\x12\x019")
            await kill_idle(analysers)
            with pytest.raises(Unsound, match=r"pets@9-.* began with pets@2-") as refused:
                await ask(analysers, calm)
            assert "restart" in refused.value.hint

    run(story)


def test_the_metrics_tell_how_many_analysers_run_with_which_model_and_how_long_a_turn_is_waited_for(calm: Path) -> None:
    async def story() -> None:
        waits = "rayhound_analysis_stage_seconds_count"
        before, dead = value(waits, stage="waiting"), replaced()
        async with opened(2) as analysers:
            assert value("rayhound_analysers_alive") == 2
            assert value("rayhound_model_info", model=analysers.model.label) == 1
            await ask(analysers, calm)
            assert value(waits, stage="waiting") == before + 1
            await kill_idle(analysers)
            assert value("rayhound_analysers_alive") == 0
            await ask(analysers, calm)
            assert value("rayhound_analysers_alive") == 2
            assert replaced() == dead + 2
        assert value("rayhound_analysers_alive") == 0

    run(story)
