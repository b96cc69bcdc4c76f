"""What `/docs` and `/openapi.json` say of the calls, where FastAPI cannot find it out by itself."""

from typing import Any

from rayhound.server.problems import MEDIA_TYPE

ABOUT = """
Send an image, and ask what it shows: its size, and whether it contains a dog or a cat.

```
curl -F image=@cat.jpg http://localhost:5000/upload
curl -H 'Prefer: wait=30' http://localhost:5000/images/IMAGE_ID
```

A `202` means that the image is kept safe on stable storage: it ends `analysed` or `failed`, whatever happens.
Every error is an RFC 9457 problem with a `detail` (what is wrong) and a `hint` (what to do).
"""

ID = "019ab2c4-5d6e-7f80-9a1b-2c3d4e5f6071"
ACCEPTED = {
    "message": "The image is kept safe and will be analysed.",
    "correlation_id": ID,
    "image_id": ID,
    "status": "queued",
    "status_url": f"/images/{ID}",
}
RECORD = {
    "image_id": ID,
    "correlation_id": ID,
    "status": "analysed",
    "accepted_at": "2026-11-23T10:15:02.123Z",
    "file_name": "cat.jpg",
    "media_type": "image/jpeg",
    "bytes": 25139,
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "format": "JPEG",
    "mode": "RGB",
    "width": 451,
    "height": 300,
    "contains": "cat",
    "scores": {"cat": 0.998, "dog": 0.001},
}

_REASONS = {
    400: "The request is malformed: no `image` part, two of them, or a header or parameter that cannot be read",
    404: "There is no such image",
    408: "The upload came too slowly",
    413: "The body is larger than the limit",
    415: "The bytes are in no format that Rayhound reads",
    422: "The image lies about itself, or the `Idempotency-Key` belongs to another image",
    429: "Too many uploads are being received; come again after `Retry-After` seconds",
    503: "The archive is away or gave no certain answer; come again after `Retry-After` seconds",
    507: "The storage is full; nothing was kept",
}
_PROBLEM: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "examples": ["urn:rayhound:too-large"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What is wrong, concretely."},
        "hint": {"type": "string", "description": "What to do about it."},
        "correlation_id": {"type": "string"},
    },
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems that a call may answer, for its `responses`."""
    return {s: {"description": _REASONS[s], "content": {MEDIA_TYPE: {"schema": _PROBLEM}}} for s in statuses}


def example(status: int, about: str, value: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    """The answer of a call that went well, for its `responses`."""
    content = {"application/json": {"schema": {"type": "object"}, "example": value}}
    return {status: {"description": about, "content": content}}


def header(name: str, about: str, example: str) -> dict[str, Any]:
    """A request header."""
    return {"name": name, "in": "header", "description": about, "example": example, "schema": {"type": "string"}}


_KEY = (
    "1 to 255 visible ASCII characters. The same key with the same bytes gets the same image again, and never "
    "makes a second one. Kept for a day at least."
)
_CORRELATION = (
    "1 to 128 of `A-Z a-z 0-9 . _ : -`, found again in the answer, the record and every log line. "
    "Without it, the image's id."
)
_TRACE = "The trace that the upload belongs to (W3C Trace Context), found again in every log line about the image."
_WAIT = header("Prefer", "`wait=N` waits up to N seconds (60 at most) for the image to be analysed.", "wait=30")
UPLOAD: dict[str, Any] = {
    "parameters": [
        header("Idempotency-Key", _KEY, "5f0c7a52-scan-17"),
        header("X-Correlation-ID", _CORRELATION, "visit-4711"),
        header("traceparent", _TRACE, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        _WAIT,
    ],
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["image"],
                    "properties": {"image": {"type": "string", "format": "binary"}},
                }
            }
        },
    },
}
PREFER: dict[str, Any] = {"parameters": [_WAIT]}
CONTENT: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The bytes as they came; `ETag` is their SHA-256",
        "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}},
    }
}
