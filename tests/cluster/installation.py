"""The charts in a namespace: installed as people install them, looked at, and taken away again."""

import base64
import json
from collections.abc import Iterable
from contextlib import closing, suppress

import httpx

from tests.cluster.kubernetes import PARTS, Namespace
from tests.journey.upping import PATIENCE, within

START = 6 * PATIENCE  # a scheduler that misses that a claim was bound looks at its pod again after five minutes
WORKLOADS = {
    "rabbitmq": "statefulset/rabbitmq",
    "web-server": "deployment/web-server",
    "consumer": "deployment/consumer",
}
LOOK = {"count": 1000, "ackmode": "ack_requeue_true", "encoding": "auto"}


def install(namespace: Namespace, *parts: str) -> None:
    """Install parts one after the other with the commands that people type, and wait for none of them."""
    for part in parts:
        namespace.shell(f"helm install my-{part} ./charts/{part}-chart")


def uninstall(namespace: Namespace, *parts: str) -> None:
    """Uninstall parts; their pods may take a while to go, and nobody has to wait for that."""
    for part in parts:
        namespace.shell(f"helm uninstall my-{part}")


def until_ready(namespace: Namespace, *parts: str) -> None:
    """Wait until some parts, or all, are ready."""
    for part in parts or PARTS:
        namespace.kubectl("rollout", "status", WORKLOADS[part], f"--timeout={START:.0f}s", seconds=2 * START)
    if "web-server" in (parts or PARTS):
        until_answering(namespace)


def until_answering(namespace: Namespace, service: str = "web-server") -> None:
    """Wait until the web server answers at a node port, which leads to a pod a moment after that is ready."""
    server = namespace.web_server(service)
    with closing(server.http):
        assert any(server.answers() for _ in within(PATIENCE, 0.2)), "nobody answers at the web server's node port"


def scale(namespace: Namespace, part: str, replicas: int) -> None:
    """Have so many pods of a part, and wait until it is so."""
    namespace.kubectl("scale", WORKLOADS[part], f"--replicas={replicas}")
    until_pods(namespace, part, replicas)


def until_pods(namespace: Namespace, part: str, replicas: int) -> None:
    """Wait until so many pods of a part are ready, and no other is there any more."""
    until_ready(namespace, part)
    for _ in within(START, 0.5):
        if len(namespace.items("pods", f"app.kubernetes.io/name={part}")) == replicas:
            return
    raise AssertionError(f"there are not {replicas} pods of {part}")


def until_gone(namespace: Namespace, part: str) -> None:
    """Wait until no pod of a part is there any more."""
    selector = f"--selector=app.kubernetes.io/name={part}"
    namespace.kubectl("wait", "pods", selector, "--for=delete", f"--timeout={START:.0f}s", seconds=2 * START)


def credentials(namespace: Namespace) -> tuple[str, str]:
    """User and password of RabbitMQ, as its Secret has them."""
    data = namespace.get("secret", "rabbitmq-auth")["data"]
    return base64.b64decode(data["username"]).decode(), base64.b64decode(data["password"]).decode()


def ids_waiting(namespace: Namespace, queue: str = "images") -> list[str]:
    """The ids of the images that wait in a queue, seen on RabbitMQ's management page: they are lent and given back."""
    with namespace.forwarded("service/rabbitmq", 15672) as port:
        url = f"http://127.0.0.1:{port}/api/queues/%2F/{queue}/get"
        answer = httpx.post(url, json=LOOK, auth=credentials(namespace), timeout=PATIENCE)
    answer.raise_for_status()
    return [str(json.loads(message["payload"])["subject"]) for message in answer.json()]


def until_waiting(namespace: Namespace, ids: Iterable[str]) -> None:
    """Wait until exactly these images wait in the queue, each once."""
    wanted, found = sorted(ids), ["the queue was never seen"]
    for _ in within(START, 0.5):
        with suppress(httpx.HTTPError, AssertionError):  # RabbitMQ starts, or is told to stop
            found = sorted(ids_waiting(namespace))
            if found == wanted:
                return
    raise AssertionError(f"waiting are {found}, not {wanted}")
