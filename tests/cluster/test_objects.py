"""Everything that the charts can render is taken by a real Kubernetes, without a warning."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.cluster.kubernetes import ROOT, Namespace

VALUES = sorted((ROOT / "charts").glob("*/ci/*-values.yaml"))
STRICT = ("--dry-run=server", "--validate=strict", "--warnings-as-errors", "--output=json")
OPTIONAL = {"ScaledObject", "HorizontalPodAutoscaler", "Ingress", "PodDisruptionBudget", "NetworkPolicy"}


@pytest.mark.usefixtures("autoscaling")
def test_kubernetes_takes_every_object_that_the_charts_render_without_a_warning(
    namespace: Namespace, tell: Callable[[str], None]
) -> None:
    kinds = [kind for values in VALUES for kind in taken(namespace, values)]
    assert set(kinds) >= OPTIONAL
    tell(f"objects: {len(kinds)} of {len(set(kinds))} kinds, from {len(VALUES)} files of values, without a warning")


def taken(namespace: Namespace, values: Path) -> list[str]:
    """The kinds of the objects that a chart renders of a file of values, each of which Kubernetes would take."""
    chart = values.parent.parent
    rendered = namespace.helm("template", "tried", str(chart), f"--namespace={namespace.name}", f"--values={values}")
    accounts = [o for o in yaml.safe_load_all(rendered) if o and o["kind"] == "ServiceAccount"]
    for account in accounts:  # a pod is taken only where its account is
        namespace.kubectl("apply", "--filename=-", stdin=json.dumps(account))
    found = json.loads(namespace.kubectl("apply", *STRICT, "--filename=-", stdin=rendered))
    return [o["kind"] for o in (found["items"] if found["kind"] == "List" else [found])]
