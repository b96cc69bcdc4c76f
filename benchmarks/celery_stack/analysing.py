"""The task: read, classify, store the analysis; the model is loaded once in each process of the pool."""

import json
import os
import time
from pathlib import Path
from typing import Any

from celery.signals import worker_process_init

from benchmarks.celery_stack.files import keep
from benchmarks.celery_stack.queue import ANALYSE, app
from rayhound.adapters.onnx import OnnxClassifier
from rayhound.domain import Limits
from rayhound.reading import read
from rayhound.settings import DEFAULT_MODEL

DATA = Path(os.environ["STACK_DATA"])
LIMITS = Limits()

_loaded: list[OnnxClassifier] = []


@worker_process_init.connect  # type: ignore[untyped-decorator, unused-ignore]
def load(**_: Any) -> None:
    """Load the model, after the fork."""
    _loaded[:] = [OnnxClassifier(DEFAULT_MODEL)]


@app.task(name=ANALYSE)  # type: ignore[untyped-decorator, unused-ignore]
def analyse(image_id: str, file_name: str, accepted_at: str) -> None:
    """Analyse one stored image."""
    (classifier,) = _loaded
    began = time.perf_counter()
    picture = read(DATA / "images" / image_id, classifier.side, LIMITS)
    said = classifier.classify(picture.pixels)
    analysis = {
        "image_id": image_id,
        "file_name": file_name,
        "accepted_at": accepted_at,
        "format": picture.format,
        "width": picture.width,
        "height": picture.height,
        "contains": str(said.contains),
        "scores": said.scores,
        "model": classifier.model.label,
        "seconds": time.perf_counter() - began,
    }
    temporary = DATA / "spool" / f"{image_id}.{os.getpid()}"
    with temporary.open("xb") as file:
        file.write(json.dumps(analysis).encode())
        keep(file, temporary, DATA / "analyses" / f"{image_id}.json")
