"""Python rows become strict JSON within the limits."""

from __future__ import annotations

import datetime
import json
import math
import uuid
from collections.abc import Iterator
from decimal import Decimal
from enum import Enum
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from widgets_app.errors import SourceFailed
from widgets_app.sources.base import Limits
from widgets_app.sources.frame import Frame, FrameColumn
from widgets_app.sources.rows import Batch, frame_from_json, frame_from_rows


class Side(Enum):
    BUY = "buy"


class BigSide(Enum):
    BUY = 2**60


class Scalar:
    """Stands for the scalars of numeric libraries: they hand out a Python value."""

    def item(self) -> float:
        return 1.5


class Timestamp(datetime.datetime):
    """Stands for the times of pandas, a class of their own."""


class Array:
    """Stands for the arrays of numeric libraries."""

    def tolist(self) -> list[int]:
        return [1, 2**60]


class NAType:
    """Named as the missing value of pandas is."""


def frame(*rows: dict[Any, Any], **limits: int) -> Frame:
    return frame_from_rows(rows, Limits(**limits))


def value(given: Any) -> Any:
    return frame({"v": given}).rows()[0]["v"]


UTC = datetime.UTC
RIGA = datetime.timezone(datetime.timedelta(hours=2))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, None),
        (True, True),
        ("ö\u0000\n", "ö\u0000\n"),
        (1.5, 1.5),
        (math.nan, None),
        (math.inf, None),
        (-math.inf, None),
        (2**53 - 1, 2**53 - 1),
        (2**53, "9007199254740992"),
        (-(2**53), "-9007199254740992"),
        (10**30, str(10**30)),
        (datetime.date(2024, 1, 2), "2024-01-02"),
        (datetime.datetime(2024, 1, 2, 3, 4, 5), "2024-01-02T03:04:05"),
        (datetime.datetime(2024, 1, 2, 3, 4, 5, 6000, tzinfo=UTC), "2024-01-02T03:04:05.006000Z"),
        (datetime.datetime(2024, 1, 2, 3, 4, 5, tzinfo=RIGA), "2024-01-02T03:04:05+02:00"),
        (datetime.time(3, 4), "03:04:00"),
        (datetime.time(3, 4, tzinfo=UTC), "03:04:00+00:00"),
        (datetime.timedelta(days=1, hours=2), "1 day, 2:00:00"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (b"abc", "YWJj"),
        (Side.BUY, "buy"),
        (BigSide.BUY, str(2**60)),
        ((1, 2), [1, 2]),
        ({3}, [3]),
        (frozenset([4]), [4]),
        ({"a": [math.nan, {1: 2**60}]}, {"a": [None, {"1": str(2**60)}]}),
        (MappingProxyType({"a": 1}), {"a": 1}),
        (Scalar(), 1.5),
        (Timestamp(2024, 1, 2), "2024-01-02T00:00:00"),
        (Array(), [1, str(2**60)]),
        (NAType(), None),
        (Decimal("NaN"), None),
        ([{2**60}, Decimal(1)], [[str(2**60)], 1]),
    ],
)
def test_values_take_the_form_that_clients_expect(given: Any, expected: Any):
    assert value(given) == expected


@pytest.mark.parametrize("text", ["1.10", "0.1", "123456789012345678901234567890.12", "-0.000001"])
def test_decimals_are_numbers_with_all_their_digits(text: str):
    assert frame({"v": Decimal(text)}).json == b'[{"v":%b}]' % text.encode()


@pytest.mark.parametrize(("given", "kind"), [(object(), "object"), (1 + 2j, "complex"), ("\ud800", "str")])
def test_a_value_without_a_json_form_names_its_column_and_type(given: Any, kind: str):
    with pytest.raises(SourceFailed, match=rf'"odd" has a value of type {kind} '):
        frame({"fine": 1, "odd": given})


def test_rows_share_the_union_of_their_keys_in_order_of_appearance():
    made = frame({"a": 1}, {"b": 2, 3: "x"})
    assert made.json == b'[{"a":1,"b":null,"3":null},{"a":null,"b":2,"3":"x"}]'
    assert [column.name for column in made.columns] == ["a", "b", "3"]


def test_no_rows_are_an_empty_list_without_columns():
    made = frame()
    assert (made.json, made.columns, made.row_count, made.truncated) == (b"[]", (), 0, False)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["x", None], "text"),
        ([True], "boolean"),
        ([1, None, 2.5, Decimal(1)], "number"),
        ([datetime.date(2024, 1, 1)], "date"),
        ([datetime.datetime(2024, 1, 1)], "datetime"),
        ([datetime.date(2024, 1, 1), datetime.datetime(2024, 1, 1)], "datetime"),
        ([[1], None], "object"),
        ([{"a": 1}, "x"], "object"),
        (["x", 1], "text"),
        ([True, 1], "text"),
        ([None], "text"),
        ([uuid.UUID(int=1)], "text"),
    ],
)
def test_the_type_of_a_column_comes_from_its_values(values: list[Any], kind: str):
    assert frame(*({"v": value} for value in values)).columns[0].type == kind


def test_the_row_limit_cuts_and_says_so():
    made = frame({"v": 1}, {"v": 2}, {"v": 3}, rows=2)
    assert (made.rows(), made.row_count, made.truncated) == ([{"v": 1}, {"v": 2}], 2, True)


def test_exactly_as_many_rows_as_the_limit_are_not_cut():
    assert not frame({"v": 1}, {"v": 2}, rows=2).truncated


@pytest.mark.parametrize("size", range(2, 24))
def test_the_byte_limit_cuts_at_whole_rows(size: int):
    made = frame({"v": 1}, {"v": 2}, {"v": 3}, bytes=size)
    # [{"v":1}] is 9 bytes, each further row 8 more.
    assert made.row_count == max(0, (size - 1) // 8)
    assert made.truncated
    assert len(made.json) <= size
    assert len(made.rows()) == made.row_count


def test_a_result_of_exactly_the_byte_limit_is_whole():
    made = frame({"v": 1}, {"v": 2}, {"v": 3}, bytes=25)
    assert (len(made.json), made.truncated) == (25, False)


def test_no_more_rows_are_taken_than_the_limits_need():
    taken = 0

    def endless() -> Iterator[dict[str, int]]:
        nonlocal taken
        while True:
            taken += 1
            yield {"v": taken}

    assert frame_from_rows(endless(), Limits(rows=10)).truncated
    assert taken == 11


def test_batches_are_not_read_past_the_limits():
    def batches() -> Iterator[Batch]:
        yield Batch.of([b"1", b"2"])
        yield Batch.of([b"3", b"4"])
        raise AssertionError("read too far")

    made = frame_from_json(batches(), (FrameColumn("v", "number"),), Limits(rows=3))
    assert (made.json, made.row_count, made.truncated) == (b"[1,2,3]", 3, True)


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab"), inner, max_size=3), max_leaves=6
)


def expected(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int) and not isinstance(value, bool):
        return value if abs(value) < 2**53 else str(value)
    if isinstance(value, list):
        return [expected(item) for item in value]
    return {key: expected(item) for key, item in value.items()} if isinstance(value, dict) else value


@hypothesis_settings(max_examples=50, deadline=None)
@given(st.lists(st.dictionaries(st.text("xyz", max_size=2), values, max_size=3), max_size=4))
def test_any_rows_come_back_as_a_strict_reader_sees_them(rows: list[dict[str, Any]]):
    made = frame_from_rows(rows, Limits())
    names = list(dict.fromkeys(name for row in rows for name in row))

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    read = json.loads(made.json, parse_constant=refuse)
    assert read == [{name: expected(row.get(name)) for name in names} for row in rows]
