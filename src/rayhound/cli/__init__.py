"""The command line: the one entry point for everything that Rayhound does."""

import traceback
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from rayhound import __version__
from rayhound.cli import archive, console, evaluate, images, model, roles, up, upload
from rayhound.domain import RayhoundError

EXAMPLES = """
Examples:

    rayhound up                          begin; all is kept in ./rayhound-data

    rayhound upload cat.jpg holiday/     send a file and a folder

    rayhound list --contains dog         the newest images that show a dog

    rayhound classify --json cat.jpg     no server, one JSON line

Every error says what is wrong and gives a hint.
"""

CONTEXT: dict[str, Any] = {"help_option_names": ["-h", "--help"]}

app = typer.Typer(
    name="rayhound",
    no_args_is_help=True,
    context_settings=CONTEXT,
    pretty_exceptions_enable=False,
    epilog=EXAMPLES,
    rich_markup_mode="markdown",
)

SERVE, SEND, LOCAL, CARE = "Run it", "Send and look", "Without a server", "Look after it"
app.command(rich_help_panel=SERVE)(up.up)
app.command(rich_help_panel=SERVE)(roles.serve)
app.command(rich_help_panel=SERVE)(roles.consume)
app.command(rich_help_panel=SEND)(upload.upload)
app.command(rich_help_panel=SEND)(images.show)
app.command("list", rich_help_panel=SEND)(images.listing)
app.command(rich_help_panel=LOCAL)(model.classify)
app.command(rich_help_panel=LOCAL)(model.model)
app.command(rich_help_panel=LOCAL)(evaluate.evaluate)
app.command(rich_help_panel=CARE)(archive.check)
app.command(rich_help_panel=CARE)(archive.requeue)


def _version(wanted: bool) -> None:
    if wanted:
        console.out(f"rayhound {__version__}")
        raise typer.Exit


@app.callback()
def rayhound(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Takes in animal images, keeps every one safe, and says whether it shows a dog or a cat."""


def _commands() -> Any:
    """The commands, their flags without the `<bool>` that typer's help shows beside them."""
    group: Any = typer.main.get_command(app)
    for command in (group, *group.commands.values()):
        for parameter in command.get_params(typer.Context(command, **CONTEXT)):
            if getattr(parameter, "is_flag", False):
                parameter.metavar = ""
    return group


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; whatever goes wrong is told in words, never as a traceback."""
    try:
        status = _commands().main(arguments, prog_name="rayhound", standalone_mode=False)
    except RayhoundError as e:
        console.error(e.detail, e.hint)
        return 1
    except typer.TyperException as e:
        return _wrong_usage(e)
    except typer.Abort:
        return 130
    except SystemExit as e:  # typer ends with 1 when whoever reads the output has gone, as in `… | head -n 1`
        if isinstance(e.__context__, BrokenPipeError):
            return 141
        raise
    except Exception as e:
        where = traceback.extract_tb(e.__traceback__)[-1]
        console.error(
            f"{type(e).__name__}: {e}",
            f"this is a fault of Rayhound, at {where.filename}:{where.lineno}; please report it",
        )
        return 1
    return int(status or 0)


def _wrong_usage(error: typer.TyperException) -> int:
    detail = getattr(error, "format_message", error.__str__)()
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        console.tell(detail)
    else:
        hint = f"see {context.command_path if context else 'rayhound'} --help"
        console.error(detail.replace("Value error, ", ""), getattr(error.__cause__, "hint", "") or hint)
    return int(getattr(error, "exit_code", 2))
