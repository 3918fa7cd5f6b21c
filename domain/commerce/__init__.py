"""What was bought, where and from whom: stores, staff, products, orders, returns."""
