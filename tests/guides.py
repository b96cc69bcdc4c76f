"""The commands that a guide tells people to type, as the tests type them."""

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).parent.parent


def commands(page: str, section: str) -> list[list[str]]:
    """The words of each command that one section of a guide shows."""
    text = (ROOT / "docs/guides" / page).read_text().partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    found = [
        shlex.split(line) for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()
    ]
    assert found, f"{page} shows no command in {section}"
    return found
