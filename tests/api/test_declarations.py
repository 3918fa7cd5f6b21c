"""Declarations that the schema or the database cannot keep are told before anything is served, all at once."""

import asyncio
import dataclasses
import time
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any

import pytest
import strawberry

from api import projection
from api.app import reading
from api.config import ApiConfig
from api.declarations import WrongDeclarations, check_declarations, refuse_contradictions
from api.graphql import execute
from api.projection import column, connection, expression, identifier, masked, projected, relation
from api.projection.pages import Connection
from api.schema import build_schema
from api.schema.commerce.stores import Store
from api.schema.people.babies import Baby
from api.schema.people.consents import Consent
from api.schema.people.households import Household
from api.schema.scopes import MEMBERS
from domain.platform.ids import new_id
from domain.platform.roles import Permission, Role
from tests.api.conftest import Ask
from tests.factories import actor_for

BY_ID = (("id", "ASC", "uuid"),)


@pytest.fixture(autouse=True)
def types(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test declares is forgotten after it."""
    monkeypatch.setattr(projection, "TYPES", known := dict(projection.TYPES))
    monkeypatch.setattr("api.declarations.TYPES", known)


def schema_of(fields: Mapping[str, tuple[Any, Any]], *, table: str = "members", **more: Any) -> strawberry.Schema:
    """A schema that lists rows of the type `Wrong` with these fields: name -> (annotation, declaration)."""
    body = {"__annotations__": {name: of for name, (of, _) in fields.items()}}
    body |= {name: declared for name, (_, declared) in fields.items()}
    more = {"scope": MEMBERS, "permission": Permission.READ_MEMBERS, "key": BY_ID, **more}
    key = more.pop("key")
    wrong: Any = projected(table=table, description="Wrong.", **more)(type("Wrong", (), body))
    query = {"__annotations__": {"wrongs": Connection[wrong] | None}, "wrongs": connection("Wrong ones.", key=key)}
    return strawberry.Schema(query=strawberry.type(type("Query", (), query)))


def hidden(_ask: projection.Ask, _alias: str) -> str:
    return "FALSE"


async def told(schema: strawberry.Schema) -> list[str]:
    with pytest.raises(WrongDeclarations) as failure:
        await check_declarations(schema)
    return [line.replace(f" ({__name__})", "") for line in str(failure.value).split("\n- ")[1:]]


def refused(schema: strawberry.Schema) -> list[str]:
    with pytest.raises(TypeError) as failure:
        refuse_contradictions(schema)
    return [line.replace(f" ({__name__})", "") for line in str(failure.value).split("\n- ")[1:]]


async def test_the_shipped_declarations_hold_and_are_checked_in_no_time(ask: Ask) -> None:
    schema = build_schema()
    took = []
    for _ in range(3):
        started = time.perf_counter()
        await check_declarations(schema)
        took.append(time.perf_counter() - started)
    assert min(took) < 0.05


async def test_all_that_the_database_does_not_keep_is_told_in_one_message(ask: Ask) -> None:
    fields = {
        "id": (strawberry.ID, identifier()),
        "nickname": (str, column("nick_name", "No such column.")),
        "name": (str, column("full_name", "May be null.")),
        "joined_on": (date, column("joined_on", "Is right.")),
        "age": (int | None, expression("{t}.age + {t}.version", "No such column.")),
        "phone": (str | None, masked("phone", "No such column.", revealed=hidden, mask="{t}.ending")),
        "store": (Store, relation("May be null.", on={"id": "store_id"})),
        "babies": (
            list[Baby] | None,
            relation("No index.", on={"feeding": "language"}, where="{t}.name = {s}.nick", order="{t}.born", first=5),
        ),
        "consents": (list[Consent], relation("Is right.", on={"member_id": "id"}, first=5)),
        "twin": (Household, relation("No foreign key.", on={"id": "id"})),
    }
    assert await told(schema_of(fields, key=(("owner_id", "ASC", "uuid"), ("joined_on", "ASC", "text")))) == [
        "Query.wrongs: its key ends with joined_on, which is not unique; end it with a unique column.",
        "Query.wrongs: its key names owner_id, which may be null: such rows are on no page. Order by another.",
        "Query.wrongs: no index of members starts with owner_id, joined_on; add one, or say `unindexed`.",
        "Wrong.nickname: members has no column nick_name; name one that it has, or migrate.",
        "Wrong.name: full_name may be null; make the field nullable, or the column NOT NULL.",
        "Wrong.age: members has no column age; name one that it has, or migrate.",
        "Wrong.phone: members has no column ending; name one that it has, or migrate.",
        "Wrong.phone: members has no column phone; name one that it has, or migrate.",
        "Wrong.store: store_id may be null; make the field nullable, or the column NOT NULL.",
        "Wrong.babies: members has no column nick; name one that it has, or migrate.",
        "Wrong.babies: babies has no column born; name one that it has, or migrate.",
        "Wrong.babies: babies has no column name; name one that it has, or migrate.",
        "Wrong.babies: no index of babies starts with feeding; add one.",
        "Wrong.twin: no foreign key says that the Household exists; make the field nullable, or add one.",
    ]


async def test_a_from_item_is_known_by_the_tables_beneath_it(ask: Ask) -> None:
    joined = "(SELECT m.id, m.full_name, s.name FROM members m LEFT JOIN stores s ON s.id = m.store_id)"
    fields = {
        "id": (strawberry.ID, identifier()),
        "name": (str, column("full_name", "May be null.")),
        "zone": (str, column("time_zone", "Is left out of the join.")),
        "shop": (str, column("name", "Is right.")),
    }
    assert await told(schema_of(fields, table=joined, made_of=("members", "stores"))) == [
        "Wrong.name: full_name may be null; make the field nullable, or the column NOT NULL.",
        f"Wrong.zone: {joined} has no column time_zone; name one that it has, or migrate.",
    ]
    [missing, *_] = await told(schema_of(fields, table="nobodies"))
    assert missing == "Wrong: there is no table nobodies; name another or migrate."


async def test_rows_that_stand_for_a_types_table_have_all_that_it_reads(ask: Ask) -> None:
    short = "(SELECT id, household_id, created_at, nickname FROM babies)"
    fields = {"babies": (list[Baby], relation("Short.", on={"household_id": "household_id"}, rows=short, first=2))}
    found = await told(schema_of(fields, table="members"))
    assert "Wrong.babies: its rows have no born_on, which Baby reads; add it to them." in found
    assert not [line for line in found if "nickname" in line or "no household_id" in line]


def test_what_contradicts_itself_is_refused_when_the_schema_is_built() -> None:
    fields = {
        "handling_note": (str | None, column("handling_note", "For some.", Permission.READ_TAGS)),
        "household": (Household, relation("Nobody proved her sight of it.", on={"id": "household_id"})),
        "store": (Store, relation("May be left out.", on={"id": "store_id"}, where="{t}.is_open")),
        "seen": (Annotated[Household, ""] | None, relation("Is right.", on={"id": "household_id"})),
    }
    assert refused(schema_of(fields, table="(SELECT 1)", key=(("handling_note", "ASC", "text"), *BY_ID))) == [
        "Query.wrongs: its key names handling_note, which needs READ_TAGS; order by what every reader may see.",
        "Wrong.household: whoever sees Wrong may not see its Household; make the field nullable.",
        "Wrong.store: its condition may leave the row out; make the field nullable.",
        "Wrong: its FROM item is no table; name those beneath by projected(made_of=...).",
    ]


async def test_nothing_is_served_by_declarations_that_the_database_does_not_keep(
    config: ApiConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = schema_of({"nickname": (str | None, column("nick_name", "No such column."))})
    monkeypatch.setattr("api.app.build_schema", lambda: wrong)
    with pytest.raises(WrongDeclarations, match="nick_name"):
        async with reading(config):
            pytest.fail("it serves")


async def test_a_process_that_waited_longer_than_a_statement_may_last_answers_its_first_request(
    config: ApiConfig,
) -> None:
    config = dataclasses.replace(config, statement_timeout_s=0.5)
    async with reading(config):
        await asyncio.sleep(0.7)  # the check's connection is the one that is taken first
        answer = await execute("{ viewer { role } }", {}, actor_for(Role.ANALYST, id=new_id()), config=config)
    assert answer == {"data": {"viewer": {"role": "ANALYST"}}}
