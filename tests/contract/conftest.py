"""The contract suites run on asyncio."""

from collections.abc import AsyncIterator

import pytest

from tests import s3site


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def site() -> AsyncIterator[s3site.Site]:
    async with s3site.opened() as site:
        yield site
