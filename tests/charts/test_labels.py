"""Labels: names that never change, selectors that outlive an upgrade, and who is reached by them."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.charts.rendering import (
    CHARTS,
    EVERY,
    NAMES,
    PARTS,
    RELEASE,
    Document,
    Values,
    about,
    one,
    pods,
    rendered,
    settled,
    tried,
    variants,
    workload,
)

NAME, INSTANCE, VERSION = (f"app.kubernetes.io/{key}" for key in ("name", "instance", "version"))


def selectors(document: Document) -> list[dict[str, str]]:
    """How a document says which pods are its own."""
    spec = document.body.get("spec", {})
    found = [spec.get("selector", {}), spec.get("podSelector", {})]
    return [selector.get("matchLabels", selector) for selector in found if selector]


def matches(selector: dict[str, str], labels: dict[str, str]) -> bool:
    """Whether a selector reaches who bears the labels."""
    return selector.items() <= labels.items()


@variants(*EVERY)
def test_every_object_says_what_it_is_and_whose(chart: str, values: Values) -> None:
    for document in rendered(chart, values):
        assert document.labels[NAME].removesuffix("-test") in NAMES.values()
        assert document.labels[INSTANCE] == RELEASE
        if document.kind != "Pod":
            assert document.labels["app.kubernetes.io/managed-by"] == "Helm"
            assert document.labels["helm.sh/chart"]


@variants(*EVERY)
def test_selectors_are_name_and_instance_and_nothing_else(chart: str, values: Values) -> None:
    documents = rendered(chart, values)
    found = [(selector, d) for d in documents if d.kind != "PersistentVolumeClaim" for selector in selectors(d)]
    assert found
    for selector, document in found:
        assert set(selector) == {NAME, INSTANCE}, document.name
        assert selector[NAME] in NAMES.values()
        assert any(matches(selector, pod.labels) for pod in pods(documents)), document.name


@variants(*EVERY)
def test_nobody_but_its_own_pods_is_behind_a_service(chart: str, values: Values) -> None:
    documents = rendered(chart, values)
    for document in documents:
        for selector in selectors(document):
            behind = [pod for pod in pods(documents) if matches(selector, pod.labels)]
            assert [pod.owner.kind for pod in behind] in (["Deployment"], ["StatefulSet"]), document.name


@pytest.mark.parametrize("chart", PARTS)
def test_a_new_version_of_a_chart_changes_no_selector_and_no_pod(chart: str, tmp_path: Path) -> None:
    shutil.copytree(CHARTS / chart, tmp_path / chart)
    says = tmp_path / chart / "Chart.yaml"
    says.write_text(re.sub(r"(?m)^version: .*$", "version: 99.0.0+build.5", says.read_text()))
    values = settled(chart, {})
    before, after = rendered(chart, values), rendered(chart, values, folder=tmp_path)
    assert [selectors(d) for d in before] == [selectors(d) for d in after]
    assert [(pod.labels, pod.annotations, pod.spec) for pod in pods(before)] == [
        (pod.labels, pod.annotations, pod.spec) for pod in pods(after)
    ]
    assert {d.labels["helm.sh/chart"] for d in after if d.kind != "Pod"} == {f"{chart}-99.0.0_build.5"}


@pytest.mark.parametrize("chart", EVERY)
def test_every_object_says_the_version_of_what_it_runs(chart: str) -> None:
    versions = {NAMES[part]: str(about(part)["appVersion"]) for part in PARTS}
    for document in rendered(chart):
        if document.kind != "Pod":
            assert document.labels[VERSION] == versions[document.labels[NAME]]


def peers(policy: Document) -> list[Any]:
    """Whom a policy lets in."""
    return [peer for rule in policy.spec["ingress"] for peer in rule["from"]]


@pytest.mark.parametrize("chart", PARTS)
def test_who_comes_from_another_chart_is_known_by_the_name_alone(chart: str) -> None:
    policy = one(rendered(chart, tried(chart, "everything")), "NetworkPolicy")
    for peer in peers(policy):
        assert INSTANCE not in str(peer)


def test_the_policies_let_in_who_must_come_in() -> None:
    values = {"networkPolicy": {"enabled": True}}
    broker = one(rendered("rabbitmq-chart", values), "NetworkPolicy")
    amqp, management = broker.spec["ingress"]
    (allowed,) = amqp["from"][0]["podSelector"]["matchExpressions"]
    assert (allowed["key"], amqp["ports"]) == (NAME, [{"port": "amqp"}])
    comers = {pod.labels[NAME] for chart in PARTS for pod in pods(rendered(chart)) if asks_the_broker(pod.container)}
    assert comers == set(allowed["values"])
    assert management["from"] == [{"podSelector": {"matchLabels": {NAME: "rabbitmq-test"}}}]
    for chart in ("web-server-chart", "consumer-chart"):
        policy = one(rendered(chart, values), "NetworkPolicy")
        assert peers(policy) == [
            {"podSelector": {"matchLabels": {NAME: f"{NAMES[chart]}-test"}}},
            {"podSelector": {}},
        ]


def asks_the_broker(container: Any) -> bool:
    """Whether a container knows where the queue is."""
    return "RAYHOUND_QUEUE" in {variable["name"] for variable in container.get("env", [])}


def test_who_may_come_besides_is_what_the_operator_says() -> None:
    for chart in PARTS:
        values = tried(chart, "everything")
        policy = one(rendered(chart, values), "NetworkPolicy")
        assert set(map(str, values["networkPolicy"]["from"])) < set(map(str, peers(policy)))
        assert {"podSelector": {}} not in peers(policy)


def test_labels_and_annotations_of_the_operator_are_on_the_pods() -> None:
    for chart in PARTS:
        values = tried(chart, "everything")
        pod = workload(rendered(chart, values))
        assert matches(values["podLabels"], pod.labels)
        assert matches(values["podAnnotations"], pod.annotations)
