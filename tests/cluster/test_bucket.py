"""Images in a bucket: no claim, and any web server answers for any image."""

import os
from collections.abc import Callable
from contextlib import ExitStack, closing

import pytest

from tests import s3server
from tests.cluster.clients import Clients, judge
from tests.cluster.installation import install, until_ready
from tests.cluster.kubernetes import Namespace
from tests.journey.upping import Server

HOST = os.environ.get("RAYHOUND_TEST_HOST", "10.250.0.1")
WEB_SERVERS, UPLOADS = 3, 12


def test_three_web_servers_share_a_bucket_and_each_answers_for_what_the_others_took(
    namespace: Namespace, tell: Callable[[str], None]
) -> None:
    s3 = server_for_pods()
    bucket = s3.bucket()
    known = s3server.environment(s3.port, HOST)
    endpoint = known.pop("AWS_ENDPOINT_URL")
    keys = " ".join(f"--from-literal={name}={value}" for name, value in known.items())
    namespace.shell(f"kubectl create secret generic bucket {keys}")
    archive = f"--set archive.url=s3://{bucket}/images,archive.endpoint={endpoint},archive.existingSecret=bucket"
    install(namespace, "rabbitmq")
    namespace.shell(f"helm install my-web-server ./charts/web-server-chart {archive} --set replicaCount={WEB_SERVERS}")
    namespace.shell(f"helm install my-consumer ./charts/consumer-chart {archive}")
    until_ready(namespace)
    claims = [claim["metadata"]["name"] for claim in namespace.items("persistentvolumeclaims")]
    assert claims == ["rabbitmq-pvc"]
    with ExitStack() as stack:
        servers = []
        for pod in namespace.pods("web-server"):
            port = stack.enter_context(namespace.forwarded(f"pod/{pod['metadata']['name']}", 5000))
            server = Server(namespace.folder / "log", port)
            servers.append(server)
            stack.enter_context(closing(server.http))
        assert len(servers) == WEB_SERVERS
        for taker in servers:
            with Clients(taker, UPLOADS) as clients:
                pass
            for server in servers:
                verdict = judge(clients, server)
                assert (verdict.uploads, verdict.failed, verdict.lost) == (UPLOADS, 0, 0), verdict.why
    assert sum(key.startswith("images/") for key in s3.lies(bucket)) >= WEB_SERVERS * UPLOADS
    assert listed_by_each(namespace) == [WEB_SERVERS * UPLOADS] * WEB_SERVERS
    tell(f"a bucket: {WEB_SERVERS * UPLOADS} images, {UPLOADS} by each web server, told of by all {WEB_SERVERS}")


def listed_by_each(namespace: Namespace) -> list[int]:
    """How many images each web server lists when another pod asks it by its pod's IP."""
    addresses = [pod["status"]["podIP"] for pod in namespace.pods("web-server")]
    ask = "import httpx, sys; print(len(httpx.get(f'http://{sys.argv[1]}:5000/images?limit=200').json()['images']))"
    inside = ["exec", "deployment/consumer", "--", "python", "-c", ask]
    return [int(namespace.kubectl(*inside, address)) for address in addresses]


def server_for_pods() -> s3server.S3Server:
    """The S3 server at an address of this machine that pods reach."""
    try:
        return s3server.start(HOST)
    except OSError:
        pytest.skip(f"{HOST} is no address of this machine: RAYHOUND_TEST_HOST names one that pods reach")
