"""`values-eks.yaml`: several nodes, and nothing on one of them that matters."""

import re

import pytest

from tests.charts.eks import FILE, every_shape, on_eks, values
from tests.charts.rendering import (
    CHARTS,
    HELMS,
    NAMES,
    OURS,
    Document,
    Pod,
    environment,
    one,
    pods,
    refusal,
    rendered,
    run,
    tried,
)
from tests.charts.test_notes import notes
from tests.charts.test_values import MOST_LINES

NAME = "app.kubernetes.io/name"
ALB = "alb.ingress.kubernetes.io"
# The defaults of https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/ingress/annotations/
LONGEST_HEALTH_CHECKS_SECONDS = 2 * 15
# The default of https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html
IDLE_SECONDS_OF_A_LOAD_BALANCER = 60


def staying(documents: list[Document], name: str) -> Pod:
    """The pod of a part."""
    (only,) = [pod for pod in pods(documents) if pod.labels[NAME] == name]
    return only


@pytest.mark.parametrize("program", HELMS)
@every_shape
def test_helm_finds_nothing_to_say(shape: str, program: str) -> None:
    generated = CHARTS / "rayhound" / "ci" / f"{shape}-values.yaml"
    done = run(program, "lint", "--strict", str(CHARTS / "rayhound"), f"--values={FILE}", f"--values={generated}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[WARNING]" not in done.stdout, done.stdout


@every_shape
def test_both_helms_render_the_same(shape: str) -> None:
    old, new = (on_eks(shape, program=program) for program in HELMS)
    assert [(d.file, d.body) for d in old] == [(d.file, d.body) for d in new]


@every_shape
def test_each_part_takes_its_own_values_by_itself(shape: str) -> None:
    whole = {(d.kind, d.name): d.spec for d in on_eks(shape) if d.kind == "Deployment"}
    for chart in OURS:
        deployment = one(rendered(chart, values(shape)[NAMES[chart]]), "Deployment")
        assert deployment.spec == whole["Deployment", deployment.name]


def test_the_file_names_nothing_that_is_one_accounts_alone() -> None:
    text = FILE.read_text()
    assert not re.findall(r"\b\d{12}\b|arn:|s3://|amazonaws\.com/rayhound|on\.aws", text)
    assert len(text.splitlines()) <= MOST_LINES


def test_without_what_terraform_writes_it_is_refused() -> None:
    given = values()
    for part in ("web-server", "consumer"):
        del given[part]["archive"]
    assert "pdb.enabled is set, but the claim keeps all pods on one node" in refusal("rayhound", given)


@every_shape
def test_each_part_has_one_in_each_zone_where_it_can_and_they_leave_one_by_one(shape: str) -> None:
    documents = on_eks(shape)
    for name, least in (
        ("web-server", one(documents, "HorizontalPodAutoscaler").spec["minReplicas"]),
        ("consumer", one(documents, "ScaledObject").spec["minReplicaCount"]),
    ):
        assert least == 3
        assert "replicas" not in one(documents, "Deployment", name).spec
        budget = one(documents, "PodDisruptionBudget", name).spec
        assert budget["maxUnavailable"] < least
        (spread,) = staying(documents, name).spec["topologySpreadConstraints"]
        assert (spread["topologyKey"], spread["whenUnsatisfiable"]) == ("topology.kubernetes.io/zone", "ScheduleAnyway")
        counted = spread["labelSelector"]["matchLabels"].items()
        assert {p.labels[NAME] for p in pods(documents) if counted <= p.labels.items()} == {name}


@every_shape
def test_the_archive_is_the_bucket_and_only_the_broker_has_a_disk(shape: str) -> None:
    documents = on_eks(shape)
    claims = [document for document in documents if document.kind == "PersistentVolumeClaim"]
    assert [claim.name for claim in claims] == ["rabbitmq-pvc"] * (shape != "eks-amazon-mq")
    storage = one(rendered("cluster-addons"), "StorageClass")
    assert {claim.spec["storageClassName"] for claim in claims} <= {storage.name}
    for name in ("web-server", "consumer"):
        pod = staying(documents, name)
        assert "persistentVolumeClaim" not in str(pod.spec)
        said = environment(pod)
        assert (said["RAYHOUND_ARCHIVE"], said["AWS_REGION"]) == ("s3://rayhound-images/images", "eu-central-1")
        # Keys come with the pod's identity, of which the service account's name is one half.
        assert not {"AWS_ACCESS_KEY_ID", "AWS_ENDPOINT_URL"} & set(said)
        assert "envFrom" not in pod.container
        assert pod.spec["serviceAccountName"] == name


@every_shape
def test_a_web_server_lasts_until_a_load_balancer_has_let_go_of_it(shape: str) -> None:
    said = environment(staying(on_eks(shape), "web-server"))
    assert int(said["RAYHOUND_DRAIN_SECONDS"]) == 40 > LONGEST_HEALTH_CHECKS_SECONDS
    attributes = one(rendered("cluster-addons"), "IngressClassParams").spec["loadBalancerAttributes"]
    idle = {attribute["key"]: int(attribute["value"]) for attribute in attributes if "timeout" in attribute["key"]}
    assert idle == {"idle_timeout.timeout_seconds": IDLE_SECONDS_OF_A_LOAD_BALANCER}
    assert int(said["RAYHOUND_KEEP_ALIVE_SECONDS"]) == 75 > IDLE_SECONDS_OF_A_LOAD_BALANCER


@every_shape
def test_nothing_is_reached_from_outside_but_by_an_ingress(shape: str) -> None:
    documents = on_eks(shape)
    assert {d.spec.get("type", "ClusterIP") for d in documents if d.kind == "Service"} == {"ClusterIP"}
    ingresses = [document for document in documents if document.kind == "Ingress"]
    certified = [i for i in ingresses if i.body["metadata"]["annotations"].get(f"{ALB}/certificate-arn")]
    assert len(ingresses) == len(certified) == (shape == "eks-ingress")


def test_an_ingress_has_the_certificate_and_the_networks_that_terraform_names() -> None:
    documents = on_eks("eks-ingress")
    ingress = one(documents, "Ingress")
    annotations = tried("rayhound", "eks-ingress")["web-server"]["ingress"]["annotations"]
    assert ingress.body["metadata"]["annotations"] == annotations | {
        f"{ALB}/target-type": "ip",
        f"{ALB}/healthcheck-path": staying(documents, "web-server").container["readinessProbe"]["httpGet"]["path"],
    }
    assert ingress.spec["ingressClassName"] == one(rendered("cluster-addons"), "IngressClass").name
    assert "tls" not in ingress.spec


def test_a_load_balancer_is_internal_unless_terraform_says_otherwise() -> None:
    annotations = values()["web-server"]["ingress"]["annotations"]
    assert annotations[f"{ALB}/scheme"] == "internal"
    assert not values()["web-server"]["ingress"].get("enabled")


def test_the_broker_of_the_chart_is_not_moved_to_save_money() -> None:
    documents = on_eks()
    moved = {pod.labels[NAME]: pod.annotations.get("karpenter.sh/do-not-disrupt") for pod in pods(documents)}
    assert {name for name, said in moved.items() if said == "true"} == {"rabbitmq"}


def test_amazon_mq_is_spoken_to_over_tls_and_asked_once_a_minute() -> None:
    documents = on_eks("eks-amazon-mq")
    assert not [document.name for document in documents if document.name.startswith("rabbitmq")]
    for name in ("web-server", "consumer"):
        assert environment(staying(documents, name))["RAYHOUND_QUEUE"] == "amqps://b-1234.mq.eu-central-1.on.aws:5671/"
    scaling = one(documents, "ScaledObject").spec
    (trigger,) = scaling["triggers"]
    assert trigger["metadata"]["host"] == "https://b-1234.mq.eu-central-1.on.aws:443"
    assert scaling["pollingInterval"] >= 60
    assert trigger["useCachedMetrics"]
    (username, password) = one(documents, "TriggerAuthentication").spec["secretTargetRef"]
    assert username["name"] == password["name"] == "rabbitmq-auth"


@every_shape
def test_notes_name_what_there_is(shape: str) -> None:
    said = notes("rayhound", values(shape))
    assert "kubectl port-forward --namespace images svc/web-server 5000:5000" in said
    assert "minikube" not in said
    assert ("https://images.example.com/upload" in said) == (shape == "eks-ingress")
