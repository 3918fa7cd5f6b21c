"""Readings of a rule: how many members it means, why one is in it or not, how far two overlap. Read only."""

from dataclasses import dataclass
from uuid import UUID

from domain.database import connection
from domain.people.scopes import sees_member
from domain.platform.actors import Actor
from domain.platform.failures import NotPermitted, ValidationError
from domain.platform.parameters import Parameters
from domain.platform.roles import Permission
from domain.segments.compiling import Moment, compile_rule, this_moment
from domain.segments.leaves import Setting, condition
from domain.segments.rules import Group, leaves
from domain.segments.segments import admit
from domain.segments.shown import said, shown


@dataclass(frozen=True, slots=True)
class Counted:
    members: int  # whom the rule means and the actor may see
    seen: int  # whom the actor may see at all


@dataclass(frozen=True, slots=True)
class Reason:
    """One condition of the tree for one member: whether she meets it, and what she has."""

    path: str
    field: str
    operator: str
    is_met: bool
    value: str  # what she has, as text; empty: nothing is known


@dataclass(frozen=True, slots=True)
class Why:
    is_in: bool
    reasons: list[Reason]


@dataclass(frozen=True, slots=True)
class Overlap:
    first: int
    second: int
    both: int


def in_scope(actor: Actor, parameters: Parameters) -> str:
    """The condition on `member_facts f` for the members whom the actor may see; empty when that is everybody."""
    seen = sees_member(actor, parameters, "m")
    return "" if seen == "TRUE" else f"f.member_id IN (SELECT m.id FROM members m WHERE {seen})"


def count_sql(actor: Actor, tree: Group, moment: Moment, parameters: Parameters) -> str:
    """One statement that counts whom the rule means."""
    scope = in_scope(actor, parameters)
    rule = compile_rule(tree, moment, parameters)
    return f"SELECT count(*) AS members FROM member_facts f WHERE {f'{scope} AND ' if scope else ''}{rule}"


async def count(actor: Actor, rule: str) -> Counted | NotPermitted | ValidationError:
    """How many members the rule means now, of those whom the actor may see."""
    if not actor.may(Permission.READ_SEGMENTS):
        return NotPermitted(Permission.READ_SEGMENTS)
    admitted = await admit(actor, rule)
    if isinstance(admitted, ValidationError):
        return admitted
    parameters = Parameters()
    sql = count_sql(actor, admitted[0], await this_moment(), parameters)
    rows = await connection().execute_query_dict(sql, parameters)
    everybody = Parameters()
    scope = in_scope(actor, everybody)
    all_of = await connection().execute_query_dict(
        f"SELECT count(*) AS n FROM member_facts f{f' WHERE {scope}' if scope else ''}", everybody
    )
    return Counted(rows[0]["members"], all_of[0]["n"])


async def overlap(actor: Actor, first: str, second: str) -> Overlap | NotPermitted | ValidationError:
    """How many members two rules mean each, and how many both. One pass."""
    if not actor.may(Permission.READ_SEGMENTS):
        return NotPermitted(Permission.READ_SEGMENTS)
    trees = []
    for rule in (first, second):
        admitted = await admit(actor, rule)
        if isinstance(admitted, ValidationError):
            return admitted
        trees.append(admitted[0])
    moment, parameters = await this_moment(), Parameters()
    scope = in_scope(actor, parameters)
    one, other = (compile_rule(tree, moment, parameters) for tree in trees)
    rows = await connection().execute_query_dict(
        "SELECT count(*) FILTER (WHERE x.one) AS first, count(*) FILTER (WHERE x.other) AS second, "
        "count(*) FILTER (WHERE x.one AND x.other) AS both "
        f"FROM (SELECT {one} AS one, {other} AS other FROM member_facts f "
        f"{f'WHERE {scope}' if scope else ''} OFFSET 0) x",
        parameters,
    )
    return Overlap(rows[0]["first"], rows[0]["second"], rows[0]["both"])


async def why(actor: Actor, rule: str, member_id: UUID) -> Why | NotPermitted | ValidationError | None:
    """Whether one member meets the rule, condition by condition; None when the actor may not see her."""
    if not actor.may(Permission.READ_SEGMENTS):
        return NotPermitted(Permission.READ_SEGMENTS)
    admitted = await admit(actor, rule)
    if isinstance(admitted, ValidationError):
        return admitted
    tree, moment, parameters = admitted[0], await this_moment(), Parameters()
    her = parameters(member_id)
    scope = in_scope(actor, parameters)
    zone = await connection().execute_query_dict("SELECT time_zone FROM member_facts WHERE member_id = $1", [member_id])
    if not zone:
        return None
    day = next((one for one in moment.days if zone[0]["time_zone"] in one.zones), moment.days[0])
    asked = list(leaves(tree))
    among = f"ARRAY[{her}]::uuid[]"
    at = Setting(
        parameters, day, moment.trees, lambda one, at: compile_rule(one, moment, at.parameters, at.among), among
    )
    columns = [f"({condition(leaf, at)}) IS TRUE AS m{n}, {shown(leaf, at)} AS v{n}" for n, leaf in enumerate(asked)]
    whole = compile_rule(tree, moment, parameters, among)
    rows = await connection().execute_query_dict(
        f"SELECT ({whole}) IS TRUE AS is_in, {', '.join(columns)} FROM member_facts f "
        f"WHERE f.member_id = {her}::uuid{f' AND {scope}' if scope else ''}",
        parameters,
    )
    if not rows:
        return None
    row = rows[0]
    return Why(
        row["is_in"],
        [
            Reason(leaf.path, leaf.field.key, leaf.operator, row[f"m{n}"], said(leaf, row[f"v{n}"], day.today))
            for n, leaf in enumerate(asked)
        ],
    )
