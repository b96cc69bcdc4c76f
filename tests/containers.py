"""Docker from a test's side: the image, built once, and containers that are put together as compose.yaml says."""

import configparser
import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.brokers import free_ports
from tests.journey.upping import PATIENCE, Server, within

ROOT = Path(__file__).parent.parent
BUILD_SECONDS = 900.0  # an empty cache downloads everything first
CONTAINED = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--tmpfs=/tmp")


def docker(*arguments: str, seconds: float = 2 * PATIENCE, **environment: str) -> str:
    """What `docker` says to it on stdout; an unexpected end tells its stderr."""
    done = run_docker(*arguments, seconds=seconds, **environment)
    assert done.returncode == 0, f"docker {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
    return done.stdout.strip()


def run_docker(
    *arguments: str, seconds: float = 2 * PATIENCE, **environment: str
) -> "subprocess.CompletedProcess[str]":
    """`docker`, run to its end whatever that is."""
    known = {name: value for name, value in os.environ.items() if not name.startswith(("RAYHOUND_", "COMPOSE_"))}
    command = ["docker", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=known | environment, capture_output=True, text=True, timeout=seconds, check=False
    )


def missing() -> str | None:
    """What of Docker is not here; none if all of it is."""
    if shutil.which("docker") is None:
        return "docker is not installed"
    if run_docker("info").returncode != 0:
        return "no Docker engine runs, or it is not for this user"
    if run_docker("compose", "version").returncode != 0 or run_docker("buildx", "version").returncode != 0:
        return "docker has no compose, or no buildx"
    return None


def own_index() -> list[str]:
    """What tells a build of the package index of this machine, where it has one of its own."""
    settings = configparser.ConfigParser(interpolation=None)
    settings.read("/etc/pip.conf")
    index = os.environ.get("PIP_INDEX_URL") or settings.get("global", "index-url", fallback=None)
    return [f"--build-arg=INDEX={index}"] if index else []


@contextmanager
def built() -> Generator[str]:
    """The image of the Dockerfile, under a tag of its own that is gone afterwards."""
    tag = f"rayhound:test-{secrets.token_hex(4)}"
    docker("build", "--network=host", f"--tag={tag}", *own_index(), ".", seconds=BUILD_SECONDS)
    try:
        yield tag
    finally:
        docker("image", "rm", "--force", tag)


def inspected(container: str) -> Any:
    """What Docker knows of a container."""
    return json.loads(docker("inspect", container))[0]


class Composed(Server):
    """Everything of compose.yaml, as a project of its own on free ports; its consumers' lines are its log."""

    def __init__(self, image: str, log: Path) -> None:
        port, page = free_ports(2)
        super().__init__(log, port)
        log.touch()
        self.project = f"rayhound-test-{secrets.token_hex(4)}"
        self.environment = {
            "COMPOSE_PROJECT_NAME": self.project,
            "RAYHOUND_IMAGE": image,
            "RAYHOUND_PUBLISH": f"127.0.0.1:{port}",
            "RAYHOUND_PUBLISH_RABBITMQ": f"127.0.0.1:{page}",
            "RAYHOUND_ANALYSERS": "1",
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            print(self("logs", "--no-color", "--tail=100"))
        self("kill")
        self("down", "--volumes", "--timeout=0")
        self.http.close()

    def __call__(self, *arguments: str) -> str:
        """`docker compose` with these arguments."""
        return docker("compose", *arguments, seconds=5 * PATIENCE, **self.environment)

    def up(self, *arguments: str) -> None:
        """`docker compose up`, and wait until the web server answers."""
        self("up", "--no-build", "--detach", *arguments)
        self.until_answering()

    def until_answering(self) -> None:
        """Wait until the web server answers."""
        for _ in within(2 * PATIENCE):
            if self.answers():
                return
        raise AssertionError(self("logs", "--no-color", "web-server"))

    def gather(self) -> None:
        """Add to the log what the consumers logged in the containers that are there."""
        with self.log.open("a") as log:
            log.write(self("logs", "--no-color", "--no-log-prefix", "consumer"))

    def container(self, service: str, number: int = 1) -> str:
        """The name of a container."""
        return f"{self.project}-{service}-{number}"
