"""Synthetic staff: consultants who own members, advisors of the busiest stores, an operator and an analyst."""

import asyncpg

from domain.platform.ids import new_id
from nestling.demo.purchases.feed import DISTRIBUTORS
from nestling.demo.purchases.staging import added_rows, stage
from nestling.demo.synthetic.persons import CONSULTANTS

CONSULTANT_NAMES = ("Alex Morgan", "林静", "Sam Rivera", "周敏", "Jo Bennett", "陈思雨")
ADVISORS = 12
ADVISOR_NAMES = (
    "Pat Coleman", "Robin Hayes", "李佳怡", "Chris Ward", "Lee Foster", "王雪梅", "Max Turner", "Kim Brooks", "赵婷婷",
    "Jamie Ross", "Terry Wood", "吴晓红",
)  # fmt: skip
SOURCE = "synthetic"

INSERT_STAFF = """
INSERT INTO staff (id, source, external_id, name, scope, distributor_id, is_active)
SELECT s.id, 'synthetic', s.external_id, s.name, s.scope, d.id, true
FROM staged_staff s LEFT JOIN distributors d ON d.name = s.distributor
ON CONFLICT (source, external_id) DO NOTHING
"""

# The twelve stores with the most baskets get an advisor each, once: later purchases move nobody.
INSERT_ADVISORS = """
WITH busiest AS (
    SELECT t.id, t.distributor_id, row_number() OVER (ORDER BY count(*) DESC, t.external_id) AS place
    FROM orders o JOIN stores t ON t.id = o.store_id WHERE o.source = 'completejourney'
    GROUP BY t.id ORDER BY place LIMIT $1
)
INSERT INTO staff (id, source, external_id, name, scope, store_id, distributor_id, is_active)
SELECT s.id, 'synthetic', s.external_id, s.name, 'STORE', b.id, b.distributor_id, true
FROM staged_advisors s JOIN busiest b USING (place)
ON CONFLICT (source, external_id) DO NOTHING
"""


async def add_staff(to: asyncpg.Connection) -> int:
    """consultant-1..6 (own members), advisor-1..12 (own store), operator-1 and analyst-1 (everybody). Idempotent."""
    people: list[tuple[object, ...]] = [
        (new_id(), f"consultant-{n}", CONSULTANT_NAMES[n - 1], "OWN", DISTRIBUTORS[n % len(DISTRIBUTORS)])
        for n in range(1, CONSULTANTS + 1)
    ]
    people += [
        (new_id(), "operator-1", "Olga Peters", "ALL", None),
        (new_id(), "analyst-1", "Ana Lindqvist", "ALL", None),
    ]
    async with to.transaction():
        await stage(to, "staged_staff", "id uuid, external_id text, name text, scope text, distributor text", people)
        added = added_rows(await to.execute(INSERT_STAFF))
        if await to.fetchval(
            "SELECT EXISTS (SELECT FROM staff WHERE external_id = 'advisor-1' AND source = $1)", SOURCE
        ):
            return added
        advisors = [(n, new_id(), f"advisor-{n}", ADVISOR_NAMES[n - 1]) for n in range(1, ADVISORS + 1)]
        await stage(to, "staged_advisors", "place int, id uuid, external_id text, name text", advisors)
        return added + added_rows(await to.execute(INSERT_ADVISORS, ADVISORS))
