"""How a web server ends: it goes on accepting for a while, then finishes what is in flight, and loses no upload."""

import asyncio
import socket
import threading
import time
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from rayhound.adapters.memory import MemoryArchive
from rayhound.domain import Limits, Misconfigured
from rayhound.ports import Put
from rayhound.server import WebServer, create_app
from tests.journey.serving import answer, closed, eventually, get, picture, served, upload

LIMITS = Limits(silence=15, linger=1)


class Slow(MemoryArchive):
    """An archive that takes a while to keep an image."""

    begun = False

    async def put(self, key: str, content: bytes | Path) -> Put:
        if isinstance(content, Path):
            self.begun = True
            await asyncio.sleep(0.5)
        return await super().put(key, content)


def test_while_it_drains_it_accepts_and_closes_each_connection_with_its_answer(tmp_path: Path) -> None:
    with served(tmp_path, LIMITS) as server, server.connect() as kept:
        kept.sendall(get("/livez"))
        assert "connection: close" not in answer(kept)[1]
        ended = server.begin(server.web.drain(4))
        time.sleep(0.2)
        kept.sendall(upload(picture()))
        status, text = answer(kept)
        assert status == 202
        assert "connection: close" in text
        assert closed(kept)
        with server.connect() as probe:
            probe.sendall(get("/readyz"))
            assert answer(probe)[0] == 200
        ended()
        with pytest.raises(ConnectionRefusedError):
            server.connect()


def test_an_upload_in_flight_is_finished_after_the_listener_is_closed(tmp_path: Path) -> None:
    with served(tmp_path, LIMITS) as server, server.connect() as sender:
        whole = upload(picture() + bytes(3_000_000))
        sender.sendall(whole[:2_000_000])
        assert eventually(lambda: len(server.spooled()) == 1)
        with capture_logs() as lines:
            ended = server.begin(server.web.drain(0))
            assert eventually(lambda: refuses(server.web.port))
            sender.sendall(whole[2_000_000:])
            assert answer(sender)[0] == 202
            ended()
        assert [line["event"] for line in lines] == ["draining", "accepted", "stopped"]
        assert lines[0]["in_flight"] == 1


def test_an_idle_connection_and_a_waiting_one_do_not_hold_the_end_up(tmp_path: Path) -> None:
    with served(tmp_path, Limits()) as server, server.connect() as idle, server.connect() as waiting:
        idle.sendall(get("/livez"))
        assert answer(idle)[0] == 200
        idle.sendall(upload(picture()))
        url = answer(idle)[1].split('"status_url":"')[1].split('"')[0]
        waiting.sendall(get(url).replace(b"Host", b"Prefer: wait=60\r\nHost"))
        time.sleep(0.2)
        server.begin(server.web.drain(0))()
        assert answer(waiting)[0] == 200
        assert closed(idle)


def test_a_hanging_sender_holds_the_end_up_for_a_bounded_time(tmp_path: Path) -> None:
    with served(tmp_path, Limits(silence=1)) as server, server.connect() as hanging:
        hanging.sendall(upload(picture() + bytes(3_000_000))[:2_000_000])
        assert eventually(lambda: len(server.spooled()) == 1)
        server.begin(server.web.drain(0))()
        assert server.spooled() == []


@pytest.mark.parametrize("ending", ["the client goes", "the server stops"])
def test_an_acceptance_that_has_begun_runs_to_its_end(tmp_path: Path, ending: str) -> None:
    archive = Slow()
    with served(tmp_path, LIMITS, archive) as server:
        sender = server.connect()
        sender.sendall(upload(picture()))
        assert eventually(lambda: archive.begun)
        sender.close()
        if ending == "the server stops":
            server.begin(server.web.stop())()
            assert accepted(archive)
        assert eventually(lambda: bool(accepted(archive)) and server.spooled() == [])


def test_no_upload_is_lost_by_senders_that_open_a_new_connection_when_told_to(tmp_path: Path) -> None:
    answers: list[int] = []

    def send(port: int, stop: threading.Event) -> None:
        while not stop.is_set():
            with socket.create_connection(("127.0.0.1", port), timeout=20) as sender:
                for _ in range(1000):
                    sender.sendall(upload(picture()))
                    status, text = answer(sender)
                    answers.append(status)
                    if "connection: close" in text or stop.is_set():
                        break

    archive = MemoryArchive()
    with served(tmp_path, LIMITS, archive) as server:
        stop = threading.Event()
        senders = [threading.Thread(target=send, args=(server.web.port, stop)) for _ in range(4)]
        for sender in senders:
            sender.start()
        ended = server.begin(server.web.drain(4))
        time.sleep(0.5)
        stop.set()
        for sender in senders:
            sender.join(20)
        ended()
    assert set(answers) == {202}
    assert len(accepted(archive)) == len(answers)


def test_an_address_that_is_taken_is_refused_with_a_hint(tmp_path: Path) -> None:
    with served(tmp_path, LIMITS) as server:
        second = WebServer(create_app(server.parts), server.parts.limits, ("127.0.0.1", server.web.port))
        with pytest.raises(Misconfigured, match=f"cannot listen on 127.0.0.1 port {server.web.port}") as refused:
            server.begin(second.start())()
        assert refused.value.hint


def accepted(archive: MemoryArchive) -> list[str]:
    return [key for key in archive.objects if key.endswith("/accepted.json")]


def refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return True
    return False
