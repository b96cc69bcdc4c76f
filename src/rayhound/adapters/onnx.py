"""The classifier on ONNX Runtime: a model file that describes itself.

Its metadata name it (`name`, `version`) and its `labels`, comma-separated and in the order of its scores; `thresholds`,
where there, are as many numbers. It takes uint8 of N × side × side × 3, RGB, each the whole picture squeezed to a
square, and answers with one probability a label.
"""

import hashlib
import os
from pathlib import Path

import numpy as np
from PIL import Image

# It sends what it is used for to its makers unless it is told not to before it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
import onnxruntime

from rayhound.domain import MODEL_WORD, Classification, Contains, Misconfigured, Model

HINT = "name a self-describing model file with RAYHOUND_MODEL, or leave that out for the one that comes with Rayhound"
THRESHOLD = 0.5


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
            self._thresholds = _thresholds(self._about, self._labels)
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

    def description(self) -> dict[str, str]:
        """Everything that the model file says of itself, with its SHA-256, for people to read."""
        thresholds = ",".join(f"{value:g}" for value in self._thresholds)
        return {**self._about, "side": str(self._side), "thresholds": thresholds, "sha256": self._model.sha256}

    def classify(self, picture: Image.Image) -> Classification:
        """Classify an upright RGB picture of any size."""
        # Of Pillow's filters this one has the lowest loss on the starter model's validation pictures.
        square = picture.resize((self._side, self._side), Image.Resampling.BILINEAR)
        (answer,) = self._session.run(None, {self._session.get_inputs()[0].name: np.asarray(square)[None]})
        scores = {label: round(float(score), 6) for label, score in zip(self._labels, answer[0], strict=True)}
        over = {label for label, least in zip(self._labels, self._thresholds, strict=True) if scores[label] >= least}
        return Classification(_contains(over), scores)


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


def _labels(session: onnxruntime.InferenceSession, about: dict[str, str]) -> tuple[str, ...]:
    labels = tuple(label.strip() for label in about.get("labels", "").split(","))
    shape = session.get_outputs()[0].shape
    if len(shape) != 2 or shape[1] != len(labels):
        raise ValueError(f"answers with {shape}, where [batch, {len(labels)}] is asked, one score a label")
    if not {"cat", "dog"} <= set(labels):
        raise ValueError(f"has the labels {about.get('labels')!r}, where cat and dog are asked for")
    return labels


def _thresholds(about: dict[str, str], labels: tuple[str, ...]) -> tuple[float, ...]:
    if "thresholds" not in about:
        return (THRESHOLD,) * len(labels)
    thresholds = tuple(float(text) for text in about["thresholds"].split(","))
    if len(thresholds) != len(labels) or not all(0 <= value <= 1 for value in thresholds):
        raise ValueError(f"has the thresholds {about['thresholds']!r}, where one from 0 to 1 for each label is asked")
    return thresholds


def _model(about: dict[str, str], sha256: str) -> Model:
    for key in ("name", "version"):
        if not MODEL_WORD.fullmatch(about.get(key, "")):
            wanted = "1 to 64 letters, digits, dots, hyphens and underscores without a leading dot are asked"
            raise ValueError(f"has the {key} {about.get(key)!r}, where {wanted}")
    return Model(about["name"], about["version"], sha256)


def _contains(over: set[str]) -> Contains:
    if {"cat", "dog"} <= over:
        return Contains.BOTH
    if "dog" in over:
        return Contains.DOG
    return Contains.CAT if "cat" in over else Contains.NEITHER
