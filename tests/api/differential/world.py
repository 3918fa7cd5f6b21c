"""A small town of everything that can be read, the same for a seed but for leases, which run on the machine's clock.

Some rows point at nothing: they break what the SDL promises.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import orjson
from tortoise.transactions import in_transaction

from domain.commerce.staff import RowScope
from domain.commerce.stores import Store
from domain.database import connection
from domain.people.members import Member
from domain.platform.actors import Actor
from domain.platform.roles import Role
from domain.segments.memberships import keep_up
from tests.api.differential.builder import NOON, Builder, Row
from tests.api.differential.families import make_doubts, make_family
from tests.api.differential.segments import Rules, make_segments
from tests.api.differential.shops import make_house
from tests.domain.segments.oracle import Oracle
from tests.factories import actor_for

TABLES = [
    "distributors", "stores", "staff", "accounts", "households", "members", "babies", "identities", "tags",
    "member_tags", "consents", "guardian_consents", "products", "orders", "order_lines", "order_returns",
    "interactions", "decisions",
    "messages", "message_events", "merges", "merge_suggestions", "identity_blocks",
    "scoring_models", "scores", "callback_tasks", "callback_outcomes",
    "questions", "owner_assignments", "order_return_lines", "segments", "segment_members",
]  # fmt: skip
JSON_COLUMNS = {
    ("merge_suggestions", "evidence"), ("members", "provenance"), ("babies", "provenance"),
    ("callback_tasks", "reason"), ("callback_tasks", "talking_points"), ("decisions", "reasons"), ("scores", "reasons"),
}  # fmt: skip


@dataclass
class World:
    """Every row as `SELECT *` found it, and who may ask for them."""

    tables: dict[str, list[Row]] = field(default_factory=dict)
    actors: list[Actor | None] = field(default_factory=list)
    rules: dict[str, Row | None] = field(default_factory=dict)  # text -> tree, None where it cannot be right
    _indexes: dict[tuple[str, str], dict[Any, list[Row]]] = field(default_factory=dict)

    def rows(self, table: str, column: str, value: object) -> list[Row]:
        """The rows of a table whose column has the value; nothing equals null."""
        index = self._indexes.get((table, column))
        if index is None:
            index = self._indexes[table, column] = defaultdict(list)
            for row in self.tables[table]:
                index[row[column]].append(row)
        return index.get(value, []) if value is not None else []

    def row(self, table: str, key: object) -> Row | None:
        return next(iter(self.rows(table, "id", key)), None)

    @cached_property
    def oracle(self) -> Oracle:
        """What rules mean of these rows."""
        kept = {str(row["id"]): orjson.loads(row["rule"]) for row in self.tables["segments"]}
        return Oracle(self.tables, NOON, kept)

    def away(self, merge: Row) -> object:
        """Whom the one whom a merge took away leads to now; nobody when it was undone."""
        gone = self.row("members", merge["absorbed_id"])
        return gone["merged_into_id"] if gone is not None and merge["unmerged_at"] is None else None


async def build_world(seed: int = 1) -> World:
    """Fill the empty database; read it whole."""
    make = Builder(seed)
    async with in_transaction():
        house, actors = await make_house(make)
        members = [one for number in range(8) for one in await make_family(make, house, number)]
        for member in members[::3]:
            await make_doubts(make, member, members)
        await make_segments(make, {table: await _read(table) for table in ("stores", "staff", "tags")})
        await _dangle(make)
    actors += [_member(one) for one in (members[0], members[3], members[6], members[-1])]
    actors += [actor_for(Role.FRONTEND, id=one, token_id=one, scope=RowScope.ALL) for one in (make.id(), make.id())]
    return await _told([*actors, None])


async def _told(actors: list[Actor | None]) -> World:
    """What the worker works out of it, too."""
    await keep_up()
    tables = {table: await _read(table) for table in TABLES}
    return World(tables=tables, actors=actors, rules=Rules(tables).fill())


async def _read(table: str) -> list[Row]:
    rows = [dict(row) for row in await connection().execute_query_dict(f"SELECT * FROM {table}")]
    for row in rows:
        for of, column in JSON_COLUMNS:
            if of == table and isinstance(row[column], str):
                row[column] = orjson.loads(row[column])
    return rows


def _member(member: Member) -> Actor:
    return actor_for(Role.MEMBER, id=member.id, member_id=member.id, household_id=member.household_id)


async def _dangle(make: Builder) -> None:
    """Rows that no constraint would let in: a score of no model, a store of no distributor."""
    run = connection().execute_query
    await run("SET LOCAL session_replication_role = replica")
    await run("UPDATE scores SET model_id = $1 WHERE id = (SELECT min(id) FROM scores)", [make.id()])
    store = await make.make(Store, source="till", external_id=make.key(), name="Lost", distributor_id=make.id())
    await run("UPDATE members SET store_id = $1 WHERE id = (SELECT min(id::text)::uuid FROM members)", [store.id])
    await run("UPDATE orders SET store_id = $1 WHERE id = (SELECT min(id::text)::uuid FROM orders)", [store.id])
