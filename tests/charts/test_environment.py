"""What the charts tell the program is what the program reads."""

from pathlib import Path
from typing import Any

import pytest

from rayhound import settings
from rayhound.adapters.rabbitmq import Address
from rayhound.settings import Settings
from rayhound.wiring import queue
from tests.charts.rendering import OURS, PARTS, Pod, Values, environment, pods, rendered, variants, workload

SECRETS = {
    "rabbitmq-auth": {"username": "rayhound", "password": "p/ss:w@rd"},
    "login": {"username": "somebody", "password": "else"},
}


def read(pod: Pod) -> Settings:
    """The settings of a pod's program."""
    return settings.read(environment(pod, SECRETS))


def broker(**values: Any) -> list[Address]:
    """Where web server, consumer and the consumer's test find the broker."""
    asking = [pod for chart in OURS for pod in pods(rendered(chart, {"rabbitmq": values})) if "env" in pod.container]
    assert len(asking) == 3
    return [queue.address(read(pod)) for pod in asking]


@variants(*OURS)
def test_every_variable_of_ours_is_a_setting(chart: str, values: Values) -> None:
    known = {settings.PREFIX + name.upper() for name in Settings.__dataclass_fields__}
    for pod in pods(rendered(chart, values)):
        assert {name for name in environment(pod) if name.startswith("RAYHOUND_")} <= known


@variants(*OURS)
def test_no_password_stands_in_a_pod(chart: str, values: Values) -> None:
    for pod in pods(rendered(chart, values)):
        variables = pod.container.get("env", [])
        assert not [v["name"] for v in variables if "PASSWORD" in v["name"] and "value" in v]
        assert not [v["name"] for v in variables if "@" in v.get("value", "")]


def test_without_a_word_the_broker_is_the_one_of_the_chart() -> None:
    for address in broker():
        assert (address.host, address.port, address.secure, address.virtual_host) == ("rabbitmq", 5672, False, "/")
        assert (address.login, address.secret) == ("rayhound", "p/ss:w@rd")


@pytest.mark.parametrize(
    ("values", "port"), [({}, 5672), ({"tls": True}, 5671), ({"port": 5673}, 5673), ({"tls": True, "port": 443}, 443)]
)
def test_the_port_follows_from_tls_unless_it_is_given(values: Values, port: int) -> None:
    for address in broker(host="broker.example.com", existingSecret="login", **values):
        assert (address.host, address.port, address.secure) == ("broker.example.com", port, values.get("tls", False))
        assert (address.login, address.secret) == ("somebody", "else")


@pytest.mark.parametrize("vhost", ["/", "images", "imaging/dogs", "dogs & cats", "a+b", "100%", "größe", "?#"])
def test_a_virtual_host_of_any_name_is_found(vhost: str) -> None:
    assert {address.virtual_host for address in broker(vhost=vhost)} == {vhost}


def test_the_archive_is_the_claim_or_the_bucket() -> None:
    for chart in OURS:
        assert read(workload(rendered(chart))).archive == Path("/data/images")
        url = "s3://images/ray hound"
        pod = workload(rendered(chart, {"archive": {"url": url, "endpoint": "http://minio:9000"}}))
        assert read(pod).archive == url
        assert environment(pod)["AWS_ENDPOINT_URL"] == "http://minio:9000"
        assert "AWS_REGION" not in environment(pod)
        pod = workload(rendered(chart, {"archive": {"url": url, "region": "eu-central-1"}}))
        assert environment(pod)["AWS_REGION"] == "eu-central-1"


@pytest.mark.parametrize("chart", OURS)
def test_the_keys_of_a_bucket_come_from_its_secret_before_what_the_operator_adds(chart: str) -> None:
    archive = {"url": "s3://images", "existingSecret": "keys"}
    more = [{"configMapRef": {"name": "more"}}]
    pod = workload(rendered(chart, {"archive": archive, "extraEnvFrom": more}))
    assert pod.container["envFrom"] == [{"secretRef": {"name": "keys"}}, *more]
    assert "envFrom" not in workload(rendered(chart)).container


@pytest.mark.parametrize("chart", OURS)
def test_how_lines_of_the_log_look_is_told(chart: str) -> None:
    assert read(workload(rendered(chart))).log_format == "text"
    assert read(workload(rendered(chart, {"logFormat": "json"}))).log_format == "json"


@pytest.mark.parametrize("chart", OURS)
def test_the_program_knows_which_secret_to_name_when_the_broker_refuses_it(chart: str) -> None:
    assert read(workload(rendered(chart, {"rabbitmq": {"existingSecret": "login"}}))).queue_secret == "login"


def test_the_web_server_drains_and_keeps_connections_as_long_as_it_is_told() -> None:
    said = read(workload(rendered("web-server-chart", {"drainSeconds": 30, "keepAliveSeconds": 120})))
    assert (said.drain_seconds, said.keep_alive_seconds) == (30, 120)


def test_the_consumer_has_as_many_analysers_as_it_asks_cores_for() -> None:
    said = read(workload(rendered("consumer-chart", {"resources": {"requests": {"cpu": "1500m"}}})))
    assert (said.analysers, said.analysis_memory) == (2, 2**30)


@pytest.mark.parametrize("chart", OURS)
def test_any_other_setting_can_be_given_and_counts_more(chart: str) -> None:
    more = [{"name": "RAYHOUND_LOG_FORMAT", "value": "json"}, {"name": "RAYHOUND_QUEUE_CA", "value": "/etc/authority"}]
    said = read(workload(rendered(chart, {"rabbitmq": {"tls": True}, "extraEnv": more})))
    assert (said.log_format, said.queue_ca) == ("json", Path("/etc/authority"))


@pytest.mark.parametrize("chart", PARTS)
def test_no_variable_is_named_twice_which_server_side_apply_would_refuse(chart: str) -> None:
    for name in ("RAYHOUND_ANALYSERS", "RAYHOUND_LOG_FORMAT", "RABBITMQ_NODENAME"):
        for pod in pods(rendered(chart, {"extraEnv": [{"name": name, "value": "5"}]})):
            named = [variable["name"] for variable in pod.container.get("env", [])]
            assert len(named) == len(set(named)), pod.labels
