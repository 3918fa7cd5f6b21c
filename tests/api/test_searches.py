"""Finding members: what is found, and that each search is an index look-up once there are many."""

import json
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any

import pytest

from api.config import ApiConfig
from api.context import ApiContext
from api.reads import Reads
from domain.commerce.staff import RowScope
from domain.database import connection
from domain.people.identities import IdentityKind
from domain.people.members import Member, MemberStatus
from domain.people.names import name_initials, name_key
from domain.people.tags import MemberTag, Tag, TagFamily
from domain.platform.actors import Actor
from domain.platform.roles import Role
from domain.platform.sources import Source
from tests.api.conftest import Ask
from tests.factories import NOON, make_actor, make_baby, make_identity, make_member, make_store

SEARCH = "query($search: MemberSearch!, $first: Int = 20, $after: String) { members(search: $search, first: $first, after: $after) { pageInfo { hasNextPage endCursor hasPreviousPage } edges { node { name } } } }"  # noqa: E501


async def people() -> None:
    names = ("王小丽", "Emma Johnson", "Wang Xiaoming")
    for number, name in enumerate(names):
        member = await make_member(
            phone=f"+1212555010{number}",
            full_name=name,
            name_key=name_key(name),
            name_initials=name_initials(name),
            external_id=f"crm-{number}77",
        )
        await make_identity(member, IdentityKind.CARD, f"6222000{number}4321", namespace="bank")
        await make_baby(
            member,
            nickname="豆豆" if number == 0 else f"Bean{number}",
            nickname_key=name_key("豆豆" if number == 0 else f"Bean{number}"),
            born_on=date(2017, 12 - 4 * number, 1),
            born_source=Source.MEMBER,
        )
    tag = await Tag.create(key="vip", family=TagFamily.ATTRIBUTE, label_en="VIP", label_zh="贵宾")
    await MemberTag.create(tag_id=tag.id, member_id=member.id, source=Source.STAFF, set_at=NOON)


FOUND: list[tuple[dict[str, str], list[str]]] = [
    ({"text": "0100"}, ["王小丽"]),
    ({"text": "555-0101"}, ["Emma Johnson"]),
    ({"text": "24321"}, ["Wang Xiaoming"]),
    ({"text": "王小"}, ["王小丽"]),
    ({"text": "wang"}, ["Wang Xiaoming", "王小丽"]),
    ({"text": "WXL"}, ["王小丽"]),
    ({"text": "ej"}, ["Emma Johnson"]),
    ({"text": "豆"}, ["王小丽"]),
    ({"text": "doud"}, ["王小丽"]),
    ({"text": "crm-177"}, ["Emma Johnson"]),
    ({"phoneEnding": "0102"}, ["Wang Xiaoming"]),
    ({"card": "04321"}, ["王小丽"]),
    ({"externalId": "crm-077"}, ["王小丽"]),
    ({"name": "emma j"}, ["Emma Johnson"]),
    ({"babyNickname": "bean"}, ["Emma Johnson", "Wang Xiaoming"]),
    ({"tag": "vip"}, ["Wang Xiaoming"]),
    ({"tag": "vip", "name": "emma"}, []),
    ({"stage": "NEWBORN"}, ["王小丽"]),
    ({"stage": "MONTHS_3_6"}, ["Emma Johnson"]),
    ({"stage": "MONTHS_6_12"}, ["Wang Xiaoming"]),
    ({"text": "nobody"}, []),
    ({"text": "100%_"}, []),
]


async def test_a_search_finds_exactly_whom_it_names(ask: Ask) -> None:
    await people()
    operator = await make_actor(Role.OPERATOR)
    for search, found in FOUND:
        answer = await ask(operator, SEARCH, search=search)
        assert sorted(edge["node"]["name"] for edge in answer.data["members"]["edges"]) == sorted(found), search
        assert answer.statements == (2 if "stage" in search else 1)


async def test_an_external_id_of_two_sources_names_nobody_without_its_source(ask: Ask) -> None:
    near, far = await make_store(), await make_store()
    till = await make_member(full_name="Ada", source="till", external_id="77", store_id=near.id)
    await make_member(full_name="Eve", source="shop", external_id="77", store_id=far.id)
    operator = await make_actor(Role.OPERATOR)
    query = "query($id: String, $source: String) { member(externalId: $id, source: $source) { name } }"

    async def named(actor: Actor, **source: str) -> dict[str, str] | None:
        answer = await ask(actor, query, id="77", **source)
        assert answer.statements == 1
        found: dict[str, str] | None = answer.data["member"]
        return found

    assert await named(operator) is None
    assert [await named(operator, source=source) for source in ("till", "shop")] == [{"name": "Ada"}, {"name": "Eve"}]
    adviser = await make_actor(Role.ADVISOR, RowScope.STORE, store_id=near.id)
    assert await named(adviser) == {"name": "Ada"}  # what she may not see does not show here either
    await Member.filter(id=till.id).update(status=MemberStatus.ERASED)
    assert await named(operator) == {"name": "Eve"}


async def test_a_search_that_cannot_be_meant_is_refused(ask: Ask) -> None:
    operator = await make_actor(Role.OPERATOR)
    for search in ({"text": "123"}, {"text": " "}, {"phoneEnding": "99"}, {"text": "x" * 101}, {"stage": "UNKNOWN"}):
        answer = await ask(operator, SEARCH, search=search)
        assert answer.codes == ["BAD_USER_INPUT"], search
        assert answer.body["data"] == {"members": None}


async def test_what_may_not_be_read_may_not_be_searched_by(ask: Ask) -> None:
    analyst = await make_actor(Role.ANALYST)
    by_contact = ({"phoneEnding": "0100"}, {"card": "4321"}, {"text": "0100"})
    for search in (*by_contact, {"babyNickname": "bean"}, {"stage": "NEWBORN"}):
        assert (await ask(analyst, SEARCH, search=search)).codes == ["FORBIDDEN"], search
    assert (await ask(analyst, SEARCH, search={"text": "豆"})).data["members"]["edges"] == []


async def test_a_search_by_babies_data_leaves_one_audit_row_without_its_text(ask: Ask) -> None:
    await people()
    operator = await make_actor(Role.OPERATOR)
    searches: tuple[dict[str, str], ...] = (
        {"stage": "NEWBORN", "babyNickname": "bean"}, {"text": "doud"}, {"name": "emma"}, {"text": "0100"}, {},
    )  # fmt: skip
    for search in searches:
        await ask(operator, SEARCH, search=search)
    twice = '{ a: members(search: { babyNickname: "bean" }, first: 1) { totalCount } '
    twice += 'b: members(search: { babyNickname: "doud" }, first: 1) { totalCount } }'
    await ask(operator, twice)
    assert (await ask(await make_actor(Role.ANALYST), SEARCH, search={"stage": "NEWBORN"})).codes == ["FORBIDDEN"]
    rows = await connection().execute_query_dict(
        "SELECT actor_id, action, detail::text AS detail FROM audit_entries ORDER BY id"
    )
    assert {(row["actor_id"], row["action"]) for row in rows} == {(operator.id, "search_babies")}
    by = [json.loads(row["detail"]) for row in rows]
    assert by == [{"by": ["baby_nickname", "stage"]}, {"by": ["baby_nickname"]}, {"by": ["baby_nickname"]}]


async def test_pages_hold_every_member_once(ask: Ask) -> None:
    for _ in range(7):
        await make_member()
    operator = await make_actor(Role.OPERATOR)
    seen, after, sizes = [], None, []
    query = SEARCH.replace("node { name }", "node { id } cursor")
    while True:
        page = (await ask(operator, query, search={}, first=3, after=after)).data["members"]
        seen += [edge["node"]["id"] for edge in page["edges"]]
        sizes.append(len(page["edges"]))
        assert page["pageInfo"]["hasPreviousPage"] is (after is not None)
        after = page["pageInfo"]["endCursor"]
        assert after == page["edges"][-1]["cursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert sizes == [3, 3, 1]
    assert len(set(seen)) == 7


async def test_a_cursor_of_another_list_is_refused(ask: Ask) -> None:
    operator = await make_actor(Role.OPERATOR)
    for after in ("", "x", "bm90IGpzb24", "WyJvdGhlciIsICIxIl0", "WyJpZCsiLCAibm8gdXVpZCJd", "é" * 9):
        assert (await ask(operator, SEARCH, search={}, after=after)).codes == ["BAD_USER_INPUT"], after


async def test_first_is_from_1_to_100(ask: Ask) -> None:
    operator = await make_actor(Role.OPERATOR)
    for first in (0, -1, 101):
        assert (await ask(operator, SEARCH, search={}, first=first)).codes == ["BAD_USER_INPUT"]


MANY = 8_000
FILL = f"""
INSERT INTO households (id, source, external_id) SELECT gen_random_uuid(), 'many', i FROM generate_series(1, {MANY}) i;
INSERT INTO members (id, household_id, full_name, name_key, name_initials, source, external_id, joined_on)
SELECT gen_random_uuid(), h.id, md5(h.external_id), md5(h.external_id), left(md5(h.external_id), 3), 'many',
       h.external_id, '2017-01-01' FROM households h WHERE h.source = 'many';
INSERT INTO identities (id, member_id, kind, namespace, value, first_seen_at, last_seen_at)
SELECT gen_random_uuid(), m.id, k.kind, k.kind, lpad(m.external_id, 8, '0'), now(), now()
FROM members m, (VALUES ('PHONE'), ('CARD')) k(kind);
INSERT INTO babies (id, household_id, nickname, nickname_key, born_on, born_source, presence_source)
SELECT gen_random_uuid(), h.id, md5(h.external_id), md5(h.external_id),
       date '2011-01-01' + (h.external_id::int % 2500), 'MEMBER', 'MEMBER' FROM households h;
INSERT INTO tags (id, key, family, label_en, label_zh) SELECT gen_random_uuid(), 'tag.' || i, 'MODEL', '-', '-'
FROM generate_series(1, 200) i;
INSERT INTO member_tags (id, tag_id, member_id, source, set_at)
SELECT gen_random_uuid(), t.id, m.id, 'MODEL', now() FROM members m
JOIN tags t ON t.key = 'tag.' || (1 + m.external_id::int % 200);
ANALYZE;
"""


def _scans(node: dict[str, Any], of: str) -> list[str]:
    found = [node["Node Type"]] if node.get("Relation Name") == of else []
    return found + [kind for child in node.get("Plans", ()) for kind in _scans(child, of)]


Plan = Callable[[], Awaitable[dict[str, Any]]]


@pytest.fixture
def plan(config: ApiConfig, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """The plan of the statement that was sent last, as it is run: one for all values."""
    sent: list[tuple[str, Any]] = []

    async def noted(context: ApiContext, sql: str, parameters: Any) -> Any:
        sent.append((sql, parameters))
        assert Reads.signed_in is not None
        return await Reads.signed_in.fetchrow(sql, *parameters)

    monkeypatch.setattr("api.projection.operations.fetch", noted)

    async def planned() -> dict[str, Any]:
        sql, parameters = sent[-1]
        assert Reads.signed_in is not None
        async with Reads.signed_in.acquire() as session:
            await session.execute(f"PREPARE asked AS {sql}")
            nulls = ", ".join(["NULL"] * len(parameters))
            found = json.loads(await session.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE asked ({nulls})"))
            await session.execute("DEALLOCATE asked")
        top: dict[str, Any] = found[0]["Plan"]
        return top

    return planned


async def test_every_search_is_an_index_look_up(ask: Ask, plan: Plan) -> None:
    await connection().execute_script(FILL)

    async def scans() -> dict[str, list[str]]:
        top = await plan()
        return {table: _scans(top, table) for table in ("members", "identities", "babies", "member_tags")}

    operator = await make_actor(Role.OPERATOR)
    searches = [
        {"text": "01234"}, {"text": "1f0e3"}, {"phoneEnding": "01234"}, {"card": "01234"}, {"externalId": "1234"},
        {"name": "1f0e3"}, {"babyNickname": "1f0e3"}, {"tag": "tag.7"}, {"stage": "YEARS_3_6"},
    ]  # fmt: skip
    for search in searches:
        assert (await ask(operator, SEARCH, search=search)).data["members"]["edges"], search
        for table, kinds in (await scans()).items():
            assert "Seq Scan" not in kinds, (search, table)
    for way in ('phone: "+12125550100"', 'card: "00000001"', 'externalId: "1"'):
        await ask(operator, f"{{ member({way}) {{ id }} }}")
        for table, kinds in (await scans()).items():
            assert "Seq Scan" not in kinds, (way, table)


async def test_a_timeline_of_some_kinds_reads_no_table_of_the_others(ask: Ask, plan: Plan) -> None:
    operator, member = await make_actor(Role.OPERATOR), await make_member()
    tables = {"INTERACTION": "interactions", "ORDER": "orders", "MESSAGE": "messages"}

    async def read(narrowed: str, edges: str = "cursor") -> dict[str, int]:
        text = f"query($id: ID!) {{ member(id: $id) {{ timeline(first: 2{narrowed}) {{ edges {{ {edges} }} }} }} }}"
        assert not (await ask(operator, text, id=f"Member:{member.id}")).codes
        top = await plan()
        return {table: len(_scans(top, table)) for table in tables.values() if _scans(top, table)}

    assert (await read("")).keys() == set(tables.values())
    for kind, table in tables.items():
        assert await read(f", kinds: [{kind}]") == {table: 1}
        assert await read(f", kinds: {kind}", "node { ... on Node { id } }") == {table: 1}, "once, not again by its id"
    assert await read(", kinds: [VISIT, MESSAGE]") == {"interactions": 1, "messages": 1}
