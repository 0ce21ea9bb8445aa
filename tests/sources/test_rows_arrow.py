"""Rows of Python values as Arrow: types told by the first rows, values that don't fit them refused."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from widgets_app.errors import SourceFailed
from widgets_app.sources import rows_arrow
from widgets_app.sources.rows_arrow import column_batches, json_batches

NOON = datetime(2024, 1, 2, 12, 0, 0, 5)
EAST = NOON.replace(tzinfo=timezone(timedelta(hours=2)))


def column(values: Sequence[Any], kind: Any = None) -> pa.ChunkedArray:
    """Return the values of one column, which came one by one."""
    return pa.Table.from_batches(list(column_batches(one_by_one(values), ["x"], [kind])))["x"]


def one_by_one(values: Sequence[Any]) -> Iterator[Sequence[Sequence[Any]]]:
    return iter([[(value,)] for value in values])


@pytest.mark.parametrize(
    ("values", "kind", "expected", "type_"),
    [
        ([1, None, 2**63 - 1], "number", [1, None, 2**63 - 1], "int64"),
        ([1, 2.5, float("nan"), float("-inf")], None, [1.0, 2.5, None, None], "double"),
        ([Decimal("1.25"), Decimal("NaN"), 3], "number", [1.25, None, 3.0], "double"),
        ([2**64, 1], "number", [Decimal(2**64), Decimal(1)], "decimal128(38, 0)"),
        ([10**40, 1], "number", [str(10**40), "1"], "string"),
        ([None, None], "number", [None, None], "double"),
        ([None, None], None, [None, None], "string"),
        ([True, None], None, [True, None], "bool"),
        ([date(2024, 2, 29), None], None, [date(2024, 2, 29), None], "date32[day]"),
        ([NOON, None], "datetime", [NOON, None], "timestamp[us]"),
        ([EAST], "datetime", [EAST.astimezone(UTC)], "timestamp[us, tz=UTC]"),
        ([NOON, EAST], "datetime", ["2024-01-02T12:00:00.000005", "2024-01-02T12:00:00.000005+02:00"], "string"),
        (["2024", date(2024, 1, 1)], "date", ["2024", "2024-01-01"], "string"),
        (["a", None, ""], "text", ["a", None, ""], "string"),
        ([b"ab", uuid.UUID(int=1), time(10, 20)], "text", ["YWI=", str(uuid.UUID(int=1)), "10:20:00"], "string"),
        ([[1, None], {"a": float("nan")}, "plain"], "object", ["[1,null]", '{"a":null}', "plain"], "string"),
        ([1, "a", True], None, ["1", "a", "true"], "string"),
    ],
)
def test_a_column_has_the_type_of_its_first_values(
    values: Sequence[Any], kind: Any, expected: Sequence[Any], type_: str
) -> None:
    found = column(values, kind)
    assert (str(found.type), found.to_pylist()) == (type_, expected)


@pytest.mark.parametrize(
    ("first", "later"), [(1, "a"), (1, 1.5), (date(2024, 1, 1), "never"), (True, 7), (NOON, "soon"), (1.5, "a")]
)
def test_a_value_that_does_not_fit_further_down_is_refused(
    first: Any, later: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows_arrow, "FIRST_ROWS", 1)
    with pytest.raises(SourceFailed, match=r'The column "x" began with .* Cast it'):
        column([first, later])
    assert column(["a", first, later]).to_pylist()[0] == "a"


def test_names_are_told_apart_and_no_rows_have_columns_too() -> None:
    (batch,) = column_batches(iter([]), ["a", "A", ""], ["number", "text", "date"])
    assert batch.schema.names == ["a", "A_1", "column"]
    assert [str(kind) for kind in batch.schema.types] == ["double", "string", "date32[day]"]
    (rows,) = json_batches(iter([[(1, 2)]]), ["a", "a"])
    assert rows.to_pylist() == [{"json": b'{"a":1,"a_1":2}'}]
    assert [batch.num_rows for batch in json_batches(iter([]), ["a"])] == [0]
