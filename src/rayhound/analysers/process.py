"""One analyser as its parent sees it: a child process that is asked, and that may die of a question."""

import asyncio
import json
import math
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from contextvars import copy_context
from pathlib import Path
from typing import Any

from rayhound.domain import AnalyserDied, Classification, Findings, Limits, Misconfigured, Model, Unreadable
from rayhound.telemetry import log

LAST_WORDS_SECONDS = 1.0


class Analyser:
    """A child process that answers one question at a time."""

    def __init__(self, command: Sequence[str], limits: Limits) -> None:
        """Prepare an analyser; `start` starts its process."""
        self._command = command
        self._limits = limits
        self._process: asyncio.subprocess.Process | None = None
        self._dismissed = False
        self._listening: asyncio.Task[None] | None = None
        self._about = copy_context()

    @property
    def dead(self) -> bool:
        """Whether its process does not run, or was told to end."""
        return self._dismissed or self._process is None or self._process.returncode is not None

    async def start(self) -> Model:
        """Start the process, and tell the model that it loaded; raises `Misconfigured` or `AnalyserDied`."""
        pipe = asyncio.subprocess.PIPE
        # OpenBLAS, which numpy brings and nothing here uses, would start a thread for every core in every analyser.
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
        self._process = await asyncio.create_subprocess_exec(
            *self._command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment
        )
        self._listening = asyncio.create_task(self._listen(self._process))
        return Model(**(await self._answer(self._process))["model"])

    async def ask(self, path: Path) -> Findings:
        """What is in this image? Raises `Unreadable`, or `AnalyserDied` when that was its last question.

        Cancelling it kills the process: its answer would be taken for the next question's.
        """
        if self._process is None or self._process.stdin is None:
            raise AnalyserDied("was never started")
        self._about = copy_context()
        self._process.stdin.write(json.dumps({"path": str(path)}).encode() + b"\n")
        answer = await self._answer(self._process)
        if "unreadable" in answer:
            raise Unreadable(*answer["unreadable"])
        findings = answer["findings"]
        said = findings.pop("classification")
        return Findings(**findings, classification=Classification(**said))

    async def end(self) -> None:
        """Kill the process, and return once it is gone."""
        self._kill()
        if self._process is not None:
            await self._process.wait()
        if self._listening is not None:
            await asyncio.wait({self._listening}, timeout=LAST_WORDS_SECONDS)
            self._listening.cancel()

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        """Log what libraries write to its stderr, line by line, as said of the image that it was asked about last."""
        assert process.stderr is not None
        while True:
            try:
                line = await process.stderr.readline()
            except ValueError:  # longer than 64 KB, and nothing to read
                continue
            if not line:
                return
            self._about.run(log().warning, "analyser_said", text=line.decode(errors="replace").rstrip())

    def _kill(self) -> None:
        self._dismissed = True
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()

    async def _answer(self, process: asyncio.subprocess.Process) -> dict[str, Any]:
        assert process.stdout is not None
        reading = asyncio.create_task(process.stdout.readline())
        try:
            if not await _in_time(reading, self._limits.analysis_wall):
                await self.end()
                raise AnalyserDied(f"did not answer within {self._limits.analysis_wall:g} s")
        except asyncio.CancelledError:
            self._kill()
            raise
        finally:
            reading.cancel()
        line = reading.result()
        answer: dict[str, Any] = json.loads(line) if line.endswith(b"\n") else {}
        if answer and not answer.keys() & {"died", "refused"}:
            return answer
        code = await self._exit_code(process)
        if "refused" in answer:
            raise Misconfigured(*answer["refused"])
        raise AnalyserDied(answer.get("died") or _obituary(code, self._limits))

    async def _exit_code(self, process: asyncio.subprocess.Process) -> int | None:
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS_SECONDS):
                return await process.wait()
        await self.end()
        return None


async def _in_time(task: asyncio.Task[bytes], seconds: float) -> bool:
    """Whether a task is done within some seconds that we were there to see: all that we slept through count as one.

    Else a process that was stopped for longer would find the deadline over and an answer that had come long ago.
    """
    for _ in range(math.ceil(seconds)):
        if (await asyncio.wait({task}, timeout=min(seconds, 1.0)))[0]:
            return True
    return False


def _obituary(code: int | None, limits: Limits) -> str:
    if code is None:
        return "closed its pipe"
    if code >= 0:
        return f"exited with status {code}"
    if -code == signal.SIGXCPU:
        return f"took more than {limits.analysis_cpu:g} s of CPU"
    try:
        return f"killed by signal {-code} ({signal.Signals(-code).name})"
    except ValueError:
        return f"killed by signal {-code}"
