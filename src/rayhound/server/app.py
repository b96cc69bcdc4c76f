"""The application: every call, what it takes, and what it answers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from fastapi_offline import FastAPIOffline
from prometheus_client import CollectorRegistry
from pydantic import BeforeValidator, StringConstraints

import rayhound
from rayhound.domain import Limits, Status
from rayhound.pipeline.accepting import House
from rayhound.records import Wanted
from rayhound.server import description, health, images, problems, upload
from rayhound.server.room import Room
from rayhound.server.upload import Receiving, Uploads
from rayhound.server.waiting import Waiters
from rayhound.telemetry import CONSUMER, EVERY_PROCESS, WEB_SERVER

# In a query a plus is a space: `?contains=dog+cat` is what people write.
Shown = Annotated[str, StringConstraints(min_length=1), BeforeValidator(lambda said: said.replace(" ", "+"))]


@dataclass(frozen=True, slots=True)
class Parts:
    """What a web server is made of.

    `spool` is a folder on the archive's file system; `checks` are those of `/readyz` beside the archive and the queue,
    `metrics` the registries that `/metrics` shows.
    """

    house: House
    spool: Path
    limits: Limits
    room: Room
    waiters: Waiters
    checks: health.Checks = ()
    metrics: Sequence[CollectorRegistry] = (EVERY_PROCESS, WEB_SERVER)
    uploads: Uploads = field(default_factory=Uploads)


def create_app(parts: Parts) -> FastAPI:
    """The application; `WebServer` wraps it in `Courtesy`."""
    app: FastAPI = FastAPIOffline(
        title="Rayhound",
        version=rayhound.__version__,
        description=description.ABOUT,
        redoc_url=None,
        redirect_slashes=False,
    )
    problems.install(app)
    _add_upload(app, parts)
    _add_images(app, parts)

    @app.get("/", include_in_schema=False)
    async def begin() -> Response:
        return RedirectResponse("/docs", 307)

    ours = (partial(health.archive, parts.room), partial(health.queue, parts.house.publisher))
    _add_health(app, (*ours, *parts.checks), parts.metrics)
    return app


def create_health_app(checks: health.Checks) -> FastAPI:
    """An application for a process that serves no images: whether it is live and ready, and its metrics."""
    app = FastAPI(title="Rayhound", version=rayhound.__version__, docs_url=None, redoc_url=None, redirect_slashes=False)
    problems.install(app)
    _add_health(app, checks, (EVERY_PROCESS, CONSUMER))
    return app


def _add_upload(app: FastAPI, parts: Parts) -> None:
    receiving = Receiving(parts.house, parts.spool, parts.limits, parts.room, parts.waiters, parts.uploads)

    @app.post(
        "/upload",
        tags=["images"],
        status_code=202,
        responses=description.example(202, "The image is kept safe", description.ACCEPTED)
        | description.problems(400, 408, 413, 415, 422, 429, 503, 507),
        openapi_extra=description.UPLOAD,
    )
    async def send_an_image(request: Request) -> Response:
        """Send one image as the form field `image`: JPEG, PNG, WebP, GIF, BMP or TIFF, told by its bytes."""
        return await upload.receive(receiving, request)


def _add_images(app: FastAPI, parts: Parts) -> None:
    archive = parts.house.archive

    @app.get(
        "/images/{image_id}",
        tags=["images"],
        responses=description.example(200, "The record", description.RECORD) | description.problems(404, 422, 503),
        openapi_extra=description.PREFER,
    )
    async def show_an_image(request: Request, image_id: str) -> Response:
        """What is known of one image; with `Prefer: wait=30` as soon as it is analysed."""
        return await images.show(archive, parts.waiters, parts.limits.wait, request, image_id)

    @app.get(
        "/images",
        tags=["images"],
        responses=description.example(200, "A page", {"images": [description.RECORD], "before": description.ID})
        | description.problems(400, 422, 503),
    )
    async def list_images(
        limit: Annotated[int, Query(ge=1, le=problems.PAGE, description="How many at most.")] = 50,
        before: Annotated[str | None, Query(description="The `before` of the page before.")] = None,
        status: Annotated[Status | None, Query(description="Only these.")] = None,
        contains: Annotated[Shown | None, Query(description="Only these.")] = None,
    ) -> Response:
        """Images, newest first. A page with a filter may hold fewer than asked for; `before` is null at the end."""
        return await images.page(archive, before, limit, Wanted(status, contains))

    @app.get(
        "/images/{image_id}/content",
        tags=["images"],
        response_class=Response,
        responses=description.CONTENT | description.problems(404, 422, 503),
    )
    async def fetch_an_image(request: Request, image_id: str) -> Response:
        """The bytes of an image as they came."""
        return await images.content(archive, request, image_id)


def _add_health(app: FastAPI, checks: health.Checks, registries: Sequence[CollectorRegistry]) -> None:
    @app.get("/livez", tags=["health"])
    async def live() -> Response:
        """Whether the process runs."""
        return JSONResponse({"status": "live"})

    @app.get("/readyz", tags=["health"], responses={503: {"description": "Not ready; the body says why"}})
    async def ready() -> Response:
        """Whether it can do its work now: 503 if not. An archive that is away or full is shown, and no reason."""
        return await health.ready(checks)

    @app.get("/metrics", tags=["health"], response_class=Response)
    async def metrics() -> Response:
        """Metrics for Prometheus."""
        return await health.metrics(checks, registries)
