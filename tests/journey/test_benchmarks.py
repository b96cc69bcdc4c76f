"""The benchmarks run: they would otherwise be found broken on the day when somebody needs a figure."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from rayhound.settings import DEFAULT_MODEL
from tests import s3server
from tests.brokers import Installed

ROOT = Path(__file__).parent.parent.parent
SECONDS = 600
RATIOS = ("up / bare loop", "parts / bare loop", "parts / up", "two consumers / one")
SENDERS = ("1 sender", "8 senders")


def benchmark(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"benchmarks.{name}", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS)


@pytest.mark.slow
def test_the_parts_are_measured_against_one_process_and_the_bare_loop() -> None:
    if Installed.missing() or s3server.binary() is None:
        pytest.skip("rabbitmq-server or versitygw is not installed")
    done = benchmark("parts", "--images", "4", "--rounds", "1")
    assert done.returncode == 0, done.stderr
    figures = dict(re.findall(r"^(\S.*): median (\d+\.\d+) ", done.stdout, re.MULTILINE))
    ratios = {f"{what}, {which}" for what in ("drain", "end to end") for which in RATIOS}
    times = {f"accept, {where}, {who}, p{p} ms" for where in ("folder", "bucket") for who in SENDERS for p in (50, 99)}
    assert figures.keys() == ratios | times
    assert all(float(figure) > 0 for figure in figures.values()), done.stdout


def test_a_model_is_measured_against_another() -> None:
    done = benchmark("models", str(DEFAULT_MODEL), str(DEFAULT_MODEL), "--rounds", "4")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 2
    assert re.fullmatch(r"\S+: \d+\.\d\d ms, 1\.00 times \(1\.00–1\.00\)", lines[0]), lines
    assert re.fullmatch(r"\S+: \d+\.\d\d ms, \d+\.\d\d times \(\d+\.\d\d–\d+\.\d\d\)", lines[1]), lines


def test_peers_without_celery_say_how_to_get_it(tmp_path: Path) -> None:
    done = benchmark("peers", "--celery", str(tmp_path / "python"))
    assert done.returncode == 1
    assert "hint: `just bench-peers`" in done.stderr
