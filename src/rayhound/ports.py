"""What Rayhound needs from outside: a place that keeps, a queue that lends, a model that classifies.

Each port has a real adapter and one in memory, and one contract suite that both pass.
Adapters speak the errors of `domain` and no others: `Unavailable` and `StorageFull` (surely not done), `InDoubt`,
`Broken`, `NotFound`.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Protocol

from PIL import Image

from rayhound.domain import Classification, Model, Request


class Put(Enum):
    """What a create-only put found."""

    CREATED = "created"
    SAME = "there already, with the same bytes"
    OTHER = "there already, with other bytes"


@dataclass(frozen=True, slots=True)
class Entry:
    """One object of the archive: its key, its size in bytes, and when the storage's clock says it was written."""

    key: str
    bytes: int
    modified: datetime


@dataclass(frozen=True, slots=True)
class Storage:
    """The storage's own time, and its free and whole size in bytes (none where it has no end)."""

    now: datetime
    free: int | None
    size: int | None


class Archive(Protocol):
    """Write-once objects under keys with `/`, on stable storage."""

    async def put(self, key: str, content: bytes | Path) -> Put:
        """Create an object, or say that it is there; once this returns, the bytes survive a power cut.

        A path is a spooled file, which the archive may link instead of copying: the caller never changes it again.
        Raises `StorageFull` or `Unavailable` when surely nothing was stored, `InDoubt` or `Broken` otherwise.
        """

    def get(self, key: str) -> AsyncGenerator[bytes, None]:
        """The bytes of an object in pieces; raises `NotFound` or `Unavailable`."""

    def list(self, prefix: str, after: str = "") -> AsyncGenerator[Entry, None]:
        """The objects below a folder (`prefix` ends in `/`, or is empty), sorted by key, those after `after` alone."""

    async def delete(self, key: str) -> None:
        """Remove an object; one that is not there is no error."""

    async def ping(self) -> Storage:
        """Write, read and delete a probe, and tell the storage's time and room; raises as `put` does."""


class Published(Enum):
    """How a request waits."""

    KEPT = "kept: it survives without its marker"
    HELD = "held: in memory, leaning on this marker"
    BUSY = "busy: this image is held for another marker; come again"


class Publisher(Protocol):
    """Puts requests into the queue."""

    async def publish(self, request: Request, marker: str) -> Published:
        """Queue a request that the marker (a key in the archive) stands behind; raises `Unavailable` or `InDoubt`."""

    def holds(self, marker: str) -> bool:
        """Whether a request in memory leans on this marker, so that a sweep need not look at it."""

    async def ping(self) -> None:
        """Raises `Unavailable` when the queue cannot be reached."""


class Delivery(Protocol):
    """One lending of a request. Exactly one of its three verbs is called, once."""

    @property
    def request(self) -> Request:
        """What is asked for."""

    @property
    def lent_before(self) -> bool:
        """Whether it was lent before and came back: whoever had it may have died of it."""

    async def ack(self) -> None:
        """It is done."""

    async def release(self) -> None:
        """Not now: it is lent again, to anybody."""

    async def reject(self) -> None:
        """Not ours: it becomes a dead letter."""


class Subscriber(Protocol):
    """Lends requests, at most `prefetch` unsettled at a time; the next `deliveries` keep to a changed one."""

    prefetch: int

    def deliveries(self) -> AsyncGenerator[Delivery, None]:
        """Deliveries as they come; closing the iterator takes no more, what is lent stays lent until it is settled."""


class Classifier(Protocol):
    """A model at work. Blocking and CPU-bound; it lives in an analyser."""

    @property
    def model(self) -> Model:
        """What the model file says of itself."""

    @property
    def side(self) -> int:
        """The side of the square that it looks at, in pixels."""

    def classify(self, picture: Image.Image) -> Classification:
        """Classify an upright RGB picture of any size."""
