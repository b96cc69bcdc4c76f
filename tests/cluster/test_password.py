"""The password of RabbitMQ: a wrong one is told, another one is refused, and how to change it is told and works."""

import json
import re
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from typing import Any

import httpx

from tests.cluster import kubernetes
from tests.cluster.installation import START, credentials, until_ready
from tests.cluster.kubernetes import ROOT, Namespace
from tests.journey.ledger import picture
from tests.journey.upping import PATIENCE, within

TOLD_SECONDS, WATCHED_SECONDS = 30, 15
README = ROOT / "charts/rabbitmq-chart/README.md"
UPGRADE = "helm upgrade my-rabbitmq ./charts/rabbitmq-chart"


def test_a_wrong_password_is_told_in_one_line_and_the_consumer_waits_without_a_restart(
    installed: Namespace, tell: Callable[[str], None]
) -> None:
    user, _ = credentials(installed)
    installed.shell(f"kubectl create secret generic wrong --from-literal=username={user} --from-literal=password=wrong")
    upgrade = "helm upgrade my-consumer ./charts/consumer-chart --reset-values"
    [before] = installed.pods("consumer")
    installed.shell(f"{upgrade} --set rabbitmq.existingSecret=wrong")
    name, began = successor(installed, before["metadata"]["name"])
    said = until_away(installed, name)
    told = datetime.fromisoformat(said.split()[0])
    assert (told - began).total_seconds() <= TOLD_SECONDS
    for word in (f"{user}@rabbitmq:5672", "Secret wrong", "hint="):
        assert word in said
    time.sleep(WATCHED_SECONDS)
    assert installed.kubectl("logs", name).count(" broker_away ") == 1
    [pod] = installed.pods("consumer")
    ready = {condition["type"]: condition["status"] for condition in pod["status"]["conditions"]}["Ready"]
    assert (pod["metadata"]["name"], ready, installed.restarts("consumer")) == (name, "False", 0)
    installed.shell(upgrade)
    until_ready(installed, "consumer")
    installed.kubectl("delete", "secret", "wrong")
    tell(f"a wrong password: told once, after {(told - began).total_seconds():.0f} s; unready, 0 restarts")


def test_another_password_is_refused_where_a_broker_has_its_own(
    installed: Namespace, tell: Callable[[str], None]
) -> None:
    refused = kubernetes.run(["bash", "-c", f"{UPGRADE} --set auth.password=another"], installed.environment)
    assert refused.returncode != 0
    assert "a broker takes a password only when its volume is made" in refused.stderr
    assert "rabbitmqctl change_password" in refused.stderr
    renamed = kubernetes.run(["bash", "-c", f"{UPGRADE} --set auth.username=another"], installed.environment)
    assert renamed.returncode != 0
    assert "the broker's user was made as \"rayhound\" when its volume was" in renamed.stderr
    kept = installed.get("secret", "rabbitmq-auth")
    installed.kubectl("delete", "secret", "rabbitmq-auth")
    try:
        forgotten = kubernetes.run(["bash", "-c", UPGRADE], installed.environment)
    finally:
        installed.kubectl("create", "--filename=-", stdin=json.dumps(unborn(kept)))
    assert forgotten.returncode != 0
    assert "the Secret rabbitmq-auth with its password is gone; a new password would be refused" in forgotten.stderr
    installed.shell(UPGRADE)
    tell("another password or user: refused, with the Secret there and with the Secret gone")


def test_the_password_is_changed_as_the_readme_of_the_chart_says(
    installed: Namespace, tell: Callable[[str], None]
) -> None:
    user, old = credentials(installed)
    installed.shell(rotation())
    until_ready(installed)
    assert credentials(installed) == (user, "NEW")
    assert [status(installed, user, password) for password in (old, "NEW")] == [401, 200]
    installed.shell(f"{UPGRADE} && kubectl delete pod rabbitmq-0")
    until_ready(installed)
    assert status(installed, user, "NEW") == 200
    server = installed.web_server()
    with closing(server.http):
        assert server.answered(server.accepted(picture()))["status"] == "analysed"
    tell("the password changed: the old one is refused, the new one outlives the pod")


def successor(namespace: Namespace, before: str) -> tuple[str, datetime]:
    """The name of the consumer's pod that came after another, and when its container started."""
    for _ in within(START, 0.5):
        for pod in namespace.pods("consumer"):
            states = [status["state"] for status in pod["status"].get("containerStatuses", ())]
            if pod["metadata"]["name"] != before and states and "running" in states[0]:
                return str(pod["metadata"]["name"]), datetime.fromisoformat(states[0]["running"]["startedAt"])
    raise AssertionError(namespace.state())


def until_away(namespace: Namespace, pod: str) -> str:
    """The line that says that there is no broker for a pod."""
    for _ in within(PATIENCE, 0.5):
        lines = namespace.kubectl("logs", pod).splitlines()
        if found := [line for line in lines if " broker_away " in line]:
            return found[0]
    raise AssertionError(namespace.state())


def unborn(known: dict[str, Any]) -> dict[str, Any]:
    """An object as it can be made again."""
    kept = {name: known["metadata"][name] for name in ("name", "labels", "annotations")}
    return {**known, "metadata": kept}


def rotation() -> str:
    """The commands with which README changes the password."""
    [block] = [
        str(found)
        for found in re.findall(r"```sh\n(.*?)```", README.read_text(), re.DOTALL)
        if "change_password" in found
    ]
    return str(block)


def status(namespace: Namespace, user: str, password: str) -> int:
    """What RabbitMQ's management API answers somebody."""
    with namespace.forwarded("service/rabbitmq", 15672) as port:
        answer = httpx.get(f"http://127.0.0.1:{port}/api/whoami", auth=(user, password), timeout=PATIENCE)
    return answer.status_code
