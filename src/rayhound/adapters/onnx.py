"""The classifier on ONNX Runtime: a model file that describes itself.

Its metadata name it (`name`, `version`) and its `labels`, comma-separated and in the order of its scores. `thresholds`,
where there, are as many: a label is there from its threshold on; of two numbers, `0.2:0.8`, it is there from the second
on, not there below the first, and between them nobody knows. Labels that `whole` lists are of the whole picture, such
as `radiograph`: where one is there, nothing is said of the others. It takes uint8 of N × side × side × 3, RGB, each the
whole picture squeezed to a square, and answers with one probability a label.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

# It sends what it is used for to its makers unless it is told not to before it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
import onnxruntime

from rayhound.domain import MODEL_WORD, Band, Classification, Contains, Misconfigured, Model, answer

HINT = "name a self-describing model file with RAYHOUND_MODEL, or leave that out for the one that comes with Rayhound"
THRESHOLD = 0.5


@dataclass(frozen=True, slots=True)
class Label:
    """Something that a model looks for, and when it is there."""

    name: str
    band: Band
    is_whole: bool


class OnnxClassifier:
    """A model file, loaded and ready: one session of one thread, for one picture at a time."""

    def __init__(self, path: Path) -> None:
        """Load a model file; raises `Misconfigured` when it is missing, no model, or not one that Rayhound can ask."""
        try:
            content = path.read_bytes()
        except OSError as e:
            raise Misconfigured(f"the model file {path} cannot be read: {e.strerror}", HINT) from e
        try:
            self._session = onnxruntime.InferenceSession(content, _options(), providers=["CPUExecutionProvider"])
        except Exception as e:  # ONNX Runtime's own errors share no base.
            raise Misconfigured(f"{path} is no ONNX model that this ONNX Runtime can load: {e}", HINT) from e
        self._about: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        try:
            self._side = _side(self._session)
            self._labels = _labels(self._session, self._about)
            self._model = _model(self._about, hashlib.sha256(content).hexdigest())
        except ValueError as e:
            raise Misconfigured(f"the model file {path} {e}", HINT) from e

    @property
    def model(self) -> Model:
        """What the model file says of itself."""
        return self._model

    @property
    def side(self) -> int:
        """The side of the square that it looks at, in pixels."""
        return self._side

    @property
    def labels(self) -> tuple[Label, ...]:
        """What it looks for, in the order of its scores."""
        return self._labels

    def description(self) -> dict[str, str]:
        """Everything that the model file says of itself, with its SHA-256, for people to read."""
        thresholds = ",".join(str(label.band) for label in self._labels)
        return {**self._about, "side": str(self._side), "thresholds": thresholds, "sha256": self._model.sha256}

    def classify(self, picture: Image.Image) -> Classification:
        """Classify an upright RGB picture of any size."""
        # As the training does it.
        square = picture.resize((self._side, self._side), Image.Resampling.BILINEAR)
        (found,) = self._session.run(None, {self._session.get_inputs()[0].name: np.asarray(square)[None]})
        scores = {label.name: round(float(score), 6) for label, score in zip(self._labels, found[0], strict=True)}
        return _said(self._labels, scores)


def _options() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    # Analysers are as many as the cores: a second thread in one only takes another's core.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    return options


def _side(session: onnxruntime.InferenceSession) -> int:
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or len(outputs) != 1:
        raise ValueError(f"has {len(inputs)} inputs and {len(outputs)} outputs, where one of each is asked")
    shape, kind = inputs[0].shape, inputs[0].type
    if (
        kind != "tensor(uint8)"
        or len(shape) != 4
        or shape[1] != shape[2]
        or shape[3] != 3
        or not isinstance(shape[1], int)
    ):
        raise ValueError(f"takes {kind} of {shape}, where uint8 of [batch, side, side, 3] is asked")
    return shape[1]


def _labels(session: onnxruntime.InferenceSession, about: dict[str, str]) -> tuple[Label, ...]:
    names = _words(about.get("labels", ""))
    shape = session.get_outputs()[0].shape
    if len(shape) != 2 or shape[1] != len(names):
        raise ValueError(f"answers with {shape}, where [batch, {len(names)}] is asked, one score a label")
    if len(set(names)) != len(names) or not all(map(_is_label, names)):
        wanted = (
            "different ones of letters, digits, dots, hyphens and underscores are asked for, no neither or uncertain"
        )
        raise ValueError(f"has the labels {about.get('labels')!r}, where {wanted}")
    whole = _words(about["whole"]) if about.get("whole") else ()
    if not set(whole) < set(names):
        raise ValueError(f"has the whole labels {about['whole']!r}, where some of {', '.join(names)} are asked for")
    bands = _bands(about, len(names))
    return tuple(Label(name, band, name in whole) for name, band in zip(names, bands, strict=True))


def _is_label(name: str) -> bool:
    return MODEL_WORD.fullmatch(name) is not None and name not in (Contains.NEITHER, Contains.UNCERTAIN)


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(","))


def _bands(about: dict[str, str], count: int) -> list[Band]:
    if "thresholds" not in about:
        return [Band(THRESHOLD, THRESHOLD)] * count
    numbers = [[float(text) for text in word.split(":")] for word in about["thresholds"].split(",")]
    bands = [Band(band[0], band[-1]) for band in numbers if len(band) <= 2]
    if len(bands) != count or not all(0 <= band.lower <= band.upper <= 1 for band in bands):
        wanted = "one from 0 to 1 for each label is asked, or two with a colon between them, the lower first"
        raise ValueError(f"has the thresholds {about['thresholds']!r}, where {wanted}")
    return bands


def _model(about: dict[str, str], sha256: str) -> Model:
    for key in ("name", "version"):
        if not MODEL_WORD.fullmatch(about.get(key, "")):
            wanted = "1 to 64 letters, digits, dots, hyphens and underscores without a leading dot are asked"
            raise ValueError(f"has the {key} {about.get(key)!r}, where {wanted}")
    return Model(about["name"], about["version"], sha256)


def _said(labels: tuple[Label, ...], scores: dict[str, float]) -> Classification:
    """The answer that scores amount to; a picture that may be all one thing says nothing of the rest."""
    whole = [label for label in labels if label.is_whole and scores[label.name] >= label.band.lower]
    if whole:
        name = whole[0].name
        known = "is" if scores[name] >= whole[0].band.upper else "may be"
        note = f"this {known} a {name}; the model was not taught to tell what a {name} shows"
        return Classification(Contains.UNCERTAIN, scores, note)
    others = [label for label in labels if not label.is_whole]
    between = [label for label in others if label.band.lower <= scores[label.name] < label.band.upper]
    if between:
        note = "; ".join(
            f"{label.name} is neither below {label.band.lower:g} nor above {label.band.upper:g}" for label in between
        )
        return Classification(Contains.UNCERTAIN, scores, note)
    return Classification(answer([label.name for label in others if scores[label.name] >= label.band.upper]), scores)
