"""The world that benches measure on: the same rows for the same spec, and nobody real in it."""

import hashlib

import asyncpg
import phonenumbers
import pytest

from bench import people
from bench.databases import administrator, connected, drop, named
from bench.spec import CLOCK, Spec
from bench.world import TABLES, batches, make_world, world

SMALL = Spec(members=12, orders=60, seed=7)


def _rows_hash(spec: Spec) -> str:
    whole = hashlib.sha256()
    for batch in batches(spec):
        for name, column in batch.columns.items():
            whole.update(repr((batch.table, name, [str(value) for value in column])).encode())
    return whole.hexdigest()


def test_the_same_spec_gives_the_same_rows_and_another_seed_gives_others() -> None:
    assert _rows_hash(SMALL) == _rows_hash(SMALL)
    assert _rows_hash(SMALL) != _rows_hash(Spec(members=12, orders=60, seed=8))


def test_chunks_share_the_orders_out_exactly() -> None:
    spec = Spec(members=100_001, orders=333_333, seed=1)
    assert sum(spec.orders_of(chunk) for chunk in range(spec.chunks)) == 333_333


def test_phones_are_distinct_and_reach_nobody() -> None:
    last_valid = people.valid_phones() - 1
    numbers = [people.phone(n) for n in (0, 1, last_valid, last_valid + 1, 999_999)]
    assert len(set(numbers)) == len(numbers)
    for number in numbers[:3]:
        assert phonenumbers.is_valid_number(phonenumbers.parse(number))
        assert number[5:10] == "55501"
    for number in numbers[3:]:
        assert number.startswith("+999")
        with pytest.raises(phonenumbers.NumberParseException):
            phonenumbers.parse(number)


async def test_a_world_is_made_once_and_says_everywhere_that_it_is_synthetic(postgres_url: str, template: str) -> None:
    name = await make_world(postgres_url, SMALL, migrated=template)
    try:
        assert await make_world(postgres_url, SMALL) == name
        async with world(postgres_url, SMALL, f"{name}_c"[-60:]) as url, connected(url) as connection:
            await _check(connection)
        async with connected(named(postgres_url, "postgres")) as admin:
            assert not await admin.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", f"{name}_c"[-60:])
    finally:
        async with administrator(postgres_url) as admin:
            await drop(admin, name)


async def _check(connection: asyncpg.Connection) -> None:
    filled = {table: await connection.fetchval(f"SELECT count(*) FROM {table}") for table in TABLES}
    assert all(filled.values()), filled
    assert (
        await connection.fetchval("SELECT count(DISTINCT (member_id, purpose, channel, baby_id)) FROM consents")
        == filled["consents_in_force"]
    )
    assert (filled["members"], filled["orders"], filled["households"]) == (12, 60, 10)
    for table, column in (
        ("members", "source = 'bench' AND name_source = 'SYNTHETIC'"),
        ("households", "source = 'bench'"),
        ("orders", "source = 'bench'"),
        ("interactions", "is_synthetic"),
        ("identities", "is_synthetic"),
        ("babies", "presence_source = 'SYNTHETIC'"),
        ("consents", "source = 'SYNTHETIC'"),
    ):
        assert await connection.fetchval(f"SELECT bool_and({column}) FROM {table}"), table
    assert not await connection.fetchval(
        "SELECT count(*) FROM identities WHERE value ~ '@' AND value !~ '@example.com$'"
    )
    wrong_totals = await connection.fetchval(
        "SELECT count(*) FROM orders o WHERE total <> (SELECT sum(amount) FROM order_lines l WHERE l.order_id = o.id)"
    )
    assert wrong_totals == 0
    assert not await connection.fetchval("SELECT count(*) FROM orders WHERE ordered_at > $1", CLOCK)
    drift = await connection.fetchval("SELECT abs(extract(epoch FROM business_now() - $1::timestamptz))", CLOCK)
    assert drift < 60
