"""A bucket that pods reach: a real S3 server at an address of this machine."""

import os
from dataclasses import dataclass

import pytest

from tests import s3server
from tests.cluster.kubernetes import Namespace

HOST = os.environ.get("RAYHOUND_TEST_HOST", "10.250.0.1")
SECRET = "bucket"


@dataclass(frozen=True)
class Bucket:
    """A bucket of the S3 server, and where pods find that; the keys to it are in the Secret `bucket`."""

    server: s3server.S3Server
    name: str
    endpoint: str
    region: str

    def lies(self) -> dict[str, bytes]:
        """Every object of it as the server keeps it."""
        return self.server.lies(self.name)


def bucket(namespace: Namespace) -> Bucket:
    """A new bucket for the pods of a namespace, which gets the Secret; skips the test where pods cannot reach one."""
    try:
        server = s3server.start(HOST)
    except OSError:
        pytest.skip(f"{HOST} is no address of this machine: RAYHOUND_TEST_HOST names one that pods reach")
    known = s3server.environment(server.port, HOST)
    endpoint = known.pop("AWS_ENDPOINT_URL")
    keys = " ".join(f"--from-literal={name}={value}" for name, value in known.items())
    namespace.shell(f"kubectl create secret generic {SECRET} {keys}")
    return Bucket(server, server.bucket(), endpoint, known["AWS_REGION"])
