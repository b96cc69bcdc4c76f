"""`rayhound show` and `rayhound list`: look at images that a server keeps."""

import asyncio
from typing import Annotated, Any

import typer

from rayhound.cli import console
from rayhound.cli.options import HERE, AsJson, Server
from rayhound.domain import Contains, NotFound, Status

OF_STATUS = f"Only those that stand so: {', '.join(Status)}."
OF_ANSWER = f"Only those with this answer: {', '.join(Contains)}, or another model's labels joined by +."


def show(
    ids: Annotated[list[str], typer.Argument(metavar="ID", help="Ids that uploads were answered with.")],
    server: Server = HERE,
    as_json: Annotated[bool, typer.Option("--json", help="Print each record as one JSON line.")] = False,
) -> int:
    """Show everything that is known of images.

    Exit status: 0, or 1 when an id is unknown.
    """
    shown = asyncio.run(_shown(server, ids, as_json))
    return 0 if shown == len(ids) else 1


def listing(
    server: Server = HERE,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="How many at most.")] = 20,
    status: Annotated[Status | None, typer.Option(metavar="STATUS", help=OF_STATUS, show_default=False)] = None,
    contains: Annotated[str | None, typer.Option(metavar="ANSWER", help=OF_ANSWER, show_default=False)] = None,
    as_json: AsJson = False,
) -> None:
    """List images, the newest first."""
    wanted = {name: str(value) for name, value in (("status", status), ("contains", contains)) if value is not None}
    records = asyncio.run(_records(server, wanted, limit))
    if as_json:
        for record in records:
            console.out_json(record)
    else:
        console.table(("ID", "ACCEPTED", "STATUS", "ANSWER", "SIZE", "IMAGE", "REASON"), [_row(r) for r in records])


async def _shown(server: str, ids: list[str], as_json: bool) -> int:
    """Show every image that is known, and say how many these are."""
    from rayhound.client import Client

    shown = 0
    async with Client(server) as client:
        for image_id in ids:
            try:
                record = await client.record(image_id)
            except NotFound as e:
                console.error(e.detail, e.hint)
                continue
            if as_json:
                console.out_json(record)
            else:
                console.out("\n".join([""] * bool(shown) + described(record)))
            shown += 1
    return shown


async def _records(server: str, wanted: dict[str, str], limit: int) -> list[dict[str, Any]]:
    from rayhound.client import Client

    async with Client(server) as client:
        return [record async for record in client.records(wanted, limit)]


def _row(record: dict[str, Any]) -> tuple[str, ...]:
    when = record["accepted_at"][:19] + "Z"
    shown = (console.answer(record), console.size(record), record["file_name"] or "", console.reason(record))
    return (record["image_id"], when, record["status"], *shown)


def described(record: dict[str, Any]) -> list[str]:
    """A record as lines for a person: a name and a value each, `analyses` counted instead of repeated."""
    shown = {name: value for name, value in record.items() if name not in ("analyses", "scores", "model")}
    if "scores" in record:
        shown["scores"] = console.scores(record)
    if "model" in record:
        shown["model"] = f"{record['model']['name']}@{record['model']['version']}"
    if len(record.get("analyses", ())) > 1:
        shown["analyses"] = f"{len(record['analyses'])}, all of them in --json"
    width = max(map(len, shown))
    return [f"{name.ljust(width)}  {_word(value)}" for name, value in shown.items() if value is not None]


def _word(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else console.printable(str(value))
