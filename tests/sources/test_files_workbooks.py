"""Workbooks: each sheet is a table, as people see it."""

from __future__ import annotations

import datetime
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from widgets_app.errors import DefinitionError
from widgets_app.sources import folder as folder_module
from widgets_app.sources import workbook, workbook_reader
from widgets_app.sources.descriptions import describe
from widgets_app.sources.files import FilesBackend
from widgets_app.sources.frame import Frame
from widgets_app.sources.putting import store_file

Ask = Callable[..., Frame]
MANIFEST = "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"
Sheets = dict[str, list[list[Any]]]


def write(path: Path, sheets: Sheets, *, hidden: str = "") -> None:
    book = xlsxwriter.Workbook(path, {"default_date_format": "yyyy-mm-dd", "nan_inf_to_errors": True})
    moment = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
    for name, rows in sheets.items():
        sheet = book.add_worksheet(name)
        if name == hidden:
            sheet.hide()
        for number, row in enumerate(rows):
            for place, value in enumerate(row):
                if isinstance(value, datetime.datetime):
                    sheet.write_datetime(number, place, value, moment)
                elif value is not None:
                    sheet.write(number, place, value)
    book.close()


@pytest.fixture(autouse=True)
def _read_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_module, "_broken", {})


def test_a_workbook_of_one_sheet_is_a_table(ask: Ask, folder: Path):
    write(folder / "book.xlsx", {"Any": [
        [], [None, "day", "n", "x", "name", "yes", "moment", "mixed"],
        [None, datetime.date(2026, 1, 2), 5, 1.5, "007", True, datetime.datetime(2026, 1, 2, 3, 4), 1],
        [],
        [None, datetime.date(2026, 1, 3), 6, 2, "é", False, datetime.datetime(2026, 1, 3), "text"],
    ]})  # fmt: skip
    frame = ask("from book")
    assert [(column.name, column.type) for column in frame.columns] == [
        ("day", "date"), ("n", "number"), ("x", "number"), ("name", "text"), ("yes", "boolean"),
        ("moment", "datetime"), ("mixed", "text"),
    ]  # fmt: skip
    assert frame.rows() == [
        {"day": "2026-01-02", "n": 5, "x": 1.5, "name": "007", "yes": True, "moment": "2026-01-02T03:04:00", "mixed": "1"},
        {"day": "2026-01-03", "n": 6, "x": 2.0, "name": "é", "yes": False, "moment": "2026-01-03T00:00:00", "mixed": "text"},
    ]  # fmt: skip


def test_several_sheets_are_several_tables(ask: Ask, backend: FilesBackend, folder: Path):
    sheets: Sheets = {"Q1 2026": [["n"], [1]], "Q2": [["n"], [2]], "Empty": [], "Secret": [["n"], [3]]}
    write(folder / "book.xlsx", sheets, hidden="Secret")
    assert ask("from book_Q1_2026").rows() == [{"n": 1}]
    assert sorted(backend.opened().tables) == ["book_Q1_2026", "book_Q2"]
    assert [one.how for one in describe(backend.opened())] == ["Excel, sheet “Q1 2026”", "Excel, sheet “Q2”"]


def test_formulas_are_values_and_errors_are_nothing(ask: Ask, folder: Path):
    book = xlsxwriter.Workbook(folder / "book.xlsx")
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, ["n", "e"])
    sheet.write_formula(1, 0, "=1+1", None, 2)
    sheet.write_formula(1, 1, "=NA()", None, "#N/A")
    sheet.write_formula(2, 0, "=1/0", None, "#DIV/0!")
    sheet.write(2, 1, 7)
    book.close()
    assert ask("from book").rows() == [{"n": 2, "e": None}, {"n": None, "e": 7}]


def test_names_that_lack_or_repeat_are_made(ask: Ask, folder: Path):
    write(folder / "book.xlsx", {"S": [["a", "A", None, 2026, None], [1, 2, 3, 4, None]]})
    assert ask("from book").rows() == [{"a": 1, "A_1": 2, "column_3": 3, "2026": 4}]


def test_texts_of_every_kind_come_through(ask: Ask, folder: Path):
    texts = ['"quoted", with comma', "two\nlines", "=not a formula", "Ünï ☃", " blank ", "x" * 32_000]
    write(folder / "book.xlsx", {"S": [["t"], *([text.replace("=", "'=")] for text in texts)]})
    assert [row["t"] for row in ask("from book").rows()] == [text.replace("=", "'=") for text in texts]


def test_a_workbook_of_another_program_is_read(ask: Ask, folder: Path):
    content = (
        '<?xml version="1.0"?><office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
        'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" '
        'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"><office:body><office:spreadsheet>'
        '<table:table table:name="S"><table:table-row><table:table-cell office:value-type="string"><text:p>n</text:p>'
        '</table:table-cell></table:table-row><table:table-row><table:table-cell office:value-type="float" '
        'office:value="5"/></table:table-row></table:table></office:spreadsheet></office:body></office:document-content>'
    )
    with zipfile.ZipFile(folder / "book.ods", "w") as packed:
        packed.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        packed.writestr("META-INF/manifest.xml", f'<manifest:manifest xmlns:manifest="{MANIFEST}"/>')
        packed.writestr("content.xml", content)
    assert ask("from book").rows() == [{"n": 5}]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"nonsense", "damaged, or no workbook"),
        (b"PK\3\4 nonsense", "damaged, or no workbook"),
        (b"\xd0\xcf\x11\xe0" + bytes(600) + "EncryptedPackage".encode("utf-16-le"), "protected by a password"),
        (b"\xd0\xcf\x11\xe0" + bytes(600), "damaged, or no workbook"),
        (b"", "damaged, or no workbook"),
    ],
)
def test_what_is_no_workbook_says_so_and_is_not_read_again(
    ask: Ask, backend: FilesBackend, folder: Path, content: bytes, reason: str, monkeypatch: pytest.MonkeyPatch
):
    (folder / "good.csv").write_text("a\n1\n")
    (folder / "book.xlsx").write_bytes(content)
    assert ask("from good").row_count == 1
    with pytest.raises(DefinitionError, match=rf"book\.xlsx: it is {reason}"):
        backend.prepare("from book")
    monkeypatch.setattr(workbook, "_read", None)
    (folder / "good.csv").write_text("a\n1\n2\n")
    assert ask("from good").row_count == 2
    with pytest.raises(DefinitionError, match=reason):
        backend.prepare("from book")


def test_a_workbook_without_rows_of_names_says_so(ask: Ask, folder: Path):
    write(folder / "book.xlsx", {"S": []})
    with pytest.raises(DefinitionError, match=r"book\.xlsx: it holds no visible sheet"):
        ask("from book")


def pack(path: Path, size: int, *, told: int | None = None) -> None:
    """Write a workbook whose only sheet unpacks to so many bytes; `told` is what its directory says instead."""
    write(path, {"S": [["a"], [1]]})
    with zipfile.ZipFile(path) as packed:
        parts = {name: packed.read(name) for name in packed.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    head, rest = parts[sheet].split(b"</sheetData>")
    row = b'<row r="%d"><c r="A%d" t="inlineStr"><is><t>' + b"x" * 1000 + b"</t></is></c></row>"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for name, content in parts.items():
            with packed.open(name, "w", force_zip64=False) as file:
                if name != sheet:
                    file.write(content)
                    continue
                file.write(head)
                for number in range(3, 3 + size // 1000):
                    file.write(row % (number, number))
                file.write(b"</sheetData>" + rest)
        if told is not None:
            packed.getinfo(sheet).file_size = told


def test_what_unpacks_to_more_than_the_limit_is_refused(ask: Ask, folder: Path):
    pack(folder / "bomb.xlsx", workbook_reader.MAX_UNPACKED_BYTES + 2_000_000)
    assert (folder / "bomb.xlsx").stat().st_size < 20_000_000
    with pytest.raises(DefinitionError, match=r"bomb\.xlsx: it takes more than 1,024 MB unpacked"):
        ask("from bomb")


def test_what_lies_about_its_size_is_stopped_by_the_memory_limit(folder: Path, tmp_path: Path):
    reader = tmp_path / "reader.py"
    text = Path(workbook_reader.__file__).read_text().replace("MAX_MEMORY_BYTES = 2 * 1024", "MAX_MEMORY_BYTES = 200")
    reader.write_text(text)
    pack(folder / "liar.xlsx", 400_000_000, told=1000)
    workbook.READER, kept = reader, workbook.READER
    try:
        with pytest.raises(DefinitionError, match=r"liar\.xlsx: it (takes more than|is damaged)"):
            workbook.convert(folder / "liar.xlsx", tmp_path / "made.duckdb")
    finally:
        workbook.READER = kept
    assert not (tmp_path / "made.duckdb").exists()


def test_an_uploaded_workbook_is_read_once(backend: FilesBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write(tmp_path / "book.xlsx", {"S": [["n"], [1]], "T": [["m"], [2]]})
    stored = store_file(backend, "My book.xlsx", [(tmp_path / "book.xlsx").read_bytes()])
    assert [(table.name, table.rows) for table in stored.tables] == [("My_book_S", 1), ("My_book_T", 1)]
    monkeypatch.setattr(workbook, "_read", None)
    assert sorted(folder_module.Folder(backend.path.resolve(), backend.state).opened().tables) == [
        "My_book_S", "My_book_T",
    ]  # fmt: skip


def test_a_sheet_whose_table_comes_from_a_file_is_refused(backend: FilesBackend, tmp_path: Path):
    write(tmp_path / "book.xlsx", {"S": [["n"], [1]], "T": [["m"], [2]]})
    content = (tmp_path / "book.xlsx").read_bytes()
    store_file(backend, "book_T.csv", [b"a\n1\n"])
    with pytest.raises(DefinitionError, match=r'The table "book_T" comes from book_T\.csv already'):
        store_file(backend, "book.xlsx", [content])
    (backend.path / "book.xlsx").write_bytes(content)
    backend.renewed()
    assert "comes from book.xlsx already" in backend.opened().faults["book_t"]
