"""The one way to read: a GraphQL type declares its fields, a selection becomes one SQL statement.

`declarations` is the language, `planner` the compiler, `reading` the pool, `completion` the finish by graphql-core.
"""

from api.projection.completion import install, project
from api.projection.declarations import (
    Ask,
    Family,
    Scope,
    Wanted,
    column,
    computed,
    connection,
    expression,
    identifier,
    masked,
    one,
    projected,
    relation,
)
from api.projection.pages import Connection

__all__ = [
    "Ask",
    "Connection",
    "Family",
    "Scope",
    "Wanted",
    "column",
    "computed",
    "connection",
    "expression",
    "identifier",
    "install",
    "masked",
    "one",
    "project",
    "projected",
    "relation",
]
