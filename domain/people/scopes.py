"""Row scope: whose members an actor may see, as one SQL condition that every verb and statement shares."""

from uuid import UUID

from domain.commerce.staff import RowScope
from domain.database import connection
from domain.platform.actors import Actor
from domain.platform.parameters import Parameters
from domain.platform.roles import Role

GONE = "('ERASED', 'MERGED')"
"""States of members, as SQL, whose rows nobody sees, finds or serves any more."""

CALLED_LATELY_HOURS = 24  # real clock: she may look up what she wrote and was told
OWNER_FIRST_HOURS = 2  # business time: so long a due call waits for its owner before others may take it


def sees_member(actor: Actor, parameters: Parameters, alias: str = "m") -> str:
    """The condition on `members alias` that holds for exactly the rows the actor may see.

    Staff see by scope, the member of a call-back while they hold its lease, and whom they called on that day. A member
    sees her household.
    """
    if actor.role is Role.FRONTEND:
        return "TRUE"
    if actor.role is Role.MEMBER:
        return f"{alias}.household_id = {parameters(actor.household_id)}"
    if actor.scope is RowScope.ALL:
        return "TRUE"
    arms = [f"{alias}.owner_id = {parameters(actor.staff_id)}"]
    if actor.scope is RowScope.STORE:
        arms.append(f"{alias}.store_id = {parameters(actor.store_id)}")
    if actor.scope is RowScope.DISTRIBUTOR:
        arms.append(_of_distributor(actor, parameters, alias))
    arms.append(f"{alias}.id IN ({_on_the_phone(actor, parameters)})")
    return "(" + " OR ".join(arms) + ")"


def _on_the_phone(actor: Actor, parameters: Parameters) -> str:
    """Members whose call the actor holds, or made within CALLED_LATELY; asked once a statement, not once a row.

    The database's clock, not a parameter: the condition may stand in a plan that many requests share.
    """
    account = parameters(actor.account_id)
    return (
        "SELECT held.member_id FROM callback_tasks held WHERE held.state = 'LEASED' "
        f"AND held.lease_account_id = {account} AND held.lease_until > statement_timestamp() "
        "UNION ALL SELECT made.member_id FROM callback_outcomes said "
        "JOIN callback_tasks made ON made.id = said.task_id "
        f"WHERE said.account_id = {account} "
        f"AND said.logged_at > statement_timestamp() - interval '{CALLED_LATELY_HOURS} hours'"
    )


def sees_task(actor: Actor, parameters: Parameters, alias: str = "t") -> str:
    """The condition on `callback_tasks alias` for the tasks an actor may work on.

    Her own; by scope her store's or distributor's; and the pool's: tasks without owner and store for everybody, and for
    the call centre (people of no store) also those that their owner cannot or did not take in time.
    """
    if actor.scope is RowScope.ALL:
        return "TRUE"
    arms = [
        f"{alias}.owner_id = {parameters(actor.staff_id)}",
        f"({alias}.owner_id IS NULL AND {alias}.store_id IS NULL)",
    ]
    if actor.scope is RowScope.STORE:
        arms.append(f"{alias}.store_id = {parameters(actor.store_id)}")
    elif actor.scope is RowScope.DISTRIBUTOR:
        arms.append(_of_distributor(actor, parameters, alias))
    elif actor.store_id is not None:
        arms.append(f"({alias}.owner_id IS NULL AND {alias}.store_id = {parameters(actor.store_id)})")
    else:
        arms.append(is_left_by_owner(alias))
    return "(" + " OR ".join(arms) + ")"


def is_left_by_owner(alias: str) -> str:
    """The owner's first right to a task is over: nobody owns it, she gave it back, has no account, or let it wait."""
    return (
        f"({alias}.owner_id IS NULL OR {alias}.released_by IS NOT NULL "
        f"OR {alias}.not_before <= (SELECT business_now()) - interval '{OWNER_FIRST_HOURS} hours' "
        f"OR NOT EXISTS (SELECT 1 FROM accounts a WHERE a.staff_id = {alias}.owner_id AND a.is_active))"
    )


def _of_distributor(actor: Actor, parameters: Parameters, alias: str) -> str:
    distributor = parameters(actor.distributor_id)
    return f"{alias}.store_id IN (SELECT s.id FROM stores s WHERE s.distributor_id = {distributor})"


async def is_in_scope(actor: Actor, member_id: UUID, *, for_update: bool = False) -> bool:
    """Whether the actor may see the member now; `for_update` also locks her row until the transaction ends.

    A member who does not exist, was erased or merged away, or is out of scope gets the same answer.
    """
    parameters = Parameters()
    sql = (
        f"SELECT 1 FROM members m WHERE m.id = {parameters(member_id)} AND m.status NOT IN {GONE} "
        f"AND {sees_member(actor, parameters)}"
    )
    if for_update:
        sql += " FOR NO KEY UPDATE OF m"
    return bool(await connection().execute_query_dict(sql, parameters))
