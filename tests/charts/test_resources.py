"""How much a pod asks for, and how many analysers a consumer has of it."""

from typing import Any

import pytest

from rayhound.domain import Limits
from tests.charts.rendering import (
    RUNNING,
    Values,
    defaults,
    environment,
    merged,
    one,
    pods,
    rendered,
    tried,
    values_files,
    variants,
    workload,
)

GIBI, MEBI = 2**30, 2**20
OWN_MEMORY = 512 * MEBI


def consumer(**values: Any) -> tuple[int, int, str, str]:
    """Analysers, bytes that one analysis may take, and memory as request and as limit."""
    pod = workload(rendered("consumer-chart", values))
    said, resources = environment(pod), pod.container["resources"]
    analysers, memory = int(said["RAYHOUND_ANALYSERS"]), int(said["RAYHOUND_ANALYSIS_MEMORY"])
    return analysers, memory, resources["requests"]["memory"], resources["limits"]["memory"]


@pytest.mark.parametrize(
    ("cpu", "analysers"),
    [
        ("250m", 1),
        ("500m", 1),
        ("0.5", 1),
        (0.5, 1),
        (1, 1),
        ("1000m", 1),
        ("1001m", 2),
        ("1.5", 2),
        (1.5, 2),
        ("2000m", 2),
        (2, 2),
        ("16", 16),
    ],
)
def test_a_consumer_has_an_analyser_for_each_core_and_memory_for_each_analyser(
    cpu: str | float, analysers: int
) -> None:
    memory = f"{(OWN_MEMORY + analysers * GIBI) // MEBI}Mi"
    assert consumer(resources={"requests": {"cpu": cpu}}) == (analysers, GIBI, memory, memory)


@pytest.mark.parametrize(
    ("analysis", "bytes_of_it", "memory"),
    [
        ("1Gi", GIBI, "1536Mi"),
        ("1.5Gi", 3 * GIBI // 2, "2048Mi"),
        ("2048Mi", 2 * GIBI, "2560Mi"),
        ("1G", 10**9, "1466Mi"),
        (10**9, 10**9, "1466Mi"),
    ],
)
def test_memory_follows_from_what_one_analysis_may_take(analysis: str | int, bytes_of_it: int, memory: str) -> None:
    assert consumer(analysisMemory=analysis) == (1, bytes_of_it, memory, memory)


@pytest.mark.parametrize("given", ["limits", "requests"])
def test_more_memory_may_be_given_once_and_is_request_and_limit(given: str) -> None:
    assert consumer(resources={given: {"memory": "3Gi"}})[2:] == ("3Gi", "3Gi")
    assert consumer(resources={given: {"memory": "1.5Gi"}})[2:] == ("1.5Gi", "1.5Gi")


def test_what_else_is_asked_for_stays() -> None:
    documents = rendered("consumer-chart", tried("consumer-chart", "everything"))
    assert workload(documents).container["resources"] == {
        "requests": {"cpu": 2.5, "memory": "8Gi"},
        "limits": {"cpu": 3, "memory": "8Gi"},
    }


@variants(*RUNNING)
def test_memory_is_never_taken_back(chart: str, values: Values) -> None:
    for pod in pods(rendered(chart, values)):
        resources = pod.container.get("resources", {})
        if "limits" in resources:
            assert resources["limits"].get("memory") == resources["requests"].get("memory")


@pytest.mark.parametrize("chart", RUNNING)
def test_no_pod_is_throttled_by_default_and_all_fit_a_small_cluster(chart: str) -> None:
    asked = [pod.container["resources"] for pod in pods(rendered(chart)) if pod.owner.kind != "Pod"]
    assert not [resources for resources in asked if "cpu" in resources["limits"]]
    assert sum(int(resources["requests"]["cpu"].removesuffix("m")) for resources in asked) < 1000


@pytest.mark.parametrize("given", [{}, {"drainSeconds": 0, "keepAliveSeconds": 1}, {"drainSeconds": 3600}])
def test_a_web_server_may_take_as_long_to_stop_as_it_can_need(given: Values) -> None:
    values = merged(defaults("web-server-chart"), given)
    drain, keep_alive = values["drainSeconds"], values["keepAliveSeconds"]
    pod = workload(rendered("web-server-chart", given))
    said = environment(pod)
    assert (said["RAYHOUND_DRAIN_SECONDS"], said["RAYHOUND_KEEP_ALIVE_SECONDS"]) == (str(drain), str(keep_alive))
    assert pod.spec["terminationGracePeriodSeconds"] >= drain + keep_alive + Limits().upload


def test_a_consumer_may_take_as_long_to_stop_as_the_slowest_analysis() -> None:
    for name in values_files("consumer-chart"):
        pod = workload(rendered("consumer-chart", tried("consumer-chart", name)))
        assert pod.spec["terminationGracePeriodSeconds"] >= Limits().analysis_wall + 20


def test_the_load_of_a_web_server_is_a_share_of_what_it_asks_for() -> None:
    values = tried("web-server-chart", "everything")
    documents = rendered("web-server-chart", values)
    spec = one(documents, "HorizontalPodAutoscaler").spec
    assert spec["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web-server"}
    assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 9)
    (metric,) = spec["metrics"]
    assert metric["resource"] == {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}}
    assert workload(documents).container["resources"]["requests"]["cpu"]
