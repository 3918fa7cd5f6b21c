"""Root fields about what everybody may know: products and stores."""

from typing import Annotated

import strawberry

from api.projection import Ask, connection
from api.projection.pages import Connection
from api.schema.commerce.products import Product
from api.schema.commerce.stores import Store
from domain.commerce.products import BabyClass

BY_ID = (("id", "ASC", "uuid"),)


def _products(
    ask: Ask,
    alias: str,
    category: Annotated[str | None, strawberry.argument(description="Only this category.")] = None,
    baby_class: Annotated[BabyClass | None, strawberry.argument(description="Only this class.")] = None,
    external_id: Annotated[str | None, strawberry.argument(description="Only with this id of its source.")] = None,
) -> list[str]:
    found = []
    for column, value in (
        ("category", category),
        ("baby_class", baby_class.value if baby_class else None),
        ("external_id", external_id),
    ):
        if value is not None:
            found.append(f"{alias}.{column} = {ask(value, 'text')}")
    return found


@strawberry.type
class CatalogueQueries:
    products: Connection[Product] | None = connection("The catalogue, in a fixed order.", key=BY_ID, find=_products)
    stores: Connection[Store] | None = connection("All stores, in a fixed order.", key=BY_ID)
