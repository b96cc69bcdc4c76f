"""A request as a message: small JSON that a person can read in RabbitMQ's own page.

It is a CloudEvent 1.0 in structured mode (CloudEvents AMQP binding, 3.2; JSON format, 3).
"""

import json
import os
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractIncomingMessage, HeadersType

from rayhound.domain import Request, is_image_id
from rayhound.telemetry import TRACEPARENT, is_traceparent

CONTENT_TYPE = "application/cloudevents+json"
TYPE = "rayhound.analysis.requested"
LONGEST_ID = 255  # an AMQP short string (AMQP 0-9-1, 4.2.5.3)


def written(request: Request) -> Message:
    """The message that asks for this request; its id is new each time.

    aio-pika finds the publish that a returned message belongs to by its id. Were the id that of the image, of two
    publishes under way at once (a sweep's and an acceptor's) the returned one could count as confirmed.
    """
    now = datetime.now(UTC)
    message_id = f"{request.image_id}.{os.urandom(4).hex()}"
    event = {
        "specversion": "1.0",
        "id": message_id,
        "source": f"/archives/{quote(request.archive_id, safe='')}",
        "type": TYPE,
        "subject": request.image_id,
        "time": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "data": {
            "image_id": request.image_id,
            "archive_id": request.archive_id,
            "correlation_id": request.correlation_id,
            "retry": request.retry,
        },
    }
    traceparent = TRACEPARENT.get()
    headers: HeadersType = {"traceparent": traceparent} if is_traceparent(traceparent) else {}
    return Message(
        json.dumps(event, indent=1).encode(),
        headers=headers,
        content_type=CONTENT_TYPE,
        delivery_mode=DeliveryMode.PERSISTENT,
        correlation_id=request.correlation_id,
        message_id=message_id,
        timestamp=now,
        type=TYPE,
        app_id="rayhound",
    )


def read(body: bytes) -> Request:
    """The request that a message's body asks for; raises `ValueError`, saying what is wrong with it."""
    try:
        event = json.loads(body)
    except RecursionError as e:
        raise ValueError("it is nested too deeply") from e
    if not isinstance(event, dict) or event.get("specversion") != "1.0" or event.get("type") != TYPE:
        raise ValueError(f"it is no CloudEvent 1.0 of type {TYPE}")
    data = event.get("data")
    if not isinstance(data, dict):
        raise ValueError("it has no data")
    retry = data.get("retry")
    if not isinstance(retry, int) or isinstance(retry, bool) or retry < 0:
        raise ValueError("its retry is no number of a try")
    image_id = _id(data, "image_id")
    if not is_image_id(image_id):
        raise ValueError("its image_id is none")
    return Request(image_id, _id(data, "archive_id"), _id(data, "correlation_id"), retry)


def _id(data: dict[str, Any], name: str) -> str:
    value = data.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_ID:
        raise ValueError(f"its {name} is none")
    return value


def lent_before(message: AbstractIncomingMessage) -> bool:
    """Whether it was lent before: `redelivered`, or a count that a quorum queue keeps and RabbitMQ 4.3 keeps anew."""
    counts = [message.headers.get(name) for name in ("x-delivery-count", "x-acquired-count")]
    return bool(message.redelivered) or any(isinstance(count, int) and count > 0 for count in counts)


def traceparent_of(message: AbstractIncomingMessage) -> str | None:
    """The trace that a message belongs to, where it carries one (W3C Trace Context, 3.2)."""
    value = message.headers.get("traceparent")
    value = value.decode("ascii", "replace") if isinstance(value, bytes) else value
    return value if isinstance(value, str) and is_traceparent(value) else None
