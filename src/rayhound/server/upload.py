"""`POST /upload`: receives an image, refuses what can be refused before its bytes come, and accepts the rest."""

import asyncio
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from starlette.datastructures import Headers

from rayhound import records
from rayhound.domain import (
    CORRELATION_ID,
    TRACEPARENT,
    BadRequest,
    Broken,
    InDoubt,
    Limits,
    NotAnImage,
    RayhoundError,
    Status,
    StorageFull,
    TooBusy,
    TooLarge,
    TooSlow,
    Unavailable,
    Upload,
)
from rayhound.pipeline.accepting import Accepted, House, accept
from rayhound.server import images
from rayhound.server.form import Form, boundary_of
from rayhound.server.problems import kind_of, name_of
from rayhound.server.room import Room
from rayhound.server.spool import Spool
from rayhound.server.waiting import Waiters, preferred
from rayhound.telemetry import ACCEPT_SECONDS, ACCEPTED, REFUSED, SPOOLING, log

NO_FILE = "the part has no file name: with curl write image=@cat.jpg, with the @, to send what is in the file"

_KEY = re.compile(r"[!-~]{1,255}")
_MESSAGES = {
    Status.QUEUED: "The image is kept safe and will be analysed.",
    Status.ANALYSED: "The image is kept safe and has been analysed.",
    Status.FAILED: "The image is kept safe, but could not be analysed.",
}


class Uploads:
    """The uploads that this process is receiving: how many, and how large they said they would be."""

    def __init__(self) -> None:
        self._receiving = 0
        self._announced = 0

    @contextmanager
    def receiving(self, most: int, size: int) -> Iterator[int]:
        """Count one upload of an announced size in bytes; yields what all of them announced. Raises `TooBusy`."""
        if self._receiving >= most:
            raise TooBusy(f"{most} uploads are being received already", "come again in a few seconds")
        self._receiving += 1
        self._announced += size
        SPOOLING.inc()
        try:
            yield self._announced
        finally:
            self._receiving -= 1
            self._announced -= size
            SPOOLING.dec()


@dataclass(frozen=True, slots=True)
class Receiving:
    """What receiving an upload needs; `spool` is a folder on the archive's file system."""

    house: House
    spool: Path
    limits: Limits
    room: Room
    waiters: Waiters
    uploads: Uploads


@dataclass(frozen=True, slots=True)
class Announced:
    """What the header of an upload says; `bytes` is none where the body comes in chunks."""

    boundary: str
    bytes: int | None
    correlation_id: str | None
    idempotency_key: str | None
    traceparent: str | None


async def receive(receiving: Receiving, request: Request) -> Response:
    """Answer one upload with 202, with `Prefer: wait=N` once it is settled; or raise the error it is refused with."""
    try:
        accepted = await _receive(receiving, request)
    except RayhoundError as e:
        REFUSED.labels(name_of(e)).inc()
        if isinstance(e, StorageFull | Unavailable | InDoubt | Broken):
            receiving.room.doubt()
        log().info("refused", status=kind_of(e).status, reason=name_of(e), detail=e.detail)
        raise
    image_id, correlation_id = accepted.image_id, accepted.correlation_id
    url = f"/images/{image_id}"
    seconds = preferred(request.headers.getlist("prefer"), receiving.limits.wait)
    status = await _standing(receiving, request, accepted, seconds)
    answer = {
        "message": _MESSAGES[status],
        "correlation_id": correlation_id,
        "image_id": image_id,
        "status": status,
        "status_url": url,
    }
    headers = {"Location": url, "X-Correlation-ID": correlation_id}
    if seconds is not None:
        headers["Preference-Applied"] = f"wait={seconds}"
    return JSONResponse(answer, 202, headers)


async def _standing(receiving: Receiving, request: Request, accepted: Accepted, seconds: int | None) -> Status:
    """Where an image that is ours stands: settled, if that takes no longer than so many seconds."""
    archive, image_id = receiving.house.archive, accepted.image_id
    with suppress(RayhoundError):  # an archive that cannot be asked now takes nothing back
        if seconds:
            return (await images.settled(archive, receiving.waiters, request, image_id, seconds)).status
        if not accepted.new:
            return (await records.look(archive, image_id)).status
    return Status.QUEUED


async def _receive(receiving: Receiving, request: Request) -> Accepted:
    limits, uploads = receiving.limits, receiving.uploads
    announced = read_header(request.headers, limits)
    spool = Spool(receiving.spool)
    try:
        with uploads.receiving(limits.uploads, announced.bytes or 0) as expected:
            await receiving.room.require(expected)
            file_name = await _stream(receiving, request, announced.boundary, spool)
            began = time.perf_counter()
            try:
                header, sha256 = await spool.finish(limits)
            except NotAnImage as e:
                raise e if file_name else NotAnImage(e.detail, NO_FILE) from e
        given = (announced.correlation_id, announced.idempotency_key, announced.traceparent)
        upload = Upload(header, spool.bytes, sha256, file_name, *given)
        # uvicorn lets this run to its end when the sender goes away meanwhile.
        accepted = await accept(receiving.house, upload, spool.path)
    finally:
        await spool.remove()
    if accepted.new:
        ACCEPTED.inc()
    ACCEPT_SECONDS.observe(time.perf_counter() - began)
    ids = {"image_id": accepted.image_id, "correlation_id": accepted.correlation_id}
    again = None if accepted.new else True
    about = {"bytes": upload.bytes, "media_type": header.media_type, "file_name": upload.file_name}
    log().info("accepted", **ids, **about, again=again)
    return accepted


def read_header(headers: Headers, limits: Limits) -> Announced:
    """Check the header of an upload; raises `BadRequest` or `TooLarge`."""
    boundary = boundary_of(_one(headers, "Content-Type") or "")
    correlation_id = _one(headers, "X-Correlation-ID")
    if correlation_id is not None and not CORRELATION_ID.fullmatch(correlation_id):
        raise BadRequest("the X-Correlation-ID is malformed", "use 1 to 128 of A-Z a-z 0-9 . _ : -")
    key = _one(headers, "Idempotency-Key")
    if key is not None and not _KEY.fullmatch(key):
        raise BadRequest(
            "the Idempotency-Key is malformed", "use 1 to 255 visible ASCII characters, for example a UUID"
        )
    length = _one(headers, "Content-Length")
    if length is not None and int(length) > limits.body:
        raise _too_large(limits)
    trace = headers.get("traceparent", "")
    traceparent = trace if TRACEPARENT.fullmatch(trace) else None  # malformed: as if it were not there (3.2.2)
    return Announced(boundary, int(length) if length is not None else None, correlation_id, key, traceparent)


def _one(headers: Headers, name: str) -> str | None:
    values = headers.getlist(name)
    if len(values) > 1:
        raise BadRequest(f"the request has {len(values)} {name} headers", "send it once")
    return values[0] if values else None


async def _stream(receiving: Receiving, request: Request, boundary: str, spool: Spool) -> str | None:
    """Take the body in, piece by piece; returns the name of the sender's file."""
    limits, received, more = receiving.limits, 0, True
    ends = asyncio.get_running_loop().time() + limits.upload
    form = Form(boundary, spool.keep)
    while more:
        body, more = await _next(request, limits.silence, ends)
        received += len(body)
        if received > limits.body:
            raise _too_large(limits)
        form.feed(body)
        if spool.full:
            await spool.write()
            await receiving.room.require(0)
    form.close()
    return form.file_name


async def _next(request: Request, silence: float, ends: float) -> tuple[bytes, bool]:
    try:
        async with asyncio.timeout_at(min(ends, asyncio.get_running_loop().time() + silence)):
            message = await request.receive()
    except TimeoutError as e:
        raise TooSlow("the upload came too slowly, or stopped", "send it again over a better line") from e
    if message["type"] == "http.disconnect":
        raise BadRequest("the sender went away before the upload was whole", "send it again")
    return message.get("body", b""), message.get("more_body", False)


def _too_large(limits: Limits) -> TooLarge:
    return TooLarge(f"the body has more than {limits.body:,} bytes", "send a smaller image")
