"""`rayhound up`: everything in one process."""

from typing import Annotated

import typer

from rayhound.cli import console
from rayhound.cli.options import Data, ModelFile, run, settings


def up(
    data: Data = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            metavar="N",
            help="The port to listen on; 0 takes any free one. [default: 5000]",
            show_default=False,
        ),
    ] = None,
    host: Annotated[
        str | None, typer.Option(help="The address to listen on. [default: 127.0.0.1]", show_default=False)
    ] = None,
    analysers: Annotated[
        int | None,
        typer.Option(
            min=0, max=256, metavar="N", help="Processes that analyse. [default: one for each core]", show_default=False
        ),
    ] = None,
    model: ModelFile = None,
) -> int:
    """Run everything on this machine: web server, queue, analysers, on one folder.

    There is nothing else to install. It listens on this machine alone, and goes on until Ctrl-C or SIGTERM. What was
    accepted lies in the folder and is finished at the next start.
    """
    from rayhound.wiring.up import up as part

    given = settings(archive=data, port=port, host=host, analysers=analysers, model=model)
    return run(lambda found: part(found, console.tell), given)
