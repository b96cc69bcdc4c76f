"""The commands that a guide tells people to type, as the tests type them."""

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).parent.parent


def commands(page: str, section: str) -> list[list[str]]:
    """The words of each command in the shell block of one section of a guide."""
    text = (ROOT / "docs/guides" / page).read_text()
    block = re.search(rf"^## {section}\n(?:(?!^## ).*\n)*?```sh\n(.*?)```", text, re.MULTILINE | re.DOTALL)
    assert block is not None, f"{page} shows no command in {section}"
    return [shlex.split(line) for line in block[1].splitlines()]
