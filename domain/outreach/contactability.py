"""May we? One pure function for every touch on every channel: a frozen snapshot in, one answer out.

It asks, in this order: status, loss, law, consent, do-not-call and suppression, hours, attention, template and address.
Everything that stands in the way is listed; the first one that no waiting cures is the primary reason, else the first
that time cures. The same snapshot under the same rules version always gives the same answer.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from domain.outreach.attention import Counts, Window, next_start, start_of
from domain.outreach.decisions import Verdict
from domain.outreach.facts import Child, Snapshot
from domain.outreach.festivals import festival_of, festivals_version
from domain.outreach.hours import is_open, midnight, next_open, zone
from domain.outreach.intents import care_key
from domain.outreach.law.packs import attention_caps, binding_formula_rule, hours_for, law_version
from domain.outreach.reasons import Reason
from domain.people.consents import ConsentState
from domain.people.members import MemberStatus
from domain.platform.clock import local_day
from domain.platform.sources import Purpose
from domain.stages.care_calendar import is_over
from domain.stages.engine import youngest_months

CODE_VERSION = "4"
RULES_VERSION = f"contact-{CODE_VERSION}+law-{law_version()}.{festivals_version()}"
"""Names this function and every rule it read; stored with each answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`next_possible_at`: for HOLD when to ask again; for SUPPRESS only where time is what stood in the way."""

    verdict: Verdict
    primary_reason: Reason
    reasons: tuple[Reason, ...]  # primary first; (OK,) for SEND
    next_possible_at: datetime | None
    law_rule: str | None  # the rule that binds, for the reason FORMULA_LAW
    day: date  # her local day: a send takes a slot of its windows
    caps: Counts  # and how many those may hold before this touch
    rules_version: str = RULES_VERSION


CAPPED = {Window.MONTH: Reason.MONTHLY_CAP, Window.WEEK: Reason.WEEKLY_CAP, Window.DAY: Reason.DAILY_CAP}
CURED_BY_TIME = frozenset({Reason.TOO_EARLY, Reason.QUIET_HOURS, *CAPPED.values(), Reason.YIELDS})
YIELD_FOR = timedelta(minutes=1)
"""After so long what matters more has its slot, or will not need one."""


def decide(snapshot: Snapshot) -> Answer:
    """May this touch leave now? Total and pure; see the module for the order of questions."""
    rule = _formula_rule(snapshot)
    standing = [
        *_status(snapshot),
        *_loss(snapshot),
        *([Reason.FORMULA_LAW] if rule else []),
        *_consent(snapshot),
        *_suppression(snapshot),
    ]
    timing, possible_at = _timing(snapshot)
    standing += [*timing, *_wording(snapshot), *([] if snapshot.has_address else [Reason.NO_ADDRESS])]
    final = [reason for reason in standing if reason not in CURED_BY_TIME]
    waiting = [reason for reason in standing if reason in CURED_BY_TIME]
    if final:
        verdict, reasons = Verdict.SUPPRESS, (*final, *waiting)
        possible_at = None
    elif waiting and possible_at is not None and possible_at >= snapshot.expires_at:
        verdict, reasons = Verdict.SUPPRESS, (*waiting, Reason.EXPIRES_FIRST)
    elif waiting:
        verdict, reasons = Verdict.HOLD, tuple(waiting)
    else:
        verdict, reasons, possible_at = Verdict.SEND, (Reason.OK,), None
    return Answer(
        verdict=verdict,
        primary_reason=reasons[0],
        reasons=tuple(reasons),
        next_possible_at=possible_at,
        law_rule=rule,
        day=local_day(snapshot.at, zone(snapshot.zones[0])),
        caps=attention_caps(snapshot.purpose),
    )


def _status(snapshot: Snapshot) -> list[Reason]:
    if snapshot.status is MemberStatus.ACTIVE:
        return []
    return [Reason.MEMBER_ERASED if snapshot.status is MemberStatus.ERASED else Reason.MEMBER_BLOCKED]


def _loss(snapshot: Snapshot) -> list[Reason]:
    """Nothing about a stopped baby; to a family that lost one nothing about babies, nor of festivals that hurt."""
    festival = festival_of(snapshot.intent_key)
    if festival is not None and festival.is_sensitive and any(child.is_stopped for child in snapshot.children):
        return [Reason.LOSS]
    if snapshot.baby_id is None:
        stopped = snapshot.is_about_babies and any(child.is_stopped for child in snapshot.children)
        return [Reason.LOSS] if stopped else []
    child = _child(snapshot)
    if child is None:
        return [Reason.BABY_NOT_HERS]
    return [Reason.LOSS] if child.is_stopped else []


def _formula_rule(snapshot: Snapshot) -> str | None:
    """The id of the rule that binds. Only promotion and rewards are covered: care and service remain."""
    wording = snapshot.wording
    has_reward = snapshot.has_reward or (wording is not None and wording.has_reward)
    is_promotion = Purpose.PROMOTION in (snapshot.purpose, wording.purpose if wording else snapshot.purpose)
    if not (is_promotion or has_reward):
        return None
    today = min(local_day(snapshot.at, zone(name)) for name in snapshot.zones)
    ages = [youngest_months(child.dates, today) for child in snapshot.children]
    for formula_class in (snapshot.formula_class, *([wording.formula_class] if wording else [])):
        rule = binding_formula_rule(snapshot.jurisdiction, formula_class, ages)
        if rule is not None:
            return rule.id
    return None


def _consent(snapshot: Snapshot) -> list[Reason]:
    if snapshot.consent is ConsentState.GRANTED:
        return []
    return [Reason.NO_CONSENT if snapshot.consent is None else Reason.CONSENT_WITHDRAWN]


def _suppression(snapshot: Snapshot) -> list[Reason]:
    if snapshot.suppression is None:
        return []
    return [Reason.DO_NOT_CALL if snapshot.suppression == Reason.DO_NOT_CALL else Reason.SUPPRESSED_ADDRESS]


def _wording(snapshot: Snapshot) -> list[Reason]:
    if snapshot.wording is None:
        return [Reason.NO_TEMPLATE]
    return [] if snapshot.wording.purpose is snapshot.purpose else [Reason.TEMPLATE_MISMATCH]


def _is_over(snapshot: Snapshot) -> bool:
    """Of care: her dates moved while it waited, and its time is past. (No check-up of a pregnancy after the birth.)"""
    key, child = care_key(snapshot.intent_key), _child(snapshot)
    if key is None or child is None:
        return False
    return is_over(child.dates, key, min(local_day(snapshot.at, zone(name)) for name in snapshot.zones))


def _child(snapshot: Snapshot) -> Child | None:
    """Whom it is about."""
    return next((child for child in snapshot.children if child.id == snapshot.baby_id), None)


def _timing(snapshot: Snapshot) -> tuple[list[Reason], datetime | None]:
    """What the clock says, and the first moment at which it would say nothing any more."""
    reasons = [Reason.EXPIRED] if snapshot.at >= snapshot.expires_at or _is_over(snapshot) else []
    at = snapshot.at
    if snapshot.not_before > at:
        reasons.append(Reason.TOO_EARLY)
        at = snapshot.not_before
    hours = hours_for(snapshot.jurisdiction, snapshot.channel, snapshot.purpose)
    if not is_open(at, snapshot.zones, hours):
        reasons.append(Reason.QUIET_HOURS)
    capped, at = _attention(snapshot, at)
    reasons += capped
    possible_at = next_open(at, snapshot.zones, hours)
    if possible_at is None:
        reasons.append(Reason.NO_COMMON_HOUR)
    return reasons, possible_at if reasons else None


def _attention(snapshot: Snapshot, at: datetime) -> tuple[list[Reason], datetime]:
    """Which windows are full, and when they are over; or that others go first. `at`: when it could leave otherwise."""
    name, caps, reasons = snapshot.zones[0], attention_caps(snapshot.purpose), list[Reason]()
    today = local_day(snapshot.at, zone(name))
    for window, reason in CAPPED.items():  # the longest first: who waits for it finds the budget of a new day
        day = local_day(at, zone(name))
        if start_of(window, day) == start_of(window, today) and snapshot.touches.of(window) >= caps.of(window):
            reasons.append(reason)
            at = midnight(next_start(window, day), name)
    room = min(cap - taken for cap, taken in zip(caps, snapshot.touches, strict=True))
    if not reasons and snapshot.better_waiting >= room:
        return [Reason.YIELDS], max(at, snapshot.at + YIELD_FOR)
    return reasons, at
