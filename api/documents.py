"""Documents: parsed, validated and weighed once a text."""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    GRAPHQL_MAX_INT,
    GRAPHQL_MIN_INT,
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLNonNull,
    GraphQLSyntaxError,
    Node,
    OperationDefinitionNode,
    parse,
    specified_rules,
)
from graphql.execution.get_variable_signature import GraphQLVariableSignature, get_variable_signature
from graphql.execution.values import VariableValues, VariableValueSource, get_variable_values
from graphql.validation import NoSchemaIntrospectionCustomRule, OverlappingFieldsCanBeMergedRule
from strawberry import Schema

from api import limits
from api.errors import ApiError, Code, limit_exceeded
from api.overlaps import Overlaps
from api.plans import PLANS
from api.projection.selections import Operation
from api.validation import invalid

MOST_REMEMBERED = 500_000  # characters of the documents that a process remembers; a tree takes 40 times its text
PLAIN: Mapping[str, type] = {"ID": str, "String": str, "Int": int, "Boolean": bool}

RULES = [rule for rule in specified_rules if rule is not OverlappingFieldsCanBeMergedRule]


@dataclass(frozen=True, slots=True)
class Weighed:
    """An operation that may run, as far as its text says."""

    operation: Operation
    weight: limits.Weight
    plain: tuple[tuple[GraphQLVariableSignature, type], ...] | None = None  # its variables, where all are plain

    def coerced(self, sent: Mapping[str, Any]) -> VariableValues | list[GraphQLError]:
        """The variables as the operation declares them, or what is wrong with them.

        What is plainly of its type stays as it is; everything else is graphql-core's to judge.
        """
        sources: dict[str, VariableValueSource] = {}
        for signature, kind in self.plain or ():
            value = sent.get(signature.name)
            if type(value) is not kind or (kind is int and not GRAPHQL_MIN_INT <= value <= GRAPHQL_MAX_INT):  # type: ignore[operator]
                break
            sources[signature.name] = VariableValueSource(signature, value)
        else:
            if self.plain is not None:
                return VariableValues(sources, {name: source.value for name, source in sources.items()})
        return get_variable_values(
            self.operation.schema._schema,  # noqa: SLF001
            self.operation.node.variable_definitions or [],
            dict(sent),
            max_errors=limits.MOST_ERRORS,
            hide_suggestions=True,
        )


@dataclass(frozen=True, slots=True)
class Document:
    """A valid document within the limits."""

    operations: Mapping[str | None, Weighed]
    hash: str  # SHA-256 of its text

    def named(self, name: str | None) -> Weighed | None:
        """The operation of that name; without a name the only one."""
        if name is not None:
            return self.operations.get(name)
        return next(iter(self.operations.values())) if len(self.operations) == 1 else None


@dataclass(slots=True)
class Documents:
    """What a process remembers, by text and right to introspect; least recently used first."""

    known: OrderedDict[tuple[str, bool], Document] = field(default_factory=OrderedDict)
    characters: int = 0
    pinned: dict[str, Document] = field(default_factory=dict)  # trusted: for everybody, never forgotten

    def pin(self, schema: Schema, text: str) -> None:
        read = read_document(schema, text, may_introspect=True)
        assert isinstance(read, Document)
        self.pinned[text] = read

    def knows(self, text: str, *, may_introspect: bool) -> bool:
        """Whether the document needs no reading."""
        return text in self.pinned or (text, may_introspect) in self.known

    def get(self, schema: Schema, text: str, *, may_introspect: bool) -> Document | list[GraphQLError]:
        """The valid document, or what is wrong with it."""
        trusted = self.pinned.get(text)
        if trusted is not None:
            return trusted
        key = (text, may_introspect)
        found = self.known.get(key)
        if found is not None:
            self.known.move_to_end(key)
            return found
        read = read_document(schema, text, may_introspect=may_introspect)
        if isinstance(read, Document):
            self.known[key] = read
            self.characters += len(text)
            while self.characters > MOST_REMEMBERED:
                (forgotten, _), document = self.known.popitem(last=False)
                self.characters -= len(forgotten)
                for weighed in document.operations.values():
                    PLANS.forget(weighed.operation)
        return read


DOCUMENTS = Documents()


def read_document(schema: Schema, text: str, *, may_introspect: bool) -> Document | list[GraphQLError]:
    """Parse, weigh and validate; what is too large is refused before the next, more expensive step."""
    refused = limits.refused_text(text)
    if refused is not None:
        return [refused]
    try:
        document = parse(text, max_tokens=limits.MOST_TOKENS, no_location=False)
        _drop_tokens(document)
        return _weighed(schema, document, text, may_introspect=may_introspect)
    except GraphQLSyntaxError as error:
        if "tokens" in error.message:
            return [limit_exceeded("tokens", limits.MOST_TOKENS)]
        error.extensions = {"code": Code.GRAPHQL_PARSE_FAILED.value}
        return [error]
    except RecursionError:
        return [limit_exceeded("depth", limits.MOST_DEPTH)]


def _drop_tokens(document: DocumentNode) -> None:
    """Let go of what the parser read: errors are placed by the text alone, and tokens are half of a tree's objects.

    What is remembered is walked by every full collection of garbage, while all requests wait.
    """
    waiting: list[Node] = [document]
    while waiting:
        node = waiting.pop()
        if node.loc is not None and hasattr(node.loc, "start_token"):
            del node.loc.start_token, node.loc.end_token
        for key in node.keys:
            value = getattr(node, key, None)
            if isinstance(value, Node):
                waiting.append(value)
            elif isinstance(value, tuple):
                waiting += [one for one in value if isinstance(one, Node)]


def _weighed(
    schema: Schema, document: DocumentNode, text: str, *, may_introspect: bool
) -> Document | list[GraphQLError]:
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    operations: dict[str | None, Weighed] = {}
    overlaps, fields = Overlaps(schema._schema, fragments), 0  # noqa: SLF001
    for node in document.definitions:
        if isinstance(node, OperationDefinitionNode):
            weight = limits.weigh(schema._schema, document, node)  # noqa: SLF001
            if isinstance(weight, ApiError):
                return [weight]
            fields += weight.fields
            if fields > limits.MOST_FIELDS:
                return [limit_exceeded("fields", limits.MOST_FIELDS)]
            overlaps.look_at(node)
            name = node.name.value if node.name else None
            operations[name] = Weighed(Operation(schema, document, node, fragments), weight, _plain(schema, node))
    if overlaps.refused is not None:
        return [overlaps.refused]
    errors = _invalid(schema, document, may_introspect=may_introspect, is_mixed=overlaps.is_mixed)
    return errors or Document(operations, hashlib.sha256(text.encode()).hexdigest())


def _plain(schema: Schema, node: OperationDefinitionNode) -> tuple[tuple[GraphQLVariableSignature, type], ...] | None:
    """The operation's variables with their Python types; None where one is no built-in scalar."""
    found = []
    for definition in node.variable_definitions or ():
        signature = get_variable_signature(schema._schema, definition)  # noqa: SLF001
        if isinstance(signature, GraphQLError):
            return None
        of = signature.type.of_type if isinstance(signature.type, GraphQLNonNull) else signature.type
        kind = PLAIN.get(getattr(of, "name", ""))
        if kind is None:
            return None
        found.append((signature, kind))
    return tuple(found)


def _invalid(schema: Schema, document: DocumentNode, *, may_introspect: bool, is_mixed: bool) -> list[GraphQLError]:
    rules = [*RULES, *([OverlappingFieldsCanBeMergedRule] if is_mixed else [])]
    rules += [] if may_introspect else [NoSchemaIntrospectionCustomRule]
    errors = invalid(
        schema._schema,  # noqa: SLF001
        document,
        rules,
        most_errors=limits.MOST_ERRORS,
        hide_suggestions=not may_introspect,
    )
    for wrong in errors:
        is_hidden = "introspection" in wrong.message.lower() and not may_introspect
        code = Code.INTROSPECTION_DISABLED if is_hidden else Code.GRAPHQL_VALIDATION_FAILED
        wrong.extensions = {"code": code.value}
    return errors
