"""How Rayhound speaks of itself: the form of its log lines and the names of its metrics, once.

A log line is an event with fields, never a sentence: `2026-11-23T10:15:02Z info analysed image_id=… contains=dog`.
Metrics are Prometheus's, in base units, in one registry for each role, so that a process shows what it can know.
"""

import logging
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, TextIO

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from structlog.contextvars import bound_contextvars, get_contextvars

from rayhound import __version__
from rayhound.domain import Contains, Request

BRIEF = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
STAGES = (*BRIEF, 30.0, 60.0, 120.0)
WAITS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0, 86400.0)

EVERY_PROCESS, WEB_SERVER, CONSUMER = CollectorRegistry(), CollectorRegistry(), CollectorRegistry()
"""Which metrics `serve` shows (the first two), and which `consume` (the first and the last); `up` shows all."""

BUILD = Gauge("rayhound_build_info", "1, with the version that runs.", ["version"], registry=EVERY_PROCESS)
BUILD.labels(__version__).set(1)
READY = Gauge("rayhound_ready", "1 while the process can do its work, as /readyz says; else 0.", registry=EVERY_PROCESS)
CHECK = Gauge(
    "rayhound_check_ok",
    "1 while a check of /readyz is ok, else 0: archive and queue of a web server; queue, requests (whether they are of"
    " its own archive) and analysers of a consumer.",
    ["check"],
    registry=EVERY_PROCESS,
)
ProcessCollector(registry=EVERY_PROCESS)

ACCEPTED = Counter("rayhound_images_accepted", "New images that were answered 202.", registry=WEB_SERVER)
REFUSED = Counter(
    "rayhound_uploads_refused",
    "Uploads refused, by the type of the problem that the sender was told, such as too-large or storage-full.",
    ["reason"],
    registry=WEB_SERVER,
)
SPOOLING = Gauge("rayhound_uploads_spooling", "Uploads that are being received.", registry=WEB_SERVER)
ACCEPT_SECONDS = Histogram(
    "rayhound_accept_seconds", "From the last byte of an upload to its answer.", registry=WEB_SERVER, buckets=BRIEF
)
PUBLISH_SECONDS = Histogram(
    "rayhound_publish_seconds",
    "Publishing one request, when its image is accepted or in a sweep, to its confirm or its failure.",
    registry=WEB_SERVER,
    buckets=BRIEF,
)
UNPUBLISHED = Counter(
    "rayhound_publish_failures",
    "Publishes that were refused or not confirmed in time; a sweep does each again.",
    registry=WEB_SERVER,
)
OUTBOX = Gauge("rayhound_outbox_markers", "Markers that the last sweep saw, the held ones too.", registry=WEB_SERVER)
OUTBOX_AGE = Gauge("rayhound_outbox_oldest_seconds", "Age of the oldest marker at the last sweep.", registry=WEB_SERVER)
FREE = Gauge(
    "rayhound_archive_free_bytes",
    "Room in the archive at the last look; this and the next two are NaN where it has no end, as a bucket.",
    registry=WEB_SERVER,
)
SIZE = Gauge("rayhound_archive_size_bytes", "The whole storage of the archive.", registry=WEB_SERVER)
RESERVE = Gauge(
    "rayhound_archive_reserve_bytes", "Room that stays free: uploads that need it are refused.", registry=WEB_SERVER
)
for _room in (FREE, SIZE, RESERVE):
    _room.set(float("nan"))

WAIT_SECONDS = Histogram(
    "rayhound_queue_wait_seconds",
    "From the publish of a request to its first lending.",
    registry=CONSUMER,
    buckets=WAITS,
)
OLDEST_SECONDS = Gauge(
    "rayhound_oldest_request_seconds",
    "Age of the oldest request in hand, since its publish; what still waits is younger, for the oldest is lent first."
    " 0 while nothing is in hand, so see rayhound_ready too.",
    registry=CONSUMER,
)
STAGE_SECONDS = Histogram(
    "rayhound_analysis_stage_seconds",
    "One image in one stage of its analysis: fetching it from the archive, waiting for an analyser, reading and"
    " classifying in it, storing what was found.",
    ["stage"],
    registry=CONSUMER,
    buckets=STAGES,
)
FETCHING, WAITING, READING, CLASSIFYING, STORING = (
    STAGE_SECONDS.labels(stage) for stage in ("fetching", "waiting", "reading", "classifying", "storing")
)
SETTLE_SECONDS = Histogram(
    "rayhound_settle_seconds", "From taking a request to its ack.", registry=CONSUMER, buckets=WAITS
)
SETTLED = Counter(
    "rayhound_deliveries_settled",
    "Deliveries that ended, by outcome: analysed, failed, known (it was settled before), rejected (not ours),"
    " released (not now), foreign (of another archive, released).",
    ["outcome"],
    registry=CONSUMER,
)
ANALYSED = Counter(
    "rayhound_images_analysed", "Analyses stored, by what the image contains.", ["contains"], registry=CONSUMER
)
for _contains in Contains:  # from the start, so that an increase from none to one is seen
    ANALYSED.labels(_contains)
DEAD_LETTERS = Counter(
    "rayhound_dead_letters",
    "Requests that this consumer made dead letters: of an image that the archive does not know, or unreadable.",
    registry=CONSUMER,
)
ANALYSERS = Gauge("rayhound_analysers_alive", "Analysers that run.", registry=CONSUMER)
REPLACED = Counter("rayhound_analysers_replaced", "Analysers that died and were replaced.", registry=CONSUMER)
MODEL = Gauge(
    "rayhound_model_info", "1, with the model of analysers that passed their self-test.", ["model"], registry=CONSUMER
)

Event = MutableMapping[str, Any]

_in_hand: list[datetime] = []
OLDEST_SECONDS.set_function(lambda: _age(min(_in_hand)) if _in_hand else 0.0)


def _age(moment: datetime) -> float:
    """Seconds since a moment; 0 for one to come: another machine's clock may be ahead of ours."""
    return max((datetime.now(UTC) - moment).total_seconds(), 0.0)


@contextmanager
def taken(request: Request, lent_before: bool) -> Iterator[None]:
    """A request is in hand within: its wait is over and its age is watched."""
    if request.requested_at is None:
        yield
        return
    if not lent_before:
        WAIT_SECONDS.observe(_age(request.requested_at))
    _in_hand.append(request.requested_at)
    try:
        yield
    finally:
        _in_hand.remove(request.requested_at)


@contextmanager
def about(request: Request) -> Iterator[None]:
    """Every line that is logged within names the image, its correlation id and its trace."""
    ids = {"image_id": request.image_id, "correlation_id": request.correlation_id}
    with bound_contextvars(**ids, trace_id=trace_id(request.traceparent)):
        yield


def trace_id(traceparent: str | None) -> str | None:
    """The id of the trace that a `traceparent` names (W3C Trace Context, 3.2.2.3)."""
    return traceparent.split("-")[1] if traceparent else None


def log(name: str = "rayhound") -> Any:
    """A logger: `log().info("analysed", image_id=…)`."""
    return structlog.get_logger(name)


class _Lines:
    """Where log lines go; one that meets a full disk or a closed pipe is lost, and the work it tells of goes on."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with suppress(OSError):
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


def configure(log_format: str = "text") -> None:
    """Send every log line to stderr, one line each, as `text` or `json`: our own, the libraries', Python's warnings."""
    before: list[Any] = [
        in_context,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%Y-%m-%dT%H:%M:%SZ", utc=True),
        structlog.processors.format_exc_info,
    ]
    lines: Any = _Lines(sys.stderr)
    render = structlog.processors.JSONRenderer() if log_format == "json" else as_text
    structlog.configure(
        processors=[*before, render],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(lines),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(lines)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    logging.captureWarnings(True)
    for quiet in ("uvicorn", "uvicorn.error", "uvicorn.access", "httpx", "PIL"):
        logging.getLogger(quiet).setLevel(logging.WARNING)


def in_context(logger: Any, name: str, event: Event) -> Event:
    """An event that begins with what it is about, where that is bound, and leaves out what is none."""
    bound = get_contextvars()
    fields = {field: bound.get(field) for field in ("image_id", "correlation_id", "trace_id")} | dict(event)
    return {field: value for field, value in fields.items() if value is not None}


def as_text(logger: Any, name: str, event: Event) -> str:
    """One event as a line: time, level, event, then its fields, with whatever could break the line escaped."""
    when, level, what = event.pop("timestamp"), event.pop("level"), event.pop("event")
    trace = event.pop("exception", None)
    fields = "".join(f" {key}={_word(value)}" for key, value in event.items())
    return f"{when} {level} {_clean(str(what))}{fields}" + (f" exception={_word(trace)}" if trace else "")


def _word(value: Any) -> str:
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    if text and not set(text) & set(' "='):
        return _clean(text)
    return '"' + _clean(text).replace('"', '\\"') + '"'


def _clean(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
