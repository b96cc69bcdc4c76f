"""Every error as an RFC 9457 problem, and the one table that gives each kind its HTTP status."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from structlog.contextvars import get_contextvars

from rayhound import domain
from rayhound.domain import RayhoundError

MEDIA_TYPE = "application/problem+json"
DOCS_HINT = "GET /docs describes every call"
PAGE = 200
ALLOWED = {
    "limit": f"a whole number from 1 to {PAGE}",
    "status": "one of " + ", ".join(domain.Status),
    "contains": f"labels joined by +, {domain.Contains.NEITHER} or {domain.Contains.UNCERTAIN}",
}


@dataclass(frozen=True, slots=True)
class Kind:
    """How a kind of error looks from outside: its status, its title, and after how many seconds to come again."""

    status: int
    title: str
    retry_after: int | None = None


KINDS: dict[type[RayhoundError], Kind] = {
    domain.BadRequest: Kind(400, "The request is malformed"),
    domain.NotFound: Kind(404, "There is no such image"),
    domain.TooSlow: Kind(408, "The upload came too slowly"),
    domain.TooLarge: Kind(413, "The upload is too large"),
    domain.NotAnImage: Kind(415, "This is not an image that Rayhound reads"),
    domain.Unreadable: Kind(422, "The image cannot be read"),
    domain.KeyReused: Kind(422, "The Idempotency-Key belongs to another image"),
    domain.TooBusy: Kind(429, "Too many uploads at once", 2),
    domain.Unavailable: Kind(503, "The archive is away", 5),
    domain.InDoubt: Kind(503, "The archive gave no certain answer", 5),
    domain.Broken: Kind(503, "The archive broke a promise", 30),
    domain.Unsound: Kind(503, "No analyser can be trusted", 30),
    domain.Draining: Kind(503, "This server is stopping", 1),
    domain.StorageFull: Kind(507, "The storage is full", 60),
}


def kind_of(error: RayhoundError) -> Kind:
    """The kind of an error; one that was never meant for the outside is a 500."""
    return KINDS.get(type(error), Kind(500, "Something went wrong here"))


def name_of(error: RayhoundError) -> str:
    """The name of an error in its problem's `type` and in metrics: `too-large`."""
    return _kebab(re.sub(r"(?<!^)(?=[A-Z])", "-", type(error).__name__))


def document(status: int, title: str, detail: str, hint: str, urn: str = "") -> dict[str, Any]:
    """A problem as RFC 9457 writes it, with our `hint`, and the correlation id of the request where it has one."""
    problem: dict[str, Any] = {"type": f"urn:rayhound:{urn or _kebab(title)}", "title": title, "status": status}
    problem["detail"] = detail
    if hint:
        problem["hint"] = hint
    if correlation_id := get_contextvars().get("correlation_id"):
        problem["correlation_id"] = correlation_id
    return problem


def answer(error: RayhoundError) -> Response:
    """The response that an error of ours gets."""
    kind = kind_of(error)
    headers = {"Retry-After": str(kind.retry_after)} if kind.retry_after else None
    return _response(document(kind.status, kind.title, error.detail, error.hint, name_of(error)), headers)


def install(app: FastAPI) -> None:
    """Make every error of an application a problem: ours, the framework's, and those that nobody foresaw."""

    async def ours(_: Request, error: Exception) -> Response:
        assert isinstance(error, RayhoundError)
        return answer(error)

    async def the_frameworks(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        phrase = HTTPStatus(error.status_code).phrase
        detail = f"{request.method} {request.url.path}: {phrase.lower()}"
        headers = dict(error.headers or {})
        if headers.get("Allow") == "GET":
            headers["Allow"] = "GET, HEAD"
        return _response(document(error.status_code, phrase, detail, DOCS_HINT), headers)

    async def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        where = "; ".join(_wrong(str(e["loc"][-1]), e["input"]) for e in error.errors())
        return _response(document(422, "A parameter is wrong", where, DOCS_HINT))

    async def unforeseen(_: Request, error: Exception) -> Response:
        hint = "it has been logged; if it happens again, tell whoever runs this server"
        return _response(document(500, "Something went wrong here", "an unexpected error", hint))

    app.add_exception_handler(RayhoundError, ours)
    app.add_exception_handler(HTTPException, the_frameworks)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(Exception, unforeseen)


def _wrong(name: str, given: object) -> str:
    said = repr(given)
    return f"{name} must be {ALLOWED.get(name, 'something else')}, not {said if len(said) < 50 else said[:50] + '…'}"


def _response(problem: dict[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse(problem, problem["status"], headers, media_type=MEDIA_TYPE)


def _kebab(text: str) -> str:
    return text.lower().replace(" ", "-")
