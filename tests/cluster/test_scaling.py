"""Several consumers share the work, and those that go leave nothing half done."""

from collections.abc import Callable
from contextlib import closing

from tests.cluster.clients import Clients, judge
from tests.cluster.following import Consumers, begun_again, slow_picture
from tests.cluster.installation import scale, until_ready, until_waiting
from tests.cluster.kubernetes import Namespace

IMAGES, CONSUMERS, EACH = 60, 3, 5


def test_three_consumers_share_the_work_and_nothing_is_lost_or_begun_again_when_they_go(
    installed: Namespace, tell: Callable[[str], None]
) -> None:
    upgrade = "helm upgrade my-consumer ./charts/consumer-chart --reset-values"
    installed.shell(f"{upgrade} --set replicaCount={CONSUMERS} --set resources.requests.cpu=250m")
    until_ready(installed, "consumer")
    server = installed.web_server()
    with closing(server.http), Consumers(installed) as consumers:
        with Clients(server, IMAGES, content=slow_picture()) as clients:
            consumers.until_analysed(CONSUMERS, EACH)
        scale(installed, "consumer", 1)
        scale(installed, "consumer", 0)
        left = IMAGES - consumers.ids("analysed").total()
        installed.shell(upgrade)
        until_ready(installed, "consumer")
        verdict = judge(clients, server, claim=installed)
        until_waiting(installed, [])
    assert (verdict.uploads, verdict.failed, verdict.lost) == (IMAGES, 0, 0), verdict.why
    assert left > 0, "everything was analysed before the consumers went"
    assert consumers.ids("analysed") == dict.fromkeys(clients.accepted, 1)
    assert begun_again(consumers) == {}
    assert any(consumers.finished_after_stop().values()), "no consumer finished what it was analysing"
    shares = ", ".join(str(count) for count in consumers.count("analysed").values() if count)
    tell(f"three consumers, then one, then none, with {left} left: {verdict}; analysed by each: {shares}")
