"""A small server that speaks Rayhound's HTTP as clients see it, and can be told to be unkind first."""

import json
import re
import threading
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from rayhound.domain import new_image_id

DROPPED = 0  # the connection ends without an answer


class SmallServer(ThreadingHTTPServer):
    """Keeps what it is sent in memory: one image for each key, answered at the second look."""

    daemon_threads = True
    block_on_close = True

    def __init__(self, unkind: Iterable[int], contains: str, answers: bool) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.unkind = list(unkind)
        self.unkind_to_looks: list[int] = []
        self.contains = contains
        self.answers = answers
        self.images: dict[str, bytes] = {}
        self.ids: dict[str, str] = {}
        self.keys: list[str] = []
        self.looks: dict[str, int] = {}
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def record(self, image_id: str) -> dict[str, Any]:
        self.looks[image_id] = self.looks.get(image_id, 0) + 1
        record: dict[str, Any] = {"image_id": image_id, "correlation_id": image_id, "status": "queued"}
        record |= {"accepted_at": "2026-11-23T10:15:02.000Z", "file_name": "cat.jpg", "bytes": 3, "sha256": "00"}
        if b"nobody can read this" in self.images[image_id]:
            record |= {"status": "failed", "reason": "it ends too early"}
        elif self.answers and self.looks[image_id] > 1:
            record |= {"status": "analysed", "contains": self.contains, "scores": {"cat": 0.998, "dog": 0.001}}
            record |= {"width": 451, "height": 300}
        return record


class Answering(BaseHTTPRequestHandler):
    """One connection."""

    server: SmallServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.lock:
            key = str(self.headers["Idempotency-Key"])
            self.server.keys.append(key)
            status = self.server.unkind.pop(0) if self.server.unkind else 202
            if status in (202, DROPPED):  # a lost reply is lost after the image was accepted
                image_id = self.server.ids.setdefault(key, new_image_id())
                self.server.images[image_id] = body
        if b"\r\n\r\n<svg" in body:
            self.problem(415, "this is SVG")
        elif status != 202:
            self.problem(status, "not now")
        else:
            self.answer(202, {"image_id": image_id, "correlation_id": image_id, "status": "queued"})

    def do_GET(self) -> None:
        with self.server.lock:
            if self.server.unkind_to_looks:
                self.problem(self.server.unkind_to_looks.pop(0), "not now")
            elif match := re.fullmatch(r"/images/([^/?]+)", self.path):
                if not self.server.answers:
                    time.sleep(0.05)  # a little of what Prefer asks for
                known = match[1] in self.server.images
                if known:
                    self.answer(200, self.server.record(match[1]))
                else:
                    self.problem(404, f"there is no image {match[1]}")
            else:
                newest = sorted(self.server.images, reverse=True)
                before = re.search(r"before=([^&]+)", self.path)
                page = [i for i in newest if before is None or i < before[1]][:2]
                more = page[-1] if page and page[-1] != newest[-1] else None
                self.answer(200, {"images": [self.server.record(i) for i in page], "before": more})

    def problem(self, status: int, detail: str) -> None:
        if status == DROPPED:
            self.close_connection = True
            return
        self.answer(
            status, {"status": status, "detail": detail, "hint": f"a hint about {status}"}, {"Retry-After": "0"}
        )

    def answer(self, status: int, content: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def small_server(unkind: Iterable[int] = (), contains: str = "cat", answers: bool = True) -> Generator[SmallServer]:
    """A small server that runs; its first uploads are answered with these statuses."""
    with SmallServer(unkind, contains, answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
