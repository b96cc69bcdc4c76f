"""The roots of terraform/ in a folder of a test's own, and Terraform run there with the settings of nobody."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent.parent
TERRAFORM = PROJECT / "terraform"
ROOTS = ("bootstrap", "archive", "cluster")
PATIENCE = 420.0
REGION = "eu-central-1"
NOWHERE = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
MADE = (".terraform", ".terraform.lock.hcl", "*.tfstate*", "*.tfvars", "backend.hcl")


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of the roots, and the environment that Terraform sees there."""

    folder: Path
    environment: Mapping[str, str]


def declared(root: str, kind: str) -> dict[str, str]:
    """What stands in each block of a kind, such as `variable`, in a root, by the block's name."""
    files = "".join(file.read_text() for file in sorted((TERRAFORM / root).glob("*.tf")))
    return dict(re.findall(rf'^{kind} "(\w+)" \{{\n(.*?)^\}}', files, re.MULTILINE | re.DOTALL))


def copied(folder: Path, environment: Mapping[str, str] | None = None, without: Iterable[str] = ()) -> Copy:
    """The roots, without the files of some names, in a new folder; what Terraform makes there stays there."""
    shutil.copytree(TERRAFORM, folder, ignore=shutil.ignore_patterns(*MADE, *without))
    return Copy(folder, _settings(folder) | dict(environment or {}))


def run(copy: Copy, root: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Terraform in one root, run to its end whatever that is."""
    program = shutil.which("terraform")
    if program is None:
        pytest.skip("terraform is not installed")
    return subprocess.run(
        [program, f"-chdir={copy.folder / root}", *arguments],
        env=copy.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def done(copy: Copy, root: str, *arguments: str) -> str:
    """What Terraform printed, having succeeded."""
    ran = run(copy, root, *arguments)
    assert ran.returncode == 0, f"terraform -chdir={root} {' '.join(arguments)}\n{ran.stdout}{ran.stderr}"
    return ran.stdout


def initialised(copy: Copy, root: str, *arguments: str) -> None:
    """Makes a root ready; a test skips where the provider cannot be had."""
    ran = run(copy, root, "init", "-no-color", *arguments)
    if ran.returncode != 0 and "provider packages" in ran.stderr:
        pytest.skip(
            "terraform finds no provider hashicorp/aws, neither in the registry nor in a folder of this machine"
        )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def given(variables: Mapping[str, object]) -> list[str]:
    """Variables as arguments of Terraform."""
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in variables.items()}
    return [f"-var={name}={text}" for name, text in texts.items()]


def _settings(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "AWS_"))}
    own = folder / "terraform.rc"
    own.write_text(_installation())
    return kept | NOWHERE | {"TF_CLI_CONFIG_FILE": str(own), "TF_IN_AUTOMATION": "true", "CHECKPOINT_DISABLE": "true"}


def _installation() -> str:
    """From where providers come: a folder of this machine where it has one, as CI has, or else the registry."""
    mirror = next(Path("/opt").glob("*/registry.terraform.io/hashicorp/aws"), None)
    if mirror is None:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rayhound/terraform"
        cache.mkdir(parents=True, exist_ok=True)
        return f'plugin_cache_dir = "{cache}"\nplugin_cache_may_break_dependency_lock_file = true\n'
    return f"""provider_installation {{
  filesystem_mirror {{ path = "{mirror.parents[2]}" }}
  direct {{ exclude = ["registry.terraform.io/*/*"] }}
}}
"""
