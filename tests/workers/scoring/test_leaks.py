"""Nothing from the cut-off on, and nothing but the purchases themselves, may change a feature."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, timedelta

import asyncpg
import numpy as np
import pandas as pd
import pytest

from domain.platform.ids import new_id
from workers.scoring.candidates import Shelf
from workers.scoring.features import NAMES
from workers.scoring.frames import active, frame
from workers.scoring.history import DAY_SECONDS, History, Table, load

AS_OF = date(2017, 12, 1)


@pytest.fixture
async def undone(purchases_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection whose changes are rolled back."""
    connection = await asyncpg.connect(purchases_url)
    await connection.execute("BEGIN")
    try:
        yield connection
    finally:
        await connection.execute("ROLLBACK")
        await connection.close()


async def reread(connection: asyncpg.Connection, as_of: date = AS_OF, zone: str = "UTC") -> History:
    """`load` inside the test's own transaction: its temporary tables go with the savepoint."""
    await connection.execute("SAVEPOINT reading")
    try:
        return await load(_Nested(connection), as_of, zone)
    finally:
        await connection.execute("ROLLBACK TO reading")


class _Nested:
    """The connection as `load` wants it, without a transaction of its own: the test's is open already."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.execute, self.fetch = connection.execute, connection.fetch
        self.copy_from_query = connection.copy_from_query

    def transaction(self, **_: object) -> "_Nested":
        return self

    async def __aenter__(self) -> None: ...

    async def __aexit__(self, *_: object) -> None: ...


def features(history: History) -> pd.DataFrame:
    members = active(history)
    rows = frame(history, members)
    return rows.set_axis([history.external_ids[number] for number in members]).sort_index()


def candidates(history: History) -> pd.DataFrame:
    shelf = Shelf(history)
    pairs = shelf.pairs(shelf.members)
    who = [history.external_ids[number] for number in pairs.member]
    what = [history.categories[number] for number in pairs.category]
    return pairs.values.set_axis(pd.MultiIndex.from_arrays([who, what])).sort_index()


POISON = [
    "UPDATE orders SET total = total * 1000 WHERE ordered_at >= '2017-12-01'",
    """UPDATE order_lines SET amount = 99999, discount = 9999
       WHERE order_id IN (SELECT id FROM orders WHERE ordered_at >= '2017-12-01')""",
    "UPDATE orders SET member_id = (SELECT min(id::text)::uuid FROM members) WHERE ordered_at >= '2017-12-01'",
    "DELETE FROM order_lines WHERE order_id IN (SELECT id FROM orders WHERE ordered_at >= '2017-12-08')",
    "DELETE FROM orders WHERE ordered_at >= '2017-12-08'",
    # goods that nobody bought before: their categories would renumber the others
    """UPDATE products SET category = 'AAA ' || category, department = 'AAA' WHERE id NOT IN (
       SELECT product_id FROM order_lines l JOIN orders o ON o.id = l.order_id WHERE o.ordered_at < '2017-12-01')""",
    # facts about people that are not purchases
    "UPDATE members SET joined_on = '2017-11-30', language = 'zh-Hans', full_name = 'Somebody Else'",
    """UPDATE members SET external_id = '0000 ' || external_id WHERE NOT EXISTS (
       SELECT FROM orders o WHERE o.member_id = members.id AND o.ordered_at < '2017-12-01')""",
]


async def test_rows_from_the_cut_off_on_change_nothing(undone: asyncpg.Connection, history: History) -> None:
    assert await undone.fetchval("SELECT count(*) FROM orders WHERE ordered_at >= '2017-12-01'") > 100
    for poison in POISON:
        await undone.execute(poison)
    await undone.execute(
        "INSERT INTO order_returns (id, source, external_id, order_id, returned_at, received_at, amount, payload_hash) "
        "SELECT $1, 'test', 'late', id, '2017-12-01', now(), 5, 'x' FROM orders ORDER BY ordered_at LIMIT 1",
        new_id(),
    )
    again = await reread(undone)
    assert again.data_hash == history.data_hash
    pd.testing.assert_frame_equal(features(again), features(history), check_exact=True)


async def test_the_test_would_find_a_leak(undone: asyncpg.Connection, history: History) -> None:
    """One row a second before the cut-off does change what is known."""
    await undone.execute(
        "UPDATE orders SET ordered_at = '2017-11-30 23:59:59+00' WHERE id = "
        "(SELECT id FROM orders WHERE ordered_at >= '2017-12-01' ORDER BY ordered_at LIMIT 1)"
    )
    again = await reread(undone)
    assert again.data_hash != history.data_hash
    assert not features(again).equals(features(history))


async def test_midnight_is_that_of_the_installations_zone(undone: asyncpg.Connection) -> None:
    def orders(history: History) -> int:
        return int(history.orders["at_s"].size)

    counted = {}
    for zone, limit in (("Asia/Shanghai", "2017-11-30 16:00+00"), ("America/New_York", "2017-12-01 05:00+00")):
        known = await reread(undone, zone=zone)
        counted[zone] = orders(known)
        assert counted[zone] == await undone.fetchval(f"SELECT count(*) FROM orders WHERE ordered_at < '{limit}'")
        assert known.orders["at_s"][-1] < (AS_OF - date(1970, 1, 1)).days * DAY_SECONDS
    assert counted["Asia/Shanghai"] < counted["America/New_York"]


async def test_a_return_counts_from_the_moment_it_was_made(undone: asyncpg.Connection) -> None:
    order = await undone.fetchrow(
        "SELECT o.id, o.total, m.external_id FROM orders o JOIN members m ON m.id = o.member_id "
        "WHERE o.ordered_at BETWEEN '2017-11-10' AND '2017-11-20' AND o.total > 5 ORDER BY o.ordered_at, o.id LIMIT 1"
    )
    await undone.execute(
        "INSERT INTO order_returns (id, source, external_id, order_id, returned_at, received_at, amount, payload_hash) "
        "VALUES ($1, 'test', 'r1', $2, '2017-11-28 12:00+00', now(), $3, 'x')",
        new_id(), order["id"], order["total"],
    )  # fmt: skip
    known = await reread(undone)
    then, now = features(known.before(date(2017, 11, 28))), features(known)
    who = order["external_id"]
    assert then.loc[who, "returns_180"] == 0
    assert now.loc[who, "returns_180"] == 1
    without = features(replace(known, returns={name: values[:0] for name, values in known.returns.items()}))
    assert without.loc[who, "spend_90"] - now.loc[who, "spend_90"] == pytest.approx(float(order["total"]))


async def test_an_earlier_cut_off_of_a_history_is_what_was_known_then(
    undone: asyncpg.Connection, history: History
) -> None:
    earlier = date(2017, 9, 15)
    then = await reread(undone, earlier)
    pd.testing.assert_frame_equal(features(history.before(earlier)), features(then), check_exact=True)
    sliced, direct = candidates(history.before(earlier)), candidates(then)
    assert list(sliced.index) == list(direct.index)
    np.testing.assert_allclose(sliced, direct, rtol=1e-4, atol=1e-5)


def test_a_history_answers_nothing_about_its_future(history: History) -> None:
    with pytest.raises(AssertionError):
        history.before(AS_OF + timedelta(days=1))
    with pytest.raises(AssertionError):
        history.between(history.orders, AS_OF - timedelta(days=10), AS_OF + timedelta(days=20))


def test_the_order_of_rows_and_the_numbers_of_members_change_no_feature(history: History) -> None:
    """Members are renumbered and rows of one moment are given in any order: ties decide nothing."""
    drawn = np.random.default_rng(5)
    number = drawn.permutation(history.members)

    def shuffled(table: Table) -> Table:
        order = np.lexsort((drawn.random(table["at_s"].size), table["at_s"]))
        return {name: (number[values] if name == "member" else values)[order] for name, values in table.items()}

    back = np.argsort(number)
    other = replace(
        history,
        member_ids=[history.member_ids[at] for at in back],
        external_ids=[history.external_ids[at] for at in back],
        orders=shuffled(history.orders),
        baskets=shuffled(history.baskets),
        returns=shuffled(history.returns),
    )
    pd.testing.assert_frame_equal(features(other), features(history), check_exact=True)
    ours, theirs = candidates(history), candidates(other)
    assert list(ours.index) == list(theirs.index)
    np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)


def test_a_year_of_weeks_later_the_features_are_the_same(history: History) -> None:
    shift = 364 * DAY_SECONDS

    def later(table: Table) -> Table:
        return {name: values + shift if name == "at_s" else values for name, values in table.items()}

    moved = replace(
        history, as_of=AS_OF + timedelta(days=364),
        orders=later(history.orders), baskets=later(history.baskets), returns=later(history.returns),
    )  # fmt: skip
    pd.testing.assert_frame_equal(features(moved), features(history), check_exact=True)


def test_every_declared_feature_is_a_number_and_says_something(history: History) -> None:
    rows = features(history)
    assert list(rows.columns) == NAMES
    assert len(set(NAMES)) == len(NAMES) >= 60
    assert np.isfinite(rows.to_numpy()).all()
    still = {name for name in NAMES if rows[name].nunique() == 1}
    assert still <= {
        "channels_180",
        "share_store_channel",
        "returns_180",
        "returned_share_180",
    }  # the source has one channel
