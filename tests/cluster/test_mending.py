"""What is missing is told, and once it is there the pods go on by themselves."""

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

from tests.cluster.installation import START, install, until_ready
from tests.cluster.kubernetes import Namespace
from tests.journey.ledger import picture
from tests.journey.upping import within


def test_pods_without_their_claim_or_their_secret_say_so_and_heal_when_it_is_made(
    namespace: Namespace, tell: Callable[[str], None]
) -> None:
    install(namespace, "consumer")
    until_told(namespace, "consumer", 'persistentvolumeclaim "web-server-pvc" not found')
    install(namespace, "web-server")
    for part in ("web-server", "consumer"):
        until_told(namespace, part, 'secret "rabbitmq-auth" not found')
    install(namespace, "rabbitmq")
    until_ready(namespace)
    assert namespace.restarts("web-server") == namespace.restarts("consumer") == 0
    server = namespace.web_server()
    with closing(server.http):
        assert server.answered(server.accepted(picture()))["status"] == "analysed"
    tell("a claim and a Secret that are missing: told, made afterwards, healed")


def until_told(namespace: Namespace, part: str, reason: str) -> None:
    """Wait until the pod of a part says what is missing."""
    told: list[str] = []
    for _ in within(START, 0.5):
        told = [why for pod in namespace.pods(part) for why in reasons(pod["status"])]
        if any(reason in why for why in told):
            return
    raise AssertionError(f"{part} says {told}\n{namespace.state()}")


def reasons(status: dict[str, Any]) -> Iterator[str]:
    """Why a pod is not scheduled, and why its containers wait."""
    for condition in status.get("conditions", ()):
        yield condition.get("message", "")
    for container in status.get("containerStatuses", ()):
        yield container["state"].get("waiting", {}).get("message", "")
