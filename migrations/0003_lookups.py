"""What tortoise cannot say of tables: indexes for every way that rows are looked up, and defaults for COPY."""

from tortoise import migrations
from tortoise.migrations import operations as ops

# table -> index name suffix -> definition after ON table
INDEXES: dict[str, dict[str, str]] = {
    "members": {
        "household": "(household_id)",
        "owner": "(owner_id)",
        "store": "(store_id, id)",
        "external": "(external_id)",
        "name": "(full_name text_pattern_ops)",
        "name_key": "(name_key text_pattern_ops)",
        "name_initials": "(name_initials text_pattern_ops)",
        "merged": "(merged_into_id)",
        "merged_away": "(id) WHERE merged_into_id IS NOT NULL",
    },
    "households": {
        "merged": "(merged_into_id) WHERE merged_into_id IS NOT NULL",
        "merged_away": "(id) WHERE merged_into_id IS NOT NULL",
    },
    "identities": {
        "member": "(member_id)",
        "value": "(value, kind)",
        # the last digits of a phone or card, as a caller says them
        "suffix": "(reverse(value) text_pattern_ops) WHERE kind IN ('PHONE', 'CARD')",
    },
    "identity_blocks": {"time": "(blocked_at DESC, id DESC)"},
    "merges": {"survivor": "(survivor_id, merged_at DESC, id DESC)", "absorbed": "(absorbed_id)"},
    "merge_changes": {"merge": "(merge_id, id)", "row": "(row_id, table_name)"},
    "merge_suggestions": {"other": "(other_id)", "open": "(state, confidence DESC, id)"},
    "erasures": {
        "member": "(member_id)",
        "behind": "(erased_at) WHERE erased_at IS NOT NULL AND looked_again_at IS NULL",
    },
    "erased_identities": {"erasure": "(erasure_id)"},
    "babies": {
        "household": "(household_id)",
        "born": "(born_on) WHERE stopped_at IS NULL",
        "due": "(due_on) WHERE born_on IS NULL AND stopped_at IS NULL",
        "nickname": "(nickname_key text_pattern_ops)",
    },
    "losses": {"baby": "(baby_id)"},
    "owner_assignments": {"member": "(member_id, assigned_at DESC, id DESC)"},
    "member_tags": {
        "tag": "(tag_id, member_id) WHERE removed_at IS NULL",
        "member": "(member_id)",
        "baby": "(baby_id)",
        "household": "(household_id)",
        "history": "(member_id, set_at DESC, id DESC)",
    },
    "consents": {
        "history": "(member_id, given_at DESC, id DESC)",
        "baby": "(baby_id) WHERE baby_id IS NOT NULL",
    },
    "guardian_consents": {"baby": "(baby_id, given_at DESC, id DESC)", "member": "(member_id)"},
    "stores": {"distributor": "(distributor_id)"},
    "staff": {"store": "(store_id)", "distributor": "(distributor_id)"},
    "products": {"category": "(category)", "baby_class": "(baby_class, id)", "external": "(external_id)"},
    "orders": {
        "member": "(member_id, ordered_at DESC, id DESC)",
        "time": "(ordered_at)",
        "store": "(store_id, ordered_at)",
    },
    "order_lines": {"product": "(product_id)"},
    "order_returns": {"order": "(order_id)"},
    "order_return_lines": {"return": "(order_return_id)", "line": "(order_line_id)"},
    "interactions": {
        "member": "(member_id, occurred_at DESC, id DESC)",
        "task": "(task_id) WHERE task_id IS NOT NULL",
        "baby": "(baby_id) WHERE baby_id IS NOT NULL",
    },
    "callback_tasks": {
        "member": "(member_id, created_at DESC, id DESC)",
        "baby": "(baby_id) WHERE baby_id IS NOT NULL",
        "due": "(priority DESC, id) WHERE state = 'OPEN'",
        "owner": "(owner_id, priority DESC, id) WHERE state = 'OPEN'",
        "store": "(store_id, priority DESC, id) WHERE state = 'OPEN'",
        "leases": "(lease_until) WHERE state = 'LEASED'",
        "holder": "(lease_account_id) WHERE state = 'LEASED'",
        "expiry": "(expires_at) WHERE state IN ('OPEN', 'LEASED')",
        # what became of those of a week that are not on the list any more
        "closed": "(closed_at) WHERE closed_at IS NOT NULL",
    },
    "callback_outcomes": {"task": "(task_id, attempt)", "account": "(account_id, logged_at DESC)"},
    "decisions": {"member": "(member_id, decided_at DESC)", "intent": "(intent_key)"},
    "messages": {
        "member": "(member_id, created_at DESC, id DESC)",
        "baby": "(baby_id) WHERE baby_id IS NOT NULL",
        "time": "(created_at DESC, id DESC)",
        "queued": "(channel, expires_at) WHERE state = 'QUEUED'",
        "held": "(not_before) WHERE state = 'HELD'",
        "leases": "(lease_until) WHERE state = 'SENDING'",
        "unknown": "(unknown_since) WHERE state = 'UNKNOWN'",
        "settle": "(provider, next_attempt_at) WHERE state = 'UNKNOWN'",
        "awaited": "(sent_at) WHERE state = 'ACCEPTED'",
        # calls that wait for their outcome are looked at every few seconds
        "calls": "(id) WHERE state = 'ACCEPTED' AND channel = 'CALL'",
        "provider_ref": "(provider, provider_ref)",
        "run": "(care_run_id) WHERE care_run_id IS NOT NULL",
    },
    "message_events": {"message": "(message_id, id)"},
    "outbox": {"kind": "(kind, id)"},
    "receipts": {
        "parked": "(received_at) WHERE applied_at IS NULL",
        "unapplied_ref": "(provider, provider_ref) WHERE applied_at IS NULL",
        "unapplied_key": "(client_ref) WHERE applied_at IS NULL",
        "message": "(message_id) WHERE message_id IS NOT NULL",
        "ref": "(provider, provider_ref)",
    },
    "suppressions": {"member": "(member_id)"},
    "scores": {"model": "(model_name, probability DESC)", "model_id": "(model_id)"},
    "segment_members": {"member": "(member_id)"},
    "member_facts": {"expiry": "(next_expiry) WHERE next_expiry IS NOT NULL"},
    "sessions": {"account": "(account_id)"},
    "api_tokens": {"account": "(account_id)", "member": "(member_id)"},
    "audit_entries": {"time": "(at)", "members": "USING gin (member_ids)"},
    "idempotency_keys": {"age": "(created_at)"},
    "import_issues": {"batch": "(batch_id, row_no)", "record": "(record_key) WHERE resolved_at IS NULL"},
}

# index name -> what is once
UNIQUE = {
    "losses_standing_idx": "losses (baby_id) WHERE reopened_at IS NULL",
    "segments_name_idx": "segments (name) WHERE archived_at IS NULL",
    "segments_place_idx": "segments (place) WHERE place IS NOT NULL",
    "consents_in_force_key": "consents_in_force (member_id, purpose, channel, baby_id) NULLS NOT DISTINCT",
    "import_issues_waits_once": "import_issues (row_hash, column_name, code) WHERE resolved_at IS NULL",
}

# table -> column -> default; so that COPY and psql may leave out what the ORM would fill in
DEFAULTS: dict[str, dict[str, str]] = {
    "members": {
        "status": "'ACTIVE'", "carer_role": "'UNKNOWN'", "language": "'en'", "jurisdiction": "'US'",
        "time_zone": "'UTC'", "version": "1", "created_at": "now()", "updated_at": "now()",
    },
    "households": {"created_at": "now()"},
    "identities": {"namespace": "''", "is_primary": "true", "is_synthetic": "false"},
    "identity_blocks": {"members": "0", "note": "''"},
    "babies": {
        "sex": "'UNKNOWN'", "feeding": "'UNKNOWN'", "presence_confidence": "1.0", "version": "1",
        "created_at": "now()", "updated_at": "now()",
    },
    "tags": {"description": "''"},
    "member_tags": {"evidence": "''"},
    "products": {
        "department": "''", "product_type": "''", "package_size": "''", "brand": "''", "baby_class": "'NONE'",
        "formula_class": "'NONE'",
    },
    "staff": {"is_active": "true"},
    "orders": {"received_at": "now()"},
    "order_lines": {"discount": "0"},
    "order_returns": {"received_at": "now()"},
    "interactions": {"recorded_at": "now()", "topic": "''", "note": "''", "is_synthetic": "false"},
    "callback_tasks": {
        "reason": "'{}'", "talking_points": "'[]'", "priority": "0", "state": "'OPEN'", "attempts": "0",
        "max_attempts": "3", "fence": "0", "version": "1",
    },
    "callback_outcomes": {"note": "''", "before": "'{}'"},
    "decisions": {"reasons": "'[]'", "snapshot": "'{}'"},
    "attention_slots": {"used": "0"},
    "templates": {
        "formula_class": "'NONE'", "has_reward": "false", "subject": "''", "body_html": "''", "is_active": "true",
    },
    "care_runs": {"counts": "'{}'"},
    "messages": {"params": "'{}'", "state": "'PLANNED'", "state_reason": "''", "attempt": "0"},
    "message_events": {"at": "now()", "attempt": "0"},
    "outbox": {"created_at": "now()"},
    "receipts": {"detail": "''", "received_at": "now()"},
    "scoring_models": {"features": "'[]'", "metrics": "'{}'", "calibration": "'{}'"},
    "scores": {"category": "''", "reasons": "'[]'"},
    "member_facts": {"segment_bits": "'{}'"},
    "accounts": {"language": "'en'", "is_active": "true", "is_demo": "false", "created_at": "now()"},
    "sessions": {"created_at": "now()"},
    "api_tokens": {"is_demo": "false", "created_at": "now()"},
    "audit_entries": {"at": "now()", "member_ids": "'{}'", "detail": "'{}'"},
    "idempotency_keys": {"created_at": "now()"},
    "imports": {"counts": "'{}'", "started_at": "now()"},
    "imported_rows": {"landed_at": "now()"},
    "import_issues": {"column_name": "''", "row_data": "'{}'"},
    "cron_ticks": {"started_at": "now()", "detail": "''"},
    "demo_steps": {"finished_at": "now()", "detail": "'{}'"},
}  # fmt: skip


def _statements() -> list[tuple[str, str]]:
    """(forward, reverse) of every index and default."""
    indexes = [
        (f"CREATE INDEX {table}_{name}_idx ON {table} {definition}", f"DROP INDEX {table}_{name}_idx")
        for table, names in INDEXES.items()
        for name, definition in names.items()
    ]
    unique = [(f"CREATE UNIQUE INDEX {name} ON {what}", f"DROP INDEX {name}") for name, what in UNIQUE.items()]
    defaults = [
        (
            f"ALTER TABLE {table} ALTER COLUMN {column} SET DEFAULT {value}",
            f"ALTER TABLE {table} ALTER COLUMN {column} DROP DEFAULT",
        )
        for table, columns in DEFAULTS.items()
        for column, value in columns.items()
    ]
    return indexes + unique + defaults


class Migration(migrations.Migration):
    dependencies = [("nestling", "0002_rules")]

    # One operation, not two hundred: tortoise copies the state of all tables for each.
    operations = [
        ops.RunSQL(
            ";\n".join(forward for forward, _ in _statements()),
            reverse_sql=";\n".join(reverse for _, reverse in _statements()),
        ),
    ]
