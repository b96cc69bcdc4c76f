"""KEDA counts what waits and what is in hand, over HTTP, in the queue that the consumers read."""

from typing import Any

import pytest

from rayhound.adapters.rabbitmq.queues import Queues
from tests.charts.rendering import one, rendered, tried


def trigger(**rabbitmq: Any) -> Any:
    """What the one trigger is told."""
    documents = rendered("consumer-chart", {"keda": {"enabled": True}, "rabbitmq": rabbitmq})
    (only,) = one(documents, "ScaledObject").spec["triggers"]
    assert only["type"] == "rabbitmq"
    return only["metadata"]


def test_the_queue_is_counted_as_a_whole_over_http() -> None:
    assert trigger() == {
        "protocol": "http",
        "host": "http://rabbitmq.images.svc:15672",
        "vhostName": "/",
        "queueName": Queues().images,
        "excludeUnacknowledged": "false",
        "mode": "QueueLength",
        "value": "50",
        "activationValue": "0",
    }


def test_the_management_api_is_where_the_broker_is_unless_it_is_elsewhere() -> None:
    assert trigger(host="queue")["host"] == "http://queue.images.svc:15672"
    assert trigger(host="queue.messaging")["host"] == "http://queue.messaging:15672"
    assert trigger(managementUrl="https://broker.example.com")["host"] == "https://broker.example.com"


def test_the_broker_is_asked_no_more_often_than_the_operator_says() -> None:
    documents = rendered("consumer-chart", {"keda": {"enabled": True, "pollingSeconds": 60}})
    spec = one(documents, "ScaledObject").spec
    assert spec["pollingInterval"] == 60
    assert [trigger["useCachedMetrics"] for trigger in spec["triggers"]] == [True]


@pytest.mark.parametrize("vhost", ["imaging/dogs", "5", "yes", "a: b", "# one"])
def test_the_virtual_host_is_passed_on_as_it_is(vhost: str) -> None:
    assert trigger(vhost=vhost)["vhostName"] == vhost


def test_keda_logs_in_with_the_consumers_secret() -> None:
    documents = rendered("consumer-chart", {"keda": {"enabled": True}, "rabbitmq": {"existingSecret": "login"}})
    authentication = one(documents, "TriggerAuthentication")
    assert authentication.spec["secretTargetRef"] == [
        {"parameter": key, "name": "login", "key": key} for key in ("username", "password")
    ]
    (only,) = one(documents, "ScaledObject").spec["triggers"]
    assert only["authenticationRef"] == {"name": authentication.name}


def test_consumers_are_none_when_there_is_nothing_to_do_and_as_many_as_the_operator_says() -> None:
    spec = one(rendered("consumer-chart", {"keda": {"enabled": True}}), "ScaledObject").spec
    assert spec["scaleTargetRef"] == {"name": "consumer"}
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (0, 8)
    spec = one(rendered("consumer-chart", tried("consumer-chart", "everything")), "ScaledObject").spec
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (1, 20)
    assert (spec["pollingInterval"], spec["cooldownPeriod"]) == (30, 300)
    assert spec["triggers"][0]["metadata"]["value"] == "10"
