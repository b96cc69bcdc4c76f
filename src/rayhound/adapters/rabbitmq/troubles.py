"""Why there is no connection to the broker, told so that a person can mend it."""

import ssl
from collections.abc import Mapping
from typing import Any

from aio_pika.exceptions import ChannelClosed, ChannelPreconditionFailed, InvalidFrameError, ProbableAuthenticationError

from rayhound.adapters.rabbitmq.address import Address
from rayhound.domain import Misconfigured, RayhoundError, Unavailable
from rayhound.telemetry import log

OLDEST = (3, 10)
NEWEST_MAJOR = 4

_RUNS = "does it run, and are host and port in RAYHOUND_QUEUE right?"


def told(error: BaseException, address: Address) -> RayhoundError:
    """An error of the library in our words: `Misconfigured` where somebody has to change something."""
    certificate = _certificate_error(error)
    text = " ".join(str(argument) for argument in error.args) or type(error).__name__
    match error:
        case RayhoundError():
            return error
        case ChannelPreconditionFailed():
            return Misconfigured(
                f"a queue exists with other arguments: {_reply(text)}",
                "move its requests, delete it and let Rayhound declare it: docs/guides/rabbitmq.md, Migration",
            )
        case ChannelClosed() if "ACCESS_REFUSED" in text:
            return Misconfigured(
                f"the broker forbids it: {_reply(text)}",
                "give the user configure, write and read on the two queues: docs/guides/rabbitmq.md, Users",
            )
        case ProbableAuthenticationError():
            return Misconfigured(f"the broker at {address} does not let us in: {_reply(text)}", _login_hint(address))
        case InvalidFrameError() if "Connection.Close" in text:  # the answer to connection.open; aiormq keeps its text
            return Misconfigured(
                f"the broker at {address} does not open the virtual host {address.virtual_host}",
                "see whether it exists, whether the user may use it, and what the broker's log says",
            )
        case TimeoutError():
            return Unavailable(f"the broker at {address} does not answer", _RUNS)
    if certificate is not None:
        return Misconfigured(
            f"the broker at {address} and we do not trust each other: {certificate}",
            "look at the authority, at the name in the broker's certificate, and at our own certificate",
        )
    return Unavailable(f"the broker at {address} is away: {text}", _RUNS)


def check_broker(properties: Mapping[str, Any], address: Address) -> None:
    """Raises `Misconfigured` for a broker that cannot keep what Rayhound promises; warns of one that nobody tried."""
    product, version = _text(properties.get("product")), _text(properties.get("version"))
    number = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if product != "RabbitMQ":
        raise Misconfigured(f"{address} is {product} {version}, no RabbitMQ", "give Rayhound a RabbitMQ of its own")
    if number < OLDEST:
        raise Misconfigured(
            f"the broker at {address} is RabbitMQ {version}, which has no at-least-once dead letters",
            "Rayhound needs RabbitMQ 3.10 to 4.x; upgrade the broker",
        )
    if number[0] > NEWEST_MAJOR:
        log().warning("broker_newer_than_tried", address=str(address), version=version, tried="3.10 to 4.x")


def _login_hint(address: Address) -> str:
    if address.kept_in is None:
        return "look at the user and the password"
    where = f"look at the user and the password in the Secret {address.kept_in}"
    return f"{where}: the broker took its password when its volume was made"


def _certificate_error(error: BaseException | None) -> str | None:
    while error is not None:
        for one in (error, *error.args):
            if isinstance(one, ssl.SSLError):
                return str(getattr(one, "verify_message", "") or one.reason or one)
        error = error.__cause__
    return None


def _reply(text: str) -> str:
    """A broker's reply without its code: `PRECONDITION_FAILED - inequivalent arg …`."""
    return text.split(" - ", 1)[-1]


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
