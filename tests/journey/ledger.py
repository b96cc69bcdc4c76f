"""What clients were told, and the judgement that follows from it alone."""

import hashlib
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache, partial

import httpx

from tests.journey.upping import PATIENCE, Server, within
from tests.pictures import encoded, scene


@dataclass
class Ledger:
    """What the clients were told: for each Idempotency-Key the ids of its 202s, and the SHA-256 of what they sent."""

    told: dict[str, set[str]] = field(default_factory=dict)
    sha256: dict[str, str] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def accepted(self, key: str, image_id: str, content: bytes) -> None:
        with self.lock:
            self.told.setdefault(key, set()).add(image_id)
            self.sha256[image_id] = hashlib.sha256(content).hexdigest()

    def __len__(self) -> int:
        return len(self.told)


@cache
def picture() -> bytes:
    """What every client sends."""
    return encoded(scene((320, 240)), "JPEG")


def send_until_accepted(servers: Sequence[Server], ledger: Ledger, number: int) -> None:
    """One client: it retries with its key until it reads a 202, and then sometimes sends it once more."""
    content = picture() + b"%06d" % number  # what follows a JPEG's end is ignored by readers
    key = f"image-{number}"
    again = number % 10 == 0
    for attempt, _ in enumerate(within(4 * PATIENCE), number):
        try:
            answer = servers[attempt % len(servers)].send(content, **{"Idempotency-Key": key})
        except httpx.TransportError:
            continue
        if answer.status_code == 202:
            ledger.accepted(key, answer.json()["image_id"], content)
            if not again:
                return
            again = False
        else:
            assert answer.status_code in (429, 503), answer.text
    raise AssertionError(f"image {number} was never accepted")


def all_ids(server: Server) -> list[str]:
    """Every image that the server lists."""
    ids, before = [], ""
    while True:
        page = server.http.get(f"/images?limit=200{before}").json()
        ids += [image["image_id"] for image in page["images"]]
        if page["before"] is None:
            return ids
        before = f"&before={page['before']}"


@dataclass(frozen=True)
class Verdict:
    """What became of what was promised."""

    uploads: int
    lost: int
    doubled: int
    failed: int

    def __str__(self) -> str:
        return f"{self.uploads} uploads, {self.lost} lost, {self.doubled} doubled, {self.failed} failed"


def judge(server: Server, ledger: Ledger, logs: Sequence[Server]) -> Verdict:
    """Wait for every answer, and compare what lies there with what was sent.

    Doubled are two ids for one key, and two `analysed` log lines for one image and model.
    """
    with ThreadPoolExecutor(4) as threads:
        records = list(threads.map(partial(server.answered, seconds=10 * PATIENCE), ledger.sha256))
        contents = list(threads.map(lambda i: server.http.get(f"/images/{i}/content").content, ledger.sha256))
    ended = sum(record["status"] in ("analysed", "failed") for record in records)
    sha256 = [hashlib.sha256(content).hexdigest() for content in contents]
    changed = sum(found != sent for found, sent in zip(sha256, ledger.sha256.values(), strict=True))
    listed = all_ids(server)
    analysed = [(line["image_id"], line["model"]) for log in logs for line in log.events("analysed")]
    twins = sum(len(ids) - 1 for ids in ledger.told.values())
    unknown = len(set(listed) - set(ledger.sha256))
    doubled = twins + unknown + len(listed) - len(set(listed)) + len(analysed) - len(set(analysed))
    failed = sum(record["status"] == "failed" for record in records)
    return Verdict(len(ledger), len(ledger.sha256) - ended + changed, doubled, failed)
