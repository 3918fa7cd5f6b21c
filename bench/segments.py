"""segment_*: rules over a world of members. Each against the least that PostgreSQL could do on the same tables.

segment_count: a five-condition tree against a plain count of the summary table's rows (not of its index alone, which
answers no rule). segment_count_sql: the same tree against the best statement we can write by hand. segment_refresh:
twenty rules worked out for everybody in one pass, against that count. segment_incremental: the same twenty for 0.5% of
the members, whose facts have changed, against a full refresh that finds and writes as many moves.
"""

import json
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from tortoise import Tortoise
from tortoise.transactions import in_transaction

from bench.harness import Bench, Reading, Result, compare
from bench.spec import CLOCK, Spec
from bench.world import world
from domain.commerce.staff import RowScope
from domain.database import connection, tortoise_config
from domain.platform.actors import Actor
from domain.platform.ids import new_id
from domain.platform.parameters import Parameters
from domain.platform.roles import PERMISSIONS, Role
from domain.segments import segments
from domain.segments.compiling import this_moment
from domain.segments.facts import rebuild, take_changes
from domain.segments.memberships import keep_up, moving, refresh, work_out
from domain.segments.readings import count_sql
from domain.segments.rules import Group, read
from domain.segments.segments import SegmentSaved, live_segments

PLAIN = "SELECT count(*) AS members FROM member_facts"
CHANGED = 0.005
DAYS = 90


def leaf(field: str, operator: str, value: Any) -> dict[str, Any]:
    return {"field": field, "operator": operator, "value": value}


FIVE = {
    "combinator": "and",
    "rules": [
        leaf("baby.age_months", "between", [6, 11]),
        leaf("orders.count", ">=", {"value": 2, "days": DAYS}),
        leaf("orders.days_since_last", "<=", 60),
        leaf("consents.consent", "in", ["CARE:SMS"]),
        {
            "combinator": "or",
            "rules": [leaf("tags.tag", "in", ["bench.organic"]), leaf("orders.total", ">=", 100)],
        },
    ],
}
# As somebody would write it who knows the table, the dates and the bit of the consent. {day}: today.
BY_HAND = """
SELECT count(*) AS members FROM member_facts f
WHERE f.last_order_on >= {day}::date - 60 AND f.consents & 1 <> 0
    AND (f.order_cents >= 10000 OR f.tags && ARRAY(SELECT id FROM tags WHERE key = 'bench.organic'))
    AND f.order_count - width_bucket({day}::date - 90, f.order_days) >= 2
    AND width_bucket(({day}::date - interval '6 months')::date, f.baby_born)
        > width_bucket(({day}::date - interval '12 months')::date, f.baby_born)
"""


def twenty() -> list[dict[str, Any]]:
    """Rules as a retailer has them: stages, recency, value, tags, consents; two to four conditions each."""
    found: list[dict[str, Any]] = []
    for number in range(5):
        low = number * 3
        found += [
            _all(leaf("baby.age_months", "between", [low, low + 2]), leaf("consents.consent", "in", ["CARE:SMS"])),
            _all(
                leaf("orders.days_since_last", "between", [30 * number, 30 * number + 29]),
                leaf("orders.count", ">=", 2 + number),
            ),
            _all(
                leaf("orders.total", ">=", {"value": 50 * (number + 1), "days": 90}),
                leaf("member.carer_role", "=", "MOTHER"),
                leaf("orders.count", "<", 20),
            ),
            _all(
                leaf("tags.tag", "in", [["bench.organic", "bench.weekend", "bench.mall", "bench.asks"][number % 4]]),
                leaf("orders.days_since_last", "<=", 90),
                leaf("member.joined_days_ago", ">", 30 * number),
                leaf("interactions.count", ">=", 1),
            ),
        ]
    return found


def _all(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"combinator": "and", "rules": list(rules)}


async def bench_segments(server_url: str, spec: Spec, *, rounds: int) -> list[Result]:
    """All four on one world. Raises when the two statements of a count do not agree."""
    async with world(server_url, spec, "nestling_bench_segments") as database:
        await Tortoise.init(config=tortoise_config(database, max_size=2), _enable_global_fallback=True)
        try:
            await rebuild()
            await connection().execute_script("VACUUM ANALYZE member_facts")
            size = f"{spec.members:,} members, {spec.orders:,} orders"
            return [*await _counts(size, rounds), *await _refreshes(spec, size, rounds)]
        finally:
            await Tortoise.close_connections()


async def _counts(size: str, rounds: int) -> list[Result]:
    tree = read(FIVE)
    assert isinstance(tree, Group), tree
    parameters = Parameters()
    sql = count_sql(_operator(), tree, await this_moment(), parameters)
    by_hand = BY_HAND.replace("{day}", f"'{CLOCK.date()}'")
    ours, hand = await _answer(sql, parameters), await _answer(by_hand)
    assert ours == hand, f"ours counts {ours}, the hand's {hand}"
    print(f"  the rule means {ours:,}", flush=True)
    one = Bench("segment_count", "ms", 2, f"five conditions; {size}", better="lower")
    other = Bench("segment_count_sql", "ms", 1.2, f"five conditions; {size}", better="lower")

    def asking(text: str, values: list[object] | None = None) -> Callable[[], Awaitable[Reading]]:
        return lambda: _timed(lambda: _answer(text, values))

    return [
        await compare(one, asking(sql, parameters), _plain, rounds=rounds),
        await compare(other, asking(sql, parameters), asking(by_hand), rounds=rounds),
    ]


async def _refreshes(spec: Spec, size: str, rounds: int) -> list[Result]:
    actor = _operator()
    for number, rule in enumerate(twenty()):
        made = await segments.create(actor, f"Bench {number}", "", json.dumps(rule))
        assert isinstance(made, SegmentSaved), made
    await connection().execute_query("DELETE FROM member_changes")
    await refresh()
    await keep_up()
    await connection().execute_script("VACUUM ANALYZE member_facts, segment_members")
    assert (await moving(await live_segments(), await this_moment()))[0] == []
    changed = max(1, int(spec.members * CHANGED))
    turn = 0

    async def full() -> Reading:
        return await _timed(refresh)

    async def changes() -> list[UUID]:
        """Orders come in and facts follow: the same work for both sides, and not what is timed."""
        nonlocal turn
        turn += 1
        await _buy(changed, turn)
        started = time.perf_counter()
        async with in_transaction():
            taken = await take_changes(2 * changed)
            await rebuild(taken.members)
        print(f"  facts of {len(taken.members):,} members: {1000 * (time.perf_counter() - started):.0f} ms", flush=True)
        return taken.members

    async def all_of_them() -> Reading:
        await changes()
        return await full()

    async def incremental() -> Reading:
        members = await changes()

        async def theirs() -> None:
            async with in_transaction():
                await work_out(await live_segments(), await this_moment(), members)

        return await _timed(theirs)

    one = Bench("segment_refresh", "ms", 8, f"20 rules; {size}", better="lower")
    other = Bench("segment_incremental", "ms", 0.15, f"20 rules, {changed:,} members changed; {size}", better="lower")
    found = [await compare(one, full, _plain, rounds=rounds)]
    found.append(await compare(other, incremental, all_of_them, rounds=rounds))
    assert await rebuild() == 0, "the incremental turns kept the facts as a rebuild makes them"
    assert await refresh() == 0, "and the memberships as a full refresh has them"
    return found


async def _buy(changed: int, turn: int) -> None:
    """Every so manieth member buys something now."""
    await connection().execute_query(
        "INSERT INTO orders (id, source, external_id, member_id, store_id, channel, ordered_at, currency, total, "
        "payload_hash) SELECT gen_random_uuid(), 'bench', 'turn' || $1::int || '-' || n, m.id, m.store_id, 'POS', $2, "
        "'USD', 12.50, '' FROM (SELECT id, store_id, row_number() OVER (ORDER BY md5(id::text || $1::int)) AS n "
        "FROM members) m WHERE n <= $3::int",
        [turn, CLOCK - timedelta(hours=1), changed],
    )


def _operator() -> Actor:
    account = new_id()
    return Actor(account, Role.OPERATOR, RowScope.ALL, account, permissions=PERMISSIONS[Role.OPERATOR])


async def _answer(sql: str, values: list[object] | None = None) -> int:
    rows = await connection().execute_query_dict(sql, values)
    found: int = rows[0]["members"]
    return found


async def _plain() -> Reading:
    """A count that reads the rows, as every rule must."""
    async with in_transaction():
        await connection().execute_query("SET LOCAL enable_indexonlyscan = off")
        await connection().execute_query("SET LOCAL enable_indexscan = off")
        return await _timed(lambda: _answer(PLAIN))


async def _timed(work: Callable[[], Awaitable[object]]) -> Reading:
    started = time.perf_counter()
    await work()
    return Reading(1000 * (time.perf_counter() - started))
