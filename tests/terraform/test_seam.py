"""The seam with Helm: the charts are tried with what Terraform writes, and both name the same service accounts."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from tests.charts.eks import FILE, SHAPES, on_eks
from tests.charts.rendering import Loader, pods, tried
from tests.terraform.values import applied, helm_values

OF_THE_CHARTS: Mapping[str, object] = {"archive_bucket": "rayhound-images", "image_tag": "v1"}
VARIABLES: Mapping[str, Mapping[str, object]] = {
    "eks": {},
    "eks-amazon-mq": {"amazon_mq": True, "mq_password": "correct-horse-battery"},
    "eks-ingress": {
        "certificate_arn": "arn:aws:acm:eu-central-1:123456789012:certificate/1234",
        "hosts": ["images.example.com"],
        "ingress_scheme": "internet-facing",
        "inbound_cidrs": ["203.0.113.0/24", "198.51.100.0/24"],
    },
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_charts_are_tried_with_what_terraform_writes(shape: str, tmp_path: Path) -> None:
    written = helm_values(tmp_path / "terraform", **OF_THE_CHARTS, **VARIABLES[shape])
    assert yaml.load(written, Loader) == tried("rayhound", shape)


def test_the_pods_that_touch_the_archive_and_no_others_have_a_role(tmp_path: Path) -> None:
    cluster = applied(tmp_path / "terraform", **OF_THE_CHARTS)
    roles = {made["service_account"] for made in cluster.resources["aws_eks_pod_identity_association"]}
    running = [pod for pod in pods(on_eks()) if pod.owner.kind != "Pod"]
    reaching = [pod for pod in running if any("s3://" in v.get("value", "") for v in pod.container.get("env", []))]
    assert sorted(pod.spec["serviceAccountName"] for pod in reaching) == sorted(roles)
    assert not [pod.owner.name for pod in running if pod not in reaching and pod.spec["serviceAccountName"] in roles]


def test_the_roles_are_for_the_namespace_into_which_the_values_say_to_install(tmp_path: Path) -> None:
    cluster = applied(tmp_path / "terraform", **OF_THE_CHARTS)
    (namespace,) = {made["namespace"] for made in cluster.resources["aws_eks_pod_identity_association"]}
    assert f"-n {namespace} " in FILE.read_text()
