"""The release for Amazon EKS on the cluster that is here: its values, and the few that must be others."""

from pathlib import Path

import yaml

from tests.charts.eks import FILE
from tests.cluster.buckets import SECRET, Bucket
from tests.cluster.installation import START
from tests.cluster.kubernetes import Namespace, is_ready
from tests.journey.upping import within
from tests.terraform.values import helm_values

RELEASE, SCALED = "rayhound", ("web-server", "consumer")
LEAST = {"rabbitmq": 1, "web-server": 3, "consumer": 3}


def generated(folder: Path, bucket: Bucket, tag: str) -> Path:
    """What Terraform says to Helm, as the file that the guide makes of it."""
    said = helm_values(folder / "terraform", region=bucket.region, archive_bucket=bucket.name, image_tag=tag)
    file = folder / "eks.generated.yaml"
    file.write_text(said)
    return file


def image(generated: Path) -> str:
    """The name of the image that pods are made of."""
    said = yaml.safe_load(generated.read_text())["web-server"]["image"]
    return f"{said['repository']}:{said['tag']}"


def overrides(folder: Path, bucket: Bucket) -> Path:
    """All that is not as on EKS: the broker's storage class, where the bucket is and its keys, and less CPU."""
    archive = {"endpoint": bucket.endpoint, "existingSecret": SECRET}
    values = {
        "rabbitmq": {"persistence": {"storageClass": ""}},
        "web-server": {"archive": archive},
        "consumer": {"archive": archive, "resources": {"requests": {"cpu": "250m"}}},
    }
    file = folder / "overrides.yaml"
    file.write_text(yaml.safe_dump(values))
    return file


def upgrade(namespace: Namespace, *values: Path) -> None:
    """The one command, with which the release is installed as well."""
    files = " ".join(f"-f {file}" for file in (FILE, *values))
    namespace.shell(f"helm upgrade --install {RELEASE} charts/rayhound -n {namespace.name} --create-namespace {files}")


def until_ready(namespace: Namespace, part: str) -> None:
    """Wait until as many pods of a part are ready as its values ask for at least, those not counted that stop."""
    least, found = LEAST[part], 0
    for _ in within(START, 0.5):
        found = sum(map(is_ready, namespace.pods(part)))
        if found >= least:
            return
    raise AssertionError(f"{found} pods of {part} are ready, not {least}\n{namespace.state()}")
