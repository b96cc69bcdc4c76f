"""A server on this machine that plays AWS: moto's."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.terraform.tools import tool

BEGIN_SECONDS = 90.0
END_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Amazon:
    """Where it listens, and how Terraform is told so."""

    url: str

    @property
    def environment(self) -> dict[str, str]:
        """With this, AWS is the server; keys that AWS itself does not know, should anything ask there."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "nobody",
            "AWS_SECRET_ACCESS_KEY": "nobody",
            "AWS_MAX_ATTEMPTS": "2",
        }

    def keys(self, bucket: str) -> list[str]:
        """The keys of the objects in a bucket."""
        listing = httpx.get(f"{self.url}/{bucket}", params={"list-type": "2"}, timeout=30).text
        return [part.partition("</Key>")[0] for part in listing.split("<Key>")[1:]]


@contextmanager
def amazon(port: int, log: Path) -> Iterator[Amazon]:
    """The server, from the moment at which it answers; it forgets everything in the end."""
    command = [tool("moto_server"), "--host", "127.0.0.1", "--port", str(port)]
    environment = os.environ | {"MOTO_IAM_LOAD_MANAGED_POLICIES": "true"}
    with log.open("wb") as told:
        server = subprocess.Popen(command, env=environment, stdout=told, stderr=told)
    try:
        _wait(server, f"http://127.0.0.1:{port}", log)
        yield Amazon(f"http://127.0.0.1:{port}")
    finally:
        server.terminate()
        try:
            server.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait(server: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    deadline = time.monotonic() + BEGIN_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        try:
            httpx.get(f"{url}/moto-api/", timeout=5)
        except httpx.TransportError:
            time.sleep(0.2)
        else:
            return
    raise AssertionError(f"moto does not answer: {log.read_text()}")
