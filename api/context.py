"""What a resolver knows of its request."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, TypeAlias
from uuid import UUID
from zoneinfo import ZoneInfo

import strawberry
from graphql.execution.values import VariableValues

from api.config import ApiConfig
from api.errors import unauthenticated
from domain.platform.actors import Actor
from domain.platform.ids import new_id


async def _no_look_up(_named: set[str]) -> None:
    """Nothing to count: look-ups of staff and members are bounded by their scope."""


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

    business_day: date = date.min  # the business date, for finders that need it in Python
    on_member_look_up: Callable[[set[str]], Awaitable[None]] = _no_look_up

    async def learn_business_day(self, now: datetime) -> None:
        """The business date in the installation's zone."""
        self.statements += 1
        self.business_day = now.astimezone(ZoneInfo(self.config.time_zone)).date()

    @property
    def actor(self) -> Actor:
        """Who asks; UNAUTHENTICATED when nobody does."""
        if self.caller is None:
            raise unauthenticated()
        return self.caller


Info: TypeAlias = strawberry.Info[ApiContext, Any]
