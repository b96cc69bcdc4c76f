"""Photos in, lines out."""

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any

from tests.cluster.kubernetes import Namespace

SHOWN = ("format", "width", "height", "bytes", "contains")
EACH = {"cat": 8, "dog": 8, "neither": 4}


def test_twenty_photos_make_twenty_lines_in_the_log_that_say_what_classify_says(
    installed: Namespace, samples: Path, tell: Callable[[str], None]
) -> None:
    photos = photos_of(samples)
    server = installed.web_server()
    with closing(server.http):
        ids = {uploaded(server.http.post("/upload", files={"image": (p.name, p.read_bytes())})): p for p in photos}
        names = {server.answered(image_id)["file_name"] for image_id in ids}
        server.log.write_text(installed.kubectl("logs", "deployment/consumer"))
    assert names == {photo.name for photo in photos}
    lines = [line for line in server.events("analysed") if line["image_id"] in ids]
    said = {ids[line["image_id"]]: [line[name] for name in SHOWN] for line in lines}
    assert (len(lines), said) == (len(photos), classified(photos))
    tell(f"photos: {len(said)} in, {len(lines)} right lines out")


def photos_of(samples: Path) -> list[Path]:
    """Twenty photos of the samples: some of each kind."""
    with (samples / "manifest.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    kinds = ([samples / row["path"] for row in rows if row["label"] == label][:count] for label, count in EACH.items())
    return list(chain.from_iterable(kinds))


def uploaded(answer: Any) -> str:
    """The id that an upload was answered with."""
    assert answer.status_code == 202, answer.text
    return str(answer.json()["image_id"])


def classified(photos: list[Path]) -> dict[Path, list[str]]:
    """What `rayhound classify` says of photos."""
    command = [sys.executable, "-m", "rayhound", "classify", "--json", *map(str, photos)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    said = map(json.loads, done.stdout.splitlines())
    return {Path(one["path"]): [str(one[name]) for name in SHOWN] for one in said}
