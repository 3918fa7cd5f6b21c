"""The one decision: each reason in its place, and what must hold for every snapshot there can be."""

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import strategies as st

from domain.commerce.products import FormulaClass
from domain.outreach.attention import Counts, shared
from domain.outreach.contactability import CURED_BY_TIME, RULES_VERSION, decide
from domain.outreach.decisions import Verdict
from domain.outreach.facts import Child, Snapshot, Wording, snapshot_from_json, snapshot_to_json
from domain.outreach.hours import zone
from domain.outreach.reasons import WORDS, Reason, say_reason
from domain.people.consents import ConsentState
from domain.people.members import MemberStatus
from domain.platform.clock import local_day
from domain.platform.sources import Channel, Purpose
from domain.stages.engine import BabyDates
from tests.properties import holds_for

FRIDAY_NOON = datetime(2017, 12, 15, 12, 0, tzinfo=UTC)
MIA, BEN = UUID(int=1), UUID(int=2)


def child(born_on: date | None = None, *, key: UUID = MIA, is_stopped: bool = False, **dates: Any) -> Child:
    return Child(key, BabyDates(born_on=born_on, **dates), is_stopped)


def wording(purpose: Purpose = Purpose.CARE, formula_class: FormulaClass = FormulaClass.NONE) -> Wording:
    return Wording(1, "en", purpose, formula_class, has_reward=False)


CLEAR = Snapshot(
    at=FRIDAY_NOON,
    intent_key="test",
    member_id=UUID(int=9),
    baby_id=None,
    channel=Channel.SMS,
    purpose=Purpose.CARE,
    template_key="stage.NEWBORN",
    formula_class=FormulaClass.NONE,
    has_reward=False,
    is_about_babies=False,
    not_before=FRIDAY_NOON,
    expires_at=FRIDAY_NOON + timedelta(days=7),
    status=MemberStatus.ACTIVE,
    jurisdiction="US",
    zones=("UTC",),
    children=(child(date(2017, 12, 1)),),
    consent=ConsentState.GRANTED,
    suppression=None,
    has_address=True,
    wording=wording(),
    touches=Counts(),
)
OFFER = replace(CLEAR, purpose=Purpose.PROMOTION, wording=wording(Purpose.PROMOTION))


def test_care_whose_time_a_moved_date_has_ended_waits_no_more() -> None:
    """Decided when she was expected, decided again after the birth; a due date that moved on ends nothing."""
    about = f"care:{MIA}:ANTENATAL_8"
    waiting = replace(CLEAR, intent_key=about, baby_id=MIA, children=(child(due_on=date(2017, 12, 14)),))
    assert decide(waiting).verdict is Verdict.SEND
    assert decide(replace(waiting, children=(child(due_on=date(2017, 12, 28)),))).verdict is Verdict.SEND
    assert decide(replace(waiting, children=(child(date(2017, 12, 15)),))).reasons == (Reason.EXPIRED,)
    born = replace(CLEAR, intent_key=f"care:{MIA}:VISIT_1W", baby_id=MIA, children=(child(date(2017, 12, 10)),))
    assert decide(born).verdict is Verdict.SEND
    assert decide(replace(born, children=(child(date(2017, 12, 1)),))).reasons == (Reason.EXPIRED,)
    for key in ("care:1", f"care:{MIA}:OF_NO_PLAN", f"stage:{MIA}"):
        assert decide(replace(born, intent_key=key)).verdict is Verdict.SEND


def test_a_clear_snapshot_is_sent() -> None:
    answer = decide(CLEAR)
    assert (answer.verdict, answer.reasons, answer.next_possible_at) == (Verdict.SEND, (Reason.OK,), None)
    assert (answer.day, answer.caps, answer.rules_version) == (date(2017, 12, 15), Counts(2, 4, 12), RULES_VERSION)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"status": MemberStatus.BLOCKED}, Reason.MEMBER_BLOCKED),
        ({"status": MemberStatus.ERASED}, Reason.MEMBER_ERASED),
        ({"baby_id": MIA, "children": (child(date(2017, 12, 1), is_stopped=True),)}, Reason.LOSS),
        ({"is_about_babies": True, "children": (child(), child(key=BEN, is_stopped=True))}, Reason.LOSS),
        ({"baby_id": BEN}, Reason.BABY_NOT_HERS),
        ({"has_reward": True, "formula_class": FormulaClass.UNKNOWN}, Reason.FORMULA_LAW),
        ({"consent": None}, Reason.NO_CONSENT),
        ({"consent": ConsentState.WITHDRAWN}, Reason.CONSENT_WITHDRAWN),
        ({"suppression": "STOP_WORD"}, Reason.SUPPRESSED_ADDRESS),
        ({"suppression": "DO_NOT_CALL"}, Reason.DO_NOT_CALL),
        ({"expires_at": FRIDAY_NOON}, Reason.EXPIRED),
        ({"wording": None}, Reason.NO_TEMPLATE),
        ({"wording": wording(Purpose.SERVICE)}, Reason.TEMPLATE_MISMATCH),
        ({"has_address": False}, Reason.NO_ADDRESS),
    ],
)
def test_each_obstacle_suppresses_with_its_own_reason(change: dict[str, Any], reason: Reason) -> None:
    answer = decide(replace(CLEAR, **change))
    assert (answer.verdict, answer.primary_reason) == (Verdict.SUPPRESS, reason)


def test_festivals_that_hurt_are_muted_after_a_loss_and_only_those() -> None:
    lost = (child(date(2016, 1, 1)), child(key=BEN, is_stopped=True))
    for code, children, verdict in (
        ("MOTHERS_DAY", lost, Verdict.SUPPRESS), ("QINGMING", lost, Verdict.SUPPRESS),
        ("MID_AUTUMN", lost, Verdict.SEND), ("MOTHERS_DAY", lost[:1], Verdict.SEND),
    ):  # fmt: skip
        touch = replace(OFFER, intent_key=f"festival:{code}:2018:1", children=children)
        assert decide(touch).verdict is verdict, code
        # About the child who lives, too: the day is what hurts.
        assert decide(replace(touch, baby_id=MIA)).verdict is verdict
        assert decide(snapshot_from_json(snapshot_to_json(touch))) == decide(touch)


def test_the_first_obstacle_is_primary_and_all_are_listed() -> None:
    worst = replace(
        CLEAR,
        at=FRIDAY_NOON + timedelta(hours=12),
        status=MemberStatus.BLOCKED,
        consent=None,
        suppression="BOUNCED",
        has_address=False,
        touches=Counts(9, 9, 99),  # day and week are over by the time the month is
    )
    assert decide(worst).reasons == (
        Reason.MEMBER_BLOCKED,
        Reason.NO_CONSENT,
        Reason.SUPPRESSED_ADDRESS,
        Reason.NO_ADDRESS,
        Reason.QUIET_HOURS,
        Reason.MONTHLY_CAP,
    )


def test_other_babies_of_the_family_still_get_their_care() -> None:
    family = (child(date(2017, 6, 1)), child(key=BEN, is_stopped=True))
    assert decide(replace(CLEAR, baby_id=MIA, children=family)).verdict is Verdict.SEND


@pytest.mark.parametrize(
    ("children", "law_binds"),
    [
        ((child(date(2017, 6, 15)),), False),  # six months old today
        ((child(date(2017, 6, 16)),), True),
        ((child(date(2017, 5, 1), gestation_weeks=30),), True),  # seven months, corrected five
        ((child(date(2017, 1, 1)), child(due_on=date(2018, 5, 1), key=BEN)), True),
        ((child(date(2017, 1, 1)), child(key=BEN)), True),
        ((child(date(2017, 1, 1)), child(date(2017, 11, 1), key=BEN, is_stopped=True)), True),
        ((), True),
    ],
)
def test_follow_on_offers_wait_until_the_youngest_is_six_months(children: tuple[Child, ...], law_binds: bool) -> None:
    answer = decide(replace(OFFER, formula_class=FormulaClass.FOLLOW_ON, children=children))
    assert (answer.primary_reason is Reason.FORMULA_LAW) == law_binds
    assert answer.law_rule == ("house.substitutes-under-6-months" if law_binds else None)


def test_the_law_reads_the_template_too_and_leaves_care_and_service_alone() -> None:
    by_template = replace(OFFER, wording=wording(Purpose.PROMOTION, FormulaClass.INFANT_FORMULA))
    assert decide(by_template).law_rule == "house.infant-formula"
    assert decide(replace(CLEAR, formula_class=FormulaClass.INFANT_FORMULA)).verdict is Verdict.SEND
    call = replace(OFFER, channel=Channel.CALL, formula_class=FormulaClass.INFANT_FORMULA)
    assert decide(call).primary_reason is Reason.FORMULA_LAW


def test_at_night_it_waits_for_her_own_morning_in_every_plausible_zone() -> None:
    at = datetime(2017, 12, 15, 3, 0, tzinfo=UTC)
    night = replace(CLEAR, at=at, not_before=at, zones=("America/New_York",))
    answer = decide(night)  # 22:00 in New York
    assert (answer.verdict, answer.primary_reason) == (Verdict.HOLD, Reason.QUIET_HOURS)
    assert answer.next_possible_at == datetime(2017, 12, 15, 13, 0, tzinfo=UTC)
    both = decide(replace(night, zones=("America/New_York", "America/Los_Angeles")))
    assert both.next_possible_at == datetime(2017, 12, 15, 16, 0, tzinfo=UTC)
    apart = decide(replace(night, zones=("UTC", "Asia/Shanghai", "America/Los_Angeles")))
    assert (apart.verdict, apart.primary_reason) == (Verdict.SUPPRESS, Reason.NO_COMMON_HOUR)


def test_a_full_week_waits_for_monday_morning() -> None:
    full = Counts(0, 2, 2)
    answer = decide(replace(OFFER, touches=full, expires_at=FRIDAY_NOON + timedelta(days=5)))
    assert (answer.verdict, answer.primary_reason) == (Verdict.HOLD, Reason.WEEKLY_CAP)
    assert answer.next_possible_at == datetime(2017, 12, 18, 8, 0, tzinfo=UTC)
    assert decide(replace(CLEAR, touches=full)).verdict is Verdict.SEND  # care has slots that promotion cannot take
    too_late = decide(replace(OFFER, touches=full, expires_at=FRIDAY_NOON + timedelta(days=2)))
    assert (too_late.verdict, too_late.reasons) == (Verdict.SUPPRESS, (Reason.WEEKLY_CAP, Reason.EXPIRES_FIRST))


@pytest.mark.parametrize(
    ("at", "touches", "reasons", "possible_at"),
    [
        # a full day waits for the next morning, a full month for the first of the next
        (FRIDAY_NOON, Counts(1, 1, 1), (Reason.DAILY_CAP,), datetime(2017, 12, 16, 8, tzinfo=UTC)),
        (FRIDAY_NOON, Counts(0, 0, 6), (Reason.MONTHLY_CAP,), datetime(2018, 1, 1, 8, tzinfo=UTC)),
        # on Sunday a full day leads into a new week, whose budget is another
        (datetime(2017, 12, 17, 12, tzinfo=UTC), Counts(1, 1, 1), (Reason.DAILY_CAP,),
         datetime(2017, 12, 18, 8, tzinfo=UTC)),
        # Wednesday the 31st: the new month begins within the full week
        (datetime(2018, 1, 31, 12, tzinfo=UTC), Counts(0, 2, 6), (Reason.MONTHLY_CAP, Reason.WEEKLY_CAP),
         datetime(2018, 2, 5, 8, tzinfo=UTC)),
    ],
)  # fmt: skip
def test_every_window_has_its_own_end(
    at: datetime, touches: Counts, reasons: tuple[Reason, ...], possible_at: datetime
) -> None:
    offer = replace(OFFER, at=at, not_before=at, expires_at=at + timedelta(days=60), touches=touches)
    answer = decide(offer)
    assert (answer.verdict, answer.reasons, answer.next_possible_at) == (Verdict.HOLD, reasons, possible_at)


def test_what_matters_more_to_her_goes_first() -> None:
    one_left = replace(CLEAR, touches=Counts(1, 1, 1), better_waiting=1)
    answer = decide(one_left)
    assert (answer.verdict, answer.reasons) == (Verdict.HOLD, (Reason.YIELDS,))
    assert answer.next_possible_at == FRIDAY_NOON + timedelta(minutes=1)
    assert decide(replace(one_left, touches=Counts(0, 1, 1))).verdict is Verdict.SEND  # there is room for both
    assert decide(replace(one_left, touches=Counts(2, 2, 2))).reasons == (Reason.DAILY_CAP,)


def test_a_clock_change_does_not_open_the_night() -> None:
    spring = datetime(2018, 3, 11, 5, 30, tzinfo=UTC)  # 00:30 in New York, clocks jump at 02:00
    answer = decide(replace(CLEAR, at=spring, expires_at=spring + timedelta(days=2), zones=("America/New_York",)))
    assert answer.next_possible_at == datetime(2018, 3, 11, 12, 0, tzinfo=UTC)  # 08:00 EDT


def test_every_reason_has_words_in_both_languages() -> None:
    assert set(WORDS) == set(Reason)
    assert say_reason(Reason.QUIET_HOURS, "zh-CN") != say_reason(Reason.QUIET_HOURS, "en")


ZONES = [
    "UTC",
    "America/New_York",
    "Asia/Shanghai",
    "Africa/Cairo",
    "America/Santiago",
    "Asia/Kathmandu",
    "Nowhere/At_All",
]
moments = st.datetimes(datetime(2017, 1, 1), datetime(2020, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
dates = st.dates(date(2014, 1, 1), date(2020, 6, 1))
children = st.builds(
    Child,
    id=st.sampled_from([MIA, BEN]),
    dates=st.builds(
        BabyDates, born_on=st.none() | dates, due_on=st.none() | dates, gestation_weeks=st.none() | st.integers(20, 45)
    ),
    is_stopped=st.booleans(),
)
# Two thirds of all answers should get past consent and the like, or the clock is never tried.
wordings = st.builds(
    Wording, st.integers(1, 9), st.just("en"), st.sampled_from(Purpose), st.sampled_from(FormulaClass), st.booleans()
)
snapshots = st.builds(
    Snapshot,
    at=moments,
    intent_key=st.text(max_size=20),
    member_id=st.uuids(),
    baby_id=st.none() | st.sampled_from([MIA, BEN]),
    channel=st.sampled_from(Channel),
    purpose=st.sampled_from(Purpose),
    template_key=st.just("t"),
    formula_class=st.just(FormulaClass.NONE) | st.sampled_from(FormulaClass),
    has_reward=st.booleans(),
    is_about_babies=st.booleans(),
    not_before=moments,
    expires_at=moments | st.just(datetime(2021, 1, 1, tzinfo=UTC)),
    status=st.just(MemberStatus.ACTIVE) | st.sampled_from(MemberStatus),
    jurisdiction=st.sampled_from(["US", "CN", "GB", "PH", "BR"]),
    zones=st.lists(st.sampled_from(ZONES), min_size=1, max_size=2).map(tuple),
    children=st.lists(children, max_size=3).map(tuple),
    consent=st.just(ConsentState.GRANTED) | st.none() | st.sampled_from(ConsentState),
    suppression=st.none() | st.just("BOUNCED"),
    has_address=st.just(True) | st.booleans(),
    wording=st.none() | wordings,
    touches=st.builds(Counts, st.integers(0, 3), st.integers(0, 5), st.integers(0, 13)),
    better_waiting=st.just(0) | st.integers(0, 3),
)  # fmt: skip


@holds_for(snapshots, examples=400)
def test_a_stored_decision_replays_identically(snapshot: Snapshot) -> None:
    stored = json.dumps(snapshot_to_json(snapshot))
    again = snapshot_from_json(json.loads(stored))
    assert again == snapshot
    assert decide(again) == decide(snapshot)


@holds_for(st.lists(snapshots, max_size=30), examples=100, many=2_000)
def test_eligible_is_sent_and_held_and_suppressed(many: list[Snapshot]) -> None:
    answers = [decide(snapshot) for snapshot in many]
    counts = Counter(answer.verdict for answer in answers)
    assert len(many) == counts[Verdict.SEND] + counts[Verdict.HOLD] + counts[Verdict.SUPPRESS]
    for answer in answers:
        assert (answer.primary_reason is Reason.OK) == (answer.verdict is Verdict.SEND)
        assert len(set(answer.reasons)) == len(answer.reasons)
        assert (answer.verdict is Verdict.HOLD) <= (set(answer.reasons) <= CURED_BY_TIME)


@holds_for(snapshots, st.sampled_from([FormulaClass.INFANT_FORMULA, FormulaClass.UNKNOWN]), examples=300)
def test_nothing_ever_promotes_infant_formula(snapshot: Snapshot, formula_class: FormulaClass) -> None:
    answer = decide(replace(snapshot, formula_class=formula_class))
    if snapshot.purpose is Purpose.PROMOTION or snapshot.has_reward:
        assert answer.verdict is Verdict.SUPPRESS
        assert Reason.FORMULA_LAW in answer.reasons


@holds_for(snapshots, st.integers(0, 23), examples=300, many=10_000)
def test_a_held_touch_may_leave_at_its_next_possible_time_and_not_a_moment_before(
    snapshot: Snapshot, hour: int
) -> None:
    """Clear everything but the clock, so that most examples are held."""
    held = replace(
        snapshot, at=snapshot.at.replace(hour=hour), baby_id=None, is_about_babies=False, has_reward=False,
        formula_class=FormulaClass.NONE, status=MemberStatus.ACTIVE, consent=ConsentState.GRANTED, suppression=None,
        has_address=True, wording=wording(snapshot.purpose), not_before=snapshot.at + timedelta(hours=hour - 12),
        expires_at=datetime(2030, 1, 1, tzinfo=UTC), zones=snapshot.zones[:1], better_waiting=0,
    )  # fmt: skip
    answer = decide(held)
    if answer.verdict is Verdict.SEND:
        return
    assert answer.verdict is Verdict.HOLD
    assert answer.next_possible_at is not None
    assert answer.next_possible_at > held.at
    assert decide(_at(held, answer.next_possible_at)).verdict is Verdict.SEND
    just_before = max(held.at, answer.next_possible_at - timedelta(seconds=1))
    assert decide(_at(held, just_before)).verdict is Verdict.HOLD


def _at(snapshot: Snapshot, at: datetime) -> Snapshot:
    """As it would be taken then, when nothing was sent meanwhile."""
    before, then = (local_day(moment, zone(snapshot.zones[0])) for moment in (snapshot.at, at))
    kept = shared(before, then)
    return replace(snapshot, at=at, touches=Counts(*(n * one for n, one in zip(snapshot.touches, kept, strict=True))))
