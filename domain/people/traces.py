"""Traces: by what a member's rows are found in every table, for what has to find all of them: erasure and export."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from domain.database import connection
from domain.people.identities import IdentityKind
from domain.people.scopes import GONE
from domain.people.tombstones import Named
from domain.platform.parameters import Parameters

SHORTEST_NAME = 6  # shorter ones stand by chance in what is not hers
TAIL = 8  # last digits of a phone, as any file writes it


@dataclass(frozen=True, slots=True)
class Traces:
    """Ids and names. Without names (a later pass) only rows that point at her are found."""

    members: Sequence[UUID]
    babies: Sequence[UUID]  # hers alone: no other carer looks after them
    externals: Sequence[str] = ()  # system and id there, joined by a blank
    values: Sequence[str] = ()  # her names in lower case, each of SHORTEST_NAME characters or more
    tails: Sequence[str] = ()  # last digits of her phones


TYPES = {"members": "uuid[]", "babies": "uuid[]", "externals": "text[]", "values": "text[]", "tails": "text[]"}

# A waiting row of a file is hers when it is about her id, or holds one of her names, whatever its column.
IN_A_FILE = (
    "((SELECT b.source FROM imports b WHERE b.id = t.batch_id) || ' ' || t.record_key = ANY(:externals) "
    "OR EXISTS (SELECT FROM jsonb_each_text(t.row_data) cell WHERE lower(btrim(cell.value)) = ANY(:values) "
    r"OR right(regexp_replace(cell.value, '\D', '', 'g'), 8) = ANY(:tails) "
    "OR (SELECT b.source FROM imports b WHERE b.id = t.batch_id) || ' ' || btrim(cell.value) = ANY(:externals) "
    "AND cell.key IN ('external_id', 'member')))"
)
IN_A_KEY = "EXISTS (SELECT FROM unnest(:values) said WHERE position(said IN lower(t.key)) > 0)"


def filled(condition: str, traces: Traces, parameters: Parameters) -> str:
    """The condition with the traces that it names (:members, :babies, ...) as parameters."""
    for name, kind in TYPES.items():
        if f":{name}" in condition:
            condition = condition.replace(f":{name}", f"{parameters(list(getattr(traces, name)))}::{kind}")
    return condition


async def traces_of(member_id: UUID) -> Traces:
    """What finds her rows now. A phone or e-mail that another member has too is in that person's rows as well."""
    members = await with_merged([member_id])
    names, babies = await names_of(member_id), await babies_of_nobody_else(members)
    rows = await connection().execute_query_dict(
        "SELECT o.value FROM identities h JOIN identities o ON o.value = h.value AND o.kind = h.kind "
        "AND o.member_id <> ALL($1::uuid[]) WHERE h.member_id = ANY($1::uuid[])",
        [members],
    )
    shared = {row["value"] for row in rows}
    own = [n for n in names if n.value not in shared and n.kind is not IdentityKind.EXTERNAL_ID]
    return Traces(
        members=members,
        babies=babies,
        externals=[f"{n.namespace} {n.value}" for n in names if n.kind is IdentityKind.EXTERNAL_ID],
        values=sorted({n.value.lower() for n in own if len(n.value) >= SHORTEST_NAME}),
        tails=sorted({n.value[-TAIL:] for n in own if n.kind is IdentityKind.PHONE}),
    )


async def with_merged(member_ids: Sequence[UUID]) -> list[UUID]:
    """These members and those who became part of them."""
    rows = await connection().execute_query_dict(
        "SELECT id FROM members WHERE merged_into_id = ANY($1::uuid[]) ORDER BY id", [list(member_ids)]
    )
    return [*member_ids, *(row["id"] for row in rows)]


async def names_of(member_id: UUID) -> list[Named]:
    """All that she is known by: her identities, and her own ids in the systems that she came from."""
    rows = await connection().execute_query_dict(
        "SELECT kind, namespace, value FROM identities WHERE member_id = ANY($1::uuid[]) "
        "UNION SELECT 'EXTERNAL_ID', source, external_id FROM members "
        "WHERE id = ANY($1::uuid[]) AND external_id <> id::text",
        [await with_merged([member_id])],
    )
    return [Named(IdentityKind(row["kind"]), row["value"], row["namespace"]) for row in rows]


async def babies_of_nobody_else(member_ids: Sequence[UUID]) -> list[UUID]:
    """Children of these members' households in which no other carer is left."""
    rows = await connection().execute_query_dict(
        "SELECT b.id FROM babies b "
        "WHERE b.household_id IN (SELECT household_id FROM members WHERE id = ANY($1::uuid[])) "
        f"AND NOT EXISTS (SELECT FROM members o WHERE o.household_id = b.household_id AND o.status NOT IN {GONE} "
        "AND o.id <> ALL($1::uuid[]))",
        [list(member_ids)],
    )
    return [row["id"] for row in rows]
