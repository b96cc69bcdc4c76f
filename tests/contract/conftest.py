"""The contract suites run on asyncio; those of RabbitMQ and of the bucket have a site each."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests import s3site
from tests.brokers import RabbitBroker
from tests.lending import PodSite, opened_by_a_pod
from tests.rabbits import Site, site_at


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def site(rabbit_broker: RabbitBroker) -> AsyncIterator[Site]:
    async with site_at(rabbit_broker) as site:
        yield site


@pytest.fixture
async def store() -> AsyncIterator[s3site.Site]:
    async with s3site.opened() as site:
        yield site


@pytest.fixture
async def pod(tmp_path: Path) -> AsyncIterator[PodSite]:
    async with opened_by_a_pod(tmp_path) as site:
        yield site
