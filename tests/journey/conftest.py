"""What journeys share: the image, built once, and how often what is killed."""

from collections.abc import Generator
from dataclasses import dataclass

import pytest

from tests import containers


@dataclass(frozen=True)
class Plan:
    """How many images a kill journey sends, and how often each kind of part is killed meanwhile."""

    uploads: int
    kills: int


@pytest.fixture
def plan(pytestconfig: pytest.Config) -> Plan:
    """What the command line says of it."""
    return Plan(pytestconfig.getoption("uploads"), pytestconfig.getoption("kills"))


@pytest.fixture(scope="session")
def image() -> Generator[str]:
    """The tag of the image that the Dockerfile makes."""
    why = containers.missing()
    if why is not None:
        pytest.skip(why)
    with containers.built() as tag:
        yield tag
