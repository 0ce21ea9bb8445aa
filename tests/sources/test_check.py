"""The test and the tables of sources that have no server: files, functions, collections."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from widgets_app import functions
from widgets_app.functions import data_function
from widgets_app.models import CollectionRow, Source
from widgets_app.sources.base import Call, Limits, SourceBackend, SourceOptions, Step, Table
from widgets_app.sources.collection import CollectionBackend, CollectionOptions
from widgets_app.sources.files import FilesBackend
from widgets_app.sources.python import PythonBackend


def checked(backend: SourceBackend) -> dict[str, Step]:
    return {step.name: step for step in backend.check(Limits(seconds=10), Call())}


def tables(backend: SourceBackend, search: str = "") -> list[Table]:
    return list(backend.tables(search, Limits(), Call()))


@pytest.fixture
def files(tmp_path: Path, settings: Any) -> FilesBackend:
    settings.WIDGETS_FILES = tmp_path
    (tmp_path / "desk").mkdir()
    return FilesBackend("desk", SourceOptions())


def test_a_folder_that_is_missing_is_no_fault(tmp_path: Path, settings: Any) -> None:
    settings.WIDGETS_FILES = tmp_path
    steps = checked(FilesBackend("desk", SourceOptions()))
    assert [(name, step.state) for name, step in steps.items()] == [("Folder", "warning")]


def test_damaged_files_are_named_with_the_reason(files: FilesBackend) -> None:
    assert checked(files)["Tables"].state == "warning"
    (files.path / "good.csv").write_text("a,b\n1,2\n")
    (files.path / "bad.csv").write_text("a,b\n1,2,3\n")
    (files.path / "empty.parquet").write_bytes(b"")
    steps = checked(files)
    assert steps["Tables"].text == "1 file is a table."
    assert "row 2 has 3 values" in steps["Table bad"].text
    assert "empty.parquet is empty" in steps["Table empty"].text
    assert {steps[f"Table {name}"].state for name in ("bad", "empty")} == {"warning"}


def test_files_are_tables_with_columns_and_rows(files: FilesBackend) -> None:
    (files.path / "prices.csv").write_text("day,price\n2024-01-02,1.5\n2024-01-03,2\n")
    (files.path / "select.csv").write_text("a <b>\nx\n")
    assert [table.name for table in tables(files)] == ["prices", "select"]
    (table,) = tables(files, "PRI")
    assert table.about == "prices.csv, 38 bytes"
    found = [(column.name, column.type) for column in files.table_columns(table, Limits(), Call())]
    assert found == [("day", "date"), ("price", "number")]
    frame = files.sample(table, Limits(rows=1), Call())
    assert (frame.rows(), frame.truncated) == ([{"day": "2024-01-02", "price": 1.5}], True)
    assert files.sample(tables(files, "select")[0], Limits(), Call()).rows() == [{"a <b>": "x"}]


@pytest.fixture
def code(monkeypatch: pytest.MonkeyPatch) -> PythonBackend:
    monkeypatch.setattr(functions, "_FUNCTIONS", {})
    return PythonBackend("code", SourceOptions())


def test_functions_are_found_and_none_is_called(code: PythonBackend) -> None:
    assert checked(code)["Functions"].state == "warning"

    @data_function
    def prices(ticker: str, caller: Mapping[str, Any], days: int = 30) -> list[dict[str, object]]:
        """Prices of one share.

        One row per day.
        """
        raise AssertionError(ticker, days, caller)

    data_function("wrong")(lambda key_desk: [])
    steps = checked(code)
    assert steps["Functions"].text == "2: prices, wrong."
    assert steps["Function wrong"].state == "warning"
    found = tables(code)
    assert [(table.name, table.kind, table.text, table.is_called) for table in found] == [
        ("prices", "function", "prices", True), ("wrong", "function", "wrong", True)
    ]  # fmt: skip
    assert found[0].about == "Prices of one share.\n\nOne row per day."
    arguments = code.table_columns(found[0], Limits(), Call())
    assert [(one.name, one.about) for one in arguments] == [
        ("ticker", "has to be given"), ("days", "30 if not given")
    ]  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_a_collection_tells_its_columns_key_and_limits() -> None:
    options: dict[str, Any] = {"columns": ["vessel: text", "tons: number"], "key": ["vessel"], "max_rows": 2}
    source = Source.objects.create(name="log", kind="collection", options=options)
    CollectionRow.objects.create(source=source, data={"vessel": "Aurora", "tons": 2}, created_by="Ana")
    backend = CollectionBackend("log", CollectionOptions(**options))
    steps = checked(backend)
    assert {step.state for step in steps.values()} == {"good"}
    assert steps["Columns"].text == "vessel: text, tons: number."
    assert "vessel" in steps["Key"].text
    assert steps["Rows"].text == "1 of at most 2."
    CollectionRow.objects.create(source=source, data={"vessel": "Borealis"}, created_by="Ana")
    assert (checked(backend)["Rows"].state, checked(backend)["Rows"].text) == ("warning", "2 of at most 2.")
    (table,) = tables(backend)
    names = [column.name for column in backend.table_columns(table, Limits(), Call())]
    assert names == ["vessel", "tons", "row_id", "created_at", "updated_at", "created_by"]
    assert [row["vessel"] for row in backend.sample(table, Limits(), Call()).rows()] == ["Aurora", "Borealis"]
    assert tables(backend, "other") == []


def test_a_collection_without_a_key_says_what_that_means() -> None:
    backend = CollectionBackend("log", CollectionOptions(columns=["vessel: text"]))
    assert next(step for step in backend.check(Limits(), Call()) if step.name == "Key").state == "warning"
