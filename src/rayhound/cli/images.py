"""`rayhound show` and `rayhound list`: look at images that a server keeps."""

import asyncio
from typing import Annotated, Any

import typer

from rayhound.cli import console
from rayhound.cli.options import HERE, AsJson, Server
from rayhound.domain import Contains, Status


def show(
    image_id: Annotated[str, typer.Argument(metavar="ID", help="The id that its upload was answered with.")],
    server: Server = HERE,
    as_json: Annotated[bool, typer.Option("--json", help="Print the record as one JSON line.")] = False,
) -> None:
    """Show everything that is known of an image."""
    record = asyncio.run(_record(server, image_id))
    if as_json:
        console.out_json(record)
    else:
        for line in described(record):
            console.out(line)


def listing(
    server: Server = HERE,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="How many at most.")] = 20,
    status: Annotated[Status | None, typer.Option(help="Only those that stand so.", show_default=False)] = None,
    contains: Annotated[Contains | None, typer.Option(help="Only those with this answer.", show_default=False)] = None,
    as_json: AsJson = False,
) -> None:
    """List images, the newest first."""
    wanted = {name: str(value) for name, value in (("status", status), ("contains", contains)) if value is not None}
    records = asyncio.run(_records(server, wanted, limit))
    if as_json:
        for record in records:
            console.out_json(record)
    else:
        console.table(("ID", "ACCEPTED", "STATUS", "ANSWER", "SIZE", "IMAGE"), [_row(r) for r in records])


async def _record(server: str, image_id: str) -> dict[str, Any]:
    from rayhound.client import Client

    async with Client(server) as client:
        return await client.record(image_id)


async def _records(server: str, wanted: dict[str, str], limit: int) -> list[dict[str, Any]]:
    from rayhound.client import Client

    async with Client(server) as client:
        return [record async for record in client.records(wanted, limit)]


def _row(record: dict[str, Any]) -> tuple[str, ...]:
    when = record["accepted_at"][:19].replace("T", " ")
    shown = (record["status"], console.answer(record), console.size(record), record["file_name"] or "")
    return (record["image_id"], when, *shown)


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
