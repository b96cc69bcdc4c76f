"""What an operator can set: one frozen `Settings`, and the only reader of the environment (`RAYHOUND_…`)."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from rayhound.domain import Misconfigured

PREFIX = "RAYHOUND_"
DEFAULT_MODEL = Path(__file__).parent / "models" / "starter.onnx"


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


def setting(default: Any, read: Callable[[str], Any], about: str) -> Any:
    """A field of `Settings`: its default, how its text is read, and one sentence for the reference."""
    return field(default=default, metadata={"read": read, "about": about})


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting with its default, on one screen."""

    archive: Path = setting(Path("rayhound-data"), path, "The folder that keeps images and all that is known of them.")
    host: str = setting("127.0.0.1", str, "The address that the web server listens on.")
    port: int = setting(5000, number(0, 65535), "The port that the web server listens on; 0 takes any free one.")
    model: Path = setting(DEFAULT_MODEL, path, "The model file, self-describing ONNX.")
    analysers: int = setting(0, number(0, 256), "Child processes that analyse; 0 means one for each core it may use.")
    analysis_memory: int = setting(
        1_000_000_000, number(1, 2**40), "Bytes of memory that one analysis may take beside its analyser's own."
    )
    drain_seconds: float = setting(0.0, number(0, 3600, float), "Seconds that a stopping web server goes on accepting.")
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
            raise Misconfigured(f"{variable} is {text!r}", f"give it {reader.__doc__}") from e
    return Settings(**values)


def _content(variable: str, name: str) -> str:
    try:
        return Path(name).read_text(encoding="utf-8").strip()
    except OSError as e:
        detail = f"{variable} names {name}, which cannot be read: {e.strerror}"
        raise Misconfigured(detail, "name a readable file") from e
