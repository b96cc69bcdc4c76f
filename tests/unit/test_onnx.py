"""The classifier, and the model files that it takes and refuses."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from rayhound.adapters.onnx import OnnxClassifier
from rayhound.domain import MODEL_WORD, Contains, Misconfigured
from rayhound.settings import DEFAULT_MODEL
from tests import guides, pictures
from tests.models import described


def test_nothing_is_reported_to_the_makers_of_the_runtime(tmp_path: Path) -> None:
    """Where it reports, it keeps an id of this machine and what is still to be sent in the home folder."""
    load = (
        "from rayhound.adapters import onnx; from rayhound.settings import DEFAULT_MODEL as m; onnx.OnnxClassifier(m)"
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ORT_", "XDG_"))}
    environment = kept | {"HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", load], env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert not list(tmp_path.iterdir())


def test_the_model_that_comes_along_describes_itself() -> None:
    classifier = OnnxClassifier(DEFAULT_MODEL)
    assert MODEL_WORD.fullmatch(classifier.model.name)
    assert len(classifier.model.sha256) == 64
    about = classifier.description()
    assert (about["labels"], about["whole"]) == ("cat,dog,radiograph", "radiograph")
    assert about["side"] == str(classifier.side)
    assert len(about["temperatures"].split(",")) == len(about["thresholds"].split(",")) == 3
    assert {"input", "trained_on", "rights", "figures", "date", "commit"} <= set(about)
    assert about["sha256"] == classifier.model.sha256


def test_an_empty_picture_is_neither_and_all_scores_are_probabilities() -> None:
    said = OnnxClassifier(DEFAULT_MODEL).classify(Image.new("RGB", (500, 375), "white"))
    assert said.contains == Contains.NEITHER
    assert said.scores.keys() == {"cat", "dog", "radiograph"}
    assert all(0 <= score <= 1 for score in said.scores.values())
    assert said.note is None


@pytest.mark.parametrize(
    ("thresholds", "contains"),
    [
        ("0,1,1", Contains.CAT),
        ("1,0,1", Contains.DOG),
        ("0,0,1", Contains.BOTH),
        ("1,1,1", Contains.NEITHER),
        ("0:1,0,1", Contains.UNCERTAIN),
        ("1,1,0", Contains.UNCERTAIN),
        ("1,1,0:1", Contains.UNCERTAIN),
    ],
)
def test_the_file_s_own_thresholds_decide(thresholds: str, contains: Contains, tmp_path: Path) -> None:
    classifier = OnnxClassifier(described(tmp_path / "model.onnx", thresholds=thresholds))
    assert classifier.classify(pictures.scene()).contains == contains


@pytest.mark.parametrize(
    ("thresholds", "note"),
    [
        ("0:1,1,1", "cat is neither below 0 nor above 1"),
        ("0,0,0", "this is a radiograph; the model was not taught to tell what a radiograph shows"),
        ("0,0,0:1", "this may be a radiograph; the model was not taught to tell what a radiograph shows"),
    ],
)
def test_who_is_uncertain_says_why(thresholds: str, note: str, tmp_path: Path) -> None:
    said = OnnxClassifier(described(tmp_path / "model.onnx", thresholds=thresholds)).classify(pictures.scene())
    assert (said.contains, said.note) == (Contains.UNCERTAIN, note)


def test_a_label_is_of_the_whole_picture_only_where_the_file_says_so(tmp_path: Path) -> None:
    path = described(tmp_path / "model.onnx", thresholds="0,1,0", whole="")
    assert OnnxClassifier(path).classify(pictures.scene()).contains == "cat+radiograph"


FARM = {"name": "farm", "version": "3", "labels": "hen,horse,cow", "whole": ""}


@pytest.mark.parametrize(
    ("thresholds", "contains"),
    [
        ("0,1,1", "hen"),
        ("1,0,0", "horse+cow"),
        ("0,0,0", "hen+horse+cow"),
        ("1,1,1", "neither"),
        ("0,0:1,0", "uncertain"),
    ],
)
def test_a_model_of_other_labels_answers_with_those(thresholds: str, contains: str, tmp_path: Path) -> None:
    classifier = OnnxClassifier(described(tmp_path / "farm.onnx", **FARM, thresholds=thresholds))
    said = classifier.classify(pictures.scene())
    assert (said.contains, list(said.scores)) == (contains, ["hen", "horse", "cow"])


def test_a_cat_and_a_dog_are_one_answer_in_any_order(tmp_path: Path) -> None:
    about = {"labels": "dog,cow,cat", "whole": "", "thresholds": "0,1,0"}
    assert OnnxClassifier(described(tmp_path / "m.onnx", **about)).classify(pictures.scene()).contains == Contains.BOTH


def test_the_guide_brings_a_model_of_other_labels(tmp_path: Path) -> None:
    described(tmp_path / "farm.onnx", **FARM, thresholds="0,0.3:0.8,1")
    pictures.scene().save(tmp_path / "cat.png")
    (block,) = guides.blocks("docs/guides/models.md", "run beside farm.onnx")
    told = guides.run(block, tmp_path, {})
    assert "hen,horse,cow" in told
    assert " hen " in told.splitlines()[-1]


@pytest.mark.parametrize(
    ("about", "complaint"),
    [
        ({"name": ""}, "the name ''"),
        ({"name": ".hidden"}, "the name '.hidden'"),
        ({"name": "a/b"}, "the name 'a/b'"),
        ({"name": "n" * 65}, "the name 'nnn"),
        ({"version": "1 beta"}, "the version '1 beta'"),
        ({"labels": "cat,cat,dog"}, "the labels 'cat,cat,dog'"),
        ({"labels": "cat,dog,neither"}, "the labels 'cat,dog,neither'"),
        ({"labels": "cat,dog,a+b"}, r"the labels 'cat,dog,a\+b'"),
        ({"labels": "cat,dog"}, r"answers with \['batch', 3\]"),
        ({"whole": "hen"}, "the whole labels 'hen'"),
        ({"whole": "cat,dog,radiograph"}, "the whole labels 'cat,dog,radiograph'"),
        ({"thresholds": "0.8:0.2,0.5,0.5"}, "the thresholds '0.8:0.2,0.5,0.5'"),
        ({"thresholds": "0.1:0.2:0.3,0.5,0.5"}, "the thresholds '0.1:0.2:0.3,0.5,0.5'"),
        ({"thresholds": "0.5"}, "the thresholds '0.5'"),
        ({"thresholds": "0.5,0.5,nan"}, "the thresholds '0.5,0.5,nan'"),
        ({"thresholds": "high,low,low"}, "could not convert string to float"),
    ],
)
def test_a_file_that_describes_itself_badly_is_refused(about: dict[str, str], complaint: str, tmp_path: Path) -> None:
    path = described(tmp_path / "model.onnx", **about)
    with pytest.raises(Misconfigured, match=complaint) as refused:
        OnnxClassifier(path)
    assert "RAYHOUND_MODEL" in refused.value.hint


def test_a_missing_file_and_one_that_is_no_model_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="No such file"):
        OnnxClassifier(tmp_path / "none.onnx")
    (tmp_path / "cat.onnx").write_bytes(b"meow")
    with pytest.raises(Misconfigured, match="no ONNX model"):
        OnnxClassifier(tmp_path / "cat.onnx")
