"""checkov, which knows what is often insecure, and the reasons for which it is not followed."""

import json
import re
import subprocess

import pytest

from tests.terraform.roots import TERRAFORM
from tests.terraform.tools import tool


def test_checkov_finds_nothing_but_what_is_skipped_with_a_reason(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--directory", str(TERRAFORM), "--framework", "terraform", "--skip-download", "--output", "json"]
    ran = subprocess.run([tool("checkov"), *asked], capture_output=True, text=True, timeout=300, check=False)
    report = json.loads(ran.stdout)
    summary = report["summary"]
    with capsys.disabled():
        print("\ncheckov: " + ", ".join(f"{summary[kind]} {kind}" for kind in ("passed", "failed", "skipped")))
    assert summary["passed"] > 0
    assert summary["parsing_errors"] == 0
    assert [f"{check['check_id']} {check['resource']}" for check in report["results"]["failed_checks"]] == []


def test_every_skip_has_a_reason() -> None:
    skips = [
        line for file in TERRAFORM.glob("*/*.tf") for line in file.read_text().splitlines() if "checkov:skip" in line
    ]
    assert skips
    assert not [line for line in skips if not re.search(r"#checkov:skip=CKV2?_AWS_\d+:\w.{20,}$", line)]
