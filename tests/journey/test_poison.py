"""Images that kill who looks at them, in real processes: they fail with a reason, and their neighbours do not."""

import os
import sys
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from PIL import Image

from rayhound.settings import DEFAULT_MODEL
from tests.journey.upping import RAYHOUND, Up, within
from tests.killing import picture
from tests.pictures import encoded, scene

KILLING_UP = (sys.executable, "-m", "tests.journey.killing_up")


def good(number: int = 0) -> bytes:
    """A sound picture, another one for each number."""
    return encoded(scene((120 + number, 90)), "PNG")


@pytest.fixture
def up(tmp_path: Path, free_port: int) -> Up:
    return Up(tmp_path / "data", free_port, KILLING_UP)


@pytest.mark.parametrize(
    ("deed", "reason"),
    [
        ("segfault", "SIGSEGV"),
        ("hang", "did not answer"),
        ("burn", "CPU"),
        ("eat", "memory"),
        ("leave", "exit"),
        ("raise", "does not please me"),
    ],
)
def test_poison_fails_after_three_analysers_and_its_neighbours_are_analysed(
    tmp_path: Path, free_port: int, deed: str, reason: str
) -> None:
    # A busy machine takes long to burn two seconds of CPU.
    command = KILLING_UP if deed == "hang" else (*KILLING_UP, "patient")
    with Up(tmp_path / "data", free_port, command) as up:
        before = [up.accepted(good(n)) for n in range(5)]
        poison = up.accepted(picture(deed, tmp_path).read_bytes())
        after = [up.accepted(good(n)) for n in range(5, 10)]
        record = up.answered(poison)
        assert record["status"] == "failed"
        assert record["reason"].startswith("3 analysers died of it")
        assert reason in record["reason"]
        assert {up.answered(i)["status"] for i in before + after} == {"analysed"}
        assert len([e for e in up.events("analyser_died") if e["image_id"] == poison]) == 3
        up.until_ready()


def is_answered(up: Up, image_id: str) -> bool:
    """Whether an image is no longer queued, as far as a process says that may die at the question."""
    with suppress(httpx.TransportError):
        return str(up.record(image_id)["status"]) != "queued"
    return False


def test_poison_that_kills_the_whole_process_fails_after_four_processes(up: Up, tmp_path: Path) -> None:
    with up:
        neighbours = [up.accepted(good(n)) for n in range(3)]
        poison = up.accepted(picture("murder", tmp_path).read_bytes())
        starts = 1
        for _ in within(120, pause=0.2):
            if up.ended:
                up.start()
                starts += 1
            elif is_answered(up, poison):
                break
        assert up.record(poison)["status"] == "failed"
        assert starts - 1 <= 4
        assert {up.answered(i)["status"] for i in neighbours} == {"analysed"}


def test_a_model_that_kills_on_every_picture_condemns_none(tmp_path: Path, free_port: int) -> None:
    with Up(tmp_path / "data", free_port, (*KILLING_UP, "all")) as up:
        images = [up.accepted(good(n)) for n in range(3)]
        why = up.until_unsound()
        assert "self-test" in why["detail"]
        assert "RAYHOUND_MODEL" in why["hint"]
        assert len(up.events("analysers_unsound")) == 1
        assert {up.record(i)["status"] for i in images} == {"queued"}
    with Up(tmp_path / "data", free_port, KILLING_UP) as mended:
        assert {mended.answered(i)["status"] for i in images} == {"analysed"}


def test_a_memory_limit_too_small_for_any_picture_condemns_none(tmp_path: Path, free_port: int) -> None:
    with Up(tmp_path / "data", free_port, RAYHOUND, RAYHOUND_ANALYSIS_MEMORY="2000000") as up:
        image = up.accepted(good())
        why = up.until_unsound()
        assert "memory" in why["detail"]
        assert "RAYHOUND_ANALYSIS_MEMORY" in why["hint"]
        assert up.record(image)["status"] == "queued"
    with Up(tmp_path / "data", free_port) as mended:
        assert mended.answered(image)["status"] == "analysed"


def test_a_model_file_mended_while_it_runs_is_taken_up(tmp_path: Path, free_port: int) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes(b"not a model")
    with Up(tmp_path / "data", free_port, RAYHOUND, RAYHOUND_MODEL=str(model)) as up:
        image = up.accepted(good())
        up.until_unsound()
        os.link(DEFAULT_MODEL, tmp_path / "sound.onnx")
        os.replace(tmp_path / "sound.onnx", model)
        assert up.answered(image)["status"] == "analysed"
        up.until_ready()


def test_analysers_end_with_their_process(tmp_path: Path, free_port: int) -> None:
    with Up(tmp_path / "data", free_port) as up:
        up.until_ready()
        children = Path(f"/proc/{up.pid}/task/{up.pid}/children").read_text().split()
        assert children
        os.kill(up.pid, 9)
        for _ in within(20):
            if not [child for child in children if Path(f"/proc/{child}/cmdline").exists() and alive(child)]:
                return
        raise AssertionError("analysers outlive their process")


def alive(pid: str) -> bool:
    """Whether a process runs, and is not only waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_an_empty_picture_is_answered_neither(tmp_path: Path, free_port: int) -> None:
    with Up(tmp_path / "data", free_port) as up:
        image = up.accepted(encoded(Image.new("RGB", (200, 200), "white"), "JPEG"))
        record = up.answered(image)
        assert (record["contains"], record["width"], record["height"]) == ("neither", 200, 200)
