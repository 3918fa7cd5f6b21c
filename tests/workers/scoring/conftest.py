"""A small slice of the real purchases in a database of its own, loaded once and learned from once for all of them."""

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime

import asyncpg
import pytest

from nestling.demo.purchases import import_purchases
from workers.scoring import churn
from workers.scoring.history import History, load
from workers.scoring.trained import Trained

HOUSEHOLDS = 120
AS_OF = date(2017, 12, 1)
UNTIL = datetime(2017, 12, 20, tzinfo=UTC)  # three weeks after AS_OF that nothing may see


@pytest.fixture(scope="session")
def purchases_url(new_database: Callable[[], str]) -> str:
    """HOUSEHOLDS real households with their orders before UNTIL; tests leave it as they found it."""
    url = new_database()
    asyncio.run(import_purchases(url, until=UNTIL, households=HOUSEHOLDS))
    return url


@pytest.fixture(scope="session")
def history(purchases_url: str) -> History:
    return asyncio.run(_read(purchases_url))


@pytest.fixture(scope="session")
def leaving(history: History) -> Trained:
    """The churn model of that history."""
    return churn.train(history, lambda _: None)


async def _read(url: str) -> History:
    connection = await asyncpg.connect(url)
    try:
        return await load(connection, AS_OF, "UTC")
    finally:
        await connection.close()
