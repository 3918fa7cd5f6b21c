"""What was read of people, written down before the answer leaves: babies' data by anybody but their own family,
searches by babies' data (never the text), and every look-up and every member's row by a service, on whatever way. One
row an operation and kind.
"""

from api.context import ApiContext
from domain.database import connection

INSERT = "INSERT INTO audit_entries (actor_id, actor_role, action, operation_hash, member_ids, detail) "
BABIES = (
    INSERT + "SELECT $1, $2, 'read_babies', $3, coalesce(array_agg(id ORDER BY id), '{}'), '{}' FROM members "
    "WHERE household_id = ANY($4::uuid[])"
)
SEARCH = INSERT + "VALUES ($1, $2, 'search_babies', $3, '{}', jsonb_build_object('by', $4::text[]))"
LOOK_UP = INSERT + "VALUES ($1, $2, 'look_up_member', $3, $4::uuid[], jsonb_build_object('by', $5::text[]))"


async def record_reads(context: ApiContext) -> None:
    """Write the audit rows that the operation owes, and forget what they say: a subscription owes one an event."""
    actor = context.caller
    if actor is None:
        return
    read, looked_up_by = dict(context.read), sorted(context.looked_up_by)
    members = sorted(read.get("Member", ()))  # noted for services only
    searched_by = sorted(context.searched_by)
    for noted in (context.read, context.looked_up_by, context.searched_by):
        noted.clear()
    who = [actor.id, actor.role.value, context.operation_hash]
    if read.get("Baby"):
        await connection().execute_query(BABIES, [*who, sorted(read["Baby"])])
    if searched_by:
        await connection().execute_query(SEARCH, [*who, searched_by])
    if looked_up_by or members:
        await connection().execute_query(LOOK_UP, [*who, members, looked_up_by])
