"""Babies: born or expected, each date with who said so and how sure."""

from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from domain.platform.constraints import one_of, probability
from domain.platform.ids import new_id
from domain.platform.sources import Source

if TYPE_CHECKING:
    from domain.people.households import Household


class Sex(StrEnum):
    FEMALE = "FEMALE"
    MALE = "MALE"
    UNKNOWN = "UNKNOWN"


class Feeding(StrEnum):
    BREAST = "BREAST"
    MIXED = "MIXED"
    FORMULA = "FORMULA"
    UNKNOWN = "UNKNOWN"


class Baby(Model):
    id = fields.UUIDField(primary_key=True, default=new_id)
    household: fields.ForeignKeyRelation["Household"] = fields.ForeignKeyField(
        "nestling.Household", related_name="babies", on_delete=fields.RESTRICT
    )
    household_id: UUID
    nickname = fields.CharField(max_length=100, null=True)
    nickname_key = fields.CharField(max_length=200, null=True)  # pinyin or lower case, for search
    sex = fields.CharEnumField(Sex, max_length=16, default=Sex.UNKNOWN)
    due_on = fields.DateField(null=True)
    due_source = fields.CharEnumField(Source, max_length=16, null=True)
    due_confidence = fields.FloatField(null=True)
    born_on = fields.DateField(null=True)
    born_source = fields.CharEnumField(Source, max_length=16, null=True)
    born_confidence = fields.FloatField(null=True)
    gestation_weeks = fields.SmallIntField(null=True)  # completed weeks at birth; null = term or unknown
    # That there is a baby at all: a member says so, or baskets hint at it.
    presence_source = fields.CharEnumField(Source, max_length=16)
    presence_confidence = fields.FloatField(default=1.0)
    feeding = fields.CharEnumField(Feeding, max_length=16, default=Feeding.UNKNOWN)
    feeding_since = fields.DateField(null=True)
    formula_brand = fields.CharField(max_length=100, null=True)
    allergies = fields.CharField(max_length=400, null=True)
    # Loss, or "stop baby content": absorbing. Nothing about this baby leaves after it.
    stopped_at = fields.DatetimeField(null=True)  # business clock
    version = fields.IntField(default=1)
    created_at = fields.DatetimeField(auto_now_add=True)  # real clock
    updated_at = fields.DatetimeField(auto_now_add=True)  # real clock

    class Meta:
        table = "babies"
        constraints = [
            one_of("babies", "sex", Sex),
            one_of("babies", "feeding", Feeding),
            one_of("babies", "presence_source", Source),
            probability("babies", "presence_confidence"),
            probability("babies", "due_confidence"),
            probability("babies", "born_confidence"),
            CheckConstraint(name="babies_due_date_has_a_source", check="(due_on IS NULL) = (due_source IS NULL)"),
            CheckConstraint(name="babies_birth_date_has_a_source", check="(born_on IS NULL) = (born_source IS NULL)"),
            CheckConstraint(name="babies_gestation_is_plausible", check="gestation_weeks BETWEEN 20 AND 45"),
        ]
