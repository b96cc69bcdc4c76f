"""`rayhound requeue`, `check`, `classify` and `model`: what needs no server."""

import asyncio
import json
from pathlib import Path

import pytest

from rayhound import records
from rayhound.cli import main
from rayhound.domain import Header, Upload, new_image_id
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
    assert printed.err == "1 image queued again; it begins within 75 s\n"


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
        f"{failed}  next try, number 1",
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
    assert archive.endswith("is not there yet; `rayhound up` makes it")
    assert model.startswith("model    failed  ")
    assert hint.startswith("         hint:   ")
    assert not (tmp_path / "later").exists()


def test_classify_prints_a_record_without_ids(cat: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["classify", "--json", str(cat)]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["path"], record["contains"], record["width"], record["height"]) == (str(cat), "cat", 451, 300)
    assert set(record["model"]) == {"name", "version", "sha256"}
    assert not {"image_id", "correlation_id"} & set(record)


def test_classify_goes_on_after_a_file_that_is_no_image(cat: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["classify", __file__, "no/such/file", str(cat)]) == 1
    printed = capsys.readouterr()
    assert [line.split()[1] for line in printed.out.splitlines()[1:]] == ["failed", "failed", "analysed"]
    assert "hint:" in printed.err


def test_model_prints_what_the_file_says_of_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert {"name", "version", "labels", "sha256"} <= set(said)
