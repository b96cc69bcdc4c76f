"""`rayhound requeue` and `rayhound check`: look after an archive."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rayhound.cli import console
from rayhound.cli.options import Data, ModelFile, settings
from rayhound.domain import MODEL_WORD, Misconfigured, RayhoundError, Unavailable
from rayhound.settings import Settings

if TYPE_CHECKING:
    from rayhound.pipeline.accepting import Requeued
    from rayhound.ports import Storage


def requeue(
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID", help="Images.", show_default=False)] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Those that failed as well: their next try.")] = False,
    model: Annotated[
        str | None,
        typer.Option(metavar="NAME@VERSION", help="All that this model has not answered yet.", show_default=False),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    data: Data = None,
) -> int:
    """Queue images again: all that are `queued`, or the ids given.

    This repairs a queue that has lost its requests. An id that failed gets its next try, one that is analysed is left.
    With --model it chooses what this one has neither analysed nor failed at: for a new model, once consumers have it.
    It begins within 15 seconds, once a web server on this folder has looked.

    Exit status: 0, or 1 when an id is unknown.
    """
    try:
        return asyncio.run(_requeue(settings(archive=data), ids or None, failed, _known(model), dry_run))
    except Unavailable as e:
        raise Unavailable(e.detail, f"{e.hint} If it is another folder, name it with --data".strip()) from e


def _known(model: str | None) -> str | None:
    """A model's name and version as they were given; raises `typer.BadParameter` for what is none."""
    if model is not None and not all(MODEL_WORD.fullmatch(word) for word in model.partition("@")[::2]):
        raise typer.BadParameter(f"{model!r} is no NAME@VERSION, such as `rayhound model` shows", param_hint="--model")
    return model


async def _requeue(given: Settings, ids: list[str] | None, failed: bool, model: str | None, dry_run: bool) -> int:
    from rayhound.pipeline.accepting import Again
    from rayhound.pipeline.accepting import requeue as ask_again
    from rayhound.wiring.archive import open_archive

    counts = dict.fromkeys(Again, 0)
    async with open_archive(given) as opened:
        async for requeued in ask_again(opened.archive, ids, failed, model, dry_run):
            counts[requeued.outcome] += 1
            if ids or requeued.outcome not in (Again.ANALYSED, Again.WAITING):
                console.out(f"{console.printable(requeued.image_id)}  {_outcome(requeued)}")
    again = counts[Again.QUEUED] + counts[Again.NEXT_TRY]
    what = f"{again} image{'' if again == 1 else 's'}"
    if dry_run:
        console.tell(f"{what} would be queued again; nothing was done")
    else:
        console.tell(f"{what} queued again" + ("; it begins within 15 s" if again else ""))
    if counts[Again.WAITING] and not ids:
        console.tell(f"{counts[Again.WAITING]} waiting already")
    return 1 if counts[Again.UNKNOWN] else 0


def _outcome(requeued: "Requeued") -> str:
    from rayhound.pipeline.accepting import Again

    is_next = requeued.outcome is Again.NEXT_TRY
    return f"queued again, try {requeued.retry + 1}" if is_next else str(requeued.outcome)


def check(data: Data = None, model: ModelFile = None) -> int:
    """Check that the archive is writable, the queue reachable and the model sound: a line each.

    Exit status: 0 when all is well, 1 otherwise.
    """
    given = settings(archive=data, model=model)
    looks = (("archive", _archive), ("queue", _queue), ("model", _model))
    passed = [_passes(name, look, given) for name, look in looks]
    return 0 if all(passed) else 1


def _passes(name: str, look: Callable[[Settings], str], given: Settings) -> bool:
    try:
        said = look(given)
    except RayhoundError as e:
        console.out(f"{name:8} failed  {e.detail}")
        if e.hint:
            console.out(f"{'':8} hint:   {e.hint}")
        return False
    console.out(f"{name:8} ok      {said}")
    return True


def _archive(given: Settings) -> str:
    from rayhound.wiring.archive import AT_HOME, open_archive

    where = given.archive or AT_HOME
    if isinstance(where, Path):
        where = where.resolve()
        if not os.path.lexists(where):
            return f"{where} is not there yet; `rayhound up` makes it{_room(_to_be_made(where))}"

    async def ping() -> str:
        async with open_archive(given) as opened:
            storage = await opened.archive.ping()
            async with aclosing(opened.archive.list("")) as entries:
                await anext(entries, None)
            return f"{where} is writable{_room(storage)}{_sources(where)}"

    return asyncio.run(ping())


def _sources(where: Path | str) -> str:
    """Where a bucket's endpoint, region and credentials come from; nothing for a folder."""
    from rayhound.wiring.archive import sources

    return "".join(f"\n{'':17}{name}: {source}" for name, source in sources(where).items())


def _to_be_made(where: Path) -> "Storage":
    """The storage that a folder would lie on; a folder made there shows that it can be. Raises `Misconfigured`."""
    from rayhound.ports import Storage

    there = next(path for path in where.parents if os.path.exists(path))
    try:
        os.rmdir(tempfile.mkdtemp(prefix=".rayhound-", dir=there))
        usage = shutil.disk_usage(there)
    except OSError as e:
        detail = f"the folder {where} cannot be made: {e.strerror or e}"
        raise Misconfigured(detail, "give a folder on a disk that can be written, with --data") from e
    return Storage(datetime.now(UTC), usage.free, usage.total)


def _room(storage: "Storage") -> str:
    """The room of a storage in words; raises `StorageFull` where a web server would refuse uploads for want of it."""
    from rayhound.server.room import amount, require

    require(storage, 0)
    return "" if storage.free is None else f", {amount(storage.free)} free"


def _queue(given: Settings) -> str:
    if given.queue is None:
        return "embedded: in memory, inside `rayhound up`; `serve` and `consume` need RAYHOUND_QUEUE"

    async def ping() -> str:
        from rayhound.wiring.queue import reached

        return await reached(given)

    return asyncio.run(ping())


def _model(given: Settings) -> str:
    from rayhound.wiring.classifier import open_classifier

    said = open_classifier(given).model
    return f"{said.name}@{said.version}, {given.model}"
