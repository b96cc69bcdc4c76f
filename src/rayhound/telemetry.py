"""How Rayhound speaks of itself: the form of its log lines and the names of its metrics, once.

A log line is an event with fields, never a sentence: `2026-11-23T10:15:02Z info analysed image_id=… contains=dog`.
Metrics are Prometheus's, in base units.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from contextvars import ContextVar
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry()

ACCEPTED = Counter("rayhound_images_accepted", "Images accepted, by whoever answered 202.", registry=REGISTRY)
REFUSED = Counter("rayhound_uploads_refused", "Uploads refused, by HTTP status.", ["status"], registry=REGISTRY)
SPOOLING = Gauge("rayhound_uploads_spooling", "Uploads that are being received.", registry=REGISTRY)
ACCEPT_SECONDS = Histogram(
    "rayhound_accept_seconds", "From the last byte of an upload to its answer.", registry=REGISTRY
)
OUTBOX = Gauge("rayhound_outbox_markers", "Markers that the last sweep saw, the held ones too.", registry=REGISTRY)
OUTBOX_AGE = Gauge("rayhound_outbox_oldest_seconds", "Age of the oldest marker at the last sweep.", registry=REGISTRY)
ANALYSED = Counter("rayhound_images_analysed", "Analyses stored, by answer.", ["contains"], registry=REGISTRY)
FAILED = Counter("rayhound_images_failed", "Failures stored.", registry=REGISTRY)
READING_SECONDS = Histogram("rayhound_reading_seconds", "Decoding of one image, in an analyser.", registry=REGISTRY)
CLASSIFYING_SECONDS = Histogram(
    "rayhound_classifying_seconds", "Classification of one image, in an analyser.", registry=REGISTRY
)
SETTLE_SECONDS = Histogram("rayhound_settle_seconds", "From taking a request to its ack.", registry=REGISTRY)
RELEASED = Counter("rayhound_deliveries_released", "Requests given back, to be lent again.", registry=REGISTRY)
REJECTED = Counter("rayhound_deliveries_rejected", "Requests that became dead letters.", registry=REGISTRY)
ANALYSERS = Gauge("rayhound_analysers_alive", "Analysers that run.", registry=REGISTRY)
REPLACED = Counter("rayhound_analysers_replaced", "Analysers that died and were replaced.", registry=REGISTRY)
STORAGE_FREE = Gauge("rayhound_archive_free_bytes", "Room in the archive at the last look.", registry=REGISTRY)

TRACEPARENT: ContextVar[str | None] = ContextVar("traceparent", default=None)
"""The trace that what is being done belongs to, as its caller named it (W3C Trace Context, 3.2); queues pass it on."""

Event = MutableMapping[str, Any]


def is_traceparent(text: str | None) -> bool:
    """Whether a text is a `traceparent` of version 00 or one that reads like it (W3C Trace Context, 3.2)."""
    return (
        text is not None and re.fullmatch("(?!ff)[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", text) is not None
    )


def log(name: str = "rayhound") -> Any:
    """A logger: `log().info("analysed", image_id=…)`."""
    return structlog.get_logger(name)


def configure(log_format: str = "text", stream: Any = None) -> None:
    """Send every log line, our own and the libraries', to stderr, one line each, as `text` or `json`."""
    before: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%Y-%m-%dT%H:%M:%SZ", utc=True),
        structlog.processors.format_exc_info,
    ]
    stream = stream or sys.stderr
    render = structlog.processors.JSONRenderer() if log_format == "json" else as_text
    structlog.configure(
        processors=[*before, render],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for quiet in ("uvicorn", "uvicorn.error", "uvicorn.access", "httpx", "PIL"):
        logging.getLogger(quiet).setLevel(logging.WARNING)


def as_text(logger: Any, name: str, event: Event) -> str:
    """One event as a line: time, level, event, then its fields, with whatever could break the line escaped."""
    when, level, what = event.pop("timestamp"), event.pop("level"), event.pop("event")
    trace = event.pop("exception", None)
    fields = "".join(f" {key}={_word(value)}" for key, value in event.items() if value is not None)
    return f"{when} {level} {_clean(str(what))}{fields}" + (f" exception={_word(trace)}" if trace else "")


def _word(value: Any) -> str:
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    if text and not set(text) & set(' "='):
        return _clean(text)
    return '"' + _clean(text).replace('"', '\\"') + '"'


def _clean(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
