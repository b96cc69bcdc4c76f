"""Web servers, consumers and a broker as processes apart, on one archive."""

from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.brokers import RabbitBroker, free_ports, rabbitmq
from tests.journey.upping import CONSUME, SERVE, Process


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


def in_folder(folder: Path) -> dict[str, str]:
    """The settings of an archive in a new folder."""
    data = folder / "archive"
    data.mkdir()
    return {"RAYHOUND_ARCHIVE": f"file://{data}"}
