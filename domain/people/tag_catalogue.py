"""The catalogue of tags: what may be said of people, in families; who answers for it, how long it holds."""

import re
import tomllib
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID

from tortoise.transactions import in_transaction

from domain.database import connection
from domain.platform.actors import Actor
from domain.platform.clock import business_now
from domain.platform.failures import FieldError, NotPermitted, ValidationError
from domain.platform.ids import new_id
from domain.platform.roles import Permission

FILE = Path(__file__).parent / "tags.toml"
KEY = re.compile(r"[a-z]+(\.[a-z0-9][a-z0-9_]*)+")
KEY_LENGTH = LABEL_LENGTH = 100
DESCRIPTION_LENGTH = 400
LONGEST_TERM_DAYS = 3650


class TagFamily(StrEnum):
    ATTRIBUTE = "ATTRIBUTE"
    CONSUMPTION = "CONSUMPTION"
    TRANSACTION = "TRANSACTION"
    INTERACTION = "INTERACTION"
    MODEL = "MODEL"


@dataclass(frozen=True, slots=True)
class NewTag:
    """A tag as an operator defines it. `valid_days` none: it holds for good unless whoever sets it says otherwise."""

    key: str
    family: TagFamily
    label_en: str
    label_zh: str
    description: str = ""
    valid_days: int | None = None
    owner_id: UUID | None = None

    def flaws(self) -> list[FieldError]:
        found = []
        if len(self.key) > KEY_LENGTH or not KEY.fullmatch(self.key):
            found.append(
                FieldError("key", "Lower-case words with dots: attribute.first_time_parent.", "请用小写英文和点号。")
            )
        elif self.key.partition(".")[0] != self.family.lower():
            found.append(FieldError("key", f"Begin with its family: {self.family.lower()}.", "请以所属类别开头。"))
        if self.family is TagFamily.MODEL:
            found.append(FieldError("family", "Tags of models come with the models.", "模型标签由模型提供。"))
        for field, label in (("labelEn", self.label_en), ("labelZh", self.label_zh)):
            if not 0 < len(label.strip()) <= LABEL_LENGTH:
                found.append(FieldError(field, f"In 1 to {LABEL_LENGTH} characters.", f"1到{LABEL_LENGTH}个字符。"))
        if len(self.description) > DESCRIPTION_LENGTH:
            found.append(
                FieldError(
                    "description", f"At most {DESCRIPTION_LENGTH} characters.", f"最多{DESCRIPTION_LENGTH}个字符。"
                )
            )
        if self.valid_days is not None and not 0 < self.valid_days <= LONGEST_TERM_DAYS:
            found.append(FieldError("validDays", f"From 1 to {LONGEST_TERM_DAYS} days.", f"1到{LONGEST_TERM_DAYS}天。"))
        return found


@dataclass(frozen=True, slots=True)
class TagCreated:
    tag_id: UUID


@dataclass(frozen=True, slots=True)
class TagExists:
    """The catalogue has another tag of this key, perhaps a retired one: keys are never used again."""

    key: str


@dataclass(frozen=True, slots=True)
class TagRetired:
    """Also the answer to whoever retires it again: then nobody carried it."""

    tag_id: UUID
    removed: int


@dataclass(frozen=True, slots=True)
class TagNotFound:
    """The catalogue has no such tag, or it was retired."""

    key: str


async def create_tag(actor: Actor, given: NewTag) -> TagCreated | TagExists | NotPermitted | ValidationError:
    """Put a tag into the catalogue. Idempotent for the very same tag; a key means one thing for ever."""
    if not actor.may(Permission.MANAGE_TAGS):
        return NotPermitted(Permission.MANAGE_TAGS)
    flaws = given.flaws()
    if flaws:
        return ValidationError(tuple(flaws))
    async with in_transaction():
        if given.owner_id is not None and not await _works_here(given.owner_id):
            return ValidationError.of("ownerId", "Nobody of that id works here.", "没有这位在职员工。")
        await seed_tags()
        said = [
            given.key, given.family, given.label_en.strip(), given.label_zh.strip(), given.description.strip(),
            given.valid_days, given.owner_id,
        ]  # fmt: skip
        rows = await connection().execute_query_dict(
            "INSERT INTO tags (id, key, family, label_en, label_zh, description, valid_days, owner_id) "
            "VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (key) DO NOTHING RETURNING id",
            [new_id(), *said],
        ) or await connection().execute_query_dict(
            "SELECT id FROM tags WHERE key = $1 AND family = $2 AND label_en = $3 AND label_zh = $4 "
            "AND description = $5 AND valid_days IS NOT DISTINCT FROM $6 AND owner_id IS NOT DISTINCT FROM $7 "
            "AND retired_at IS NULL",
            said,
        )
        return TagCreated(rows[0]["id"]) if rows else TagExists(given.key)


async def retire_tag(actor: Actor, key: str) -> TagRetired | TagNotFound | NotPermitted | ValidationError:
    """Take a tag out of use and off everybody who carries it, in one transaction; the rows stay as history."""
    if not actor.may(Permission.MANAGE_TAGS):
        return NotPermitted(Permission.MANAGE_TAGS)
    async with in_transaction():
        await seed_tags()
        rows = await connection().execute_query_dict("SELECT id, family FROM tags WHERE key = $1 FOR UPDATE", [key])
        if not rows:
            return TagNotFound(key)
        if rows[0]["family"] == TagFamily.MODEL:
            return ValidationError.of("key", "Tags of models go with the models.", "模型标签随模型停用。")
        now = await business_now()
        await connection().execute_query(
            "UPDATE tags SET retired_at = $2 WHERE id = $1 AND retired_at IS NULL", [rows[0]["id"], now]
        )
        removed, _ = await connection().execute_query(
            "UPDATE member_tags SET removed_at = least($2, coalesce(expires_at, $2)) "
            "WHERE tag_id = $1 AND removed_at IS NULL",
            [rows[0]["id"], now],
        )
        return TagRetired(rows[0]["id"], removed)


async def catalogued(key: str) -> dict[str, Any] | None:
    """The tag of the catalogue if it is in use; one of the file enters the table when it is first used.

    Held against retirement until the transaction ends.
    """
    find = "SELECT id, family, valid_days, retired_at FROM tags WHERE key = $1 FOR KEY SHARE"
    rows = await connection().execute_query_dict(find, [key])
    if not rows and key in _filed():
        await seed_tags()
        rows = await connection().execute_query_dict(find, [key])
    return rows[0] if rows and rows[0]["retired_at"] is None else None


async def _works_here(staff_id: UUID) -> bool:
    return bool(await connection().execute_query_dict("SELECT 1 FROM staff WHERE id = $1 AND is_active", [staff_id]))


async def seed_tags() -> None:
    """Put the file's tags into the catalogue. Idempotent; what is there already is left alone."""
    columns = [list(column) for column in zip(*((new_id(), *row) for row in _filed().values()), strict=True)]
    await connection().execute_query(
        "INSERT INTO tags (id, key, family, label_en, label_zh, description) "
        "SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) "
        "ON CONFLICT (key) DO NOTHING",
        columns,
    )


@lru_cache(maxsize=1)
def _filed() -> dict[str, tuple[str, str, str, str, str]]:
    """Key -> (key, family, English label, Chinese label, description)."""
    families = tomllib.loads(FILE.read_text("utf-8"))
    return {
        key: (key, TagFamily(family).value, *words)
        for family, tags in families.items()
        for key, words in sorted(tags.items())
    }
