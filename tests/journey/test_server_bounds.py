"""Clients that are slow, silent, too many or no clients at all, on real sockets."""

import json
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rayhound.domain import Limits
from tests.brokers import free_ports
from tests.journey.serving import PATIENCE, Served, answer, closed, eventually, get, picture, served, upload
from tests.journey.upping import Process

LIMITS = Limits(silence=1, keep_alive=60, upload=5, connections=3, linger=2)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path, LIMITS) as running:
        yield running


def is_problem(text: str) -> bool:
    head, _, content = text.partition("\r\n\r\n")
    said = json.loads(content)
    return "application/problem+json" in head and "nosniff" in head and bool(said["detail"] and said["hint"])


def drip(connection: socket.socket) -> None:
    for _ in range(200):
        time.sleep(0.05)
        connection.sendall(b"a")


def test_a_connection_that_says_nothing_is_closed(server: Served) -> None:
    with server.connect() as mute:
        assert closed(mute)


def test_a_header_that_drips_in_for_ever_is_closed(server: Served) -> None:
    with server.connect() as slow:
        slow.sendall(get("/livez") + b"GET /livez HTTP/1.1\r\nX: ")
        assert answer(slow)[0] == 200
        with pytest.raises(ConnectionError):
            drip(slow)


def test_a_connection_between_two_requests_is_kept_longer_than_a_half_sent_header(server: Served) -> None:
    with server.connect() as patient:
        patient.sendall(get("/livez"))
        assert answer(patient)[0] == 200
        time.sleep(3 * LIMITS.silence)
        patient.sendall(get("/livez"))
        assert answer(patient)[0] == 200


def test_a_connection_is_not_kept_for_ever(tmp_path: Path) -> None:
    with served(tmp_path, Limits(keep_alive=1)) as server, server.connect() as idle:
        idle.sendall(get("/livez"))
        assert answer(idle)[0] == 200
        assert closed(idle)


@pytest.mark.parametrize("role", ["up", "serve"])
def test_how_long_a_connection_is_kept_is_a_setting(tmp_path: Path, role: str) -> None:
    port, nobody = free_ports(2)
    settings = {
        "RAYHOUND_ARCHIVE": str(tmp_path / "data"),
        "RAYHOUND_QUEUE": f"amqp://127.0.0.1:{nobody}",
        "RAYHOUND_HOST": "127.0.0.1",
        "RAYHOUND_PORT": str(port),
        "RAYHOUND_KEEP_ALIVE_SECONDS": "1",
    }
    (tmp_path / "data").mkdir()
    command = (sys.executable, "-m", "rayhound", role)
    with (
        Process(tmp_path / "log", port, command, settings),
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as idle,
    ):
        idle.sendall(get("/livez"))
        assert answer(idle)[0] == 200
        assert closed(idle)


def test_an_upload_that_falls_silent_is_408_and_leaves_nothing(server: Served) -> None:
    with server.connect() as silent:
        silent.sendall(upload(picture() + bytes(3_000_000))[:2_000_000])
        assert eventually(lambda: len(server.spooled()) == 1)
        status, text = answer(silent)
    assert status == 408
    assert is_problem(text)
    assert eventually(lambda: server.spooled() == [])


def test_an_upload_that_drips_in_for_ever_is_408(server: Served) -> None:
    with server.connect() as slow:
        slow.sendall(upload(picture() + bytes(1000))[:300])
        slow.settimeout(0.1)
        began = time.monotonic()
        while time.monotonic() - began < 60:
            try:
                assert answer(slow)[0] == 408
                return
            except TimeoutError:
                slow.sendall(b"a")
    pytest.fail("it is still being received")


def test_a_client_that_stops_half_way_leaves_nothing(server: Served) -> None:
    with server.connect() as leaving:
        leaving.sendall(upload(picture() + bytes(3_000_000))[:2_000_000])
        assert eventually(lambda: len(server.spooled()) == 1)
    assert eventually(lambda: server.spooled() == [])
    with server.connect() as asking:
        asking.sendall(get("/images"))
        assert '"images":[]' in answer(asking)[1]


def test_a_reader_that_takes_nothing_is_dropped(server: Served) -> None:
    with server.connect() as sender:
        sender.sendall(upload(picture() + bytes(20_000_000)))
        url = json.loads(answer(sender)[1].partition("\r\n\r\n")[2])["status_url"]
    with socket.socket() as lazy:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.connect(("127.0.0.1", server.web.port))
        lazy.sendall(get(url + "/content"))
        connections = server.web._server.server_state.connections  # looked at from behind
        assert eventually(lambda: len(connections) == 1)
        assert eventually(lambda: len(connections) == 0)


def test_a_reader_that_is_only_slow_gets_everything(server: Served) -> None:
    content = picture() + bytes(12_000_000)
    with server.connect() as sender:
        sender.sendall(upload(content))
        url = json.loads(answer(sender)[1].partition("\r\n\r\n")[2])["status_url"]
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        slow.connect(("127.0.0.1", server.web.port))
        slow.sendall(get(url + "/content"))
        got, began = b"", time.monotonic()
        while len(got.partition(b"\r\n\r\n")[2]) < len(content):
            piece = slow.recv(65_536)
            assert piece, f"dropped after {len(got)} bytes and {time.monotonic() - began:.1f} s"
            got += piece
            time.sleep(0.01)


def test_connections_over_the_limit_are_told_so_and_probes_are_still_answered(tmp_path: Path) -> None:
    with served(tmp_path, Limits(connections=2)) as server:
        friends = [server.connect() for _ in range(2)]
        for friend in friends:
            friend.sendall(get("/livez"))
            assert answer(friend)[0] == 200
        with server.connect() as surplus:
            surplus.sendall(get("/images"))
            status, text = answer(surplus)
            assert status == 503
            assert is_problem(text)
            assert "retry-after" in text
            assert closed(surplus)
        with server.connect() as probe:
            probe.sendall(get("/livez"))
            assert answer(probe)[0] == 200
        for friend in friends:
            friend.close()


def test_far_too_many_connections_are_closed_unheard(tmp_path: Path) -> None:
    with served(tmp_path, Limits(connections=1)) as server:
        first, second, third = (server.connect() for _ in range(3))
        assert closed(third)
        for connection in (first, second, third):
            connection.close()


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b"garbage\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 70_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 5_000_000 + b"\r\n\r\n", 431),
        (b"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
    ],
)
def test_what_is_no_http_is_answered_with_a_problem(server: Served, said: bytes, status: int) -> None:
    with server.connect() as rude:
        rude.sendall(said)
        got, text = answer(rude)
        assert got == status
        assert is_problem(text)
        assert "bytearray" not in text
        assert status != 431 or "longer than 64 KB" in text
        assert closed(rude)


def test_a_broken_chunk_ends_the_upload_and_leaves_nothing(server: Served) -> None:
    head = upload(b"").partition(b"Content-Length")[0]
    with server.connect() as rude:
        rude.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n3\r\n--X\r\nnonsense\r\n")
        status, text = answer(rude)
        assert status == 400
        assert is_problem(text)
        assert closed(rude)
    assert eventually(lambda: server.spooled() == [])


def test_answers_are_sent_at_once_and_not_held_back_by_nagles_algorithm(server: Served) -> None:
    with server.connect() as client:
        client.sendall(get("/livez"))
        assert answer(client)[0] == 200
        (connection,) = server.web._server.server_state.connections  # looked at from behind
        taken = connection.transport.get_extra_info("socket")
        assert taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_websocket_is_answered_in_plain_http(server: Served) -> None:
    asked = get("/images").replace(b"Host", b"Connection: Upgrade\r\nUpgrade: websocket\r\nHost")
    with server.connect() as client:
        client.sendall(asked)
        assert answer(client)[0] == 200


def test_pipelined_requests_are_answered_in_order_each_with_its_own_correlation_id(server: Served) -> None:
    first, second = (
        get("/images").replace(b"Host", b"X-Correlation-ID: %b\r\nHost" % name) for name in (b"one", b"two")
    )
    with server.connect() as client:
        client.sendall(first + second + get("/livez"))
        texts = ""
        while texts.count("HTTP/1.1 200") < 3 or not texts.endswith("}"):
            texts += client.recv(65536).decode()
    one, two, none = texts.split("HTTP/1.1 200")[1:]
    assert "x-correlation-id: one" in one
    assert "x-correlation-id: two" in two
    assert "x-correlation-id" not in none
