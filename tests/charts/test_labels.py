"""Labels: names that never change, selectors that outlive an upgrade, and who is reached by them."""

import re
import shutil
from pathlib import Path

import pytest

from tests.charts.rendering import (
    CHARTS,
    EVERY,
    NAMES,
    PARTS,
    RELEASE,
    RUNNING,
    Document,
    Values,
    about,
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
        assert document.labels[NAME].removesuffix("-test") in {*NAMES.values(), "cluster-addons"}
        assert document.labels[INSTANCE] == RELEASE
        if document.kind != "Pod":
            assert document.labels["app.kubernetes.io/managed-by"] == "Helm"
            assert document.labels["helm.sh/chart"]


@variants(*RUNNING)
def test_selectors_are_name_and_instance_and_nothing_else(chart: str, values: Values) -> None:
    documents = rendered(chart, values)
    found = [(selector, d) for d in documents if d.kind != "PersistentVolumeClaim" for selector in selectors(d)]
    assert found
    for selector, document in found:
        assert set(selector) == {NAME, INSTANCE}, document.name
        assert selector[NAME] in NAMES.values()
        assert any(matches(selector, pod.labels) for pod in pods(documents)), document.name


@variants(*RUNNING)
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
    versions = {NAMES.get(part, part): str(about(part)["appVersion"]) for part in EVERY}
    for document in rendered(chart):
        if document.kind != "Pod":
            assert document.labels[VERSION] == versions[document.labels[NAME]]


def test_labels_and_annotations_of_the_operator_are_on_the_pods() -> None:
    for chart in PARTS:
        values = tried(chart, "everything")
        pod = workload(rendered(chart, values))
        assert matches(values["podLabels"], pod.labels)
        assert matches(values["podAnnotations"], pod.annotations)
