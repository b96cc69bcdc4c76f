"""What consumers did: their log lines, kept although their pods go."""

import subprocess
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.cluster.kubernetes import Namespace
from tests.journey.upping import PATIENCE, events_in, within
from tests.pictures import encoded, scene


class Consumers:
    """Every consumer that runs while the block does; `logs` has what each one says, by the name of its pod."""

    def __init__(self, namespace: Namespace) -> None:
        self.logs: dict[str, Path] = {}
        self._namespace = namespace
        self._followers: dict[str, subprocess.Popen[bytes]] = {}
        self._over = threading.Event()
        self._thread = ThreadPoolExecutor(1)

    def __enter__(self) -> Self:
        self._following = self._thread.submit(self._follow_all)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.shutdown()
        try:
            living = {pod["metadata"]["name"] for pod in self._namespace.pods("consumer")}
            for name, follower in self._followers.items():
                if name in living:
                    self.logs[name].write_text(self._namespace.kubectl("logs", name))
                elif error is None:
                    follower.wait(PATIENCE)
            self._following.result()
        finally:
            for follower in self._followers.values():
                follower.kill()
                follower.wait(PATIENCE)

    def events(self, name: str) -> dict[str, list[dict[str, str]]]:
        """The lines of one event, by the name of the pod."""
        return {pod: events_in(log, name) for pod, log in sorted(self.logs.items())}

    def count(self, name: str) -> dict[str, int]:
        """How many lines of one event there are, by the name of the pod."""
        return {pod: len(lines) for pod, lines in self.events(name).items()}

    def ids(self, name: str) -> Counter[str]:
        """How often an image is named by a line of one event."""
        return Counter(line["image_id"] for lines in self.events(name).values() for line in lines)

    def until_analysed(self, pods: int, each: int) -> None:
        """Wait until so many consumers have analysed so many images each."""
        for _ in within(5 * PATIENCE, 0.2):
            if sum(count >= each for count in self.count("analysed").values()) >= pods:
                return
        raise AssertionError(f"{self.count('analysed')}\n{self._namespace.state()}")

    def finished_after_stop(self) -> dict[str, int]:
        """How many images were analysed after something else had been given back, by the consumers that did that."""
        found = {}
        for pod, log in self.logs.items():
            _, given_back, after = log.read_text().partition(" info released ")
            if given_back:
                found[pod] = after.count(" info analysed ")
        return found

    def _follow_all(self) -> None:
        while not self._over.wait(0.5):
            for pod in self._namespace.pods("consumer"):
                name = pod["metadata"]["name"]
                if name not in self.logs and runs(pod):
                    self._follow(name)

    def _follow(self, name: str) -> None:
        path = self._namespace.folder / f"{name}.log"
        command = ["kubectl", "logs", "--follow", name]
        with path.open("wb") as log:
            self._followers[name] = subprocess.Popen(
                command, env=self._namespace.environment, stdout=log, stderr=subprocess.DEVNULL
            )
        self.logs[name] = path


def runs(pod: Any) -> bool:
    """Whether the container of a pod runs."""
    return any("running" in status["state"] for status in pod["status"].get("containerStatuses", ()))


def begun_again(consumers: Consumers) -> dict[str, int]:
    """The images that were retrieved more often than given back and once more: those that no drain finished."""
    given_back = consumers.ids("released")
    return {i: times for i, times in consumers.ids("retrieved").items() if times > 1 + given_back[i]}


@cache
def slow_picture(side: int = 6000) -> bytes:
    """Few bytes, and work for about half a second."""
    return encoded(scene((side, side)), "PNG")
