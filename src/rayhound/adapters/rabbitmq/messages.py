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

from rayhound.domain import TRACEPARENT, Request, is_image_id

CONTENT_TYPE = "application/cloudevents+json"
TYPE = "rayhound.analysis.requested"
LONGEST_ID = 255  # an AMQP short string (AMQP 0-9-1, 4.2.5.3)


def written(request: Request) -> Message:
    """The message that asks for this request; its id is new each time.

    aio-pika finds the publish that a returned message belongs to by its id. Were the id that of the image, of two
    publishes under way at once (a sweep's and an acceptor's) the returned one could count as confirmed.
    """
    moment = request.requested_at or datetime.now(UTC)
    message_id = f"{request.image_id}.{os.urandom(4).hex()}"
    event = {
        "specversion": "1.0",
        "id": message_id,
        "source": f"/archives/{quote(request.archive_id, safe='')}",
        "type": TYPE,
        "subject": request.image_id,
        "time": moment.isoformat().replace("+00:00", "Z"),
        "data": {
            "image_id": request.image_id,
            "archive_id": request.archive_id,
            "correlation_id": request.correlation_id,
            "retry": request.retry,
        },
    }
    headers: HeadersType = {"traceparent": request.traceparent} if request.traceparent else {}
    return Message(
        json.dumps(event, indent=1).encode(),
        headers=headers,
        content_type=CONTENT_TYPE,
        delivery_mode=DeliveryMode.PERSISTENT,
        correlation_id=request.correlation_id,
        message_id=message_id,
        timestamp=moment,
        type=TYPE,
        app_id="rayhound",
    )


def read(body: bytes, traceparent: object = None) -> Request:
    """The request that a message asks for in its body; raises `ValueError`, saying what is wrong with it.

    Of its header `traceparent` and of its time, which the request can do without, what is malformed is left out.
    """
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
    ids = (image_id, _id(data, "archive_id"), _id(data, "correlation_id"))
    return Request(*ids, retry, _trace(traceparent), _moment(event.get("time")))


def _id(data: dict[str, Any], name: str) -> str:
    value = data.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_ID:
        raise ValueError(f"its {name} is none")
    return value


def _trace(header: object) -> str | None:
    text = header.decode("ascii", "replace") if isinstance(header, bytes) else header
    return text if isinstance(text, str) and TRACEPARENT.fullmatch(text) else None


def _moment(time: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(time))
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def lent_before(message: AbstractIncomingMessage) -> bool:
    """Whether it was lent before: `redelivered`, or a count that a quorum queue keeps and RabbitMQ 4.3 keeps anew."""
    counts = [message.headers.get(name) for name in ("x-delivery-count", "x-acquired-count")]
    return bool(message.redelivered) or any(isinstance(count, int) and count > 0 for count in counts)
