"""Rayhound as a package: what `pip install .` puts into an empty virtual environment."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
UV = Path(sys.executable).with_name("uv")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment that holds Rayhound and nothing that it does not ask for."""
    environment = tmp_path_factory.mktemp("empty") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    locked = ROOT / "requirements" / "run.txt"
    subprocess.run([UV, "pip", "install", "-q", "--python", environment, "--constraint", locked, ROOT], check=True)
    return environment


def test_it_brings_the_command_and_the_model(installed: Path, cat: Path, tmp_path: Path) -> None:
    def rayhound(*arguments: str) -> str:
        command = [str(installed / "bin" / "rayhound"), *arguments]
        return subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout

    assert rayhound("--version").startswith("rayhound ")
    assert "name" in rayhound("model")
    assert " analysed  cat " in rayhound("classify", str(cat))


def test_it_can_be_run_as_a_module_and_says_that_it_is_typed(installed: Path) -> None:
    command = [str(installed / "bin" / "python"), "-m", "rayhound", "--version"]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout.startswith("rayhound ")
    assert list(installed.glob("lib/*/site-packages/rayhound/py.typed"))
    assert list(installed.glob("lib/*/site-packages/rayhound-*/licenses/LICENSE"))
