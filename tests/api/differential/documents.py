"""Random valid documents: the SDL is walked with a seed, so that a seed is a document, its variables and who asks.

A response key is used twice only where GraphQL can merge what stands there.
"""

import random
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    is_leaf_type,
)

from tests.api.differential.pieces import Document, Fragment, Scope
from tests.api.differential.values import Pools, Word, literal

DEEPEST = 6
MOST_ROWS = 300  # that one way down a document may ask for
MOST_ALIASES = 20
MOST_FIELDS = 50
WRONG = [1.5, {"no": 1}, [[]], True, "0001-01-01T00:00:00+05:00", 2**40, "9999-12-31T23:59:59-10:00"]
DULL = ("products", "stores", "viewer")


class Writer:
    """Writes one document."""

    def __init__(self, schema: GraphQLSchema, pools: Pools, seed: int) -> None:
        self.schema, self.pools = schema, pools
        self.chance = random.Random(seed)  # test data
        self.declared: dict[str, str] = {}  # variable -> its declaration
        self.known: dict[tuple[str, str], str] = {}  # (type, argument) -> a variable that may be used again
        self.given: dict[str, Any] = {}
        self.fragments: dict[str, list[Fragment]] = {}
        self.aliases = self.fields = self.count = 0

    def document(self) -> Document:
        query = self.schema.query_type
        assert query is not None
        body = self.selections(query, Scope(), depth=0, rows=MOST_ROWS)
        declared = ", ".join(self.declared.values())
        head = f"query Q({declared})" if declared else self.chance.choice(["", "query", "query Q"])
        told = [f"fragment {one.name} on {of} {one.text}" for of, some in self.fragments.items() for one in some]
        self.chance.shuffle(told)
        texts = [f"{head} {body}", *told]
        if self.chance.random() < 0.2:
            texts.reverse()
        return Document("\n".join(texts), self.given, self.chance.choice(["en", "zh-Hans"]))

    def maybe(self, likely: float) -> bool:
        return self.chance.random() < likely

    def name(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}{self.count}"

    # Selections

    def selections(self, of: Any, scope: Scope, *, depth: int, rows: int) -> str:
        """A selection set of the type that fits the scope, and now stands in it."""
        parts: list[str] = []
        fields: dict[str, GraphQLField] = {} if isinstance(of, GraphQLUnionType) else of.fields
        leaves = [name for name, one in fields.items() if is_leaf_type(get_named_type(one.type))]
        inner = [name for name in fields if name not in leaves]
        some = self.chance.sample(leaves, min(len(leaves), self.chance.randint(0, 4)))
        parts += [self.field(name, fields[name], scope, depth=depth, rows=rows) for name in some]
        if depth < DEEPEST and self.fields < MOST_FIELDS:
            most = 3 if depth == 0 else 2 if depth < 4 else 1
            wanted = self.wanted(inner, self.chance.randint(1 if not leaves else 0, most))
            parts += [self.field(name, fields[name], scope, depth=depth, rows=rows) for name in wanted]
            parts += self.spreads(of, scope, depth=depth, rows=rows)
        if self.maybe(0.15) or not any(parts):
            parts.append(self.typename(scope))
        self.chance.shuffle(parts)
        return "{ " + " ".join(part for part in parts if part) + " }"

    def wanted(self, inner: list[str], count: int) -> list[str]:
        if "edges" in inner and self.maybe(0.8):
            return ["edges", *self.chance.sample(inner, min(1, count))]
        return self.chance.choices(inner, [0.3 if name in DULL else 1 for name in inner], k=count) if inner else []

    def typename(self, scope: Scope) -> str:
        alias = self.name("t") if self.maybe(0.3) else ""
        key = alias or "__typename"
        if key in scope.keys and scope.keys[key][:2] != ("__typename", "String!"):
            return self.typename(scope)
        scope.keys.setdefault(key, ("__typename", "String!", Scope()))
        return f"{alias}: __typename" if alias else "__typename"

    def field(self, name: str, of: GraphQLField, scope: Scope, *, depth: int, rows: int) -> str:
        """The field once more with other arguments, or merged with itself, or under its own name."""
        shape = str(of.type)
        same = [key for key, (call, other, _) in scope.keys.items() if (call.split("(")[0], other) == (name, shape)]
        self.fields += 1
        if same and self.maybe(0.4):
            key = self.chance.choice(same)
            call, _, below = scope.keys[key]
            first = 10
        else:
            arguments, first = self.arguments(of, rows)
            call, below = name + arguments, Scope()
            key = name
            if key in scope.keys or (self.maybe(0.2) and self.aliases < MOST_ALIASES):
                key = self.name(self.chance.choice(["a", "long_alias_" + "x" * 60, "_"]))
                self.aliases += 1
            scope.keys[key] = (call, shape, below)
        text = (call if key == name else f"{key}: {call}") + self.directives()
        if is_leaf_type(get_named_type(of.type)):
            return text
        is_wrapper = name in ("edges", "node") and depth > 0
        inside = self.selections(
            get_named_type(of.type), below, depth=depth + (not is_wrapper), rows=max(1, rows // max(1, min(first, 100)))
        )
        return f"{text} {inside}"

    def spreads(self, of: Any, scope: Scope, *, depth: int, rows: int) -> list[str]:
        """Fragments: on the type itself, on what it implements or on what it may be."""
        if isinstance(of, GraphQLObjectType):
            if not self.maybe(0.25):
                return []
            on = self.chance.choice([of, of, *of.interfaces])
            return [self.spread(of, on, scope, depth=depth, rows=rows)]
        arms = list(self.schema.get_possible_types(of))
        node = self.schema.type_map["Node"]
        some = self.chance.sample(arms, min(len(arms), self.chance.randint(1, 4)))
        if self.maybe(0.3):
            some.append(node)  # type: ignore[arg-type]
        if not isinstance(of, GraphQLUnionType) and self.maybe(0.8):
            some.append(
                self.chance.choice(
                    [one for one in arms if one.name in ("Member", "Baby", "Order", "Message", "CallbackTask")]
                )
            )
        return [self.spread(of, one, scope, depth=depth, rows=rows) for one in some]

    def spread(self, of: Any, on: Any, scope: Scope, *, depth: int, rows: int) -> str:
        known = [
            one
            for one in self.fragments.get(on.name, [])
            if one.rows <= rows and one.depth >= depth and scope.fits(one.scope)
        ]
        if known and self.maybe(0.6):
            fragment = self.chance.choice(known)
            scope.take(fragment.scope)
            return f"...{fragment.name}{self.directives()}"
        if self.maybe(0.4):
            before = self.state()
            own = Scope()
            text = self.selections(on, own, depth=depth + 1, rows=rows)
            if not scope.fits(own):
                self.declared, self.known, self.given, self.fragments = before
                return ""
            fragment = Fragment(self.name("F"), text, own, rows, depth)
            self.fragments.setdefault(on.name, []).append(fragment)
            scope.take(own)
            return f"...{fragment.name}{self.directives()}"
        condition = "" if on is of and self.maybe(0.3) else f" on {on.name}"
        directives = self.directives()
        return f"...{condition}{directives} {self.selections(on, scope, depth=depth + 1, rows=rows)}"

    def state(self) -> tuple[dict[str, str], dict[tuple[str, str], str], dict[str, Any], dict[str, list[Fragment]]]:
        """What a document may only have if it is used."""
        fragments = {name: list(some) for name, some in self.fragments.items()}
        return dict(self.declared), dict(self.known), dict(self.given), fragments

    def directives(self) -> str:
        if not self.maybe(0.12):
            return ""
        name = self.chance.choice(["skip", "include"])
        wanted = self.maybe(0.75) == (name == "include")
        value = self.variable("Boolean!", "if", wanted) if self.maybe(0.6) else literal(wanted)
        return f" @{name}(if: {value})"

    # Arguments

    def arguments(self, of: GraphQLField, rows: int) -> tuple[str, int]:
        """The arguments' text, and how many rows they ask for."""
        parts, first = [], 10 if "first" in of.args else 1
        is_exact = "phone" in of.args and "card" in of.args  # member(): exactly one way to name her, nearly always
        only = self.chance.choice(["id", "id", "phone", "card", "externalId"]) if is_exact and self.maybe(0.92) else ""
        for name, argument in of.args.items():
            is_required = isinstance(argument.type, GraphQLNonNull) and argument.default is None
            if only and name not in (only, "source" if only == "externalId" else only):
                continue
            if not is_required and not only and not self.maybe(0.35):
                continue
            if name == "after" and not self.maybe(0.8):
                continue
            value = self.value(argument.type, name, of, rows)
            if name == "first" and isinstance(value, int):
                first = value
            parts.append(
                f"{name}: {self.written(argument.type, name, value, has_default=argument.default is not None)}"
            )
        self.chance.shuffle(parts)
        return (f"({', '.join(parts)})" if parts else ""), first

    def value(self, of: Any, name: str, at: GraphQLField, rows: int) -> Any:
        """A value of an input type."""
        if isinstance(of, GraphQLNonNull):
            of = of.of_type
        elif self.maybe(0.06):
            return None
        if isinstance(of, GraphQLList):
            if self.maybe(0.05):
                return []
            return [self.value(of.of_type, name, at, rows) for _ in range(self.chance.randint(1, 3))]
        if isinstance(of, GraphQLEnumType):
            return Word(self.chance.choice(list(of.values)))
        if isinstance(of, GraphQLInputObjectType):
            names = self.chance.sample(list(of.fields), self.chance.choice([0, 0, 1, 1, 1, 1, 2]))
            return {one: self.value(of.fields[one].type, one, at, rows) for one in names}
        if of.name == "Boolean":
            return self.maybe(0.5)
        return self.pools.value(self.chance, of.name, name, str(get_named_type(at.type)), rows)

    def written(self, of: Any, name: str, value: Any, *, has_default: bool = False) -> str:
        """The value by literal, by variable, or with variables inside it."""
        if self.maybe(0.45):
            return (
                self.optional(str(of), value)
                if has_default and self.maybe(0.4)
                else self.variable(str(of), name, value)
            )
        named = of.of_type if isinstance(of, GraphQLNonNull) else of
        if isinstance(value, dict) and isinstance(named, GraphQLInputObjectType):
            inside = [f"{key}: {self.written(named.fields[key].type, key, one)}" for key, one in value.items()]
            return "{" + ", ".join(inside) + "}"
        if isinstance(value, list) and value and isinstance(named, GraphQLList):
            if len(value) == 1 and self.maybe(0.4):
                return literal(value[0])
            return "[" + ", ".join(self.written(named.of_type, name, one) for one in value) + "]"
        return literal(value)

    def optional(self, of: str, value: Any) -> str:
        """A variable that may be left out where the argument has a default, which then holds."""
        variable = "$" + self.name("o")
        self.declared[variable] = f"{variable}: {of.removesuffix('!')}"
        if value is not None and self.maybe(0.4):
            self.given[variable[1:]] = value
        return variable

    def variable(self, of: str, name: str, value: Any) -> str:
        """A variable for a place of that type: with a default or without, given, null or left out."""
        if (of, name) in self.known and name not in ("after", "id") and self.maybe(0.3):
            return self.known[of, name]
        variable = "$" + self.name("v")
        self.known[of, name] = variable
        bare = of.removesuffix("!")
        if value is None:
            of = bare
        elif of == bare and self.maybe(0.3):
            of = f"{bare}!"
        elif of != bare and self.maybe(0.3):
            self.declared[variable] = f"{variable}: {bare} = {literal(value)}"
            if self.maybe(0.5):
                self.given[variable[1:]] = value
            return variable
        self.declared[variable] = f"{variable}: {of}"
        if of == bare and value is not None and self.maybe(0.3):
            default = literal(value) if self.maybe(0.7) else "null"
            self.declared[variable] += f" = {default}"
            if self.maybe(0.3):
                return variable
            value = value if self.maybe(0.7) else None
        if value is None and self.maybe(0.5):
            return variable
        self.given[variable[1:]] = self.chance.choice(WRONG) if self.maybe(0.004) else value
        return variable
