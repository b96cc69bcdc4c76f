"""The cluster as Terraform would make it, by a mocked provider: the state it ends in, and the values for Helm."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.terraform.roots import REGION, copied, done, given, initialised

KEY = "11111111-2222-3333-4444-555555555555"
ARCHIVE = "rayhound-archive-123456789012-eu-central-1"
VARIABLES: Mapping[str, object] = {
    "region": REGION,
    "administrators": ["arn:aws:iam::123456789012:role/operators"],
    "archive_bucket": ARCHIVE,
    "archive_key_arn": f"arn:aws:kms:{REGION}:123456789012:key/{KEY}",
    "image_tag": "4f2a9c1",
    "budget_email": "operators@example.com",
}
_RUN = """mock_provider "aws" {
  source = "./tests/mocks"
}

run "applied" {}
"""


@dataclass(frozen=True, slots=True)
class Applied:
    """What Terraform made, by the types of resources, and its outputs."""

    resources: Mapping[str, list[Any]]
    outputs: Mapping[str, Any]


def applied(folder: Path, **variables: object) -> Applied:
    """The cluster with some variables, applied in a folder that is not there yet; a test skips without Terraform."""
    copy = copied(folder)
    (folder / "cluster/tests/applied.tftest.hcl").write_text(_RUN)
    initialised(copy, "cluster", "-backend=false")
    chosen = given({**VARIABLES, **variables})
    told = done(copy, "cluster", "test", "-json", "-verbose", "-filter=tests/applied.tftest.hcl", *chosen)
    (state,) = [line["test_state"] for line in map(json.loads, told.splitlines()) if line["type"] == "test_state"]
    resources: dict[str, list[Any]] = {}
    for resource in state["root_module"]["resources"]:
        if resource["mode"] == "managed":
            resources.setdefault(resource["type"], []).append(resource["values"])
    return Applied(resources, {name: output["value"] for name, output in state["outputs"].items()})


def helm_values(folder: Path, **variables: object) -> str:
    """The output `helm_values` for some variables: the YAML that `terraform output -raw helm_values` prints."""
    return str(applied(folder, **variables).outputs["helm_values"])
