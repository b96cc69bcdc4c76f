"""What the command line prints: data on stdout, everything else on stderr, colours on a terminal alone."""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, TextIO

RED, YELLOW, GREEN, DIM, BOLD = "31", "33", "32", "2", "1"
COLOUR_OF = {"analysed": GREEN, "queued": YELLOW, "failed": RED, "refused": RED, "not sent": YELLOW}


def out(text: str) -> None:
    """Print data."""
    print(text, flush=True)


def out_json(value: dict[str, Any]) -> None:
    """Print one JSON line."""
    out(json.dumps(value, ensure_ascii=False))


def tell(text: str) -> None:
    """Print something for a person, beside the data; a full disk or a closed pipe behind stderr stops no work."""
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def error(detail: str, hint: str = "") -> None:
    """Print what is wrong and what to do about it."""
    tell(f"{coloured('error:', RED, sys.stderr)} {detail}")
    hints([hint])


def hints(texts: Iterable[str]) -> None:
    """Print hints, each once however often it was given."""
    for text in dict.fromkeys(text for text in texts if text):
        tell(f"{coloured('hint:', YELLOW, sys.stderr)} {text}")


def hints_about(pairs: Iterable[tuple[str, str]]) -> None:
    """Print the hints of files, each once with the file that it concerns, or the first and how many there are."""
    concerned: dict[str, list[str]] = {}
    for name, text in pairs:
        if text:
            concerned.setdefault(text, []).append(name)
    for text, names in concerned.items():
        whom = printable(names[0]) + (f" and {len(names) - 1} more" if len(names) > 1 else "")
        hints([f"{whom}: {text}"])


def warning(detail: str, hint: str) -> None:
    """Print what may be wrong."""
    tell(f"{coloured('warning:', YELLOW, sys.stderr)} {detail}")
    hints([hint])


def coloured(text: str, colour: str, stream: TextIO) -> str:
    """A text in a colour, where the stream is a terminal and NO_COLOR is not set."""
    plain = not stream.isatty() or bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    return text if plain else f"\x1b[{colour}m{text}\x1b[0m"


def printable(text: str) -> str:
    """A text from outside with whatever could move the cursor or break the line escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows in columns, whole: nothing is cut off, so it can be read by `grep` and `awk` as well.

    A column that is empty in every row is left out. The last one may be long: a terminal wraps it.
    """
    kept = [i for i in range(len(head)) if not rows or any(row[i] for row in rows)]
    cells = [[printable(row[i]) for i in kept] for row in [head, *rows]]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    out(coloured(_line(cells[0], widths), BOLD, sys.stdout))
    for row in cells[1:]:
        out(_line(row, widths))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return "  ".join(
        coloured(text, COLOUR_OF[cell], sys.stdout) if cell in COLOUR_OF else text
        for cell, text in zip(cells, padded, strict=True)
    ).rstrip()


def scores(record: dict[str, Any]) -> str:
    """The scores of a record, highest first: `cat 0.998 dog 0.001`."""
    ranked = sorted(record.get("scores", {}).items(), key=lambda item: -item[1])
    return " ".join(f"{label} {score:.3f}" for label, score in ranked)


def size(record: dict[str, Any]) -> str:
    """Width and height of a record, once known: `500×375`."""
    return f"{record['width']}×{record['height']}" if "width" in record else ""


def answer(record: dict[str, Any]) -> str:
    """What a person reads first in a record: what the image contains."""
    return str(record.get("contains") or "")


def reason(record: dict[str, Any]) -> str:
    """Why an image failed or was refused."""
    return str(record.get("reason") or "")
