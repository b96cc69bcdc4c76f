"""Everything that moto can play is really made there by Terraform, found again as it was made, and removed.

The guide's own steps: a bucket for the state, the archive, then the cluster. The last two tests change what is there.
"""

import json
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.brokers import free_ports
from tests.terraform.amazon import Amazon, amazon
from tests.terraform.roots import REGION, ROOTS, TERRAFORM, Copy, copied, done, given, initialised, run
from tests.terraform.values import VARIABLES

NOT_PLAYED = ("eks*.tf", "budget.tf", "tls.tf")
"""Most of EKS; who is told of a budget; and a policy with a condition, which moto does not read, so it denies all."""
EVERYTHING = {"nat_per_zone": True, "amazon_mq": True, "mq_password": "correct-horse-battery"}


@dataclass(frozen=True, slots=True)
class Account:
    """An account of AWS in which each root was applied, and the variables with which it was."""

    amazon: Amazon
    copy: Copy
    variables: Mapping[str, list[str]]


@contextmanager
def aws(folder: Path) -> Iterator[Amazon]:
    """An account in which nothing is yet."""
    [port] = free_ports(1)
    with amazon(port, folder / "moto.log") as server:
        yield server


def output(copy: Copy, root: str, name: str) -> str:
    """An output of a root that was applied."""
    return done(copy, root, "output", "-raw", name)


def applied(copy: Copy, root: str, variables: Mapping[str, object]) -> list[str]:
    """Makes what a root describes; returns the variables as arguments."""
    chosen = given(variables)
    initialised(copy, root, *([] if root == "bootstrap" else ["-backend-config=../backend.hcl"]))
    done(copy, root, "apply", "-auto-approve", *chosen)
    return chosen


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Generator[Account]:
    """An account with all three roots, but for what moto does not play."""
    folder = tmp_path_factory.mktemp("account")
    with aws(folder) as server:
        copy = copied(folder / "terraform", server.environment, NOT_PLAYED)
        chosen = {"bootstrap": applied(copy, "bootstrap", {"region": REGION})}
        (copy.folder / "backend.hcl").write_text(output(copy, "bootstrap", "backend"))
        chosen["archive"] = applied(copy, "archive", {"region": REGION})
        archive = {f"archive_{name}": output(copy, "archive", name) for name in ("bucket", "key_arn")}
        chosen["cluster"] = applied(copy, "cluster", {**VARIABLES, **EVERYTHING, **archive})
        yield Account(server, copy, chosen)


@pytest.mark.slow
def test_roles_networks_and_amazon_mq_are_made_as_they_should_be_and_removed_again(tmp_path: Path) -> None:
    with aws(tmp_path) as server:
        copy = copied(tmp_path / "terraform", server.environment)
        initialised(copy, "cluster", "-backend=false", "-test-directory=tests/moto")
        done(copy, "cluster", "test", "-no-color", "-test-directory=tests/moto")


@pytest.mark.slow
@pytest.mark.parametrize("root", ROOTS)
def test_what_was_made_is_found_as_it_was_made(account: Account, root: str, capsys: pytest.CaptureFixture[str]) -> None:
    ran = run(account.copy, root, "plan", "-detailed-exitcode", "-no-color", *account.variables[root])
    assert ran.returncode == 0, ran.stdout + ran.stderr
    listed = [name for name in done(account.copy, root, "state", "list").splitlines() if not name.startswith("data.")]
    with capsys.disabled():
        print(f"\nmoto: {len(listed)} resources of {root} made, none to be changed")
    assert listed


@pytest.mark.slow
def test_the_states_of_archive_and_cluster_lie_in_the_bucket_made_for_them(account: Account) -> None:
    bucket = f"rayhound-state-123456789012-{REGION}"
    assert account.amazon.keys(bucket) == ["archive.tfstate", "cluster.tfstate"]


@pytest.mark.slow
def test_an_archive_is_not_destroyed(account: Account) -> None:
    ran = run(account.copy, "archive", "destroy", "-auto-approve", "-no-color", *account.variables["archive"])
    assert ran.returncode == 1
    assert ran.stderr.count("Instance cannot be destroyed") == 2, ran.stderr  # the bucket, and its key


@pytest.mark.slow
def test_a_cluster_is_destroyed_and_the_archive_is_as_before(account: Account) -> None:
    done(account.copy, "cluster", "destroy", "-auto-approve", "-no-color", *account.variables["cluster"])
    assert done(account.copy, "cluster", "state", "list") == ""
    ran = run(account.copy, "archive", "plan", "-detailed-exitcode", "-no-color", *account.variables["archive"])
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.slow
@pytest.mark.parametrize("root", ["archive", "bootstrap"])  # moto shuts the bucket, and with it the states
def test_a_bucket_denies_everything_to_whoever_does_not_encrypt(account: Account, root: str) -> None:
    name = {"archive": "archive", "bootstrap": "state"}[root]
    bucket = f"arn:aws:s3:::rayhound-{name}-123456789012-{REGION}"
    (account.copy.folder / root / "tls.tf").write_text((TERRAFORM / root / "tls.tf").read_text())
    done(account.copy, root, "apply", "-auto-approve", *account.variables[root])
    state = json.loads(done(account.copy, root, "show", "-json"))
    [policy] = [
        json.loads(resource["values"]["policy"])
        for resource in state["values"]["root_module"]["resources"]
        if resource["type"] == "aws_s3_bucket_policy"
    ]
    assert policy["Statement"] == [
        {
            "Sid": "TlsOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [f"{bucket}/*", bucket],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    ]
