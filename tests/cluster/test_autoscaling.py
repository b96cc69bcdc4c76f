"""As many parts as there is work, and nothing lost on the way up or down."""

from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from threading import Event

import pytest

from tests.cluster.clients import AT_ONCE, Clients, judge
from tests.cluster.following import Consumers, begun_again, slow_picture
from tests.cluster.installation import START, install, until_gone, until_ready, until_waiting
from tests.cluster.kubernetes import Namespace
from tests.journey.ledger import picture
from tests.journey.upping import Server, within

IMAGES, MOST, EACH = 300, 3, 10
SIDE = 4000  # of a square image: a fifth of a second of work
SHARED = "--set storage.accessModes={ReadWriteMany}"
HPA = "--set autoscaling.enabled=true,autoscaling.maxReplicas=3,autoscaling.targetCPUUtilizationPercentage=50"
KEDA = (
    "--set keda.enabled=true,keda.pollingSeconds=2,keda.cooldownSeconds=10,keda.requestsPerConsumer=20"
    " --set resources.requests.cpu=250m"
)


@pytest.mark.usefixtures("autoscaling")
def test_consumers_come_and_go_with_the_images_that_wait_and_web_servers_come_with_load(
    namespace: Namespace, tell: Callable[[str], None]
) -> None:
    consumer = f"my-consumer ./charts/consumer-chart {SHARED} {KEDA}"
    install(namespace, "rabbitmq")
    namespace.shell(f"helm install my-web-server ./charts/web-server-chart {SHARED} {HPA}")
    namespace.shell(f"helm install {consumer} --set keda.maxReplicas={MOST}")
    until_ready(namespace, "rabbitmq", "web-server")
    until_replicas(namespace, "consumer", lambda count: count == 0)
    until_gone(namespace, "consumer")
    server = namespace.web_server()
    with closing(server.http), Consumers(namespace) as consumers:
        with Clients(server, IMAGES, content=slow_picture(SIDE)) as clients:
            consumers.until_analysed(MOST, EACH)
        namespace.shell(f"helm upgrade {consumer} --set keda.maxReplicas=1")
        until_replicas(namespace, "consumer", lambda count: count == 1)
        left = IMAGES - consumers.ids("analysed").total()
        verdict = judge(clients, server, claim=namespace)
        with load(server):
            until_replicas(namespace, "web-server", lambda count: count > 1)
        until_replicas(namespace, "consumer", lambda count: count == 0)
        until_gone(namespace, "consumer")
    until_waiting(namespace, [])
    assert (verdict.uploads, verdict.failed, verdict.lost) == (IMAGES, 0, 0), verdict.why
    assert left > 0, "everything was analysed before a consumer went"
    assert {consumers.ids("analysed")[i] for i in clients.accepted} == {1}
    # Not the image of the load: its senders ask for it at the same time, each once.
    assert not begun_again(consumers).keys() & clients.accepted.keys()
    assert any(consumers.finished_after_stop().values()), "no consumer finished what it was analysing"
    tell(f"autoscaling: no consumer, {MOST}, one with {left} images left, none; {verdict}; more web servers under load")


def until_replicas(namespace: Namespace, part: str, enough: Callable[[int], bool]) -> None:
    """Wait until the number of pods that a part should have is set so."""
    for _ in within(START, 0.5):
        if enough(namespace.get("deployment", part)["spec"]["replicas"]):
            return
    looks = ("scaledobjects,horizontalpodautoscalers", "--output=yaml")
    raise AssertionError(namespace.kubectl("get", *looks) + namespace.state())


@contextmanager
def load(server: Server) -> Generator[None]:
    """Uploads as fast as they go, all of one image with one key, so that no more than one comes of them."""
    over = Event()

    def send() -> None:
        while not over.is_set():
            answer = server.send(picture(), **{"Idempotency-Key": "load"})
            assert answer.status_code == 202, answer.text

    with ThreadPoolExecutor(AT_ONCE) as threads:
        senders = [threads.submit(send) for _ in range(AT_ONCE)]
        try:
            yield
        finally:
            over.set()
    for sender in senders:
        sender.result()
