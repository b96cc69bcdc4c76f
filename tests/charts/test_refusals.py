"""What would lose images or hang is refused with a sentence and a hint, and every such refusal is seen here."""

import json
import re
from functools import cache

import pytest

from tests.charts.rendering import CHARTS, HELMS, OURS, Values, refusal

Case = tuple[str, Values]

BOTH_PARTS: list[Case] = [
    (chart, values)
    for chart in OURS
    for values in (
        {"storage": {"accessModes": ["ReadWriteOncePod"]}},
        {"storage": {"accessModes": ["ReadWriteMany", "ReadWriteOncePod"]}},
        {"archive": {"endpoint": "http://minio:9000"}},
        {"pdb": {"enabled": True}},
        {"networkPolicy": {"enabled": True, "egress": True}, "rabbitmq": {"host": "broker.example.com"}},
    )
]
SCHEME, INBOUND = (f"alb.ingress.kubernetes.io/{key}" for key in ("scheme", "inbound-cidrs"))
FACING_THE_INTERNET: list[Case] = [
    ("web-server-chart", {"ingress": {"enabled": True, "hosts": ["a.example"], "annotations": annotations}})
    for annotations in ({SCHEME: "internet-facing"}, {SCHEME: "internet-facing", INBOUND: ""})
]
MEMORY: list[Case] = [
    ("rabbitmq-chart", {"resources": {"limits": {"memory": "lots"}}}),
    ("rabbitmq-chart", {"resources": {"limits": {"memory": "512MB"}}}),
    ("consumer-chart", {"analysisMemory": "1 Gi"}),
    ("consumer-chart", {"analysisMemory": "63Mi"}),
    ("consumer-chart", {"analysisMemory": None}),
    ("consumer-chart", {"resources": {"limits": {"memory": "-1Gi"}}}),
    ("consumer-chart", {"resources": {"limits": {"memory": "1535Mi"}}}),
    ("consumer-chart", {"resources": {"requests": {"memory": "1.4Gi"}}}),
    ("consumer-chart", {"resources": {"requests": {"cpu": 2}, "limits": {"memory": "2559Mi"}}}),
    ("consumer-chart", {"resources": {"requests": {"memory": "2Gi"}, "limits": {"memory": "3Gi"}}}),
]
CORES: list[Case] = [
    ("consumer-chart", {"resources": {"requests": {"cpu": None}}}),
    ("consumer-chart", {"resources": {"requests": {"cpu": "half"}}}),
    ("consumer-chart", {"resources": {"requests": {"cpu": "1.5.1"}}}),
    ("web-server-chart", {"autoscaling": {"enabled": True}, "resources": {"requests": {"cpu": None}}}),
]
MORE_THAN_THE_MOST: list[Case] = [
    ("web-server-chart", {"autoscaling": {"enabled": True, "minReplicas": 5}}),
    ("consumer-chart", {"keda": {"enabled": True, "minReplicas": 9}}),
]
INGRESS: list[Case] = [
    ("web-server-chart", {"ingress": {"enabled": True}}),
    ("web-server-chart", {"ingress": {"enabled": True, "hosts": ["a.example"]}, "networkPolicy": {"enabled": True}}),
    ("web-server-chart", {"service": {"type": "ClusterIP", "nodePort": 30500}}),
]
UMBRELLA: list[Case] = [
    ("rayhound", {"web-server": {"archive": {"url": "s3://one"}}, "consumer": {"archive": {"url": "s3://other"}}}),
    ("rayhound", {"consumer": {"archive": {"url": "s3://one"}}}),
    ("rayhound", {"web-server": {"archive": {"url": "s3://one", "endpoint": "http://one"}}}),
    ("rayhound", {"web-server": {"rabbitmq": {"host": "elsewhere"}}}),
    ("rayhound", {"consumer": {"rabbitmq": {"vhost": "elsewhere"}}}),
    ("rayhound", {"consumer": {"rabbitmq": {"port": 5673}}}),
    ("rayhound", {"consumer": {"rabbitmq": {"tls": True}}}),
    ("rayhound", {"rabbitmq": {"auth": {"existingSecret": "mine"}}}),
    ("rayhound", {"consumer": {"rabbitmq": {"existingSecret": "mine"}}}),
    ("rayhound", {"consumer": {"archive": {"region": "eu-central-1"}}}),
    ("rayhound", {"consumer": {"storage": {"accessModes": ["ReadWriteMany"]}}}),
    ("rayhound", {"consumer": {"storage": {"existingClaim": "elsewhere"}}}),
    ("rayhound", {"web-server": {"storage": {"existingClaim": "elsewhere"}}}),
    (
        "rayhound",
        {
            "rabbitmq": {"networkPolicy": {"enabled": True, "kedaNamespace": ""}},
            "consumer": {"keda": {"enabled": True}},
        },
    ),
]
CASES = [*BOTH_PARTS, *MEMORY, *CORES, *MORE_THAN_THE_MOST, *INGRESS, *FACING_THE_INTERNET, *UMBRELLA]

# They look at what is in the cluster already, so the tests of the cluster see them.
NEED_A_CLUSTER = {
    "auth.username is %q, but the broker's user was made",
    "auth.password differs from the one in the Secret rabbitmq-auth",
    "the claim rabbitmq-pvc holds a broker, but the Secret rabbitmq-auth",
}


@cache
def refusals() -> dict[str, set[str]]:
    """What the templates may refuse with, as they write it, and the charts that do."""
    found: dict[str, set[str]] = {}
    for template in [*CHARTS.glob("*/templates/**/*.yaml"), *CHARTS.glob("*/templates/*.tpl")]:
        text = template.read_text()
        calls = re.findall(r'\bfail \(?(?:printf )?("(?:[^"\\]|\\.)*")', text)
        assert len(calls) == len(re.findall(r"\bfail\b", re.sub(r"{{-? */\*.*?\*/", "", text))), template
        for call in calls:
            found.setdefault(json.loads(call), set()).add(template.relative_to(CHARTS).parts[0])
    return found


def says(refused: str, said: str) -> bool:
    """Whether Helm said this refusal, whatever it filled in."""
    parts = re.split(r"%(?:\[\d+\])?[a-z]", refused)
    return re.search(".*".join(re.escape(part) for part in parts), said) is not None


@pytest.mark.parametrize(
    ("chart", "values"), CASES, ids=lambda case: json.dumps(case) if isinstance(case, dict) else case
)
def test_a_refusal_says_what_is_wrong_and_what_to_do(chart: str, values: Values) -> None:
    for program in HELMS:
        said = refusal(chart, values, program)
        assert [refused for refused in refusals() if says(refused, said)], said
        assert "%!" not in said


def test_every_refusal_is_a_sentence_and_a_hint() -> None:
    for refused in refusals():
        sentence, _, hint = refused.partition("\nhint: ")
        assert hint, refused
        assert "\n" not in sentence
        assert not sentence.endswith((".", "!"))


def test_every_refusal_is_seen() -> None:
    said = [refusal(chart, values) for chart, values in CASES]
    unseen = {refused for refused in refusals() if not any(says(refused, text) for text in said)}
    assert len(unseen) == len(NEED_A_CLUSTER)
    assert all(any(refused.startswith(start) for refused in unseen) for start in NEED_A_CLUSTER), unseen


def test_a_refusal_names_what_was_given_and_what_would_do() -> None:
    said = refusal("consumer-chart", {"resources": {"requests": {"cpu": "1500m"}, "limits": {"memory": "1Gi"}}})
    assert "1Gi of memory is too little for a consumer" in said
    assert "2 × analysisMemory (1Gi)" in said
    assert "it needs 2560Mi" in said
    said = refusal("rayhound", {"consumer": {"rabbitmq": {"host": "elsewhere"}}})
    assert 'web-server.rabbitmq.host is "rabbitmq", and consumer.rabbitmq.host is "elsewhere"' in said
