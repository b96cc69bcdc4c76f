"""Clients that send each upload once, and the judgement of what they were told."""

import hashlib
import http.client
import json
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from tests.cluster.kubernetes import Namespace
from tests.journey.ledger import picture
from tests.journey.upping import PATIENCE, Server, within

AT_ONCE = 4  # clients; every other one keeps its connection
BOUNDARY = "of-the-tests"


@dataclass(frozen=True)
class Told:
    """What one upload was told: a status and the id with a 202, or the trouble that came instead."""

    sha256: str
    status: int | None = None
    image_id: str | None = None
    trouble: str | None = None


class Clients:
    """Some clients that upload at the same time, each upload once: no client tries again what failed.

    Half of the uploads go over connections that are kept, half over new ones. They send `content`, each time with
    another number behind it. Each client rests between two, `rest` seconds, which may be changed so that something can
    happen to the server meanwhile. Leaving the block waits for all.
    """

    def __init__(self, server: Server, uploads: int, content: bytes | None = None) -> None:
        self.told: list[Told] = []
        self.rest = 0.0
        self._content = content or picture()
        self._address = (str(server.http.base_url.host), server.port)
        self._uploads = uploads
        self._lock, self._over = threading.Lock(), threading.Event()
        self._threads = ThreadPoolExecutor(AT_ONCE)

    def __enter__(self) -> Self:
        self._clients = [self._threads.submit(self._upload_all, number) for number in range(AT_ONCE)]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._over.set()
        self._threads.shutdown()
        for client in self._clients:
            client.result()

    def reach(self, uploads: int) -> None:
        """Wait until so many uploads have been told something."""
        for _ in within(2 * PATIENCE):
            if len(self.told) >= uploads:
                return
        raise AssertionError(f"only {len(self.told)} of {uploads} uploads were answered")

    @property
    def accepted(self) -> dict[str, str]:
        """The SHA-256 of what was answered 202, by its id."""
        return {told.image_id: told.sha256 for told in self.told if told.image_id is not None}

    @property
    def failed(self) -> list[Told]:
        """Whatever was told anything but 202."""
        return [told for told in self.told if told.status != 202]

    def _upload_all(self, first: int) -> None:
        keeps = first % 2 == 0
        with closing(self._connection()) as kept:
            for number in range(first, self._uploads, AT_ONCE):
                if keeps:
                    told = sent(kept, number, self._content)
                else:
                    with closing(self._connection()) as new:
                        told = sent(new, number, self._content)
                with self._lock:
                    self.told.append(told)
                if self._over.wait(self.rest):
                    return

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(*self._address, timeout=PATIENCE)


def sent(connection: http.client.HTTPConnection, number: int, image: bytes) -> Told:
    """Send one upload, another image for each number; a connection that ended with its last answer is opened anew."""
    content = image + b"%06d" % number  # what follows the end of a JPEG or PNG is ignored by readers
    sha256 = hashlib.sha256(content).hexdigest()
    disposition = f'Content-Disposition: form-data; name="image"; filename="{number}.jpg"'
    body = f"--{BOUNDARY}\r\n{disposition}\r\n\r\n".encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()
    try:
        connection.request("POST", "/upload", body, {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"})
        answer = connection.getresponse()
        said = answer.read()
    except (OSError, http.client.HTTPException) as e:
        connection.close()
        return Told(sha256, trouble=repr(e))
    if answer.status == 202:
        return Told(sha256, 202, json.loads(said)["image_id"])
    return Told(sha256, answer.status, trouble=said.decode(errors="replace"))


@dataclass(frozen=True)
class Verdict:
    """What became of uploads: `failed` were told anything but 202, `lost` were told 202 and it was not kept to."""

    uploads: int
    failed: int
    lost: int
    why: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.uploads} uploads, {self.failed} failed, {self.lost} lost"


def judge(clients: Clients, server: Server, claim: Namespace | None = None) -> Verdict:
    """Wait until everything that was accepted is answered, and see whether its bytes are there and one analysis.

    `claim` is where a claim holds the archive: then the analyses are counted in its files as well.
    """
    ids = list(clients.accepted)
    with ThreadPoolExecutor(AT_ONCE) as threads:
        records = dict(zip(ids, threads.map(lambda i: server.answered(i, 10 * PATIENCE), ids), strict=True))
        contents = dict(
            zip(ids, threads.map(lambda i: server.http.get(f"/images/{i}/content").content, ids), strict=True)
        )
    counts = Counter({i: len(records[i]["analyses"]) for i in ids}) if claim is None else analyses(claim)
    lost = [
        i
        for i in ids
        if hashlib.sha256(contents[i]).hexdigest() != clients.accepted[i]
        or (records[i]["status"], len(records[i]["analyses"]), counts[i]) != ("analysed", 1, 1)
    ]
    why = [*(str(told) for told in clients.failed), *(f"{counts[i]} analyses, {records[i]}" for i in lost)]
    return Verdict(len(clients.told), len(clients.failed), len(lost), tuple(why))


def analyses(namespace: Namespace) -> Counter[str]:
    """How many analyses lie on the claim, for each image, whatever a web server says of it."""
    pod = namespace.pods("web-server")[0]["metadata"]["name"]
    look = ["exec", pod, "--", "find", "/data/images", "-name", "analysis.*.json"]
    return Counter(path.split("/")[-2] for path in namespace.kubectl(*look).splitlines())
