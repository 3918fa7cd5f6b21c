"""Scores: the champion's word on each member, with reasons a consultant can say aloud."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any
from uuid import UUID

from tortoise import fields
from tortoise.models import Model
from tortoise.transactions import in_transaction

from domain.platform.constraints import probability
from domain.sql import statement

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


SWAP_LOCK = 0x6E65_7374_7363  # "nestsc": one swap of scores at a time


@dataclass(frozen=True, slots=True)
class StaleScores:
    """The live scores are of a later date: these were not put in."""

    live_as_of: date


async def publish(
    model_name: str,
    model_id: UUID,
    as_of: date,
    rows: Iterable[tuple[UUID, str, float, int, str]],
    baby_categories: Sequence[str] = (),
) -> int | StaleScores:
    """Make these the live scores of a model, and the model its champion; answers how many were put in.

    One transaction: a reader sees the old scores or the new, never half, and the champion is whose scores they are.
    Rows are (member, category, probability, rank, reasons as JSON). Members who were erased meanwhile get none, and
    families who stopped baby content get none about `baby_categories`.
    """
    async with in_transaction() as transaction:
        await transaction.execute_query("SELECT pg_advisory_xact_lock($1)", [SWAP_LOCK])
        live = await transaction.execute_query_dict(
            "SELECT max(as_of) AS as_of FROM scores WHERE model_name = $1", [model_name]
        )
        if live[0]["as_of"] is not None and live[0]["as_of"] > as_of:
            return StaleScores(live[0]["as_of"])
        await transaction.execute_script(
            "CREATE TEMP TABLE staged_scores (member_id uuid, category text, probability float8, rank int4, "
            "reasons text) ON COMMIT DROP"
        )
        async with transaction.acquire_connection() as driver:
            await driver.copy_records_to_table("staged_scores", records=rows, schema_name="pg_temp")
        await transaction.execute_query(
            "UPDATE scoring_models SET state = 'RETIRED' WHERE name = $1 AND state = 'CHAMPION' AND id <> $2",
            [model_name, model_id],
        )
        await transaction.execute_query("UPDATE scoring_models SET state = 'CHAMPION' WHERE id = $1", [model_id])
        await transaction.execute_query("DELETE FROM scores WHERE model_name = $1", [model_name])
        put = await transaction.execute_query_dict(
            statement("publish_scores"), [model_name, model_id, as_of, list(baby_categories)]
        )
        written: int = put[0]["written"]
        return written
