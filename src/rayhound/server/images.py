"""What is known of images: one record, pages of them, and the bytes as they came."""

import asyncio
import hashlib
import json
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from rayhound import records
from rayhound.domain import BadRequest, Record, Status, is_image_id
from rayhound.ports import Archive
from rayhound.records import Wanted
from rayhound.server.waiting import Waiters, news, preferred

FIRST_LOOK = 0.05
LAST_LOOK = 1.0


async def show(archive: Archive, waiters: Waiters, most: float, request: Request, image_id: str) -> Response:
    """One record as JSON; with `Prefer: wait=N` once it is settled, or after N seconds (at most so many)."""
    seconds = preferred(request.headers.getlist("prefer"), most)
    if seconds:
        record = await settled(archive, waiters, request, image_id, seconds)
    else:
        record = await records.record(archive, image_id)
    body = json.dumps(records.as_json(record), ensure_ascii=False, separators=(",", ":")).encode()
    headers = {"ETag": f'"{hashlib.sha256(body).hexdigest()[:32]}"'}
    if seconds is not None:
        headers["Preference-Applied"] = f"wait={seconds}"
    if record.status is Status.QUEUED:
        headers["Retry-After"] = "1"
    if _known(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="application/json")


async def settled(archive: Archive, waiters: Waiters, request: Request, image_id: str, seconds: float) -> Record:
    """The record of an image once it is settled, or as it is after so many seconds; raises `NotFound`."""
    clock = asyncio.get_running_loop().time
    ends, pause = clock() + seconds, FIRST_LOOK
    with waiters.watching(image_id) as event:
        while True:
            record = await records.record(archive, image_id)
            left = ends - clock()
            if record.status is not Status.QUEUED or left <= 0 or waiters.over or await request.is_disconnected():
                return record
            await news(event, min(pause, left))
            pause = min(pause * 2, LAST_LOOK)


async def page(archive: Archive, before: str | None, limit: int, wanted: Wanted) -> Response:
    """A page of records, newest first, and where the next begins."""
    if before is not None and not is_image_id(before):
        raise BadRequest("before is no cursor", "leave it out, or take it from the page before")
    found = await records.page(archive, before, limit, wanted)
    body: dict[str, Any] = {"images": [records.as_json(r) for r in found.records], "before": found.before}
    if found.before is None:
        return JSONResponse(body)
    asked = {"limit": limit, "before": found.before, "status": wanted.status, "contains": wanted.contains}
    query = urlencode({name: value for name, value in asked.items() if value is not None})
    return JSONResponse(body, headers={"Link": f'</images?{query}>; rel="next"'})


async def content(archive: Archive, request: Request, image_id: str) -> Response:
    """The bytes of an image as they came, for saving and never for running."""
    accepted = (await records.record(archive, image_id)).accepted
    headers = {
        "ETag": f'"{accepted["sha256"]}"',
        "Content-Disposition": disposition(accepted["file_name"] or accepted["image"]),
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    if _known(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    headers["Content-Length"] = str(accepted["bytes"])
    if request.scope.get("rayhound.head"):
        return Response(headers=headers, media_type=accepted["media_type"])
    pieces = archive.get(records.image_key(accepted))
    first = await anext(pieces, b"")  # so that an archive that is away is a problem, and no broken answer
    return StreamingResponse(_joined(first, pieces), headers=headers, media_type=accepted["media_type"])


async def _joined(first: bytes, rest: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    try:
        yield first
        async for piece in rest:
            yield piece
    finally:
        if isinstance(rest, AsyncGenerator):
            await rest.aclose()


def disposition(file_name: str) -> str:
    """A Content-Disposition (RFC 6266) that saves under this name: in ASCII for old clients, and whole (RFC 8187)."""
    name = "".join(c if c.isprintable() else "_" for c in file_name)
    plain = "".join(c if c.isascii() and c not in '"\\%' else "_" for c in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _known(request: Request, etag: str) -> bool:
    """Whether the caller has this very version already (RFC 9110, 13.1.2)."""
    tags = ",".join(request.headers.getlist("if-none-match")).split(",")
    return any(tag.strip().removeprefix("W/") in (etag, "*") for tag in tags)
