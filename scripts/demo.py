"""Starts `rayhound up`, sends it a photograph of a cat, and leaves it running until Ctrl-C."""

import argparse
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

RAYHOUND = str(Path(sys.executable).with_name("rayhound"))
CAT = Path("cat.png")

NEXT = """
That was a photograph of a cat, kept in {data} and answered. Rayhound goes on running here; Ctrl-C stops it.
Try it with pictures of your own, in another terminal:

  {rayhound} upload{server} PATH…
  {rayhound} list{server}
  curl -F image=@cat.png {url}/upload
  {rayhound} --help

{url}/docs describes the HTTP interface.
"""


def main() -> int:
    """The demonstration from start to end; the status is that of `rayhound up`."""
    parser = argparse.ArgumentParser(prog="./demo", description=__doc__)
    parser.add_argument("--port", type=int, default=5000, help="the port to listen on (5000)")
    parser.add_argument("--data", default="rayhound-data", help="the folder to keep images in (./rayhound-data)")
    given = parser.parse_args()
    if taken(given.port):
        print(f"error: port {given.port} is taken by another program", file=sys.stderr)
        print(f"hint: choose another: ./demo --port {given.port + 1}", file=sys.stderr)
        return 1
    shutil.copyfile(photograph(), CAT)
    up = subprocess.Popen([RAYHOUND, "up", "--port", str(given.port), "--data", given.data])
    signal.signal(signal.SIGTERM, lambda *_: up.terminate())
    answered = False
    with suppress(KeyboardInterrupt):
        url = f"http://127.0.0.1:{given.port}"
        answered = ready(up, given.port) and subprocess.run([RAYHOUND, "upload", CAT, "--server", url]).returncode == 0
        if answered:
            server = "" if given.port == 5000 else f" --server {url}"
            print(NEXT.format(rayhound=".venv/bin/rayhound", url=url, server=server, data=given.data), flush=True)
        else:
            up.terminate()
    status = stopped(up)
    return status if answered else status or 1


def ready(up: subprocess.Popen[bytes], port: int) -> bool:
    """Wait until the server listens; false when it ended instead."""
    while up.poll() is None and not taken(port):
        time.sleep(0.1)
    return up.poll() is None


def photograph() -> Path:
    """The CC0 photograph of a cat that the package scikit-image carries; the package itself is not imported."""
    package = find_spec("skimage")
    return Path(str(package and package.origin)).parent / "data" / "chelsea.png"


def taken(port: int) -> bool:
    """Whether another program listens on a port of this machine."""
    with socket.socket() as s:
        s.settimeout(1)
        return s.connect_ex(("127.0.0.1", port)) == 0


def stopped(up: subprocess.Popen[bytes]) -> int:
    """Wait for the server to end; Ctrl-C reaches it as well, so there is nothing to pass on."""
    while True:
        try:
            return up.wait()
        except KeyboardInterrupt:
            continue


if __name__ == "__main__":
    sys.exit(main())
