"""Helm 3 and Helm 4 take the charts as they are, and make the same of them."""

import re

import pytest

from tests.charts.rendering import (
    CHARTS,
    EVERY,
    HELMS,
    PARTS,
    Values,
    rendered,
    run,
    settled,
    tried,
    values_files,
    variants,
)


@pytest.mark.parametrize("program", HELMS)
@pytest.mark.parametrize("chart", EVERY)
def test_helm_finds_nothing_to_say(chart: str, program: str) -> None:
    for given in [[], *([f"--values={file}"] for file in values_files(chart).values())]:
        done = run(program, "lint", "--strict", str(CHARTS / chart), *given)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "[WARNING]" not in done.stdout, done.stdout


@variants(*EVERY)
def test_helm_3_and_helm_4_render_the_same(chart: str, values: Values) -> None:
    old, new = (rendered(chart, settled(chart, values), program=program) for program in HELMS)
    assert [(d.file, d.body) for d in old] == [(d.file, d.body) for d in new]


def test_every_chart_is_tried_with_more_than_its_defaults() -> None:
    assert {chart: sorted(values_files(chart)) for chart in EVERY} == {
        "rabbitmq-chart": ["everything", "unlimited"],
        "web-server-chart": ["bucket", "everything", "shared"],
        "consumer-chart": ["bucket", "everything", "shared"],
        "rayhound": ["bucket", "eks", "eks-amazon-mq", "eks-ingress", "own-broker"],
        "cluster-addons": ["storage"],
    }


def test_the_umbrella_renders_what_the_three_charts_render() -> None:
    def bodies(*charts: str) -> list[str]:
        documents = [document for chart in charts for document in rendered(chart, settled(chart, {}))]
        return sorted(re.sub("'helm.sh/chart': '[^']*'", "", str(document.body)) for document in documents)

    assert bodies("rayhound") == bodies(*PARTS)


def test_the_umbrella_leaves_out_a_part_that_is_not_enabled() -> None:
    names = {document.name for document in rendered("rayhound", tried("rayhound", "own-broker"))}
    assert {"web-server", "consumer"} <= names
    assert not {name for name in names if name.startswith("rabbitmq")}
