"""Options that several commands share, each described once, and the settings that they and the environment make."""

import os
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer

from rayhound.cli import console
from rayhound.domain import BadRequest, RayhoundError
from rayhound.settings import PREFIX, Settings, read


def _address(server: str) -> str:
    from rayhound.client import address

    try:
        return address(server)
    except BadRequest as e:
        raise typer.BadParameter(e.detail) from e


Server = Annotated[
    str,
    typer.Option("--server", metavar="URL", envvar="RAYHOUND_SERVER", callback=_address, help="The server to talk to."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON lines instead of a table.")]
Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="DIR",
        help="The folder that keeps the images and everything known of them. [default: ./rayhound-data]",
        show_default=False,
    ),
]
ModelFile = Annotated[
    Path | None,
    typer.Option("--model", metavar="FILE", help="Another model file, self-describing ONNX.", show_default=False),
]

HERE = "http://127.0.0.1:5000"
OF_OTHERS = ("RAYHOUND_SERVER", "RAYHOUND_SAMPLES", "RAYHOUND_IMAGE", "RAYHOUND_PUBLISH", "RAYHOUND_PUBLISH_RABBITMQ")
"""What clients, the tests and compose.yaml read."""


def settings(**given: Any) -> Settings:
    """The settings of the environment and of the command line; a variable that nothing reads is named as a warning."""
    from rayhound.telemetry import configure, log

    found = read(**given)
    configure(found.log_format)
    known = {PREFIX + field.name.upper() for field in fields(Settings)}
    for variable in sorted(name for name in os.environ if name.startswith(PREFIX) and name not in OF_OTHERS):
        if variable not in known and variable.removesuffix("_FILE") not in known:
            if found.log_format == "json":
                log().warning("unknown_setting", name=variable)
                continue
            console.warning(f"{variable} is no setting of Rayhound", "the settings are in docs/reference/settings.md")
    return found


def run(part: Callable[[Settings], int], found: Settings) -> int:
    """Run a part of Rayhound; where every line is to be JSON, what ends it is told as one too."""
    from rayhound.telemetry import log

    try:
        return part(found)
    except Exception as e:
        if found.log_format != "json":
            raise
        if isinstance(e, RayhoundError):
            log().critical("stopped", detail=e.detail, hint=e.hint or None)
        else:
            log().critical("stopped", exc_info=e)
        return 1
