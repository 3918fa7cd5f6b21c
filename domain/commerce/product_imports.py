"""Products that come with an order's file: added when the catalogue lacks them, never changed."""

from collections.abc import Sequence
from dataclasses import dataclass

from domain.commerce.products import BabyClass, FormulaClass
from domain.database import connection
from domain.platform.ids import new_id
from domain.platform.import_rows import Cells, Flawed, read_choice


@dataclass(frozen=True, slots=True)
class GivenProduct:
    code: str
    name: str
    category: str
    baby_class: BabyClass
    formula_class: FormulaClass
    formula_stage: int | None


def product_of(cells: Cells) -> GivenProduct | None:
    """The product that the row describes, None when it gives no name. Formula without a class is UNKNOWN formula."""
    name = cells.text("product_name", 400)
    if name is None:
        return None
    baby_class = cells.read("baby_class", read_choice(BabyClass)) or BabyClass.NONE
    is_formula = baby_class is BabyClass.FORMULA
    formula_class = cells.read("formula_class", read_choice(FormulaClass))
    if formula_class is None or (is_formula and formula_class is FormulaClass.NONE):
        formula_class = FormulaClass.UNKNOWN if is_formula else FormulaClass.NONE
    stage = cells.read("formula_stage", _stage)
    code, category = cells.text("product", 200) or "", cells.text("category", 200) or ""
    return GivenProduct(code, name, category, baby_class, formula_class, stage)


def _stage(text: str) -> int:
    if text not in {"1", "2", "3", "4"}:
        raise Flawed("bad_choice", "1, 2, 3 or 4.")
    return int(text)


async def add_products(source: str, products: Sequence[GivenProduct]) -> None:
    """Add those whose code the source's catalogue lacks; what is there stays as it is."""
    first = {product.code: product for product in reversed(products)}
    rows = [first[code] for code in sorted(first)]
    if not rows:
        return
    await connection().execute_query(
        "INSERT INTO products (id, source, external_id, name, category, baby_class, formula_class, formula_stage) "
        "SELECT g.id, $1, g.code, g.name, g.category, g.baby_class, g.formula_class, g.stage "
        "FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::smallint[]) "
        "AS g (id, code, name, category, baby_class, formula_class, stage) "
        "ON CONFLICT (source, external_id) DO NOTHING",
        [
            source, [new_id() for _ in rows], [p.code for p in rows], [p.name for p in rows],
            [p.category for p in rows], [p.baby_class.value for p in rows], [p.formula_class.value for p in rows],
            [p.formula_stage for p in rows],
        ],
    )  # fmt: skip
