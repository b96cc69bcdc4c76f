"""Web servers, consumers and a broker as processes apart, on one archive."""

import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.brokers import RabbitBroker, free_ports, rabbitmq
from tests.journey.upping import CONSUME, SERVE, Process
from tests.pictures import encoded, scene

KILLING_CONSUME = (sys.executable, "-m", "tests.journey.killing_consume")


@dataclass(frozen=True)
class Parts:
    """Who works together; each can be killed and started by itself."""

    broker: RabbitBroker
    web_servers: list[Process]
    consumers: list[Process]

    @property
    def all(self) -> list[Process]:
        """Web servers and consumers."""
        return [*self.web_servers, *self.consumers]


@contextmanager
def parts(
    folder: Path, archive: Mapping[str, str], web_servers: int = 2, consumers: int = 3, version: str = "3.10"
) -> Generator[Parts]:
    """Parts that run; `archive` are the settings that name the archive, `version` is the broker's."""
    with rabbitmq(version) as broker, ExitStack() as stack:
        shared = {**archive, "RAYHOUND_QUEUE": broker.url, "RAYHOUND_HOST": "127.0.0.1", "RAYHOUND_ANALYSERS": "1"}
        made: dict[str, list[Process]] = {"serve": [], "consume": []}
        for name, command, count in (("serve", SERVE, web_servers), ("consume", CONSUME, consumers)):
            for number, port in enumerate(free_ports(count)):
                ports = {"RAYHOUND_PORT": str(port), "RAYHOUND_METRICS_PORT": str(port)}
                process = Process(folder / f"{name}-{number}.log", port, command, shared | ports)
                made[name].append(stack.enter_context(process))
        yield Parts(broker, made["serve"], made["consume"])


def another(running: Parts, command: Sequence[str], folder: Path, **environment: str) -> Process:
    """One more web server or consumer on the same broker."""
    return others(running, [command], folder, **environment)[0]


def others(running: Parts, commands: Sequence[Sequence[str]], folder: Path, **environment: str) -> list[Process]:
    """More web servers or consumers on the same broker."""
    shared = {"RAYHOUND_QUEUE": running.broker.url, "RAYHOUND_HOST": "127.0.0.1", "RAYHOUND_ANALYSERS": "1"}
    made = []
    for command, port in zip(commands, free_ports(len(commands)), strict=True):
        settings = {**shared, "RAYHOUND_PORT": str(port), "RAYHOUND_METRICS_PORT": str(port), **environment}
        made.append(Process(folder / f"another-{port}.log", port, command, settings))
    return made


def messages_in(running: Parts, queue: str) -> int:
    """How many requests a queue has, lent or not."""
    lines = (line.split() for line in running.broker.ctl("list_queues", "name", "messages").splitlines())
    return next(int(words[1]) for words in lines if words and words[0] == queue)


def dead_letters(running: Parts) -> int:
    """How many requests are dead letters."""
    return messages_in(running, "images.dead")


def in_folder(folder: Path) -> dict[str, str]:
    """The settings of an archive in a new folder."""
    data = folder / "archive"
    data.mkdir()
    return {"RAYHOUND_ARCHIVE": f"file://{data}"}


def dog(number: int = 0) -> bytes:
    """A sound picture, another one for each number."""
    return encoded(scene((160 + number, 120)), "JPEG")
