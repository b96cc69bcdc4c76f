"""Writes the pages of docs/reference that follow from the code: the command line, the settings, the metrics.

`just docs` writes them; a test fails while one of them differs from what the code says.
"""

from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import typer
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from rayhound import telemetry
from rayhound.cli import app
from rayhound.settings import PREFIX, Settings

HERE = Path(__file__).parent.parent / "docs" / "reference"
GENERATED = "<!-- Generated from the code by `just docs`; change it there. -->\n"

COMMAND_LINE = """# The command line

Data goes to stdout, everything else to stderr, and colours only to a terminal (never with `NO_COLOR` set).
What goes wrong is told as `error:` and `hint:`. Exit status: 0 when all went well, 1 when something did not,
2 for a wrong command line, 130 after Ctrl-C, 141 when whoever reads the output has gone (`rayhound list | head -1`);
a command that says more about it says so below.

`rayhound --install-completion` makes your shell complete commands and options.
"""

SETTINGS = """# Settings

Rayhound reads its settings from the environment; an option of the command line goes first. A value can come from a
file as well: `RAYHOUND_MODEL_FILE=/run/model` names a file that holds the value of `RAYHOUND_MODEL`.
A value that cannot be read stops the process with its name and a hint.

| Setting | Default | What it is |
|---|---|---|
"""

METRICS = """# Metrics

`/metrics` speaks the text format of Prometheus. Times are in seconds, sizes in bytes. A web server and a consumer show
those of every process and their own; `rayhound up`, which is both, shows all. Beside these there are `process_…`, about
the process itself (CPU, memory, open files), without its analysers, which are processes of their own.
"""
ROLES = {
    "Every process": telemetry.EVERY_PROCESS,
    "A web server": telemetry.WEB_SERVER,
    "A consumer": telemetry.CONSUMER,
}
TABLE = "| Metric | Kind | Labels | What it is |\n|---|---|---|---|\n"


def command_line() -> str:
    """The page about every command, with the words of its `--help`."""
    group: Any = typer.main.get_command(app)
    pages = [GENERATED, COMMAND_LINE]
    for name, command in group.commands.items():
        pages.append(f"## `rayhound {name}`\n\n{command.help.strip()}\n")
        pages.append("\n".join(_options(name, command)) + "\n")
    return "\n".join(pages)


def _options(name: str, command: Any) -> Iterator[str]:
    context = typer.Context(command, info_name=f"rayhound {name}")
    yield f"    {' '.join(['rayhound', name, *command.collect_usage_pieces(context)])}\n"
    yield "| Option | What it is |"
    yield "|---|---|"
    for parameter in command.params:
        if parameter.name == "help":
            continue
        is_option = parameter.param_type_name == "option"
        word = "" if not is_option or parameter.is_flag else f" {parameter.metavar or parameter.name.upper()}"
        label = ", ".join(parameter.opts) if is_option else parameter.metavar
        shown = is_option and parameter.show_default and parameter.default not in (None, False)
        default = f" Default: `{parameter.default}`." if shown else ""
        variable = f" Environment: `{parameter.envvar}`." if is_option and parameter.envvar else ""
        yield f"| `{label}{word}` | {parameter.help}{default}{variable} |"


def settings() -> str:
    """The page about every setting, with its default."""
    rows = []
    for field in fields(Settings):
        default = "not set" if field.default is None else f"`{field.default}`"
        default = "the model that Rayhound brings" if field.name == "model" else default
        rows.append(f"| `{PREFIX}{field.name.upper()}` | {default} | {field.metadata['about']} |\n")
    return GENERATED + "\n" + SETTINGS + "".join(rows)


def metrics() -> str:
    """The page about every metric, role by role."""
    tables = (f"\n## {role}\n\n{TABLE}{''.join(_rows(registry))}" for role, registry in ROLES.items())
    return GENERATED + "\n" + METRICS + "".join(tables)


def _rows(registry: CollectorRegistry) -> Iterator[str]:
    for metric in registry._collector_to_names:
        if isinstance(metric, (Counter, Gauge, Histogram)):
            family = next(iter(metric.describe()))
            name = family.name + ("_total" if family.type == "counter" else "")
            labels = ", ".join(f"`{label}`" for label in metric._labelnames)
            yield f"| `{name}` | {family.type} | {labels} | {family.documentation} |\n"


PAGES: dict[str, Callable[[], str]] = {"cli.md": command_line, "settings.md": settings, "metrics.md": metrics}


def main() -> None:
    """Write every page."""
    for name, page in PAGES.items():
        (HERE / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
