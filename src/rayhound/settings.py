"""What an operator can set: one frozen `Settings`, and the only reader of the environment (`RAYHOUND_…`)."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from rayhound.domain import Misconfigured

PREFIX = "RAYHOUND_"
DEFAULT_MODEL = Path(__file__).parent / "models" / "pets.onnx"


def number(low: float, high: float, kind: type[int] | type[float] = int) -> Callable[[str], Any]:
    """A reader of numbers within bounds."""

    def read(text: str) -> int | float:
        value = kind(text)
        if not low <= value <= high:
            raise ValueError
        return value

    read.__doc__ = f"a {'whole number' if kind is int else 'number'} from {low} to {high}"
    return read


def one_of(*words: str) -> Callable[[str], str]:
    """A reader of one of some words."""

    def read(text: str) -> str:
        if text not in words:
            raise ValueError
        return text

    read.__doc__ = " or ".join(words)
    return read


def path(text: str) -> Path:
    """a path"""
    return Path(text).expanduser()


def place(text: str) -> Path | str:
    """a folder, file:///absolute/folder or s3://bucket/prefix"""
    if "://" not in text:
        return path(text)
    url = urlsplit(text)
    if url.scheme == "file" and url.netloc == "" and url.path.startswith("/"):
        return Path(unquote(url.path))
    if url.scheme == "s3" and url.netloc:
        return text
    raise ValueError


def broker(text: str) -> str:
    """amqp://user:password@host:5672/vhost, or amqps://…"""
    if urlsplit(text).scheme not in ("amqp", "amqps") or not urlsplit(text).hostname:
        raise ValueError
    return text


def setting(default: Any, read: Callable[[str], Any], about: str, shown: bool = True) -> Any:
    """A field of `Settings`: its default, how its text is read, and a sentence for the reference."""
    return field(default=default, repr=shown, metadata={"read": read, "about": about})


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting with its default, on one screen."""

    archive: Path | str | None = setting(
        None, place, "What keeps images and all that is known of them; `up` alone has a default: ./rayhound-data."
    )
    queue: str | None = setting(None, broker, "The RabbitMQ that `serve` and `consume` share.", shown=False)
    queue_user: str | None = setting(None, str, "The user there, where the address has none.")
    queue_password: str | None = setting(None, str, "The password there, where the address has none.", shown=False)
    queue_secret: str | None = setting(
        None, str, "The name of the Kubernetes Secret that holds both: told when the broker refuses them."
    )
    queue_ca: Path | None = setting(None, path, "For amqps: certificates of the authorities to trust, PEM.")
    queue_certificate: Path | None = setting(None, path, "For amqps: our own certificate, PEM.")
    queue_key: Path | None = setting(None, path, "For amqps: the key of our own certificate, PEM.")
    host: str | None = setting(
        None, str, "The address to listen on: 127.0.0.1 for `up`, 0.0.0.0 for `serve` and `consume` where not set."
    )
    port: int = setting(5000, number(0, 65535), "The port that the web server listens on; 0 takes any free one.")
    metrics_port: int = setting(9464, number(0, 65535), "The port of a consumer's /livez, /readyz and /metrics.")
    model: Path = setting(DEFAULT_MODEL, path, "The model file, self-describing ONNX.")
    analysers: int = setting(0, number(0, 256), "Child processes that analyse; 0 means one for each core it may use.")
    analysis_memory: int = setting(
        1_000_000_000, number(1, 2**40), "Bytes of memory that one analysis may take beside its analyser's own."
    )
    drain_seconds: float | None = setting(
        None, number(0, 3600, float), "Seconds that a stopping web server goes on accepting: 5, but 0 for `up`."
    )
    keep_alive_seconds: float = setting(
        75.0, number(1, 3600, float), "Seconds that a connection is kept open between two requests."
    )
    log_format: str = setting("text", one_of("text", "json"), "How log lines look on stderr: text or json.")


def read(environment: Mapping[str, str] = os.environ, **given: Any) -> Settings:
    """Settings from the environment; what the command line gave goes first.

    A value can come from a file instead: `RAYHOUND_MODEL_FILE=/run/secrets/model` names a file that holds it.
    Raises `Misconfigured` with the setting's name for a value that cannot be read.
    """
    known = {f.name: f for f in fields(Settings)}
    names = {PREFIX + name.upper(): name for name in known}
    values = {name: value for name, value in given.items() if value is not None}
    for variable in sorted(v for v in environment if v.startswith(PREFIX)):
        name = names.get(variable) or names.get(variable.removesuffix("_FILE"))
        if name is None or name in values:
            continue
        text = environment[variable] if variable in names else _content(variable, environment[variable])
        reader = known[name].metadata["read"]
        try:
            values[name] = reader(text)
        except ValueError as e:
            shown = f" is {text!r}" if known[name].repr else "'s value cannot be read"
            raise Misconfigured(f"{variable}{shown}", f"give it {reader.__doc__}") from e
    return Settings(**values)


def _content(variable: str, name: str) -> str:
    try:
        return Path(name).read_text(encoding="utf-8").strip()
    except OSError as e:
        detail = f"{variable} names {name}, which cannot be read: {e.strerror}"
        raise Misconfigured(detail, "name a readable file") from e
