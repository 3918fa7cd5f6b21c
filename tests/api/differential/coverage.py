"""What of the SDL documents ask for, and what they could."""

from collections.abc import Iterator
from typing import Any

from graphql import (
    ArgumentNode,
    FieldNode,
    GraphQLSchema,
    GraphQLUnionType,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    get_named_type,
    is_leaf_type,
    parse,
    visit,
)


def reachable(schema: GraphQLSchema) -> set[str]:
    """`Type.field` and `Type.field(argument)` of all that a query can reach."""
    found: set[str] = set()
    waiting, known = [schema.type_map["Query"]], set[str]()
    while waiting:
        named = waiting.pop()
        if named.name in known or is_leaf_type(named):
            continue
        known.add(named.name)
        found |= set(_of(named))
        waiting += [get_named_type(one.type) for one in getattr(named, "fields", {}).values()]
        waiting += schema.get_possible_types(named) if isinstance(named, GraphQLUnionType) else []
    return found


def _of(named: Any) -> Iterator[str]:
    for name, one in getattr(named, "fields", {}).items():
        yield f"{named.name}.{name}"
        yield from (f"{named.name}.{name}({argument})" for argument in one.args)


class _Reader(Visitor):
    def __init__(self, info: TypeInfo, found: set[str]) -> None:
        super().__init__()
        self.info, self.found = info, found

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        self.found.add(f"{self.info.get_parent_type()}.{node.name.value}")

    def enter_argument(self, node: ArgumentNode, _key: Any, _parent: Any, _path: Any, ancestors: Any) -> None:
        if isinstance(ancestors[-1], FieldNode):
            self.found.add(f"{self.info.get_parent_type()}.{ancestors[-1].name.value}({node.name.value})")


def reached(schema: GraphQLSchema, text: str) -> set[str]:
    """The same of one document."""
    found, info = set[str](), TypeInfo(schema)
    visit(parse(text), TypeInfoVisitor(info, _Reader(info, found)))
    return found
