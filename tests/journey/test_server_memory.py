"""A large upload costs no more memory than a small one."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rayhound import records
from rayhound.adapters.directory import DirectoryArchive
from rayhound.adapters.embedded import EmbeddedQueue
from rayhound.domain import Limits
from rayhound.pipeline.accepting import House
from rayhound.server import Parts, Room, Waiters, WebServer, create_app
from tests.journey.serving import picture
from tests.journey.upping import peak

SMALL = 200_000
LARGE = 200_000_000
MARGIN = 40_000_000


def send(url: str, content: Path) -> str:
    command = ["curl", "--silent", "--show-error", "--max-time", "100", "--form", f"image=@{content}", f"{url}/upload"]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="there is no /proc to read the memory from")
def test_200_megabytes_cost_no_more_memory_than_200_kilobytes(tmp_path: Path) -> None:
    for name, size in (("small", SMALL), ("large", LARGE)):
        (tmp_path / name).write_bytes(picture())
        os.truncate(tmp_path / name, size)
    (tmp_path / "archive").mkdir()
    command = [sys.executable, "-m", "tests.journey.test_server_memory", str(tmp_path / "archive")]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True) as server:
        assert server.stdout
        assert server.stdin
        url = server.stdout.readline().strip()
        for _ in range(5):
            assert '"queued"' in send(url, tmp_path / "small")
        before = peak(server.pid)
        assert '"queued"' in send(url, tmp_path / "large")
        after = peak(server.pid)
        assert after - before < MARGIN
        server.stdin.close()
    stored = sorted(p.stat().st_size for p in (tmp_path / "archive").rglob("image.*"))
    assert stored == [SMALL] * 5 + [LARGE]


async def main(root: Path) -> None:
    """Serve a directory archive until stdin ends."""
    archive = DirectoryArchive(root)
    house = House(archive, await records.identify(archive), EmbeddedQueue(archive, 16))
    parts = Parts(house, archive.spool, Limits(), Room(archive), Waiters())
    web = WebServer(create_app(parts), parts.limits, ("127.0.0.1", 0))
    await web.start()
    print(f"http://127.0.0.1:{web.port}", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await web.stop()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
