"""Next acts: what each member should get today, at most one thing. Set-based: a batch of members is one statement."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
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
from domain.outreach.templates import CareItem, catalogue
from domain.platform.sources import Channel, Purpose
from domain.sql import statement
from domain.stages.calendar import last_born_at_least
from domain.stages.engine import stage_window, youngest_months
from domain.stages.rules import RULES, Stage

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


@dataclass(frozen=True, slots=True)
class CareDates:
    """The dates that make a care message due: the baby entered its stage, and not too long ago."""

    item: CareItem
    is_born: bool
    day_from: date
    day_to: date


def care_dates(on: date) -> list[CareDates]:
    """Of each care item on a day, from birth dates (corrected where the item says so) or due dates."""
    found = []
    for item in catalogue().care:
        window = stage_window(item.stage, on)
        assert window is not None, "a care item belongs to a stage with a window"
        before = on - timedelta(days=item.within_days + 1)
        if window.born:
            assert window.born_to is not None
            entered_after = last_born_at_least(RULES.childhood[item.stage].start, before) + timedelta(days=1)
            day_from, day_to = max(entered_after, window.born_from or entered_after), window.born_to
        else:
            assert window.due_to is not None
            day_to = window.due_to
            entered_after = day_to - timedelta(days=item.within_days)
            day_from = max(entered_after, window.due_from or entered_after)
        found.append(CareDates(item, window.born, day_from, day_to))
    return found


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


async def messages(today: Today, after: UUID, shelves: dict[str, Shelf]) -> Batch:
    """Stage care and offers of the next members after the cursor: one statement whatever the number of members."""
    rules, due = today.rules, care_dates(today.on)
    rows = await connection().execute_query_dict(
        statement("care_messages"),
        [
            today.run_id, today.on, after, rules.members_per_batch,
            [d.item.stage.value for d in due], [d.is_born for d in due], [d.item.is_by_corrected_age for d in due],
            [d.day_from for d in due], [d.day_to for d in due],
            RULES.term_weeks, RULES.full_term_weeks, RULES.corrected_until_months,
            list(shelves), [s.base_rate for s in shelves.values()],
            [s.line_amount * rules.offer_margin for s in shelves.values()],
            rules.offer_from_probability, rules.offer_from_lift, today.at - rules.no_promotion_again_within,
        ],
    )  # fmt: skip
    items = {d.item.stage: d.item for d in due}
    chosen = [_best(_message_acts(today, row, items, shelves)) for row in rows]
    last = rows[-1]["member_id"] if rows else after
    return Batch([act for act in chosen if act is not None], last, is_last=len(rows) < rules.members_per_batch)


def _best(acts: Sequence[Intent]) -> Intent | None:
    """At most one act a member: the most valuable."""
    return max(acts, key=lambda act: act.value, default=None)


def _message_acts(
    today: Today, row: dict[str, Any], items: dict[Stage, CareItem], shelves: dict[str, Shelf]
) -> list[Intent]:
    acts = []
    if row["stage"] is not None:
        acts.append(_stage_care(today, row, items[Stage(row["stage"])]))
    if row["category"] is not None and row["promotion"]:
        acts.append(_offer(today, row, shelves[row["category"]]))
    return acts


def _stage_care(today: Today, row: dict[str, Any], item: CareItem) -> Intent:
    """Once for each baby and stage. Where she allows no channel it is planned all the same, and its reason kept."""
    return Intent(
        member_id=row["member_id"],
        baby_id=row["baby_id"],
        channel=_channel(item.channels, row["care"]),
        purpose=Purpose.CARE,
        template_key=item.template_key,
        intent_key=f"stage:{row['baby_id']}:{item.stage.value}",
        not_before=today.at,
        expires_at=today.at + today.rules.stage_care_expires_after,
        params={"nickname": row["nickname"]},
        value=today.rules.stage_care_worth,
        care_run_id=today.run_id,
    )


def _offer(today: Today, row: dict[str, Any], shelf: Shelf) -> Intent:
    return Intent(
        member_id=row["member_id"],
        channel=_channel(OFFER_CHANNELS, row["promotion"]),
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


def _channel(preferred: Sequence[Channel], allowed: Sequence[str]) -> Channel:
    return next((channel for channel in preferred if channel.value in allowed), preferred[0])
