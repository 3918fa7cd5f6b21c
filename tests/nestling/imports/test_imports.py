"""Good rows land, bad rows wait with a reason that says how to mend it, and nothing lands twice, killed or whole."""

import asyncio
import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from domain.database import connection
from domain.platform.clock import set_business_clock
from nestling.imports.run import KINDS, import_file, rehearse, write_waiting
from nestling.settings import Settings

pytestmark = pytest.mark.usefixtures("db")
SETTINGS = Settings(TIME_ZONE="Asia/Shanghai", PHONE_REGION="CN", CURRENCY="CNY", _env_file=None)  # type: ignore[call-arg]
NOON = datetime(2017, 12, 15, 12, tzinfo=UTC)
ROOT = Path(__file__).resolve().parents[3]


def sheet(head: str, *lines: dict[str, str]) -> str:
    """A CSV file with these columns; what a line leaves out is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, head.split())
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


TOLD = {
    "consents": "CARE:SMS PROMOTION:EMAIL",
    "consent_at": "2017-01-05",
    "consent_version": "v1",
    "consent_text": "我同意",
}
BEAN = {"baby_nickname": "豆豆", "baby_born_on": "2017年8月1日", "household": "H1", "store": "S1"}
MEMBERS = sheet(
    "external_id name phone email card household language jurisdiction store store_name joined_on tags consents "
    "consent_at consent_version consent_text baby_nickname baby_born_on",
    {"external_id": "M1", "name": "王小丽", "phone": "13800138000", "email": "li@example.com", "card": "C1",
     "tags": "vip organic", "language": "zh-Hans", "jurisdiction": "CN", "store_name": "南京路店",
     "joined_on": "2017/01/05", **TOLD, **BEAN},
    {"external_id": "M2", "name": "王大明", "phone": "138 0013 8000", "card": "C2", **BEAN,
     "baby_born_on": "2017-08-01"},
    {"external_id": "M3", "name": "Zoë", "phone": "1.38E+10"},
    {"external_id": "M4", "name": "Ann", "email": "not an address", "joined_on": "2017-02-30"},
    {"external_id": "M5", "name": "Bob", "card": "C1", "store": "S9"},
    {"external_id": "M6", "name": "Eve", "consents": "CARE:SMS"},
    {"external_id": "M7", "name": "=1+1", "baby_born_on": "2018-08-01"},
    {"name": "Nobody"},
) + 'M8,Torn\r\nM9,Ok,"=""13900139000""",,,,,,,,20170305,,,,,,,\r\n'  # fmt: skip


async def rows(statement: str, *values: Any) -> list[dict[str, Any]]:
    return await connection().execute_query_dict(statement, list(values))


async def one(statement: str, *values: Any) -> Any:
    return next(iter((await rows(statement, *values))[0].values()))


async def issues(kind: str) -> set[tuple[int, str, str]]:
    found = await rows(
        "SELECT i.row_no, i.column_name, i.code FROM import_issues i JOIN imports b ON b.id = i.batch_id "
        "WHERE b.kind = $1 AND i.resolved_at IS NULL", kind,
    )  # fmt: skip
    return {(row["row_no"], row["column_name"], row["code"]) for row in found}


async def load(kind: str, path: Path, source: str = "pos") -> tuple[int, int, int]:
    counts = (await import_file(KINDS[kind], path, source, SETTINGS)).counts
    return counts.landed, counts.repeated, counts.waiting


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_text(text, encoding=encoding)
    return path


@pytest.fixture(autouse=True)
async def _clock(db: str) -> None:
    await set_business_clock(NOON)


async def test_members_land_and_the_others_wait_each_with_its_reason(tmp_path: Path) -> None:
    path = write(tmp_path / "members.csv", MEMBERS, "utf-8-sig")
    before = await rehearse(KINDS["members"], path, "pos", SETTINGS)
    assert (before.counts.landed, before.counts.waiting) == (3, 7)
    assert await one("SELECT count(*) FROM members") == await one("SELECT count(*) FROM imports") == 0

    assert await load("members", path) == (3, 0, 7)
    assert await issues("members") == {
        (4, "phone", "rounded_number"),
        (5, "email", "bad_email"), (5, "joined_on", "impossible_date"),
        (6, "card", "card_taken"), (6, "store", "unknown_store"),
        (7, "consents", "no_evidence"),
        (8, "name", "formula_cell"), (8, "baby_born_on", "unlikely_date"),
        (9, "external_id", "missing"),
        (10, "", "ragged_row"),
    }  # fmt: skip
    found = await rows(
        "SELECT m.external_id, m.full_name, m.name_key, m.language, m.jurisdiction, m.joined_on, m.name_source,"
        " t.name AS store,"
        " (SELECT count(*) FROM babies b WHERE b.household_id = m.household_id) AS babies,"
        " (SELECT array_agg(kind || ' ' || value || ' ' || is_primary ORDER BY kind) FROM identities i"
        "  WHERE i.member_id = m.id AND kind <> 'EXTERNAL_ID') AS identities"
        " FROM members m LEFT JOIN stores t ON t.id = m.store_id ORDER BY 1"
    )
    assert found[0] == {
        "external_id": "M1", "full_name": "王小丽", "name_key": "wangxiaoli", "language": "zh-Hans",
        "jurisdiction": "CN", "joined_on": date(2017, 1, 5), "name_source": "IMPORT", "store": "南京路店", "babies": 1,
        "identities": ["CARD C1 true", "EMAIL li@example.com true", "PHONE +8613800138000 true"],
    }  # fmt: skip
    assert found[1]["babies"] == 1  # one family, one baby
    assert found[1]["identities"] == ["CARD C2 true", "PHONE +8613800138000 false"]  # a family phone merges nobody
    assert found[2]["identities"] == ["PHONE +8613900139000 true"]
    baby = (await rows("SELECT * FROM babies"))[0]
    assert (baby["born_on"], baby["born_source"], baby["presence_source"]) == (date(2017, 8, 1), "IMPORT", "IMPORT")
    assert await one("SELECT count(*) FROM consents WHERE source = 'IMPORT' AND text_version = 'v1'") == 2
    assert await one("SELECT count(*) FROM member_tags") == 2


MADE_UP = [
    "a@example.com", "b@shop.example.org", "c@EXAMPLE.net", "d@nursery.example", "e@x.test", "f@example.shop",
    "g@mytest.cn", "h@test.example.com.cn",
]  # fmt: skip


async def test_contacts_that_belong_to_nobody_are_marked_so_that_real_providers_refuse_them(tmp_path: Path) -> None:
    lines = [{"external_id": f"M{n}", "email": email} for n, email in enumerate(MADE_UP)]
    phones = ["+12125550142", "13800138000", "+12125552671"]
    lines += [{"external_id": f"P{n}", "phone": phone, "email": "a@example.com"} for n, phone in enumerate(phones)]
    await load("members", write(tmp_path / "m.csv", sheet("external_id phone email", *lines)))
    found = await rows("SELECT DISTINCT value, is_synthetic FROM identities WHERE kind IN ('PHONE', 'EMAIL')")
    marked = {row["value"] for row in found if row["is_synthetic"]}
    assert marked == {one.lower() for one in MADE_UP[:5]} | {"+12125550142", "+8613800138000"}
    assert {row["value"] for row in found} - marked == {*MADE_UP[5:], "+12125552671"}
    assert await one("SELECT bool_or(is_synthetic) FROM identities WHERE kind = 'EXTERNAL_ID'") is False


async def test_a_second_import_repeats_nothing_and_mended_rows_land(tmp_path: Path) -> None:
    path = write(tmp_path / "members.csv", MEMBERS)
    await load("members", path)
    waiting = await issues("members")
    assert await load("members", path) == (0, 3, 7)
    assert await issues("members") == waiting
    assert await one("SELECT count(*) FROM import_issues") == len(waiting)

    out = tmp_path / "waiting.csv"
    assert await write_waiting(KINDS["members"], "pos", out) == 7
    mended = list(csv.DictReader(io.StringIO(out.read_text(encoding="utf-8-sig"))))
    assert "format the column as text" in mended[0]["import_problem"]
    for row in mended:
        row.update(phone="", email="", joined_on="", card="", store="", consents="", name="Somebody", baby_born_on="")
        row["external_id"] = row["external_id"] or "M10"
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(mended[0]))
        writer.writeheader()
        writer.writerows(mended)
    assert await load("members", out) == (7, 0, 0)
    assert await issues("members") == set()
    assert await one("SELECT count(*) FROM import_issues WHERE row_data <> '{}'") == 0
    assert await one("SELECT count(*) FROM members") == 10


async def test_somebody_who_says_something_else_is_never_overwritten(tmp_path: Path) -> None:
    await load("members", write(tmp_path / "a.csv", "external_id,name\nM1,Ann\nM1,Ann\nM1,Bea\n"))
    assert await issues("members") == {(4, "external_id", "payload_changed")}
    assert await load(
        "members", write(tmp_path / "b.csv", "external_id,name,phone\nM1, Ann ,\nM1,Ann,13800138000\n")
    ) == (0, 1, 1)
    assert await one("SELECT string_agg(full_name, ',') FROM members") == "Ann"


TIN = {"product": "P1", "quantity": "1", "amount": "599.00"}
ORDERS = sheet(
    "order_id ordered_at product product_name category baby_class quantity amount discount store store_name member "
    "phone return_id returned_at line_no",
    {"order_id": "O1", "ordered_at": "2017-12-01 10:00", "product": "P1", "product_name": "Gold tin",
     "category": "FORMULA", "baby_class": "FORMULA", "quantity": "2", "amount": "1,198.00", "discount": "10",
     "store": "S1", "store_name": "Main", "member": "M1"},
    {"order_id": "O1", "ordered_at": "2017-12-01 10:00", "product": "P2", "product_name": "Wipes", "category": "CARE",
     "baby_class": "baby care", "quantity": "3", "amount": "10.00", "store": "S1", "member": "M1"},
    {"order_id": "O2", "ordered_at": "2017-12-02T10:00:00+00:00", "phone": "13800138000", **TIN},
    {"order_id": "O3", "ordered_at": "2017-12-03 10:00", **TIN, "product": "P9"},
    {"order_id": "O4", "ordered_at": "2017-12-04 10:00", **TIN, "amount": "zwölf"},
    {"order_id": "O4", "ordered_at": "2017-12-04 10:00", **TIN},
    {"order_id": "O5", "ordered_at": "2017-12-05 10:00", **TIN},
    {"order_id": "O5", "ordered_at": "2017-12-06 10:00", **TIN},
    {"order_id": "O6", "ordered_at": "2019-12-05 10:00", **TIN},
    {"order_id": "O7", "ordered_at": "2017-12-05 10:00", "member": "M77", **TIN},
    {"order_id": "O1", "return_id": "B1", "returned_at": "2017-12-01", "line_no": "2", "quantity": "1"},
    {"order_id": "O0", "return_id": "B2", "returned_at": "2017-12-08", "line_no": "1", "quantity": "1"},
    {"order_id": "O1", "return_id": "B3", "returned_at": "2017-12-09", "line_no": "1", "quantity": "9"},
    {"order_id": "O1", "ordered_at": "2017-12-01 10:00", "member": "M1", **TIN},
    {"order_id": "O1", "return_id": "B4", "returned_at": "2017-11-30", "line_no": "2", "quantity": "1"},
    {"order_id": "O1", "return_id": "B5", "returned_at": "2017-12-01 09:59", "line_no": "2", "quantity": "1"},
)  # fmt: skip


async def test_a_country_or_language_that_nobody_registered_waits_with_how_to_write_it(tmp_path: Path) -> None:
    lines = ["A1,us,EN", "A2,,", "A3,United States,en", "A4,UK,zh-hans-cn", "A5,CN,Chinese", "A6,XX,e"]
    path = write(tmp_path / "members.csv", "external_id,jurisdiction,language\n" + "\n".join(lines) + "\n")
    assert await load("members", path) == (2, 0, 4)
    assert await issues("members") == {
        (4, "jurisdiction", "bad_country"), (5, "jurisdiction", "bad_country"), (6, "language", "bad_language"),
        (7, "jurisdiction", "bad_country"), (7, "language", "bad_language"),
    }  # fmt: skip
    kept = await rows("SELECT external_id, jurisdiction, language FROM members ORDER BY 1")
    assert [tuple(row.values()) for row in kept] == [("A1", "US", "en"), ("A2", "US", "en")]


async def test_orders_land_whole_or_wait_whole(tmp_path: Path) -> None:
    await load("members", write(tmp_path / "m.csv", "external_id,phone\nM1,13800138000\n"))
    path = write(tmp_path / "orders.csv", ORDERS)
    assert await load("orders", path) == (4, 0, 12)
    assert await issues("orders") == {
        (5, "product", "unknown_product"),
        (6, "amount", "bad_number"), (7, "", "order_incomplete"),
        (8, "", "order_incomplete"), (9, "ordered_at", "order_mixed"),
        (10, "ordered_at", "unlikely_date"),
        (11, "member", "unknown_member"),
        (13, "order_id", "unknown_order"),
        (14, "line_no", "return_exceeds"),
        (15, "order_id", "payload_changed"),
        (16, "returned_at", "before_sale"), (17, "returned_at", "before_sale"),
    }  # fmt: skip
    orders = await rows(
        "SELECT external_id, ordered_at, total, currency, member_id IS NOT NULL AS known FROM orders ORDER BY 1"
    )
    assert [tuple(order.values()) for order in orders] == [
        ("O1", datetime(2017, 12, 1, 2, tzinfo=UTC), Decimal("1208.00"), "CNY", True),
        ("O2", datetime(2017, 12, 2, 10, tzinfo=UTC), Decimal("599.00"), "CNY", True),
    ]
    assert await one("SELECT amount FROM order_returns") == Decimal("3.33")
    formula = (await rows("SELECT baby_class, formula_class FROM products WHERE external_id = 'P1'"))[0]
    assert formula == {"baby_class": "FORMULA", "formula_class": "UNKNOWN"}

    assert await load("orders", path) == (0, 4, 12)
    late = "order_id,ordered_at,product,amount\nO0,2017-12-01,P1,50\n"
    await load("orders", write(tmp_path / "late.csv", late))
    assert await load("orders", path) == (1, 4, 11)  # the return that came before its sale
    assert (13, "order_id", "unknown_order") not in await issues("orders")


async def test_parquet_says_the_same_as_csv(tmp_path: Path) -> None:
    table = pa.table(
        {
            "external_id": [1, 2], "name": ["Ann", None], "phone": [13800138000.0, 1.38e22],
            "joined_on": [date(2017, 1, 5), None],
        }
    )  # fmt: skip
    pq.write_table(table, tmp_path / "members.parquet")
    assert await load("members", tmp_path / "members.parquet") == (1, 0, 1)
    assert await issues("members") == {(2, "phone", "rounded_number")}
    assert await load(
        "members", write(tmp_path / "a.csv", "external_id,name,phone,joined_on\n1,Ann,13800138000,2017-01-05\n")
    ) == (0, 1, 0)


def killed_midway(command: list[str], environment: dict[str, str], landed: Callable[[], int]) -> bool:
    """Start it, wait until a chunk more is in the database, kill -9; whether it was killed in its work."""
    before = landed()
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None and landed() == before:
            time.sleep(0.01)
        was_alive = process.poll() is None
        process.send_signal(signal.SIGKILL)
    return was_alive


async def test_a_killed_import_is_finished_by_the_next_one(db: str, tmp_path: Path) -> None:
    """The oracle is the database."""
    total = 12_000
    lines = (f"M{n},Name {n},,{'2017-02-30' if n % 100 == 0 else ''}" for n in range(total))
    path = write(tmp_path / "many.csv", "external_id,name,phone,joined_on\n" + "\n".join(lines))
    command = [sys.executable, "-m", "nestling", "import", "members", str(path), "--source", "pos"]
    environment = {**os.environ, "DATABASE_URL": db, "DATA_DIR": str(tmp_path / "data")}
    loop = asyncio.get_running_loop()

    def landed() -> int:
        return int(asyncio.run_coroutine_threadsafe(one("SELECT count(*) FROM members"), loop).result())

    assert await asyncio.to_thread(killed_midway, command, environment, landed)
    assert 0 < await one("SELECT count(*) FROM members") < total
    last = await asyncio.to_thread(
        subprocess.run, command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert last.returncode == 3, last.stderr  # rows wait
    assert await one("SELECT count(*) FROM members") == total - total // 100
    assert await one("SELECT count(*) FROM import_issues") == total // 100
    runs = await rows("SELECT state, counts::text AS counts FROM imports")
    counts = json.loads(runs[0]["counts"])
    assert [run["state"] for run in runs] == ["DONE"]
    assert (counts["read"], counts["landed"], counts["waiting"]) == (total, total - total // 100, total // 100)

    # after a bulk load PostgreSQL knows how large the tables are
    assert await one("SELECT reltuples::int FROM pg_class WHERE oid = 'members'::regclass") == total - total // 100


async def test_the_terminal_names_the_first_bad_rows_and_a_command_that_runs_as_printed(
    db: str, tmp_path: Path
) -> None:
    lines = ["A1,Ann,2017-02-30", "A2,Bob,2017-03-01", "A3,Eve,soon", "A4,Torn", ",Nobody,", "A5,=1+1,"]
    path = write(tmp_path / "members.csv", "external_id,name,joined_on\n" + "\n".join(lines) + "\n")
    environment = {**os.environ, "DATABASE_URL": db, "DATA_DIR": str(tmp_path / "data"), "COLUMNS": "80"}
    program = Path(sys.executable).parent / "nestling"

    async def run(command: str) -> tuple[int | None, str]:
        process = await asyncio.create_subprocess_shell(
            command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        out, _ = await process.communicate()
        return process.returncode, out.decode()

    code, said = await run(f'{program} import members {path} --source "the till"')
    assert code == 3
    assert said.splitlines()[:5] == [
        "6 rows: 1 landed, 0 here already, 5 wait",
        "  Row 2, joined_on: There is no such day: look it up at its source. (impossible_date)",
        "  Row 4, joined_on: Write the date as YYYY-MM-DD. (bad_date)",
        "  Row 5: 2 cells under 3 columns: quote cells that hold the separator. (ragged_row)",
        "  ... and 2 more",
    ]
    printed = said.splitlines()[5].partition("to be mended: ")[2]
    code, said = await run(printed)
    assert code == 0, said
    assert said.startswith("5 rows wait; they are in waiting.csv.")
    (tmp_path / "waiting.csv").write_text("external_id,name,joined_on\nA3,Eve,2017-03-02\nA6,Una,never\n")
    code, said = await run(said.splitlines()[1])
    assert said.startswith("2 rows: 1 landed, 0 here already, 1 waits\n  Row 3, joined_on:")


def test_the_document_names_every_column() -> None:
    told = (ROOT / "docs" / "importing.md").read_text(encoding="utf-8")
    for kind in KINDS.values():
        for column in kind.columns:
            assert f"| `{column.name}` |" in told, column.name
