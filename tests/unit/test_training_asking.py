"""What is asked of training, and what is wrong with it, found out before the first hour of work."""

import json
from pathlib import Path

import pytest

from rayhound.domain import BadRequest, Misconfigured, NotFound, RayhoundError
from rayhound.settings import DEFAULT_MODEL
from tests import pictures
from training import asking
from training.recipe import RECIPES

LINES = ("hen,train,yard", "cow,train,yard", "hen,val,yard", "cow,val,yard", "neither,train,meadow", "hen,train,meadow")


def folder(at: Path, *lines: str) -> Path:
    """A folder with a drawn image for each line of its manifest."""
    at.mkdir(exist_ok=True)
    named = [f"{number}.png,{line}" for number, line in enumerate(lines)]
    for number in range(len(lines)):
        pictures.scene((40, 30)).save(at / f"{number}.png")
    (at / "manifest.csv").write_text("\n".join(["path,labels,split,source", *named, ""]))
    return at


def asked(at: Path, *more: str, lines: tuple[str, ...] = LINES) -> asking.Task:
    """The task of a folder with these lines, its results beside it."""
    return asking.task(asking.arguments([str(folder(at / "images", *lines)), str(at / "out"), *more]), "frugal")


def test_a_task_is_what_the_command_line_asks_for(tmp_path: Path) -> None:
    task = asked(tmp_path, "--rehearse", "meadow", "--whole", "cow", "--seed", "7")
    assert (task.labels, task.seed) == (("cow", "hen"), 7)
    assert task.whole == {"cow"}
    assert task.recipe == RECIPES["frugal"]
    assert [rehearsal.held_out for rehearsal in task.rehearsals] == [{"meadow"}]
    assert task.begin is None
    assert task.is_learnt(task.rehearsals[0].held_out).tolist() == [True, True, False, False, False, False]


def test_models_to_begin_from_are_read_at_once(tmp_path: Path) -> None:
    begin = ("--begin", str(DEFAULT_MODEL))
    task = asked(tmp_path, "--recipe", "further", "--rehearse", "meadow", *begin, *begin)
    assert task.begin
    assert task.begin.name.startswith("pets@")
    assert task.rehearsals[0].begin
    with pytest.raises(NotFound, match=r"none\.onnx"):
        asked(tmp_path, "--begin", "none.onnx")


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        (("--rehearse", "meadow,wood"), "--rehearse names 'wood', which no image has as source"),
        (("--whole", "radiograph"), "--whole names 'radiograph', which no image has as label"),
        (("--sources", "wood"), "--sources names 'wood'"),
        (("--sources", "meadow"), "no image of the split val shows 'hen'"),
        (("--rehearse", "yard"), "no image of the split train without yard shows 'cow'"),
    ],
)
def test_what_no_image_has_is_refused(more: tuple[str, ...], complaint: str, tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=complaint) as refused:
        asked(tmp_path, *more)
    assert refused.value.hint
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        (("neither,train,yard", "neither,val,yard"), "no image has a label"),
        (("uncertain,train,yard", "uncertain,val,yard"), "a label is 'uncertain'"),
        (("hen,train,yard", "cow,val,yard"), "no image of the split train shows 'cow'"),
        ((), "no image has a label"),
    ],
)
def test_labels_that_cannot_be_learnt_are_refused(lines: tuple[str, ...], complaint: str, tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=complaint):
        asked(tmp_path, lines=lines)


def test_results_of_another_run_are_not_gone_on_with(tmp_path: Path) -> None:
    asked(tmp_path)
    asked(tmp_path, "--name", "farm")
    with pytest.raises(BadRequest, match=r"holds a run with other seed$") as refused:
        asked(tmp_path, "--seed", "2")
    assert "name another folder" in refused.value.hint
    with pytest.raises(BadRequest, match=r"with other images, rehearsals$"):
        asked(tmp_path, "--rehearse", "meadow", lines=(*LINES, "cow,train,wood"))
    assert json.loads((tmp_path / "out" / "asked.json").read_text())["seed"] == 1


def test_a_run_is_gone_on_with_from_wherever_its_images_are_named_but_not_with_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked(tmp_path)
    monkeypatch.chdir(tmp_path)
    asking.task(asking.arguments(["images", "out"]), "frugal")
    with (tmp_path / "images" / "0.png").open("ab") as file:
        file.write(b"another picture")
    with pytest.raises(BadRequest, match=r"with other images$"):
        asking.task(asking.arguments(["images", "out"]), "frugal")


@pytest.mark.parametrize("content", ["", "[1]", "{}"])
def test_a_note_of_the_run_that_is_spoilt_is_refused(content: str, tmp_path: Path) -> None:
    asked(tmp_path)
    (tmp_path / "out" / "asked.json").write_text(content)
    with pytest.raises(RayhoundError, match=r"cannot be used|holds a run"):
        asked(tmp_path)


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(Misconfigured, match="cannot be used"):
        asked(tmp_path)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--begin", "m.onnx", "--rehearse", "a"), "--begin is asked 2 times"),
        (("--recipe", "further"), "--begin and --recipe further go together"),
        (("--rehearse", " , "), "--rehearse: the sources to hold out are asked"),
        (("--name", "my farm"), "--name: 1 to 64 letters"),
        (("--version", ""), "--version: 1 to 64 letters"),
    ],
)
def test_words_that_make_no_sense_are_refused(
    words: tuple[str, ...], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        asking.arguments(["images", "out", *words])
    assert ended.value.code == 2
    assert complaint in capsys.readouterr().err
