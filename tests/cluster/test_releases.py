"""`helm test` says whether a release works, and not that it does when it does not."""

import json
from collections.abc import Callable

from tests.cluster import kubernetes
from tests.cluster.kubernetes import PARTS, Namespace

SAID = {"rabbitmq": "gave it back", "web-server": "uploaded and read back", "consumer": "the consumer at"}


def test_every_release_passes_its_own_test(installed: Namespace, tell: Callable[[str], None]) -> None:
    for part in PARTS:
        said = installed.shell(f"helm test my-{part} --logs")
        assert "Succeeded" in said
        assert SAID[part] in said
    tell(f"helm test: {len(PARTS)} of {len(PARTS)} releases pass")


def test_the_broker_fails_its_test_where_the_secret_has_another_password(
    installed: Namespace, tell: Callable[[str], None]
) -> None:
    right = installed.get("secret", "rabbitmq-auth")["data"]["password"]
    give(installed, {"stringData": {"password": "another"}})
    try:
        done = kubernetes.run(["helm", "test", "my-rabbitmq", "--logs"], installed.environment)
    finally:
        give(installed, {"data": {"password": right}})
    assert done.returncode != 0
    assert "does the broker take the user and password of its Secret?" in done.stdout
    tell("helm test: my-rabbitmq fails with another password in its Secret")


def give(namespace: Namespace, change: dict[str, dict[str, str]]) -> None:
    """Change something of RabbitMQ's Secret."""
    namespace.kubectl("patch", "secret", "rabbitmq-auth", f"--patch={json.dumps(change)}")
