"""How the configuration is written: as Terraform would write it, with nothing to warn of, and short enough to read."""

import json
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.terraform.roots import ROOTS, TERRAFORM, copied, declared, done, initialised

MOST_LINES = 1300


def configuration() -> list[Path]:
    """The files that make something; not their tests."""
    return sorted(TERRAFORM.glob("*/*.tf"))


def test_terraform_would_write_it_so() -> None:
    program = shutil.which("terraform")
    if program is None:
        pytest.skip("terraform is not installed")
    formed = [program, "fmt", "-check", "-recursive", "-diff", str(TERRAFORM)]
    ran = subprocess.run(formed, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("root", ROOTS)
def test_a_root_is_valid_and_nothing_in_it_is_warned_of(root: str, tmp_path: Path) -> None:
    copy = copied(tmp_path / "terraform")
    initialised(copy, root, "-backend=false")
    assert json.loads(done(copy, root, "validate", "-json"))["diagnostics"] == []


@pytest.mark.parametrize("root", ROOTS)
def test_every_variable_says_what_it_is_for(root: str) -> None:
    found = declared(root, "variable")
    assert found
    assert not [name for name, text in found.items() if not re.search(r'(?m)^  description = "\S.+\."$', text)]


@pytest.mark.parametrize("root", ROOTS)
def test_every_validation_refuses_something_in_a_test(root: str) -> None:
    validated = Counter({name: text.count("  validation {") for name, text in declared(root, "variable").items()})
    tests = (TERRAFORM / root / "tests/refusals.tftest.hcl").read_text()
    assert validated - Counter(re.findall(r"expect_failures = \[var\.(\w+)]", tests)) == Counter()


def test_it_is_read_in_one_sitting(capsys: pytest.CaptureFixture[str]) -> None:
    texts = [file.read_text() for file in configuration()]
    lines = sum(text.count("\n") for text in texts)
    resources = sum(len(re.findall(r'(?m)^resource "', text)) for text in texts)
    with capsys.disabled():
        print(f"\nterraform: {resources} resource blocks in {len(texts)} files of {lines} lines")
    assert lines <= MOST_LINES
