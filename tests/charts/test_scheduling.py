"""Where pods run, how many there are, and how they are replaced."""

from typing import Any

import pytest

from tests.charts.rendering import (
    EVERY,
    OURS,
    PARTS,
    Pod,
    Values,
    at,
    one,
    pods,
    rendered,
    tried,
    values_files,
    variants,
    workload,
)

CLAIM = "rayhound.io/claim"
REQUIRED = ("affinity", "podAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
GIVEN = ("nodeSelector", "tolerations", "topologySpreadConstraints", "priorityClassName", "imagePullSecrets")


def term(claim: str) -> dict[str, Any]:
    """The term that keeps a pod on the node where the claim is mounted."""
    return {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {CLAIM: claim}}}


def terms(pod: Pod) -> Any:
    """The pods that a pod must be beside."""
    return at(pod.spec, REQUIRED) or []


def mounts_a_claim(pod: Pod) -> bool:
    """Whether a pod has the archive's disk."""
    return any(mount["mountPath"] == "/data/images" for mount in pod.container.get("volumeMounts", []))


@pytest.mark.parametrize("claim", ["web-server-pvc", "images"])
def test_web_server_and_consumer_keep_to_the_node_of_their_claim_by_the_same_term(claim: str) -> None:
    values = {"storage": {"existingClaim": claim}} if claim != "web-server-pvc" else {}
    for chart in OURS:
        for pod in pods(rendered(chart, values)):
            if mounts_a_claim(pod):
                assert pod.labels[CLAIM] == claim
                assert terms(pod) == [term(claim)]


@variants(*EVERY)
def test_whoever_mounts_the_claim_bears_its_name(chart: str, values: Values) -> None:
    for pod in pods(rendered(chart, values)):
        claims = [v["persistentVolumeClaim"]["claimName"] for v in pod.spec.get("volumes", []) if v["name"] == "images"]
        assert claims == ([pod.labels[CLAIM]] if CLAIM in pod.labels else [])
        assert mounts_a_claim(pod) == bool(claims)


@pytest.mark.parametrize("chart", OURS)
@pytest.mark.parametrize(
    "values",
    [
        {"storage": {"accessModes": ["ReadWriteMany"]}},
        {"storage": {"accessModes": ["ReadWriteOnce", "ReadWriteMany"]}},
        {"archive": {"url": "s3://images"}},
    ],
    ids=["shared", "shared too", "bucket"],
)
def test_where_every_node_reaches_the_archive_pods_run_anywhere(chart: str, values: Values) -> None:
    for pod in pods(rendered(chart, values)):
        assert "affinity" not in pod.spec


@pytest.mark.parametrize("chart", OURS)
def test_the_claims_term_stands_beside_the_operators_affinity(chart: str) -> None:
    values = tried(chart, "everything")
    pod = workload(rendered(chart, values))
    claim = values["storage"].get("existingClaim", "web-server-pvc")
    assert terms(pod) == [term(claim), *at(values, REQUIRED)]
    assert pod.spec["affinity"]["nodeAffinity"] == values["affinity"]["nodeAffinity"]


def test_the_brokers_affinity_is_the_operators() -> None:
    values = tried("rabbitmq-chart", "everything")
    assert workload(rendered("rabbitmq-chart", values)).spec["affinity"] == values["affinity"]
    assert "affinity" not in workload(rendered("rabbitmq-chart")).spec


@pytest.mark.parametrize("chart", PARTS)
def test_every_pod_runs_where_the_operator_says(chart: str) -> None:
    values = tried(chart, "everything")
    for pod in pods(rendered(chart, values)):
        assert {key: pod.spec[key] for key in GIVEN} == {key: values[key] for key in GIVEN}
    for pod in pods(rendered(chart)):
        assert not set(GIVEN) & set(pod.spec)


@pytest.mark.parametrize(("chart", "autoscaler"), [("web-server-chart", "autoscaling"), ("consumer-chart", "keda")])
def test_nobody_sets_a_number_that_an_autoscaler_sets(chart: str, autoscaler: str) -> None:
    def replicas(**values: Any) -> Any:
        return one(rendered(chart, values), "Deployment").spec.get("replicas")

    assert replicas() == 1
    assert replicas(replicaCount=3) == 3
    assert replicas(replicaCount=0) == 0
    assert replicas(replicaCount=None) is None
    assert replicas(replicaCount=3, **{autoscaler: {"enabled": True}}) is None


@variants("web-server-chart")
def test_a_new_web_server_is_there_before_an_old_one_goes(chart: str, values: Values) -> None:
    documents = rendered(chart, values)
    assert one(documents, "Deployment").spec["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
    }
    assert "lifecycle" not in workload(documents).container


@variants("consumer-chart")
def test_a_consumer_is_replaced_without_room_for_a_second(chart: str, values: Values) -> None:
    strategy = one(rendered(chart, values), "Deployment").spec["strategy"]
    assert (strategy["type"], strategy["rollingUpdate"]["maxSurge"]) == ("RollingUpdate", 0)


@pytest.mark.parametrize("chart", OURS)
def test_one_pod_at_a_time_may_be_evicted_and_a_sick_one_always(chart: str) -> None:
    budget = one(rendered(chart, tried(chart, "everything")), "PodDisruptionBudget").spec
    assert set(budget) == {"maxUnavailable", "unhealthyPodEvictionPolicy", "selector"}
    assert (budget["maxUnavailable"], budget["unhealthyPodEvictionPolicy"]) == (1, "AlwaysAllow")


@pytest.mark.parametrize("chart", PARTS)
def test_what_is_optional_is_off(chart: str) -> None:
    kinds = {document.kind for document in rendered(chart)}
    optional = {"Ingress", "HorizontalPodAutoscaler", "PodDisruptionBudget", "NetworkPolicy", "ScaledObject"}
    assert not kinds & optional
    tried_kinds = {d.kind for name in values_files(chart) for d in rendered(chart, tried(chart, name))}
    assert tried_kinds & optional
