"""A slip in the values is told before anything is installed."""

import json
import re
from typing import Any

import pytest

from tests.charts.rendering import EVERY, HELMS, PARTS, Values, defaults, leaves, merged, nested, refusal
from tests.charts.schemas import Path, objects, schema, values_of

# What Helm hands down from an umbrella, and what Kubernetes knows beside requests and limits.
BESIDE = {("global",), ("enabled",), ("resources", "claims")}


def together(paths: dict[Path, Any]) -> Values:
    """Values in which each path stands for what is given for it."""
    values: dict[str, Any] = {}
    for path, value in paths.items():
        values = merged(values, nested(path, value))
    return values


def told(said: str) -> set[str]:
    """The places of which Helm says that something is wrong there."""
    return {place for place, what in re.findall(r"at '([^']*)': (.*)", said) if what != "validation failed"}


def place(path: Path) -> str:
    """A path, as Helm writes it."""
    return "".join(f"/{key}" for key in path)


@pytest.mark.parametrize("chart", EVERY)
def test_no_object_takes_keys_that_nobody_knows(chart: str) -> None:
    assert not [path for path, node in objects(schema(chart)) if node.get("additionalProperties") is not False]


@pytest.mark.parametrize("program", HELMS)
@pytest.mark.parametrize("chart", EVERY)
def test_an_unknown_key_is_refused_at_every_level(chart: str, program: str) -> None:
    levels = {path: {"unknown": 1} for path, _ in objects(schema(chart))}
    said = refusal(chart, together(levels), program)
    refused = set(re.findall(r"at '([^']*)': additional properties 'unknown' not allowed", said))
    assert refused == {place(path) for path in levels}


@pytest.mark.parametrize("chart", PARTS)
def test_the_umbrella_refuses_what_its_parts_refuse(chart: str) -> None:
    key = {"rabbitmq-chart": "rabbitmq", "web-server-chart": "web-server", "consumer-chart": "consumer"}[chart]
    assert "additional properties 'unknown' not allowed" in refusal("rayhound", {key: {"unknown": 1}})


@pytest.mark.parametrize("program", HELMS)
@pytest.mark.parametrize("chart", EVERY)
def test_a_value_of_the_wrong_kind_is_refused_everywhere(chart: str, program: str) -> None:
    rules = values_of(schema(chart))
    wrong = {path: "text" if "object" in rule.get("type", "") else {"an": "object"} for path, rule in rules.items()}
    if chart == "rayhound":  # its parts have rules of their own
        wrong = {("global",): "text"}
    assert told(refusal(chart, together(wrong), program)) >= {place(path) for path in wrong}


@pytest.mark.parametrize("chart", PARTS)
def test_labels_annotations_and_lists_hold_nothing_but_their_kind(chart: str) -> None:
    rules = values_of(schema(chart))
    maps = {path: {"key": 5} for path, rule in rules.items() if "additionalProperties" in rule}
    lists = {path: [5] for path, rule in rules.items() if "items" in rule}
    assert len(maps) > 3
    assert len(lists) > 5
    said = told(refusal(chart, together(maps | lists)))
    assert said >= {place((*path, "key")) for path in maps} | {place((*path, "0")) for path in lists}


@pytest.mark.parametrize(
    ("chart", "values"),
    [
        ("rabbitmq-chart", {"auth": {"username": "guest"}}),
        ("rabbitmq-chart", {"auth": {"username": ""}}),
        ("rabbitmq-chart", {"persistence": {"size": "1 Gi"}}),
        ("rabbitmq-chart", {"persistence": {"accessModes": []}}),
        ("rabbitmq-chart", {"auth": {"existingSecret": "Not_A_Name"}}),
        ("rabbitmq-chart", {"image": {"digest": "sha256:short"}}),
        ("rabbitmq-chart", {"service": {"type": "ExternalName"}}),
        ("web-server-chart", {"storage": {"accessModes": ["ReadOnlyMany"]}}),
        ("web-server-chart", {"archive": {"url": "https://bucket"}}),
        ("web-server-chart", {"archive": {"url": "s3://bucket", "endpoint": "minio:9000"}}),
        ("web-server-chart", {"rabbitmq": {"port": 0}}),
        ("web-server-chart", {"rabbitmq": {"port": 65536}}),
        ("web-server-chart", {"rabbitmq": {"host": ""}}),
        ("web-server-chart", {"rabbitmq": {"vhost": ""}}),
        ("web-server-chart", {"rabbitmq": {"existingSecret": ""}}),
        ("web-server-chart", {"replicaCount": -1}),
        ("web-server-chart", {"drainSeconds": 3601}),
        ("web-server-chart", {"keepAliveSeconds": 0}),
        ("web-server-chart", {"logFormat": "xml"}),
        ("consumer-chart", {"storage": {"existingClaim": ""}}),
        ("consumer-chart", {"rabbitmq": {"managementUrl": "rabbitmq:15672"}}),
        ("consumer-chart", {"keda": {"maxReplicas": 0}}),
    ],
    ids=lambda case: json.dumps(case) if isinstance(case, dict) else case,
)
def test_a_value_that_cannot_be_right_is_refused(chart: str, values: Values) -> None:
    wrong = place(leaves(values)[-1])
    assert [said for said in told(refusal(chart, values)) if said.startswith(wrong)]


@pytest.mark.parametrize("chart", [chart for chart in EVERY if chart != "rayhound"])
def test_schema_and_values_have_the_same_keys(chart: str) -> None:
    known = set(values_of(schema(chart)))
    given = set()
    for leaf in leaves(defaults(chart)):
        given.add(next((leaf[:n] for n in range(1, len(leaf) + 1) if leaf[:n] in known), leaf))
    assert known - BESIDE == given
    assert known >= (BESIDE if chart in PARTS else {("global",)})
