"""Who reaches whom on Amazon EKS, as the policies say it. No network that enforces them is asked.

Kubernetes lets the node of a pod in always, and nobody between a pod and itself: so neither probes nor
`kubectl port-forward` need a rule.
"""

from collections.abc import Iterable

import pytest

from tests.charts.eks import on_eks
from tests.charts.policies import NAMESPACE, End, Flow, passes
from tests.charts.rendering import PARTS, RELEASE, Document, Values, pods, rendered

NAME, INSTANCE = "app.kubernetes.io/name", "app.kubernetes.io/instance"


def pod(name: str) -> End:
    """A pod of Rayhound; as on EKS, its address is one of the cluster's network."""
    return End("10.0.5.5", NAMESPACE, {NAME: name, INSTANCE: RELEASE})


WEB, CONSUMER, BROKER = pod("web-server"), pod("consumer"), pod("rabbitmq")
WEB_TEST, CONSUMER_TEST, BROKER_TEST = pod("web-server-test"), pod("consumer-test"), pod("rabbitmq-test")
KEDA, PROMETHEUS = End("10.0.6.1", "keda", {"app": "keda-operator"}), End("10.0.6.2", "monitoring")
NEIGHBOUR, STRANGER = End("10.0.6.3", NAMESPACE, {NAME: "else"}), End("10.0.6.4", "elsewhere", {NAME: "consumer"})
LOAD_BALANCER, RESOLVER, AMAZON_MQ = End("10.0.0.9"), End("10.0.0.2"), End("10.0.1.7")
STORE, INTERNET = End("52.219.0.1"), End("203.0.113.9")
POD_IDENTITY, METADATA = End("169.254.170.23"), End("169.254.169.254")
MINIO = End("10.0.7.1", "storage", {"app": "minio"})

OURS = (WEB, CONSUMER)
HERE = (WEB, CONSUMER, BROKER)
TESTS = (WEB_TEST, CONSUMER_TEST, BROKER_TEST)

WITH_EITHER_BROKER: list[tuple[Flow, bool]] = [
    (Flow(LOAD_BALANCER, WEB, 5000), True),
    (Flow(WEB_TEST, WEB, 5000), True),
    (Flow(STRANGER, WEB, 5000), True),
    (Flow(PROMETHEUS, WEB, 5000), True),
    (Flow(INTERNET, WEB, 5000), False),
    (Flow(CONSUMER, WEB, 5000), False),
    (Flow(CONSUMER_TEST, CONSUMER, 9464), True),
    (Flow(PROMETHEUS, CONSUMER, 9464), True),
    (Flow(LOAD_BALANCER, CONSUMER, 9464), False),
    (Flow(NEIGHBOUR, CONSUMER, 9464), False),
    (Flow(WEB, CONSUMER, 9464), False),
    *[(Flow(ours, RESOLVER, 53, protocol), True) for ours in OURS for protocol in ("TCP", "UDP")],
    *[(Flow(ours, STORE, 443), True) for ours in OURS],
    *[(Flow(ours, POD_IDENTITY, 80), True) for ours in OURS],
    *[(Flow(ours, METADATA, 80), False) for ours in OURS],
    *[(Flow(ours, INTERNET, port), False) for ours in OURS for port in (80, 5671, 5672)],
    *[(Flow(ours, MINIO, 9000), False) for ours in OURS],
]
WITH_THE_BROKER_OF_THE_CHART: list[tuple[Flow, bool]] = [
    *[(Flow(asking, BROKER, 5672), True) for asking in (WEB, CONSUMER, CONSUMER_TEST)],
    *[(Flow(asking, BROKER, 5672), False) for asking in (KEDA, PROMETHEUS, NEIGHBOUR, STRANGER, LOAD_BALANCER)],
    *[(Flow(asking, BROKER, 15672), True) for asking in (KEDA, BROKER_TEST)],
    *[(Flow(asking, BROKER, 15672), False) for asking in (WEB, CONSUMER, PROMETHEUS, NEIGHBOUR, STRANGER)],
    (Flow(PROMETHEUS, BROKER, 15692), True),
    *[(Flow(asking, BROKER, 15692), False) for asking in (KEDA, NEIGHBOUR, STRANGER)],
    *[(Flow(asking, BROKER, 25672), False) for asking in (WEB, KEDA, NEIGHBOUR, STRANGER)],
    *[(Flow(BROKER, asked, port), False) for asked, port in ((INTERNET, 443), (RESOLVER, 53), (WEB, 5000))],
    *[(Flow(ours, AMAZON_MQ, 5671), False) for ours in OURS],
]
WITH_AMAZON_MQ: list[tuple[Flow, bool]] = [
    *[(Flow(ours, AMAZON_MQ, 5671), True) for ours in OURS],
    *[(Flow(ours, AMAZON_MQ, 5672), False) for ours in OURS],
]


def policies(documents: Iterable[Document]) -> list[Document]:
    """The policies among what is rendered."""
    return [document for document in documents if document.kind == "NetworkPolicy"]


def wrong(policies: list[Document], flows: Iterable[tuple[Flow, bool]]) -> list[tuple[Flow, bool]]:
    """The flows that are not as the table has them."""
    return [(flow, expected) for flow, expected in flows if passes(policies, flow) is not expected]


def test_the_pods_of_the_table_bear_the_labels_of_those_that_the_charts_make() -> None:
    made = sorted((pod.labels[NAME], pod.labels[INSTANCE]) for pod in pods(on_eks()))
    assert made == sorted((end.labels[NAME], end.labels[INSTANCE]) for end in (*HERE, *TESTS))


@pytest.mark.parametrize("shape", ["eks", "eks-ingress"])
def test_with_the_broker_of_the_chart_each_reaches_whom_it_must_and_nobody_else(shape: str) -> None:
    found = policies(on_eks(shape))
    assert len(found) == 3
    assert not wrong(found, [*WITH_EITHER_BROKER, *WITH_THE_BROKER_OF_THE_CHART])


def test_with_amazon_mq_each_reaches_whom_it_must_and_nobody_else() -> None:
    found = policies(on_eks("eks-amazon-mq"))
    assert len(found) == 2
    assert not wrong(found, [*WITH_EITHER_BROKER, *WITH_AMAZON_MQ])


@pytest.mark.parametrize(
    ("endpoint", "port"),
    [("http://minio.storage:9000", 9000), ("https://minio.storage:9000/", 9000), ("http://minio.storage", 80)],
)
def test_a_store_of_ones_own_is_reached_at_the_port_of_its_address(endpoint: str, port: int) -> None:
    archive = {"archive": {"endpoint": endpoint}}
    found = policies(on_eks(more={"web-server": archive, "consumer": archive}))
    assert not wrong(found, [(Flow(ours, MINIO, port), True) for ours in OURS])
    assert not wrong(found, [(Flow(ours, MINIO, 9001), False) for ours in OURS])


def test_the_namespaces_of_prometheus_and_keda_are_those_that_the_operator_names() -> None:
    policy = {"networkPolicy": {"metricsNamespace": "elsewhere", "kedaNamespace": "another"}}
    part = {"networkPolicy": {"metricsNamespace": "elsewhere"}}
    found = policies(on_eks(more={"rabbitmq": policy, "web-server": part, "consumer": part}))
    asked = [(BROKER, 15692), (CONSUMER, 9464), (WEB, 5000)]
    assert not wrong(found, [(Flow(STRANGER, end, port), True) for end, port in asked])
    assert not wrong(found, [(Flow(PROMETHEUS, end, port), False) for end, port in asked if end is not WEB])
    assert not wrong(found, [(Flow(KEDA, BROKER, 15672), False), (Flow(BROKER_TEST, BROKER, 15672), True)])


@pytest.mark.parametrize("nobody", [{}, {"metricsNamespace": ""}])
def test_a_policy_lets_in_the_tests_of_its_chart_whatever_else_it_lets_in(nobody: Values) -> None:
    found = [p for chart in PARTS for p in policies(rendered(chart, {"networkPolicy": {"enabled": True, **nobody}}))]
    tests = [(WEB_TEST, WEB, 5000), (CONSUMER_TEST, CONSUMER, 9464), (BROKER_TEST, BROKER, 15672)]
    assert not wrong(found, [(Flow(*test), True) for test in tests])
    assert not wrong(found, [(Flow(NEIGHBOUR, WEB, 5000), True), (Flow(STRANGER, WEB, 5000), False)])


def test_what_goes_out_is_not_limited_unless_the_operator_says_so() -> None:
    found = [p for chart in PARTS for p in policies(rendered(chart, {"networkPolicy": {"enabled": True}}))]
    assert not wrong(found, [(Flow(pod, INTERNET, 80), True) for pod in HERE])
