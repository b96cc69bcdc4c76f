"""The multipart form of an upload (RFC 7578), taken apart as it streams in."""

import re
from collections.abc import Callable
from urllib.parse import unquote_to_bytes

from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from rayhound.domain import BadRequest

FIELD = "image"
HINT = "send it as multipart/form-data: curl -F image=@cat.jpg http://localhost:5000/upload"
LONGEST_NAME = 255
MOST_PARTS = 100

_BOUNDARY = re.compile(r"[ -~]{0,69}[!-~]")
_QUOTED = re.compile(r'"(?:\\.|[^"\\])*"')
_EXTENDED = re.compile(r";\s*filename\*\s*=\s*(utf-8|iso-8859-1)'[^']*'([^\s;]+)", re.IGNORECASE)


def boundary_of(content_type: str) -> str:
    """The boundary that a Content-Type names (RFC 2046, 5.1.1); raises `BadRequest`."""
    media_type, options = parse_options_header(content_type)
    if media_type != "multipart/form-data":
        raise BadRequest(f"the Content-Type is {content_type or 'missing'}, not multipart/form-data", HINT)
    if not _BOUNDARY.fullmatch(options.get("boundary", "")):
        raise BadRequest("the Content-Type names no boundary of 1 to 70 printable characters", HINT)
    return str(options["boundary"])


class Form:
    """Takes a form's bytes as they come, and gives those of its `image` part to `keep`; other parts are skipped."""

    def __init__(self, boundary: str, keep: Callable[[bytes], None]) -> None:
        # Names come in any encoding, so header bytes are kept as they are until the name is read.
        self._parser = PushMultipartParser(boundary, max_segment_count=MOST_PARTS, header_charset="latin-1")
        self._keep = keep
        self._inside = False
        self._found = False
        self.file_name: str | None = None

    def feed(self, body: bytes) -> None:
        """Take some bytes; raises `BadRequest` for what is no form, or one with two images."""
        if not body:
            return
        try:
            for event in self._parser.parse(body):
                if isinstance(event, MultipartSegment):
                    self._begin(event)
                elif event is not None and self._inside:
                    self._keep(event)
        except MultipartError as e:
            raise BadRequest(f"the form is malformed: {e}", HINT) from e

    def close(self) -> None:
        """Say that the form has come to its end; raises `BadRequest` unless it is whole and held an image."""
        try:
            self._parser.close()
        except MultipartError as e:
            raise BadRequest("the form ends before its last boundary", HINT) from e
        if not self._found:
            raise BadRequest(f"the form has no part named {FIELD!r}", HINT)

    def _begin(self, part: MultipartSegment) -> None:
        self._inside = part.name == FIELD
        if not self._inside:
            return
        if self._found:
            raise BadRequest(f"the form has two parts named {FIELD!r}", "send one image with each upload")
        self._found = True
        self.file_name = base_name(part.filename or "", part.header("Content-Disposition"))


def base_name(plain: str, disposition: str) -> str | None:
    """The name of the sender's file without its folders, from header values as latin-1; none where there is none.

    `filename*` (RFC 8187) goes before `filename`, as RFC 6266 (4.3) has it, though RFC 7578 asks not to send it.
    """
    extended = _EXTENDED.search(_QUOTED.sub('""', disposition))
    if extended:
        name = unquote_to_bytes(extended[2]).decode(extended[1].lower(), "replace")
    else:
        raw = plain.encode("latin-1", "replace")
        try:
            name = raw.decode()
        except UnicodeDecodeError:
            name = plain
    return re.split(r"[/\\]", name)[-1][:LONGEST_NAME] or None
