"""`rayhound requeue`, `check`, `classify` and `model`: what needs no server."""

import asyncio
import json
from pathlib import Path

import pytest

from rayhound import records
from rayhound.cli import main
from rayhound.domain import Header, Upload, new_image_id
from rayhound.server import room
from rayhound.settings import Settings
from rayhound.wiring.archive import open_archive

MODEL = "pets@1-00000000"


def archive_with(folder: Path, *facts: str) -> list[str]:
    """An archive that holds one accepted image for each of these facts, which may be none; the ids of the images."""
    upload = Upload(Header("JPEG", "image/jpeg", "jpg", 1, 1), 3, "00")
    ids = [new_image_id() for _ in facts]

    async def fill() -> None:
        async with open_archive(Settings(archive=folder)) as opened:
            archive = opened.archive
            await records.identify(archive)
            for image_id, fact in zip(ids, facts, strict=True):
                accepted = records.acceptance(image_id, upload, None)
                await archive.put(records.accepted_key(image_id), records.dumps(accepted))
                if fact:
                    await archive.put(f"{records.folder(image_id)}{fact}.json", b"{}")

    folder.mkdir(exist_ok=True)
    asyncio.run(fill())
    return ids


def markers(folder: Path) -> dict[str, int]:
    """The images that are asked for, and in which try."""
    found = (json.loads(path.read_text()) for path in (folder / "outbox").glob("*"))
    return {content["accepted"]["image_id"]: content["retry"] for content in found}


def test_requeue_asks_for_what_is_queued_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    queued, _, _ = archive_with(tmp_path, "", f"analysis.{MODEL}", f"failed.{MODEL}.0")
    assert main(["requeue", "--data", str(tmp_path)]) == 0
    assert markers(tmp_path) == {queued: 0}
    printed = capsys.readouterr()
    assert f"{queued}  queued again" in printed.out
    assert printed.err == "1 image queued again; it begins within 15 s\n"


def test_requeue_failed_asks_for_the_next_try(tmp_path: Path) -> None:
    queued, failed = archive_with(tmp_path, "", f"failed.{MODEL}.2")
    assert main(["requeue", "--failed", "--data", str(tmp_path)]) == 0
    assert markers(tmp_path) == {queued: 0, failed: 3}


def test_requeue_of_given_ids_leaves_what_is_analysed_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    analysed, failed, _ = archive_with(tmp_path, f"analysis.{MODEL}", f"failed.{MODEL}.0", "")
    assert main(["requeue", "--data", str(tmp_path), analysed, failed]) == 0
    assert markers(tmp_path) == {failed: 1}
    assert capsys.readouterr().out.splitlines() == [
        f"{analysed}  analysed already, left",
        f"{failed}  queued again, try 2",
    ]


def test_requeue_of_an_unknown_id_makes_the_exit_status_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive_with(tmp_path)
    assert main(["requeue", "--data", str(tmp_path), "../../etc", new_image_id()]) == 1
    assert capsys.readouterr().out.count("unknown to this archive") == 2


def test_a_dry_run_does_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (queued,) = archive_with(tmp_path, "")
    assert main(["requeue", "--dry-run", "--data", str(tmp_path)]) == 0
    assert markers(tmp_path) == {}
    printed = capsys.readouterr()
    assert queued in printed.out
    assert printed.err == "1 image would be queued again; nothing was done\n"


def test_check_says_a_line_for_each_part(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--data", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [["archive", "ok"], ["queue", "ok"], ["model", "ok"]]
    assert not list((tmp_path / "outbox").glob("*"))


def test_check_says_what_is_wrong_with_a_hint_and_looks_at_the_rest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "model.onnx").write_text("no model")
    assert main(["check", "--data", str(tmp_path / "later"), "--model", str(tmp_path / "model.onnx")]) == 1
    archive, _, model, hint = capsys.readouterr().out.splitlines()
    assert "is not there yet; `rayhound up` makes it" in archive
    assert model.startswith("model    failed  ")
    assert hint.startswith("         hint:   ")
    assert not (tmp_path / "later").exists()


def test_check_refuses_a_folder_that_cannot_be_made(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--data", "/proc/rayhound"]) == 1
    assert capsys.readouterr().out.startswith("archive  failed  the folder /proc/rayhound cannot be made: ")


@pytest.mark.parametrize("made", [True, False])
def test_check_fails_where_uploads_would_be_refused_for_want_of_room(
    made: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(room, "reserve", lambda storage: storage.free + 1)
    assert main(["check", "--data", str(tmp_path if made else tmp_path / "later")]) == 1
    archive, hint, *_ = capsys.readouterr().out.splitlines()
    assert archive.startswith("archive  failed  ")
    assert archive.endswith(" must stay free")
    assert hint == "         hint:   free some space, or give the archive more"
    assert not list(tmp_path.glob(".rayhound-*"))


def test_requeue_elsewhere_names_data_in_its_hint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["requeue", "--data", str(tmp_path / "elsewhere")]) == 1
    assert "name it with --data" in capsys.readouterr().err


def test_requeue_counts_what_waits_already(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive_with(tmp_path, "", "")
    main(["requeue", "--data", str(tmp_path)])
    capsys.readouterr()
    assert main(["requeue", "--data", str(tmp_path)]) == 0
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "0 images queued again\n2 waiting already\n")


def test_requeue_tells_what_failed_without_a_number(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (failed,) = archive_with(tmp_path, f"failed.{MODEL}.0")
    assert main(["requeue", "--data", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"{failed}  failed; ask for it with --failed or by its id\n"


def test_requeue_takes_a_model_by_name_and_version(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (image,) = archive_with(tmp_path, f"analysis.{MODEL}")
    asked = ["requeue", "--data", str(tmp_path), "--model"]
    assert main([*asked, "pets@1"]) == 0
    assert capsys.readouterr().err == "0 images queued again\n"
    assert main([*asked, "pets@2"]) == 0
    assert capsys.readouterr().out == f"{image}  queued again\n"
    assert main([*asked, "pets"]) == 2
    assert "'pets' is no NAME@VERSION" in capsys.readouterr().err


def test_classify_prints_a_record_without_ids(cat: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["classify", "--json", str(cat)]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["path"], record["contains"], record["width"], record["height"]) == (str(cat), "cat", 451, 300)
    assert set(record["model"]) == {"name", "version", "sha256"}
    assert not {"image_id", "correlation_id"} & set(record)


def test_classify_goes_on_after_a_file_that_is_no_image(cat: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["classify", __file__, str(cat)]) == 1
    printed = capsys.readouterr()
    assert [line.split()[1] for line in printed.out.splitlines()[1:]] == ["refused", "analysed"]
    assert f"hint: {__file__}: " in printed.err


def test_classify_takes_folders_as_upload_does(tmp_path: Path, cat: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "cat.png").write_bytes(cat.read_bytes())
    (tmp_path / "notes.txt").write_text("words")
    assert main(["classify", "--json", str(tmp_path)]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["path"] == str(tmp_path / "cat.png")
    assert printed.err == f"skipped {tmp_path / 'notes.txt'}: does not look like an image\n"


def test_model_prints_what_the_file_says_of_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert {"name", "version", "sha256"} <= set(said)
    assert (said["labels"], said["whole"]) == (["cat", "dog", "radiograph"], ["radiograph"])
    assert [type(value) for value in (said["side"], *said["temperatures"])] == [int, float, float, float]
    assert len(said["thresholds"]) == 3
    assert all(0 < lower < upper < 1 for lower, upper in said["thresholds"])
