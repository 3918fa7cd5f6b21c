"""Products."""

import strawberry

from api.projection import column, identifier, projected
from api.schema.nodes import Node
from domain.commerce.products import BabyClass, FormulaClass
from domain.platform.roles import Permission


@projected(
    table="products", scope=None, permission=Permission.READ_CATALOGUE, description="A product of the catalogue."
)
class Product(Node):
    id: strawberry.ID = identifier()
    name: str = column("name", "Its name.")
    source: str = column("source", "The system it came from.")
    external_id: str = column("external_id", "That system's own id for it.")
    department: str = column("department", "The widest group.")
    category: str = column("category", "The group that cross-sell speaks of.")
    product_type: str = column("product_type", "The narrowest group.")
    package_size: str = column("package_size", "As the label says it.")
    brand: str = column("brand", "Brand.")
    is_merchandise: bool = column("is_merchandise", "False for fuel, coupons, gift cards and till corrections.")
    baby_class: BabyClass = column("baby_class", "What it is to the nursery.")
    formula_class: FormulaClass = column(
        "formula_class", "What formula law asks of it; UNKNOWN counts as INFANT_FORMULA."
    )
    formula_stage: int | None = column("formula_stage", "1-4 where the label says so.")
