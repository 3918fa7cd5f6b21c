"""Suppressions: addresses that must not be reached any more, kept as a keyed hash so that erasure cannot lose them."""

import hmac
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from uuid import UUID

from tortoise import fields
from tortoise.migrations.constraints import UniqueConstraint
from tortoise.models import Model

from domain.database import connection
from domain.platform.constraints import one_of
from domain.platform.ids import new_id
from domain.platform.sources import Channel

if TYPE_CHECKING:
    from domain.people.members import Member


class SuppressionReason(StrEnum):
    STOP_WORD = "STOP_WORD"
    UNSUBSCRIBED = "UNSUBSCRIBED"
    BOUNCED = "BOUNCED"
    COMPLAINED = "COMPLAINED"
    DO_NOT_CALL = "DO_NOT_CALL"
    WRONG_NUMBER = "WRONG_NUMBER"
    STAFF = "STAFF"


HER_OWN_WORD = (
    SuppressionReason.STOP_WORD,
    SuppressionReason.UNSUBSCRIBED,
    SuppressionReason.COMPLAINED,
    SuppressionReason.DO_NOT_CALL,
)
"""What the person at the address said herself: stronger than what others found out about it."""


class Suppression(Model):
    id = fields.UUIDField(primary_key=True, default=new_id)
    channel = fields.CharEnumField(Channel, max_length=16)
    address_hash = fields.CharField(max_length=64)  # HMAC-SHA-256 of the normalised address
    member: fields.ForeignKeyNullableRelation["Member"] = fields.ForeignKeyField(
        "nestling.Member", related_name="suppressions", null=True, on_delete=fields.SET_NULL
    )
    member_id: UUID | None
    reason = fields.CharEnumField(SuppressionReason, max_length=16)
    since = fields.DatetimeField()  # business clock
    lifted_at = fields.DatetimeField(null=True)  # business clock

    class Meta:
        table = "suppressions"
        constraints = [
            one_of("suppressions", "channel", Channel),
            one_of("suppressions", "reason", SuppressionReason),
            UniqueConstraint(
                name="suppressions_one_in_force", fields=("channel", "address_hash"), condition="lifted_at IS NULL"
            ),
        ]


@dataclass(frozen=True, slots=True)
class Replaced:
    """A weaker suppression of the same address, as it was before a stronger reason took its row."""

    reason: SuppressionReason
    since: datetime
    member_id: UUID | None


@dataclass(frozen=True, slots=True)
class Suppressed:
    """The suppression in force for an address; when this call wrote it, taking it back needs the rest.

    `mark` names this very writing of the row: whoever suppresses the address after us changes it.
    """

    id: UUID
    is_new: bool
    mark: str
    replaced: Replaced | None = None


_key: bytes | None = None


def use_key(key: bytes) -> None:
    """Set the key of all address hashes in this process, once, from settings, before anything asks for a hash."""
    global _key  # noqa: PLW0603 - one key an installation; every process is told at its start
    _key = key


def address_hash(channel: Channel | str, address: str) -> str:
    """HMAC-SHA-256 of the normalised address, in hex. SMS and calls to one number share a hash.

    Raises RuntimeError when no key was set: to look suppressions up with a wrong hash would be to ignore them.
    """
    kind = "email" if Channel(channel) is Channel.EMAIL else "phone"
    return keyed_hash(f"{kind}:{address.strip().lower()}")


def keyed_hash(text: str) -> str:
    """HMAC-SHA-256 of the text, in hex. Raises RuntimeError when no key was set."""
    if _key is None:
        raise RuntimeError("no key for address hashes: call suppressions.use_key at start")
    return hmac.new(_key, text.encode(), "sha256").hexdigest()


async def suppress(
    channel: Channel, address: str, reason: SuppressionReason, *, member_id: UUID | None = None
) -> Suppressed:
    """From now on nothing reaches this address on this channel. Idempotent; part of the caller's transaction.

    One row an address: her own word replaces the reason that others gave before, never the other way round.
    """
    rows = await connection().execute_query_dict(
        "INSERT INTO suppressions (id, channel, address_hash, member_id, reason, since) "
        "VALUES ($1, $2, $3, $4, $5, business_now()) "
        "ON CONFLICT (channel, address_hash) WHERE lifted_at IS NULL "
        "DO UPDATE SET address_hash = excluded.address_hash "  # locks the row, and changes its mark
        "RETURNING id, xmax = 0 AS is_new, xmin::text AS mark, reason, since, member_id",
        [new_id(), channel.value, address_hash(channel, address), member_id, reason.value],
    )
    row = rows[0]
    before = SuppressionReason(row["reason"])
    if row["is_new"] or reason not in HER_OWN_WORD or before in HER_OWN_WORD:
        return Suppressed(row["id"], row["is_new"], row["mark"])
    marks = await connection().execute_query_dict(
        "UPDATE suppressions SET reason = $2, since = business_now(), member_id = coalesce($3, member_id) "
        "WHERE id = $1 RETURNING xmin::text AS mark",
        [row["id"], reason.value, member_id],
    )
    return Suppressed(row["id"], False, marks[0]["mark"], Replaced(before, row["since"], row["member_id"]))


def written(stored: dict[str, Any]) -> Suppressed:
    """A `Suppressed` out of the JSON that its dataclass became."""
    was, replaced = stored["replaced"], None
    if was is not None:
        member_id = UUID(was["member_id"]) if was["member_id"] else None
        replaced = Replaced(SuppressionReason(was["reason"]), datetime.fromisoformat(was["since"]), member_id)
    return Suppressed(UUID(stored["id"]), stored["is_new"], stored["mark"], replaced)


async def take_back(suppressed: Suppressed) -> None:
    """Undo what `suppress` wrote, unless somebody suppressed the address since: then that stands.

    A new row goes, a weaker reason that was replaced comes back. Part of the caller's transaction.
    """
    was = suppressed.replaced
    if suppressed.is_new:
        await connection().execute_query(
            "DELETE FROM suppressions WHERE id = $1 AND xmin::text = $2", [suppressed.id, suppressed.mark]
        )
    elif was is not None:
        await connection().execute_query(
            "UPDATE suppressions SET reason = $3, since = $4, member_id = $5 WHERE id = $1 AND xmin::text = $2",
            [suppressed.id, suppressed.mark, was.reason.value, was.since, was.member_id],
        )
