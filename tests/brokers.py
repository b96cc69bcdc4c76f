"""A RabbitMQ of the tests' own: in a temporary folder, on free ports of this machine, killed and started as they like.

It is the `rabbitmq-server` that the system's package installed; no service of the system is touched.
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

DEBIAN = Path("/usr/lib/rabbitmq/bin")  # the scripts themselves; those on the PATH insist on a user of their own
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


def program(name: str) -> str | None:
    """Where RabbitMQ's script of this name is, if RabbitMQ is installed."""
    return shutil.which(name, path=f"{DEBIAN}{os.pathsep}{os.environ.get('PATH', '')}:/usr/sbin")


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


class RabbitBroker:
    """One node. Its data lie in `folder`, and outlive `kill` and `start`."""

    def __init__(self, folder: Path, tls: bool = False) -> None:
        self.folder = folder
        self.port, self.tls_port, self._dist_port, self._epmd_port = free_ports(4)
        self._processes: list[subprocess.Popen[bytes]] = []
        (folder / "enabled_plugins").write_text("[].\n")
        (folder / "env.conf").write_text("")
        configuration = CONFIGURATION
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
    def pids(self) -> list[int]:
        """The process ids of its name server and of the node; both have children."""
        return [process.pid for process in self._processes]

    def start(self, seconds: float = 120) -> None:
        """Start the node, and wait until it answers."""
        if not self._processes:  # its own name server, so that nothing of it stays behind
            self._spawn(["epmd", "-address", "127.0.0.1", "-port", str(self._epmd_port)])
        self._spawn([program("rabbitmq-server") or ""])
        deadline = time.monotonic() + seconds
        while not self._answers():
            if self._processes[-1].poll() is not None or time.monotonic() > deadline:
                log = (self.folder / "output").read_text()
                raise RuntimeError(f"RabbitMQ did not start within {seconds} s:\n{log[-3000:]}")
            time.sleep(0.1)

    def kill(self) -> None:
        """A power cut: SIGKILL, and not a word to anybody."""
        node = self._processes.pop()
        with suppress(ProcessLookupError):
            os.killpg(node.pid, signal.SIGKILL)
        node.wait(timeout=30)

    def close(self) -> None:
        """End the node and its name server."""
        while self._processes:
            self.kill()

    def ctl(self, *arguments: str) -> str:
        """What `rabbitmqctl` says to it; about two seconds a call."""
        command = [program("rabbitmqctl") or "", "--quiet", *arguments]
        done = subprocess.run(command, env=self._environment(), capture_output=True, text=True, timeout=60)
        if done.returncode:
            raise RuntimeError(f"rabbitmqctl {arguments[0]}: {done.stdout}{done.stderr}")
        return done.stdout

    def _spawn(self, command: list[str]) -> None:
        with (self.folder / "output").open("ab") as output:
            settings = {"env": self._environment(), "stdout": output, "stderr": output, "stdin": subprocess.DEVNULL}
            self._processes.append(
                subprocess.Popen(command, start_new_session=True, **settings)  # type: ignore[call-overload]
            )

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(b"AMQP\x00\x00\x09\x01")
            return bool(connection.recv(1))
        return False

    def _environment(self) -> dict[str, str]:
        folder = str(self.folder)
        return {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
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
            "RUNNING_UNDER_SYSTEMD": "true",  # the process that was started is the node, not a shell around it
        }


@contextmanager
def rabbitmq(tls: bool = False) -> Generator[RabbitBroker]:
    """A node that runs, and leaves nothing behind."""
    with tempfile.TemporaryDirectory(prefix="rayhound-rabbitmq-") as folder:
        broker = RabbitBroker(Path(folder), tls)
        try:
            broker.start()
            yield broker
        finally:
            broker.close()
