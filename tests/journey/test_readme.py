"""What README and guides show is run as it stands there, the demonstration with it."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
BIN = Path(sys.executable).parent
AGAINST_THE_DEMO, ALONE = "run against the demo", "run"
PATIENCE = 300.0  # seconds; on a machine with an empty cache the demonstration downloads first


def blocks(how: str) -> list[object]:
    """The shell blocks of the pages that are to be run so."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    pattern = re.compile(rf"<!-- {how} -->\n```sh\n(.*?)```", re.DOTALL)
    return [
        pytest.param(block, id=f"{page.stem}-{number}")
        for page in pages
        for number, block in enumerate(pattern.findall(page.read_text()), 1)
    ]


def run(block: str, port: int) -> str:
    if "curl" in block and shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    server = f"127.0.0.1:{port}"
    path = f"{BIN}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "RAYHOUND_SERVER": f"http://{server}"}
    script = "set -euo pipefail\n" + block.replace("localhost:5000", server)
    done = subprocess.run(
        ["bash", "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[int, str]]:
    """The first command of the README, running: its port, and what it printed before it was ready for more."""
    folder = tmp_path_factory.mktemp("demo")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    with (folder / "output").open("w+") as output:
        command = ["./demo", "--port", str(port), "--data", str(folder / "data")]
        shown = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            yield port, _until(shown, "Ctrl-C stops it", folder / "output")
        finally:
            os.killpg(shown.pid, signal.SIGINT)  # as a terminal does at Ctrl-C
            try:
                status = shown.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(shown.pid, signal.SIGKILL)
                status = shown.wait()
    assert status == 0, (folder / "output").read_text()


def _until(process: "subprocess.Popen[bytes]", words: str, output: Path) -> str:
    deadline = time.monotonic() + PATIENCE
    while words not in (said := output.read_text()):
        assert process.poll() is None, said
        assert time.monotonic() < deadline, said
        time.sleep(0.1)
    return said


def test_the_demonstration_shows_a_cat_and_goes_on_running(demo: tuple[int, str]) -> None:
    assert re.search(r"^cat\.png +\S+ +analysed +cat ", demo[1], re.MULTILINE)


def test_the_demonstration_says_when_its_port_is_taken(demo: tuple[int, str]) -> None:
    again = subprocess.run(
        ["./demo", "--port", str(demo[0])], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE
    )
    assert again.returncode == 1
    assert f"error: port {demo[0]} is taken by another program\nhint: choose another: ./demo --port" in again.stderr


@pytest.mark.parametrize("block", blocks(AGAINST_THE_DEMO))
def test_what_the_pages_do_with_a_server_works(block: str, demo: tuple[int, str]) -> None:
    assert run(block, demo[0])


@pytest.mark.parametrize("block", blocks(ALONE))
def test_what_the_pages_do_without_a_server_works(block: str, demo: tuple[int, str]) -> None:
    assert run(block, port=9)
