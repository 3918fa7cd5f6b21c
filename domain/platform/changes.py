"""Changes: a word on PostgreSQL's NOTIFY for whoever watches. Only ids travel; a lost word costs a refresh."""

from collections.abc import Collection
from uuid import UUID

from domain.database import connection

MEMBER_TIMELINE = "nestling_member"
CALLBACK_LIST = "nestling_callbacks"
OUTBOX_BELL = "nestling_outbox"
CREDENTIALS = "nestling_credentials"


async def announce(topic: str, ref: UUID | str) -> None:
    """Tell the listeners of `topic` at commit of the surrounding transaction. PostgreSQL folds its repeats."""
    await connection().execute_query("SELECT pg_notify($1, $2)", [topic, str(ref)])


async def announce_all(topic: str, refs: Collection[UUID]) -> None:
    """`announce` for many rows by one statement; nothing for none."""
    if refs:
        await connection().execute_query(
            "SELECT pg_notify($1, ref) FROM unnest($2::text[]) AS ref", [topic, [str(ref) for ref in refs]]
        )
