"""The packs: read from their files once, asked by jurisdiction. Pure: facts in, the binding rule out."""

import hashlib
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import time
from functools import lru_cache
from pathlib import Path
from typing import Any

from domain.commerce.products import FormulaClass
from domain.outreach.attention import ORDER, Counts
from domain.platform.sources import Channel, Purpose

FOLDER = Path(__file__).parent
HOUSE = "house"
STRICTEST = "who_strict"


@dataclass(frozen=True, slots=True)
class FormulaRule:
    """No promotion, coupon or reward for these classes: ever, or while the youngest child is under some months."""

    id: str
    classes: frozenset[FormulaClass]
    under_months: int | None  # None = ever
    source: str


@dataclass(frozen=True, slots=True)
class HoursRule:
    """On these channels and for these purposes we reach out from `opens` to before `closes`, her local time."""

    id: str
    channels: frozenset[Channel]
    purposes: frozenset[Purpose]
    opens: time
    closes: time
    source: str


@dataclass(frozen=True, slots=True)
class Pack:
    id: str
    version: str
    jurisdictions: frozenset[str]
    formula: tuple[FormulaRule, ...]
    hours: tuple[HoursRule, ...]
    opt_out: dict[str, str]  # language -> wording
    sms_signature: str  # with {brand}
    caps: dict[Purpose, Counts]  # touches in a window that are too many for one more of the purpose


def _pack(document: dict[str, Any]) -> Pack:
    formula = tuple(
        FormulaRule(
            rule["id"],
            frozenset(FormulaClass(name) for name in rule["classes"]),
            None if rule.get("ever") else int(rule["under_months"]),
            rule["source"],
        )
        for rule in document.get("formula", [])
    )
    hours = tuple(
        HoursRule(
            rule["id"],
            frozenset(Channel(name) for name in rule["channels"]),
            frozenset(Purpose(name) for name in rule["purposes"]),
            time.fromisoformat(rule["opens"]),
            time.fromisoformat(rule["closes"]),
            rule["source"],
        )
        for rule in document.get("hours", [])
    )
    attention = document.get("attention", {})
    return Pack(
        id=document["id"],
        version=document["version"],
        jurisdictions=frozenset(document["jurisdictions"]),
        formula=formula,
        hours=hours,
        opt_out=document.get("opt_out", {}),
        sms_signature=document.get("signature", {}).get("sms", ""),
        caps={
            purpose: Counts(*(int(attention[window.value.lower()][purpose.value]) for window in ORDER))
            for purpose in (Purpose if attention else ())
        },
    )


@lru_cache(maxsize=1)
def packs() -> dict[str, Pack]:
    """All packs by id. Reads the files once a process; a malformed file stops the start."""
    found = [_pack(tomllib.loads(path.read_text("utf-8"))) for path in sorted(FOLDER.glob("*.toml"))]
    return {pack.id: pack for pack in found}


@lru_cache(maxsize=1)
def law_version() -> str:
    """Names the text of all packs: any change of a rule changes it."""
    texts = b"\0".join(path.read_bytes() for path in sorted(FOLDER.glob("*.toml")))
    return hashlib.sha256(texts).hexdigest()[:12]


@lru_cache(maxsize=512)
def packs_for(jurisdiction: str) -> tuple[Pack, ...]:
    """The house's rules and the pack of a jurisdiction (ISO 3166); the strictest pack where we have none of its own."""
    own = next((p for p in packs().values() if jurisdiction.upper() in p.jurisdictions), packs()[STRICTEST])
    return (packs()[HOUSE], own)


def binding_formula_rule(
    jurisdiction: str, formula_class: FormulaClass, ages_months: Iterable[int | None]
) -> FormulaRule | None:
    """The rule that forbids promoting this class to a household with children of these ages, or None.

    An age of None (unborn, undated) counts as youngest, and so does a household that names no child.
    """
    ages = list(ages_months) or [None]
    youngest = min(-1 if age is None else age for age in ages)
    for pack in packs_for(jurisdiction):
        for rule in pack.formula:
            if formula_class in rule.classes and (rule.under_months is None or youngest < rule.under_months):
                return rule
    return None


def hours_for(jurisdiction: str, channel: Channel, purpose: Purpose) -> tuple[time, time] | None:
    """The hours in which all binding rules allow the touch; None = any hour."""
    rules = [
        rule
        for pack in packs_for(jurisdiction)
        for rule in pack.hours
        if channel in rule.channels and purpose in rule.purposes
    ]
    return (max(r.opens for r in rules), min(r.closes for r in rules)) if rules else None


def attention_caps(purpose: Purpose) -> Counts:
    """How many touches in a window are so many that one more of this purpose is refused."""
    return packs()[HOUSE].caps[purpose]


def opt_out_words(jurisdiction: str, language: str) -> str:
    """How to say no to promotion, in the words that the jurisdiction's networks understand."""
    house, own = packs_for(jurisdiction)
    words = own.opt_out or house.opt_out
    return words.get(language) or words["en"]


def sms_signature(jurisdiction: str, brand: str) -> str:
    """What stands in front of every SMS, so that she knows who writes."""
    house, own = packs_for(jurisdiction)
    return (own.sms_signature or house.sms_signature).format(brand=brand)
