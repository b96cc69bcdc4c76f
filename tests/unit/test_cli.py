"""The command line as a whole: help, errors, colours, start-up."""

import subprocess
import sys
from pathlib import Path

import pytest

from rayhound import __version__
from rayhound.cli import console, folder, images, main

HEAVY = ("fastapi", "httpx", "numpy", "onnxruntime", "PIL", "uvicorn", "structlog", "prometheus_client")


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"rayhound {__version__}\n"


def test_help_names_every_command_and_gives_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    printed = capsys.readouterr().out
    for command in ("up", "upload", "show", "list", "classify", "model", "evaluate", "check", "requeue"):
        assert f" {command} " in printed
    assert "rayhound upload cat.jpg holiday/" in printed


def test_starting_loads_nothing_that_only_a_command_needs() -> None:
    told = f"import sys, rayhound.cli; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["fly"], "error: No such command 'fly'.\nhint: see rayhound --help\n"),
        (["upload"], "error: Missing argument 'PATH'.\nhint: see rayhound upload --help\n"),
    ],
)
def test_a_wrong_command_line_is_told_with_a_hint(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", said)


def test_a_path_that_is_not_there_is_told_with_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["upload", "no/such/cat.jpg"]) == 1
    assert capsys.readouterr().err == f"error: there is no file or folder 'no/such/cat.jpg'\nhint: {folder.HINT}\n"


def test_a_fault_of_ours_is_told_in_words_and_never_as_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(images, "_shown", lambda *given: 1 // 0)
    assert main(["show", "x"]) == 1
    told = capsys.readouterr().err
    assert told.startswith("error: ZeroDivisionError")
    assert "please report it" in told
    assert "Traceback" not in told


def test_a_setting_that_nothing_reads_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RAYHOUND_PROT", "5001")
    monkeypatch.setenv("RAYHOUND_SERVER", "http://127.0.0.1:5001")
    main(["check", "--data", str(tmp_path)])
    told = capsys.readouterr().err
    assert "warning: RAYHOUND_PROT is no setting of Rayhound" in told
    assert "RAYHOUND_SERVER" not in told


def test_a_bad_setting_is_named_with_a_hint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RAYHOUND_PORT", "many")
    assert main(["check", "--data", str(tmp_path)]) == 1
    assert capsys.readouterr().err == "error: RAYHOUND_PORT is 'many'\nhint: give it a whole number from 0 to 65535\n"


def test_columns_are_whole_and_nothing_in_them_moves_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    console.table(("NAME", "STATUS"), [("a\x1b[2J\nb", "analysed"), ("x" * 200, "failed")])
    head, first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(r"a\x1b[2J\nb ")
    assert second == "x" * 200 + "  failed"
    assert head.index("STATUS") == first.index("analysed") == 202


def test_a_pipe_that_closes_early_is_no_error() -> None:
    shell = f"{sys.executable} -m rayhound --help | head -n 1"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True)
    assert done.stderr == ""


def test_output_that_nobody_reads_any_longer_ends_quietly_with_141(cat: Path) -> None:
    shell = f"{sys.executable} -m rayhound classify --json {cat} | :; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("141\n", "")


def test_help_shows_no_type_beside_a_flag(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("upload", "list", "requeue"):
        assert main([command, "--help"]) == 0
    assert "<bool>" not in capsys.readouterr().out


def test_a_word_that_is_no_choice_is_told_in_plain_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--status", "lost"]) == 2
    assert "'--status': 'lost' is not one of 'queued'" in capsys.readouterr().err


def test_a_hint_names_the_files_that_it_concerns(capsys: pytest.CaptureFixture[str]) -> None:
    console.hints_about([("b", "save it"), ("a", ""), ("c", "wait"), ("a", "save it")])
    assert capsys.readouterr().err == "hint: b and 1 more: save it\nhint: c: wait\n"


def test_a_column_without_any_cell_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    console.table(("NAME", "SIZE", "STATUS"), [("a", "", "queued")])
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [["NAME", "STATUS"], ["a", "queued"]]
