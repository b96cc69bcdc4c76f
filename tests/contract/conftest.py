"""The contract suites run on asyncio; those of RabbitMQ and of the bucket have a site each."""

from collections.abc import AsyncIterator

import pytest

from tests import s3site
from tests.brokers import RabbitBroker
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
