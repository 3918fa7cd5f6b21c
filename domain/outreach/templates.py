"""Templates: what may be said, per channel and language. The purpose and product class belong to the template."""

import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from tortoise import fields
from tortoise.models import Model

from domain.commerce.products import FormulaClass
from domain.database import connection
from domain.outreach.rendering import TemplateText
from domain.platform.constraints import one_of
from domain.platform.ids import new_id
from domain.platform.sources import Channel, Purpose

FOLDER = Path(__file__).parent / "catalogue"


class Template(Model):
    id = fields.UUIDField(primary_key=True, default=new_id)
    key = fields.CharField(max_length=100)
    channel = fields.CharEnumField(Channel, max_length=16)
    language = fields.CharField(max_length=16)
    version = fields.IntField()
    purpose = fields.CharEnumField(Purpose, max_length=16)
    formula_class = fields.CharEnumField(FormulaClass, max_length=16, default=FormulaClass.NONE)
    has_reward = fields.BooleanField(default=False)  # a coupon, points or gift in it
    subject = fields.TextField(default="")  # Liquid; e-mail only
    body = fields.TextField()  # Liquid
    body_html = fields.TextField(default="")  # Liquid; e-mail only
    is_active = fields.BooleanField(default=True)

    class Meta:
        table = "templates"
        unique_together = (("key", "channel", "language", "version"),)
        constraints = [
            one_of("templates", "channel", Channel),
            one_of("templates", "purpose", Purpose),
            one_of("templates", "formula_class", FormulaClass),
        ]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The wording that ships with the product."""

    texts: tuple[TemplateText, ...]
    params: dict[str, frozenset[str]]  # template key -> the values that its texts need


@lru_cache(maxsize=1)
def catalogue() -> Catalogue:
    """The catalogue's files, read once a process; a malformed file stops the start."""
    layout = (FOLDER / "email.html.liquid").read_text("utf-8")
    texts: list[TemplateText] = []
    params: dict[str, frozenset[str]] = {}
    for path in sorted(FOLDER.glob("*.toml")):
        document = tomllib.loads(path.read_text("utf-8"))
        params[document["key"]] = frozenset(document["params"])
        texts += _texts(document, layout)
    return Catalogue(tuple(texts), params)


def _texts(document: dict[str, Any], layout: str) -> list[TemplateText]:
    found = []
    for language in ("en", "zh-Hans"):
        for channel, parts in document[language].items():
            body = parts["body"].strip()
            found.append(
                TemplateText(
                    key=document["key"],
                    channel=Channel(channel),
                    language=language,
                    version=int(document["version"]),
                    purpose=Purpose(document["purpose"]),
                    formula_class=FormulaClass(document.get("formula_class", "NONE")),
                    has_reward=bool(document.get("has_reward", False)),
                    subject=parts.get("subject", ""),
                    body=body,
                    body_html=_html(body, layout) if channel == Channel.EMAIL else "",
                )
            )
    return found


def _html(body: str, layout: str) -> str:
    """The text's paragraphs in the house's layout. Values are escaped when it is rendered."""
    paragraphs = "\n".join(f'<p style="margin:0 0 16px">{part.strip()}</p>' for part in body.split("\n\n"))
    return layout.replace("<!-- paragraphs -->", paragraphs)


async def seed() -> int:
    """Bring the shipped catalogue into the table; answers how many rows changed. Idempotent: one statement.

    Older versions of a shipped template are retired; a newer one, made in this installation, stays.
    """
    texts = catalogue().texts
    rows = await connection().execute_query_dict(
        "WITH shipped AS (SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::int[], $6::text[], "
        "$7::text[], $8::bool[], $9::text[], $10::text[], $11::text[]) AS t(id, key, channel, language, version, "
        "purpose, formula_class, has_reward, subject, body, body_html)), "
        "retired AS (UPDATE templates t SET is_active = false FROM shipped s WHERE t.key = s.key "
        "AND t.channel = s.channel AND t.language = s.language AND t.version < s.version AND t.is_active RETURNING 1), "
        "written AS (INSERT INTO templates AS t (id, key, channel, language, version, purpose, formula_class, "
        "has_reward, subject, body, body_html, is_active) SELECT *, true FROM shipped "
        "ON CONFLICT (key, channel, language, version) DO UPDATE SET purpose = excluded.purpose, "
        "formula_class = excluded.formula_class, has_reward = excluded.has_reward, subject = excluded.subject, "
        "body = excluded.body, body_html = excluded.body_html "
        "WHERE (t.purpose, t.formula_class, t.has_reward, t.subject, t.body, t.body_html) IS DISTINCT FROM "
        "(excluded.purpose, excluded.formula_class, excluded.has_reward, excluded.subject, excluded.body, "
        "excluded.body_html) RETURNING 1) "
        "SELECT (SELECT count(*) FROM retired) + (SELECT count(*) FROM written) AS changed",
        [
            [new_id() for _ in texts],
            [text.key for text in texts],
            [text.channel.value for text in texts],
            [text.language for text in texts],
            [text.version for text in texts],
            [text.purpose.value for text in texts],
            [text.formula_class.value for text in texts],
            [text.has_reward for text in texts],
            [text.subject for text in texts],
            [text.body for text in texts],
            [text.body_html for text in texts],
        ],
    )
    return int(rows[0]["changed"])


TextKey = tuple[str, str, str, int]
"""(template key, channel, language, version)."""


async def load(keys: Collection[TextKey]) -> dict[TextKey, TemplateText]:
    """The texts of exactly these versions, retired ones too: a message keeps the version it was decided with."""
    wanted = list(keys)
    rows = await connection().execute_query_dict(
        "SELECT t.* FROM templates t JOIN unnest($1::text[], $2::text[], $3::text[], $4::int[]) "
        "AS k(key, channel, language, version) USING (key, channel, language, version)",
        [list(column) for column in zip(*wanted, strict=True)] if wanted else [[], [], [], []],
    )
    texts = [
        TemplateText(
            row["key"], Channel(row["channel"]), row["language"], row["version"], Purpose(row["purpose"]),
            FormulaClass(row["formula_class"]), row["has_reward"], row["subject"], row["body"], row["body_html"],
        )
        for row in rows
    ]  # fmt: skip
    return {(text.key, text.channel.value, text.language, text.version): text for text in texts}
