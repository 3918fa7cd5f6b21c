"""What providers tell us: receipts are kept once each and applied by the transition table, early ones wait."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from tortoise.transactions import in_transaction

from domain.database import connection
from domain.gateway.delivery import Inbound, Receipt
from domain.gateway.inbound import hear
from domain.gateway.messages import MessageState, announce_members, to_json
from domain.gateway.receipts import ReceiptKind
from domain.gateway.suppressions import SuppressionReason, suppress
from domain.gateway.transitions import MUST_WAIT, after_receipt
from domain.platform.ids import new_id
from domain.platform.sources import Channel
from domain.sql import statement

PARKED_FOR = timedelta(hours=72)
"""How long a receipt waits for its message; older ones are nobody's."""

ADDRESS_IS_DEAD = {
    ReceiptKind.BOUNCED: SuppressionReason.BOUNCED,
    ReceiptKind.COMPLAINED: SuppressionReason.COMPLAINED,
}


async def record(provider: str, channel: str, received: Sequence[Receipt | Inbound]) -> int:
    """Keep everything that a provider called back before it is answered. Idempotent; answers how many were new."""
    new = await record_receipts(provider, [one for one in received if isinstance(one, Receipt)])
    for one in received:
        if isinstance(one, Inbound):
            new += await hear(provider, Channel(channel), one)
    return new


async def record_receipts(provider: str, receipts: Sequence[Receipt]) -> int:
    """Keep what a provider told us and apply what can be applied, in one transaction. Answers how many were new.

    Idempotent on the provider's own event id. A receipt counts only for a message that we sent through this very
    provider; one whose message is not known yet, or is in a worker's hands, is parked.
    """
    rows = [
        {
            "id": new_id(),
            "event_key": one.event_key,
            "provider_ref": one.provider_ref,
            "client_ref": one.client_ref,
            "kind": ReceiptKind(one.kind),
            "detail": one.detail,
            "occurred_at": one.occurred_at,
        }
        for one in receipts
    ]
    if not rows:
        return 0
    async with in_transaction():
        made = await connection().execute_query_dict(statement("record_receipts"), [provider, to_json(rows)])
        await apply_receipts([row["id"] for row in made])
    return len(made)


async def apply_waiting(message_ids: Sequence[UUID]) -> int:
    """Apply receipts that came before their message's answer. Part of the caller's transaction."""
    rows = await connection().execute_query_dict(
        "SELECT r.id FROM messages m JOIN receipts r ON r.applied_at IS NULL AND r.provider = m.provider "
        "AND (r.client_ref = m.provider_key OR r.provider_ref = m.provider_ref) WHERE m.id = ANY($1)",
        [list(message_ids)],
    )
    return await apply_receipts([row["id"] for row in rows])


async def apply_parked(limit: int = 500) -> int:
    """Try parked receipts again; safe beside everything else. Those older than PARKED_FOR are left as they are."""
    async with in_transaction():
        rows = await connection().execute_query_dict(
            "SELECT r.id FROM receipts r JOIN messages m ON m.provider = r.provider "
            "AND (m.provider_key = r.client_ref OR m.provider_ref = r.provider_ref) "
            "WHERE r.applied_at IS NULL AND r.received_at > clock_timestamp() - $2::interval "
            "AND m.state NOT IN ('PLANNED', 'SENDING') ORDER BY r.received_at LIMIT $1",
            [limit, PARKED_FOR],
        )
        return await apply_receipts([row["id"] for row in rows])


async def apply_receipts(receipt_ids: Sequence[UUID]) -> int:
    """Make of each receipt's message what the transition table says, oldest word first. Part of a transaction.

    Locks the messages in the order of their ids, so that two of them never wait for each other.
    """
    if not receipt_ids:
        return 0
    rows = await connection().execute_query_dict(statement("lock_receipts"), [list(receipt_ids)])
    states = {row["message_id"]: MessageState(row["state"]) for row in rows}
    refs: dict[UUID, str | None] = {}
    reasons: dict[UUID, str] = {}  # the provider's code, or its word
    applied, moves = [], []
    for row in rows:
        message_id, before = row["message_id"], states[row["message_id"]]
        if before in MUST_WAIT:
            continue
        kind = ReceiptKind(row["kind"])
        after = after_receipt(before, kind)
        applied.append({"id": row["id"], "message_id": message_id})
        refs[message_id] = refs.get(message_id) or row["provider_ref"]
        if after is not before:
            states[message_id] = after
            reasons[message_id] = (row["detail"] or f"RECEIPT_{kind}")[:64]
            moves.append(_move(row, before, after, kind))
        if kind in ADDRESS_IS_DEAD and row["address"]:
            await suppress(Channel(row["channel"]), row["address"], ADDRESS_IS_DEAD[kind], member_id=row["member_id"])
    changed = [{"id": m, "state": states[m], "reason": reasons.get(m, ""), "provider_ref": refs[m]} for m in refs]
    await connection().execute_query(statement("apply_receipts"), [to_json(applied), to_json(changed), to_json(moves)])
    await announce_members({row["member_id"] for row in rows if row["message_id"] in refs})
    return len(applied)


def _move(row: dict[str, Any], before: MessageState, after: MessageState, kind: ReceiptKind) -> dict[str, Any]:
    return {
        "message_id": row["message_id"],
        "from_state": before,
        "to_state": after,
        "cause": f"RECEIPT_{kind}",
        "attempt": row["attempt"],
        "provider_ref": row["provider_ref"],
    }
