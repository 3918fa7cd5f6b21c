"""Whatever a file holds: every row is accounted for, lands once at most, and later imports change no row at all."""

import asyncio
import csv
import io
import itertools
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from domain.database import connection
from domain.platform.clock import set_business_clock
from domain.platform.imports import Counts
from nestling.imports.run import KINDS, import_file
from nestling.settings import Settings
from tests.properties import prove

SETTINGS = Settings(TIME_ZONE="Asia/Shanghai", PHONE_REGION="US", _env_file=None)  # type: ignore[call-arg]
RUNS = itertools.count()
CELLS = {
    "members": {
        "external_id": ["M1", "M2", "M3", "M4", "M5", " M6 ", ""],
        "name": ["王小丽", "Zoë", "=1+1", "", "Ann\nLee"],
        "phone": ["212-555-0101", "+12125550102", "2.1E+10", "call me", ""],
        "email": ["a@example.com", "A@Example.com", "not an address", ""],
        "card": ["C1-{till}", "C2-{till}", "", "", ""],
        "household": ["H1", "H2", "", ""],
        "tags": ["", "vip", "vip interest.organic"],
        "consents": ["", "CARE:SMS", "CARE:NOWHERE"],
        "consent_at": ["", "2017-01-05"],
        "consent_version": ["v1"],
        "consent_text": ["I agree"],
        "baby_nickname": ["", "豆豆"],
        "baby_born_on": ["", "2017-08-01", "2019-01-01"],
        "baby2_due_on": ["", "2018-03-01"],
    },
    "orders": {
        "order_id": ["O1", "O1", "O2", "O3", "", "O4"],
        "ordered_at": ["2017-12-01 10:00", "2017-12-01 10:00", "2019-12-01", "soon"],
        "product": ["P1"],
        "product_name": ["Wipes"],
        "quantity": ["1", "", "-2", "0.5"],
        "amount": ["10.00", "10.00", "1,000.00", "zwölf"],
        "member": ["", "", "", "M77"],
    },
}
TABLES = sorted({table for kind in KINDS.values() for table in kind.tables} | {"stores", "tags", "import_issues"})


def files(kind: str, longest: int) -> st.SearchStrategy[str]:
    """CSV files of this kind; some rows are torn."""
    names = list(CELLS[kind])
    row = st.tuples(*(st.sampled_from(CELLS[kind][name]) for name in names)).map(list)
    torn = row.map(lambda cells: cells[:3])
    return st.lists(row | row | row | torn, max_size=longest).map(lambda rows: _written([names, *rows]))


def _written(rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


async def _versions() -> dict[str, tuple[int, int | None]]:
    """How many rows each table has, and which transactions wrote them: any update of any row shows.

    By name: after a test with many rows the server may count the tables side by side, and their order is luck.
    """
    each = (f"SELECT '{t}' AS name, count(*) AS n, sum(xmin::text::bigint) AS written FROM {t}" for t in TABLES)
    rows = await connection().execute_query_dict(" UNION ALL ".join(each))
    return {row["name"]: (row["n"], row["written"]) for row in rows}


async def _import_often(kind: str, path: Path, text: str) -> tuple[Counts, Counts, dict[str, Any]]:
    """Each file comes from a till of its own with cards of its own: no example is in another's way."""
    till = f"till {next(RUNS)}"
    await asyncio.to_thread(path.write_text, text.replace("{till}", till), encoding="utf-8", newline="")
    first = await import_file(KINDS[kind], path, till, SETTINGS)
    second = await import_file(KINDS[kind], path, till, SETTINGS)
    before = await _versions()  # only now: a row that waits may wait for one thing more when its neighbours have landed
    await import_file(KINDS[kind], path, till, SETTINGS)
    after = await _versions()
    rewritten = {name: (before[name], after[name]) for name in TABLES if before[name] != after[name]}
    return first.counts, second.counts, rewritten


@pytest.mark.parametrize(
    ("kind", "examples", "longest"),
    [
        pytest.param("members", 8, 12, id="members-few"),
        pytest.param("orders", 8, 12, id="orders-few"),
        pytest.param("members", 400, 40, id="members-many", marks=[pytest.mark.long, pytest.mark.timeout(600)]),
        pytest.param("orders", 400, 40, id="orders-many", marks=[pytest.mark.long, pytest.mark.timeout(600)]),
    ],
)
async def test_a_file_lands_once_and_every_row_is_accounted_for(
    db: str, tmp_path: Path, kind: str, examples: int, longest: int
) -> None:
    await set_business_clock(datetime(2017, 12, 15, 12, tzinfo=UTC))
    loop, path = asyncio.get_running_loop(), tmp_path / "file.csv"

    def fact(text: str) -> None:
        first, second, rewritten = asyncio.run_coroutine_threadsafe(_import_often(kind, path, text), loop).result()
        for counts in (first, second):
            assert counts.read == counts.landed + counts.repeated + counts.waiting
        assert (second.landed, second.waiting) == (0, first.waiting)
        assert not rewritten

    await asyncio.to_thread(prove, fact, files(kind, longest), examples=examples)
