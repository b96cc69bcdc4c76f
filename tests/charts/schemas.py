"""The schemas of the charts' values, and what they have a rule for."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from tests.charts.rendering import CHARTS

Path = tuple[str, ...]


@cache
def schema(chart: str) -> Any:
    """The schema of a chart's values."""
    return json.loads((CHARTS / chart / "values.schema.json").read_text())


def objects(node: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every object whose keys a schema names."""
    if "properties" in node:
        yield path, node
        for key, below in node["properties"].items():
            yield from objects(below, (*path, key))


def values_of(node: Any, path: Path = ()) -> dict[Path, Any]:
    """The rule for every value that has none below it."""
    if "properties" not in node:
        return {path: node}
    return {p: rule for key, below in node["properties"].items() for p, rule in values_of(below, (*path, key)).items()}
