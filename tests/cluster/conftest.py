"""What tests on a cluster share: a cluster that may be touched, the image in it, and namespaces of their own."""

import os
import shutil
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from rayhound import __version__
from tests.brokers import IMAGE as RABBITMQ
from tests.cluster import kubernetes
from tests.cluster.installation import install, until_ready
from tests.cluster.kubernetes import NODE, PARTS, ROOT, Namespace
from tests.containers import BUILD_SECONDS
from tests.journey.upping import PATIENCE

MADE_OF = ("Dockerfile", ".dockerignore", "LICENSE", "README.md", "pyproject.toml", "requirements", "src")
FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that fails tells what there was in its namespace."""
    report = yield
    if report.when == "call" and report.failed:
        item.stash[FAILED] = True
        known = getattr(item, "funcargs", {})
        for used in (known[name] for name in ("namespace", "installed") if name in known):
            report.sections.append((used.name, used.state()))
    return report


@dataclass(frozen=True)
class Build:
    """An image that the node has: the tag of `rayhound`, and the version that a web server of it says."""

    tag: str
    version: str


@pytest.fixture(scope="session", autouse=True)
def cluster() -> None:
    """A cluster that is there for tests, or at least nobody's but this machine's."""
    if why := kubernetes.missing():
        pytest.skip(why)
    if why := kubernetes.refused(kubernetes.context(), os.environ.get("RAYHOUND_TEST_CONTEXT")):
        pytest.fail(why, pytrace=False)


@pytest.fixture(scope="session")
def autoscaling() -> None:
    """Whoever sets how many pods there are: KEDA, and a metrics-server for the cluster's own autoscaler."""
    asked = ("customresourcedefinitions/scaledobjects.keda.sh", "apiservices/v1beta1.metrics.k8s.io")
    if kubernetes.run(["kubectl", "get", *asked], kubernetes.environment()).returncode != 0:
        if NODE not in os.environ:
            pytest.skip("KEDA or the metrics-server is not installed in this cluster")
        kubernetes.node("autoscaling")


@pytest.fixture(scope="session")
def build() -> Build:
    """The image of this clone, in the node, under the name that the charts give it; and RabbitMQ's."""
    put_in_node(f"rayhound:{__version__}", ROOT)
    if NODE in os.environ:
        kubernetes.node("load", RABBITMQ)
    return Build(__version__, __version__)


@pytest.fixture(scope="session")
def newer_build(build: Build, tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Another image in the node, the same code but for its version, as a release would bring it."""
    copy = copied(tmp_path_factory.mktemp("newer"), *MADE_OF)
    said = copy / "src/rayhound/__init__.py"
    newer = Build("0.1.1-test", "0.1.1")
    assert __version__ in said.read_text()
    said.write_text(said.read_text().replace(__version__, newer.version))
    put_in_node(f"rayhound:{newer.tag}", copy)
    return newer


def copied(folder: Path, *names: str) -> Path:
    """A folder with a copy of files and folders of this clone."""
    folder.mkdir(exist_ok=True)
    whole = partial(shutil.copytree, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in names:
        copy: Callable[[Path, Path], object] = whole if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    return folder


def put_in_node(image: str, folder: Path) -> None:
    """Make an image of a folder such as this clone, and give it to the node under a name."""
    if kubernetes.context() != "minikube" and shutil.which("docker") is None:
        pytest.skip("docker is not installed")
    command = ["minikube", "image", "build", "-t", image, str(folder)]
    kubernetes.told(command, kubernetes.environment(), seconds=BUILD_SECONDS)


class Namespaces:
    """Namespaces of the tests; the one that they share ends before another begins: the node has no room for many."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._shared = ExitStack()
        self._left: list[str] = []
        self.installed: Namespace | None = None

    def fresh(self, helm: str = "helm") -> Namespace:
        """Another namespace, for whoever enters it; `helm4` is Helm 4."""
        self.end_shared()
        return self._another(helm)

    def share(self) -> Namespace:
        """The one that tests share, with the three charts in it; made if it is not there."""
        if self.installed is None:
            self.installed = self._shared.enter_context(self._another("helm"))
            install(self.installed, *PARTS)
            until_ready(self.installed)
        return self.installed

    def end_shared(self) -> None:
        """Delete the one that tests share."""
        self._shared.close()
        self.installed = None

    def close(self) -> None:
        """Wait until nothing of them is left."""
        self.end_shared()
        names = [f"namespace/{name}" for name in self._left]
        if names:
            command = ["kubectl", "wait", "--for=delete", f"--timeout={PATIENCE:.0f}s", *names]
            kubernetes.told(command, kubernetes.environment())

    def _another(self, helm: str) -> Namespace:
        made = Namespace(self._folder, helm)
        self._left.append(made.name)
        return made


@pytest.fixture(scope="session")
def namespaces(build: Build, tmp_path_factory: pytest.TempPathFactory) -> Generator[Namespaces]:
    """Namespaces for tests that need several, or another Helm."""
    made = Namespaces(tmp_path_factory.mktemp("cluster"))
    yield made
    made.close()


@pytest.fixture
def namespace(namespaces: Namespaces) -> Generator[Namespace]:
    """A fresh namespace, with nothing in it, in a node that no other test uses."""
    with namespaces.fresh() as made:
        yield made


@pytest.fixture
def installed(namespaces: Namespaces, request: pytest.FixtureRequest) -> Generator[Namespace]:
    """The namespace that tests share, with the three charts in it; each leaves it as it was, or it is made anew."""
    yield namespaces.share()
    if request.node.stash.get(FAILED, False):
        namespaces.end_shared()


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Print the one line of a scenario, with the seconds that it took."""
    began = time.monotonic()

    def told(what: str) -> None:
        with capsys.disabled():
            print(f"\ncluster: {what}, in {time.monotonic() - began:.0f} s")

    return told
