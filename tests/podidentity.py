"""The agent of EKS Pod Identity, played on this machine: it lends a role's keys to the pod whose token it knows.

What it is asked and answers is AWS's: "How EKS Pod Identity works", and "Container credential provider" of the AWS SDKs
and Tools Reference Guide.
"""

import json
import threading
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from rayhound.adapters.objects import ObjectArchive
from tests import s3roles
from tests.s3proxy import in_front_of
from tests.s3roles import Roles, Session
from tests.s3site import Site

PATH = "/v1/credentials"


@dataclass
class Agent:
    """`lend` makes what it lends, `refuses` is what it answers instead; `asked` are the tokens that it was shown."""

    token_file: Path
    lend: Callable[[], Session]
    refuses: tuple[int, str] | None = None
    port: int = 0
    asked: list[str] = field(default_factory=list)
    lent: list[Session] = field(default_factory=list)
    _known: str = ""

    def rotate(self, token: str) -> None:
        """The pod's token is another one from now on, in its file too, and the one before is worth nothing."""
        self._known = token
        new = self.token_file.with_suffix(".new")
        new.write_text(token)
        new.replace(self.token_file)

    def environment(self) -> dict[str, str]:
        """What EKS sets in a pod whose service account has a pod identity association."""
        return {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{self.port}{PATH}",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(self.token_file),
        }

    def answer(self, path: str, token: str) -> tuple[int, str]:
        """The status and body of one answer."""
        self.asked.append(token)
        if self.refuses is not None:
            return self.refuses
        if path != PATH or token != self._known:
            return 400, "(InvalidTokenException): the token is none of this cluster's"
        one = self.lend()
        self.lent.append(one)
        said: dict[str, Any] = {"AccessKeyId": one.access, "SecretAccessKey": one.secret, "Token": one.token}
        return 200, json.dumps(said | {"AccountId": "0" * 12, "Expiration": f"{one.ends:%Y-%m-%dT%H:%M:%SZ}"})


@contextmanager
def agent(folder: Path, lend: Callable[[], Session]) -> Generator[Agent]:
    """An agent on a free port until the block ends, and the pod's token in a file of a folder."""
    one = Agent(folder / "eks-pod-identity-token", lend)
    one.rotate("the-first-token")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, said = one.answer(self.path, self.headers.get("Authorization", ""))
            self.send_response(status)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said.encode())

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        one.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield one
        finally:
            server.shutdown()
            thread.join()


@dataclass
class PodSite(Site):
    """A site whose archive opens its bucket as a pod of EKS does, by a role that has the bucket's name."""

    agent: Agent
    roles: Roles

    def another(self) -> ObjectArchive:
        """A second client of the same bucket, in the same pod."""
        return ObjectArchive(self.archive.url, pod(self.proxy.port, self.agent))


def pod(port: int, agent: Agent) -> dict[str, str]:
    """The AWS_… names of a pod that reaches the store at a port of this machine."""
    return {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_REGION": "us-east-1"} | agent.environment()


@asynccontextmanager
async def opened_by_a_pod(folder: Path, seconds: float = 3600.0) -> AsyncIterator[PodSite]:
    """A site with a bucket and a role of its own, whose keys the agent lends for so long."""
    roles = s3roles.start()
    bucket = roles.server.bucket()
    roles.allow(bucket, s3roles.policy(bucket, "images/"))
    with agent(folder, lambda: roles.lend(bucket, seconds)) as one:
        async with in_front_of(roles.server.port) as proxy:
            archive = ObjectArchive(f"s3://{bucket}/images", pod(proxy.port, one))
            yield PodSite(archive, proxy, roles.server, bucket, one, roles)
        await archive.close()
