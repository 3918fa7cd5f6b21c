"""The demo's real purchases: Dunnhumby's Complete Journey (2017, CC0) as members, products, stores and orders."""

from nestling.demo.purchases.feed import Counts, import_orders, import_purchases, last_purchase_at
from nestling.demo.purchases.source import SOURCE

__all__ = ["SOURCE", "Counts", "import_orders", "import_purchases", "last_purchase_at"]
