"""Ten images that wait while something happens."""

from collections.abc import Generator
from contextlib import closing, contextmanager

from tests.cluster.clients import Clients, judge
from tests.cluster.installation import scale, until_waiting
from tests.cluster.kubernetes import Namespace

IMAGES = 10


@contextmanager
def waiting(namespace: Namespace) -> Generator[list[str]]:
    """Ten images that wait, for nobody consumes; after the block somebody does, and each must get its one analysis."""
    scale(namespace, "consumer", 0)
    server = namespace.web_server()
    with closing(server.http), Clients(server, IMAGES) as clients:
        clients.reach(IMAGES)
    assert len(clients.accepted) == IMAGES, clients.failed
    until_waiting(namespace, clients.accepted)
    yield list(clients.accepted)
    scale(namespace, "consumer", 1)
    server = namespace.web_server()  # at another port, if its Service was made anew
    with closing(server.http):
        verdict = judge(clients, server, claim=namespace)
    assert (verdict.uploads, verdict.failed, verdict.lost) == (IMAGES, 0, 0), verdict.why
    until_waiting(namespace, [])
