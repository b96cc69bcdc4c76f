"""Whether this process is live, whether it is ready, and its metrics."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, disable_created_metrics, generate_latest

from rayhound.domain import Broken, RayhoundError
from rayhound.ports import Publisher
from rayhound.server.room import Room
from rayhound.telemetry import CHECK, READY

PATIENCE = 0.5  # seconds: a probe of Kubernetes waits for one


@dataclass(frozen=True, slots=True)
class Check:
    """How one thing that a process needs is. While one that is `vital` is not ok, the process is not ready."""

    name: str
    ok: bool
    vital: bool = False
    detail: str = ""
    hint: str = ""


Checks = Sequence[Callable[[], Awaitable[Check]]]


async def archive(room: Room) -> Check:
    """The archive. Away or full it is shown, but not vital: every replica would be unready at once; broken it is."""
    try:
        async with asyncio.timeout(2 * PATIENCE):
            await room.look(PATIENCE)
            await room.require(0)
    except RayhoundError as e:
        return Check("archive", False, isinstance(e, Broken), e.detail, e.hint)
    return Check("archive", True)


async def queue(publisher: Publisher) -> Check:
    """The queue. Away it is shown, but not vital: uploads are accepted without it, and queued once it is back."""
    try:
        async with asyncio.timeout(PATIENCE):
            await publisher.ping()
    except RayhoundError as e:
        return Check("queue", False, False, e.detail, e.hint)
    except TimeoutError:
        return Check("queue", False, False, "the queue does not answer")
    return Check("queue", True)


async def look(checks: Checks) -> tuple[bool, Sequence[Check]]:
    """Whether each vital check is ok, and what all found."""
    found = await asyncio.gather(*(check() for check in checks))
    return all(check.ok for check in found if check.vital), found


async def ready(checks: Checks) -> Response:
    """All checks as JSON: 200 when each vital one is ok, else 503."""
    fine, found = await look(checks)
    body: dict[str, Any] = {"status": "ready" if fine else "not ready", "checks": {}}
    for check in found:
        said = {"detail": check.detail, "hint": check.hint}
        body["checks"][check.name] = {"ok": check.ok} | {name: text for name, text in said.items() if text}
    return JSONResponse(body, 200 if fine else 503)


async def metrics(checks: Checks, registries: Sequence[CollectorRegistry]) -> Response:
    """The metrics of some registries, in Prometheus's text format; whether all is well is looked at now."""
    disable_created_metrics()  # type: ignore[no-untyped-call]  # else each counter has a second series that nobody reads
    fine, found = await look(checks)
    READY.set(fine)
    for check in found:
        CHECK.labels(check.name).set(check.ok)
    return Response(b"".join(map(generate_latest, registries)), media_type=CONTENT_TYPE_LATEST)
