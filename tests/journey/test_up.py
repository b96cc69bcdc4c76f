"""Everything in one process, as a stranger runs it: whole days of small misfortunes."""

import csv
import hashlib
import os
import signal
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.journey.upping import PATIENCE, Up, other_runs, within
from tests.pictures import encoded, scene

DOG = encoded(scene(), "JPEG")


@pytest.fixture
def up(tmp_path: Path, free_port: int) -> Up:
    return Up(tmp_path / "data", free_port)


def images(folder: Path) -> list[Path]:
    """Every stored image of an archive."""
    return sorted(folder.glob("2*/*/*/*/image.*"))


def test_an_image_goes_in_and_an_answer_comes_out(up: Up) -> None:
    with up:
        answer = up.send(DOG, **{"X-Correlation-ID": "case-7"})
        assert answer.status_code == 202
        assert answer.headers["X-Correlation-ID"] == "case-7"
        image_id = answer.json()["image_id"]
        record = up.answered(image_id)
        assert (record["status"], record["correlation_id"]) == ("analysed", "case-7")
        assert (record["format"], record["width"], record["height"], record["bytes"]) == ("JPEG", 160, 120, len(DOG))
        assert record["sha256"] == hashlib.sha256(DOG).hexdigest()
        for name in ("accepted", "retrieved", "analysed"):
            assert [e["correlation_id"] for e in up.events(name)] == ["case-7"], name
        assert up.stop() == 0
    assert list((up.data / "outbox").iterdir()) == []
    assert [p.name for p in (up.data / ".spool").iterdir()] == []


def test_a_log_that_cannot_be_written_stops_nothing(up: Up) -> None:
    up.log = Path("/dev/full")
    with up:
        assert up.answered(up.accepted(DOG))["status"] == "analysed"
        assert up.stop() == 0


def test_a_second_one_on_the_same_folder_says_so_and_stops(up: Up) -> None:
    with up, other_runs(up) as second:
        out, told = second.communicate(timeout=PATIENCE)
        assert second.returncode == 1
        assert out == b""
        assert b"error: another `rayhound up` works on" in told
        assert b"hint: " in told
        assert b"Traceback" not in told


def test_a_port_that_is_taken_is_named(up: Up) -> None:
    with up:
        other = subprocess.run(
            [*up.command[:-4], "--data", f"{up.data}2", "--port", str(up.port)], capture_output=True, timeout=PATIENCE
        )
        assert other.returncode == 1
        assert str(up.port).encode() in other.stderr
        assert b"hint: " in other.stderr


def told(up: Up, *options: str) -> str:
    """What `rayhound up` says when it cannot start."""
    ended = subprocess.run([*up.command, *options], capture_output=True, text=True, timeout=PATIENCE)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert "hint: " in ended.stderr
    assert "Traceback" not in ended.stderr
    return ended.stderr


def test_a_folder_of_somebody_elses_is_not_made_an_archive(up: Up) -> None:
    up.data.mkdir()
    (up.data / "holiday.jpg").write_bytes(DOG)
    assert "holiday.jpg" in told(up)
    assert [p.name for p in up.data.iterdir()] == ["holiday.jpg"]


def test_a_model_file_that_is_not_there_is_named(up: Up) -> None:
    assert "nosuch.onnx" in told(up, "--model", "nosuch.onnx")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_kindly_and_finishes_what_is_in_flight(up: Up, number: int) -> None:
    with up:
        ids = [up.accepted(DOG) for _ in range(20)]
        os.kill(up.pid, number)
        assert up.wait() == 0
        assert "Traceback" not in up.log.read_text()
        up.start()
        assert {up.answered(i)["status"] for i in ids} == {"analysed"}


def test_a_client_that_stops_half_way_leaves_nothing(up: Up) -> None:
    with up:
        head = (
            "POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n"
            "Content-Type: multipart/form-data; boundary=X\r\n\r\n"
            '--X\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n\r\n'
        )
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", up.port)) as client:
                client.sendall(head.encode() + DOG + bytes(400_000))
        for _ in within(PATIENCE):
            if not list((up.data / ".spool").iterdir()):
                break
        assert list((up.data / ".spool").iterdir()) == []
        assert images(up.data) == []
        assert not (up.data / "outbox").exists() or list((up.data / "outbox").iterdir()) == []


def test_every_sample_goes_through_and_dicom_is_refused_kindly(up: Up, samples: Path) -> None:
    with (samples / "manifest.csv").open() as manifest:
        labels = {row["path"]: row["label"] for row in csv.DictReader(manifest)}
    pictures = [p for kind in ("photos", "radiographs") for p in sorted((samples / kind).iterdir())]
    assert len(pictures) > 50
    with up:
        with ThreadPoolExecutor(4) as threads:
            ids = list(threads.map(lambda p: up.accepted(p.read_bytes()), pictures))
            records = list(threads.map(up.answered, ids))
        assert {r["status"] for r in records} == {"analysed"}
        right = [
            r["contains"] == labels.get(str(p.relative_to(samples))) for p, r in zip(pictures, records, strict=True)
        ]
        photos = right[: sum(p.parent.name == "photos" for p in pictures)]
        assert sum(photos) >= 0.9 * len(photos)
        for dicom in sorted((samples / "dicom").iterdir()):
            answer = up.send(dicom.read_bytes())
            assert answer.status_code == 415, dicom.name
            assert answer.json()["hint"]
        assert len(images(up.data)) == len(pictures)


@pytest.fixture
def small_disk(tmp_path: Path) -> Path:
    """A file system of 64 MB, half of which is reserve."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", folder], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("mounting a small file system needs root")
    return folder


def test_a_full_disk_refuses_uploads_and_recovers_by_itself(small_disk: Path, free_port: int) -> None:
    big = DOG + bytes(6_000_000)
    up = Up(small_disk / "data", free_port)
    up.log = small_disk.parent / "up.log"
    try:
        with up:
            up.until_ready()
            kept = []
            for _ in range(20):
                answer = up.send(big)
                if answer.status_code == 507:
                    break
                kept.append(answer.json()["image_id"])
                time.sleep(0.3)
            assert answer.status_code == 507, "the disk never filled"
            assert answer.json()["hint"]
            assert len(kept) >= 3
            ballast = small_disk / "ballast"
            fill(ballast)
            assert up.send(DOG).status_code == 507
            assert up.ready()[0] == 200, "a full disk is shown, and not unready"
            assert not up.ready()[1]["checks"]["archive"]["ok"]
            assert list((up.data / ".spool").iterdir()) == []
            ballast.unlink()
            assert {up.answered(i)["status"] for i in kept} == {"analysed"}, "what was accepted is analysed"
            assert len(images(up.data)) == len(kept)
            for image in images(up.data)[1:]:  # how many there are depends on how fast they came
                image.unlink()
            for _ in within(PATIENCE):
                if (answer := up.send(DOG)).status_code == 202:
                    break
            assert answer.status_code == 202, answer.text
            assert up.answered(answer.json()["image_id"])["status"] == "analysed"
    finally:
        subprocess.run(["umount", "-l", small_disk], check=True)


def fill(path: Path) -> None:
    """Take every byte that is left."""
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(65536))
        except OSError:
            return


def test_accepted_images_are_analysed_though_the_disk_is_full_to_the_last_byte(
    small_disk: Path, free_port: int
) -> None:
    up = Up(small_disk / "data", free_port)
    up.log = small_disk.parent / "up.log"
    try:
        with up:
            os.kill(analyser_of(up), signal.SIGSTOP)
            ids = [up.accepted(DOG) for _ in range(3)]
            fill(small_disk / "ballast")
            os.kill(analyser_of(up), signal.SIGCONT)
            time.sleep(2)
            (small_disk / "ballast").unlink()
            assert {up.answered(i)["status"] for i in ids} == {"analysed"}
    finally:
        subprocess.run(["umount", "-l", small_disk], check=True)


def analyser_of(up: Up) -> int:
    """The process id of one of its analysers."""
    up.until_ready()
    return int(Path(f"/proc/{up.pid}/task/{up.pid}/children").read_text().split()[0])
