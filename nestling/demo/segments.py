"""The demo's segments: three rules as an operator would write them, worked out before the first page is opened."""

import json
from typing import Any

from domain.commerce.staff import RowScope
from domain.platform.actors import Actor
from domain.platform.ids import new_id
from domain.platform.roles import PERMISSIONS, Role
from domain.segments.memberships import keep_up
from domain.segments.segments import SegmentNameTaken, SegmentSaved, create, live_segments
from nestling.demo.steps import Work
from nestling.words import counted

LATELY = {"days": 90}
SEGMENTS: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "First birthday ahead": (
        "Families with a baby of 10 to 12 months who bought at least twice in 90 days.",
        [
            {"field": "baby.age_months", "operator": "between", "value": [10, 12]},
            {"field": "orders.count", "operator": ">=", "value": {"value": 2, **LATELY}},
        ],
    ),
    "Nappies, and may leave": (
        "Who bought nappies in 90 days and may not come back: for the call centre, with her consent.",
        [
            {"field": "orders.count", "operator": ">=", "value": {"value": 1, "baby_class": "DIAPER", **LATELY}},
            {"field": "scores.churn", "operator": ">=", "value": 0.1},
            {"field": "consents.consent", "operator": "in", "value": ["CARE:CALL", "PROMOTION:CALL"]},
        ],
    ),
    "Around four months": (
        "Families with a baby of 3 to 5 months whose carer wants care by SMS.",
        [
            {"field": "baby.age_months", "operator": "between", "value": [3, 5]},
            {"field": "consents.consent", "operator": "in", "value": ["CARE:SMS"]},
        ],
    ),
    "A quiet month": (
        "Families with a baby under two who have bought, but not in 30 days.",
        [
            {"field": "baby.age_months", "operator": "<", "value": 24},
            {"field": "orders.days_since_last", "operator": ">", "value": 30},
        ],
    ),
}


async def make_segments(work: Work) -> dict[str, Any]:
    """Idempotent: a name that is taken is left alone."""
    operator = Actor(new_id(), Role.OPERATOR, RowScope.ALL, permissions=PERMISSIONS[Role.OPERATOR])
    for name, (about, rules) in SEGMENTS.items():
        made = await create(operator, name, about, json.dumps({"combinator": "and", "rules": rules}))
        assert isinstance(made, SegmentSaved | SegmentNameTaken), made
    work.say("every member's facts")
    while (done := await keep_up()).is_behind or done.moved:
        pass
    found = len(await live_segments())
    work.say(f"{counted(found, 'segment')} worked out")
    return {"segments": found}
