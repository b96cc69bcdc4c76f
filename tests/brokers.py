"""A RabbitMQ of the tests' own: in a temporary folder, on free ports of this machine, killed and started as they like.

There are two: `3.10` is the `rabbitmq-server` that the system's package installed (Debian 12's; no service of the
system is touched), `4.3` is RabbitMQ's own image, run with Docker.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

IMAGE = "rabbitmq:4.3-management"
# Debian's scripts themselves come first; those on its PATH insist on a user of their own.
PATH = f"/usr/lib/rabbitmq/bin:{os.environ.get('PATH', '/usr/bin:/bin')}:/usr/sbin"
CONFIGURATION = """\
disk_free_limit.absolute = 1MB
raft.wal_max_size_bytes = 67108864
log.file.level = info
listeners.ssl = none
"""
TLS = """\
listeners.ssl.1 = 127.0.0.1:{port}
ssl_options.cacertfile = {folder}/ca.pem
ssl_options.certfile = {folder}/broker.pem
ssl_options.keyfile = {folder}/broker.key
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = true
"""


def free_ports(count: int) -> list[int]:
    """Ports that nobody listened on a moment ago, no two alike."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


def make_certificates(folder: Path) -> None:
    """An authority (`ca`), and certificates of the broker on localhost and of a client, all of them for two days."""
    request = ["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-x509"]
    quiet = {"check": True, "capture_output": True, "cwd": folder}
    authority = ["-subj", "/CN=authority of the tests", "-keyout", "ca.key", "-out", "ca.pem"]
    subprocess.run([*request, *authority], **quiet)  # type: ignore[call-overload]
    for name in ("broker", "client"):
        own = ["-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost", "-CA", "ca.pem", "-CAkey", "ca.key"]
        leaf = ["-addext", "basicConstraints=critical,CA:FALSE", "-keyout", f"{name}.key", "-out", f"{name}.pem"]
        subprocess.run([*request, *own, *leaf], **quiet)  # type: ignore[call-overload]


class Installed:
    """A node of the system's package."""

    # Its own name server, in its own process group, so that nothing of it stays behind.
    SCRIPT = """\
epmd -address 127.0.0.1 -port "$ERL_EPMD_PORT" &
until epmd -names >/dev/null 2>&1; do sleep 0.1; done
exec rabbitmq-server
"""

    def __init__(self, name: str, folder: Path, environment: dict[str, str]) -> None:
        assigned = [f"{name}={value}" for name, value in environment.items()]
        self._run = ["env", "-i", f"PATH={PATH}", *assigned]

    @staticmethod
    def missing() -> str | None:
        """What this machine lacks to run one."""
        return None if shutil.which("rabbitmq-server", path=PATH) else "rabbitmq-server is not installed"

    @property
    def command(self) -> list[str]:
        """What runs the node."""
        return [*self._run, "sh", "-c", self.SCRIPT]

    @property
    def ctl(self) -> list[str]:
        """What runs `rabbitmqctl`."""
        return [*self._run, "rabbitmqctl"]

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """SIGKILL to all of it."""
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


class Contained:
    """A node in a container of RabbitMQ's own image, as the user that runs the tests: so its files are ours."""

    def __init__(self, name: str, folder: Path, environment: dict[str, str]) -> None:
        self._name, self._folder, self._environment = name, folder, environment

    @staticmethod
    def missing() -> str | None:
        """What this machine lacks to run one."""
        if shutil.which("docker") is None:
            return "docker is not installed"
        there = subprocess.run(["docker", "image", "inspect", IMAGE], capture_output=True, timeout=60)
        return None if there.returncode == 0 else f"Docker has no image {IMAGE}, or does not run: docker pull {IMAGE}"

    @property
    def command(self) -> list[str]:
        """What runs the node."""
        ours = ["--user", f"{os.getuid()}:{os.getgid()}", "--volume", f"{self._folder}:{self._folder}"]
        limit = ["--ulimit", "nofile=10000"]  # Erlang makes a table of as many as it may have
        assigned = [word for name, value in self._environment.items() for word in ("--env", f"{name}={value}")]
        run = ["docker", "run", "--rm", "--name", self._name, "--network", "host", *ours, *limit, *assigned]
        return [*run, "--entrypoint", "rabbitmq-server", IMAGE]

    @property
    def ctl(self) -> list[str]:
        """What runs `rabbitmqctl`."""
        return ["docker", "exec", self._name, "rabbitmqctl"]

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """SIGKILL to all of it."""
        subprocess.run(["docker", "rm", "--force", self._name], capture_output=True, timeout=60)


VERSIONS: dict[str, type[Installed | Contained]] = {"3.10": Installed, "4.3": Contained}


class RabbitBroker:
    """One node. Its data lie in `folder`, and outlive `kill` and `start`."""

    def __init__(self, version: str, folder: Path, tls: bool = False, settings: str = "") -> None:
        self.version = version
        self.folder = folder
        self._tls = tls
        self.port, self.tls_port, self._dist_port, self._epmd_port = free_ports(4)
        self._node = VERSIONS[version](f"rayhound-tests-{self.port}", folder, self._environment())
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "enabled_plugins").write_text("[].\n")
        (folder / "env.conf").write_text("")
        configuration = CONFIGURATION + settings
        if tls:
            make_certificates(folder)
            configuration = configuration.replace("listeners.ssl = none\n", "")
            configuration += TLS.format(port=self.tls_port, folder=folder)
        (folder / "rabbitmq.conf").write_text(configuration)

    @property
    def url(self) -> str:
        """Where its AMQP is."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    @property
    def pid(self) -> int:
        """The process id of the node that is installed, or of the client that runs one in a container."""
        assert self._process is not None
        return self._process.pid

    def start(self, seconds: float = 120) -> None:
        """Start the node, and wait until it answers."""
        with (self.folder / "output").open("ab") as output:
            settings = {"stdout": output, "stderr": output, "stdin": subprocess.DEVNULL, "cwd": self.folder}
            self._process = subprocess.Popen(self._node.command, start_new_session=True, **settings)  # type: ignore[call-overload]
        deadline = time.monotonic() + seconds
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                log = (self.folder / "output").read_text()
                raise RuntimeError(f"RabbitMQ did not start within {seconds} s:\n{log[-3000:]}")
            time.sleep(0.1)

    def kill(self) -> None:
        """A power cut: SIGKILL, and not a word to anybody."""
        if self._process is not None:
            self._node.kill(self._process)
            self._process.wait(timeout=60)
            self._process = None

    def ctl(self, *arguments: str) -> str:
        """What `rabbitmqctl` says to it; about two seconds a call."""
        command = [*self._node.ctl, "--quiet", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        if done.returncode:
            raise RuntimeError(f"rabbitmqctl {arguments[0]}: {done.stdout}{done.stderr}")
        return done.stdout

    def _answers(self) -> bool:
        """Whether AMQP is spoken, and TLS listened for where it is: that port opens later."""
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(b"AMQP\x00\x00\x09\x01")
            answered = bool(connection.recv(1))
            if self._tls:
                socket.create_connection(("127.0.0.1", self.tls_port), timeout=5).close()
            return answered
        return False

    def _environment(self) -> dict[str, str]:
        folder = str(self.folder)
        return {
            "LANG": "C.UTF-8",
            "HOME": folder,  # the cookie
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"rayhound-{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_MNESIA_BASE": f"{folder}/mnesia",
            "RABBITMQ_LOG_BASE": f"{folder}/log",
            "RABBITMQ_SCHEMA_DIR": f"{folder}/schema",
            "RABBITMQ_GENERATED_CONFIG_DIR": f"{folder}/config",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/enabled_plugins",
            "RABBITMQ_CONF_ENV_FILE": f"{folder}/env.conf",
            "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq.conf",
            "RABBITMQ_PID_FILE": f"{folder}/pid",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none",
            "RUNNING_UNDER_SYSTEMD": "true",  # the process is the node, not a shell around it
        }


@contextmanager
def rabbitmq(version: str = "3.10", tls: bool = False, settings: str = "") -> Generator[RabbitBroker]:
    """A node that runs, and leaves nothing behind; `settings` are lines of its `rabbitmq.conf`."""
    if missing := VERSIONS[version].missing():
        pytest.skip(missing)
    with tempfile.TemporaryDirectory(prefix="rayhound-rabbitmq-") as folder:
        broker = RabbitBroker(version, Path(folder), tls, settings)
        try:
            broker.start()
            yield broker
        finally:
            broker.kill()
