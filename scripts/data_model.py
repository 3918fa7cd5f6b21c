#!/usr/bin/env python3
"""docs/data-model.md, drawn from the tables in domain/. --check: change nothing, fail when the file is stale."""

import ast
import importlib
import inspect
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

from tortoise.contrib.postgres.fields import ArrayField
from tortoise.fields.relational import ForeignKeyFieldInstance
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint
from tortoise.models import MetaInfo, Model

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from domain.database import MODEL_MODULES  # noqa: E402 - the checkout's own, wherever this is started

PAGE = ROOT / "docs" / "data-model.md"
CONTEXTS = ("people", "commerce", "care", "outreach", "gateway", "insight", "segments", "platform")

PREFACE = """<!-- Drawn by scripts/data_model.py from domain/**. Do not edit: change the tables, then run it. -->
# The data model

PostgreSQL only. A context is a folder of `domain/`, a noun is a file that holds its table and the verbs on it. This
page is drawn from the code: run `python scripts/data_model.py` after a change of the tables; a test fails while it
is stale.

How to read it:
- Ids are UUIDv7 (they grow with time); logs and lines have a bigint of their own.
- Times are `timestamptz` in UTC and say which clock they read: the **business clock** (stages, care, caps, expiry) or
  the **real clock** (leases, retries, sessions, audit). See [the business clock](adr/0009-business-clock.md).
- Money is `numeric` with a currency beside it. Probabilities are floats between 0 and 1, by constraint.
- Facts about people carry their `source` (member, staff, rule, model, import, inferred, synthetic) and, where it is not
  certain, a confidence.
- The rules under a table are constraints of the database: they hold whoever writes, the ORM, COPY or a person in psql.

## How the tables hang together
An arrow goes from the row that names another to the row that is named.

"""

TYPES = {
    "UUIDField": "uuid",
    "CharField": "varchar",
    "CharEnumFieldInstance": "enum",
    "TextField": "text",
    "IntField": "int",
    "SmallIntField": "smallint",
    "BigIntField": "bigint",
    "FloatField": "float",
    "BooleanField": "boolean",
    "DatetimeField": "timestamptz",
    "DateField": "date",
    "JSONField": "jsonb",
    "DecimalField": "numeric",
    "BinaryField": "bytea",
}


def main() -> int:
    page = draw()
    if "--check" in sys.argv[1:]:
        if PAGE.exists() and PAGE.read_text(encoding="utf-8") == page:
            return 0
        print(f"{PAGE.relative_to(ROOT)} is stale: run python scripts/data_model.py", file=sys.stderr)
        return 1
    PAGE.write_text(page, encoding="utf-8")
    return 0


def draw() -> str:
    """The whole page. The same tables give the same text."""
    tables = list(_tables())
    parts = [PREFACE, _picture(tables)]
    for context in CONTEXTS:
        mine = [(module, model) for module, model in tables if module.split(".")[1] == context]
        about = importlib.import_module(f"domain.{context}").__doc__ or ""
        parts.append(f"\n## {context}\n{about.strip()}\n")
        parts.extend(_table(module, model) for module, model in mine)
    return "".join(parts)


def _tables() -> Iterator[tuple[str, type[Model]]]:
    for name in MODEL_MODULES:
        module = importlib.import_module(name)
        for value in vars(module).values():
            if inspect.isclass(value) and issubclass(value, Model) and value.__module__ == name:
                yield name, value


def _meta(model: type[Model]) -> MetaInfo:
    return model._meta  # noqa: SLF001 - tortoise has no public way to the fields in their order


def _references(model: type[Model]) -> list[tuple[str, str]]:
    """(column, model named) of every reference, in the order of the code."""
    fields = _meta(model).fields_map
    return [
        (f"{name}_id", str(field.model_name).partition(".")[2])
        for name, field in fields.items()
        if isinstance(field, ForeignKeyFieldInstance)
    ]


def _picture(tables: list[tuple[str, type[Model]]]) -> str:
    """Every table in the box of its context, every reference an arrow."""
    named = {model.__name__: _meta(model).db_table for _, model in tables}
    lines = ["```mermaid", "flowchart LR"]
    for context in CONTEXTS:
        mine = [_meta(model).db_table for module, model in tables if module.split(".")[1] == context]
        lines += [f"  subgraph {context}", *(f"    {table}" for table in mine), "  end"]
    arrows = {(_meta(model).db_table, named[target]) for _, model in tables for _, target in _references(model)}
    lines += [f"  {start} --> {end}" for start, end in sorted(arrows)]
    return "\n".join([*lines, "```", ""])


def _table(module: str, model: type[Model]) -> str:
    notes = _notes(model)
    text = f"\n### {_meta(model).db_table}\n{_about(module, model)} (`{module.replace('.', '/')}.py`)\n\n"
    text += "| column | type | | |\n|---|---|---|---|\n"
    for name, field in _meta(model).fields_map.items():
        row = _column(name, field, notes)
        if row:
            text += row
    rules = _rules(model)
    return text + ("\n" + "".join(f"- {rule}\n" for rule in rules) if rules else "")


def _about(module: str, model: type[Model]) -> str:
    """The table's own words, else its file's. tortoise gives every model a docstring of its own: look at the source."""
    own = ast.get_docstring(_class(model))
    text = own or (importlib.import_module(module).__doc__ or "")
    return " ".join(text.split())


def _class(model: type[Model]) -> ast.ClassDef:
    found = ast.parse(inspect.getsource(model)).body[0]
    assert isinstance(found, ast.ClassDef)
    return found


def _notes(model: type[Model]) -> dict[str, str]:
    """What the comments beside and above each column say."""
    source = inspect.getsource(model)
    comments = {
        token.start[0]: (token.string.lstrip("# "), token.line.lstrip().startswith("#"))
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT and "noqa" not in token.string and "type:" not in token.string
    }
    notes: dict[str, str] = {}
    for statement in _class(model).body:
        target = statement.targets[0] if isinstance(statement, ast.Assign) else getattr(statement, "target", None)
        if not isinstance(target, ast.Name):
            continue
        above = statement.lineno - 1
        lines: list[str] = []
        while above in comments and comments[above][1]:
            lines.insert(0, comments[above][0])
            above -= 1
        last = statement.end_lineno or statement.lineno
        lines += [comments[n][0] for n in range(statement.lineno, last + 1) if n in comments]
        if lines:
            notes[target.id] = " ".join(lines)
    return notes


def _column(name: str, field: object, notes: dict[str, str]) -> str | None:
    if isinstance(field, ForeignKeyFieldInstance):
        target = str(field.model_name).partition(".")[2]
        note = notes.get(name) or notes.get(f"{name}_id", "")
        nullable = "null" if field.null else ""
        return f"| {name}_id | uuid → {target} | {nullable} | {_cell(note)} |\n"
    kind = type(field).__name__
    if kind not in (*TYPES, "ArrayField") or getattr(field, "reference", None) is not None:
        return None
    marks = ["key"] if field.pk else []  # type: ignore[attr-defined]
    marks += ["null"] if field.null else []  # type: ignore[attr-defined]
    marks += ["unique"] if field.unique and not field.pk else []  # type: ignore[attr-defined]
    shown = f"{field.element_type.lower()}[]" if isinstance(field, ArrayField) else TYPES[kind]
    if kind == "CharEnumFieldInstance":
        shown = field.enum_type.__name__  # type: ignore[attr-defined]
    return f"| {name} | {shown} | {', '.join(marks)} | {_cell(notes.get(name, ''))} |\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _rules(model: type[Model]) -> list[str]:
    """The constraints, but for the lists of enum members that the type's name says already."""
    rules = [f"unique ({', '.join(_columns(model, names))})" for names in _meta(model).unique_together]
    for rule in getattr(model.Meta, "constraints", ()):
        if isinstance(rule, UniqueConstraint):
            where = f" where {rule.condition}" if rule.condition else ""
            rules.append(f"unique ({', '.join(_columns(model, rule.fields))}){where}")
        elif isinstance(rule, CheckConstraint) and not re.fullmatch(r".*_known", rule.name or ""):
            rules.append(f"`{rule.check}`")
    return rules


def _columns(model: type[Model], names: tuple[str, ...]) -> list[str]:
    fields = _meta(model).fields_map
    return [f"{name}_id" if isinstance(fields.get(name), ForeignKeyFieldInstance) else name for name in names]


if __name__ == "__main__":
    sys.exit(main())
