"""What the world's members share: distributors, stores, staff, products, tags and the model behind the scores."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from bench.columns import Raw, chosen, hex_text, numbered, same, uuid_text, uuids
from bench.spec import CLOCK, NOW_MS, SOURCE, Batch, Spec

PRODUCTS = 2_000
CATEGORIES = 60
STAFF_A_STORE = 5
STORES_A_DISTRIBUTOR = 20
BABY_CATEGORIES = ("FORMULA", "BABY_FOOD", "DIAPER", "BABY_CARE")
TAGS: tuple[tuple[str, str, str, str], ...] = (
    ("bench.first_child", "ATTRIBUTE", "First child", "一胎"),
    ("bench.second_child", "ATTRIBUTE", "Second child", "二胎"),
    ("bench.organic", "CONSUMPTION", "Prefers organic", "偏好有机"),
    ("bench.big_packs", "CONSUMPTION", "Buys big packs", "偏好大包装"),
    ("bench.weekend", "TRANSACTION", "Weekend shopper", "周末购物"),
    ("bench.coupons", "TRANSACTION", "Uses coupons", "爱用优惠券"),
    ("bench.mall", "TRANSACTION", "Buys in the mall", "商城购物"),
    ("bench.answers_calls", "INTERACTION", "Answers calls", "接听电话"),
    ("bench.reads_email", "INTERACTION", "Reads e-mail", "阅读邮件"),
    ("bench.asks", "INTERACTION", "Asks questions", "常咨询"),
)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The shared rows, and what the people and purchases need of them."""

    batches: list[Batch]
    store_ids: Raw
    staff_ids: Raw  # STAFF_A_STORE of the first store, then of the second, ...
    tag_ids: Raw
    product_ids: Raw
    product_cents: npt.NDArray[np.int64]
    category_names: list[str]
    model_id: Raw


def catalogue(spec: Spec) -> Catalogue:
    """Everything shared. Same spec, same rows."""
    rng = spec.rng(0)

    def ids(rows: int) -> Raw:
        return uuids(np.full(rows, NOW_MS), rng)

    distributors = ids(-(-spec.stores // STORES_A_DISTRIBUTOR))
    stores, staff, products = ids(spec.stores), ids(spec.stores * STAFF_A_STORE), ids(PRODUCTS)
    tags, model = ids(len(TAGS)), ids(1)
    categories = [_category(number) for number in range(CATEGORIES)]
    batches = [
        _distributors(distributors),
        _stores(stores, distributors),
        _staff(staff, stores),
        _products(products, categories),
        _tags(tags),
        _model(model),
    ]
    cents = rng.integers(99, 4_000, size=PRODUCTS)
    return Catalogue(batches, stores, staff, tags, products, cents, categories, model)


def _category(number: int) -> str:
    baby = BABY_CATEGORIES[number] if number < len(BABY_CATEGORIES) else "GROCERY"
    return f"{baby} {number:02d}"


def _distributors(ids: Raw) -> Batch:
    return Batch("distributors", {"id": uuid_text(ids), "name": numbered("Bench distributor ", np.arange(len(ids)), 4)})


def _stores(ids: Raw, distributors: Raw) -> Batch:
    number = np.arange(len(ids))
    return Batch(
        "stores",
        {
            "id": uuid_text(ids),
            "source": same(SOURCE, len(ids)),
            "external_id": numbered("s", number, 6),
            "name": numbered("Bench store ", number, 6),
            "distributor_id": uuid_text(distributors[number // STORES_A_DISTRIBUTOR]),
            "time_zone": same("UTC", len(ids)),
        },
    )


def _staff(ids: Raw, stores: Raw) -> Batch:
    number = np.arange(len(ids))
    return Batch(
        "staff",
        {
            "id": uuid_text(ids),
            "source": same(SOURCE, len(ids)),
            "external_id": numbered("w", number, 7),
            "name": numbered("Bench advisor ", number, 7),
            "scope": chosen(["STORE", "OWN", "OWN", "OWN", "OWN"], number % STAFF_A_STORE),
            "store_id": uuid_text(stores[number // STAFF_A_STORE]),
        },
    )


def _products(ids: Raw, categories: list[str]) -> Batch:
    number = np.arange(len(ids))
    category = number % CATEGORIES
    is_formula = category == 0
    return Batch(
        "products",
        {
            "id": uuid_text(ids),
            "source": same(SOURCE, len(ids)),
            "external_id": numbered("p", number, 6),
            "name": numbered("Bench product ", number, 6),
            "category": chosen(list(categories), category),
            "product_type": numbered("Type ", number // 10, 4),
            "brand": numbered("Brand ", number % 40, 2),
            "baby_class": chosen([*BABY_CATEGORIES, "NONE"], np.minimum(category, len(BABY_CATEGORIES))),
            "formula_class": chosen(
                ["INFANT_FORMULA", "FOLLOW_ON", "GROWING_UP", "NONE"], np.where(is_formula, number // CATEGORIES % 3, 3)
            ),
        },
    )


def _tags(ids: Raw) -> Batch:
    keys, families, english, chinese = zip(*TAGS, strict=True)
    return Batch(
        "tags",
        {"id": uuid_text(ids), "key": keys, "family": families, "label_en": english, "label_zh": chinese},
    )


def _model(ids: Raw) -> Batch:
    """Not a model: the row that the made-up scores must refer to, retired from the start."""
    return Batch(
        "scoring_models",
        {
            "id": uuid_text(ids),
            "name": ["bench"],
            "version": ["synthetic"],
            "family": ["synthetic"],
            "state": ["RETIRED"],
            "as_of": [CLOCK.date()],
            "horizon_days": [30],
            "feature_hash": _hex_words(ids),
            "data_hash": _hex_words(ids),
            "artifact": ["synthetic"],
            "trained_at": pa.array([CLOCK], pa.timestamp("us", tz="UTC")),
        },
    )


def _hex_words(ids: Raw) -> list[str]:
    return [row.tobytes().decode() for row in hex_text(ids)]
