"""An export holds everything: every table that leads to a member, every column, and nobody else's."""

import json
from datetime import UTC, datetime
from typing import Any

from domain.database import connection
from domain.gateway.suppressions import SuppressionReason, suppress
from domain.outreach.decisions import AttentionSlot
from domain.people import erasures, exports, merge_suggestions, merges
from domain.people.exports import SECTIONS, ExportTooLarge, MemberExported, export
from domain.people.failures import MemberNotFound
from domain.people.members import Member
from domain.platform.failures import NotPermitted, ValidationError
from domain.platform.imports import Import
from domain.platform.roles import Role
from domain.platform.sources import Channel
from domain.platform.tokens import issue_member_token
from tests import factories as make
from tests.api.one_of_each import CARD, EMAIL, NAME, NICKNAME, PHONE, TAG, one_of_each

ROOTS = {"members", "households", "babies"}


async def leads_to_a_member() -> set[str]:
    """Tables that point at a member, household or baby, or at a row of such a table; and those that list members."""
    rows = await connection().execute_query_dict(
        "WITH RECURSIVE points AS (SELECT conrelid::regclass::text AS t, confrelid::regclass::text AS at "
        "FROM pg_constraint WHERE contype = 'f'), reached AS (SELECT unnest($1::text[]) AS t "
        "UNION SELECT p.t FROM points p JOIN reached r ON r.t = p.at) SELECT t FROM reached "
        "UNION SELECT c.table_name FROM information_schema.columns c JOIN information_schema.tables b "
        "USING (table_schema, table_name) WHERE c.table_schema = 'public' AND b.table_type = 'BASE TABLE' "
        "AND c.column_name IN ('member_id', 'member_ids', 'household_id', 'baby_id')",
        [sorted(ROOTS)],
    )
    return {row["t"] for row in rows}


async def test_every_table_that_leads_to_a_member_is_in_the_export(db: str) -> None:
    exported = {section.table for section in SECTIONS.values()}
    missing = await leads_to_a_member() - exported
    assert missing == set(), "give these tables a section in domain/people/exports.py"
    columns = await connection().execute_query_dict(
        "SELECT table_name AS t, column_name AS c FROM information_schema.columns WHERE table_schema = 'public'"
    )
    known = {(row["t"], row["c"]) for row in columns}
    omitted = {(section.table, column) for section in SECTIONS.values() for column in section.omits}
    assert omitted - known == set()
    assert all(why for section in SECTIONS.values() for why in section.omits.values())


async def exported(member: Member) -> dict[str, Any]:
    answer = await export(make.member_actor(member), member.id)
    assert isinstance(answer, MemberExported)
    document: dict[str, Any] = json.loads(answer.document)
    return document


async def test_everything_about_her_and_nothing_about_anybody_else(db: str) -> None:
    world = await one_of_each()
    hers: Member = world.rows["Member"]
    granny = await make.make_member(household_id=hers.household_id, full_name="Granny Secret", phone="+12125550155")
    await make.make_identity(granny, "PHONE", PHONE, is_primary=False)  # type: ignore[arg-type]
    stranger = await make.make_member(full_name="Ann Stranger", phone="+12125550166")
    await make.make_order(stranger, make.NOON, total="77.77")
    await suppress(Channel.EMAIL, EMAIL, SuppressionReason.BOUNCED, member_id=hers.id)
    await issue_member_token(hers.id)
    await erasures.ask(make.member_actor(hers), hers.id)
    await fill_the_rest(hers)
    operator, same = await make.make_actor(Role.OPERATOR), await make.make_member(full_name="Mia Twice")
    await merge_suggestions.decide(operator, hers.id, stranger.id, is_apart=True)
    assert isinstance(await merges.merge(operator, hers.id, same.id), merges.MembersMerged)
    document = await exported(hers)
    empty = [name for name in SECTIONS if not document[name] and name not in {"losses", "erased_identities"}]
    assert empty == ["order_return_lines"], "the world has one of each but of these"
    text = json.dumps(document)
    told = (NAME, NICKNAME, PHONE, CARD, EMAIL, TAG, "Nuts", "Softly.", "Sleeps well.", "Dear Mia", "It rang.",
            "Night diapers", "Mia Twice", "Main Street", "store_form", "She is quick")  # fmt: skip
    assert [word for word in told if word not in text] == []
    assert [word for word in ("Granny", "5550155", "Stranger", "5550166", "77.77") if word in text] == []
    assert (document["household"][0]["carers"], document["orders"][0]["total"]) == (2, 12.5)
    assert document["format"] == "nestling-member-1"
    for section in SECTIONS:
        for row in document[section]:
            columns = await connection().execute_query_dict(
                "SELECT column_name AS c FROM information_schema.columns WHERE table_name = $1",
                [SECTIONS[section].table],
            )
            assert {r["c"] for r in columns} - set(row) == set(SECTIONS[section].omits)


async def fill_the_rest(hers: Member) -> None:
    """A touch counted, and what came by files, waiting and landed."""
    await AttentionSlot.create(member_id=hers.id, window_kind="WEEK", window_start=make.NOON.date(), used=1)
    batch = await Import.create(kind="members", source="crm", file_name="f", file_hash="-", state="DONE")
    await connection().execute_query(
        "INSERT INTO import_issues (batch_id, row_no, record_key, row_hash, code, message, row_data) "
        """VALUES ($1, 1, $2, '-', 'x', 'y', '{"note": "She is quick"}')""",
        [batch.id, hers.external_id],
    )
    await connection().execute_query(
        "INSERT INTO imported_rows (kind, source, external_id, payload_hash, landed_at) "
        "VALUES ($1, 'crm', $2, '-', $3)",
        ["members", hers.external_id, datetime(2017, 1, 1, tzinfo=UTC)],
    )
    await connection().execute_query(
        "INSERT INTO audit_entries (actor_role, action, member_ids) VALUES ('OPERATOR', 'looked', $1)", [[hers.id]]
    )


async def test_who_may_and_that_it_is_written_down(db: str) -> None:
    hers, operator = await make.make_member(), await make.make_actor(Role.OPERATOR)
    sister = await make.make_member(household_id=hers.household_id)
    for role in set(Role) - {Role.OPERATOR, Role.MEMBER, Role.FRONTEND}:
        assert isinstance(await export(await make.make_actor(role), hers.id), NotPermitted)
    assert isinstance(await export(make.member_actor(sister), hers.id), MemberNotFound)
    assert isinstance(await export(operator, make.any_id()), MemberNotFound)
    wrong = await export(operator, hers.id, ["orders", "secrets"])
    assert isinstance(wrong, ValidationError)
    assert "'secrets'" in wrong.errors[0].message
    part = await export(operator, hers.id, ["orders", "member"])
    assert isinstance(part, MemberExported)
    assert list(json.loads(part.document)) == ["format", "exported_at", "member", "orders"]
    assert isinstance(await export(operator, hers.id, most_bytes=100), ExportTooLarge)
    rows = await connection().execute_query_dict(
        "SELECT actor_id, member_ids, detail->>'sections' AS said FROM audit_entries WHERE action = 'export_member'"
    )
    assert [(row["actor_id"], row["member_ids"], row["said"]) for row in rows] == [
        (operator.id, [hers.id], '["member", "orders"]')
    ]
    assert exports.MOST_BYTES < 2**21
