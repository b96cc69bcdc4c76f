"""Images that wait are not forgotten, whatever happens to the parts meanwhile."""

import os
from collections.abc import Callable

import pytest

from tests.cluster import kubernetes
from tests.cluster.installation import install, uninstall, until_gone, until_ready, until_waiting
from tests.cluster.kubernetes import NODE, PARTS, Namespace
from tests.cluster.ten import IMAGES, waiting
from tests.journey.upping import PATIENCE, within


def containers(namespace: Namespace) -> set[str]:
    """The containers that run in all pods of a namespace."""
    statuses = [status for pod in namespace.items("pods") for status in pod["status"].get("containerStatuses", ())]
    return {status["containerID"] for status in statuses if "running" in status["state"]}


def test_images_wait_while_the_pod_of_rabbitmq_is_deleted(installed: Namespace, tell: Callable[[str], None]) -> None:
    with waiting(installed) as ids:
        [before] = installed.pods("rabbitmq")
        installed.kubectl("delete", "pod", before["metadata"]["name"])
        until_ready(installed, "rabbitmq")
        [after] = installed.pods("rabbitmq")
        assert after["metadata"]["uid"] != before["metadata"]["uid"]
        until_waiting(installed, ids)
    tell(f"RabbitMQ's pod deleted: {IMAGES} waited, {IMAGES} analysed")


@pytest.mark.skipif(NODE not in os.environ, reason=f"{NODE} names nothing that cuts the power of a node")
def test_images_wait_while_the_node_has_no_power(installed: Namespace, tell: Callable[[str], None]) -> None:
    with waiting(installed) as ids:
        before = containers(installed)
        kubernetes.node("down")
        kubernetes.node("up")
        assert any(not containers(installed) & before for _ in within(2 * PATIENCE, 0.5))
        until_ready(installed)
        until_waiting(installed, ids)
    tell(f"the node without power: {IMAGES} waited, {IMAGES} analysed")


@pytest.mark.parametrize("part", PARTS)
def test_images_wait_while_a_release_is_uninstalled(
    installed: Namespace, part: str, tell: Callable[[str], None]
) -> None:
    with waiting(installed) as ids:
        uninstall(installed, part)
        if part == "rabbitmq":
            until_gone(installed, part)  # so that it is another one whose queue is looked into
        install(installed, part)
        if part != "consumer":
            until_waiting(installed, ids)
        until_ready(installed, part)
    tell(f"my-{part} uninstalled and installed: {IMAGES} waited, {IMAGES} analysed")
