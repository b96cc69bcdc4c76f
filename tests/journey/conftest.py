"""What journeys share: the image, built once."""

from collections.abc import Generator

import pytest

from tests import containers


@pytest.fixture(scope="session")
def image() -> Generator[str]:
    """The tag of the image that the Dockerfile makes."""
    why = containers.missing()
    if why is not None:
        pytest.skip(why)
    with containers.built() as tag:
        yield tag
