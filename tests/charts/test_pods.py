"""Every pod may do its work and nothing else; those of `helm test` are no exception."""

from typing import Any

import pytest
import typer

from rayhound.cli import app
from tests.charts.rendering import (
    NAMES,
    OURS,
    PARTS,
    RUNNING,
    Pod,
    Values,
    one,
    pods,
    rendered,
    tried,
    variants,
    workload,
)

USERS = {"rabbitmq": 999, "web-server": 10001, "consumer": 10001}
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
HARMLESS_VOLUMES = {"persistentVolumeClaim", "emptyDir", "configMap"}


def part(pod: Pod) -> str:
    """Which part a pod is, or tests."""
    return pod.labels["app.kubernetes.io/name"].removesuffix("-test")


@variants(*RUNNING)
def test_every_pod_is_one_that_the_level_restricted_admits(chart: str, values: Values) -> None:
    for pod in pods(rendered(chart, values)):
        user = USERS[part(pod)]
        assert pod.spec["securityContext"] == {
            "runAsNonRoot": True,
            "runAsUser": user,
            "runAsGroup": user,
            "fsGroup": user,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        assert pod.container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & set(pod.spec)
        assert not [port for port in pod.container.get("ports", []) if "hostPort" in port]
        for volume in pod.spec.get("volumes", []):
            assert set(volume) - {"name"} <= HARMLESS_VOLUMES


@variants(*RUNNING)
def test_no_pod_is_told_of_services_or_given_a_token(chart: str, values: Values) -> None:
    documents = rendered(chart, values)
    for pod in pods(documents):
        assert pod.spec["enableServiceLinks"] is False
        assert pod.spec["automountServiceAccountToken"] is False
    for document in documents:
        if document.kind == "ServiceAccount":
            assert document.body["automountServiceAccountToken"] is False


@pytest.mark.parametrize("chart", PARTS)
@pytest.mark.parametrize(
    ("account", "made", "used"),
    [
        ({}, "part", "part"),
        ({"name": "somebody"}, "somebody", "somebody"),
        ({"create": False}, None, "default"),
        ({"create": False, "name": "somebody"}, None, "somebody"),
    ],
)
def test_pods_use_the_account_that_is_made_or_named(
    chart: str, account: dict[str, Any], made: str | None, used: str
) -> None:
    documents = rendered(chart, {"serviceAccount": account})
    accounts = [document.name for document in documents if document.kind == "ServiceAccount"]
    assert accounts == [NAMES[chart] if made == "part" else made] * (made is not None)
    assert {pod.spec["serviceAccountName"] for pod in pods(documents)} == {NAMES[chart] if used == "part" else used}


def test_an_account_bears_the_operators_annotations() -> None:
    for chart in PARTS:
        account = one(rendered(chart, tried(chart, "everything")), "ServiceAccount")
        assert account.body["metadata"]["annotations"] == {"example.com/role": "reader"}


@variants(*PARTS)
def test_a_pod_that_stays_can_write_temporary_files_and_is_never_evicted_for_them(chart: str, values: Values) -> None:
    pod = workload(rendered(chart, values))
    (name,) = [mount["name"] for mount in pod.container["volumeMounts"] if mount["mountPath"] == "/tmp"]
    assert {"name": name, "emptyDir": {}} in pod.spec["volumes"]


@variants(*RUNNING)
def test_every_mount_has_its_volume_and_every_volume_its_mount(chart: str, values: Values) -> None:
    for pod in pods(rendered(chart, values)):
        volumes = [volume["name"] for volume in pod.spec.get("volumes", [])]
        mounts = [mount["name"] for mount in pod.container.get("volumeMounts", [])]
        assert sorted(volumes) == sorted(set(mounts))


@pytest.mark.parametrize(("chart", "command", "port"), [(OURS[0], "serve", 5000), (OURS[1], "consume", 9464)])
def test_ours_run_a_command_of_the_image_and_are_asked_over_http(chart: str, command: str, port: int) -> None:
    container = workload(rendered(chart)).container
    group: Any = typer.main.get_command(app)
    assert container["args"] == [command]
    assert command in group.commands
    assert "command" not in container
    (listened,) = container["ports"]
    assert listened["containerPort"] == port
    asked = {probe: container[probe]["httpGet"] for probe in PROBES}
    assert {get["port"] for get in asked.values()} == {listened["name"]}
    assert {probe: get["path"] for probe, get in asked.items()} == {
        "startupProbe": "/livez",
        "readinessProbe": "/readyz",
        "livenessProbe": "/livez",
    }


@variants(*RUNNING)
def test_a_test_runs_only_when_asked_and_comes_to_an_end(chart: str, values: Values) -> None:
    tests = [pod for pod in pods(rendered(chart, values)) if pod.owner.kind == "Pod"]
    assert tests
    for pod in tests:
        assert pod.annotations["helm.sh/hook"] == "test"
        assert pod.annotations["helm.sh/hook-delete-policy"] == "before-hook-creation"
        assert pod.spec["restartPolicy"] == "Never"
        assert 60 <= pod.spec["activeDeadlineSeconds"] <= 600
        assert pod.owner.file.startswith("tests/")


@pytest.mark.parametrize("chart", PARTS)
def test_variables_and_volumes_of_the_operator_are_there(chart: str) -> None:
    values = tried(chart, "everything")
    pod = workload(rendered(chart, values))
    for given, there in (
        ("extraEnv", pod.container["env"]),
        ("extraEnvFrom", pod.container["envFrom"]),
        ("extraVolumeMounts", pod.container["volumeMounts"]),
        ("extraVolumes", pod.spec["volumes"]),
    ):
        assert there[-1:] == values[given]


def test_an_ingress_leads_to_the_web_server() -> None:
    values = tried("web-server-chart", "everything")
    documents = rendered("web-server-chart", values)
    ingress, service = one(documents, "Ingress"), one(documents, "Service")
    assert (ingress.spec["ingressClassName"], ingress.spec["tls"]) == ("nginx", values["ingress"]["tls"])
    assert ingress.body["metadata"]["annotations"] == values["ingress"]["annotations"]
    (rule,) = ingress.spec["rules"]
    (path,) = rule["http"]["paths"]
    assert rule["host"] == "images.example.com"
    assert path["backend"]["service"] == {"name": service.name, "port": {"name": service.spec["ports"][0]["name"]}}


def test_an_ingress_answers_under_every_name_of_a_domain() -> None:
    hosts = ["*.example.com", "images.example.org"]
    ingress = one(rendered("web-server-chart", {"ingress": {"enabled": True, "hosts": hosts}}), "Ingress")
    assert [rule["host"] for rule in ingress.spec["rules"]] == hosts


@pytest.mark.parametrize("chart", ["rabbitmq-chart", "web-server-chart"])
def test_a_service_is_reached_as_the_operator_says(chart: str) -> None:
    service = one(rendered(chart, tried(chart, "everything")), "Service")
    assert service.spec["type"] == "LoadBalancer"
    assert service.body["metadata"]["annotations"] == {"example.com/internal": "true"}


def test_the_consumers_service_names_every_consumer() -> None:
    spec = one(rendered("consumer-chart"), "Service").spec
    assert (spec["clusterIP"], spec["publishNotReadyAddresses"]) == ("None", True)


@variants(*RUNNING)
def test_no_pod_of_helm_test_keeps_a_claim_from_being_deleted(chart: str, values: Values) -> None:
    ended = [pod for pod in pods(rendered(chart, values)) if pod.owner.kind == "Pod"]
    assert ended
    assert not [volume for pod in ended for volume in pod.spec.get("volumes", ()) if "persistentVolumeClaim" in volume]
