"""What runs inside an analyser: it answers one question after another, within its limits, until its parent is gone.

Questions and answers are lines of JSON. The first line tells the model, or `{"refused": …}` when it cannot be opened;
then each `{"path": …}` is answered with `{"findings": …}` or `{"unreadable": …}`. `{"died": …}` are last words.
"""

import ctypes
import json
import math
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from rayhound.domain import Findings, Limits, NotAnImage, RayhoundError, Unreadable
from rayhound.ports import Classifier
from rayhound.reading import read

PR_SET_PDEATHSIG = 1
LONGEST_REASON = 1000


def serve(open_classifier: Callable[[], Classifier], limits: Limits) -> None:
    """Answer the questions on stdin until it ends, or until one of them costs this process its life."""
    _stay_with_parent()
    questions, answers = _take_pipes()
    try:
        classifier = open_classifier()
        _bound_memory(limits)
        _say(answers, {"model": asdict(classifier.model)})
        for line in questions:
            _bound_cpu(limits)
            _say(answers, _answer(classifier, Path(json.loads(line)["path"]), limits))
    except RayhoundError as e:
        _end(answers, {"refused": [e.detail, e.hint]})
    except MemoryError:
        _end(answers, {"died": f"needed more than {limits.analysis_memory / 1e9:g} GB of memory"})
    except Exception as e:
        _end(answers, {"died": f"raised {type(e).__name__}: {e}"[:LONGEST_REASON]})


def _answer(classifier: Classifier, path: Path, limits: Limits) -> dict[str, Any]:
    began = time.perf_counter()
    try:
        picture = read(path, classifier.side, limits)
    except (NotAnImage, Unreadable) as e:
        return {"unreadable": [e.detail[:LONGEST_REASON], e.hint]}
    decoded = time.perf_counter()
    classification = classifier.classify(picture.pixels)
    reading, classifying = decoded - began, time.perf_counter() - decoded
    findings = Findings(
        picture.format, picture.mode, picture.width, picture.height, classification, reading, classifying
    )
    return {"findings": asdict(findings)}


def _say(answers: TextIO, answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


def _end(answers: TextIO, last_words: dict[str, Any]) -> None:
    _say(answers, last_words)
    # At once: after a failed allocation, neither libraries nor Python's own tidying can be trusted to end.
    os._exit(1)


def _take_pipes() -> tuple[TextIO, TextIO]:
    """Move the pipes away from 0 and 1, so that no library reads a question or writes into an answer."""
    questions, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    sys.stdout = sys.stderr  # which is not kept back until much later, or for ever
    return questions, answers


def _stay_with_parent() -> None:
    # A terminal's Ctrl-C and a service manager's SIGTERM reach the whole group, and the parent still wants its answers.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    # The kernel sends this when the parent's thread that forked us ends, however it ends. Had it ended before this
    # call, or where there is no such call, the end of stdin says so.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _bound_memory(limits: Limits) -> None:
    """Let an analysis take no more than its limit beside what this process holds already.

    RLIMIT_DATA counts private writable memory (Linux 4.7 and later), the anonymous mappings in which Pillow and ONNX
    Runtime keep their pixels among it; RLIMIT_AS would count the libraries too, RLIMIT_RSS counts nothing at all.
    """
    if sys.platform != "linux":
        return
    status = Path("/proc/self/status").read_text()
    held = next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmData:"))
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    most = held + limits.analysis_memory
    resource.setrlimit(resource.RLIMIT_DATA, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _bound_cpu(limits: Limits) -> None:
    """Let the kernel kill this process with SIGXCPU when the next analysis takes more than its share."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    most = math.ceil(used.ru_utime + used.ru_stime + limits.analysis_cpu)
    resource.setrlimit(resource.RLIMIT_CPU, (most, resource.getrlimit(resource.RLIMIT_CPU)[1]))
