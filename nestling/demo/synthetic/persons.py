"""Synthetic people: everything personal about a household's carer, drawn from its number and nothing else.

The same number gives the same person on every machine. Phones are +1 NPA 555-0100..0199: valid and assigned to nobody;
e-mails stand under example domains. Language and jurisdiction are drawn on their own, never from the phone.
"""

from dataclasses import dataclass
from random import Random

from domain.people.consents import ConsentState
from domain.people.members import CarerRole
from domain.people.names import name_key
from domain.platform.sources import Channel, Purpose
from nestling.demo.synthetic import words

CONSULTANTS = 6
LARGEST_NUMBER = 2503  # a prime above the source's largest household number, so that the phones are a permutation
ROLES = (
    (CarerRole.MOTHER, 0.66), (CarerRole.FATHER, 0.17), (CarerRole.GRANDPARENT, 0.10), (CarerRole.NANNY, 0.02),
    (CarerRole.UNKNOWN, 0.05),
)  # fmt: skip
WILLING = {Purpose.SERVICE: 0.97, Purpose.CARE: 0.88, Purpose.PROMOTION: 0.62}
REACHED = {Channel.SMS: 0.96, Channel.EMAIL: 0.82, Channel.CALL: 0.75}


@dataclass(frozen=True, slots=True)
class Allowed:
    """One consent of hers. `share` says when, as a share of the time between her first purchase and now."""

    purpose: Purpose
    channel: Channel
    state: ConsentState
    share: float


@dataclass(frozen=True, slots=True)
class Person:
    full_name: str
    language: str
    jurisdiction: str
    carer_role: CarerRole
    phone: str
    email: str
    card: str
    wecom: str | None
    consultant: int | None  # 1..CONSULTANTS; None: nobody's yet
    consents: tuple[Allowed, ...]


def person(household: int) -> Person:
    """The made-up carer of a household. A pure function of its number (1..2500)."""
    draw = Random(f"person {household}")
    language = "zh-Hans" if draw.random() < 0.3 else "en"
    jurisdiction = "CN" if draw.random() < (0.7 if language == "zh-Hans" else 0.03) else "US"
    role = draw.choices([role for role, _ in ROLES], [weight for _, weight in ROLES])[0]
    name = _name(draw, language, is_man=role is CarerRole.FATHER)
    wecom = f"wm-demo-{household:05d}" if language == "zh-Hans" and draw.random() < 0.6 else None
    return Person(
        full_name=name,
        language=language,
        jurisdiction=jurisdiction,
        carer_role=role,
        phone=phone(household),
        email=f"{name_key(name).replace(' ', '.')}.{household}@example.{draw.choice(('com', 'org', 'net'))}",
        card=f"88{household * 104_729 % 1_000_003:07d}",
        wecom=wecom,
        consultant=draw.randint(1, CONSULTANTS) if draw.random() < 0.9 else None,
        consents=tuple(_consents(draw)),
    )


def phone(household: int) -> str:
    """Unique to the household, and neighbours' numbers are far apart."""
    place = household * 1009 % LARGEST_NUMBER
    return f"+1{words.AREA_CODES[place // 100]}55501{place % 100:02d}"


def _name(draw: Random, language: str, *, is_man: bool) -> str:
    if language == "zh-Hans":
        return draw.choice(words.SURNAMES_ZH) + draw.choice(words.MEN_ZH if is_man else words.WOMEN_ZH)
    return f"{draw.choice(words.MEN_EN if is_man else words.WOMEN_EN)} {draw.choice(words.SURNAMES_EN)}"


def _consents(draw: Random) -> list[Allowed]:
    """What she allowed: one in nine nothing at all, hardly anybody everything, some changed their minds."""
    if draw.random() < 0.11:
        return []
    given: list[Allowed] = []
    for purpose, willing in WILLING.items():
        if draw.random() > willing:
            continue
        for channel, reached in REACHED.items():
            if draw.random() < reached:
                given.append(Allowed(purpose, channel, ConsentState.GRANTED, draw.uniform(0.0, 0.05)))
                if draw.random() < 0.04:
                    given.append(Allowed(purpose, channel, ConsentState.WITHDRAWN, draw.uniform(0.3, 0.95)))
    return given
