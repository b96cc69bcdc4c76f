"""How good a model is: figures by hand, the pictures, and the command."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rayhound.cli import main
from rayhound.domain import Band
from rayhound.evaluation import figures, manifest, mistakes, pictures, reliability, risk, shares
from rayhound.evaluation.answers import Answers, Judged
from rayhound.evaluation.report import bins, confusion, report
from rayhound.evaluation.shares import Share
from tests import guides
from tests import pictures as drawn
from tests.judging import judged
from tests.models import described

BANDS = (Band(0.3, 0.8), Band(0.3, 0.8), Band(0.5, 0.5))
SEEN = judged(
    ("cat", (0.99, 0.01, 0.0)),
    ("dog", (0.6, 0.5, 0.0)),  # nobody knows, and the cat has the higher score
    ("cat+dog", (0.99, 0.98, 0.0)),
    ("neither", (0.01, 0.97, 0.0)),  # called a dog
    ("neither", (0.01, 0.01, 0.9)),  # taken for a radiograph
    ("radiograph", (0.01, 0.01, 0.99)),
)
SAID = ("cat", "uncertain", "dog+cat", "dog", "uncertain", "uncertain")


def answers(seen: Judged = SEEN) -> Answers:
    """What the scores amount to."""
    return Answers(seen, BANDS)


def test_the_figures_count_what_the_bars_are_about() -> None:
    found = figures.figures(SEEN, BANDS)
    assert (found["images"], found["photos"]) == (6, 5)
    assert found["answered"] == pytest.approx(3 / 5)
    assert found["right_of_answered"] == pytest.approx(2 / 3)
    assert found["one_against_another"] == pytest.approx(1 / 2)
    assert found["others_called"] == pytest.approx(1 / 2)
    assert found["whole_recognised"] == 1
    assert found["photos_taken_for_whole"] == pytest.approx(1 / 5)
    assert figures.by_source(SEEN, BANDS)["here"] == found


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [(8, 10, 0.4902, 0.9433), (0, 10, 0, 0.2775), (10, 10, 0.7225, 1), (950, 1000, 0.9347, 0.9619)],
)
def test_an_interval_is_wilsons(hits: int, of: int, low: float, high: float) -> None:
    assert Share(hits, of).interval == pytest.approx((low, high), abs=5e-5)


def test_a_share_of_nothing_is_none() -> None:
    assert Share(0, 0).told() == {"share": None, "low": None, "high": None, "hits": 0, "of": 0}


def test_precision_is_of_the_answers_that_name_a_label_and_recall_of_the_images_that_show_it() -> None:
    found = shares.by_label(answers())
    counted = {
        label: [(of[key]["hits"], of[key]["of"]) for key in ("precision", "recall")] for label, of in found.items()
    }
    assert counted == {"cat": [(2, 2), (2, 2)], "dog": [(1, 2), (1, 2)], "radiograph": [(1, 2), (1, 1)]}
    assert [of["images"] for of in found.values()] == [2, 2, 1]


def test_an_uncertain_answer_names_no_label_however_high_its_score() -> None:
    (cat, *_) = shares.by_label(answers(judged(("cat", (0.99, 0.5, 0.0))))).values()
    assert (cat["precision"]["of"], cat["recall"]["hits"], cat["recall"]["of"]) == (0, 0, 1)


def test_a_radiograph_called_a_cat_is_a_wrong_answer_and_no_cat_that_was_missed() -> None:
    found = shares.by_label(answers(judged(("radiograph", (0.9, 0.0, 0.1)), ("cat+radiograph", (0.0, 0.0, 0.9)))))
    assert (found["cat"]["precision"]["hits"], found["cat"]["precision"]["of"]) == (0, 1)
    assert found["cat"]["recall"]["of"] == 0


def test_the_confusion_table_sets_what_is_shown_against_what_was_said() -> None:
    assert confusion(answers(), SAID) == {
        "cat": {"cat": 1},
        "dog": {"uncertain": 1},
        "dog+cat": {"dog+cat": 1},
        "neither": {"uncertain": 1, "dog": 1},
        "radiograph": {"uncertain": 1},
    }


def test_calibration_is_measured_in_ten_bins_weighed_by_their_count() -> None:
    scores, shown = np.array([0.92, 0.98, 0.05, 1.0]), np.array([True, False, False, True])
    low, high = reliability.bins(scores, shown)
    assert [low.count, low.said, low.came] == pytest.approx([1, 0.05, 0])
    assert [high.count, high.said, high.came] == pytest.approx([3, 2.9 / 3, 2 / 3])
    assert reliability.calibration_error(scores, shown) == pytest.approx((0.05 + 3 * 0.3) / 4)
    assert reliability.calibration_error(scores[:0], shown[:0]) is None


def test_the_surer_a_model_must_be_the_fewer_answers_are_wrong() -> None:
    seen = judged(
        ("cat", (0.9, 0.1, 0.0)),  # right, and 0.9 sure
        ("dog", (0.0, 0.6, 0.0)),  # right, and 0.6 sure
        ("dog", (0.6, 0.0, 0.0)),  # wrong, and as sure
        ("cat", (0.9, 0.0, 0.8)),  # right, but more likely a radiograph: 0.2 sure
        ("radiograph", (0.0, 0.0, 1.0)),  # no photo
    )
    points = risk.curve(answers(seen))
    assert [(p.coverage, p.risk, round(p.certain, 6)) for p in points] == [
        (0.25, 0, 0.9),
        (0.75, pytest.approx(1 / 3), 0.6),
        (1, 0.25, 0.2),
    ]
    assert risk.at(points, (1.0, 0.9, 0.5, 0.1)) == (points[2], points[1], points[0])
    assert risk.at(risk.curve(answers(seen.only(np.array([False] * 4 + [True]))))) == ()


def test_the_worst_mistakes_are_the_surest_wrong_answers() -> None:
    seen = judged(
        ("neither", (0.9, 0.0, 0.0)),
        ("dog", (0.99, 0.0, 0.0)),
        ("cat", (0.5, 0.0, 0.0)),  # uncertain is no mistake
        ("cat", (0.99, 0.0, 0.97)),  # taken for a radiograph
        ("radiograph", (0.99, 0.0, 0.2)),  # answered as if it were a photo
        ("radiograph", (0.99, 0.0, 0.9)),  # recognised, whatever it shows
    )
    assert mistakes.worst(answers(seen)) == [1, 3, 0, 4]
    assert mistakes.worst(answers(seen), 1) == [1]


def test_a_report_is_json_and_leaves_open_what_was_not_measured() -> None:
    found = json.loads(json.dumps(report(answers(judged(("radiograph", (0.0, 0.0, 1.0)))), ["uncertain"])))
    assert found["right_of_answered"]["share"] is None
    assert found["labels"]["cat"]["recall"]["share"] is None
    assert (found["reliability"], found["risk"]) == ([], [])


@pytest.mark.parametrize("seen", [SEEN, SEEN.only(np.array([False] * 5 + [True]))], ids=["much", "nothing"])
def test_the_pictures_are_drawn_whatever_was_measured(seen: Judged) -> None:
    of = answers(seen)
    tiles = [pictures.Tile(drawn.scene((300, 10)), ("said dog, shows cat", "ünï", "x" * 200))] * 7
    charts = [pictures.reliability(bins(of), None), pictures.risk(risk.curve(of), (0.6, 1 / 3))]
    assert all(len(chart.getcolors(1 << 20) or ()) > 3 for chart in charts)
    assert pictures.sheet(tiles).height > pictures.sheet([]).height


def test_a_point_of_the_risk_lies_where_its_figures_say() -> None:
    chart = pictures.risk([], (0.5, 0.005))
    centre = (round(pictures.LEFT + pictures.SIDE / 2), round(pictures.ABOVE + pictures.SIDE / 2))
    assert chart.getpixel(centre) == pictures.INK
    assert pictures.risk([], None).getpixel(centre) != pictures.INK


def test_a_manifest_needs_a_path_and_a_label_alone(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("\ufeffpath,label\na.png,dog + cat\nb/c.png,neither\nd.png\n")
    rows = manifest.read(tmp_path / "manifest.csv")
    assert [sorted(row.labels) for row in rows] == [["cat", "dog"], [], []]
    assert [(row.path, row.split, row.source) for row in rows[:2]] == [
        (tmp_path / "a.png", "", ""),
        (tmp_path / "b/c.png", "", ""),
    ]
    assert manifest.labels_of(rows) == ("cat", "dog")


def folder(at: Path, lines: Sequence[str] = ("a.png,cat,val,house", "b.png,neither,val,garden")) -> Path:
    """A folder of two images, one that is broken, and a manifest of these lines and the broken one's."""
    for name in ("a.png", "b.png"):
        drawn.scene((60, 40)).save(at / name)
    (at / "broken.png").write_bytes(drawn.encoded(drawn.scene(), "PNG")[:200])
    (at / "manifest.csv").write_text("\n".join(["path,labels,split,source", *lines, "broken.png,dog,train,house", ""]))
    return at


def test_the_command_says_how_good_the_model_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = described(tmp_path / "model.onnx", thresholds="0,1,1")  # for which all is a cat
    out = tmp_path / "out" / "here"
    assert main(["evaluate", str(folder(tmp_path)), "--model", str(model), "--out", str(out)]) == 0
    printed = capsys.readouterr()
    assert "right 50.0 % (9.5–90.5) of those answered" in printed.out
    assert "could not be read: 1" in printed.out
    assert re.search(r"broken\.png +the image is cut off", printed.out)
    assert printed.err.endswith("3/3\n")
    assert sorted(file.name for file in out.iterdir()) == [
        "figures.json",
        "mistakes.png",
        "reliability.png",
        "risk.png",
    ]
    found = json.loads((out / "figures.json").read_text())
    assert found["confusion"] == {"cat": {"cat": 1}, "neither": {"cat": 1}}
    assert set(found["sources"]) == {"garden", "house"}
    assert [(m["path"], m["shows"], m["contains"]) for m in found["mistakes"]] == [
        (str(tmp_path / "b.png"), "neither", "cat")
    ]
    with Image.open(out / "mistakes.png") as sheet:
        assert sheet.convert("RGB").getpixel((pictures.GAP + 75, pictures.GAP + 110)) == drawn.BLUE


def test_machines_get_one_json_line_and_nothing_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(folder(tmp_path).iterdir())
    assert main(["evaluate", str(tmp_path), "--json", "--split", "val"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    found = json.loads(line)
    assert (found["figures"]["images"], found["unreadable"]) == (2, [])
    assert sorted(tmp_path.iterdir()) == before


def test_a_model_of_other_labels_is_told_of_those_that_it_has_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    about = {"labels": "hen,horse,cow", "whole": "", "thresholds": "0,1,1"}
    model = described(tmp_path / "farm.onnx", **about)
    lines = ("a.png,hen+horse,val,yard", "b.png,cat,val,yard", "missing.png,cow,val,yard")
    assert main(["evaluate", str(folder(tmp_path, lines)), "--model", str(model), "--json"]) == 0
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert found["confusion"] == {"hen+horse": {"hen": 1}, "neither": {"hen": 1}}
    assert found["unknown_labels"] == ["cat"]
    assert "warning: the model has no label cat" in printed.err
    assert [Path(one["path"]).name for one in found["unreadable"]] == ["missing.png", "broken.png"]


def test_the_guide_measures_a_model(tmp_path: Path) -> None:
    page = "docs/guides/models.md"
    described(tmp_path / "farm.onnx", labels="hen,horse,cow", whole="", thresholds="0,1,1")
    (tmp_path / "photos").mkdir()
    (table,) = re.findall(r"<!-- labelled -->\n```csv\n(.*?)```", (guides.ROOT / page).read_text(), re.DOTALL)
    (tmp_path / "photos" / "manifest.csv").write_text(table)
    for line in table.splitlines()[1:]:
        drawn.scene().save(tmp_path / "photos" / line.split(",")[0])
    (block,) = guides.blocks(page, "measure")
    told = guides.run(block, tmp_path, {})
    assert "answered 100.0 %" in told
    assert "meadow" in told
    assert (tmp_path / "measured" / "mistakes.png").exists()


@pytest.mark.parametrize(
    ("content", "more", "complaint"),
    [
        (None, (), "cannot be read: No such file"),
        ("path\na.png\n", (), "manifest.csv has no column label"),
        ("path,labels\na.png,a&b\n", (), "manifest.csv, line 2: the label is 'a&b'"),
        ("path,labels\n,cat\n", (), "manifest.csv, line 2: the path is missing"),
        ("path,labels\na.png,cat\n", ("--split", "val"), "manifest.csv has no column split"),
        ("path,labels,split\na.png,cat,train\n", ("--split", "val"), "names no image in the split 'val'"),
        ("path,labels\nnone.png,cat\n", (), "none of the images could be read"),
    ],
)
def test_a_folder_that_cannot_be_measured_is_refused_with_a_hint(
    content: str | None, more: Sequence[str], complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        (tmp_path / "manifest.csv").write_text(content)
    assert main(["evaluate", str(tmp_path), *more]) == 1
    told = capsys.readouterr().err
    assert complaint in told
    assert "hint: manifest.csv has the columns path and labels" in told


def test_a_folder_that_cannot_be_made_is_told_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(folder(tmp_path)), "--out", str(tmp_path / "a.png" / "out")]) == 1
    told = capsys.readouterr().err
    assert "out cannot be made" in told
    assert "1/3" not in told
