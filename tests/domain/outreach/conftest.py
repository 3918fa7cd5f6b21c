"""The clock of the demo, set to a Friday noon."""

from collections.abc import AsyncIterator

import pytest_asyncio

from domain.platform.clock import set_business_clock
from tests.factories import NOON


@pytest_asyncio.fixture
async def clock(db: str) -> AsyncIterator[str]:
    """The database, its business clock at NOON."""
    await set_business_clock(NOON)
    yield db
