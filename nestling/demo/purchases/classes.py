"""What the product texts of the source say about babies. Rules on words, one place; docs/demo-data.md explains them.

The texts know no formula stage and no diaper size. "Infant formula" is the name of a shelf there (electrolyte drinks
stand on it too), so a formula's class stays UNKNOWN, which law treats as infant formula; only "toddler" says more.
"""

from domain.commerce.products import BabyClass, FormulaClass

SHELVES = ("BABY FOODS", "BABYFOOD", "BABY HBC", "INFANT CARE PRODUCTS", "INFANT FORMULA", "DIAPERS & DISPOSABLES")
FOOD_WORDS = ("BABY FOOD", "BABY CEREAL", "BABY JUICE", "BABY SPRING WATER", "BABY CRACKER", "BABY ISOTONIC")
# On other shelves these are for babies; a baby carrot is not.
CARE_TYPES = (
    "BABY BASICS", "BABY CARE", "BABY CREAMS & OINTMENTS", "BABY LOTIONS & OILS", "BABY POWDERS", "BABY PRODUCTS",
    "BABY SOAPS", "BABY WIPES", "INFANTS-TODD HOSIERY", "JHOOK - BABY", "MISC. BABY PRODUCTS", "MISC. INFANT SUPPLY",
)  # fmt: skip
# They stand on a baby shelf, or have a baby's word in them, and are not for babies.
NOT_FOR_BABIES = (
    "COTTON SWAB", "PAPER NAPKIN", "HAIR SPRAY", "LIQUID SOAP", "KITES", "RESIN", "MUSICAL", "BABY DOLL", "PHYSICANS",
)  # fmt: skip


def classify(category: str, product_type: str) -> tuple[BabyClass, FormulaClass]:
    """Baby class and formula class of a product of the source, from its two texts in capitals."""
    if any(word in product_type for word in NOT_FOR_BABIES):
        return BabyClass.NONE, FormulaClass.NONE
    if product_type.startswith("INFANT FORMULA"):
        return BabyClass.FORMULA, FormulaClass.GROWING_UP if "TODDLER" in product_type else FormulaClass.UNKNOWN
    if product_type.startswith(FOOD_WORDS):
        return BabyClass.BABY_FOOD, FormulaClass.COMPLEMENTARY
    if product_type.startswith("FEEDING ACCESSORIES BOTTLES"):
        return BabyClass.BABY_CARE, FormulaClass.BOTTLE_TEAT
    if product_type == "BABY DIAPERS":
        return BabyClass.DIAPER, FormulaClass.NONE
    if category in SHELVES or product_type in CARE_TYPES:
        return BabyClass.BABY_CARE, FormulaClass.NONE
    return BabyClass.NONE, FormulaClass.NONE
