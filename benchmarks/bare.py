"""The bare loop: as many processes as cores, each decoding and classifying the same photos, and nothing kept."""

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.synchronize import Barrier
from pathlib import Path

from rayhound.adapters.onnx import OnnxClassifier
from rayhound.analysers.cores import cores
from rayhound.domain import Limits
from rayhound.reading import read
from rayhound.settings import DEFAULT_MODEL


def bare(photos: list[Path], count: int) -> float:
    """Images a second of the bare loop on all cores."""
    processes = cores()
    share = -(-count // processes)
    with multiprocessing.Manager() as manager, ProcessPoolExecutor(processes) as pool:
        barrier = manager.Barrier(processes)
        loops = [pool.submit(_loop, photos, share, barrier) for _ in range(processes)]  # type: ignore[arg-type]
        return processes * share / max(loop.result() for loop in loops)


def _loop(photos: list[Path], count: int, barrier: Barrier) -> float:
    """One process's share; its seconds."""
    classifier = OnnxClassifier(DEFAULT_MODEL)
    limits = Limits()
    barrier.wait()
    began = time.monotonic()
    for number in range(count):
        classifier.classify(read(photos[number % len(photos)], classifier.side, limits).pixels)
    return time.monotonic() - began
