"""What the tables declare must stand in PostgreSQL's own catalogue: tortoise drops some of it without a word."""

import re

import asyncpg
import pytest
from tortoise import Tortoise
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint

from domain.database import APP, connection
from domain.platform.clock import advance_business_clock, business_now, real_now, set_business_clock


async def _names(sql: str) -> set[str]:
    return {row["name"] for row in await connection().execute_query_dict(sql)}


async def test_every_declared_constraint_stands_in_the_catalogue(db: str) -> None:
    checks = await _names("SELECT conname AS name FROM pg_constraint WHERE contype = 'c'")
    uniques = await _names("SELECT indexname AS name FROM pg_indexes WHERE indexdef LIKE 'CREATE UNIQUE%'")
    missing: list[str | None] = []
    for model in (Tortoise.apps or {})[APP].values():
        for constraint in model._meta.constraints:
            if isinstance(constraint, CheckConstraint) and constraint.name not in checks:
                missing.append(constraint.name)
            if isinstance(constraint, UniqueConstraint) and constraint.name not in uniques:
                missing.append(constraint.name)
    assert missing == []
    assert len(checks) > 50


async def test_every_declared_unique_group_stands_in_the_catalogue(db: str) -> None:
    rows = await connection().execute_query_dict(
        "SELECT c.relname AS table_name, array_agg(a.attname::text ORDER BY a.attname) AS columns "
        "FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid "
        "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY(i.indkey) "
        "WHERE i.indisunique AND c.relnamespace = 'public'::regnamespace GROUP BY c.relname, i.indexrelid"
    )
    present = {(row["table_name"], tuple(row["columns"])) for row in rows}
    for model in (Tortoise.apps or {})[APP].values():
        columns = model._meta.fields_db_projection
        foreign = {name: model._meta.fields_map[name].source_field for name in model._meta.fk_fields}
        for group in model._meta.unique_together:
            wanted = tuple(sorted(foreign.get(name) or columns[name] for name in group))
            assert (model._meta.db_table, wanted) in present


async def test_every_foreign_key_has_an_index(db: str) -> None:
    """Or deleting and joining from the other side scans the whole table."""
    rows = await connection().execute_query_dict(
        "SELECT c.conrelid::regclass::text || '.' || a.attname AS name FROM pg_constraint c "
        "JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1] WHERE c.contype = 'f' "
        "AND NOT EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = c.conrelid AND i.indkey[0] = c.conkey[1])"
    )
    # Staff and stores are shut, never deleted, and nobody asks for what belongs to one of them by these links: an index
    # would make each order, consent and interaction dearer for nothing. Accounts are few.
    seldom = {
        "members.joined_by_id", "consents.store_id", "orders.served_by_id", "interactions.staff_id",
        "interactions.store_id", "accounts.staff_id", "guardian_consents.store_id",
        "owner_assignments.staff_id", "owner_assignments.previous_id", "owner_assignments.assigned_by_id",
        "questions.answered_by_id", "tags.owner_id",
    }  # fmt: skip
    assert {row["name"] for row in rows} == seldom


@pytest.mark.parametrize(
    ("table", "condition", "index"),
    [
        ("interactions", "baby_id = $1::uuid", "interactions_baby_idx"),
        ("callback_tasks", "baby_id = $1::uuid", "callback_tasks_baby_idx"),
        ("messages", "baby_id = $1::uuid", "messages_baby_idx"),
        ("products", "baby_class = $1::text", "products_baby_class_idx"),
        # Where few sources are known, PostgreSQL 18 skips from one to the next in the index of both.
        ("products", "external_id = $1::text", "products_external_idx|uid_products_source"),
    ],
)
async def test_erasing_a_baby_and_filtering_the_catalogue_scan_no_table(
    db: str, table: str, condition: str, index: str
) -> None:
    """By the conditions of the foreign keys' own checks and of the API's filters. Tables are empty here: no scans."""
    session = await asyncpg.connect(db)
    try:
        await session.execute(
            "SET enable_seqscan = off; SET enable_bitmapscan = off; SET plan_cache_mode = force_generic_plan; "
            f"PREPARE asked AS SELECT 1 FROM {table} WHERE {condition}"
        )
        plan = await session.fetch("EXPLAIN EXECUTE asked (NULL)")
    finally:
        await session.close()
    assert re.search(index, str(plan))


async def test_the_business_clock_jumps_and_the_real_one_does_not(db: str) -> None:
    from datetime import UTC, datetime, timedelta

    start = datetime(2017, 12, 15, 15, 0, tzinfo=UTC)
    await set_business_clock(start)
    assert start <= await business_now() < start + timedelta(minutes=1)
    await advance_business_clock(timedelta(days=7))
    assert start + timedelta(days=7) <= await business_now() < start + timedelta(days=7, minutes=1)
    in_sql = (await connection().execute_query_dict("SELECT business_now() AS now"))[0]["now"]
    assert abs(in_sql - await business_now()) < timedelta(seconds=5)
    assert real_now().year >= 2026
