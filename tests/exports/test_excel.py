"""What Excel can't hold as it is, and files that are given up."""

from __future__ import annotations

import io
from collections.abc import Generator
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import python_calamine

from widgets_app.errors import BadRequest
from widgets_app.exports import excel
from widgets_app.exports.formats import About
from widgets_app.sources import engine
from widgets_app.sources.streams import RowStream


def stream(*tables: dict[str, Any], limit: int = 1000) -> RowStream:
    def batches() -> Generator[pa.RecordBatch]:
        for table in tables:
            yield pa.RecordBatch.from_pydict(table)

    return RowStream(batches(), limit)


def written(rows: RowStream) -> dict[str, list[list[Any]]]:
    body = b"".join(excel.write_xlsx(rows, About("prices", {"day": date(2024, 1, 2), "many": ("a", "b"), "no": None})))
    book = python_calamine.load_workbook(io.BytesIO(body))
    return {name: book.get_sheet_by_name(name).to_python() for name in book.sheet_names}


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (date(1900, 2, 28), "1900-02-28"),
        (date(1900, 3, 1), date(1900, 3, 1)),
        (date(9999, 12, 31), date(9999, 12, 31)),
        (datetime(1, 1, 1, 2), "0001-01-01T02:00:00"),
        (datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC), datetime(2024, 1, 2, 3, 4, 5)),
        (2**53 - 1, float(2**53 - 1)),
        (2**53, str(2**53)),
        (-(2**53), str(-(2**53))),
        (Decimal("1.25"), 1.25),
        (Decimal(10**30), str(10**30)),
        ("=1", "=1"),
        ("https://example.com", "https://example.com"),
        ("007", "007"),
        ("_x0041_ \x0b", "_x0041_ \x0b"),
        ("x" * 40_000, "x" * 32_767),
        (True, True),
        (1e300, 1e300),
    ],
)
def test_a_value_becomes_the_cell_that_shows_it(value: Any, cell: Any) -> None:
    sheets = written(stream({"x": [value, None]}, {"x": pa.array([value], pa.array([value]).type)}))
    assert sheets["Data"] == [["x"], [cell], [""], [cell]]


def test_the_second_sheet_says_what_is_in_the_first() -> None:
    rows = stream({"x": ["y" * 40_000], "t": [datetime(2024, 1, 1, tzinfo=UTC)]}, {"x": ["n"], "t": [None]}, limit=1)
    said = dict(written(rows)["About"])
    assert said.pop("Made at")
    assert said == {
        "Widget": "prices",
        "Rows": "1",
        "Left out": "There are more rows than these: a limit cut them off.",
        "Shortened": "1 texts, to the 32,767 characters that a cell holds.",
        "Times": "Times with a time zone are in UTC.",
        "Parameter day": "2024-01-02",
        "Parameter many": "a, b",
    }


def test_too_many_columns_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(excel, "MOST_COLUMNS", 1)
    with pytest.raises(BadRequest, match="Excel holds 1 columns"):
        written(stream({"a": [1], "b": [2]}))


@pytest.mark.parametrize("pieces", [1, 4])
def test_a_file_that_is_given_up_leaves_nothing(
    pieces: int, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.WIDGETS_HOME = tmp_path
    monkeypatch.setattr(excel, "PIECE", 100)
    with closing(excel.write_xlsx(stream({"a": [1]}, {"a": [2]}), About("a"))) as making:
        assert [next(making) for _ in range(pieces)][:2] == [b"", b""][:pieces]
        # Where what a killed process leaves is removed.
        assert any(path.is_file() for path in (tmp_path / engine.FOLDER).rglob("*.xlsx")) == (pieces > 2)
        assert any(path.is_dir() for path in (tmp_path / engine.FOLDER).iterdir())
    assert list((tmp_path / engine.FOLDER).iterdir()) == []
