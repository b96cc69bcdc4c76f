"""The facts about one image: where they lie, how they are written and read.

Every fact is a write-once JSON object beside the image. Status is derived from which of them exist, and never stored:
a successful analysis makes an image `analysed`, only failures make it `failed`, neither leaves it `queued`.
"""

import json
import secrets
import uuid
from contextlib import aclosing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from rayhound.domain import (
    Findings,
    InDoubt,
    Misconfigured,
    Model,
    NotFound,
    Record,
    Status,
    Upload,
    is_image_id,
    milliseconds_of,
)
from rayhound.ports import Archive, Put

ARCHIVE_KEY = "archive.json"
OUTBOX, OF_ACCEPTED = "outbox/", ".accepted"


@dataclass(frozen=True, slots=True)
class Marker:
    """An image that is ours to finish: its key in the outbox, what `accepted.json` says or will say, and which try."""

    key: str
    accepted: dict[str, Any]
    retry: int

    @property
    def image_id(self) -> str:
        """The image that it speaks of."""
        return str(self.accepted["image_id"])


@dataclass(frozen=True, slots=True)
class Mention:
    """One fact as its key names it: whose (a model's label), in which try, and which attempt."""

    key: str
    label: str
    modified: datetime
    retry: int = 0
    number: int = 0


@dataclass(frozen=True, slots=True)
class Facts:
    """What lies in one image's folder."""

    image: str | None = None
    accepted: bool = False
    analyses: tuple[Mention, ...] = ()
    failures: tuple[Mention, ...] = ()
    attempts: tuple[Mention, ...] = ()

    @property
    def status(self) -> Status:
        """Where the image stands."""
        return Status.ANALYSED if self.analyses else Status.FAILED if self.failures else Status.QUEUED

    def settled(self, label: str, retry: int) -> bool:
        """Whether this model's analysis exists, or its failure in this try or a later one."""
        return any(a.label == label for a in self.analyses) or any(
            f.label == label and f.retry >= retry for f in self.failures
        )

    def attempts_of(self, label: str, retry: int) -> tuple[Mention, ...]:
        """The attempts of one model in one try, in their order."""
        return tuple(a for a in self.attempts if a.label == label and a.retry == retry)

    def next_try(self) -> int:
        """One above the highest try of any failure; 0 where there is none."""
        return max((f.retry + 1 for f in self.failures), default=0)


def folder(image_id: str) -> str:
    """Where everything of an image lies: a folder of its day, UTC, by its id alone."""
    return f"{_day(milliseconds_of(image_id) // 86_400_000)}/{image_id}/"


@lru_cache(maxsize=64)
def _day(number: int) -> str:
    return f"{datetime.fromtimestamp(number * 86_400, UTC):%Y/%m/%d}"


def accepted_key(image_id: str) -> str:
    """Where the fact of its acceptance lies."""
    return folder(image_id) + "accepted.json"


def image_key(accepted: dict[str, Any]) -> str:
    """Where the bytes of an accepted image lie."""
    return folder(accepted["image_id"]) + str(accepted["image"])


def analysis_key(image_id: str, label: str) -> str:
    """Where a model's analysis of an image lies."""
    return f"{folder(image_id)}analysis.{label}.json"


def failed_key(image_id: str, label: str, retry: int) -> str:
    """Where a model's failure in one try lies."""
    return f"{folder(image_id)}failed.{label}.{retry}.json"


def attempt_key(image_id: str, label: str, retry: int, number: int) -> str:
    """Where one attempt of a model in one try lies."""
    return f"{folder(image_id)}attempt.{label}.{retry}.{number}.json"


def idempotency_key(digest: str) -> str:
    """Where it lies which image an Idempotency-Key made."""
    return f"keys/{digest}.json"


def instant(moment: datetime | None = None) -> str:
    """A moment as facts write it: ISO 8601 in UTC, to the millisecond."""
    return (moment or datetime.now(UTC)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def dumps(fact: dict[str, Any]) -> bytes:
    """A fact as bytes; the same fact gives the same bytes, whoever writes it."""
    return json.dumps(fact, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def acceptance(image_id: str, upload: Upload, key_sha256: str | None) -> dict[str, Any]:
    """What `accepted.json` will say."""
    return {
        "image_id": image_id,
        "correlation_id": upload.correlation_id or image_id,
        "traceparent": upload.traceparent,
        "accepted_at": instant(),
        "file_name": upload.file_name,
        "media_type": upload.header.media_type,
        "bytes": upload.bytes,
        "sha256": upload.sha256,
        "key_sha256": key_sha256,
        "image": f"image.{upload.header.suffix}",
    }


def analysis(findings: Findings, model: Model, size: int) -> dict[str, Any]:
    """What an analysis says of an image of so many bytes; in a record without the image's ids."""
    said = findings.classification
    return {
        "model": asdict(model),
        "format": findings.format,
        "mode": findings.mode,
        "width": findings.width,
        "height": findings.height,
        "bytes": size,
        "contains": str(said.contains),
        "scores": said.scores,
        "note": said.note,
        "analysed_at": instant(),
        "seconds": round(findings.reading_seconds + findings.classifying_seconds, 6),
        "reading_seconds": round(findings.reading_seconds, 6),
        "classifying_seconds": round(findings.classifying_seconds, 6),
    }


def failure(reason: str, model: Model, retry: int) -> dict[str, Any]:
    """What a failure says: why no analysis could be had of an image in this try."""
    return {"model": asdict(model), "retry": retry, "reason": reason, "failed_at": instant()}


async def read(archive: Archive, key: str) -> bytes:
    """A small object whole; raises `NotFound`."""
    return b"".join([piece async for piece in archive.get(key)])


async def fact(archive: Archive, key: str) -> dict[str, Any]:
    """A fact; raises `NotFound`."""
    content: dict[str, Any] = json.loads(await read(archive, key))
    return content


async def identify(archive: Archive) -> str:
    """The id of this archive, made at its first use.

    Raises `Unavailable` where keys may not be listed; `Misconfigured` for a store that lets a second conditional create
    through, since no acceptance would be safe on it."""
    async with aclosing(archive.list(OUTBOX)) as entries:  # whoever may not list could not finish what it accepts
        await anext(entries, None)
    for _ in range(2):
        put = await archive.put(ARCHIVE_KEY, dumps({"archive_id": str(uuid.uuid4()), "created_at": instant()}))
        if put is Put.OTHER:
            return str((await fact(archive, ARCHIVE_KEY))["archive_id"])
    raise Misconfigured(
        "the archive's storage overwrites what it was told to create only once",
        "use a folder on a file system with hard links, or a bucket with conditional writes",
    )


async def is_ours(archive: Archive, archive_id: str) -> bool:
    """Whether the archive still is the one that this process began with."""
    try:
        return bool((await fact(archive, ARCHIVE_KEY))["archive_id"] == archive_id)
    except NotFound:
        return False


async def mark(archive: Archive, accepted: dict[str, Any], retry: int = 0) -> Marker:
    """Put a marker: this image is ours to finish."""
    return await _mark(archive, accepted, retry, "")


async def mark_accepted(archive: Archive, accepted: dict[str, Any], retry: int = 0) -> Marker:
    """Put a marker of an image whose `accepted.json` is stored: all that is left to do is to queue its request."""
    return await _mark(archive, accepted, retry, OF_ACCEPTED)


def is_of_accepted(key: str) -> bool:
    """Whether a marker is one that `mark_accepted` put, by its key."""
    return key.endswith(OF_ACCEPTED)


async def _mark(archive: Archive, accepted: dict[str, Any], retry: int, end: str) -> Marker:
    marker = Marker(f"{OUTBOX}{accepted['image_id']}.{secrets.token_hex(8)}{end}", accepted, retry)
    if await archive.put(marker.key, dumps({"accepted": accepted, "retry": retry})) is Put.OTHER:
        raise InDoubt(f"another marker has the name {marker.key}")
    return marker


async def read_marker(archive: Archive, key: str) -> Marker:
    """A marker; raises `NotFound` when somebody finished it."""
    content = await fact(archive, key)
    return Marker(key, content["accepted"], content["retry"])


async def look(archive: Archive, image_id: str) -> Facts:
    """What lies in an image's folder, from one listing."""
    image, accepted = None, False
    kinds: dict[str, list[Mention]] = {"analysis": [], "failed": [], "attempt": []}
    async for entry in archive.list(folder(image_id)):
        kind, _, rest = entry.key.rpartition("/")[2].partition(".")
        words = rest.removesuffix(".json").split(".")
        if kind == "image":
            image = entry.key
        elif kind == "accepted":
            accepted = True
        elif kind == "analysis":
            kinds[kind].append(Mention(entry.key, ".".join(words), entry.modified))
        elif kind == "failed":
            kinds[kind].append(Mention(entry.key, ".".join(words[:-1]), entry.modified, int(words[-1])))
        elif kind == "attempt":
            label, retry, number = ".".join(words[:-2]), int(words[-2]), int(words[-1])
            kinds[kind].append(Mention(entry.key, label, entry.modified, retry, number))
    attempts = sorted(kinds["attempt"], key=lambda a: (a.retry, a.number))
    return Facts(image, accepted, tuple(kinds["analysis"]), tuple(kinds["failed"]), tuple(attempts))


async def record(archive: Archive, image_id: str) -> Record:
    """Everything known of an image; raises `NotFound`."""
    if not is_image_id(image_id):
        raise NotFound(f"there is no image {image_id!r}", "an image id looks like 019ab2c4-… and comes with the 202")
    facts = await look(archive, image_id)
    if not facts.accepted:
        raise NotFound(f"there is no image {image_id}", "was its upload answered with 202, by this archive?")
    accepted = await fact(archive, accepted_key(image_id))
    analyses = [await fact(archive, a.key) for a in facts.analyses]
    failures = [await fact(archive, f.key) for f in facts.failures]
    return Record(
        image_id,
        facts.status,
        accepted,
        tuple(sorted(analyses, key=lambda a: str(a["analysed_at"]), reverse=True)),
        tuple(sorted(failures, key=lambda f: str(f["failed_at"]), reverse=True)),
    )


def as_json(record: Record) -> dict[str, Any]:
    """A record in the one JSON shape that it has wherever it is shown."""
    shown: dict[str, Any] = {"image_id": record.image_id, "correlation_id": record.accepted["correlation_id"]}
    shown["status"] = str(record.status)
    for name in ("accepted_at", "file_name", "media_type", "bytes", "sha256"):
        shown[name] = record.accepted[name]
    if record.status is Status.ANALYSED:
        shown |= _shown(record.analyses[0])
    elif record.status is Status.FAILED:
        shown |= _shown(record.failures[0])
    shown["analyses"] = [_shown(a) for a in (*record.analyses, *record.failures)]
    return shown


def _shown(said: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if name not in ("image_id", "bytes") and value is not None}
