"""Next acts: whom to call today, and what to offer whom. Set-based: a batch of members is one statement."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import orjson

from domain.care.callbacks import CallbackKind
from domain.commerce.never_recommended import is_never_recommended
from domain.commerce.products import FormulaClass
from domain.database import connection
from domain.outreach.act_rules import ActRules
from domain.outreach.call_briefs import call_brief
from domain.outreach.facts import child_from_json
from domain.outreach.intents import Intent
from domain.outreach.shelves import Shelf, shelf_label
from domain.platform.sources import Channel, Purpose
from domain.sql import statement
from domain.stages.engine import youngest_months
from domain.stages.rules import RULES

OFFER = "offer.cross_sell"
OFFER_CHANNELS = (Channel.EMAIL, Channel.SMS)


@dataclass(frozen=True, slots=True)
class Today:
    """The run that acts are chosen for."""

    run_id: UUID
    on: date  # business date
    at: datetime  # business moment
    rules: ActRules


@dataclass(frozen=True, slots=True)
class Batch:
    """The acts of the next members, and the cursor after them; `is_last` when nobody is left."""

    intents: list[Intent]
    after: UUID
    is_last: bool


async def calls(today: Today, how_many: int, per_owner: int) -> list[Intent]:
    """The calls most worth making, best first, one a member; consultants' and stores' lists stay workable."""
    rules = today.rules
    rows = await connection().execute_query_dict(
        statement("care_calls"),
        [
            today.run_id, today.on, today.at, how_many, per_owner, rules.churn_from_probability,
            rules.retained_share_of_spend, rules.first_return_worth, rules.refill_worth,
            rules.not_called_again_within, RULES.term_weeks, RULES.full_term_weeks, RULES.corrected_until_months,
        ],
    )  # fmt: skip
    return [_call(today, row) for row in rows]


def _call(today: Today, row: dict[str, Any]) -> Intent:
    kind = CallbackKind(row["kind"])
    facts = orjson.loads(row["facts"])
    if is_never_recommended(facts.get("category") or ""):  # what she bought first is not always ours to name
        facts["category"] = None
    key, formula_class = facts.pop("key"), FormulaClass(facts.pop("formula_class", FormulaClass.NONE))
    children = [child_from_json(values) for values in orjson.loads(row["children"])]
    ages = [youngest_months(child.dates, today.on) for child in children]
    return Intent(
        member_id=row["member_id"],
        baby_id=row["baby_id"],
        channel=Channel.CALL,
        purpose=Purpose(row["purpose"]),
        template_key=f"call.{kind.value}",
        intent_key=f"call:{kind.value}:{row['member_id']}:{key}",
        not_before=today.at,
        expires_at=today.at + today.rules.call_expires_after,
        params={
            "store": row["store"],
            "nickname": facts.get("nickname", ""),
            "category": shelf_label(facts.get("category") or "", row["language"]),
        },
        formula_class=formula_class,
        is_about_babies=kind is CallbackKind.CAN_FINISH,
        value=row["value"],
        care_run_id=today.run_id,
        call=call_brief(kind, {**facts, "known_at": today.at.isoformat()}, row["value"], row["jurisdiction"], ages),
    )


async def offers(today: Today, after: UUID, shelves: dict[str, Shelf]) -> Batch:
    """Offers of the next members after the cursor who got nothing yet: one statement whatever the number of members."""
    rules = today.rules
    rows = await connection().execute_query_dict(
        statement("care_offers"),
        [
            today.run_id, after, rules.members_per_batch,
            list(shelves), [s.base_rate for s in shelves.values()],
            [s.line_amount * rules.offer_margin for s in shelves.values()],
            rules.offer_from_probability, rules.offer_from_lift, today.at - rules.no_promotion_again_within,
        ],
    )  # fmt: skip
    chosen = [_offer(today, row, shelves[row["category"]]) for row in rows if row["category"] and row["promotion"]]
    last = rows[-1]["member_id"] if rows else after
    return Batch(chosen, last, is_last=len(rows) < rules.members_per_batch)


def _offer(today: Today, row: dict[str, Any], shelf: Shelf) -> Intent:
    return Intent(
        member_id=row["member_id"],
        channel=channel_of(OFFER_CHANNELS, row["promotion"]),
        purpose=Purpose.PROMOTION,
        template_key=OFFER,
        intent_key=f"offer:{row['member_id']}:{today.on.isoformat()}",
        not_before=today.at,
        expires_at=today.at + today.rules.offer_expires_after,
        params={"category": shelf_label(shelf.category, row["language"]), "store": row["store"]},
        formula_class=shelf.formula_class,
        is_about_babies=shelf.is_for_babies,
        value=row["probability"] * row["worth"],
        care_run_id=today.run_id,
    )


def channel_of(preferred: Sequence[Channel], allowed: Sequence[str]) -> Channel:
    """The first that she allows; where she allows none the first of all, and contactability says why not."""
    return next((channel for channel in preferred if channel.value in allowed), preferred[0])
