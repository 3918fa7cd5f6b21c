"""Members: the carers of a family, one row a person."""

from dataclasses import dataclass
from dataclasses import fields as fields_of
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Any
from uuid import UUID

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model
from tortoise.transactions import in_transaction

from domain.database import connection
from domain.people.failures import MemberNotFound
from domain.people.names import name_initials, name_key
from domain.people.places import canonical_language, place_flaws
from domain.people.provenance import MEMBER_FIELDS, said_by, telling
from domain.people.scopes import is_in_scope
from domain.platform.actors import Actor
from domain.platform.changes import MEMBER_TIMELINE, announce
from domain.platform.clock import real_now
from domain.platform.constraints import one_of
from domain.platform.failures import FieldError, NotPermitted, ValidationError, VersionConflict
from domain.platform.ids import new_id
from domain.platform.parameters import Parameters
from domain.platform.roles import Permission
from domain.platform.sources import Channel, Source

if TYPE_CHECKING:
    from domain.commerce.staff import Staff
    from domain.commerce.stores import Store
    from domain.people.households import Household


class MemberStatus(StrEnum):
    ACTIVE = "ACTIVE"
    BLOCKED = "BLOCKED"
    ERASED = "ERASED"
    MERGED = "MERGED"  # she was the same person as `merged_into`, who carries everything of hers


class CarerRole(StrEnum):
    MOTHER = "MOTHER"
    FATHER = "FATHER"
    GRANDPARENT = "GRANDPARENT"
    NANNY = "NANNY"
    OTHER = "OTHER"
    UNKNOWN = "UNKNOWN"


class Member(Model):
    id = fields.UUIDField(primary_key=True, default=new_id)
    status = fields.CharEnumField(MemberStatus, max_length=16, default=MemberStatus.ACTIVE)
    household: fields.ForeignKeyRelation["Household"] = fields.ForeignKeyField(
        "nestling.Household", related_name="carers", on_delete=fields.RESTRICT
    )
    household_id: UUID
    # Who carries everything of hers since a merge: always somebody who is not merged away herself.
    merged_into: fields.ForeignKeyNullableRelation["Member"] = fields.ForeignKeyField(
        "nestling.Member", related_name="absorbed", null=True, on_delete=fields.RESTRICT
    )
    merged_into_id: UUID | None
    carer_role = fields.CharEnumField(CarerRole, max_length=16, default=CarerRole.UNKNOWN)
    full_name = fields.CharField(max_length=200, null=True)
    name_source = fields.CharEnumField(Source, max_length=16, null=True)
    # Written with full_name by `domain.people.names`, so that search by name, pinyin or initials is one index look-up.
    name_key = fields.CharField(max_length=400, null=True)
    name_initials = fields.CharField(max_length=100, null=True)
    language = fields.CharField(max_length=16, default="en")  # BCP 47: en, zh-Hans
    jurisdiction = fields.CharField(
        max_length=8, default="US"
    )  # ISO 3166: which law pack binds; never guessed from a phone
    time_zone = fields.CharField(max_length=64, default="UTC")
    owner: fields.ForeignKeyNullableRelation["Staff"] = fields.ForeignKeyField(
        "nestling.Staff", related_name="owned_members", null=True, on_delete=fields.SET_NULL
    )
    owner_id: UUID | None
    store: fields.ForeignKeyNullableRelation["Store"] = fields.ForeignKeyField(
        "nestling.Store", related_name="members", null=True, on_delete=fields.SET_NULL
    )
    store_id: UUID | None
    source = fields.CharField(
        max_length=64
    )  # the system she came from: completejourney, desk, store, api, import:<name>
    external_id = fields.CharField(max_length=200)  # that system's own id for her
    joined_on = fields.DateField()  # business date
    joined_channel = fields.CharEnumField(Channel, max_length=16, null=True)
    joined_campaign = fields.CharField(max_length=100, null=True)
    joined_by: fields.ForeignKeyNullableRelation["Staff"] = fields.ForeignKeyField(
        "nestling.Staff", related_name="enrolled_members", null=True, on_delete=fields.SET_NULL
    )
    joined_by_id: UUID | None
    # Who said what since she came, by column: source, confidence, by (staff), at (real clock). See `provenance`.
    provenance: fields.JSONField[dict[str, Any] | None] = fields.JSONField(null=True)
    handling_note = fields.TextField(null=True)  # a gentle word for whoever serves her, e.g. after a loss
    version = fields.IntField(default=1)
    created_at = fields.DatetimeField(auto_now_add=True)  # real clock
    updated_at = fields.DatetimeField(auto_now_add=True)  # real clock

    class Meta:
        table = "members"
        unique_together = (("source", "external_id"),)
        constraints = [
            one_of("members", "status", MemberStatus),
            one_of("members", "carer_role", CarerRole),
            CheckConstraint(
                name="members_merged_away_lead_on", check="(status = 'MERGED') = (merged_into_id IS NOT NULL)"
            ),
        ]


NAME_LENGTH = 200
HANDLING_NOTE_LENGTH = 1000


class Unset(Enum):
    """What an update leaves alone, as opposed to what it empties."""

    UNSET = "UNSET"


UNSET = Unset.UNSET


@dataclass(frozen=True, slots=True)
class MemberChanges:
    """The columns to change; an UNSET one stays as it is, None empties it."""

    full_name: str | Unset | None = UNSET
    carer_role: CarerRole | Unset = UNSET
    language: str | Unset = UNSET
    jurisdiction: str | Unset = UNSET
    time_zone: str | Unset = UNSET
    handling_note: str | Unset | None = UNSET

    def given(self) -> dict[str, Any]:
        values = {field.name: getattr(self, field.name) for field in fields_of(self)}
        return {name: value for name, value in values.items() if value is not UNSET}


@dataclass(frozen=True, slots=True)
class MemberUpdated:
    member_id: UUID
    version: int


async def update(
    actor: Actor, member_id: UUID, version: int, changes: MemberChanges
) -> MemberUpdated | MemberNotFound | VersionConflict | NotPermitted | ValidationError:
    """Write the given columns if the row is still at `version`; of two at once, one wins and the other learns of it.

    The handling note is the staff's: no frontend writes it.
    """
    if not actor.may(Permission.WRITE_MEMBERS):
        return NotPermitted(Permission.WRITE_MEMBERS)
    given = changes.given()
    flaws = _flaws(given)
    if "handling_note" in given and not actor.is_staff:
        flaws.append(FieldError("handlingNote", "The staff's own word."))
    if flaws:
        return ValidationError(tuple(flaws))
    if "full_name" in given:
        name = given["full_name"].strip() if given["full_name"] else None
        given |= {"full_name": name, "name_source": said_by(actor) if name else None}
        given |= {"name_key": name_key(name) if name else None, "name_initials": name_initials(name) if name else None}
    if "language" in given:
        given |= {"language": canonical_language(given["language"])}
    async with in_transaction():
        if not await is_in_scope(actor, member_id):
            return MemberNotFound()
        parameters = Parameters()
        columns = "".join(f"{column} = {parameters(value)}, " for column, value in given.items())
        said = [column for column in MEMBER_FIELDS if column in given]
        columns += f"{telling(said, said_by(actor), actor, parameters)}, " if said else ""
        rows = await connection().execute_query_dict(
            f"UPDATE members SET {columns}version = version + 1, updated_at = {parameters(real_now())} "
            f"WHERE id = {parameters(member_id)} AND version = {parameters(version)} RETURNING version",
            parameters,
        )
        if not rows:
            current = await connection().execute_query_dict("SELECT version FROM members WHERE id = $1", [member_id])
            return VersionConflict(current[0]["version"])
        await announce(MEMBER_TIMELINE, member_id)
        return MemberUpdated(member_id, rows[0]["version"])


def _flaws(given: dict[str, Any]) -> list[FieldError]:
    flaws = place_flaws(given.get("language"), given.get("jurisdiction"), given.get("time_zone"))
    if not given:
        flaws.append(FieldError("input", "Nothing to change."))
    name, note = given.get("full_name"), given.get("handling_note")
    if name is not None and not 0 < len(name.strip()) <= NAME_LENGTH:
        flaws.append(FieldError("fullName", f"1 to {NAME_LENGTH} characters, or null."))
    if note is not None and len(note) > HANDLING_NOTE_LENGTH:
        flaws.append(FieldError("handlingNote", f"At most {HANDLING_NOTE_LENGTH} characters."))
    return flaws
