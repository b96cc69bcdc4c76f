"""A consumer is told to stop amid slow images: it finishes what it began, and gives the rest back."""

import time
from pathlib import Path

import pytest

from tests.journey.parts import KILLING_CONSUME, another, dead_letters, in_folder, parts
from tests.journey.upping import PATIENCE, Process, within
from tests.killing import picture

IMAGES = 6


def until_retrieved(consumer: Process) -> None:
    """Wait until it has an image in hand."""
    for _ in within(PATIENCE):
        if consumer.events("retrieved"):
            return
    raise AssertionError(f"it took nothing: {consumer.log.read_text()[-3000:]}")


def test_a_consumer_that_is_stopped_finishes_what_it_began_and_another_does_the_rest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = in_folder(tmp_path)
    slow = picture("slow", tmp_path).read_bytes()
    with parts(tmp_path, archive, web_servers=1, consumers=0) as running:
        [server] = running.web_servers
        with (
            another(running, KILLING_CONSUME, tmp_path, **archive) as stopped,
            another(running, KILLING_CONSUME, tmp_path, **archive) as other,
        ):
            stopped.until_ready()
            other.until_ready()
            ids = [server.accepted(slow) for _ in range(IMAGES)]
            until_retrieved(stopped)
            began = time.monotonic()
            assert stopped.stop() == 0, stopped.log.read_text()[-3000:]
            took = time.monotonic() - began
            assert {server.answered(i)["status"] for i in ids} == {"analysed"}
            analysed = [len(one.events("analysed")) for one in (stopped, other)]
            given_back = len(stopped.events("released"))
            assert not [line for one in (stopped, other) for line in one.events("analyser_died")]
        assert sum(analysed) == IMAGES
        assert analysed[0] >= 1, "it did not finish what it began"
        assert analysed[1] >= 1
        assert given_back >= 1, "it had nothing to give back"
        assert not list((tmp_path / "archive").glob("2*/**/attempt.*"))
        assert dead_letters(running) == 0
    with capsys.disabled():
        print(
            f"\ndrain: {IMAGES} slow images, {analysed[0]} finished in {took:.1f} s by the consumer that stopped, "
            f"{given_back} given back, {analysed[1]} analysed by the other"
        )
