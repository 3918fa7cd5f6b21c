"""Care ahead: for each baby the next day on which the care calendar has something for her, so that a day's run looks at
the babies of that day and at nobody else.

The database sets the day back to at once whenever a baby or her family changes (a birth, a moved due date, a loss taken
back, a merge), whoever writes. A day on which nobody worked is made up for by the next run: the days stand in a line.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.models import Model

from domain.database import connection
from domain.outreach.hours import midnight, zone
from domain.outreach.intents import Intent, care_key
from domain.outreach.next_acts import Today, channel_of
from domain.platform.clock import local_day
from domain.sql import statement
from domain.stages.care_calendar import Agenda, Due, agenda, plans_in_use
from domain.stages.care_plans import CareItem, CareKind
from domain.stages.engine import BabyDates
from domain.stages.wording import is_chinese

AT_ONCE = date(1900, 1, 1)
"""The day of a baby whom nobody has looked at since she changed."""
EARLIEST = (date(1, 1, 1), UUID(int=0))
EASTMOST = timedelta(hours=14)
DAY = timedelta(days=1)
Place = tuple[date, UUID]


class CareAhead(Model):
    """When to look at a baby next, by the care calendar. Derived; what she had stays, whoever is merged or erased."""

    baby_id = fields.UUIDField(primary_key=True)  # goes with the baby
    look_on: date | None = fields.DateField(null=True)  # where the family lives; 1900-01-01: at once, none: never
    turn = fields.IntField(default=0)  # grows when the baby or her family changes: who looked before then looks again
    told: list[str] = ArrayField("TEXT", default=list)  # keys of the care items that she had

    class Meta:
        table = "care_ahead"


@dataclass(slots=True)
class Looked:
    """A baby whom the run looks at, and what it finds."""

    row: dict[str, Any]
    on: date  # where the family lives
    found: Agenda
    chosen: list[Due] = field(default_factory=list)

    @property
    def told(self) -> set[str]:
        """What was told of this very row: what only a row merged into it had goes with that row when they part."""
        own = f":{self.row['baby_id']}:"
        return {*self.row["told"], *_keys(wish for wish in self.row["wished"] if own in wish)}

    @property
    def look_on(self) -> date | None:
        """When to look again: tomorrow while something is left of today; without a carer when one comes, or is back."""
        if self.row["member_id"] is None:
            return None
        return self.on + DAY if len(self.chosen) < len(self.found.open) else self.found.next_on


def rules_in_use() -> str:
    """Names every care plan and stage plan there is."""
    return "+".join(version for version, _ in plans_in_use())


async def look_at_all_again() -> None:
    """New rules were put in: every baby is looked at once more. What she had she has had."""
    await connection().execute_query("UPDATE care_ahead SET look_on = $1, turn = turn + 1", [AT_ONCE])


async def look(today: Today, after: Place) -> tuple[list[Looked], Place | None]:
    """The next babies whose day has come, with what each gets now, and the place after them; None: nobody is left.

    One statement for a batch. A carer gets one thing in three days, the one whose time runs out first; what has its
    last day today does not wait.
    """
    size = today.rules.members_per_batch
    rows = await connection().execute_query_dict(
        statement("care_ahead"),
        [(today.at + EASTMOST).date(), size, *after, today.run_id, today.at - today.rules.one_thing_within],
    )
    looked = [one for one in (_read(row, today.at) for row in rows) if one is not None]
    _choose(looked)
    return looked, (rows[-1]["look_on"], rows[-1]["baby_id"]) if len(rows) == size else None


def intents(today: Today, looked: Sequence[Looked]) -> list[Intent]:
    """The wishes of what was chosen. Where she allows no channel it is wished all the same, and its reason kept."""
    return [_intent(today, one, due) for one in looked for due in one.chosen]


async def remember(looked: Sequence[Looked]) -> None:
    """Write down what they had and when to look again; not of those who change meanwhile: they are looked at again.

    Waits for nobody, so that it stands in nobody's way crosswise.
    """
    await connection().execute_query(
        "UPDATE care_ahead a SET look_on = l.look_on, told = string_to_array(l.told, ' ') FROM ("
        "SELECT l.* FROM unnest($1::uuid[], $2::int[], $3::date[], $4::text[]) AS l(baby_id, turn, look_on, told) "
        "JOIN care_ahead c ON c.baby_id = l.baby_id AND c.turn = l.turn FOR UPDATE OF c SKIP LOCKED) l "
        "WHERE a.baby_id = l.baby_id",
        [
            [one.row["baby_id"] for one in looked],
            [one.row["turn"] for one in looked],
            [one.look_on for one in looked],
            [" ".join(sorted(one.told | {due.key for due in one.chosen})) for one in looked],
        ],
    )


def _read(row: dict[str, Any], at: datetime) -> Looked | None:
    """None: where she lives her day has not come."""
    on = local_day(at, zone(row["time_zone"] or "UTC"))
    if row["look_on"] > on:
        return None
    dates = BabyDates(row["born_on"], row["due_on"], row["gestation_weeks"])
    told = {*row["told"], *_keys(row["wished"])}
    found = agenda(dates, row["jurisdiction"] or "", on, told) if row["is_told"] else Agenda([], None)
    return Looked(row, on, found)


def _keys(intent_keys: Iterable[str]) -> set[str]:
    return {key for key in map(care_key, intent_keys) if key is not None}


def _choose(looked: Sequence[Looked]) -> None:
    had = {one.row["member_id"] for one in looked if one.row["is_taken"]} | {None}
    for one, due in sorted(_open(looked), key=lambda pair: (pair[1].closes_on, pair[1].opens_on, pair[1].key)):
        carer = one.row["member_id"]
        if carer is not None and (carer not in had or due.closes_on <= one.on):
            one.chosen.append(due)
            had.add(carer)


def _open(looked: Sequence[Looked]) -> Iterator[tuple[Looked, Due]]:
    for one in looked:
        for due in one.found.open:
            yield one, due


def _intent(today: Today, one: Looked, due: Due) -> Intent:
    row, item = one.row, due.item
    is_letter = item.kind is CareKind.STAGE
    params = {"nickname": row["nickname"]}
    if not is_letter:
        params["title"] = item.zh if is_chinese(row["language"]) else item.en
    return Intent(
        member_id=row["member_id"],
        baby_id=row["baby_id"],
        channel=channel_of(item.channels, row["channels"]),
        purpose=item.purpose,
        template_key=template_key(item),
        intent_key=f"{'stage' if is_letter else 'care'}:{row['baby_id']}:{due.key}",
        not_before=today.at,
        expires_at=midnight(due.closes_on + DAY, row["time_zone"]),
        params=params,
        value=today.rules.stage_care_worth,
        care_run_id=today.run_id,
    )


def template_key(item: CareItem) -> str:
    """The wording of an item: a letter of its own for a stage, else one for all of a kind."""
    return f"stage.{item.code}" if item.kind is CareKind.STAGE else f"care.{item.kind}"
