"""The release for Amazon EKS, with the values that are installed there: taken, run, and its pods deleted."""

import shutil
from base64 import b64decode
from collections import Counter
from collections.abc import Callable
from contextlib import closing

import pytest

from tests.cluster import eks
from tests.cluster.buckets import bucket
from tests.cluster.clients import Clients, judge
from tests.cluster.conftest import Build, Namespaces, put_in_node
from tests.cluster.installation import START, until_answering
from tests.cluster.kubernetes import PARTS, ROOT, Namespace
from tests.journey.upping import within
from tests.terraform import page

UPLOADS, FIRST = 400, 50
REST = 2.5  # so that there are uploads until each pod has another in its place, on a slow machine too
DOOR, THREE, UPGRADES = "door", 3, 2
# No pod has to start for an upgrade, and none of these does: there is no such image.
WRITTEN = ROOT / "charts/rayhound/ci/eks-values.yaml"
pytestmark = pytest.mark.usefixtures("autoscaling")


def test_nothing_is_lost_whichever_pod_is_deleted_and_any_web_server_answers_for_all(
    namespace: Namespace, build: Build, tell: Callable[[str], None]
) -> None:
    made = bucket(namespace)
    generated = eks.generated(namespace.folder, made, build.tag)
    put_in_node(eks.image(generated), ROOT)
    eks.upgrade(namespace, generated, eks.overrides(namespace.folder, made))
    for part in PARTS:
        eks.until_ready(namespace, part)
    assert claims(namespace) == {"rabbitmq-pvc": 1}
    tests = namespace.shell(f"helm test {eks.RELEASE}")
    assert tests.count("Phase:          Succeeded") == len(PARTS), tests
    clients = uploaded_while_pods_go(namespace)
    with namespace.each_web_server() as servers:
        taken = [server.metric("rayhound_images_accepted_total") for server in servers]
        for server in servers:
            verdict = judge(clients, server)
            assert (verdict.uploads, verdict.failed, verdict.lost) == (UPLOADS, 0, 0), verdict.why
    assert sum(count > 0 for count in taken) >= THREE  # another may have come too late to take any
    analyses = Counter(key.split("/")[-2] for key in made.lies() if "/analysis." in key)
    assert {analyses[i] for i in clients.accepted} == {1}
    tell(f"EKS's values: {THREE} web servers and consumers, one of each and RabbitMQ deleted amid {verdict}")


def claims(namespace: Namespace) -> Counter[str]:
    """How many pods mount each claim."""
    volumes = [volume for pod in namespace.items("pods") for volume in pod["spec"]["volumes"]]
    return Counter(v["persistentVolumeClaim"]["claimName"] for v in volumes if "persistentVolumeClaim" in v)


def uploaded_while_pods_go(namespace: Namespace) -> Clients:
    """Uploads to all web servers, during which one pod of each part is deleted and another comes."""
    namespace.shell(f"kubectl expose service web-server --name={DOOR} --type=NodePort")  # in the load balancer's place
    until_answering(namespace, DOOR)
    server = namespace.web_server(DOOR)
    with closing(server.http), Clients(server, UPLOADS) as clients:
        clients.reach(FIRST)
        clients.rest = REST
        for part in PARTS:
            pod = namespace.pods(part)[0]["metadata"]["name"]
            namespace.shell(f"kubectl delete pod {pod}")
            eks.until_ready(namespace, part)
        sent = len(clients.told)
        clients.rest = 0.0
    assert sent < UPLOADS, "it was not over when all was sent"
    return clients


@pytest.mark.parametrize("helm", ["helm", "helm4"])
def test_an_upgrade_leaves_the_number_of_pods_to_the_autoscalers_and_replaces_none(
    namespaces: Namespaces, helm: str, tell: Callable[[str], None]
) -> None:
    if shutil.which(helm) is None:
        pytest.skip(f"{helm} is not installed")
    with namespaces.fresh(helm) as namespace:
        eks.upgrade(namespace, WRITTEN)
        before = {part: until_three(namespace, part) for part in eks.SCALED}
        for _ in range(UPGRADES):
            eks.upgrade(namespace, WRITTEN)
            assert {part: until_three(namespace, part) for part in eks.SCALED} == before
        tell(f"{helm}: {UPGRADES} upgrades of EKS's release, and the autoscalers' {THREE} and {THREE} pods stayed")


def until_three(namespace: Namespace, part: str) -> set[str]:
    """The uids of the pods of a part, once there are three that nobody told to stop."""
    found: set[str] = set()
    for _ in within(START, 0.5):
        found = {pod["metadata"]["uid"] for pod in namespace.pods(part)}
        if len(found) == THREE:
            return found
    raise AssertionError(f"{part} has {len(found)} pods, not {THREE}\n{namespace.state()}")


def test_the_secret_made_for_amazon_mq_outlives_that_of_the_charts_broker(namespaces: Namespaces) -> None:
    made = [line for block in page.blocks("sh") for line in block.splitlines() if " rabbitmq-auth" in line]
    typed = "\n".join(line for line in made if line.startswith("kubectl"))
    assert typed.count("\n") == 2, typed
    with namespaces.fresh("helm") as namespace:
        eks.upgrade(namespace, WRITTEN)
        namespace.shell(f"export TF_VAR_mq_password=of-amazon-mq\n{typed}")
        eks.upgrade(namespace, WRITTEN.with_name("eks-amazon-mq-values.yaml"))
        [secret] = [one for one in namespace.items("secrets") if one["metadata"]["name"] == "rabbitmq-auth"]
        assert b64decode(secret["data"]["password"]) == b"of-amazon-mq"
