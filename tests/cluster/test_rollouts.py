"""Pods come and go under load, and nobody who uploads is told."""

from collections.abc import Callable
from contextlib import closing

import pytest

from tests.cluster.clients import Clients, Verdict, judge
from tests.cluster.conftest import Build
from tests.cluster.installation import until_pods
from tests.cluster.kubernetes import NAME, PARTS, Namespace

UPLOADS, FIRST = 200, 50
REST = 1.0  # so that a hundred uploads last longer than a web server drains
OURS = ("web-server", "consumer")


@pytest.mark.parametrize("part", PARTS)
def test_no_upload_fails_and_none_is_lost_while_the_pod_of_a_part_is_deleted(
    installed: Namespace, part: str, tell: Callable[[str], None]
) -> None:
    [before] = installed.pods(part)
    verdict = under_load(installed, f"kubectl delete pod --selector={NAME}={part}")
    [after] = installed.pods(part)
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert (verdict.uploads, verdict.failed, verdict.lost) == (UPLOADS, 0, 0), verdict.why
    tell(f"{part}: its pod deleted amid {verdict}")


def test_no_upload_fails_and_none_is_lost_while_another_build_comes_and_is_taken_back(
    installed: Namespace, build: Build, newer_build: Build, tell: Callable[[str], None]
) -> None:
    assert version(installed) == build.version
    upgrade = (f"helm upgrade my-{p} ./charts/{p}-chart --set image.tag={newer_build.tag} --wait" for p in OURS)
    up = under_load(installed, "\n".join(upgrade))
    assert version(installed) == newer_build.version
    down = under_load(installed, "\n".join(f"helm rollback my-{part} --wait" for part in OURS))
    assert version(installed) == build.version
    for verdict in (up, down):
        assert (verdict.uploads, verdict.failed, verdict.lost) == (UPLOADS, 0, 0), verdict.why
    tell(f"{build.version} to {newer_build.version} amid {up}; back amid {down}")


def under_load(namespace: Namespace, change: str) -> Verdict:
    """What becomes of uploads while a script changes something, which is over before they are all sent."""
    server = namespace.web_server()
    with closing(server.http):
        with Clients(server, UPLOADS) as clients:
            clients.reach(FIRST)
            clients.rest = REST
            namespace.shell(change)
            for part in PARTS:
                until_pods(namespace, part, 1)
            sent = len(clients.told)
            clients.rest = 0.0
        assert sent < UPLOADS, "it was not over when all was sent"
        return judge(clients, server, claim=namespace)


def version(namespace: Namespace) -> str:
    """What the web server says that it is."""
    server = namespace.web_server()
    with closing(server.http):
        return str(server.http.get("/openapi.json").json()["info"]["version"])
