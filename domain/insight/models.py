"""The model registry: every trained model with what it saw and how well it did. LightGBM text, never pickles."""

from dataclasses import asdict, dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from tortoise import fields
from tortoise.exceptions import IntegrityError
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


@dataclass(frozen=True, slots=True)
class Entry:
    """A trained model as it goes into the registry. The same name and version is the same model."""

    name: str
    version: str
    family: str
    as_of: date
    horizon_days: int
    features: list[str]
    feature_hash: str
    data_hash: str
    metrics: dict[str, Any]
    calibration: dict[str, Any]
    artifact: str
    trained_at: datetime  # real clock


async def register(entry: Entry) -> UUID:
    """Keep a trained model; idempotent on name and version. It is a challenger until its scores go live."""
    try:
        made = await ScoringModel.create(**asdict(entry), state=ModelState.CHALLENGER)
    except IntegrityError:
        made = await ScoringModel.get(name=entry.name, version=entry.version)
    return made.id


async def trained_as_of(name: str, as_of: date) -> list[dict[str, Any]]:
    """The models that were trained as of a date, newest first."""
    return await ScoringModel.filter(name=name, as_of=as_of).order_by("-trained_at").values()


async def champion(name: str) -> dict[str, Any] | None:
    """The model whose scores are live."""
    found = await ScoringModel.filter(name=name, state=ModelState.CHAMPION).values()
    return found[0] if found else None
