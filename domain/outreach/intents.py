"""Intents: the wish to reach a member once, before anybody has decided whether we may."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from domain.care.callbacks import CallbackKind
from domain.commerce.products import FormulaClass
from domain.platform.sources import Channel, Purpose


def care_key(intent_key: str) -> str | None:
    """The key of the care item that an intent is about, which stands behind the baby; None: of none."""
    prefix, _, rest = intent_key.partition(":")
    return rest.partition(":")[2] or None if prefix in ("care", "stage") else None


@dataclass(frozen=True, slots=True)
class CallBrief:
    """What a consultant gets to know before she dials."""

    kind: CallbackKind
    reason_code: str
    reason: dict[str, Any]  # the facts, which call_reasons says in words; or {"en": ..., "zh-Hans": ...}
    talking_points: list[dict[str, Any]]  # {"kind": SAY | ASK | DO_NOT_SAY, "code": ..., "en": ..., "zh-Hans": ...}
    priority: float  # higher first: the call's expected value


@dataclass(frozen=True, slots=True)
class Intent:
    """The same `intent_key` twice is one intent: whoever stores it relies on that.

    `formula_class` and `has_reward` speak of what is offered; the template's own class is added by the snapshot, and
    the stricter wins. `call` is there exactly for channel CALL.
    """

    member_id: UUID
    channel: Channel
    purpose: Purpose
    template_key: str
    intent_key: str
    not_before: datetime  # business clock
    expires_at: datetime  # business clock
    baby_id: UUID | None = None
    params: dict[str, Any] = field(default_factory=dict)
    formula_class: FormulaClass = FormulaClass.NONE
    has_reward: bool = False
    is_about_babies: bool = False  # baby content that names no baby: a loss in the household silences it
    value: float = 0.0  # expected worth of the touch; scarce slots go to the highest
    care_run_id: UUID | None = None
    call: CallBrief | None = None

    def __post_init__(self) -> None:
        assert (self.call is not None) == (self.channel is Channel.CALL), "a call, and only a call, carries a brief"
        assert self.not_before.tzinfo is not None, "times are aware"
        assert self.expires_at.tzinfo is not None, "times are aware"
