"""Root fields about the catalogue of tags."""

from typing import Annotated

import strawberry

from api.projection import Ask, connection
from api.projection.pages import Connection
from api.schema.people.tags import CatalogueTag
from domain.people.tag_catalogue import TagFamily


def _find(
    ask: Ask,
    alias: str,
    family: Annotated[TagFamily | None, strawberry.argument(description="Only what speaks of this.")] = None,
    is_retired: Annotated[
        bool | None, strawberry.argument(description="true: only retired ones; left out: only those in use.")
    ] = None,
) -> list[str]:
    found = [f"{alias}.retired_at IS {'NOT ' if is_retired else ''}NULL"]
    if family is not None:
        found.append(f"{alias}.family = {ask(family.value, 'text')}")
    return found


@strawberry.type
class TagQueries:
    tag_catalogue: Connection[CatalogueTag] | None = connection(
        "The tags that may be set, by id: in the order in which they came.", key=(("id", "ASC", "uuid"),), find=_find
    )
