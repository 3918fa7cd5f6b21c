"""From the JSON text of a statement to the answer: untouched where SQL gave all, else decoded, filled and checked.

What is left to do is known when the statement is planned (`Shape`): values to compute, fields that the caller may not
read, and nulls where the SDL allows none.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    FieldNode,
    GraphQLError,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    is_leaf_type,
)

from api.arguments import Arguments
from api.context import ApiContext
from api.errors import ApiError
from api.projection import Computed, Wanted
from api.projection.selections import Selections, below

Completer = Callable[[Any], Any]
Path = list[str | int]
KIND = "#"  # hidden: the row's type, where what is left to do depends on it
IS_NULL = {"#": 0}  # what NULL_MARK decodes to


@dataclass(frozen=True, slots=True)
class Fill:
    """A value to compute for each object. `complete` makes it JSON; None leaves it to graphql-core."""

    key: str
    source: Computed
    complete: Completer | None
    arguments: Arguments | None = None  # how to read the field's, where it has some


@dataclass(frozen=True, slots=True)
class Child:
    shape: "Shape"
    is_nullable: bool
    are_items_nullable: bool


@dataclass(slots=True)
class Shape:
    """What is left to do on an object of the decoded answer."""

    fills: list[Fill] = field(default_factory=list)
    refused: list[tuple[str, ApiError, FieldNode]] = field(default_factory=list)  # null, with an error for each object
    checked: list[tuple[str, str, FieldNode]] = field(default_factory=list)  # by their SDL names: null is an error
    children: dict[str, Child] = field(default_factory=dict)
    arms: dict[str, "Shape"] = field(default_factory=dict)  # of a union, by type name

    @property
    def is_done(self) -> bool:
        """Nothing to do unless a null is found where none may be. What has arms has hidden keys to take out."""
        return not (self.fills or self.refused or self.arms or any(not c.shape.is_done for c in self.children.values()))

    @property
    def is_checked(self) -> bool:
        return bool(self.checked or self.arms or any(child.shape.is_checked for child in self.children.values()))

    def child(self, key: str, of: GraphQLOutputType, shape: "Shape") -> None:
        if shape.is_done and not shape.is_checked:
            return
        is_nullable = not isinstance(of, GraphQLNonNull)
        inner: Any = of if is_nullable else of.of_type  # type: ignore[union-attr]
        items_nullable = isinstance(inner, GraphQLList) and not isinstance(inner.of_type, GraphQLNonNull)
        self.children[key] = Child(shape, is_nullable, items_nullable)


NOTHING = Shape()


class Nulled(Exception):
    """A null where none may be: the object that holds it is null too."""


async def fill(context: ApiContext, data: Any, shape: Shape) -> None:
    """Compute what is computed, a batch for each family, and take its needs out of the answer."""
    wanted: dict[str, list[tuple[dict[str, Any], Fill, Wanted]]] = defaultdict(list)
    _gather(context, data, shape, wanted)
    for name, found in wanted.items():
        values = await found[0][1].source.family.compute(context, [item for _, _, item in found])
        assert len(values) == len(found), f"{name} answered another number of values"
        for (target, how, _), value in zip(found, values, strict=True):
            target[how.key] = value if how.complete is None else how.complete(value)


def _gather(context: ApiContext, data: Any, shape: Shape, wanted: dict[str, list[Any]]) -> None:
    if isinstance(data, list):
        for item in data:
            _gather(context, item, shape, wanted)
        return
    if data is None:
        return
    if shape.arms:
        _gather(context, data, shape.arms.get(data.get(KIND), NOTHING), wanted)
    families = {how.source.family.name for how in shape.fills}
    needs = {name: data.pop(f"#{name}") for name in families}
    for how in shape.fills:
        name = how.source.family.name
        given = how.arguments(context.variables) if how.arguments else {}
        wanted[name].append((data, how, Wanted(how.source.name, needs[name], given)))
    for key, child in shape.children.items():
        _gather(context, data[key], child.shape, wanted)


def check(data: Any, shape: Shape, path: Path, errors: list[GraphQLError], *, items_nullable: bool = True) -> Any:
    """The data with an error for each refused field, and null up to where the SDL allows one that it does not allow."""
    if data is None:
        return None
    if isinstance(data, list):
        for place, item in enumerate(data):
            data[place] = _checked(item, [*path, place], errors, Child(shape, items_nullable, are_items_nullable=False))
        return data
    if shape.arms:
        check(data, shape.arms.get(data.pop(KIND, ""), NOTHING), path, errors)
    for key, error, node in shape.refused:
        errors.append(located(error, node, [*path, key]))
    for key, name, node in shape.checked:
        if data[key] == IS_NULL:
            # Our data is broken, not the request: the caller reads INTERNAL_ERROR.
            why = TypeError(f"Cannot return null for non-nullable field {name}.")
            errors.append(located(GraphQLError("", original_error=why), node, [*path, key]))
            raise Nulled
    for key, child in shape.children.items():
        data[key] = _checked(data[key], [*path, key], errors, child)
    return data


def _checked(data: Any, path: Path, errors: list[GraphQLError], child: Child) -> Any:
    try:
        return check(data, child.shape, path, errors, items_nullable=child.are_items_nullable)
    except Nulled:
        if not child.is_nullable:
            raise
        return None


def located(error: GraphQLError, node: FieldNode, path: Path) -> GraphQLError:
    """The error at a place of the answer, as graphql-core writes it."""
    original = error.original_error
    return GraphQLError(
        error.message, nodes=[node], path=list(path), original_error=original, extensions=error.extensions
    )


def completer(selections: Selections, of: GraphQLOutputType, nodes: Sequence[FieldNode]) -> Completer:
    """What makes a computed Python value the JSON that the selection asks for. Planned once, run for each value."""
    if isinstance(of, GraphQLNonNull):
        return _required(completer(selections, of.of_type, nodes))
    if isinstance(of, GraphQLList):
        item = completer(selections, of.of_type, nodes)
        return lambda value: None if value is None else [item(one) for one in value]
    if is_leaf_type(of):
        serialize = of.serialize
        return lambda value: None if value is None else serialize(value)
    assert isinstance(of, GraphQLObjectType), "computed values are objects, lists and scalars"
    parts: list[tuple[str, str, Completer]] = []
    for key, inner in selections.fields(of, below(nodes)).items():
        name = inner[0].name.value
        if name == "__typename":
            parts.append((key, "", lambda _value, constant=of.name: constant))  # type: ignore[misc]
        else:
            known = of.fields[name]
            attribute = known.extensions["strawberry-definition"].python_name
            parts.append((key, attribute, completer(selections, known.type, inner)))
    return lambda value: None if value is None else _object(value, parts)


def _object(value: Any, parts: Sequence[tuple[str, str, Completer]]) -> dict[str, Any]:
    return {key: complete(getattr(value, attribute) if attribute else None) for key, attribute, complete in parts}


def _required(inner: Completer) -> Completer:
    def complete(value: Any) -> Any:
        if value is None:
            raise TypeError("a computed value is null where none may be")
        return inner(value)

    return complete
