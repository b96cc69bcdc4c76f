"""Everything that the charts can render is taken by a real Kubernetes, without a warning."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.charts.eks import FILE
from tests.cluster.kubernetes import ROOT, Namespace

VALUES = sorted((ROOT / "charts").glob("*/ci/*-values.yaml"))
STRICT = ("--dry-run=server", "--validate=strict", "--warnings-as-errors", "--output=json")
WRITTEN = [file for file in VALUES if file.name.startswith("eks")]
OF_EKS = "apiVersion: eks.amazonaws.com/"  # what no other Kubernetes knows
OPTIONAL = {"ScaledObject", "HorizontalPodAutoscaler", "Ingress", "PodDisruptionBudget", "NetworkPolicy"}


@pytest.mark.usefixtures("autoscaling")
def test_kubernetes_takes_every_object_that_the_charts_render_without_a_warning(
    namespace: Namespace, tell: Callable[[str], None]
) -> None:
    kinds = [kind for values in VALUES for kind in taken(namespace, values.parent.parent, values)]
    assert set(kinds) >= OPTIONAL
    tell(f"objects: {len(kinds)} of {len(set(kinds))} kinds, from {len(VALUES)} files of values, without a warning")


@pytest.mark.usefixtures("autoscaling")
def test_kubernetes_takes_the_release_for_eks_whatever_terraform_writes_and_what_it_needs_there(
    namespace: Namespace, tell: Callable[[str], None]
) -> None:
    release = [kind for written in WRITTEN for kind in taken(namespace, ROOT / "charts/rayhound", FILE, written)]
    assert set(release) >= OPTIONAL
    addons = taken(namespace, ROOT / "charts/cluster-addons")
    assert set(addons) == {"StorageClass", "IngressClass", "ConfigMap"}
    tell(f"objects for EKS: {len(release)} from {len(WRITTEN)} files of Terraform's, {len(addons)} beside the release")


def taken(namespace: Namespace, chart: Path, *values: Path) -> list[str]:
    """The kinds of the objects that a chart renders of files of values, each of which Kubernetes would take."""
    files = [f"--values={file}" for file in values]
    rendered = namespace.helm("template", "tried", str(chart), f"--namespace={namespace.name}", *files)
    known = "---\n".join(text for text in rendered.split("---\n") if OF_EKS not in text)
    accounts = [o for o in yaml.safe_load_all(known) if o and o["kind"] == "ServiceAccount"]
    for account in accounts:  # a pod is taken only where its account is
        namespace.kubectl("apply", "--filename=-", stdin=json.dumps(account))
    found = json.loads(namespace.kubectl("apply", *STRICT, "--filename=-", stdin=known))
    return [o["kind"] for o in (found["items"] if found["kind"] == "List" else [found])]
