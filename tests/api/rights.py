"""Who may read and do what: `rights.csv` has a row for each field, argument and mutation, and a cell for each role.

`python -m tests.api.rights --missing` adds the rows that the SDL has and the table has not, refused to everybody until
somebody says otherwise, and drops those that the SDL has lost.
"""

import argparse
import csv
from pathlib import Path

from graphql import (
    GraphQLInputObjectType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    build_schema,
    get_named_type,
)

from domain.platform.roles import Role

ROOT = Path(__file__).resolve().parents[2]
TABLE = Path(__file__).with_name("rights.csv")
NOBODY = "NOBODY"  # who did not sign in
WHO = (*(role.value for role in Role), NOBODY)
ALLOWED, MASKED, REFUSED = "allowed", "masked", "refused"
PLACE = frozenset({"first", "after"})  # of a page: they choose nothing
Cells = dict[str, dict[str, str]]  # field or argument -> role -> what it reads


def sdl() -> GraphQLSchema:
    return build_schema((ROOT / "schema.graphql").read_text())


def is_wrapper(named: GraphQLNamedType) -> bool:
    """Part of a page: its rights are those of its rows."""
    return named.name.endswith(("Connection", "Edge")) or named.name == "PageInfo"


def readable(schema: GraphQLSchema) -> list[str]:
    """Every mutation, then every field and argument that a query can name, in the SDL's order: `Mutation.tagMember`,
    `Order.total`, `Query.member(phone)`, `Query.members(search.tag)`.
    """
    assert schema.query_type is not None
    assert schema.mutation_type is not None
    found = [f"Mutation.{name}" for name in schema.mutation_type.fields]
    waiting, seen = [schema.query_type], {schema.query_type.name}
    while waiting:
        of = waiting.pop(0)
        for name, field in of.fields.items():
            if not is_wrapper(of):
                found += [f"{of.name}.{name}", *(f"{of.name}.{name}({way})" for way in _ways(field))]
            for named in _objects(schema, get_named_type(field.type)):
                if named.name not in seen:
                    seen.add(named.name)
                    waiting.append(named)
    return found


def _ways(field: object) -> list[str]:
    ways: list[str] = []
    for name, argument in getattr(field, "args", {}).items():
        named = get_named_type(argument.type)
        if isinstance(named, GraphQLInputObjectType):
            ways += [f"{name}.{inner}" for inner in named.fields]
        elif name not in PLACE:
            ways.append(name)
    return ways


def _objects(schema: GraphQLSchema, named: GraphQLNamedType) -> list[GraphQLObjectType]:
    if isinstance(named, GraphQLObjectType):
        return [named]
    if isinstance(named, GraphQLUnionType) or named.name == "Node":
        return list(schema.get_possible_types(named))  # type: ignore[arg-type]
    return []


def table() -> Cells:
    with TABLE.open(newline="") as file:
        return {row.pop("field"): row for row in csv.DictReader(file)}


def write(cells: Cells) -> None:
    with TABLE.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["field", *WHO], lineterminator="\n")
        writer.writeheader()
        writer.writerows({"field": name, **row} for name, row in cells.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--missing", action="store_true", required=True, help="bring the table's rows in step")
    parser.parse_args()
    known, names = table() if TABLE.exists() else {}, readable(sdl())
    write({name: known.get(name, dict.fromkeys(WHO, REFUSED)) for name in names})
    for name in names:
        if name not in known:
            print(f"added   {name}: refused to everybody. Say in {TABLE.name} who may read it.")
    for name in known:
        if name not in names:
            print(f"dropped {name}")


if __name__ == "__main__":
    main()
