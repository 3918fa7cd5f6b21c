"""Guardians: that a parent allows what is sensitive about a child to be kept and used. A record of its own.

Feeding, formula, packs at home and allergies are health data of a child (`HEALTH`). They are written only while a
guardian allows it, used only while she does, and emptied in the moment in which one withdraws.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from tortoise import fields
from tortoise.models import Model

from domain.database import connection
from domain.people.consents import ConsentEvidence, ConsentState
from domain.people.members import CarerRole
from domain.platform.constraints import one_of
from domain.platform.ids import new_id
from domain.platform.sources import Source

if TYPE_CHECKING:
    from domain.commerce.stores import Store
    from domain.people.babies import Baby
    from domain.people.members import Member

HEALTH: Mapping[str, str] = {
    "feeding": "'UNKNOWN'", "feeding_since": "NULL", "feeding_source": "NULL", "formula_brand": "NULL",
    "formula_stage": "NULL", "formula_stage_since": "NULL", "packs_at_home": "NULL", "packs_counted_on": "NULL",
    "allergies": "NULL",
}  # fmt: skip
"""Columns of babies that a guardian's consent gates, and what they are without it."""
NO_GUARDIANS = (CarerRole.NANNY, CarerRole.OTHER)
"""Carers who cannot allow it: the wording asks for a parent or legal guardian."""


class GuardianConsent(Model):
    """What a guardian allowed or withdrew about a child's health data. The latest word of any guardian counts."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    baby: fields.ForeignKeyRelation["Baby"] = fields.ForeignKeyField(
        "nestling.Baby", related_name="guardian_consents", on_delete=fields.CASCADE
    )
    baby_id: UUID
    member: fields.ForeignKeyNullableRelation["Member"] = fields.ForeignKeyField(
        "nestling.Member", related_name="guardian_consents", null=True, on_delete=fields.RESTRICT
    )
    member_id: UUID | None  # the guardian; none: she was erased, and the child stays with the family
    state = fields.CharEnumField(ConsentState, max_length=16)
    given_at = fields.DatetimeField()  # business clock
    source = fields.CharEnumField(Source, max_length=16)
    how = fields.CharField(max_length=64)
    text_version = fields.CharField(max_length=64)  # which wording she saw
    text_hash = fields.CharField(max_length=64)  # SHA-256 of that wording
    store: fields.ForeignKeyNullableRelation["Store"] = fields.ForeignKeyField(
        "nestling.Store", related_name="guardian_consents", null=True, on_delete=fields.SET_NULL
    )
    store_id: UUID | None
    recorded_by = fields.UUIDField(null=True)  # account

    class Meta:
        table = "guardian_consents"
        constraints = [
            one_of("guardian_consents", "state", ConsentState),
            one_of("guardian_consents", "source", Source),
        ]


@dataclass(frozen=True, slots=True)
class GuardianConsentNeeded:
    """These say something of a child's health: a guardian has to allow that they are kept."""

    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NotAGuardian:
    """A nanny or another helper cannot allow it: ask a parent or legal guardian."""


def guardian_word(baby: str) -> str:
    """SQL of the state that counts for a baby, null when nobody said anything: one look-up in an index."""
    return (
        f"(SELECT g.state FROM guardian_consents g WHERE g.baby_id = {baby} "
        "ORDER BY g.given_at DESC, g.id DESC LIMIT 1)"
    )


async def is_allowed(baby_id: UUID) -> bool:
    """Whether a child's health data may be kept and used now."""
    rows = await connection().execute_query_dict(f"SELECT {guardian_word('$1')} AS state", [baby_id])
    return bool(rows[0]["state"] == ConsentState.GRANTED)


def health_in(columns: Iterable[str], values: Mapping[str, object]) -> tuple[str, ...]:
    """Those of the columns that say something of a child's health, as they are given."""
    return tuple(name for name in columns if name in HEALTH and values[name] not in (None, "UNKNOWN"))


async def is_guardian(member_id: UUID) -> bool:
    rows = await connection().execute_query_dict(
        "SELECT carer_role FROM members WHERE id = $1 AND status <> 'ERASED'", [member_id]
    )
    return bool(rows) and CarerRole(rows[0]["carer_role"]) not in NO_GUARDIANS


async def write_guardian_consent(
    baby_id: UUID,
    member_id: UUID,
    state: ConsentState,
    evidence: ConsentEvidence,
    *,
    source: Source,
    now: datetime,
    recorded_by: UUID | None,
) -> UUID:
    """Append the row inside the caller's transaction, which holds the lock on the baby. `now`: business clock.

    A withdrawal empties the child's health data with it.
    """
    key = new_id()
    await connection().execute_query(
        "INSERT INTO guardian_consents (id, baby_id, member_id, state, given_at, source, how, text_version, text_hash, "
        "store_id, recorded_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        [
            key, baby_id, member_id, state, now, source, evidence.how, evidence.text_version,
            hashlib.sha256(evidence.text.encode()).hexdigest(), evidence.store_id, recorded_by,
        ],
    )  # fmt: skip
    if state is ConsentState.WITHDRAWN:
        emptied = ", ".join(f"{column} = {value}" for column, value in HEALTH.items())
        await connection().execute_query(
            f"UPDATE babies SET {emptied}, provenance = provenance - $2::text[], version = version + 1, "
            "updated_at = clock_timestamp() WHERE id = $1",
            [baby_id, list(HEALTH)],
        )
    return key
