"""`rayhound upload`, `show` and `list`, against a small server that can be unkind."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from rayhound import client
from rayhound.cli import main, progress, upload
from rayhound.cli.folder import find
from rayhound.client import Client
from rayhound.domain import Unavailable
from tests.unit.small_server import DROPPED, small_server

JPEG = b"\xff\xd8\xff\xe0 and so on"


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "cat.jpg"
    path.write_bytes(JPEG)
    return path


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "LONGEST_PAUSE", 0.01)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_an_image_is_sent_and_its_answer_printed(picture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with small_server() as server:
        assert main(["upload", "--server", server.url, str(picture)]) == 0
    printed = capsys.readouterr()
    head, row = printed.out.splitlines()
    assert head.split() == ["IMAGE", "ID", "STATUS", "ANSWER", "SCORES", "SIZE"]
    assert row.split()[2:] == ["analysed", "cat", "cat", "0.998", "dog", "0.001", "451×300"]
    assert printed.err.startswith("1/1 ")


def test_json_lines_are_records_with_their_path(picture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with small_server(contains="dog+cat") as server:
        assert main(["upload", "--json", "--server", server.url, str(picture)]) == 0
        (line,) = lines(capsys)
    assert (line["path"], line["status"], line["contains"]) == (str(picture), "analysed", "dog+cat")
    assert list(server.images) == [line["image_id"]]


@pytest.mark.parametrize("unkind", [[503, 503], [429], [502], [504], [DROPPED], [DROPPED, 503, DROPPED]])
def test_what_fails_on_the_way_is_sent_again_and_makes_one_image(picture: Path, quick: None, unkind: list[int]) -> None:
    with small_server(unkind) as server:
        assert main(["upload", "--server", server.url, str(picture)]) == 0
    assert len(server.keys) == len(unkind) + 1
    assert len(set(server.keys)) == len(server.images) == 1


@pytest.mark.parametrize("status", [400, 413, 415, 422, 507])
def test_a_refusal_is_final_and_told_with_its_hint(
    picture: Path, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with small_server([status]) as server:
        assert main(["upload", "--json", "--server", server.url, str(picture)]) == 1
    printed = capsys.readouterr()
    line = json.loads(printed.out)
    assert (line["status"], line["reason"], line["hint"]) == ("refused", "not now", f"a hint about {status}")
    assert f"hint: {picture}: a hint about {status}" in printed.err
    assert len(server.keys) == 1


def test_one_refused_image_does_not_stop_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(9):
        (tmp_path / f"{number}.jpg").write_bytes(JPEG)
    (tmp_path / "liar.jpg").write_bytes(b"<svg/>")
    with small_server() as server:
        assert main(["upload", "--json", "--server", server.url, str(tmp_path)]) == 1
        ends = [line["status"] for line in lines(capsys)]
    assert sorted(ends) == ["analysed"] * 9 + ["refused"]


def test_an_image_that_failed_makes_the_exit_status_1(picture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture.write_bytes(b"nobody can read this")
    with small_server() as server:
        assert main(["upload", "--json", "--server", server.url, str(picture)]) == 1
        (line,) = lines(capsys)
    assert (line["status"], line["reason"]) == ("failed", "it ends too early")


def test_with_no_wait_it_is_enough_that_the_image_is_accepted(
    picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with small_server() as server:
        assert main(["upload", "--no-wait", "--json", "--server", server.url, str(picture)]) == 0
        (line,) = lines(capsys)
        assert line["status"] == "queued"
        assert not server.looks


def test_a_server_that_was_never_there_is_not_waited_for(picture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with small_server() as server:
        gone = server.url
    assert main(["upload", "--server", gone, str(picture)]) == 1
    told = capsys.readouterr()
    assert "gives no answer" in told.err
    assert "hint: is `rayhound up` running there?" in told.err
    assert "not sent, as far as is known: 1 of 1 images" in told.err
    assert "trying" not in told.err
    assert told.out == ""
    assert main(["upload", "--json", "--server", gone, str(picture)]) == 1
    assert lines(capsys) == [{"path": str(picture), "status": "not sent"}]


def test_a_server_that_stays_away_ends_the_upload(
    picture: Path, quick: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(upload, "PATIENCE", 0.05)
    with small_server([503] * 1000) as server:
        assert main(["upload", "--server", server.url, str(picture)]) == 1
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "not now; trying again for up to a minute"
    assert told[-2:] == ["error: not now", "hint: a hint about 503"]


def test_trouble_that_lasts_is_told_again(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with progress.Progress(1) as shown:
        shown.trouble("away")
        shown.trouble("away")
        monkeypatch.setattr(progress, "SAY_AGAIN", 0.0)
        shown.trouble("away")
    assert capsys.readouterr().err == "away; trying again for up to a minute\naway; still trying\n"


@pytest.mark.parametrize("command", ["upload", "classify"])
def test_a_pipe_is_refused_and_never_opened(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert main([command, str(tmp_path / "pipe")]) == 1
    assert f"error: '{tmp_path / 'pipe'}' is neither a file nor a folder" in capsys.readouterr().err


def test_ctrl_c_tells_what_was_accepted_and_leaves_no_traceback(picture: Path) -> None:
    with small_server(answers=False) as server:
        command = [sys.executable, "-m", "rayhound", "upload", "--server", server.url, str(picture)]
        sending = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 30
        while not server.looks and time.monotonic() < deadline:
            time.sleep(0.05)
        sending.send_signal(signal.SIGINT)
        out, err = sending.communicate(timeout=30)
    assert sending.returncode == 130
    assert next(iter(server.images)) in out
    assert "queued" in out
    assert err == ""


def test_ctrl_c_gives_what_was_not_sent_a_json_line(picture: Path) -> None:
    with small_server([503] * 1000) as server:
        command = [sys.executable, "-m", "rayhound", "upload", "--json", "--server", server.url, str(picture)]
        sending = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 30
        while not server.keys and time.monotonic() < deadline:
            time.sleep(0.05)
        sending.send_signal(signal.SIGINT)
        out, err = sending.communicate(timeout=30)
    assert sending.returncode == 130
    assert json.loads(out) == {"path": str(picture), "status": "not sent"}
    assert err.endswith("not sent, as far as is known: 1 of 1 images, a line each\n")


def test_a_folder_is_searched_for_images_alone(tmp_path: Path) -> None:
    for name, content in {
        "b.png": b"not even begun",
        "deep/a.jpeg": JPEG,
        "deep/unnamed": JPEG,
        "notes.txt": b"words",
        ".hidden/c.jpg": JPEG,
        ".d.jpg": JPEG,
        "old/archive.json": b"{}",
        "old/2026/11/23/x/image.jpg": JPEG,
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    found = {str(f.path.relative_to(tmp_path)): f.skipped for f in find([tmp_path])}
    assert found == {
        "b.png": None,
        "notes.txt": "does not look like an image",
        "deep/a.jpeg": None,
        "deep/unnamed": None,
        "old": "an archive of Rayhound",
    }


def test_a_file_that_is_named_is_always_sent(tmp_path: Path) -> None:
    (tmp_path / ".notes").write_text("words")
    assert [f.skipped for f in find([tmp_path / ".notes"])] == [None]


def test_show_prints_a_record(picture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with small_server() as server:
        main(["upload", "--server", server.url, str(picture)])
        (image_id,) = server.images
        capsys.readouterr()
        assert main(["show", "--server", server.url, image_id]) == 0
        assert "contains        cat" in capsys.readouterr().out.splitlines()
        assert main(["show", "--json", "--server", server.url, image_id, "none", image_id]) == 1
        assert [line["image_id"] for line in lines(capsys)] == [image_id] * 2


def test_show_of_an_unknown_image_is_an_error_with_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    with small_server() as server:
        assert main(["show", "--server", server.url, "../images"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "error: there is no image ..%2Fimages",
        "hint: a hint about 404",
    ]


def test_list_follows_the_cursor_as_far_as_the_limit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(5):
        (tmp_path / f"{number}.jpg").write_bytes(JPEG)
    with small_server() as server:
        main(["upload", "--server", server.url, str(tmp_path)])
        capsys.readouterr()
        assert main(["list", "--json", "--server", server.url, "--limit", "4"]) == 0
        assert [line["image_id"] for line in lines(capsys)] == sorted(server.images, reverse=True)[:4]


def test_a_client_without_patience_tries_once(picture: Path) -> None:
    async def send(server: str) -> None:
        async with Client(server) as client:
            await client.upload(picture)

    with small_server([503]) as server:
        with pytest.raises(Unavailable):
            asyncio.run(send(server.url))
        assert len(server.keys) == 1


@pytest.mark.parametrize("server", ["", "ftp://x", "http://", "http://[::1", "http://x:many"])
def test_an_address_that_is_none_is_refused_with_a_hint(server: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["upload", "--server", server, "no/such/file"]) == 2
    told = f"{server!r} is no address of a server\nhint: give it like http://127.0.0.1:5000\n"
    assert capsys.readouterr().err.endswith(told)


def test_an_address_without_a_scheme_is_one_of_http(picture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with small_server() as server:
        assert main(["list", "--server", server.url.removeprefix("http://")]) == 0


def test_a_server_that_cannot_answer_a_list_gives_its_hint(picture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for status in (503, 507):
        with small_server() as server:
            server.unkind_to_looks = [status]
            assert main(["list", "--server", server.url]) == 1
        assert capsys.readouterr().err == f"error: not now\nhint: a hint about {status}\n"
