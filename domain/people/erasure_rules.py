"""What erasure does to every table: the one place that says so. A test holds it against PostgreSQL's catalogue.

A table or a text column that this registry does not know fails `tests/domain/people/test_erasures.py`, whoever adds
it: somebody has to say what becomes of it when a person goes. Rules run in the order in which they stand here, rows
that point at others first; each may run again and then changes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from domain.database import connection
from domain.people.traces import IN_A_FILE, IN_A_KEY, Traces, filled
from domain.platform.parameters import Parameters


class Deed(StrEnum):
    DELETE = "DELETE"  # her rows go
    CHANGE = "CHANGE"  # her rows stay without what speaks of her
    KEEP = "KEEP"  # nothing in it speaks of a member


@dataclass(frozen=True, slots=True)
class Rule:
    """What happens to a table's rows where `whose` holds; `t` is the row.

    `whose` may name the traces (:members, :babies, :externals, :values, :tails). `keeps` are the columns
    of text and JSON that stay, of which `why` says that they speak of nobody.
    """

    deed: Deed
    whose: str = ""
    sets: Mapping[str, str] = field(default_factory=dict)  # column -> SQL over the row t
    keeps: tuple[str, ...] = ()
    why: str = ""


HERS = "t.member_id = ANY(:members)"
THEIRS = "t.baby_id = ANY(:babies)"

# What a decision looked at, without whom it looked at: the messages that may still be unsettled are decided by it anew.
BARE_SNAPSHOT = (
    """t.snapshot || jsonb_build_object('children', '[]'::jsonb, 'zones', '["UTC"]'::jsonb, 'baby_id', NULL, """
    "'intent_key', 'erased:' || t.id, 'jurisdiction', 'US', 'status', 'ERASED')"
)
AUDITED = ("by", "kind", "token", "withdrawn", "reason", "reference", "erasure", "version", "sections", "consent")
"""What a line of the audit may say of somebody who was erased: codes and ids."""
ONLY_CODES = (
    "(SELECT coalesce(jsonb_object_agg(said.key, said.value), '{}') FROM jsonb_each(t.detail) said "
    f"WHERE said.key IN ({', '.join(repr(key) for key in AUDITED)}))"
)
MERGED = "(t.survivor_id = ANY(:members) OR t.absorbed_id = ANY(:members))"
RULES: dict[str, Rule] = {
    "merge_changes": Rule(
        Deed.DELETE, f"t.merge_id IN (SELECT t.id FROM merges t WHERE {MERGED})", keeps=("table_name", "row_id"),
        why="Copies of her rows, for taking a merge back: who is erased is never taken apart again.",
    ),
    "merges": Rule(Deed.DELETE, MERGED),
    "merge_suggestions": Rule(Deed.DELETE, "(t.one_id = ANY(:members) OR t.other_id = ANY(:members))"),
    "duplicate_looks": Rule(Deed.DELETE, HERS),
    "segment_members": Rule(Deed.DELETE, f"t.segment_id IN (SELECT g.id FROM segments g) AND {HERS}"),
    "member_facts": Rule(Deed.DELETE, HERS),
    "member_changes": Rule(Deed.DELETE, HERS),  # and what follows here notes her anew, for the next look at segments
    "segments": Rule(Deed.KEEP, keeps=("name", "description", "rule", "needs"), why="Rules over many, of nobody."),
    "member_zones": Rule(Deed.KEEP, keeps=("time_zone",), why="Of places."),
    "identity_blocks": Rule(Deed.DELETE, "lower(t.value) = ANY(:values)"),
    "identities": Rule(Deed.DELETE, HERS),
    "consents": Rule(Deed.DELETE, HERS),
    "consents_in_force": Rule(Deed.DELETE, HERS),
    "guardian_consents": Rule(
        Deed.CHANGE, HERS, {"member_id": "NULL", "how": "''"}, ("text_version", "text_hash"),
        "Our wording: what was allowed for a child who stays with the family; with one who goes it goes (CASCADE).",
    ),
    "member_tags": Rule(
        Deed.DELETE,
        f"({HERS} OR {THEIRS} "
        "OR t.household_id IN (SELECT m.household_id FROM members m WHERE m.id = ANY(:members)))",
    ),
    "scores": Rule(Deed.DELETE, HERS),
    "attention_slots": Rule(Deed.DELETE, HERS),
    "api_tokens": Rule(Deed.DELETE, HERS),
    "suppressions": Rule(
        Deed.CHANGE, HERS, {"member_id": "NULL"}, ("address_hash",),
        "A keyed hash: that an address must not be reached outlives her who said so.",
    ),
    "callback_outcomes": Rule(
        Deed.CHANGE, "t.task_id IN (SELECT c.id FROM callback_tasks c WHERE c.member_id = ANY(:members))",
        {"note": "''", "before": "'{}'"}, ("next_step",), "Codes of what the attempt made of the task.",
    ),
    "callback_tasks": Rule(
        Deed.CHANGE, HERS,
        {
            "intent_key": "'erased:' || t.id", "reason": "'{}'", "talking_points": "'[]'", "release_reason": "NULL",
            "baby_id": "NULL", "owner_id": "NULL",
        },
        ("reason_code",), "A code.",
    ),
    "owner_assignments": Rule(Deed.DELETE, HERS),
    "questions": Rule(
        Deed.DELETE, f"t.interaction_id IN (SELECT i.id FROM interactions i WHERE {HERS.replace('t.', 'i.')})"
    ),
    "interactions": Rule(
        Deed.CHANGE, HERS,
        {
            "topic": "''", "note": "''", "mood": "NULL", "promise": "''", "baby_id": "NULL",
            "external_id": "t.id::text",
        },
        ("source",), "The system in which somebody wrote; that there was a touch is the staff's work.",
    ),
    "messages": Rule(
        Deed.CHANGE, HERS,
        {
            "intent_key": "'erased:' || t.id", "params": "'{}'", "address": "NULL", "subject": "NULL", "body": "NULL",
            "body_html": "NULL", "baby_id": "NULL",
        },
        (
            "template_key", "language", "state_reason", "provider", "provider_ref", "lease_owner",
        ),
        "Codes, and the provider's number of the message, by which its receipts are settled.",
    ),
    "message_events": Rule(
        Deed.KEEP, keeps=("from_state", "to_state", "cause", "provider_ref"), why="States, codes, provider's numbers.",
    ),
    "decisions": Rule(
        Deed.CHANGE, HERS, {"intent_key": "'erased:' || t.id", "snapshot": BARE_SNAPSHOT},
        ("primary_reason", "reasons", "rules_version"), "Codes: that it was decided before it was sent stays true.",
    ),
    "orders": Rule(
        Deed.CHANGE, HERS, {"member_id": "NULL"}, ("source", "external_id", "currency", "payload_hash"),
        "The receipt's number at its till: a sale to nobody we know. The same receipt again is still the same.",
    ),
    "order_lines": Rule(Deed.KEEP, why="Products and money."),
    "order_returns": Rule(
        Deed.KEEP, keeps=("source", "external_id", "payload_hash"), why="A receipt's number at its till."
    ),
    "order_return_lines": Rule(Deed.KEEP, why="Products and money."),
    "losses": Rule(
        Deed.DELETE, THEIRS, keeps=("actor_role", "withdrawn", "reopen_reason"), why="Goes with the baby it is about."
    ),
    "care_ahead": Rule(Deed.DELETE, THEIRS, keeps=("told",), why="Codes of schedules; goes with the baby."),
    "babies": Rule(Deed.DELETE, "t.id = ANY(:babies)"),
    "imported_rows": Rule(Deed.DELETE, "t.source || ' ' || t.external_id = ANY(:externals)"),
    "import_issues": Rule(
        Deed.CHANGE, IN_A_FILE,
        {"row_data": "'{}'", "record_key": "''", "resolved_at": "coalesce(t.resolved_at, clock_timestamp())"},
        ("row_hash", "column_name", "code", "message"), "Codes, and messages that repeat no content.",
    ),
    "idempotency_keys": Rule(
        Deed.DELETE, IN_A_KEY,
        keeps=("key", "operation", "request_hash", "answer"),
        why="The caller's own key, hashes and ids; gone after two days. One that names her goes at once.",
    ),
    "audit_entries": Rule(
        Deed.CHANGE, "t.member_ids && :members", {"detail": ONLY_CODES},
        ("actor_role", "action", "operation_hash", "member_ids"), "Who looked at whom: ids of nobody now.",
    ),
    "households": Rule(
        Deed.CHANGE, "t.id IN (SELECT m.household_id FROM members m WHERE m.id = ANY(:members))",
        {"source": "'erased'", "external_id": "t.id::text"},
    ),
    "members": Rule(
        Deed.CHANGE, "t.id = ANY(:members)",
        {
            "status": "'ERASED'", "carer_role": "'UNKNOWN'", "full_name": "NULL", "name_source": "NULL",
            "name_key": "NULL", "name_initials": "NULL", "language": "'en'", "jurisdiction": "'US'",
            "time_zone": "'UTC'", "owner_id": "NULL", "store_id": "NULL", "source": "'erased'",
            "external_id": "t.id::text", "handling_note": "NULL", "merged_into_id": "NULL",
            "provenance": "NULL",
        },
        ("joined_channel", "joined_campaign"), "Our campaign: how many it brought stays countable.",
    ),
    "erasures": Rule(
        Deed.KEEP, keeps=("actor_role", "reason", "reference", "key_hash", "counts"),
        why="Who asked for it and what went: the proof that it was done. A reference that names her is refused.",
    ),
    "erased_identities": Rule(Deed.KEEP, keeps=("identity_hash",), why="Keyed hashes: nothing brings her back."),
    "receipts": Rule(
        Deed.KEEP, keeps=("provider", "event_key", "provider_ref", "detail"), why="Providers' numbers and codes."
    ),
    "outbox": Rule(Deed.KEEP, keeps=("kind",), why="Ids."),
    "tags": Rule(
        Deed.KEEP, keeps=("key", "family", "label_en", "label_zh", "description"), why="The catalogue, of nobody."
    ),
    "distributors": Rule(Deed.KEEP, keeps=("name",), why="Of firms."),
    "stores": Rule(Deed.KEEP, keeps=("source", "external_id", "name", "time_zone", "phone"), why="Of shops."),
    "staff": Rule(Deed.KEEP, keeps=("source", "external_id", "name"), why="Of people who work here."),
    "products": Rule(
        Deed.KEEP,
        keeps=(
            "source", "external_id", "name", "department", "category", "product_type", "package_size", "brand",
        ),
        why="Of goods.",
    ),
    "templates": Rule(
        Deed.KEEP, keeps=("key", "language", "subject", "body", "body_html"), why="Wordings with gaps for names."
    ),
    "care_runs": Rule(Deed.KEEP, keeps=("counts",), why="Numbers."),
    "scoring_models": Rule(
        Deed.KEEP,
        keeps=(
            "name", "version", "family", "features", "feature_hash", "data_hash", "metrics", "calibration", "artifact",
        ),
        why="Trees over numbers of many members; names of products' categories, none of people.",
    ),
    "accounts": Rule(Deed.KEEP, keeps=("login", "password_hash", "language"), why="Of people who work here."),
    "sessions": Rule(Deed.KEEP, keeps=("token_hash",), why="Of people who work here."),
    "imports": Rule(
        Deed.KEEP, keeps=("kind", "source", "file_name", "file_hash", "state", "counts"), why="Files and numbers."
    ),
    "clock_offsets": Rule(Deed.KEEP, keeps=("name",), why="One row."),
    "cron_ticks": Rule(Deed.KEEP, keeps=("job", "state", "lease_owner", "detail"), why="Of jobs."),
    "demo_steps": Rule(Deed.KEEP, keeps=("name", "detail"), why="Of the demo."),
}  # fmt: skip


async def apply_rules(traces: Traces) -> dict[str, int]:
    """Do what every rule says, inside the caller's transaction; answers how many rows of which table. Idempotent."""
    done = {}
    for table, rule in RULES.items():
        if rule.deed is Deed.KEEP:
            continue
        parameters = Parameters()
        whose = filled(rule.whose, traces, parameters)
        if rule.deed is Deed.DELETE:
            sql = f"DELETE FROM {table} t WHERE {whose}"
        else:
            changes = ", ".join(f"{column} = {value}" for column, value in rule.sets.items())
            sql = f"UPDATE {table} t SET {changes} WHERE {whose}"
        rows = await connection().execute_query_dict(
            f"WITH d AS ({sql} RETURNING 1) SELECT count(*) n FROM d", parameters
        )
        done[table] = int(rows[0]["n"])
    return done
