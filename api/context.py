"""What a resolver knows of its request."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, TypeAlias

import strawberry
from graphql.execution.values import VariableValues

from api.config import ApiConfig
from api.errors import unauthenticated
from domain.platform.actors import Actor
from domain.platform.clock import business_day
from domain.platform.ids import new_id

if TYPE_CHECKING:
    from api.projection.selections import Operation


@dataclass(slots=True)
class ApiContext:
    """One operation of one caller."""

    caller: Actor | None  # None: nobody signed in
    config: ApiConfig
    request_id: str = field(default_factory=lambda: new_id().hex)
    language: str = "en"  # en or zh-Hans: of sentences, never of data
    operation_hash: str = ""  # SHA-256 of the document's text
    operation: "Operation | None" = None  # that runs
    variables: VariableValues = field(default_factory=lambda: VariableValues({}, {}))
    sent: Mapping[str, Any] = field(default_factory=dict)  # the variables as they came
    statements: int = 0  # SQL statements that reads sent; a test counts them
    looked_up_by: set[str] = field(default_factory=set)  # kinds of names by which a service looked a member up
    searched_by: set[str] = field(default_factory=set)  # what of babies' data members were searched by

    readings: dict[tuple[object, ...], Any] = field(default_factory=dict)  # of rules, worked out before the statement

    business_day: date = date.min  # the business date, for finders that need it in Python

    async def learn_business_day(self) -> None:
        """The business date in the installation's zone."""
        self.statements += 1
        self.business_day = await business_day(self.config.time_zone)

    @property
    def actor(self) -> Actor:
        """Who asks; UNAUTHENTICATED when nobody does."""
        if self.caller is None:
            raise unauthenticated()
        return self.caller


Info: TypeAlias = strawberry.Info[ApiContext, Any]
