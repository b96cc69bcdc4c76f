"""Model files against the first of them: milliseconds an image on one core, and how many times the first's.

    python -m benchmarks.models ONE.onnx OTHER.onnx …

One square of noise at a time, since what it shows costs no model more or less. In every round each model answers once,
in turn, so that all meet the same neighbours. Printed are the medians of the times, and of the ratios of one round each
with the middle half of these.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime

WARM_UP = 10


def main() -> None:
    """Measure, and print a line a model."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("models", nargs="+", type=Path, metavar="MODEL")
    options.add_argument("--rounds", type=int, default=300)
    given = options.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    asked = [_asked(model) for model in given.models]
    for _ in range(WARM_UP):
        for ask in asked:
            ask()
    rounds = np.array([[_milliseconds(ask) for ask in asked] for _ in range(given.rounds)])
    for number, model in enumerate(given.models):
        ratios = rounds[:, number] / rounds[:, 0]
        low, middle, high = statistics.quantiles(ratios, n=4)
        print(f"{model}: {np.median(rounds[:, number]):.2f} ms, {middle:.2f} times ({low:.2f}–{high:.2f})", flush=True)


def _asked(path: Path) -> Callable[[], object]:
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
    (image,) = session.get_inputs()
    _, high, wide, channels = image.shape
    square = np.random.default_rng(1).integers(0, 256, (1, high, wide, channels), np.uint8)
    return lambda: session.run(None, {image.name: square})


def _milliseconds(ask: Callable[[], object]) -> float:
    began = time.perf_counter()
    ask()
    return 1000 * (time.perf_counter() - began)


if __name__ == "__main__":
    main()
