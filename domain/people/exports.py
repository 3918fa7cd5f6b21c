"""Exports: everything about one member as one JSON document, complete against the tables, for her and for operators.

A section is a table; its rows stand in it with every column but those that `omits` gives a reason for. A test follows
the foreign keys through PostgreSQL's catalogue and fails when a table that leads to a member is in no section.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from tortoise.transactions import in_transaction

from domain.database import connection
from domain.people.failures import MemberNotFound
from domain.people.scopes import GONE, is_in_scope
from domain.people.traces import IN_A_FILE, Traces, filled, traces_of
from domain.platform.actors import Actor
from domain.platform.clock import real_now
from domain.platform.failures import NotPermitted, ValidationError
from domain.platform.parameters import Parameters
from domain.platform.roles import Permission

FORMAT = "nestling-member-1"
MOST_BYTES = 1_500_000  # of one answer over the API; the command line writes whatever there is


@dataclass(frozen=True, slots=True)
class Section:
    """The rows `t` of a table that are hers. `whose` may name the traces; :babies are all of her household's."""

    table: str
    whose: str
    order: str = "t.id"
    omits: Mapping[str, str] = field(default_factory=dict)  # column -> why it is not hers to have
    adds: Mapping[str, str] = field(default_factory=dict)  # word -> SQL over the row t: what ids stand for


HERS = "t.member_id = ANY(:members)"
ORDERS = "(SELECT o.id FROM orders o WHERE o.member_id = ANY(:members))"
KEY = "derived from the name, for search"
SECRET = "a hash of a secret, of no use to her"  # noqa: S105 - a reason, not a secret
STORE = {"store": "(SELECT s.name FROM stores s WHERE s.id = t.store_id)"}

SECTIONS: dict[str, Section] = {
    "member": Section("members", "t.id = ANY(:members)", omits={"name_key": KEY, "name_initials": KEY}, adds=STORE),
    "household": Section(
        "households", "t.id IN (SELECT m.household_id FROM members m WHERE m.id = ANY(:members))",
        adds={"carers": f"(SELECT count(*) FROM members m WHERE m.household_id = t.id AND m.status NOT IN {GONE})"},
    ),
    "babies": Section("babies", "t.id = ANY(:babies)", omits={"nickname_key": KEY}),
    "care_ahead": Section("care_ahead", "t.baby_id = ANY(:babies)", "t.baby_id"),
    "losses": Section("losses", "t.baby_id = ANY(:babies)"),
    "identities": Section("identities", HERS),
    "consents": Section("consents", HERS, "t.given_at, t.id", adds=STORE),
    "consents_in_force": Section("consents_in_force", HERS, "t.given_at, t.consent_id"),
    "guardian_consents": Section(
        "guardian_consents", f"({HERS} OR t.baby_id = ANY(:babies))", "t.given_at, t.id", adds=STORE
    ),
    "tags": Section(
        "member_tags",
        f"({HERS} OR t.baby_id = ANY(:babies) "
        "OR t.household_id IN (SELECT m.household_id FROM members m WHERE m.id = ANY(:members)))",
        "t.set_at, t.id",
        adds={
            "key": "(SELECT g.key FROM tags g WHERE g.id = t.tag_id)",
            "label": "(SELECT g.label_en FROM tags g WHERE g.id = t.tag_id)",
            "label_zh": "(SELECT g.label_zh FROM tags g WHERE g.id = t.tag_id)",
        },
    ),
    "scores": Section("scores", HERS),
    "orders": Section(
        "orders", HERS, "t.ordered_at, t.id", {"payload_hash": "says whether the till repeats itself"}, STORE
    ),
    "order_lines": Section(
        "order_lines", f"t.order_id IN {ORDERS}",
        adds={"product": "(SELECT p.name FROM products p WHERE p.id = t.product_id)"},
    ),
    "order_returns": Section(
        "order_returns", f"t.order_id IN {ORDERS}", "t.returned_at, t.id",
        {"payload_hash": "says whether the till repeats itself"},
    ),
    "order_return_lines": Section(
        "order_return_lines", f"t.order_return_id IN (SELECT r.id FROM order_returns r WHERE r.order_id IN {ORDERS})"
    ),
    "interactions": Section("interactions", HERS, "t.occurred_at, t.id", adds=STORE),
    "owners": Section("owner_assignments", HERS, "t.assigned_at, t.id"),
    "questions": Section(
        "questions", "t.interaction_id IN (SELECT i.id FROM interactions i WHERE i.member_id = ANY(:members))",
        "t.asked_at, t.id",
    ),
    "messages": Section("messages", HERS, "t.created_at, t.id", {"lease_owner": "a worker's own name"}),
    "message_events": Section(
        "message_events", "t.message_id IN (SELECT m.id FROM messages m WHERE m.member_id = ANY(:members))"
    ),
    "decisions": Section("decisions", HERS, "t.decided_at, t.id"),
    "attention": Section("attention_slots", HERS),
    "calls": Section("callback_tasks", HERS, "t.created_at, t.id", adds=STORE),
    "call_outcomes": Section(
        "callback_outcomes", "t.task_id IN (SELECT c.id FROM callback_tasks c WHERE c.member_id = ANY(:members))",
        "t.logged_at, t.id", {"before": "a copy of rows that stand in this document, for taking back"},
    ),
    "suppressions": Section("suppressions", HERS, "t.since, t.id", {"address_hash": "a keyed hash of her address"}),
    "tokens": Section("api_tokens", HERS, omits={"token_hash": SECRET}),
    "erasures": Section("erasures", HERS, "t.asked_at, t.id", {"key_hash": SECRET}),
    "erased_identities": Section(
        "erased_identities", "t.erasure_id IN (SELECT e.id FROM erasures e WHERE e.member_id = ANY(:members))",
        omits={"identity_hash": "a keyed hash"},
    ),
    "facts": Section("member_facts", HERS, "t.member_id", {"segment_bits": "numbers of the segments told below"}),
    "segments": Section(
        "segment_members", f"t.segment_id IN (SELECT g.id FROM segments g) AND {HERS}",
        adds={"segment": "(SELECT s.name FROM segments s WHERE s.id = t.segment_id)"},
    ),
    "facts_waiting": Section("member_changes", HERS),
    "merges": Section(
        "merges", "(t.survivor_id = ANY(:members) OR t.absorbed_id = ANY(:members))", "t.merged_at, t.id"
    ),
    "merge_changes": Section(
        "merge_changes", "t.merge_id IN (SELECT g.id FROM merges g WHERE g.survivor_id = ANY(:members))",
        omits={
            "before": "a copy of rows that stand in this document, for taking back",
            "after": "a copy of rows that stand in this document, for taking back",
        },
    ),
    "merge_suggestions": Section(
        "merge_suggestions", "(t.one_id = ANY(:members) OR t.other_id = ANY(:members))", "t.suggested_at, t.id",
        {"one_id": "may be somebody else", "other_id": "may be somebody else"},
    ),
    "duplicates_waiting": Section("duplicate_looks", HERS),
    "files_waiting": Section("import_issues", IN_A_FILE, omits={"row_hash": "says whether a row waits already"}),
    "files": Section("imported_rows", "t.source || ' ' || t.external_id = ANY(:externals)"),
    "audit": Section("audit_entries", "t.member_ids && :members", omits={"member_ids": "others may stand beside her"}),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class MemberExported:
    """`document` is JSON: format, exported_at, and a list of rows for each section."""

    member_id: UUID
    document: str
    exported_at: datetime  # real clock


@dataclass(frozen=True, slots=True)
class ExportTooLarge:
    """It does not fit into one answer: ask for fewer sections, or have it written by `nestling member export`."""

    bytes: int
    limit: int


async def export(
    actor: Actor, member_id: UUID, sections: Collection[str] = (), *, most_bytes: int | None = None
) -> MemberExported | ExportTooLarge | MemberNotFound | NotPermitted | ValidationError:
    """All that is known of her and her babies, of one moment; an audit row is written in the same transaction.

    The member herself, or an operator. `sections`: none means all. Other carers are counted, never told.
    """
    if not actor.may(Permission.EXPORT_MEMBERS):
        return NotPermitted(Permission.EXPORT_MEMBERS)
    unknown = sorted(set(sections) - set(SECTIONS))
    if unknown:
        return ValidationError.of(
            "sections", f"There is no {unknown[0][:40]!r}. Sections: {', '.join(SECTIONS)}.",
            f"没有{unknown[0][:40]!r}。可选：{'、'.join(SECTIONS)}。",
        )  # fmt: skip
    wanted = [name for name in SECTIONS if not sections or name in sections]
    async with in_transaction():
        # REPEATABLE READ would be one more round; her row locked is enough for what hangs on it to stand still.
        if actor.member_id not in (None, member_id) or not await is_in_scope(actor, member_id, for_update=True):
            return MemberNotFound()
        at = real_now()
        document = await _document(member_id, wanted, at)
        size = len(document.encode())
        if most_bytes is not None and size > most_bytes:
            return ExportTooLarge(size, most_bytes)
        await connection().execute_query(
            "INSERT INTO audit_entries (actor_id, actor_role, action, member_ids, detail) "
            "VALUES ($1, $2, 'export_member', $3, jsonb_build_object('sections', $4::text[]))",
            [actor.id, actor.role.value, [member_id], wanted],
        )
    return MemberExported(member_id, document, at)


async def _document(member_id: UUID, wanted: Collection[str], at: datetime) -> str:
    """One statement for all sections."""
    hers = await traces_of(member_id)
    babies = await connection().execute_query_dict(
        "SELECT b.id FROM babies b JOIN members m ON m.household_id = b.household_id WHERE m.id = $1 ORDER BY b.id",
        [member_id],
    )
    traces = Traces(hers.members, [row["id"] for row in babies], hers.externals, hers.values, hers.tails)
    parameters = Parameters()
    parts = [f"'format', '{FORMAT}'", f"'exported_at', {parameters(at)}::timestamptz"]
    for name in wanted:
        section = SECTIONS[name]
        row = f"to_jsonb(t) - {_texts(section.omits)}"
        if section.adds:
            pairs = ", ".join(f"'{word}', {sql}" for word, sql in section.adds.items())
            row += f" || jsonb_build_object({pairs})"
        rows = (
            f"SELECT jsonb_agg({row} ORDER BY {section.order}) FROM {section.table} t "
            f"WHERE {filled(section.whose, traces, parameters)}"
        )
        parts.append(f"'{name}', coalesce(({rows}), '[]')")
    found = await connection().execute_query_dict(
        f"SELECT json_build_object({', '.join(parts)})::text AS d", parameters
    )
    return str(found[0]["d"])


def _texts(names: Collection[str]) -> str:
    return f"ARRAY[{', '.join(repr(name) for name in names)}]::text[]"
