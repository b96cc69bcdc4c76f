"""What Helm says after an installation: commands that can be run as they stand."""

import json
import re
from functools import cache

import pytest

from tests.charts.rendering import CHARTS, EVERY, NAMES, RELEASE, Values, merged, rendered, run, tried, variants

NAMESPACE = "images"
LONGEST_LINE = 130


@cache
def _installed(chart: str, values: str) -> str:
    options = [f"--namespace={NAMESPACE}", "--dry-run=client", "--output=json", "--values=-"]
    done = run("helm4", "install", RELEASE, str(CHARTS / chart), *options, given=values)
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["info"]["notes"])


def notes(chart: str, values: Values | None = None) -> str:
    """The notes; Helm 4 tells them without a cluster."""
    return _installed(chart, json.dumps(values or {}))


@variants(*EVERY)
def test_notes_have_no_gaps(chart: str, values: Values) -> None:
    said = notes(chart, values)
    assert not re.search(r"%!|<nil>|map\[|\{\{", re.sub(r"go-template='[^']*'", "", said)), said
    assert not re.search(r"(?<=\w) +[,.;:](?:\s|$)|\( | \)|=(?:\s|$)", said), said
    assert "\n\n\n" not in said
    assert not [line for line in said.splitlines() if line != line.rstrip()], said


@variants(*EVERY)
def test_commands_name_what_is_there(chart: str, values: Values) -> None:
    said = notes(chart, values)
    there = {(d.kind.lower(), d.name) for d in rendered(chart, values)} | {
        (d.kind.lower(), d.name) for part in NAMES for d in rendered(part)
    }
    named = set(re.findall(r"\b(statefulset|deployment|scaledobject)[/ ](?:--namespace \S+ )?([a-z][a-z-]+)", said))
    assert named <= there
    commands = re.findall(r"(?:kubectl|helm|minikube service)\b.*", said)
    for command in [c for c in commands if re.match(r"kubectl (?!scale)|helm test|minikube", c)]:
        assert f"--namespace {NAMESPACE}" in command or f"/namespaces/{NAMESPACE}/" in command, command


@pytest.mark.parametrize("chart", NAMES)
def test_notes_tell_how_to_watch_try_and_remove(chart: str) -> None:
    said = notes(chart)
    assert re.search(rf"kubectl rollout status --namespace {NAMESPACE} (statefulset|deployment)/{NAMES[chart]}\n", said)
    assert f"helm test --namespace {NAMESPACE} {RELEASE} --logs" in said
    assert "`helm uninstall` " in said


def test_the_brokers_notes_tell_how_to_read_the_password_and_how_to_erase_it() -> None:
    said = notes("rabbitmq-chart")
    assert "kubectl get secret --namespace images rabbitmq-auth" in said
    assert "persistentvolumeclaim/rabbitmq-pvc secret/rabbitmq-auth" in said
    assert "auth.existingSecret" in said
    own = notes("rabbitmq-chart", {"auth": {"existingSecret": "login"}})
    assert "kubectl get secret --namespace images login" in own
    assert "rabbitmq-auth" not in own


def test_the_web_servers_notes_tell_what_uninstall_keeps_and_how_to_erase_it() -> None:
    said = notes("web-server-chart")
    assert (
        "kubectl delete --namespace images persistentvolumeclaim/web-server-pvc persistentvolumeclaim/rabbitmq-pvc"
        in said
    )
    assert "persistentvolumeclaim/rabbitmq-pvc" not in notes("web-server-chart", tried("web-server-chart", "bucket"))


@pytest.mark.parametrize("chart", ["web-server-chart", "consumer-chart"])
def test_notes_say_when_all_pods_share_one_node(chart: str) -> None:
    assert "One node at a time may mount it" in notes(chart)
    for values in ({"storage": {"accessModes": ["ReadWriteMany"]}}, {"archive": {"url": "s3://images"}}):
        assert "One node at a time" not in notes(chart, values)


@pytest.mark.parametrize(("chart", "autoscaler"), [("web-server-chart", "autoscaling"), ("consumer-chart", "keda")])
def test_notes_say_what_to_do_after_scaling_by_hand(chart: str, autoscaler: str) -> None:
    assert "After `kubectl scale` set replicaCount" in notes(chart)
    for values in ({"replicaCount": None}, {autoscaler: {"enabled": True}}):
        assert "After `kubectl scale`" not in notes(chart, values)


def test_an_address_in_the_notes_is_the_one_that_answers() -> None:
    values = tried("web-server-chart", "everything")
    assert "curl -F image=@cat.jpg https://images.example.com/upload" in notes("web-server-chart", values)
    plain = merged(values, {"ingress": {"tls": []}})
    assert "curl -F image=@cat.jpg http://images.example.com/upload" in notes("web-server-chart", plain)


@variants(*EVERY)
def test_lines_of_the_notes_fit_a_terminal_unless_they_are_commands(chart: str, values: Values) -> None:
    prose = [line for line in notes(chart, values).splitlines() if not re.search(r"kubectl|curl|helm ", line)]
    assert not [line for line in prose if len(line) > LONGEST_LINE]
