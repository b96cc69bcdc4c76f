"""The words of Rayhound: its values and its errors.

    RayhoundError
    ├── TryLater            not now: the same request may succeed later
    │   ├── Unavailable     the archive or the queue is away; surely nothing was done
    │   ├── InDoubt         it may or may not have been done
    │   ├── StorageFull     there is no room; surely nothing was done
    │   ├── Broken          a promise of the storage failed; only a restart helps
    │   ├── TooBusy         as many uploads as fit are under way
    │   ├── TooSlow         the sender sent nothing for too long
    │   ├── Unsound         no analyser can be trusted at the moment
    │   └── Draining        this process is stopping
    ├── Never               the same request will always fail
    │   ├── BadRequest      the request itself is malformed
    │   ├── NotAnImage      the bytes are no format that we read
    │   ├── TooLarge        more bytes than the limit
    │   ├── Unreadable      an image that lies about itself, or that nobody can decode
    │   ├── KeyReused       an Idempotency-Key that belongs to another image
    │   └── Misconfigured   a setting, a file or a folder is wrong
    └── NotFound            there is no such image

HTTP status and the fate of a delivery follow from the kind.
"""

import os
import re
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

CORRELATION_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
MODEL_WORD = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}")


class RayhoundError(Exception):
    """Something that Rayhound can explain: `detail` says what is wrong, `hint` what to do."""

    def __init__(self, detail: str, hint: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.hint = hint


class TryLater(RayhoundError):
    """Not now: the same request may succeed later."""


class Unavailable(TryLater):
    """The archive or the queue is away, and surely nothing was done."""


class InDoubt(TryLater):
    """The archive or the queue gave no certain answer: it may or may not have been done."""


class StorageFull(TryLater):
    """The storage has no room, and surely nothing was done."""


class Broken(TryLater):
    """The storage broke a promise (a failed fsync of a folder); the process must be restarted."""


class TooBusy(TryLater):
    """As many uploads as fit are under way."""


class TooSlow(TryLater):
    """The sender sent nothing for too long, or took too long in all."""


class Unsound(TryLater):
    """No analyser can be trusted at the moment: they do not pass their self-test."""


class Draining(TryLater):
    """This process is stopping and begins nothing new."""


class Never(RayhoundError):
    """The same request will always fail."""


class BadRequest(Never):
    """The request itself is malformed."""


class NotAnImage(Never):
    """The bytes are in no format that Rayhound reads."""


class TooLarge(Never):
    """The body is larger than the limit."""


class Unreadable(Never):
    """An image that lies about itself, or that cannot be decoded."""


class KeyReused(Never):
    """An Idempotency-Key that already belongs to another image."""


class Misconfigured(Never):
    """A setting, a file or a folder is wrong, and Rayhound will not start with it."""


class NotFound(RayhoundError):
    """There is no such image."""


class AnalyserDied(Exception):
    """An analyser's process ended before it answered; `str()` says how."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one upload or one analysis may cost. Sizes in bytes, times in seconds."""

    body: int = 256_000_000
    pixels: int = 100_000_000
    headers: int = 64 * 1024
    connections: int = 1000
    uploads: int = 64
    silence: float = 30.0
    upload: float = 600.0
    keep_alive: float = 75.0
    wait: float = 60.0
    linger: float = 30.0
    analysis_memory: int = 1_000_000_000
    analysis_cpu: float = 30.0
    analysis_wall: float = 120.0


def new_image_id() -> str:
    """A fresh UUIDv7 (RFC 9562, 5.7): its first 48 bits are the milliseconds since 1970, so ids sort by time."""
    return id_at(time.time_ns() // 1_000_000, int.from_bytes(os.urandom(10)))


def id_at(milliseconds: int, entropy: int = 0) -> str:
    """The UUIDv7 of a moment; with no entropy the smallest of that millisecond."""
    value = (milliseconds << 80) | (entropy & ((1 << 80) - 1))
    value = value & ~(0xF << 76) | (0x7 << 76)
    value = value & ~(0x3 << 62) | (0x2 << 62)
    return str(uuid.UUID(int=value))


def is_image_id(text: str) -> bool:
    """Whether a text is an image id: a UUIDv7 in its canonical form."""
    try:
        value = uuid.UUID(text)
    except ValueError:
        return False
    return str(value) == text and value.version == 7 and value.variant == uuid.RFC_4122


def milliseconds_of(image_id: str) -> int:
    """The milliseconds since 1970 at which an image id was made."""
    return int(image_id[:8] + image_id[9:13], 16)


def time_of(image_id: str) -> datetime:
    """The moment that an image id was made, in UTC."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds_of(image_id))


class Contains(StrEnum):
    """What an image shows: the labels over their threshold. A model of other labels joins its own by `+`."""

    DOG = "dog"
    CAT = "cat"
    BOTH = "dog+cat"
    NEITHER = "neither"
    UNCERTAIN = "uncertain"


@dataclass(frozen=True, slots=True)
class Band:
    """A label is there from `upper` on and not there below `lower`; between them nobody knows."""

    lower: float
    upper: float

    def __str__(self) -> str:
        return f"{self.lower:g}" if self.lower == self.upper else f"{self.lower:g}:{self.upper:g}"


def answer(labels: Sequence[str]) -> str:
    """The answer that says that these labels are there and no others; they stand in the model's order."""
    if set(labels) == {"cat", "dog"}:
        return Contains.BOTH  # whatever the file's order, so that one word finds them all
    return "+".join(labels) or Contains.NEITHER


class Status(StrEnum):
    """Where an image stands; derived from its facts and never stored."""

    QUEUED = "queued"
    ANALYSED = "analysed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Model:
    """A model as its file describes itself; `sha256` is that of the whole file, in hexadecimal."""

    name: str
    version: str
    sha256: str

    @property
    def label(self) -> str:
        """How facts and log lines name it: `name@version-` and eight digits of its SHA-256."""
        return f"{self.name}@{self.version}-{self.sha256[:8]}"


@dataclass(frozen=True, slots=True)
class Header:
    """What an image's header says, before any pixel is decoded. Width and height in pixels, as stored."""

    format: str
    media_type: str
    suffix: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Classification:
    """What a model says of one picture. `scores` are probabilities by label; `note` says why it is uncertain."""

    contains: str
    scores: dict[str, float]
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Findings:
    """What an analyser finds out about one image. Width and height in pixels, upright; times in seconds."""

    format: str
    mode: str
    width: int
    height: int
    classification: Classification
    reading_seconds: float
    classifying_seconds: float


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload that lies whole in a spooled file, with everything that will be said of its acceptance."""

    header: Header
    bytes: int
    sha256: str
    file_name: str | None = None
    correlation_id: str | None = None
    idempotency_key: str | None = None
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """What waits in the queue: analyse this image, of this archive, in this try.

    `traceparent` is the trace that its sender named (W3C Trace Context, 3.2), `requested_at` when it was published.
    """

    image_id: str
    archive_id: str
    correlation_id: str
    retry: int = 0
    traceparent: str | None = None
    requested_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """Everything known of one image, in the one JSON shape that is shown everywhere."""

    image_id: str
    status: Status
    accepted: dict[str, Any]
    analyses: tuple[dict[str, Any], ...] = ()
    failures: tuple[dict[str, Any], ...] = field(default=())
