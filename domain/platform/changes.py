"""Changes: a word on PostgreSQL's NOTIFY for whoever watches. Only ids travel; a lost word costs a refresh, no truth."""

from uuid import UUID

from domain.database import connection

MEMBER_TIMELINE = "nestling_member"
CALLBACK_LIST = "nestling_callbacks"
OUTBOX_BELL = "nestling_outbox"
CREDENTIALS = "nestling_credentials"


async def announce(topic: str, ref: UUID | str) -> None:
    """Tell the listeners of `topic` at commit of the surrounding transaction. PostgreSQL folds repeats in one of them."""
    await connection().execute_query("SELECT pg_notify($1, $2)", [topic, str(ref)])
