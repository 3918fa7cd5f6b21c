"""Orders of every channel, with lines and returns."""

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import strawberry

from api.projection import column, expression, identifier, projected, relation
from api.schema.commerce.products import Product
from api.schema.commerce.staff import Staff
from api.schema.commerce.stores import Store
from api.schema.nodes import Node
from api.schema.scopes import OF_MEMBER, only_from
from domain.commerce.orders import OrderChannel
from domain.platform.roles import Permission

if TYPE_CHECKING:
    from api.schema.people.members import Member


@projected(
    table="order_lines",
    scope=only_from({"Order": (("order_id", "id"),)}),
    permission=Permission.READ_ORDERS,
    description="A line of an order.",
)
class OrderLine:
    line_no: int = column("line_no", "Its place on the receipt.")
    quantity: Decimal = column("quantity", "Pieces, or kilograms for goods sold by weight.")
    amount: Decimal = column("amount", "Paid for the line after discounts, in the order's currency.")
    discount: Decimal = column("discount", "Taken off, in the order's currency.")
    product: Product = relation("What was bought.", on={"id": "product_id"})


@projected(
    table="order_returns",
    scope=only_from({"Order": (("order_id", "id"),)}),
    permission=Permission.READ_ORDERS,
    description="Goods of an order that came back.",
)
class OrderReturn:
    returned_at: datetime = column("returned_at", "When (business clock).")
    amount: Decimal = column("amount", "Refunded, in the order's currency; positive.")
    source: str = column("source", "The system it came from.")
    external_id: str = column("external_id", "That system's own id for it.")
    order: Annotated["Order", strawberry.lazy("api.schema.commerce.orders")] | None = relation(
        "Of which order.", on={"id": "order_id"}
    )


@projected(
    table="orders",
    scope=OF_MEMBER,
    permission=Permission.READ_ORDERS,
    description="A purchase in any channel; the same receipt twice is one order.",
)
class Order(Node):
    id: strawberry.ID = identifier()
    source: str = column("source", "The system it came from.")
    external_id: str = column("external_id", "That system's own id for it.")
    channel: OrderChannel = column("channel", "Where it was placed.")
    ordered_at: datetime = column("ordered_at", "When, by the till's clock (business clock).")
    currency: str = column("currency", "ISO 4217.")
    total: Decimal = column("total", "Sum of its lines after discounts, in `currency`.")
    line_count: int = expression(
        "(SELECT count(*) FROM order_lines l WHERE l.order_id = {t}.id)", "How many lines it has."
    )
    goods_count: int = expression(
        "(SELECT count(*) FROM order_lines l JOIN products p ON p.id = l.product_id "
        "WHERE l.order_id = {t}.id AND p.is_merchandise)",
        "How many of its lines are goods; the rest is fuel, coupons, gift cards or corrections of the till.",
    )
    lines: list[OrderLine] = relation(
        "Its lines, in the receipt's order.", on={"order_id": "id"}, order="{t}.line_no", first=50
    )
    returns: list[OrderReturn] = relation(
        "What came back, first return first.", on={"order_id": "id"}, order="{t}.returned_at, {t}.id", first=10
    )
    store: Store | None = relation("Where it was bought.", on={"id": "store_id"})
    served_by: Staff | None = relation("Who served.", on={"id": "served_by_id"})
    member: Annotated["Member", strawberry.lazy("api.schema.people.members")] | None = relation(
        "Who bought.", on={"id": "member_id"}
    )
