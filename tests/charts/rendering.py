"""What Helm makes of the charts, as values to look at; no cluster is asked."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent.parent
CHARTS = ROOT / "charts"
NAMES = {"rabbitmq-chart": "rabbitmq", "web-server-chart": "web-server", "consumer-chart": "consumer"}
PARTS = tuple(NAMES)
OURS = ("web-server-chart", "consumer-chart")
RUNNING = (*PARTS, "rayhound")
EVERY = (*RUNNING, "cluster-addons")
HELMS = ("helm", "helm4")
RELEASE = "pipeline"
PATIENCE = 60.0

Values = Mapping[str, Any]
NOT_RANDOM: Values = {"auth": {"password": "kept"}}
Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Document:
    """A thing for the cluster, and the file of the chart that it stands in."""

    file: str
    body: Any

    @property
    def kind(self) -> str:
        """Such as Deployment."""
        return str(self.body["kind"])

    @property
    def name(self) -> str:
        """Such as web-server."""
        return str(self.body["metadata"]["name"])

    @property
    def labels(self) -> dict[str, str]:
        """Its own labels, not those of pods it makes."""
        return dict(self.body["metadata"].get("labels", {}))

    @property
    def spec(self) -> Any:
        """What it asks for."""
        return self.body["spec"]


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod that a document makes, or is."""

    owner: Document
    labels: dict[str, str]
    annotations: dict[str, str]
    spec: Any

    @property
    def container(self) -> Any:
        """Its one container."""
        (only,) = self.spec["containers"]
        return only


def installed(program: str) -> str:
    """Where a program is; a test that needs one which is missing skips."""
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed")
    return found


def run(program: str, *arguments: str, given: str = "") -> "subprocess.CompletedProcess[str]":
    """Helm or its like, with the settings of nobody and the cluster of nobody, run to its end whatever that is."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HELM_")}
    return subprocess.run(
        [installed(program), *arguments],
        env=environment | {"KUBECONFIG": os.devnull},
        input=given,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@cache
def _template(program: str, chart: Path, release: str, values: str) -> "subprocess.CompletedProcess[str]":
    return run(program, "template", release, str(chart), "--namespace=images", "--values=-", given=values)


def rendered(
    chart: str, values: Values | None = None, *, release: str = RELEASE, program: str = "helm", folder: Path = CHARTS
) -> list[Document]:
    """What a chart makes of some values; its `helm test` is among it."""
    done = _template(program, folder / chart, release, json.dumps(values or {}))
    assert done.returncode == 0, done.stderr
    documents = []
    for text in re.split(r"(?m)^---\n", done.stdout):
        body = yaml.load(text, Loader)
        if body is not None:
            file = text.partition("# Source: ")[2].partition("\n")[0].rpartition("/templates/")[2]
            documents.append(Document(file, body))
    return documents


def refusal(chart: str, values: Values, program: str = "helm") -> str:
    """What Helm says when a chart refuses some values."""
    done = _template(program, CHARTS / chart, RELEASE, json.dumps(values))
    assert done.returncode != 0, f"{chart} takes {values}"
    return done.stderr


def one(documents: Iterable[Document], kind: str, name: str | None = None) -> Document:
    """The one document of a kind, or of a kind and a name."""
    (only,) = [d for d in documents if d.kind == kind and name in (None, d.name)]
    return only


def pods(documents: Iterable[Document]) -> list[Pod]:
    """Every pod that the documents make, those of `helm test` among them."""
    found = []
    for document in documents:
        body = document.body if document.kind == "Pod" else document.body.get("spec", {}).get("template", {})
        if "spec" in body and "containers" in body["spec"]:
            about = body["metadata"]
            found.append(Pod(document, about.get("labels", {}), about.get("annotations", {}), body["spec"]))
    return found


def workload(documents: Iterable[Document]) -> Pod:
    """The one pod that stays: no `helm test`."""
    (only,) = [pod for pod in pods(documents) if pod.owner.kind != "Pod"]
    return only


def environment(pod: Pod, secrets: Mapping[str, Mapping[str, str]] | None = None) -> dict[str, str]:
    """The variables of a pod's container, filled in from Secrets where they are known."""
    variables = {}
    for variable in pod.container.get("env", []):
        if "value" in variable:
            variables[variable["name"]] = variable["value"]
        elif secrets is not None:
            source = variable["valueFrom"]["secretKeyRef"]
            variables[variable["name"]] = secrets[source["name"]][source["key"]]
    return variables


def defaults(chart: str) -> Any:
    """The values of a chart as it comes."""
    return yaml.load((CHARTS / chart / "values.yaml").read_text(), Loader)


def about(chart: str) -> Any:
    """What a chart says of itself in Chart.yaml."""
    return yaml.load((CHARTS / chart / "Chart.yaml").read_text(), Loader)


def values_files(chart: str) -> dict[str, Path]:
    """The values files with which a chart is tried, by their names."""
    return {f.name.removesuffix("-values.yaml"): f for f in sorted((CHARTS / chart / "ci").glob("*-values.yaml"))}


def tried(chart: str, name: str) -> Any:
    """The values of one such file."""
    return yaml.load(values_files(chart)[name].read_text(), Loader)


def variants(*charts: str) -> pytest.MarkDecorator:
    """A mark by which a test sees the defaults of each chart, and every values file with which it is tried."""
    cases = [pytest.param(chart, {}, id=f"{chart}-defaults") for chart in charts]
    cases += [
        pytest.param(chart, tried(chart, name), id=f"{chart}-{name}")
        for chart in charts
        for name in values_files(chart)
    ]
    return pytest.mark.parametrize(("chart", "values"), cases)


def settled(chart: str, values: Values) -> dict[str, Any]:
    """Values with which a chart renders the same each time: the broker's password is given."""
    given: Mapping[str, Values] = {"rabbitmq-chart": NOT_RANDOM, "rayhound": {"rabbitmq": NOT_RANDOM}}
    return merged(given.get(chart, {}), values)


def merged(values: Values, more: Values) -> dict[str, Any]:
    """Values with more values over them, as Helm lays one file over another."""
    result = dict(values)
    for key, value in more.items():
        below = result.get(key)
        result[key] = merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return result


def leaves(values: Values, above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The paths to every value that has none below it."""
    found: list[tuple[str, ...]] = []
    for key, value in values.items():
        found += leaves(value, (*above, key)) if isinstance(value, dict) and value else [(*above, key)]
    return found


def at(values: Any, path: Iterable[str]) -> Any:
    """What stands at a path; nothing where it ends early."""
    for key in path:
        values = values.get(key) if isinstance(values, dict) else None
    return values


def nested(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """Values of which one is set."""
    for key in reversed(path):
        value = {key: value}
    return dict(value)
