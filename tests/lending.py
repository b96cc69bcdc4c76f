"""Those who lend a role's keys to a pod of EKS, played on this machine: the agent of Pod Identity, and STS (IRSA).

What they are asked and answer is AWS's: "Container credential provider" of the AWS SDKs and Tools Reference Guide, and
AssumeRoleWithWebIdentity of the AWS Security Token Service API Reference.
"""

import json
import shutil
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from rayhound.adapters.objects import ObjectArchive
from tests import s3roles
from tests.brokers import make_certificates
from tests.s3proxy import in_front_of
from tests.s3roles import Roles, Session
from tests.s3site import Site

ROLE = "arn:aws:iam::000000000000:role/rayhound"


@dataclass(frozen=True, slots=True)
class Manner:
    """How a lender is spoken to: the token a request shows, the words for what is lent, what EKS sets in a pod."""

    shown: Callable[[str, str], str]
    worded: Callable[[Session], str]
    set_in_a_pod: Callable[[int, Path], dict[str, str]]


@dataclass
class Lender:
    """`lend` makes what is lent, `refuses` is answered instead; `asked` are the tokens that were shown."""

    manner: Manner
    folder: Path
    lend: Callable[[], Session]
    refuses: tuple[int, str] | None = None
    port: int = 0
    asked: list[str] = field(default_factory=list)
    lent: list[Session] = field(default_factory=list)
    _known: str = ""

    @property
    def token_file(self) -> Path:
        """Where the pod finds its token."""
        return self.folder / "token"

    def environment(self) -> dict[str, str]:
        """What EKS sets in a pod that may ask for keys here."""
        return self.manner.set_in_a_pod(self.port, self.token_file)

    def rotate(self, token: str) -> None:
        """The pod's token is another one from now on, in its file too, and the one before is worth nothing."""
        self._known = token
        new = self.folder / "token.new"
        new.write_text(token)
        new.replace(self.token_file)

    def answer(self, path: str, authorization: str) -> tuple[int, str]:
        """The status and body of one answer."""
        token = self.manner.shown(path, authorization)
        self.asked.append(token)
        if self.refuses is not None:
            return self.refuses
        if token != self._known:
            return 400, "<Error><Code>InvalidIdentityToken</Code><Message>none of this cluster's</Message></Error>"
        self.lent.append(self.lend())
        return 200, self.manner.worded(self.lent[-1])


def _shown_to_agent(path: str, authorization: str) -> str:
    return authorization if path == "/v1/credentials" else ""


def _worded_by_agent(one: Session) -> str:
    keys = {"AccessKeyId": one.access, "SecretAccessKey": one.secret, "Token": one.token, "AccountId": "0" * 12}
    return json.dumps(keys | {"Expiration": _instant(one)})


def _set_for_agent(port: int, token_file: Path) -> dict[str, str]:
    return {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{port}/v1/credentials",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(token_file),
    }


def _shown_to_sts(path: str, authorization: str) -> str:
    asked = parse_qs(urlsplit(path).query)
    wanted = (asked["Action"], asked["RoleArn"]) == (["AssumeRoleWithWebIdentity"], [ROLE])
    return asked["WebIdentityToken"][0] if wanted else ""


def _worded_by_sts(one: Session) -> str:
    keys = {"AccessKeyId": one.access, "SecretAccessKey": one.secret, "SessionToken": one.token}
    said = "".join(f"<{name}>{text}</{name}>" for name, text in {**keys, "Expiration": _instant(one)}.items())
    result = f"<AssumeRoleWithWebIdentityResult><Credentials>{said}</Credentials></AssumeRoleWithWebIdentityResult>"
    return f"<AssumeRoleWithWebIdentityResponse>{result}</AssumeRoleWithWebIdentityResponse>"


def _set_for_sts(port: int, token_file: Path) -> dict[str, str]:
    return {
        "AWS_ROLE_ARN": ROLE,
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(token_file),
        "AWS_ENDPOINT_URL_STS": f"https://localhost:{port}",
        "AWS_CA_BUNDLE": str(token_file.with_name("ca.pem")),
    }


def _instant(one: Session) -> str:
    return f"{one.ends:%Y-%m-%dT%H:%M:%SZ}"


AGENT = Manner(_shown_to_agent, _worded_by_agent, _set_for_agent)
STS = Manner(_shown_to_sts, _worded_by_sts, _set_for_sts)


@contextmanager
def agent(folder: Path, lend: Callable[[], Session]) -> Generator[Lender]:
    """An agent on a free port until the block ends, and the pod's token in a file of a folder."""
    one = Lender(AGENT, folder, lend)
    with _answering(one):
        yield one


@contextmanager
def sts(folder: Path, lend: Callable[[], Session]) -> Generator[Lender]:
    """An STS on a free port until the block ends, and the pod's token and the authority in files of a folder."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl, which makes certificates, is not installed")
    make_certificates(folder)
    one = Lender(STS, folder, lend)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "broker.pem", folder / "broker.key")
    with _answering(one, context):
        yield one


@contextmanager
def _answering(lender: Lender, context: ssl.SSLContext | None = None) -> Generator[None]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, said = lender.answer(self.path, self.headers.get("Authorization", ""))
            self.send_response(status)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said.encode())

        do_POST = do_GET

        def log_message(self, *args: object) -> None:
            pass

    lender.rotate("the-first-token")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        lender.port = server.server_port
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


@dataclass
class PodSite(Site):
    """A site whose archive opens its bucket as a pod of EKS does, by a role that has the bucket's name."""

    lender: Lender
    roles: Roles

    def another(self) -> ObjectArchive:
        """A second client of the same bucket, in the same pod."""
        return ObjectArchive(self.archive.url, environment(self.proxy.port, self.lender))


def environment(port: int, lender: Lender) -> dict[str, str]:
    """The AWS_… names of a pod that reaches the store at a port of this machine."""
    return {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_REGION": "us-east-1"} | lender.environment()


@asynccontextmanager
async def opened_by_a_pod(
    folder: Path, seconds: float = 3600.0, by: Callable[..., AbstractContextManager[Lender]] = agent
) -> AsyncIterator[PodSite]:
    """A site with a bucket and a role of its own, whose keys are lent for so long."""
    roles = s3roles.start()
    bucket = roles.server.bucket()
    roles.allow(bucket, s3roles.policy(bucket))
    with by(folder, lambda: roles.lend(bucket, seconds)) as lender:
        async with in_front_of(roles.server.port) as proxy:
            archive = ObjectArchive(f"s3://{bucket}/images", environment(proxy.port, lender))
            try:
                yield PodSite(archive, proxy, roles.server, bucket, lender, roles)
            finally:
                await archive.close()
