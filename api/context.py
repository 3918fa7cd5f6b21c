"""What a resolver knows of its request."""

from dataclasses import dataclass, field
from typing import Any, TypeAlias
from uuid import UUID

import strawberry
from graphql.execution.values import VariableValues

from api.config import ApiConfig
from api.errors import unauthenticated
from domain.platform.actors import Actor
from domain.platform.ids import new_id


@dataclass(slots=True)
class ApiContext:
    """One operation of one caller."""

    caller: Actor | None  # None: nobody signed in
    config: ApiConfig
    request_id: str = field(default_factory=lambda: new_id().hex)
    language: str = "en"  # en or zh-Hans: of sentences, never of data
    operation_hash: str = ""  # SHA-256 of the document's text
    variables: VariableValues = field(default_factory=lambda: VariableValues({}, {}))
    statements: int = 0  # SQL statements that reads sent; a test counts them
    babies_read: set[UUID] = field(default_factory=set)  # households whose babies this operation showed

    @property
    def actor(self) -> Actor:
        """Who asks; UNAUTHENTICATED when nobody does."""
        if self.caller is None:
            raise unauthenticated()
        return self.caller


Info: TypeAlias = strawberry.Info[ApiContext, Any]
