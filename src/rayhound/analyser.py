"""One analyser, as a process of its own: `python -m rayhound.analyser MODEL LIMITS`, with the limits as JSON.

`analysers.pool` starts it and asks it. Whoever wants another classifier in it calls `main` from their own entry point.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path

from rayhound.adapters.onnx import OnnxClassifier
from rayhound.analysers import child
from rayhound.domain import Limits
from rayhound.ports import Classifier


def main(open_classifier: Callable[[], Classifier], limits: str) -> None:
    """Answer questions with a classifier that is opened here, within limits that come as JSON."""
    child.serve(open_classifier, Limits(**json.loads(limits)))


if __name__ == "__main__":
    main(lambda: OnnxClassifier(Path(sys.argv[1])), sys.argv[2])
