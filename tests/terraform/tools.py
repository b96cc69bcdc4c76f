"""The programs of .venv/terraform, which stand on packages of their own."""

import pytest

from tests.terraform.roots import PROJECT


def tool(name: str) -> str:
    """Where such a program is; a test skips where it is missing."""
    program = PROJECT / ".venv/terraform/bin" / name
    if not program.exists():
        pytest.skip(f"{name} is not installed: `just test-terraform` does that")
    return str(program)
