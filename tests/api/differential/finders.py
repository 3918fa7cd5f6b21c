"""Root fields told a second time: which rows their arguments name, and why they are refused."""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

from domain.people.names import name_key
from domain.people.phones import normalised_phone
from domain.platform.actors import Actor
from domain.stages.engine import BabyDates, read, stage_window
from domain.stages.rules import Stage
from tests.api.differential.builder import NOON, Row
from tests.api.differential.segments import may_ask, why
from tests.api.differential.sights import Sight, same
from tests.api.differential.world import World

Arguments = Mapping[str, Any]


class Refusal(Exception):
    """A root field that cannot be answered; the message is its code."""


def bad(_: object = None) -> Refusal:
    return Refusal("BAD_USER_INPUT")


def needs(actor: Actor, permission: str) -> None:
    if permission not in {one.value for one in actor.permissions}:
        raise Refusal("FORBIDDEN")


def key_of(text: str, type_name: str | None = None) -> tuple[str, UUID]:
    """Type and key of a global id, which must be one of the type."""
    found = re.fullmatch(r"(?s)([^:]+):(.{36})", text)
    if found is None or (type_name is not None and found[1] != type_name):
        raise bad()
    try:
        return found[1], UUID(found[2])
    except ValueError:
        raise bad() from None


def checked(text: str) -> str:
    text = text.strip()
    if not 1 <= len(text) <= 100:
        raise bad()
    return text


def bare(text: str) -> str:
    return "".join(character for character in text if not character.isspace() and character not in "()+-")


def ending(text: str) -> str:
    found = bare(checked(text))
    if len(found) < 4:
        raise bad()
    return found


class Finder:
    """What the arguments of a root field say, for one actor."""

    def __init__(self, sight: Sight) -> None:
        self.sight, self.world, self.actor = sight, sight.world, sight.actor

    def refusals(self, field: str, given: Arguments) -> Iterator[str]:
        """Every code for which the arguments may be refused."""
        parts = (
            [{name: value} for name, value in (given.get("search") or {}).items()] if field == "members" else [given]
        )
        for part in parts:
            try:
                self.find(field, {**given, "search": part} if field == "members" else part)
            except Refusal as refusal:
                yield str(refusal)

    def find(self, field: str, given: Arguments) -> list[Row]:
        """The rows that are named and may be seen, in no order."""
        found: list[Row] = getattr(self, f"_{field}")(
            {name: value for name, value in given.items() if value is not None}
        )
        return found

    # One row

    def _me(self, _: Arguments) -> list[Row]:
        return self._seen(self.world.rows("members", "id", self.actor.member_id))

    def _member(self, given: Arguments) -> list[Row]:
        if len(given.keys() - {"source"}) != 1:
            raise bad()
        if "id" in given:
            return self._led_on(self.world.rows("members", "id", key_of(given["id"], "Member")[1]))
        if "externalId" in given:
            called = self.world.rows("members", "external_id", given["externalId"])
            if "source" in given:
                return self._led_on([row for row in called if row["source"] == given["source"]])
            found = self._led_on(called)
            return found if len(found) == 1 else []
        needs(self.actor, "READ_CONTACTS")
        if "card" in given:
            return self._named_by("CARD", given["card"])
        phone = normalised_phone(given["phone"], "US")
        if phone is None:
            raise bad()
        return self._named_by("PHONE", phone)

    def _named_by(self, kind: str, value: str) -> list[Row]:
        named = self.world.rows("identities", "value", value)
        keys = {one["member_id"] for one in named if one["kind"] == kind and one["is_primary"]}
        return self._seen([row for row in self.world.tables["members"] if row["id"] in keys])

    def _led_on(self, rows: list[Row]) -> list[Row]:
        """Who was merged away answers as her whom she became part of."""
        keys = {row["merged_into_id"] or row["id"] for row in rows}
        return self._seen([row for row in self.world.tables["members"] if row["id"] in keys])

    def _seen(self, rows: list[Row]) -> list[Row]:
        return [row for row in rows if self.sight.member(row)]

    # Lists

    def _stageEntries(self, given: Arguments) -> list[Row]:
        first, last, stage = given["from"], given["to"], Stage(given["stage"])
        if not 0 <= (last - first).days <= 366 or stage is Stage.UNKNOWN:
            raise bad()
        return [
            row
            for row in self.world.tables["babies"]
            if row["stopped_at"] is None
            and self.sight.household(row["household_id"])
            and self._enters(row, stage, first, last, is_corrected=given["basis"] == "CORRECTED")
        ]

    def _enters(self, baby: Row, stage: Stage, first: date, last: date, *, is_corrected: bool) -> bool:
        """Day by day: in the stage, and not in it the day before."""
        dates = BabyDates(baby["born_on"], baby["due_on"], baby["gestation_weeks"])
        days = [first + timedelta(days=n) for n in range(-1, (last - first).days + 1)]
        readings = [read(dates, day) for day in days]
        stages = [found.care_stage if is_corrected else found.stage for found in readings]
        return any(here is stage and before is not stage for before, here in pairwise(stages))

    def _products(self, given: Arguments) -> list[Row]:
        named = {"category": "category", "babyClass": "baby_class", "externalId": "external_id"}
        return [
            row
            for row in self.world.tables["products"]
            if all(row[named[name]] == value for name, value in given.items() if name in named)
        ]

    def _tagCatalogue(self, given: Arguments) -> list[Row]:
        return [
            row
            for row in self.world.tables["tags"]
            if (row["retired_at"] is not None) == given.get("isRetired", False)
            and row["family"] == given.get("family", row["family"])
        ]

    def _stores(self, _: Arguments) -> list[Row]:
        return self.world.tables["stores"]

    def _mergeSuggestions(self, given: Arguments) -> list[Row]:
        rows = self.world.tables["merge_suggestions"]
        wanted = given.get("states", ["OPEN"])
        return [row for row in rows if row["state"] in wanted and self.sight.sees("MergeSuggestion", row)]

    def _identityBlocks(self, given: Arguments) -> list[Row]:
        return [
            row
            for row in self.world.tables["identity_blocks"]
            if row["reason"] in given.get("reasons", [row["reason"]])
            and given.get("inForce") in (None, row["lifted_at"] is None)
        ]

    def _messages(self, given: Arguments) -> list[Row]:
        member = key_of(given["memberId"], "Member")[1] if "memberId" in given else None
        tests: dict[str, Callable[[Row], bool]] = {
            "states": lambda row: row["state"] in given["states"],
            "channel": lambda row: row["channel"] == given["channel"],
            "purpose": lambda row: row["purpose"] == given["purpose"],
            "reason": lambda row: row["state_reason"] == given["reason"],
            "since": lambda row: row["created_at"] >= given["since"],
            "memberId": lambda row: row["member_id"] == member,
        }
        rows = [row for row in self.world.tables["messages"] if self.sight.of_member(row)]
        return [row for row in rows if all(tests[name](row) for name in given if name in tests)]

    def _callbackTasks(self, given: Arguments) -> list[Row]:
        states = given.get("states", ["OPEN", "LEASED"])
        member = key_of(given["memberId"], "Member")[1] if "memberId" in given else None
        return [
            row
            for row in self.world.tables["callback_tasks"]
            if row["state"] in states
            and self.sight.may_work_on(row)
            and row["kind"] in given.get("kinds", [row["kind"]])
            and (not given.get("isDue") or row["not_before"] <= NOON < row["expires_at"])
            and (not given.get("isMine") or same(self.actor.account_id, row["lease_account_id"]))
            and given.get("queue") in (None, self.sight.queue_of(row))
            and (
                "closedSince" not in given
                or (row["closed_at"] is not None and row["closed_at"] >= given["closedSince"])
            )
            and (member is None or row["member_id"] == member)
        ]

    def _members(self, given: Arguments) -> list[Row]:
        found = self._seen(self.world.tables["members"])
        for name, value in given["search"].items():
            if value is not None:
                keys = getattr(self, f"_by_{name}")(value)
                found = [row for row in found if row["id"] in keys]
        return found

    # Segments

    def _segment(self, given: Arguments) -> list[Row]:
        found = self.world.rows("segments", "id", key_of(given["id"], "Segment")[1])
        return [row for row in found if self.sight.sees("Segment", row)]

    def _segments(self, _: Arguments) -> list[Row]:
        live = [row for row in self.world.tables["segments"] if row["archived_at"] is None]
        return [row for row in live if self.sight.sees("Segment", row)]

    def _segmentFields(self, given: Arguments) -> list[Row]:
        return [{"keys": given.get("keys")}]

    def _meeting(self, rule: str) -> set[object]:
        """Whom the rule means; one that cannot be right, or asks what is not the actor's to read, is refused."""
        tree = self.world.rules[rule]
        if tree is None or not may_ask(self.world.tables, tree, self.actor):
            raise bad()
        return self.world.oracle.members_of(tree)

    def _segmentSample(self, given: Arguments) -> list[Row]:
        meeting = self._meeting(given["rule"])
        return [row for row in self._seen(self.world.tables["members"]) if row["id"] in meeting]

    def _segmentCount(self, given: Arguments) -> list[Row]:
        seen = self._seen(self.world.tables["members"])
        return [{"members": len(self._segmentSample(given)), "seen": len(seen)}]

    def _segmentOverlap(self, given: Arguments) -> list[Row]:
        seen = {row["id"] for row in self._seen(self.world.tables["members"])}
        one, other = self._meeting(given["one"]) & seen, self._meeting(given["other"]) & seen
        return [{"one": len(one), "other": len(other), "both": len(one & other)}]

    def _segmentWhy(self, given: Arguments) -> list[Row]:
        self._meeting(given["rule"])
        tree, key = self.world.rules[given["rule"]], key_of(given["memberId"], "Member")[1]
        assert tree is not None
        return [why(self.world.oracle, tree, her) for her in self._seen(self.world.rows("members", "id", key))]

    # Searches: the keys of the members that answer to something

    def _those(self, holds: Callable[[Row], bool]) -> set[object]:
        return {row["id"] for row in self.world.tables["members"] if holds(row)}

    def _by_text(self, value: str) -> set[object]:
        text = checked(value)
        external = self._by_externalId(text)
        digits = bare(text)
        if digits.isascii() and digits.isdigit():
            return self._by_phoneEnding(digits) | self._by_card(digits) | external
        found = self._by_name(text) | external
        if "READ_BABIES" in {one.value for one in self.actor.permissions}:
            found |= self._by_babyNickname(text)
        return found

    def _ending_with(self, kind: str, value: str) -> set[object]:
        last = ending(value)
        needs(self.actor, "READ_CONTACTS")
        named = [one for one in self.world.tables["identities"] if one["kind"] == kind and one["value"].endswith(last)]
        return {one["member_id"] for one in named}

    def _by_phoneEnding(self, value: str) -> set[object]:
        return self._ending_with("PHONE", value)

    def _by_card(self, value: str) -> set[object]:
        return self._ending_with("CARD", value)

    def _by_externalId(self, value: str) -> set[object]:
        called = self.world.rows("members", "external_id", checked(value))
        return {row["merged_into_id"] or row["id"] for row in called}

    def _by_name(self, value: str) -> set[object]:
        text = checked(value)
        key = "" if re.search(r"[\u3400-\u9fff]", text) else name_key(text)
        return self._those(
            lambda row: (
                (row["full_name"] or "").startswith(text)
                or (
                    key != ""
                    and ((row["name_key"] or "").startswith(key) or (row["name_initials"] or "").startswith(key))
                )
            )
        )

    def _by_babyNickname(self, value: str) -> set[object]:
        text = checked(value)
        needs(self.actor, "READ_BABIES")
        key = name_key(text)
        if not key:
            raise bad()
        return self._carers_of(lambda baby: baby["stopped_at"] is None and (baby["nickname_key"] or "").startswith(key))

    def _by_stage(self, value: str) -> set[object]:
        needs(self.actor, "READ_BABIES")
        window = stage_window(Stage(value), NOON.date())
        if window is None:
            raise bad()
        return self._carers_of(
            lambda baby: baby["stopped_at"] is None and window.holds(BabyDates(baby["born_on"], baby["due_on"]))
        )

    def _carers_of(self, holds: Callable[[Row], bool]) -> set[object]:
        homes = {baby["household_id"] for baby in self.world.tables["babies"] if holds(baby)}
        return self._those(lambda row: row["household_id"] in homes)

    def _by_tag(self, value: str) -> set[object]:
        needs(self.actor, "READ_TAGS")
        text = checked(value)
        keys = {tag["id"] for tag in self.world.rows("tags", "key", text)}
        return {use["member_id"] for use in self.world.tables["member_tags"] if use["tag_id"] in keys and in_force(use)}


def in_force(use: Row) -> bool:
    """A tag that was not taken off and has not run out."""
    return use["removed_at"] is None and (use["expires_at"] is None or use["expires_at"] > NOON)


def consents_in_force(world: World, member: object) -> list[Row]:
    latest: dict[tuple[str, str, str], Row] = {}
    for row in sorted(world.rows("consents", "member_id", member), key=lambda row: (row["given_at"], row["id"])):
        latest[row["purpose"], row["channel"], str(row["baby_id"] or "")] = row
    return [latest[key] for key in sorted(latest)]
