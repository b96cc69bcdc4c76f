"""What tests of every kind share: real pictures, and the rule that on CI nothing is skipped."""

import logging
import os
import signal
import socket
from collections.abc import Callable, Generator
from contextlib import ExitStack
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest
import structlog

from tests.brokers import VERSIONS, RabbitBroker, rabbitmq

ON_CI = os.environ.get("CI") == "true"


def pytest_addoption(parser: pytest.Parser) -> None:
    """How long the long journeys are."""
    parser.addoption("--uploads", type=int, default=300, help="images of each kill journey")
    parser.addoption("--kills", type=int, default=5, help="how often they kill each kind of part")
    parser.addoption("--waiting", type=int, default=5_000, help="images that wait at the same time")


def pytest_configure() -> None:
    """Whatever tests start hears Ctrl-C: the background job of a shell ignores it, and so would its children."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that skips on a laptop, for want of a service, fails on CI: so a green run means that it ran."""
    report = yield
    if ON_CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which is a failure on CI: {report.longrepr}"
    return report


@pytest.fixture(autouse=True)
def logs_as_before() -> Generator[None]:
    """What a test does to the logs ends with it: its stderr is closed by then."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of labelled pictures that RAYHOUND_SAMPLES names; its manifest.csv says what they show."""
    folder = os.environ.get("RAYHOUND_SAMPLES")
    if not folder:
        pytest.skip("RAYHOUND_SAMPLES names no folder of pictures")
    return Path(folder)


@pytest.fixture(scope="session")
def cat() -> Path:
    """A CC0 photograph of a cat, PNG, 451×300, which the package scikit-image carries."""
    package = find_spec("skimage")
    if package is None or package.origin is None:
        pytest.skip("scikit-image, which carries the photograph, is not installed")
    return Path(package.origin).parent / "data" / "chelsea.png"


@pytest.fixture
def free_port() -> int:
    """A port that nobody listened on a moment ago."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@pytest.fixture(scope="session")
def shared_broker() -> Generator[Callable[[str], RabbitBroker]]:
    """The RabbitMQ of a version that all tests share, each with queues of its own; nobody stops it or fills it."""
    with ExitStack() as stack:
        yield cache(lambda version: stack.enter_context(rabbitmq(version, tls=True)))


@pytest.fixture(scope="session", params=VERSIONS)
def rabbit_broker(request: pytest.FixtureRequest, shared_broker: Callable[[str], RabbitBroker]) -> RabbitBroker:
    """The shared RabbitMQ, of each version in turn."""
    return shared_broker(request.param)
