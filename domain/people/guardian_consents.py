"""Guardian consents: a parent says, or takes back, that a child's health data may be kept."""

from dataclasses import dataclass
from uuid import UUID

from tortoise.transactions import in_transaction

from domain.database import connection
from domain.people.babies import announce_family, lock_baby
from domain.people.consents import ConsentEvidence, ConsentState
from domain.people.failures import BabyNotFound
from domain.people.guardians import NotAGuardian, is_guardian, write_guardian_consent
from domain.people.provenance import said_by
from domain.platform.actors import Actor
from domain.platform.clock import business_now
from domain.platform.failures import NotPermitted, ValidationError
from domain.platform.roles import Permission


@dataclass(frozen=True, slots=True)
class GuardianConsentRecorded:
    consent_id: UUID
    baby_id: UUID
    state: ConsentState


async def record(
    actor: Actor, baby_id: UUID, guardian_id: UUID, state: ConsentState, evidence: ConsentEvidence
) -> GuardianConsentRecorded | BabyNotFound | NotAGuardian | NotPermitted | ValidationError:
    """Record what a guardian of the child's household says of her health data; it binds from now.

    A member speaks for herself. Giving needs the wording; withdrawing needs none, and empties what was kept.
    """
    if not actor.may(Permission.WRITE_CONSENTS):
        return NotPermitted(Permission.WRITE_CONSENTS)
    flaw = evidence.flaw(state)
    if flaw is not None:
        return flaw
    async with in_transaction():
        baby = await lock_baby(actor, baby_id)
        if baby is None or actor.member_id not in (None, guardian_id):
            return BabyNotFound()
        in_family = await connection().execute_query_dict(
            "SELECT 1 FROM members WHERE id = $1 AND household_id = $2 AND status <> 'ERASED'",
            [guardian_id, baby["household_id"]],
        )
        if not in_family:
            return BabyNotFound()
        if not await is_guardian(guardian_id):
            return NotAGuardian()
        consent_id = await write_guardian_consent(
            baby_id, guardian_id, state, evidence, source=said_by(actor), now=await business_now(),
            recorded_by=actor.account_id,
        )  # fmt: skip
        await announce_family(baby["household_id"])
    return GuardianConsentRecorded(consent_id, baby_id, state)
