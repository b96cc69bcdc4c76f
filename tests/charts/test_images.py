"""Which image runs: the one of the package's version, unless somebody says otherwise."""

import pytest

from rayhound import __version__
from tests.charts.rendering import CHARTS, EVERY, NAMES, OURS, PARTS, RUNNING, about, pods, rendered, run

DIGEST = "sha256:" + "a" * 64


def images(chart: str, values: dict[str, object] | None = None) -> set[str]:
    """Every image that a chart runs."""
    return {pod.container["image"] for pod in pods(rendered(chart, values))}


@pytest.mark.parametrize("chart", OURS)
def test_ours_is_the_one_of_the_packages_version(chart: str) -> None:
    assert images(chart) == {f"rayhound:{__version__}"}


def test_the_brokers_is_the_official_one_with_management() -> None:
    assert images("rabbitmq-chart") == {"rabbitmq:4.3-management"}
    assert about("rabbitmq-chart")["appVersion"] == "4.3"


def test_the_umbrellas_are_the_same() -> None:
    assert images("rayhound") == {f"rayhound:{__version__}", "rabbitmq:4.3-management"}


@pytest.mark.parametrize("chart", PARTS)
def test_a_tag_counts_and_a_digest_counts_more(chart: str) -> None:
    assert images(chart, {"image": {"repository": "mine/it", "tag": "7"}}) == {"mine/it:7"}
    assert images(chart, {"image": {"repository": "mine/it", "tag": "7", "digest": DIGEST}}) == {f"mine/it@{DIGEST}"}


@pytest.mark.parametrize("chart", RUNNING)
def test_an_image_that_is_on_the_node_is_not_fetched(chart: str) -> None:
    assert {pod.container["imagePullPolicy"] for pod in pods(rendered(chart))} == {"IfNotPresent"}


def test_charts_of_ours_are_for_the_packages_version() -> None:
    assert {about(chart)["appVersion"] for chart in EVERY if chart != "rabbitmq-chart"} == {__version__}


def test_the_umbrella_depends_on_the_charts_beside_it() -> None:
    expected = [
        {
            "name": chart,
            "alias": NAMES[chart],
            "version": about(chart)["version"],
            "repository": f"file://../{chart}",
            "condition": f"{NAMES[chart]}.enabled",
        }
        for chart in PARTS
    ]
    assert about("rayhound")["dependencies"] == expected


@pytest.mark.parametrize("chart", EVERY)
def test_a_cluster_that_is_too_old_is_refused(chart: str) -> None:
    assert about(chart)["apiVersion"] == "v2"
    done = run("helm", "template", str(CHARTS / chart), "--kube-version=1.26.9")
    assert done.returncode != 0
    assert "requires kubeVersion" in done.stderr
    assert run("helm", "template", str(CHARTS / chart), "--kube-version=1.27.0").returncode == 0
