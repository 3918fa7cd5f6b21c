"""Baby inference: baskets hint that there is a baby. A hint with a confidence and without a date, never a statement."""

from datetime import datetime
from functools import cache
from pathlib import Path
from uuid import UUID

from tortoise.transactions import in_transaction

from domain.platform.ids import new_id

INFER_LOCK = 0x6261_6279  # "baby": two inferences at once would each see a household without one

INSERT = """
INSERT INTO babies (id, household_id, presence_source, presence_confidence)
SELECT found.id, found.household_id, 'INFERRED', found.confidence
FROM unnest($1::uuid[], $2::uuid[], $3::float8[]) AS found (id, household_id, confidence)
"""


@cache
def _statement() -> str:
    return (Path(__file__).parent.parent / "sql" / "infer_babies.sql").read_text()


async def infer_babies(at: datetime) -> list[UUID]:
    """Record one inferred baby for each household that bought formula, diapers or baby food in two or more baskets
    of the 180 days before `at` (business clock) and has no baby on record. Two statements, idempotent.

    Returns the new babies' ids. A household that ever had one, stopped or not, gets none: a loss stays a loss.
    """
    async with in_transaction() as transaction:
        await transaction.execute_query("SELECT pg_advisory_xact_lock($1)", [INFER_LOCK])
        found = await transaction.execute_query_dict(_statement(), [at])
        ids = [new_id() for _ in found]
        await transaction.execute_query(
            INSERT, [ids, [row["household_id"] for row in found], [row["confidence"] for row in found]]
        )
    return ids
