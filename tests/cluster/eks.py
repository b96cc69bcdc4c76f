"""The release for Amazon EKS on the cluster that is here: its values, and the few that must be others."""

from pathlib import Path
from typing import Any

import yaml

from tests.cluster.buckets import SECRET, Bucket
from tests.cluster.installation import START
from tests.cluster.kubernetes import ROOT, Namespace, is_ready
from tests.journey.upping import within

VALUES = ROOT / "charts/values-eks.yaml"
RELEASE, SCALED = "rayhound", ("web-server", "consumer")
LEAST = {"rabbitmq": 1, "web-server": 3, "consumer": 3}
REPOSITORY = "123456789012.dkr.ecr.us-east-1.amazonaws.com/rayhound"


def generated(folder: Path, bucket: str, tag: str) -> Path:
    """What Terraform says to Helm, as the file that the guide makes of it."""
    ours = {
        "image": {"repository": REPOSITORY, "tag": tag},
        "archive": {"url": f"s3://{bucket}/images"},
        "rabbitmq": {"host": "rabbitmq", "port": 5672, "tls": False, "existingSecret": "rabbitmq-auth"},
    }
    values = {"rabbitmq": {"enabled": True}} | {part: ours | {"serviceAccount": {"name": part}} for part in SCALED}
    return written(folder / "eks.generated.yaml", values)


def overrides(folder: Path, bucket: Bucket) -> Path:
    """All that is not as on EKS: the broker's storage class, where the bucket is and its keys, and less CPU."""
    archive = {"endpoint": bucket.endpoint, "existingSecret": SECRET}
    values = {
        "rabbitmq": {"persistence": {"storageClass": ""}},
        "web-server": {"archive": archive},
        "consumer": {"archive": archive, "resources": {"requests": {"cpu": "250m"}}},
    }
    return written(folder / "overrides.yaml", values)


def written(file: Path, values: dict[str, Any]) -> Path:
    """Values in a file."""
    file.write_text(yaml.safe_dump(values))
    return file


def upgrade(namespace: Namespace, *values: Path) -> None:
    """The one command, with which the release is installed as well."""
    files = " ".join(f"-f {file}" for file in (VALUES, *values))
    namespace.shell(f"helm upgrade --install {RELEASE} charts/rayhound -n {namespace.name} --create-namespace {files}")


def until_ready(namespace: Namespace, part: str) -> None:
    """Wait until as many pods of a part are ready as its values ask for at least, those not counted that stop."""
    least, found = LEAST[part], 0
    for _ in within(START, 0.5):
        found = sum(map(is_ready, namespace.pods(part)))
        if found >= least:
            return
    raise AssertionError(f"{found} pods of {part} are ready, not {least}\n{namespace.state()}")
