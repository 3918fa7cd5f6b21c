"""Products, with what the law and the nursery want to know of them."""

from enum import StrEnum

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from domain.platform.constraints import one_of
from domain.platform.ids import new_id


class BabyClass(StrEnum):
    FORMULA = "FORMULA"
    BABY_FOOD = "BABY_FOOD"
    DIAPER = "DIAPER"
    BABY_CARE = "BABY_CARE"
    NONE = "NONE"


class FormulaClass(StrEnum):
    """What formula law asks of a product; UNKNOWN is treated as INFANT_FORMULA."""

    INFANT_FORMULA = "INFANT_FORMULA"
    FOLLOW_ON = "FOLLOW_ON"
    GROWING_UP = "GROWING_UP"
    SPECIAL_MEDICAL = "SPECIAL_MEDICAL"
    BOTTLE_TEAT = "BOTTLE_TEAT"
    COMPLEMENTARY = "COMPLEMENTARY"
    UNKNOWN = "UNKNOWN"
    NONE = "NONE"


class Product(Model):
    id = fields.UUIDField(primary_key=True, default=new_id)
    source = fields.CharField(max_length=64)
    external_id = fields.CharField(max_length=200)
    name = fields.CharField(max_length=400)
    department = fields.CharField(max_length=200, default="")
    category = fields.CharField(max_length=200)  # the level that cross-sell speaks of
    product_type = fields.CharField(max_length=200, default="")
    package_size = fields.CharField(max_length=100, default="")
    brand = fields.CharField(max_length=200, default="")
    baby_class = fields.CharEnumField(BabyClass, max_length=16, default=BabyClass.NONE)
    formula_class = fields.CharEnumField(FormulaClass, max_length=16, default=FormulaClass.NONE)
    # False for what stands on receipts but not on shelves: fuel, coupons, gift cards, till corrections.
    is_merchandise = fields.BooleanField(default=True, db_default=True)
    formula_stage = fields.SmallIntField(null=True)  # 1-4 where the label says so

    class Meta:
        table = "products"
        unique_together = (("source", "external_id"),)
        constraints = [
            one_of("products", "baby_class", BabyClass),
            one_of("products", "formula_class", FormulaClass),
            CheckConstraint(name="products_formula_stage_known", check="formula_stage BETWEEN 1 AND 4"),
            CheckConstraint(
                name="products_formula_has_a_class", check="baby_class <> 'FORMULA' OR formula_class <> 'NONE'"
            ),
        ]
