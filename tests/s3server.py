"""A real S3 server for the tests: versitygw on a folder, started once, on a free port of this machine.

`.ci/run` installs it; on a laptop: GOBIN=~/.cache/rayhound/versitygw-1.8.0 go install
github.com/versity/versitygw/cmd/versitygw@v1.8.0
"""

import atexit
import os
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

VERSION = "1.8.0"
ACCESS, SECRET = "rayhound-tests", "no-secret-at-all"
START_SECONDS = 60
LOCAL = "127.0.0.1"


@dataclass(frozen=True)
class S3Server:
    """A running server; each folder in `root` is a bucket."""

    port: int
    root: Path

    def bucket(self) -> str:
        """A new bucket's name."""
        name = f"b{uuid.uuid4().hex}"
        (self.root / name).mkdir()
        return name

    def lies(self, bucket: str) -> dict[str, bytes]:
        """Every object of a bucket as the server keeps it: a file; what it keeps for itself begins with a dot."""
        folder = self.root / bucket
        files = {str(p.relative_to(folder)): p for p in folder.rglob("*") if p.is_file()}
        return {key: path.read_bytes() for key, path in files.items() if not key.startswith(".")}

    def multiparts(self, bucket: str) -> list[Path]:
        """The parts of multipart uploads that were neither completed nor aborted."""
        return [p for p in (self.root / bucket).glob(".sgwtmp/multipart/**/*") if p.is_file()]


def environment(port: int, host: str = LOCAL) -> dict[str, str]:
    """The AWS_… names with which a client reaches a server on this port."""
    return {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": ACCESS,
        "AWS_SECRET_ACCESS_KEY": SECRET,
    }


def binary() -> str | None:
    """Where versitygw is, if it is."""
    cached = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / f"rayhound/versitygw-{VERSION}"
    return shutil.which("versitygw", path=f"{cached}{os.pathsep}{os.environ.get('PATH', os.defpath)}")


def installed() -> str:
    """Where versitygw is; skips the test that asks where it is not installed."""
    program = binary()
    if program is None:
        pytest.skip(f"versitygw {VERSION}, an S3 server, is not installed")
    return program


@cache
def start(host: str = LOCAL) -> S3Server:
    """The server of this test run at an address; skips the test that asks where versitygw is not installed."""
    return started(host)


def started(host: str = LOCAL, *options: str) -> S3Server:
    """One more server at an address, until the tests end."""
    installed()
    folder = Path(tempfile.mkdtemp(prefix="rayhound-s3-"))
    for name in ("buckets", "metadata"):
        (folder / name).mkdir()
    port = free_port(host)
    served = [*options, "posix", "--sidecar", str(folder / "metadata"), str(folder / "buckets")]
    process = launch(folder, "--port", f"{host}:{port}", "--keep-alive", *served)
    _await_port((host, port), process, folder / "log")
    return S3Server(port, folder / "buckets")


def launch(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """Run versitygw until the tests end, which remove its folder then."""
    keys = {"ROOT_ACCESS_KEY_ID": ACCESS, "ROOT_SECRET_ACCESS_KEY": SECRET}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([installed(), "--quiet", *arguments], env=os.environ | keys, stdout=log, stderr=log)
    atexit.register(_stop, process, folder)
    return process


def free_port(host: str = LOCAL) -> int:
    """A port of an address that nobody listened on a moment ago."""
    with socket.socket() as s:
        s.bind((host, 0))
        return int(s.getsockname()[1])


def _await_port(address: tuple[str, int], process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as s:
            if s.connect_ex(address) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"versitygw does not start: {log.read_text()}")


def _stop(process: subprocess.Popen[bytes], folder: Path) -> None:
    process.kill()
    process.wait(timeout=10)
    shutil.rmtree(folder, ignore_errors=True)
