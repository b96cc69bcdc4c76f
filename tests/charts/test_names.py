"""What people type stands fast: files, names, ports, claims and where they are mounted."""

import json

import pytest

from tests.charts.rendering import (
    CHARTS,
    NAMES,
    OURS,
    PARTS,
    Document,
    Values,
    defaults,
    leaves,
    merged,
    nested,
    one,
    rendered,
    tried,
    variants,
    workload,
)

CALLED = {
    "className",
    "existingClaim",
    "existingSecret",
    "host",
    "kedaNamespace",
    "metricsNamespace",
    "name",
    "priorityClassName",
    "region",
    "storageClass",
    "tag",
    "vhost",
}
REQUIRED = {
    "rabbitmq-chart": (
        "queue-service.yaml",
        {("PersistentVolumeClaim", "rabbitmq-pvc"), ("Service", "rabbitmq"), ("StatefulSet", "rabbitmq")},
    ),
    "web-server-chart": (
        "web-server.yaml",
        {("PersistentVolumeClaim", "web-server-pvc"), ("Service", "web-server"), ("Deployment", "web-server")},
    ),
    "consumer-chart": ("consumer.yaml", {("Deployment", "consumer")}),
}


def claimed(document: Document) -> tuple[str, str, list[str]]:
    """A claim's name, size and access modes."""
    spec = document.spec
    return document.name, spec["resources"]["requests"]["storage"], spec["accessModes"]


def mounted(documents: list[Document], volume: str) -> tuple[str, str, bool]:
    """The claim of a pod's volume, where it is mounted, and whether it can be written to."""
    pod = workload(documents)
    (claim,) = [v["persistentVolumeClaim"] for v in pod.spec["volumes"] if v["name"] == volume]
    (mount,) = [m for m in pod.container["volumeMounts"] if m["name"] == volume]
    return claim["claimName"], mount["mountPath"], not (claim.get("readOnly") or mount.get("readOnly"))


def ports(service: Document) -> dict[str, int]:
    """The ports of a Service by their names."""
    return {port["name"]: port["port"] for port in service.spec["ports"]}


@pytest.mark.parametrize("chart", PARTS)
def test_what_a_chart_must_hold_stands_in_one_file_and_nothing_else_does(chart: str) -> None:
    file, required = REQUIRED[chart]
    assert {(d.kind, d.name) for d in rendered(chart) if d.file == file} == required


@variants(*PARTS)
def test_everything_optional_has_a_file_of_its_own(chart: str, values: Values) -> None:
    file, required = REQUIRED[chart]
    by_file: dict[str, set[str]] = {}
    for document in rendered(chart, values):
        by_file.setdefault(document.file, set()).add(document.kind)
        if document.file == file:
            assert (document.kind, document.name) in required
    assert all(len(kinds) == 1 for other, kinds in by_file.items() if other not in (file, "keda.yaml"))


def test_the_broker_has_its_service_and_its_claim() -> None:
    documents = rendered("rabbitmq-chart")
    assert ports(one(documents, "Service")) == {"amqp": 5672, "management": 15672, "prometheus": 15692}
    assert claimed(one(documents, "PersistentVolumeClaim")) == ("rabbitmq-pvc", "1Gi", ["ReadWriteOnce"])
    assert mounted(documents, "data") == ("rabbitmq-pvc", "/var/lib/rabbitmq", True)
    assert one(documents, "StatefulSet").spec["replicas"] == 1
    secret = one(documents, "Secret")
    assert (secret.name, set(secret.body["data"])) == ("rabbitmq-auth", {"username", "password"})


def test_the_web_server_has_its_service_and_its_claim() -> None:
    documents = rendered("web-server-chart")
    service = one(documents, "Service")
    assert (service.spec["type"], ports(service)) == ("NodePort", {"http": 5000})
    assert "nodePort" not in service.spec["ports"][0]
    assert claimed(one(documents, "PersistentVolumeClaim")) == ("web-server-pvc", "1Gi", ["ReadWriteOnce"])
    assert mounted(documents, "images") == ("web-server-pvc", "/data/images", True)


def test_the_consumer_writes_to_the_claim_of_the_web_server_and_makes_none() -> None:
    documents = rendered("consumer-chart")
    assert mounted(documents, "images") == ("web-server-pvc", "/data/images", True)
    assert not [d for d in documents if d.kind == "PersistentVolumeClaim"]


@pytest.mark.parametrize("chart", PARTS)
def test_a_service_leads_to_ports_that_a_container_has(chart: str) -> None:
    documents = rendered(chart)
    listened = {port["name"]: port["containerPort"] for port in workload(documents).container["ports"]}
    for port in one(documents, "Service").spec["ports"]:
        assert listened[port["targetPort"]] == port["port"]


@pytest.mark.parametrize(("chart", "kinds"), [("rabbitmq-chart", 2), ("web-server-chart", 1)])
def test_what_outlives_an_uninstallation_says_so(chart: str, kinds: int) -> None:
    kept = [d for d in rendered(chart) if d.kind in ("PersistentVolumeClaim", "Secret")]
    assert len(kept) == kinds
    assert all(d.body["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"} for d in kept)


@pytest.mark.parametrize(
    ("chart", "values"),
    [("rabbitmq-chart", {"persistence": {"existingClaim": "disk"}}), ("web-server-chart", tried(OURS[0], "shared"))],
)
def test_a_claim_of_somebody_else_is_used_and_none_is_made(chart: str, values: Values) -> None:
    documents = rendered(chart, values)
    assert not [d for d in documents if d.kind == "PersistentVolumeClaim"]
    volume = "data" if chart == "rabbitmq-chart" else "images"
    assert mounted(documents, volume)[0] in ("disk", "images")


def test_a_secret_of_somebody_else_is_used_and_none_is_made() -> None:
    documents = rendered("rabbitmq-chart", {"auth": {"existingSecret": "login"}})
    assert not [d for d in documents if d.kind == "Secret"]
    sources = [v["valueFrom"]["secretKeyRef"] for v in workload(documents).container["env"] if "valueFrom" in v]
    assert sources == [{"name": "login", "key": "username"}, {"name": "login", "key": "password"}]


@pytest.mark.parametrize("chart", OURS)
@pytest.mark.parametrize("whole", [False, True], ids=["alone", "umbrella"])
def test_with_a_bucket_nothing_is_claimed_and_nothing_mounted(chart: str, whole: bool) -> None:
    values = tried("rayhound" if whole else chart, "bucket")
    documents = [d for d in rendered("rayhound" if whole else chart, values) if not d.name.startswith("rabbitmq")]
    assert not [d for d in documents if d.kind == "PersistentVolumeClaim"]
    for document in documents:
        text = str(document.body)
        assert "persistentVolumeClaim" not in text, document.name
        assert "/data/images" not in text, document.name
        assert "rayhound.io/claim" not in text, document.name


def test_no_name_comes_from_the_release() -> None:
    for chart in PARTS:
        here, there = ({(d.kind, d.name) for d in rendered(chart, release=name)} for name in ("one", "other"))
        assert here == there


@pytest.mark.parametrize("name", ["7777", "true", "null"])
@variants(*PARTS)
def test_a_name_that_looks_like_something_else_stays_a_name(chart: str, values: Values, name: str) -> None:
    def called(word: str) -> str:
        given = dict(values)
        for path in leaves(defaults(chart)):
            if path[-1] in CALLED:
                given = merged(given, nested(path, word))
        return json.dumps([document.body for document in rendered(chart, given, release=word)])

    assert called(name) == called("plainword").replace("plainword", name)


def test_charts_lie_where_people_type_them() -> None:
    assert {entry.name for entry in CHARTS.iterdir()} == {*NAMES, "rayhound", "cluster-addons", "values-eks.yaml"}
