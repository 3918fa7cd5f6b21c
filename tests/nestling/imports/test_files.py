"""Files as spreadsheets write them: any encoding, torn rows, stray quotes; a bad row flaws itself only."""

import codecs
import csv
import gzip
import io
import itertools
import random
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nestling.imports.csv_files import CsvFile, is_open
from nestling.imports.failures import FileRefused
from nestling.imports.parquet_files import as_text
from nestling.imports.run import KINDS, chunks, open_file

MEMBERS = KINDS["members"]
TEXT = "external_id,name\nM1,王小丽\nM2,Zoë\n"


def write(folder: Path, content: bytes) -> Path:
    path = folder / "file.csv"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (TEXT.encode(), "utf-8"),
        (codecs.BOM_UTF8 + TEXT.encode(), "utf-8-sig"),
        (TEXT.replace("ë", "e").encode("gb18030"), "gb18030"),
        (TEXT.encode("utf-16"), "utf-16"),
        (TEXT.encode("utf-16-le"), "utf-16-le"),
        (TEXT.encode("utf-16-be"), "utf-16-be"),
    ],
)
def test_every_usual_encoding_is_found(tmp_path: Path, content: bytes, encoding: str) -> None:
    file = CsvFile(write(tmp_path, content), MEMBERS.key_of)
    rows = list(file.rows())
    assert file.encoding == encoding
    assert rows[0].values == {"external_id": "M1", "name": "王小丽"}
    assert rows[1].values["name"] in ("Zoë", "Zoe")


def _workbook() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("xl/worksheets/sheet1.xml", TEXT)
    return packed.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0",
        _workbook(),
        gzip.compress(TEXT.encode()),
        random.Random(1).randbytes(5_000),
    ],
    ids=["picture", "workbook", "gzip", "noise"],
)
def test_what_is_no_text_is_refused_in_words_that_can_be_read(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(FileRefused) as refused:
        open_file(MEMBERS, write(tmp_path, content))
    assert str(refused.value).isprintable()
    assert "neither CSV nor Parquet" in str(refused.value)


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(FileRefused, match="is a folder"):
        open_file(MEMBERS, tmp_path)


def test_a_broken_byte_costs_its_row_and_not_the_encoding_of_the_file(tmp_path: Path) -> None:
    content = TEXT.encode() + b"M3,Ann\xff\n" + "M4,李雷\n".encode()
    rows = list(CsvFile(write(tmp_path, content), MEMBERS.key_of).rows())
    assert rows[0].values["name"] == "王小丽"
    assert "\ufffd" in rows[2].values["name"]
    assert rows[3].values["name"] == "李雷"


def test_torn_rows_and_open_quotes_flaw_themselves_only(tmp_path: Path) -> None:
    content = (
        b'external_id;name;tags\nA;"two\nlines; and ""quotes""";x\nB;torn\nC;one;two;three\n\n'
        b'D;"never closed;x\nE;fine;y\nF;6" pipe;z\nG;fine;;;\n'
    )
    rows = {row.values["external_id"][:1]: row for row in CsvFile(write(tmp_path, content), MEMBERS.key_of).rows()}
    assert {key: row.flaw.code if row.flaw else None for key, row in rows.items()} == {
        "A": None, "B": "ragged_row", "C": "ragged_row", "D": "open_quote", "E": None, "F": None, "G": None,
    }  # fmt: skip
    assert rows["A"].values["name"] == 'two\nlines; and "quotes"'
    assert rows["C"].values["import_rest"] == "three"
    assert [rows[key].number for key in "ABCDEFG"] == [2, 4, 5, 7, 8, 9, 10]


@given(
    st.lists(
        st.lists(
            st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=12),
            min_size=3,
            max_size=3,
        ),
        min_size=1,
        max_size=8,
    )
)
def test_what_the_csv_module_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, table: list[list[str]]
) -> None:
    written = io.StringIO()
    csv.writer(written, quoting=csv.QUOTE_ALL).writerows([["external_id", "name", "tags"], *table])
    path = write(tmp_path_factory.mktemp("csv"), written.getvalue().encode())
    rows = [list(row.values.values()) for row in CsvFile(path, MEMBERS.key_of).rows()]
    assert rows == table


def test_a_quotation_mark_within_a_cell_opens_nothing() -> None:
    assert not is_open('a,6" pipe,b')
    assert is_open('a,"6 pipe,b')
    assert not is_open('a,"say ""hi""",b')


def test_a_file_that_cannot_be_meant_is_refused_with_a_word(tmp_path: Path) -> None:
    for content, told in (
        (b"", "empty"),
        (b"name,phone\nA,1\n", "external_id is missing"),
        (b"external_id,name,name\nA,1,2\n", "twice: name"),
    ):
        with pytest.raises(FileRefused, match=told):
            open_file(MEMBERS, write(tmp_path, content))
    with pytest.raises(FileRefused, match="no file"):
        open_file(MEMBERS, tmp_path / "absent.csv")


def test_the_rows_of_an_order_are_never_parted(tmp_path: Path) -> None:
    lines = [f"O{n // 7},P{n}" for n in range(10_000)]
    path = write(tmp_path, ("order_id,product\n" + "\n".join(lines)).encode())
    found = list(chunks(open_file(KINDS["orders"], path).rows()))
    assert len(found) >= 4
    assert [row.values["product"] for chunk in found for row in chunk] == [f"P{n}" for n in range(10_000)]
    for before, after in itertools.pairwise(found):
        assert before[-1].key != after[0].key
    resumed = list(chunks(open_file(KINDS["orders"], path).rows(), found[1][-1].number))
    assert [row.number for chunk in resumed for row in chunk] == [row.number for chunk in found[2:] for row in chunk]


def test_a_phone_that_was_stored_as_a_number_keeps_its_digits() -> None:
    assert as_text(13800138000.0) == "13800138000"
    assert as_text(13800138000) == "13800138000"
    assert as_text(None) == ""
    assert as_text(12.5) == "12.5"
