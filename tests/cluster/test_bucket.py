"""Images in a bucket: no claim, and any web server answers for any image."""

from collections.abc import Callable

from tests.cluster.buckets import SECRET, bucket
from tests.cluster.clients import Clients, judge
from tests.cluster.installation import install, until_ready
from tests.cluster.kubernetes import Namespace

WEB_SERVERS, UPLOADS = 3, 12


def test_three_web_servers_share_a_bucket_and_each_answers_for_what_the_others_took(
    namespace: Namespace, tell: Callable[[str], None]
) -> None:
    made = bucket(namespace)
    archive = (
        f"--set archive.url=s3://{made.name}/images,archive.endpoint={made.endpoint},archive.existingSecret={SECRET}"
    )
    install(namespace, "rabbitmq")
    namespace.shell(f"helm install my-web-server ./charts/web-server-chart {archive} --set replicaCount={WEB_SERVERS}")
    namespace.shell(f"helm install my-consumer ./charts/consumer-chart {archive}")
    until_ready(namespace)
    claims = [claim["metadata"]["name"] for claim in namespace.items("persistentvolumeclaims")]
    assert claims == ["rabbitmq-pvc"]
    with namespace.each_web_server() as servers:
        assert len(servers) == WEB_SERVERS
        for taker in servers:
            with Clients(taker, UPLOADS) as clients:
                pass
            for server in servers:
                verdict = judge(clients, server)
                assert (verdict.uploads, verdict.failed, verdict.lost) == (UPLOADS, 0, 0), verdict.why
    assert sum(key.startswith("images/") for key in made.lies()) >= WEB_SERVERS * UPLOADS
    assert listed_by_each(namespace) == [WEB_SERVERS * UPLOADS] * WEB_SERVERS
    tell(f"a bucket: {WEB_SERVERS * UPLOADS} images, {UPLOADS} by each web server, told of by all {WEB_SERVERS}")


def listed_by_each(namespace: Namespace) -> list[int]:
    """How many images each web server lists when another pod asks it by its pod's IP."""
    addresses = [pod["status"]["podIP"] for pod in namespace.pods("web-server")]
    ask = "import httpx, sys; print(len(httpx.get(f'http://{sys.argv[1]}:5000/images?limit=200').json()['images']))"
    inside = ["exec", "deployment/consumer", "--", "python", "-c", ask]
    return [int(namespace.kubectl(*inside, address)) for address in addresses]
