"""Uploads as a benchmark sends them: over kept connections, and from a process of its own, whose CPU is told."""

import json
import resource
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from http.client import HTTPConnection
from pathlib import Path

SENDERS = 8
TRIES = 3


@dataclass(frozen=True)
class Sent:
    """The seconds that each upload took, sorted, and the CPU seconds of the sender."""

    times: list[float]
    cpu: float

    def milliseconds(self, percent: int) -> float:
        """What so many percent of the uploads did not take longer than."""
        return 1000 * self.times[(len(self.times) - 1) * percent // 100]


def sent(port: int, photos: list[Path], count: int, senders: int = SENDERS) -> Sent:
    """Upload so many images over some connections at the same time."""
    command = [sys.executable, "-m", "benchmarks.sending", str(port), str(count), str(senders), *map(str, photos)]
    return Sent(**json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout))


def send(port: int, count: int, senders: int, *photos: str) -> Sent:
    """What the process that sends does."""
    contents = [Path(photo).read_bytes() for photo in photos]
    began = _cpu()

    def one(first: int) -> list[float]:
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        return [_post(connection, contents[n % len(contents)]) for n in range(first, count, senders)]

    with ThreadPoolExecutor(senders) as threads:
        times = sorted(t for share in threads.map(one, range(senders)) for t in share)
    return Sent(times, _cpu() - began)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _post(connection: HTTPConnection, content: bytes) -> float:
    """Upload one image, again where a store was in doubt, as any client would; the seconds until its 202 was read."""
    head = b'--X\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n\r\n'
    began = time.monotonic()
    body = head + content + b"\r\n--X--\r\n"
    for _ in range(TRIES):
        connection.request("POST", "/upload", body, {"Content-Type": "multipart/form-data; boundary=X"})
        answer = connection.getresponse()
        said = answer.read()
        if answer.status != 503:
            break
    assert answer.status == 202, said
    return time.monotonic() - began


if __name__ == "__main__":
    port, count, senders, *photos = sys.argv[1:]
    print(json.dumps(asdict(send(int(port), int(count), int(senders), *photos))))
