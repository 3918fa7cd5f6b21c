"""What a world is: its size and its seed. Everything in it follows from these, row for row."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

SOURCE = "bench"
"""The source of every row that has one: nothing here is, or may be taken for, a real person's."""

CLOCK = datetime(2017, 12, 15, 10, tzinfo=UTC)
"""Where the world's business clock stands."""

NOW_MS = int(CLOCK.timestamp() * 1000)
TODAY = NOW_MS // 86_400_000
"""The clock's date, in days since 1970."""

MEMBERS_A_CHUNK = 40_000
"""Memory is bounded by the chunk, not by the world."""

CARERS_A_BLOCK = 5
HOUSEHOLDS_A_BLOCK = 4
"""Five carers live in four households: three alone, two together."""


@dataclass(frozen=True, slots=True)
class Spec:
    members: int
    orders: int
    seed: int

    @property
    def households(self) -> int:
        blocks, rest = divmod(self.members, CARERS_A_BLOCK)
        return blocks * HOUSEHOLDS_A_BLOCK + min(rest, HOUSEHOLDS_A_BLOCK)

    @property
    def stores(self) -> int:
        return max(2, self.members // 5_000)

    @property
    def chunks(self) -> int:
        return -(-self.members // MEMBERS_A_CHUNK)

    def rng(self, *place: int) -> np.random.Generator:
        """The random numbers of one place in the world, whatever was drawn elsewhere."""
        return np.random.default_rng([self.seed, *place])

    def orders_of(self, chunk: int) -> int:
        """How many of the orders belong to the chunk's members; over all chunks exactly `orders`."""
        first = chunk * MEMBERS_A_CHUNK
        last = min(first + MEMBERS_A_CHUNK, self.members)
        return self.orders * last // self.members - self.orders * first // self.members


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one table, by column."""

    table: str
    columns: dict[str, Sequence[object]]

    @property
    def rows(self) -> int:
        return len(next(iter(self.columns.values())))
