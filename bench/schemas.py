"""Building a schema with 200 generated types beside our own: `python -m bench.schemas projected|plain` prints the ms.

Each type has an id, eight values and two relations to the type before it.
"""

import inspect
import sys
import time
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import strawberry
from strawberry.annotation import StrawberryAnnotation
from strawberry.schema.config import StrawberryConfig
from strawberry.types.arguments import StrawberryArgument

import api.schema
from api.projection import Ask, column, identifier, one, projected, relation
from api.schema.nodes import Node
from api.schema.scalars import SCALARS

TYPES = 200
VALUES: dict[str, Any] = {
    "name": str,
    "note": str | None,
    "amount": Decimal,
    "count": int,
    "share": float | None,
    "is_open": bool,
    "happened_at": datetime,
    "due_on": date | None,
}
SAID = "What it says."


def _projected(number: int, before: type | None) -> type:
    name = f"Generated{number}"
    fields: dict[str, Any] = {"id": identifier(), **{value: column(value, SAID) for value in VALUES}}
    annotations: dict[str, Any] = {"id": strawberry.ID, **VALUES}
    if before is not None:
        fields["before"] = relation(SAID, on={"id": "before_id"})
        fields["all_before"] = relation(SAID, on={"after_id": "id"}, order="{t}.id", first=5)
        annotations |= {"before": before | None, "all_before": list[before]}  # type: ignore[valid-type]
    made = type(name, (Node,), {**fields, "__annotations__": annotations, "__module__": __name__})
    return projected(table=name.lower(), scope=None, permission=None, description=SAID)(made)


def _plain(number: int, before: type | None) -> type:
    fields: dict[str, Any] = {value: strawberry.field(description=SAID) for value in ("id", *VALUES)}
    annotations: dict[str, Any] = {"id": strawberry.ID, **VALUES}
    if before is not None:
        fields["before"] = strawberry.field(description=SAID)
        fields["all_before"] = _with(strawberry.field(description=SAID), "first", int, 5)
        annotations |= {"before": before | None, "all_before": list[before]}  # type: ignore[valid-type]
    made = type(f"Generated{number}", (Node,), {**fields, "__annotations__": annotations, "__module__": __name__})
    return strawberry.type(made, description=SAID)


def _find(ask: Ask, alias: str, key: str) -> list[str]:
    return [f"{alias}.id = {ask(key, 'uuid')}"]


def _with(field: Any, name: str, of: Any, default: Any) -> Any:
    """The field with an argument, as cheaply as strawberry can have one: no function's signature is read."""
    field.arguments = [StrawberryArgument(name, None, StrawberryAnnotation(of), default=default)]
    return field


def _generated(make: Callable[[int, type | None], type], root: Callable[[], Any]) -> type:
    """All types, and root fields to reach the last one by."""
    last: type | None = None
    for number in range(TYPES):
        last = make(number, last)
    assert last is not None
    fields = {"generated": root(), "__annotations__": {"generated": last | None}, "__module__": __name__}
    return strawberry.type(type("GeneratedQueries", (), fields))


def build_projected() -> strawberry.Schema:
    """As our own types are declared, and by the function that builds our schema."""
    made = _generated(_projected, lambda: one(SAID, find=_find))
    api.schema.QUERIES = (*api.schema.QUERIES, made)
    return api.schema.build_schema()


def build_plain() -> strawberry.Schema:
    """The same types as strawberry has them, and nothing but its own build."""
    made = _generated(_plain, lambda: _with(strawberry.field(description=SAID), "key", str, inspect.Parameter.empty))
    return strawberry.Schema(
        query=_root("Query", (*api.schema.QUERIES, made)),
        mutation=_root("Mutation", api.schema.MUTATIONS),
        subscription=_root("Subscription", api.schema.SUBSCRIPTIONS),
        config=StrawberryConfig(scalar_map=SCALARS),
    )


def _root(name: str, parts: tuple[type, ...]) -> type:
    return strawberry.type(type(name, parts, {}))


def main() -> None:
    build = {"projected": build_projected, "plain": build_plain}[sys.argv[1]]
    started = time.perf_counter()
    schema = build()
    taken = 1000 * (time.perf_counter() - started)
    assert len([name for name in schema._schema.type_map if name.startswith("Generated")]) == TYPES  # noqa: SLF001
    print(taken)


if __name__ == "__main__":
    main()
