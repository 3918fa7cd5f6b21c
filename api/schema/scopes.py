"""Row scope of the types: whose rows an actor sees, in the words of the domain's one policy."""

from collections.abc import Mapping

from api.projection import Ask, Scope
from domain.people.scopes import GONE, sees_member, sees_task


def is_visible(ask: Ask, alias: str) -> str:
    """A member whom the actor may see and who was neither erased nor merged away."""
    return f"{alias}.status NOT IN {GONE} AND {sees_member(ask.actor, ask.parameters, alias)}"


def _carer_is_visible(ask: Ask, household: str) -> str:
    alias = ask.alias()
    return (
        f"EXISTS (SELECT 1 FROM members {alias} WHERE {alias}.household_id = {household} AND {is_visible(ask, alias)})"
    )


def member_is_visible(ask: Ask, column: str) -> str:
    """The member whom a column names is visible."""
    alias = ask.alias()
    return f"EXISTS (SELECT 1 FROM members {alias} WHERE {alias}.id = {column} AND {is_visible(ask, alias)})"


# Types whose own scope is their member's: from them the way to the member needs no second proof.
_OF_A_MEMBER = ("Order", "Interaction", "Message", "Decision")

MEMBERS = Scope(is_visible, implied_by=dict.fromkeys(_OF_A_MEMBER, (("id", "member_id"),)))

OF_MEMBER = Scope(
    lambda ask, alias: member_is_visible(ask, f"{alias}.member_id"),
    implied_by={"Member": (("member_id", "id"),), "Message": (("id", "decision_id"),)},
)

HOUSEHOLDS = Scope(
    lambda ask, alias: _carer_is_visible(ask, f"{alias}.id"),
    implied_by={"Member": (("id", "household_id"),), "Baby": (("id", "household_id"),)},
)

OF_HOUSEHOLD = Scope(
    lambda ask, alias: _carer_is_visible(ask, f"{alias}.household_id"),
    implied_by={"Member": (("household_id", "household_id"),), "Household": (("household_id", "id"),)},
)

TASKS = Scope(
    lambda ask, alias: (
        f"({sees_task(ask.actor, ask.parameters, alias)} OR {member_is_visible(ask, f'{alias}.member_id')})"
    ),
    implied_by={"Member": (("member_id", "id"),)},
)


def only_from(ways: Mapping[str, tuple[tuple[str, str], ...]]) -> Scope:
    """Rows that are part of another row: seen with it and by no other way."""
    return Scope(lambda _ask, _alias: "FALSE", implied_by=ways)
