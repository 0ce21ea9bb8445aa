from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from tests.shapes.frames import frame
from widgets_app.errors import SourceFailed
from widgets_app.shapes import spec
from widgets_app.shapes.spec import DEPTH_LIMIT, DOCUMENT_LIMIT, SpecOptions, merged, put_in

ROWS = frame({"day": "2026-03-01", "price": 10.5}, {"day": "2026-03-02", "price": None}, day="date", price="number")


def nested(depth: int) -> dict[str, Any]:
    return {"a": nested(depth - 1)} if depth > 1 else {}


def test_placeholders_become_columns_rows_and_records_wherever_they_stand() -> None:
    document = {
        "$schema": "s",
        "a": [{"$column": "price"}, {"b": {"$rows": ["price", "day"]}}],
        "c": {"$records": True},
        "d": {"$records": ["day"]},
        "e": {"$column": "x", "more": 1},
    }
    assert put_in(document, ROWS) == {
        "$schema": "s",
        "a": [[10.5, None], {"b": [[10.5, "2026-03-01"], [None, "2026-03-02"]]}],
        "c": [{"day": "2026-03-01", "price": 10.5}, {"day": "2026-03-02", "price": None}],
        "d": [{"day": "2026-03-01"}, {"day": "2026-03-02"}],
        "e": {"$column": "x", "more": 1},
    }


def test_no_rows_are_empty_lists() -> None:
    document = {"a": {"$column": "price"}, "b": {"$rows": ["day"]}, "c": {"$records": ["day"]}, "d": {"$records": True}}
    empty: dict[str, Any] = {"a": [], "b": [], "c": [], "d": []}
    assert put_in(document, frame()) == empty
    assert put_in(document, frame(day="date", price="number")) == empty


@pytest.mark.parametrize("wrong", [{"$column": "gone"}, {"$rows": ["day", "gone"]}, {"$records": ["gone"]}])
def test_a_column_that_is_missing_is_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(SourceFailed, match='"gone", but its data has: day, price'):
        put_in({"a": [wrong]}, ROWS)


def test_too_many_values_are_refused_before_they_are_put_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spec, "VALUES_LIMIT", 6)
    assert put_in({"a": {"$records": True}, "b": {"$column": "day"}}, ROWS)
    with pytest.raises(SourceFailed, match=r"takes 8 values, at most 6 are sent\. Show fewer rows"):
        put_in({"a": [{"$records": True}, {"$records": True}]}, ROWS)


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"a": {"$colum": "price"}}, r'"\$colum" is no placeholder .* Write {"\$column": "price"}'),
        ({"a": {"$column": ["price"]}}, "no placeholder"),
        ({"a": {"$rows": True}}, "no placeholder"),
        ({"a": {"$rows": []}}, "no placeholder"),
        ({"a": [{"$records": False}]}, "no placeholder"),
        (nested(DEPTH_LIMIT + 1), f"nested deeper than {DEPTH_LIMIT}"),
        ({"a": "x" * DOCUMENT_LIMIT}, "Shorten it to 100,000"),
        ({"a": [2**70]}, "an integer beyond 64 bits"),
        ({"a": {"b": "\ud800"}}, "half a character"),
        ({"a": {"\ud800": 1}}, "half a character"),
    ],
)
def test_a_document_that_is_wrong_is_refused(document: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        SpecOptions(document=document)


def test_a_deep_document_is_taken() -> None:
    assert SpecOptions(document=nested(DEPTH_LIMIT)).document


def test_objects_are_laid_over_each_other_and_lists_are_replaced() -> None:
    under = {"a": {"b": 1, "c": [1, 2]}, "d": 1}
    assert merged(under, {"a": {"c": [3]}, "d": {"e": 2}}) == {"a": {"b": 1, "c": [3]}, "d": {"e": 2}}
