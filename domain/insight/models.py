"""The model registry: every trained model with what it saw and how well it did. LightGBM text, never pickles."""

from enum import StrEnum
from typing import Any

from tortoise import fields
from tortoise.migrations.constraints import UniqueConstraint
from tortoise.models import Model

from domain.platform.constraints import one_of
from domain.platform.ids import new_id


class ModelState(StrEnum):
    CHALLENGER = "CHALLENGER"
    CHAMPION = "CHAMPION"
    RETIRED = "RETIRED"


class ScoringModel(Model):
    id = fields.UUIDField(primary_key=True, default=new_id)
    name = fields.CharField(max_length=64)  # churn, cross_sell
    version = fields.CharField(max_length=64)
    family = fields.CharField(max_length=32)  # lightgbm, rfm_logistic, ...
    state = fields.CharEnumField(ModelState, max_length=16)
    as_of = fields.DateField()  # saw nothing at or after 00:00 of this business date
    horizon_days = fields.IntField()
    features: fields.JSONField[list[str]] = fields.JSONField(default=list)
    feature_hash = fields.CharField(max_length=64)
    data_hash = fields.CharField(max_length=64)
    metrics: fields.JSONField[dict[str, Any]] = fields.JSONField(default=dict)  # AUC, AP, ECE, lift; baselines beside
    calibration: fields.JSONField[dict[str, Any]] = fields.JSONField(default=dict)  # isotonic breakpoints
    artifact = fields.TextField()
    trained_at = fields.DatetimeField()  # real clock

    class Meta:
        table = "scoring_models"
        unique_together = (("name", "version"),)
        constraints = [
            one_of("scoring_models", "state", ModelState),
            UniqueConstraint(name="scoring_models_one_champion", fields=("name",), condition="state = 'CHAMPION'"),
        ]
