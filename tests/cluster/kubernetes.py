"""Kubernetes from a test's side: whose cluster it is, and namespaces that are made for a test and gone after it."""

import json
import os
import re
import secrets
import shlex
import shutil
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from tests.journey.upping import PATIENCE, Server, within

ROOT = Path(__file__).parent.parent.parent
STAND_IN = Path(__file__).parent
OF_TESTS = re.compile(r"minikube|kind-.+|local")
PARTS, NAME = ("rabbitmq", "web-server", "consumer"), "app.kubernetes.io/name"
NODE = "RAYHOUND_TEST_NODE"
LONG = 5 * PATIENCE


def missing() -> str | None:
    """What is not here that every test on a cluster needs; none if all of it is."""
    for program in ("kubectl", "helm"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    if not context():
        return "kubectl has no current context: start a cluster first, such as `minikube start`"
    return None


def context() -> str:
    """The name of kubectl's current context; empty where it has none."""
    asked = ["kubectl", "config", "current-context"]
    return subprocess.run(asked, capture_output=True, text=True, timeout=PATIENCE, check=False).stdout.strip()


def refused(name: str, allowed: str | None) -> str | None:
    """Why a context must not be touched, if it must not: its cluster may be one that people use."""
    if OF_TESTS.fullmatch(name) or name == allowed:
        return None
    return (
        f"the current context {name!r} is neither minikube, kind-… nor local, so nothing was done to it\n"
        f"hint: if its cluster is there for tests, set RAYHOUND_TEST_CONTEXT={name}"
    )


def environment() -> dict[str, str]:
    """What commands know: this Rayhound, `minikube` or its stand-in, and nothing that would change what they do."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RAYHOUND_", "HELM_"))}
    if NODE in os.environ:
        kept[NODE] = os.environ[NODE]
    path = [str(Path(sys.executable).parent), os.environ["PATH"]]
    return kept | {"PATH": ":".join(path if context() == "minikube" else [str(STAND_IN), *path])}


def run(
    command: Sequence[str], known: Mapping[str, str], stdin: str = "", seconds: float = LONG
) -> "subprocess.CompletedProcess[str]":
    """A command at the root of this clone, run to its end whatever that is."""
    return subprocess.run(
        command, cwd=ROOT, env=known, input=stdin, capture_output=True, text=True, timeout=seconds, check=False
    )


def told(command: Sequence[str], known: Mapping[str, str], stdin: str = "", seconds: float = LONG) -> str:
    """What a command says on stdout; an unexpected end tells its stderr."""
    done = run(command, known, stdin, seconds)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout.strip()


def node(*arguments: str) -> None:
    """Ask the executable that RAYHOUND_TEST_NODE names: `load IMAGE…`; `down`, a power cut; `up`."""
    told([os.environ[NODE], *arguments], environment(), seconds=2 * LONG)


def node_shell(script: str) -> None:
    """Run a script as root on the node itself; skips the test that asks where nobody knows how."""
    name = context()
    if name == "minikube":
        command = ["minikube", "ssh", "--", f"sudo sh -c {shlex.quote(script)}"]
    elif name.startswith("kind-"):
        command = ["docker", "exec", f"{name.removeprefix('kind-')}-control-plane", "sh", "-c", script]
    elif name == "local" and os.geteuid() == 0:
        command = ["sh", "-c", script]  # this machine is the node
    else:
        pytest.skip(f"nobody knows how to become root on the node of {name!r}")
    told(command, environment())


class Namespace:
    """A namespace with a name of its own, which enforces the standard `restricted`; `helm` is which Helm is `helm`.

    The commands that it runs find it as their default, so they can be those that people type.
    """

    def __init__(self, folder: Path, helm: str = "helm") -> None:
        self.name = f"rayhound-test-{secrets.token_hex(4)}"
        self.folder = folder / self.name
        program = shutil.which(helm)
        assert program is not None, f"{helm} is not installed"
        (self.folder / "bin").mkdir(parents=True)
        (self.folder / "bin/helm").symlink_to(program)
        (self.folder / "log").touch()
        self.environment = environment()
        self.environment["PATH"] = f"{self.folder}/bin:{self.environment['PATH']}"

    def __enter__(self) -> Self:
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.name, "labels": labels}}
        self.kubectl("create", "--filename=-", stdin=json.dumps(manifest))
        found = self.kubectl("config", "view", "--minify", "--flatten", "--raw")
        (self.folder / "kubeconfig").write_text(found)
        self.environment["KUBECONFIG"] = str(self.folder / "kubeconfig")
        self.kubectl("config", "set-context", "--current", f"--namespace={self.name}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            print(self.state())
        self.kubectl("delete", "namespace", self.name, "--wait=false")
        self.kubectl("delete", "pods", "--all", "--grace-period=1", "--wait=false")

    def kubectl(self, *arguments: str, stdin: str = "", seconds: float = LONG) -> str:
        """What `kubectl` says here."""
        return told(["kubectl", *arguments], self.environment, stdin, seconds)

    def helm(self, *arguments: str, seconds: float = LONG) -> str:
        """What `helm` says here."""
        return told(["helm", *arguments], self.environment, seconds=seconds)

    def shell(self, script: str, seconds: float = LONG) -> str:
        """What a script says on stdout, run here as somebody types it at the root of this clone."""
        return told(["bash", "-c", f"set -euo pipefail\n{script}"], self.environment, seconds=seconds)

    def get(self, *arguments: str) -> Any:
        """What Kubernetes knows of an object, or of several."""
        return json.loads(self.kubectl("get", *arguments, "--output=json"))

    def items(self, kind: str, selector: str = "") -> list[Any]:
        """The objects of a kind; `selector` are labels that they have, `name=value`."""
        found: list[Any] = self.get(kind, f"--selector={selector}")["items"]
        return found

    def pods(self, name: str) -> list[Any]:
        """The pods of one part that live: `rabbitmq`, `web-server` or `consumer`."""
        return [pod for pod in self.items("pods", f"{NAME}={name}") if "deletionTimestamp" not in pod["metadata"]]

    def restarts(self, name: str) -> int:
        """How often containers of the pods of one part were started again."""
        statuses = (status for pod in self.pods(name) for status in pod["status"].get("containerStatuses", ()))
        return sum(status["restartCount"] for status in statuses)

    def web_server(self, service: str = "web-server") -> Server:
        """The web server at a node port, as it is at the moment; whoever asks closes its `http`."""
        [port] = self.get("service", service)["spec"]["ports"]
        return Server(self.folder / "log", port["nodePort"], self.address())

    @contextmanager
    def each_web_server(self) -> Generator[list[Server]]:
        """Each web server that is ready, at a port of this machine that leads to no other."""
        with ExitStack() as stack:
            servers = []
            for pod in filter(is_ready, self.pods("web-server")):
                port = stack.enter_context(self.forwarded(f"pod/{pod['metadata']['name']}", 5000))
                servers.append(Server(self.folder / "log", port))
                stack.enter_context(closing(servers[-1].http))
            yield servers

    def address(self) -> str:
        """Where node ports answer."""
        addresses = self.get("nodes")["items"][0]["status"]["addresses"]
        return next(str(a["address"]) for a in addresses if a["type"] == "InternalIP")

    @contextmanager
    def forwarded(self, what: str, port: int) -> Generator[int]:
        """A port of this machine that leads to one of a pod or a Service, as long as that pod lives."""
        command = ["kubectl", "port-forward", what, f":{port}", "--address=127.0.0.1"]
        log = self.folder / f"port-forward-{secrets.token_hex(4)}"
        with log.open("w") as output:
            process = subprocess.Popen(command, env=self.environment, stdout=output, stderr=output)
        try:
            yield _local_port(process, log)
        finally:
            process.kill()
            process.wait(PATIENCE)

    def state(self) -> str:
        """What a person would look at first when something is wrong here."""
        looks = [
            ["kubectl", "get", "all,pvc", "--output=wide"],
            ["kubectl", "get", "events", "--sort-by=.lastTimestamp"],
            *(
                ["kubectl", "logs", f"--selector=app.kubernetes.io/name={name}", "--tail=40", "--prefix"]
                for name in PARTS
            ),
        ]
        done = [run(look, self.environment) for look in looks]
        return "\n".join(f"── {' '.join(look)}\n{d.stdout}{d.stderr}" for look, d in zip(looks, done, strict=True))


def is_ready(pod: Any) -> bool:
    """Whether a pod says that it is ready."""
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", ()))


def _local_port(process: subprocess.Popen[bytes], log: Path) -> int:
    for _ in within(PATIENCE):
        if found := re.search(r"^Forwarding from 127\.0\.0\.1:(\d+) ", log.read_text(), re.MULTILINE):
            return int(found[1])
        assert process.poll() is None, log.read_text()
    raise AssertionError(f"nothing is forwarded: {log.read_text()}")
