"""Every value does something, and says what."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.charts.rendering import (
    CHARTS,
    EVERY,
    PARTS,
    at,
    defaults,
    leaves,
    merged,
    nested,
    rendered,
    run,
    settled,
    tried,
    values_files,
)
from tests.charts.schemas import schema, values_of

MOST_LINES = 250
ANOTHER = {
    "digest": "sha256:" + "1" * 64,
    "size": "7Gi",
    "url": "s3://another",
    "endpoint": "http://another",
    "managementUrl": "http://another",
    "hosts": ["another.example.com"],
    "type": "NodePort",
    "from": [{"podSelector": {"matchLabels": {"another": "yes"}}}],
    "brokers": [{"podSelector": {"matchLabels": {"another": "yes"}}}],
    "cpu": "1750m",
    "memory": "9Gi",
    "analysisMemory": "2Gi",
}


def another(path: tuple[str, ...], value: Any, rule: Any) -> Any:
    """Another value that a chart takes in the same place."""
    if path[-1] in ANOTHER:
        return ANOTHER[path[-1]]
    choices = rule.get("enum") or rule.get("items", {}).get("enum")
    if choices:
        first = next(choice for choice in choices if choice not in (value, "ReadWriteOncePod", *(value or "")))
        return [first] if isinstance(value, list) else first
    for kind, changed in ((bool, lambda v: not v), (int, lambda v: v + 1), (str, lambda v: f"{v}other")):
        if isinstance(value, kind):
            return changed(value)
    if isinstance(value, dict):
        return {"changed": "yes"}
    return [] if value else 31234 if value is None else [{"name": "another"}]


def bases(chart: str, path: tuple[str, ...]) -> list[dict[str, Any]]:
    """The values among which a change can show: the files with which the chart is tried, those that set it first."""
    files = [tried(chart, name) for name in sorted(values_files(chart), key=lambda name: name != "everything")]
    files.sort(key=lambda values: at(values, path) is None)
    return [settled(chart, values) for values in (*files, {})]


def changes(chart: str, path: tuple[str, ...], base: dict[str, Any]) -> bool:
    """Whether something else is rendered when one value is another."""
    rules = values_of(schema(chart))
    rule: Any = next((rules[path[:n]] for n in range(1, len(path) + 1) if path[:n] in rules), {})
    value = another(path, at(merged(defaults(chart), base), path), rule)
    return rendered(chart, base) != rendered(chart, merged(base, nested(path, value)))


def table(readme: str) -> dict[str, str]:
    """The values that a README lists, and what it says of them."""
    rows = re.findall(
        r"^\| ([^|]+?) \| [^|]* \| .* \| ([^|]*?) \|$", readme.partition("\n## Values\n")[2], re.MULTILINE
    )
    return {key: about for key, about in rows if key not in ("Key", "-----")}


@pytest.mark.parametrize(
    ("chart", "path"),
    [
        pytest.param(chart, leaf, id=f"{chart}-{'.'.join(leaf)}")
        for chart in EVERY
        if chart != "rayhound"
        for leaf in leaves(defaults(chart))
    ],
)
def test_a_value_makes_a_difference(chart: str, path: tuple[str, ...]) -> None:
    assert any(changes(chart, path, base) for base in bases(chart, path))


@pytest.mark.parametrize("chart", PARTS)
def test_a_part_of_the_umbrella_can_be_left_out(chart: str) -> None:
    key = chart.removesuffix("-chart")
    files = {document.file for document in rendered("rayhound", {key: {"enabled": False}})}
    assert not files & {document.file for document in rendered(chart) if document.file != "serviceaccount.yaml"}


@pytest.mark.parametrize("chart", EVERY)
def test_every_value_is_documented(chart: str) -> None:
    listed = table((CHARTS / chart / "README.md").read_text())
    assert set(listed) == {".".join(leaf) for leaf in leaves(defaults(chart))}
    assert not [key for key, about in listed.items() if len(about) < 8]
    assert not [key for key, about in listed.items() if about.endswith(".")]


def test_the_readmes_are_what_helm_docs_makes_of_the_values(tmp_path: Path) -> None:
    shutil.copytree(CHARTS, tmp_path / "charts", symlinks=True)
    for chart in EVERY:
        (tmp_path / "charts" / chart / "README.md").unlink()
    done = run("helm-docs", f"--chart-search-root={tmp_path / 'charts'}")
    assert done.returncode == 0, done.stderr
    for chart in EVERY:
        made = (tmp_path / "charts" / chart / "README.md").read_text()
        assert made == (CHARTS / chart / "README.md").read_text(), "run helm-docs in charts/"


@pytest.mark.parametrize("chart", EVERY)
def test_the_values_can_be_read_in_one_sitting(chart: str) -> None:
    assert len((CHARTS / chart / "values.yaml").read_text().splitlines()) <= MOST_LINES
