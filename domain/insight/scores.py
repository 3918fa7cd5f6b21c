"""Scores: the champion's word on each member, with reasons a consultant can say aloud."""

from typing import TYPE_CHECKING, Any
from uuid import UUID

from tortoise import fields
from tortoise.models import Model

from domain.platform.constraints import probability

if TYPE_CHECKING:
    from domain.insight.models import ScoringModel
    from domain.people.members import Member


class Score(Model):
    id = fields.BigIntField(primary_key=True, generated=True)
    member: fields.ForeignKeyRelation["Member"] = fields.ForeignKeyField(
        "nestling.Member", related_name="scores", on_delete=fields.RESTRICT
    )
    member_id: UUID
    model_name = fields.CharField(max_length=64)
    category = fields.CharField(max_length=200, default="")  # cross_sell: the product category; empty for churn
    probability = fields.FloatField()
    rank = fields.IntField()  # 1 = highest of the model (churn) or of the member (cross_sell)
    reasons: fields.JSONField[list[dict[str, Any]]] = fields.JSONField(default=list)  # {code, values}
    model: fields.ForeignKeyRelation["ScoringModel"] = fields.ForeignKeyField(
        "nestling.ScoringModel", related_name="scores", on_delete=fields.RESTRICT
    )
    model_id: UUID
    as_of = fields.DateField()  # business date

    class Meta:
        table = "scores"
        unique_together = (("member", "model_name", "category"),)
        constraints = [probability("scores", "probability")]
