"""`rayhound upload`: send files and folders, and wait for what is in them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rayhound.cli import console
from rayhound.cli.folder import files_of
from rayhound.cli.options import HERE, AsJson, Server
from rayhound.cli.progress import Progress
from rayhound.domain import Never, NotFound, StorageFull, Unavailable

if TYPE_CHECKING:
    from rayhound.client import Client

PATIENCE = 60.0  # seconds without any answer after which the server counts as gone
GIVE_UP = 600.0  # seconds to wait for one image's analysis


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one file: `status` is that of its record, or `refused` or `not sent`."""

    path: Path
    status: str
    record: dict[str, Any]
    hint: str = ""

    def as_json(self) -> dict[str, Any]:
        """Its record with its path; a file that made no record has a `reason` and a `hint` instead."""
        return {"path": str(self.path), "status": self.status, **self.record} | (
            {"hint": self.hint} if self.hint else {}
        )

    def line(self) -> str:
        """One line about it, for where there is no progress bar."""
        words = (
            self.path,
            self.record.get("image_id"),
            self.status,
            console.answer(self.record),
            console.reason(self.record),
        )
        return " ".join(str(word) for word in words if word)


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be sent, and how."""

    server: str
    files: tuple[Path, ...]
    at_once: int
    waits: bool
    as_json: bool


async def send_all(client: "Client", order: Order, report: Callable[[Sent], None]) -> None:
    """Send every file of an order, while as many answers are waited for.

    A file is reported once it is accepted (`queued`) or not, and again once it is analysed or failed.
    Raises `Unavailable` as soon as the server stays away: what was not reported was not sent, as far as we know.
    """
    accepted: asyncio.Queue[Sent | None] = asyncio.Queue()
    files = iter(order.files)

    async def send() -> None:
        for path in files:
            sent = await _sent(client, path)
            report(sent)
            if order.waits and sent.status == "queued":
                accepted.put_nowait(sent)

    async def wait() -> None:
        while sent := await accepted.get():
            report(await _settled(client, sent))

    try:
        async with asyncio.TaskGroup() as group:
            senders = [group.create_task(send()) for _ in range(order.at_once)]
            waiting = [group.create_task(wait()) for _ in range(order.at_once)]
            await asyncio.wait(senders)
            for _ in waiting:
                accepted.put_nowait(None)
    except* (Unavailable, BrokenPipeError) as several:
        raise several.exceptions[0] from None


async def _sent(client: "Client", path: Path) -> Sent:
    try:
        accepted = await client.upload(path)
    except (Never, NotFound, StorageFull) as e:
        return Sent(path, "refused", {"reason": e.detail}, e.hint)
    except OSError as e:
        return Sent(path, "not sent", {"reason": e.strerror or str(e)})
    return Sent(path, "queued", {name: accepted[name] for name in ("image_id", "correlation_id")})


async def _settled(client: "Client", sent: Sent) -> Sent:
    clock = asyncio.get_running_loop().time
    until = clock() + GIVE_UP
    while True:
        try:
            record = await client.record(sent.record["image_id"], wait=True)
        except NotFound as e:
            return Sent(sent.path, "removed", sent.record | {"reason": e.detail})
        if record["status"] != "queued" or clock() > until:
            return Sent(sent.path, record["status"], record)


def upload(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH", help="Files and folders.", show_default=False)],
    server: Server = HERE,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Do not wait for the answers.")] = False,
    at_once: Annotated[int, typer.Option(min=1, max=64, metavar="N", help="Images to send at the same time.")] = 4,
    as_json: AsJson = False,
) -> int:
    """Send images, and wait until it is known what is in them.

    A folder is searched for images, its folders too. A file that is named is sent whatever is in it. What fails on the
    way is sent again for up to a minute, and within one run never makes a second image. A server that has no room (507)
    is not asked again, and one that cannot be reached at all is not waited for.

    Exit status: 0 when every image was accepted and analysed (with --no-wait: accepted); 1 when one was refused, could
    not be sent, failed, or was not analysed within ten minutes; 2 for a wrong command line; 130 after Ctrl-C.
    """
    order = Order(server, files_of(paths), at_once, not no_wait, as_json)
    results: dict[Path, Sent] = {}
    try:
        asyncio.run(_carry_out(order, results))
    finally:  # after Ctrl-C, too, what was accepted has its id
        _conclude(order, results)
    wanted = "analysed" if order.waits else "queued"
    return 0 if all(sent.status == wanted for sent in results.values()) else 1


async def _carry_out(order: Order, results: dict[Path, Sent]) -> None:
    from rayhound.client import Client

    with Progress(len(order.files)) as progress:

        def report(sent: Sent) -> None:
            results[sent.path] = sent
            if sent.status != "queued" or not order.waits:
                progress.ended(sent.line())
                if order.as_json:
                    console.out_json(sent.as_json())

        async with Client(order.server, PATIENCE, progress.trouble) as client:
            await send_all(client, order, report)


def _conclude(order: Order, results: dict[Path, Sent]) -> None:
    in_order = [results[path] for path in order.files if path in results]
    unsent = [Sent(path, "not sent", {}) for path in order.files if path not in results]
    if order.as_json:
        queued = [sent for sent in in_order if order.waits and sent.status == "queued"]
        for sent in [*queued, *unsent]:  # the others were printed as they ended
            console.out_json(sent.as_json())
    elif in_order:
        console.table(("IMAGE", "ID", "STATUS", "ANSWER", "SCORES", "SIZE", "REASON"), [_row(s) for s in in_order])
    console.hints_about((str(sent.path), sent.hint) for sent in in_order)
    if unsent:
        which = "a line each" if order.as_json else "those that no line above names; --json gives each a line"
        console.tell(f"not sent, as far as is known: {len(unsent)} of {len(order.files)} images, {which}")


def _row(sent: Sent) -> tuple[str, ...]:
    record = sent.record
    shown = (console.answer(record), console.scores(record), console.size(record), console.reason(record))
    return (str(sent.path), record.get("image_id", ""), sent.status, *shown)
