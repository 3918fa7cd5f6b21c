"""Synthetic dates for the babies that baskets hint at: an age that her household's purchases allow."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from random import Random

from domain.people.babies import Feeding, Sex
from nestling.demo.synthetic import words

TERM_DAYS = 280


@dataclass(frozen=True, slots=True)
class Signs:
    """What a household bought in the half year before: baskets with core baby products, and which kinds."""

    baskets: int
    formula: bool = False
    toddler_formula: bool = False
    first_food: bool = False
    later_food: bool = False
    diapers: bool = False


@dataclass(frozen=True, slots=True)
class Child:
    """A baby's made-up part. Neither date: nobody told us. `is_hinted`: baskets, not we, say that she exists."""

    is_hinted: bool
    due_on: date | None
    born_on: date | None
    gestation_weeks: int | None
    nickname: str | None
    sex: Sex
    feeding: Feeding


AGES_IN_DAYS = {
    "newborn": (4, 29), "four months": (105, 150), "eight months": (225, 275), "one year": (340, 480),
    "two years": (690, 800),
}  # fmt: skip


def plausible_ages(signs: Signs) -> list[tuple[int, int]]:
    """Spans of days since birth that the household's purchases allow; four months where they say nothing."""
    toddler = signs.later_food or signs.toddler_formula
    allowed = {
        "newborn": signs.diapers or signs.formula,
        "four months": signs.diapers or signs.formula or signs.first_food,
        "eight months": signs.formula or signs.first_food or signs.later_food,
        "one year": signs.diapers or toddler,
        "two years": signs.diapers or toddler,
    }
    return [AGES_IN_DAYS[age] for age, is_allowed in allowed.items() if is_allowed] or [AGES_IN_DAYS["four months"]]


def children(household: int, signs: Signs, today: date, language: str) -> list[Child]:
    """The babies of a household whose baskets hint at one: usually one with a date, sometimes twins, an unborn one, one
    whose date nobody knows, or an older sibling. Today is the business date on which they are made up.
    """
    draw = Random(f"children {household}")
    kind = draw.random()
    if kind < 0.14 and signs.baskets <= 4:
        return [unborn(draw, today, language)]
    if kind > 0.93:
        return [_child(draw, language, is_hinted=True, due_on=None, born_on=None, signs=signs)]
    born_on = today - timedelta(days=draw.randint(*draw.choice(plausible_ages(signs))))
    found = [_child(draw, language, is_hinted=True, due_on=None, born_on=born_on, signs=signs)]
    if draw.random() < 0.06:
        found.append(_child(draw, language, is_hinted=False, due_on=None, born_on=born_on, signs=signs))
    elif draw.random() < 0.12:
        found.append(kindergartner(draw, today, language))
    return _told_apart(found, language)


def _told_apart(siblings: list[Child], language: str) -> list[Child]:
    """No family calls two children by one name: the second takes the next nickname of the list."""
    nicknames = words.NICKNAMES_ZH if language == "zh-Hans" else words.NICKNAMES_EN
    first, *others = siblings
    return [first] + [
        replace(child, nickname=nicknames[(nicknames.index(child.nickname) + 1) % len(nicknames)])
        if child.nickname is not None and child.nickname == first.nickname
        else child
        for child in others
    ]


def other_children(household: int, today: date, language: str) -> list[Child]:
    """Of households whose baskets hint at nothing, a few expect a baby or have one at kindergarten: wholly made up."""
    draw = Random(f"other children {household}")
    kind = draw.random()
    if kind < 0.03:
        return [unborn(draw, today, language, is_hinted=False)]
    return [kindergartner(draw, today, language)] if kind > 0.97 else []


def unborn(draw: Random, today: date, language: str, *, is_hinted: bool = True) -> Child:
    due_on = today + timedelta(days=draw.randint(7, 210))
    return _child(draw, language, is_hinted=is_hinted, due_on=due_on, born_on=None, signs=None)


def kindergartner(draw: Random, today: date, language: str) -> Child:
    born_on = today - timedelta(days=draw.randint(1760, 1900))
    return _child(draw, language, is_hinted=False, due_on=None, born_on=born_on, signs=None)


def _child(
    draw: Random, language: str, *, is_hinted: bool, due_on: date | None, born_on: date | None, signs: Signs | None
) -> Child:
    nicknames = words.NICKNAMES_ZH if language == "zh-Hans" else words.NICKNAMES_EN
    is_preterm = born_on is not None and draw.random() < 0.06
    weeks = draw.randint(31, 36) if is_preterm else None
    return Child(
        is_hinted=is_hinted,
        due_on=born_on + timedelta(days=TERM_DAYS - 7 * weeks) if born_on and weeks else due_on,
        born_on=born_on,
        gestation_weeks=weeks,
        nickname=draw.choice(nicknames) if draw.random() < 0.8 and due_on is None else None,
        sex=draw.choice((Sex.FEMALE, Sex.MALE, Sex.UNKNOWN)) if born_on else Sex.UNKNOWN,
        feeding=_feeding(draw, signs) if born_on else Feeding.UNKNOWN,
    )


def _feeding(draw: Random, signs: Signs | None) -> Feeding:
    if signs is None:
        return Feeding.UNKNOWN
    if signs.formula or signs.toddler_formula:
        return draw.choice((Feeding.FORMULA, Feeding.MIXED))
    return draw.choice((Feeding.BREAST, Feeding.UNKNOWN))
