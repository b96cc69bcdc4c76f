"""The whole process tree is SIGKILLed again and again while images come; the client's own ledger is the judge."""

import hashlib
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.journey.upping import PATIENCE, Up, within
from tests.pictures import encoded, scene

UPLOADS = 500
KILLS = 12
SENDERS = 4


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


def send_until_accepted(up: Up, ledger: Ledger, number: int) -> None:
    """One client: it retries with its key until it reads a 202, and then sometimes sends it once more."""
    content = encoded(scene((320, 240)), "JPEG") + b"%06d" % number  # what follows a JPEG's end is ignored by readers
    key = f"image-{number}"
    again = number % 10 == 0
    for _ in within(4 * PATIENCE):
        try:
            answer = up.send(content, **{"Idempotency-Key": key})
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


def kill_and_restart(up: Up, ledger: Ledger, sent: threading.Event) -> None:
    """Kill it as the ledger grows, at moments of chance."""
    chance = random.Random(4)
    for kill in range(1, KILLS + 1):
        wanted = kill * UPLOADS // (KILLS + 1)
        for _ in within(4 * PATIENCE, pause=0.01):
            if len(ledger) >= wanted or sent.is_set():
                break
        time.sleep(chance.uniform(0, 0.2))
        up.kill()
        up.start()


def all_ids(up: Up) -> list[str]:
    """Every image that the server lists."""
    ids, before = [], ""
    while True:
        page = up.http.get(f"/images?limit=200{before}").json()
        ids += [image["image_id"] for image in page["images"]]
        if page["before"] is None:
            return ids
        before = f"&before={page['before']}"


def test_nothing_accepted_is_lost_and_nothing_is_done_twice(tmp_path: Path, free_port: int) -> None:
    ledger, sent = Ledger(), threading.Event()
    began = time.monotonic()
    with Up(tmp_path / "data", free_port) as up:
        with ThreadPoolExecutor(SENDERS + 1) as threads:
            killing = threads.submit(kill_and_restart, up, ledger, sent)
            senders = [threads.submit(send_until_accepted, up, ledger, number) for number in range(UPLOADS)]
            try:
                for sender in senders:
                    sender.result()
            finally:
                sent.set()
                threads.shutdown(cancel_futures=True)
            killing.result()
        records = {image_id: up.answered(image_id) for image_id in ledger.sha256}
        lost = [i for i, record in records.items() if record["status"] not in ("analysed", "failed")]
        changed = [
            image_id
            for image_id, sha256 in ledger.sha256.items()
            if hashlib.sha256(up.http.get(f"/images/{image_id}/content").content).hexdigest() != sha256
        ]
        listed = all_ids(up)
        analysed = [(line["image_id"], line["model"]) for line in up.events("analysed")]
    twins = [key for key, ids in ledger.told.items() if len(ids) > 1]
    doubled = len(twins) + len(listed) - len(set(listed)) + len(analysed) - len(set(analysed))
    failed = sum(record["status"] == "failed" for record in records.values())
    print(
        f"\nkill journey: {len(ledger)} uploads, {KILLS} kills of the whole process tree, "
        f"{len(lost) + len(changed)} lost, {doubled} doubled, {failed} failed, in {time.monotonic() - began:.0f} s"
    )
    assert (len(ledger), lost, changed, twins) == (UPLOADS, [], [], [])
    assert len(listed) == len(set(listed)) == UPLOADS, "one key, one image"
    assert doubled == 0
