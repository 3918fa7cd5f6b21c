"""Children's data: what staff read of it leaves one audit row an operation, before the answer leaves."""

from api.context import ApiContext
from domain.database import connection


async def record_baby_reads(context: ApiContext) -> None:
    """Write the audit row of an operation that showed babies to anybody but their own family; forget them then."""
    if not context.babies_read or context.caller is None:
        return
    actor, households = context.caller, sorted(context.babies_read)
    context.babies_read.clear()
    await connection().execute_query(
        "INSERT INTO audit_entries (actor_id, actor_role, action, operation_hash, member_ids) "
        "SELECT $1, $2, 'read_babies', $3, coalesce(array_agg(id ORDER BY id), '{}') FROM members "
        "WHERE household_id = ANY($4::uuid[])",
        [actor.id, actor.role.value, context.operation_hash, households],
    )
