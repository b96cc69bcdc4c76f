"""Disks as a cloud gives them: each belongs to root, and no pod runs as root."""

import json
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from typing import Any

from tests.cluster import kubernetes
from tests.cluster.installation import scale, until_gone, until_ready, until_waiting
from tests.cluster.kubernetes import PARTS, Namespace
from tests.journey.ledger import picture

CLAIMS = ("rabbitmq-pvc", "web-server-pvc")
SIZE = {"storage": "1Gi"}


def test_rabbitmq_and_web_server_start_twice_on_disks_that_belong_to_root(
    namespace: Namespace, tell: Callable[[str], None]
) -> None:
    with disks(namespace):
        storage = f"storageClass={namespace.name}"
        namespace.shell(f"helm install my-rabbitmq ./charts/rabbitmq-chart --set persistence.{storage}")
        namespace.shell(f"helm install my-web-server ./charts/web-server-chart --set storage.{storage},drainSeconds=1")
        namespace.shell("helm install my-consumer ./charts/consumer-chart --set replicaCount=0")
        until_ready(namespace)
        server = namespace.web_server()
        with closing(server.http):
            image_id = server.accepted(picture())
            until_waiting(namespace, [image_id])
            for part in ("rabbitmq", "web-server"):
                scale(namespace, part, 0)
                scale(namespace, part, 1)
            until_waiting(namespace, [image_id])
            assert namespace.restarts("rabbitmq") == namespace.restarts("web-server") == 0
            scale(namespace, "consumer", 1)
            assert server.answered(image_id)["status"] == "analysed"
    tell("disks that belong to root: RabbitMQ and web server started twice, and an image waited and was analysed")


@contextmanager
def disks(namespace: Namespace) -> Generator[None]:
    """Two folders of the node, made by root for root alone to write in, as volumes for the two claims."""
    folder = f"/var/tmp/{namespace.name}"
    kubernetes.node_shell(" && ".join(f"mkdir -p -m 0755 {folder}/{claim}" for claim in CLAIMS))
    [node] = namespace.items("nodes")
    host = node["metadata"]["labels"]["kubernetes.io/hostname"]
    volumes = [volume(namespace.name, claim, f"{folder}/{claim}", host) for claim in CLAIMS]
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": volumes})
    namespace.kubectl("create", "--filename=-", stdin=listed)
    try:
        yield
    finally:
        namespace.kubectl("delete", "deployments,statefulsets", "--all")
        for part in PARTS:
            until_gone(namespace, part)
        namespace.kubectl("delete", "--filename=-", "--wait=false", stdin=listed)
        kubernetes.node_shell(f"rm -rf {folder}")


def volume(name: str, claim: str, path: str, host: str) -> dict[str, Any]:
    """A volume of a folder, for one claim of the namespace `name` alone."""
    hostname = {"key": "kubernetes.io/hostname", "operator": "In", "values": [host]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"{name}-{claim}"},
        "spec": {
            "capacity": SIZE,
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": name,
            "claimRef": {"namespace": name, "name": claim},
            "persistentVolumeReclaimPolicy": "Retain",
            "local": {"path": path},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [hostname]}]}},
        },
    }
