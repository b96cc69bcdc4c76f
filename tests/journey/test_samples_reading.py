"""Real pictures: every photo and radiograph is read, every DICOM file is refused kindly."""

import csv
from pathlib import Path

import pytest

from rayhound.adapters.onnx import OnnxClassifier
from rayhound.domain import Limits, NotAnImage
from rayhound.reading import inspect, read
from rayhound.settings import DEFAULT_MODEL

LIMITS = Limits()


def labelled(samples: Path) -> list[tuple[Path, str]]:
    """The pictures that the samples' manifest lists, and what each shows."""
    with (samples / "manifest.csv").open(newline="", encoding="utf-8") as file:
        return [(samples / row["path"], row["label"]) for row in csv.DictReader(file)]


def test_every_photo_and_radiograph_is_read(samples: Path) -> None:
    for path, _ in labelled(samples):
        header, picture = inspect(path, LIMITS), read(path, 160, LIMITS)
        assert picture.format == header.format
        assert {picture.width, picture.height} == {header.width, header.height}


def test_photos_are_classified_as_they_are_labelled(samples: Path) -> None:
    classifier = OnnxClassifier(DEFAULT_MODEL)
    photos = [(path, label) for path, label in labelled(samples) if label in ("cat", "dog", "neither")]
    right = [
        classifier.classify(read(path, classifier.side, LIMITS).pixels).contains == label for path, label in photos
    ]
    assert sum(right) >= 0.9 * len(photos)


def test_every_dicom_file_is_refused_and_called_by_its_name(samples: Path) -> None:
    for path in sorted(samples.glob("dicom/*.dcm")):
        with pytest.raises(NotAnImage) as refused:
            inspect(path, LIMITS)
        assert "DICOM" in refused.value.detail, path.name
        assert "PNG" in refused.value.hint
