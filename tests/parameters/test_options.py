from __future__ import annotations

from typing import Any

import orjson
import pytest

from widgets_app.parameters.options import options_body
from widgets_app.sources.frame import Frame, FrameColumn


def options(*rows: dict[str, Any]) -> list[Any]:
    columns = tuple(FrameColumn(name, "text") for name in (rows[0] if rows else ["value"]))
    body: list[Any] = orjson.loads(options_body(Frame(orjson.dumps(rows), columns, len(rows))))
    return body


def test_named_columns_make_the_parts_of_an_option() -> None:
    row = {"label": "Riga", "rightOfDescription": "LV", "value": "RIX", "description": "Baltic"}
    extra = {"description": "Baltic", "rightOfDescription": "LV"}
    assert options(row) == [{"label": "Riga", "value": "RIX", "extraInfo": extra}]


def test_names_are_found_in_any_case_and_with_underscores() -> None:
    row = {"VALUE": "RIX", "LABEL": "Riga", "right_of_description": 7, "DESCRIPTION": None}
    assert options(row) == [{"label": "Riga", "value": "RIX", "extraInfo": {"rightOfDescription": "7"}}]


@pytest.mark.parametrize(
    ("row", "option"),
    [
        ({"code": "RIX"}, {"label": "RIX", "value": "RIX"}),
        ({"code": "RIX", "name": "Riga", "country": "LV"}, {"label": "Riga", "value": "RIX"}),
        ({"label": "Riga", "code": "RIX"}, {"label": "Riga", "value": "RIX"}),
        ({"name": "Riga", "value": "RIX"}, {"label": "Riga", "value": "RIX"}),
        ({"label": "Riga"}, {"label": "Riga", "value": "Riga"}),
        (
            {"code": "RIX", "description": "Baltic"},
            {"label": "RIX", "value": "RIX", "extraInfo": {"description": "Baltic"}},
        ),
    ],
)
def test_unnamed_columns_are_taken_in_order(row: dict[str, Any], option: dict[str, Any]) -> None:
    assert options(row) == [option]


def test_empty_values_are_dropped_and_the_first_of_equal_ones_kept() -> None:
    rows = [{"value": value, "label": label} for value, label in [("a", "A"), (None, "B"), ("", "C"), ("a", "D")]]
    assert options(*rows) == [{"label": "A", "value": "a"}]


def test_numbers_stay_numbers_and_labels_are_texts() -> None:
    assert options({"value": 7, "label": 7}, {"value": 0, "label": None}) == [
        {"label": "7", "value": 7},
        {"label": "0", "value": 0},
    ]


def test_an_object_as_a_value_becomes_text() -> None:
    assert options({"value": {"a": 1}})[0]["value"] == '{"a": 1}'


def test_no_rows_give_an_empty_list() -> None:
    assert options() == []
    assert options_body(Frame(b"[]", (), 0)) == b"[]"
