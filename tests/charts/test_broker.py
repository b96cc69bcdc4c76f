"""The broker: a node that keeps its name, its messages and its memory's bounds, in the official image."""

import pytest

from tests.charts.rendering import Values, one, rendered, tried, variants, workload

LEFT_TO_THE_REST = 2 * 2**30


def configuration(values: Values | None = None) -> dict[str, str]:
    """The broker's settings, as it reads them."""
    lines = one(rendered("rabbitmq-chart", values), "ConfigMap").body["data"]["10-rayhound.conf"].splitlines()
    pairs = [line.split(" = ") for line in lines if line and not line.startswith("#")]
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def checksum(values: Values) -> str:
    """What changes with the settings, and so makes a new pod."""
    return workload(rendered("rabbitmq-chart", values)).annotations["checksum/config"]


@pytest.mark.parametrize(
    ("limit", "bytes_of_it"),
    [
        ("512Mi", 512 * 2**20),
        ("1Gi", 2**30),
        ("1.5Gi", 1_610_612_736),
        ("1G", 10**9),
        ("700M", 700 * 10**6),
        (2**30, 2**30),
        ("64Gi", 64 * 2**30),
    ],
)
def test_the_watermark_comes_from_the_memory_limit(limit: str | int, bytes_of_it: int) -> None:
    said = configuration({"resources": {"limits": {"memory": limit}}})
    usable = bytes_of_it - min(bytes_of_it // 5, LEFT_TO_THE_REST)
    assert said["total_memory_available_override_value"] == str(usable)


@pytest.mark.parametrize(
    "values", [tried("rabbitmq-chart", "unlimited"), {"resources": {"limits": None}}], ids=["no memory", "no limits"]
)
def test_without_a_memory_limit_the_broker_goes_by_the_node(values: Values) -> None:
    assert "total_memory_available_override_value" not in configuration(values)


def test_queues_are_on_disk_and_small_enough_for_the_claim() -> None:
    said = configuration()
    assert said["default_queue_type"] == "quorum"
    assert int(said["quorum_queue.wal_max_size_bytes"]) == 64 * 2**20
    assert said["disk_free_limit.absolute"] == "200MB"


def test_nobody_is_let_in_but_the_user_of_the_secret() -> None:
    said = configuration()
    assert said["loopback_users.guest"] == "true"
    assert {said[key] for key in said if key.startswith("auth_mechanisms")} == {"PLAIN", "AMQPLAIN"}


def test_the_log_goes_where_kubectl_finds_it() -> None:
    said = configuration()
    assert (said["log.console"], said["log.file"]) == ("true", "false")


def test_more_configuration_comes_last_and_makes_a_new_pod() -> None:
    more = {"extraConfiguration": "channel_max = 128\nheartbeat = 30\n"}
    assert list(configuration(more).items())[-2:] == [("channel_max", "128"), ("heartbeat", "30")]
    assert checksum(more) != checksum({})
    assert checksum({"podLabels": {"a": "b"}}) == checksum({})


@variants("rabbitmq-chart")
def test_the_node_keeps_its_name_and_its_cookie_stays_off_the_volume(chart: str, values: Values) -> None:
    pod = workload(rendered(chart, values))
    said = {variable["name"]: variable.get("value") for variable in pod.container["env"]}
    assert said["RABBITMQ_NODENAME"] == "rabbit@localhost"
    (home,) = [mount["name"] for mount in pod.container["volumeMounts"] if mount["mountPath"] == said["HOME"]]
    assert {"name": home, "emptyDir": {}} in pod.spec["volumes"]


@variants("rabbitmq-chart")
def test_the_image_starts_as_its_makers_meant_and_nobody_kills_a_busy_broker(chart: str, values: Values) -> None:
    container = workload(rendered(chart, values)).container
    assert not {"command", "args", "lifecycle", "livenessProbe", "startupProbe"} & set(container)
    assert container["readinessProbe"]["tcpSocket"] == {"port": "amqp"}


@variants("rabbitmq-chart")
def test_there_is_never_a_second_node(chart: str, values: Values) -> None:
    spec = one(rendered(chart, values), "StatefulSet").spec
    assert (spec["replicas"], spec["podManagementPolicy"]) == (1, "Parallel")
    assert "volumeClaimTemplates" not in spec


def test_a_password_is_made_of_many_random_characters_unless_it_is_given() -> None:
    made = one(rendered("rabbitmq-chart", release="first"), "Secret").body["data"]
    again = one(rendered("rabbitmq-chart", release="second"), "Secret").body["data"]
    assert made["username"] == again["username"] == "cmF5aG91bmQ="
    assert made["password"] != again["password"]
    assert len(made["password"]) == 44
    given = one(rendered("rabbitmq-chart", {"auth": {"username": "me", "password": "geheim"}}), "Secret").body["data"]
    assert given == {"username": "bWU=", "password": "Z2VoZWlt"}
