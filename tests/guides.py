"""The commands that the guides tell people to type, as they stand there."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent


def commands(page: str, section: str) -> list[list[str]]:
    """The words of each command that one section of a guide shows."""
    text = (ROOT / "docs/guides" / page).read_text().partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    found = [
        shlex.split(line) for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()
    ]
    assert found, f"{page} shows no command in {section}"
    return found


def blocks(page: str, how: str) -> list[str]:
    """The shell blocks of a page that are to be run so, in their order."""
    pattern = re.compile(rf"<!-- {re.escape(how)} -->\n```sh\n(.*?)```", re.DOTALL)
    return pattern.findall((ROOT / page).read_text())


def run(block: str, folder: Path, environment: Mapping[str, str], seconds: float = 120) -> str:
    """Run a block in a folder, with this Rayhound on its PATH; an unexpected end tells what it said."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAYHOUND_")}
    known = kept | {"PATH": f"{BIN}:{os.environ['PATH']}"} | dict(environment)
    command = ["bash", "-c", "set -euo pipefail\n" + block]
    done = subprocess.run(command, cwd=folder, env=known, capture_output=True, text=True, timeout=seconds, check=False)
    assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr
