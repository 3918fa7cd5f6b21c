"""What 801 of the households said of themselves, as tags of the family ATTRIBUTE with the source IMPORT."""

import re
from datetime import datetime

import asyncpg
import pandas as pd

from domain.platform.ids import new_id
from nestling.demo.purchases.staging import stage

COLUMNS = {
    "age": ("age", "Age", "年龄"),
    "income": ("income", "Income", "收入"),
    "home_ownership": ("home", "Home", "住房"),
    "marital_status": ("marital", "Marital status", "婚姻"),
    "household_size": ("household_size", "Household size", "家庭人数"),
    "household_comp": ("household", "Household", "家庭构成"),
    "kids_count": ("kids", "Children", "子女数"),
}
WORDS_ZH = {
    "Homeowner": "自有", "Renter": "租住", "Probable Homeowner": "可能自有", "Probable Renter": "可能租住",
    "Married": "已婚", "Unmarried": "未婚", "1 Adult No Kids": "一位成人，无子女",
    "2 Adults No Kids": "两位成人，无子女",
    "1 Adult Kids": "一位成人，有子女", "2 Adults Kids": "两位成人，有子女",
}  # fmt: skip

INSERT_CATALOGUE = """
INSERT INTO tags (id, key, family, label_en, label_zh, description)
SELECT id, key, 'ATTRIBUTE', label_en, label_zh, 'Complete Journey demographics' FROM staged_catalogue
ON CONFLICT (key) DO NOTHING
"""

INSERT_TAGS = """
INSERT INTO member_tags (id, tag_id, member_id, source, evidence, set_at)
SELECT s.id, t.id, m.id, 'IMPORT', 'Complete Journey demographics, undated', $1
FROM staged_tags s
JOIN tags t ON t.key = s.key
JOIN members m ON m.source = 'completejourney' AND m.external_id = s.number
WHERE NOT EXISTS (SELECT FROM member_tags o WHERE o.member_id = m.id AND o.tag_id = t.id)
"""


def tag_key(prefix: str, value: str) -> str:
    """income, Under 15K -> income.under_15k"""
    word = value.replace("+", " plus")
    return f"{prefix}.{re.sub(r'[^0-9a-z]+', '_', word.lower()).strip('_')}"


async def insert_tags(to: asyncpg.Connection, demographics: pd.DataFrame, at: datetime) -> None:
    """The catalogue's entries and each member's tags. A tag that somebody removed does not come back."""
    catalogue: dict[str, tuple[str, str]] = {}
    uses: list[tuple[object, ...]] = []
    for column, (prefix, label_en, label_zh) in COLUMNS.items():
        known = demographics[demographics[column].notna()]
        for number, value in zip(known.household_id, known[column].astype(str), strict=True):
            key = tag_key(prefix, value)
            catalogue[key] = (f"{label_en}: {value}", f"{label_zh}：{WORDS_ZH.get(value, value)}")
            uses.append((new_id(), key, str(number)))
    async with to.transaction():
        await stage(
            to, "staged_catalogue", "id uuid, key text, label_en text, label_zh text",
            [(new_id(), key, *labels) for key, labels in sorted(catalogue.items())],
        )  # fmt: skip
        await to.execute(INSERT_CATALOGUE)
        await stage(to, "staged_tags", "id uuid, key text, number text", uses)
        await to.execute(INSERT_TAGS, at)
