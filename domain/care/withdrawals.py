"""Withdrawals: calls that must not be made any more leave every list at once."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from domain.database import connection
from domain.outreach.reasons import Reason
from domain.platform.changes import CALLBACK_LIST, announce_all
from domain.platform.sources import Purpose

HAS_BOUGHT = """
EXISTS (
    SELECT FROM orders o
    WHERE o.member_id = t.member_id AND o.ordered_at > (t.reason ->> 'known_at')::timestamptz
        AND (
            t.kind IN ('WIN_BACK', 'NEW_CUSTOMER_RETURN')
            OR t.kind = 'CAN_FINISH' AND EXISTS (
                SELECT FROM order_lines l JOIN products p ON p.id = l.product_id
                WHERE l.order_id = o.id AND p.category = t.reason ->> 'category'
            )
        )
)
"""
"""Of a row `callback_tasks t` that a care run made: what it was to bring about has happened since, on any channel."""


async def is_answered(task_id: UUID) -> bool:
    """Whether a purchase since the call was planned took its reason away."""
    rows = await connection().execute_query_dict(
        f"SELECT {HAS_BOUGHT} AS is_answered FROM callback_tasks t WHERE t.id = $1", [task_id]
    )
    return bool(rows and rows[0]["is_answered"])


async def cancel_answered(now: datetime) -> int:
    """Cancel the open calls whose members have bought since; answers how many. `now` is on the business clock.

    A call that somebody holds stays hers: she reads on it that the member has shopped.
    """
    rows = await connection().execute_query_dict(
        "UPDATE callback_tasks SET state = 'CANCELLED', release_reason = $2, closed_at = $1, version = version + 1 "
        "WHERE id IN (SELECT t.id FROM callback_tasks t WHERE t.state = 'OPEN' "
        f"AND {HAS_BOUGHT} ORDER BY t.id FOR UPDATE SKIP LOCKED) RETURNING id",
        [now, Reason.REASON_GONE.value],
    )
    await announce_all(CALLBACK_LIST, [row["id"] for row in rows])
    return len(rows)


async def cancel_calls(
    member_id: UUID,
    purposes: Collection[Purpose],
    now: datetime,
    *,
    but: UUID | None = None,
    about: UUID | None = None,
) -> list[dict[str, Any]]:
    """Cancel the member's open and leased calls for these purposes; answers the rows as they were before.

    `about`: only those about that baby.

    `now` is on the business clock. The caller holds the lock on the member, so that no two withdrawals interleave.
    """
    rows = await connection().execute_query_dict(
        "WITH doomed AS (SELECT t.id, to_jsonb(t) AS before FROM callback_tasks t WHERE t.member_id = $1 "
        "AND t.purpose = ANY($2::text[]) AND t.state IN ('OPEN', 'LEASED') AND t.id IS DISTINCT FROM $4 "
        "AND ($5::uuid IS NULL OR t.baby_id = $5) "
        "ORDER BY t.id FOR UPDATE) "
        "UPDATE callback_tasks t SET state = 'CANCELLED', lease_account_id = NULL, lease_until = NULL, closed_at = $3, "
        "version = t.version + 1 FROM doomed WHERE t.id = doomed.id RETURNING t.id, doomed.before::text AS before",
        [member_id, [purpose.value for purpose in purposes], now, but, about],
    )
    await announce_all(CALLBACK_LIST, [row["id"] for row in rows])
    return [orjson.loads(row["before"]) for row in rows]


async def cancel_calls_about(household_id: UUID, baby_id: UUID, reason: str, now: datetime) -> int:
    """Cancel the open calls to any carer about the baby, and about babies in general; answers how many.

    A call that somebody holds stays hers to log, and is offered to nobody after her: see `may_still_call`.
    """
    rows = await connection().execute_query_dict(
        "UPDATE callback_tasks t SET state = 'CANCELLED', release_reason = $3, closed_at = $4, version = t.version + 1 "
        "WHERE t.id IN (SELECT c.id FROM callback_tasks c LEFT JOIN decisions d ON d.id = c.decision_id "
        "WHERE c.member_id IN (SELECT id FROM members WHERE household_id = $1) AND c.state = 'OPEN' "
        "AND (c.baby_id = $2 OR (c.baby_id IS NULL AND (d.snapshot ->> 'is_about_babies')::bool)) "
        "ORDER BY c.id FOR UPDATE OF c) RETURNING t.id",
        [household_id, baby_id, reason, now],
    )
    await announce_all(CALLBACK_LIST, [row["id"] for row in rows])
    return len(rows)
