"""Arguments: how a field declares its own, and how they are read from a request, as far as possible once for all."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from graphql import (
    ArgumentNode,
    FieldNode,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLNonNull,
    GraphQLScalarType,
    ObjectValueNode,
    VariableNode,
    get_argument_values,
    get_named_type,
    get_nullable_type,
    specified_scalar_types,
)
from graphql.execution.values import VariableValues
from strawberry import Schema
from strawberry.annotation import StrawberryAnnotation
from strawberry.types.arguments import StrawberryArgument, convert_arguments

Arguments = Callable[[VariableValues], dict[str, Any]]
"""The field's arguments as Python values, by their Python names, for the variables of a request."""

_ABSENT = object()
REQUIRED = inspect.Parameter.empty


def argument(name: str, annotation: Any, default: Any, description: str | None = None) -> StrawberryArgument:
    """An argument of a field; with `REQUIRED` as its default it has none."""
    return StrawberryArgument(name, None, StrawberryAnnotation(annotation), description=description, default=default)


def arguments_of(find: Callable[..., object], leave: int = 2) -> list[StrawberryArgument]:
    """The finder's own parameters, after the read and the row's alias."""
    parameters = list(inspect.signature(find, eval_str=True).parameters.values())[leave:]
    return [argument(parameter.name, parameter.annotation, parameter.default) for parameter in parameters]


def reader(schema: Schema, of: GraphQLField, node: FieldNode, literals: VariableValues) -> Arguments:
    """How to read the field's arguments. Literals are read now, with the values that no request changes."""

    def read(variables: VariableValues) -> dict[str, Any]:
        return convert_arguments(
            get_argument_values(of, node, variables),
            _declared(of),
            scalar_registry=schema.schema_converter.scalar_registry,
            config=schema.config,
        )

    given = {argument.name.value: argument.value for argument in node.arguments or ()}
    late = {name: value for name, value in given.items() if _uses_variables(value)}
    if not late:
        constant = read(literals)
        return lambda _variables: dict(constant)
    if all(isinstance(value, VariableNode) and _is_plain(of.args[name].type) for name, value in late.items()):
        return _looked_up(schema, of, node, literals, late)
    for name, value in late.items():
        if isinstance(value, ObjectValueNode) and _is_filled_plainly(value, of.args[name].type):
            return _filled_in(schema, of, node, literals, name, value)
    return _once(read)


def _filled_in(
    schema: Schema, of: GraphQLField, node: FieldNode, literals: VariableValues, name: str, value: ObjectValueNode
) -> Arguments:
    """An input object of plain variables, as in `search: {tag: $tag}`: what is given replaces its defaults."""
    filled = {one.name.value: one.value.name.value for one in value.fields if isinstance(one.value, VariableNode)}
    without = ObjectValueNode(fields=tuple(one for one in value.fields if one.name.value not in filled))
    others = tuple(
        ArgumentNode(name=one.name, value=without) if one.name.value == name else one for one in node.arguments or ()
    )
    emptied = reader(schema, of, FieldNode(name=node.name, arguments=others), literals)
    argument = {schema.config.name_converter.from_argument(one): one.python_name for one in _declared(of)}
    definition = get_named_type(of.args[name].type).extensions["strawberry-definition"]
    fields = {schema.config.name_converter.from_field(one): one.python_name for one in definition.fields}

    def read(variables: VariableValues) -> dict[str, Any]:
        given = {
            fields[inner]: variables.coerced[variable]
            for inner, variable in filled.items()
            if variable in variables.coerced
        }
        found = emptied(variables)
        return {**found, argument[name]: replace(found[argument[name]], **given)}

    return read


def _looked_up(
    schema: Schema, of: GraphQLField, node: FieldNode, literals: VariableValues, late: Mapping[str, Any]
) -> Arguments:
    """Plain scalars by variable: what is left out is the default; graphql-core refuses a null that may not be."""
    names = {schema.config.name_converter.from_argument(one): one for one in _declared(of)}
    others = FieldNode(
        name=node.name, arguments=tuple(one for one in node.arguments or () if one.name.value not in late)
    )
    partial = GraphQLField(of.type, {name: arg for name, arg in of.args.items() if name not in late})
    constant = convert_arguments(
        get_argument_values(partial, others, literals),
        [one for name, one in names.items() if name not in late],
        scalar_registry=schema.schema_converter.scalar_registry,
        config=schema.config,
    )
    looked_up = [
        (
            names[name].python_name,
            value.name.value,
            names[name].default,
            isinstance(of.args[name].type, GraphQLNonNull),
        )
        for name, value in late.items()
    ]

    def read(variables: VariableValues) -> dict[str, Any]:
        found = dict(constant)
        for python_name, variable, default, is_required in looked_up:
            value = variables.coerced.get(variable, _ABSENT)
            if value is _ABSENT:
                value = default
            if value is None and is_required:
                get_argument_values(of, node, variables)  # raises
            found[python_name] = value
        return found

    return read


def _once(read: Arguments) -> Arguments:
    """Reads once a request what its finder, its page and its cursor each ask for."""
    last: tuple[VariableValues | None, dict[str, Any]] = (None, {})

    def reading(variables: VariableValues) -> dict[str, Any]:
        nonlocal last
        if last[0] is not variables:
            last = (variables, read(variables))
        return dict(last[1])

    return reading


def _uses_variables(value: Any) -> bool:
    if isinstance(value, VariableNode):
        return True
    inner = getattr(value, "values", None) or [one.value for one in getattr(value, "fields", None) or ()]
    return any(_uses_variables(one) for one in inner)


def _declared(of: GraphQLField) -> list[StrawberryArgument]:
    found: list[StrawberryArgument] = of.extensions["strawberry-definition"].arguments
    return found


def _is_filled_plainly(value: ObjectValueNode, of: GraphQLInputType) -> bool:
    """Whether the object's variables are plain scalars that may be left out."""
    named = get_nullable_type(of)
    return (
        isinstance(named, GraphQLInputObjectType)
        and not named.is_one_of
        and all(
            isinstance(one.value, VariableNode)
            and _is_plain(named.fields[one.name.value].type)
            and not isinstance(named.fields[one.name.value].type, GraphQLNonNull)
            for one in value.fields
            if _uses_variables(one.value)
        )
    )


def _is_plain(of: GraphQLInputType) -> bool:
    """A built-in scalar: what the core coerced is what Python takes."""
    named = of.of_type if isinstance(of, GraphQLNonNull) else of
    return isinstance(named, GraphQLScalarType) and named.name in specified_scalar_types
