"""What training decides without PyTorch: what is read, drawn, calibrated, measured, and said of the model."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from rayhound.domain import BadRequest, Band, Unreadable
from rayhound.evaluation import figures
from rayhound.evaluation.answers import verdicts
from rayhound.evaluation.manifest import Row, labels_of, targets
from rayhound.evaluation.reliability import calibration_error
from tests import pictures
from tests.judging import LABELS, judged
from training import architecture, calibration, manifest, pixels, sampling, telling


def folder(at: Path, *lines: str, columns: str = "path,labels,split,source") -> Path:
    """A folder with the drawn images a.png, b.png and c.png, and a manifest of these lines."""
    for name in "abc":
        pictures.scene((40, 30)).save(at / f"{name}.png")
    (at / "manifest.csv").write_text("\n".join([columns, *lines]) + "\n")
    return at


def row(source: str, *labels: str) -> Row:
    """A row of a manifest."""
    return Row(Path("a.png"), frozenset(labels), "train", source)


def test_a_manifest_says_what_each_image_shows(tmp_path: Path) -> None:
    rows = manifest.read(folder(tmp_path, "a.png,dog + cat,train,web", "b.png,neither,val,web", "c.png,,train,shop"))
    assert [sorted(r.labels) for r in rows] == [["cat", "dog"], [], []]
    assert [(r.split, r.source) for r in rows] == [("train", "web"), ("val", "web"), ("train", "shop")]
    assert labels_of(rows) == ("cat", "dog")
    assert targets(rows, ("cat", "dog")).tolist() == [[1, 1], [0, 0], [0, 0]]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("d.png,cat,train,web", "line 3: there is no d.png"),
        ("b.png,cat,test,web", "line 3: the split is 'test'"),
        ("a.png,dog,val,shop", "line 3: a.png is in line 2 too"),
        ("b.png,dog+neither,train,web", "line 3: the label is 'dog.neither', where neither stands alone"),
        ('a.png,"cat,dog",train,web', "line 3: the label is 'cat,dog'"),
    ],
)
def test_a_wrong_line_of_a_manifest_is_named(line: str, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=complaint):
        manifest.read(folder(tmp_path, "a.png,cat,train,web", line))


def test_a_manifest_without_a_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="no column source"):
        manifest.read(folder(tmp_path, "a.png,cat,train", columns="path,label,split"))


def test_images_are_decoded_once_and_as_the_program_decodes_them(tmp_path: Path) -> None:
    rows = manifest.read(folder(tmp_path, "a.png,cat,train,web", "b.png,dog,train,web"))
    found = pixels.load(rows, 16, tmp_path)
    assert found.shape == (2, 16, 16, 3)
    assert np.array_equal(found[0], pixels.square(tmp_path / "a.png", 16))
    (tmp_path / "a.png").unlink()
    assert np.array_equal(pixels.load(rows, 16, tmp_path), found)


def test_an_image_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    rows = manifest.read(folder(tmp_path, "a.png,cat,train,web", "b.png,dog,train,web"))
    rows[1].path.write_bytes(b"no picture")
    with pytest.raises(Unreadable, match=r"1 of 2 images cannot be read: .*b\.png: ") as refused:
        pixels.load(rows, 16, tmp_path)
    assert "take them out of manifest.csv" in refused.value.hint
    assert list(tmp_path.glob("pixels*")) == []


def test_no_source_and_no_answer_drowns_the_others() -> None:
    rows = [row("large", "cat")] * 1000 + [row("small", "cat")] * 10 + [row("small", "dog")] * 10
    likely = sampling.weights(rows, {})
    assert likely[:1010].sum() == pytest.approx(likely[1010:].sum())
    assert likely[0] < likely[1000]
    assert likely[:1000].sum() / likely[1000:1010].sum() == pytest.approx(100 ** (1 - sampling.EVENNESS))


def test_the_same_seed_draws_the_same_images_and_every_one_as_often_as_is_due() -> None:
    likely = sampling.weights([row("a", "cat")] * 30 + [row("b")] * 3, {"neither": 2.0})
    first, again = (sampling.drawn(likely, 100, (7, 1)) for _ in range(2))
    assert first.tolist() == again.tolist()
    assert first.tolist() != sampling.drawn(likely, 100, (7, 2)).tolist()
    counts = np.bincount(first, minlength=33)
    assert (np.abs(counts - likely * 100) < 1).all()


def test_a_temperature_undoes_too_much_certainty() -> None:
    rng = np.random.default_rng(1)
    honest = rng.normal(0, 3, 20_000)
    shown = (rng.random(20_000) < calibration.sigmoid(honest)).astype(float)
    assert calibration.temperature(honest * 2.5, shown) == pytest.approx(2.5, rel=0.05)
    scores = calibration.sigmoid(honest)[:, None]
    error = calibration_error(scores, shown[:, None] > 0.5)
    worse = calibration_error(calibration.sigmoid(honest * 2.5)[:, None], shown[:, None] > 0.5)
    assert error is not None
    assert worse is not None
    assert error < 0.01 < worse


def test_a_band_leaves_out_what_would_be_wrong_and_answers_as_much_as_is_asked() -> None:
    scores = np.array([[0.01]] * 50 + [[0.99]] * 45 + [[0.6]] * 5)
    shown = np.array([[0.0]] * 50 + [[1.0]] * 45 + [[0.0]] * 5)
    found = calibration.band(scores, shown, answered=0.95)
    assert found.lower <= 0.6 < found.upper
    assert verdicts(scores, [found]).ravel().tolist() == [0] * 50 + [1] * 45 + [-1] * 5
    everything = calibration.band(scores, shown, answered=0.96)
    assert (verdicts(scores, [everything]) >= 0).all()


def test_a_label_of_the_whole_picture_has_the_lowest_threshold_that_hardly_any_other_reaches() -> None:
    scores = np.array([0.01] * 1998 + [0.13, 0.47] + [0.2, 0.9])
    shown = np.array([0.0] * 2000 + [1.0, 1.0])
    assert calibration.split(scores, shown) == Band(0.05, 0.5)
    assert calibration.split(scores[1500:], shown[1500:]) == Band(0.5, 0.5)


def test_scores_become_logits_and_come_back() -> None:
    scores = np.array([0.001, 0.5, 0.98])
    assert calibration.sigmoid(calibration.logits(scores)) == pytest.approx(scores)


def test_what_was_not_measured_has_no_figure() -> None:
    found = figures.figures(judged(("radiograph", (0.0, 0.0, 1.0))), [Band(0.5, 0.5)] * 3)
    assert found["right_of_answered"] is None
    assert found["calibration_error"] is None
    assert "–" in telling.table({"here": found})


def test_the_file_says_who_it_is_and_how_its_scores_become_answers() -> None:
    model = telling.Model(
        name="house",
        version="2",
        labels=LABELS,
        whole=frozenset({"radiograph"}),
        side=224,
        temperatures=(1.25, 0.5, 1),
        bands=(Band(0.2, 0.8), Band(0.2, 0.8), Band(0.5, 0.5)),
        trained_on="ten images",
        rights="ours",
        date="2026-11-26",
        commit="abc",
    )
    said = telling.metadata(model, {"answered": 0.95, "right_of_answered": None, "photos": 10})
    assert said["thresholds"] == "0.2:0.8,0.2:0.8,0.5"
    assert said["temperatures"] == "1.25,0.5,1"
    assert (said["labels"], said["whole"]) == ("cat,dog,radiograph", "radiograph")
    assert said["figures"] == "photos 10, answered 0.95"
    card = telling.card(model, {"here": figures.figures(judged(("cat", (0.9, 0.0, 0.0))), list(model.bands))})
    assert "house@2" in card
    assert "| here | 1 | 100.0 % |" in card


def test_what_a_model_learnt_from_is_counted_and_what_it_was_before_named() -> None:
    kept_back = Row(Path("a.png"), frozenset({"cat"}), "val", "c")
    rows = [row("a", "cat"), row("a", "dog", "cat"), row("b"), kept_back]
    said = "3 images of 2 sources: cat 1, cat+dog 1, neither 1"
    assert telling.summary(rows) == said
    assert telling.summary(rows, "farm@1") == f"{said}; begun from farm@1"


def test_padding_is_that_of_tensorflow() -> None:
    assert architecture.padding(224, 3, 2) == (0, 1)
    assert architecture.padding(112, 3, 1) == (1, 1)
    assert architecture.padding(56, 5, 2) == (1, 2)
    assert architecture.padding(7, 1, 1) == (0, 0)


@pytest.mark.parametrize(("network", "count", "last"), [("lite0", 16, 320), ("lite1", 21, 320), ("lite2", 21, 352)])
def test_a_larger_network_is_deeper_and_wider(network: str, count: int, last: int) -> None:
    shape = architecture.blocks(network)
    assert (len(shape), shape[-1].wide, shape[0].narrow) == (count, last, architecture.STEM)
    assert all(one.wide == other.narrow for one, other in pairwise(shape))
