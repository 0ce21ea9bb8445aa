from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.shapes.frames import frame
from widgets_app.errors import SourceFailed
from widgets_app.shapes.base import NO_VALUE, Ask
from widgets_app.shapes.metric import Metric
from widgets_app.sources.frame import Frame


def metrics(one: Frame | None, data_key: str = "", **options: str) -> Any:
    return orjson.loads(Metric().render(one, Metric.Options(**options), Ask(data_key=data_key)).content)


def test_each_row_is_a_metric() -> None:
    rows = frame(
        {"label": "Vessels", "value": 14, "delta": 2.5, "subvalue": "of 20"},
        {"label": "Queue", "value": "3 h", "delta": None, "subvalue": None},
    )
    assert metrics(rows) == [
        {"label": "Vessels", "value": 14, "delta": 2.5, "subvalue": "of 20"},
        {"label": "Queue", "value": "3 h"},
    ]


def test_chosen_columns_take_the_place_of_the_usual_ones() -> None:
    rows = frame({"port": "RIX", "calls": 41, "change": "-2", "note": 7})
    chosen = {"label": "port", "value": "calls", "delta": "change", "subvalue": "note"}
    assert metrics(rows, **chosen) == [{"label": "RIX", "value": 41, "delta": "-2", "subvalue": "7"}]


def test_without_a_value_column_each_column_of_the_first_row_is_a_metric() -> None:
    rows = frame({"market_cap": 12.5, "EPS": 3, "ship name": None}, {"market_cap": 1, "EPS": 1, "ship name": "x"})
    assert metrics(rows) == [
        {"label": "Market cap", "value": 12.5},
        {"label": "EPS", "value": 3},
        {"label": "Ship name", "value": NO_VALUE},
    ]


def test_a_missing_label_is_the_name_of_the_value_column() -> None:
    assert metrics(frame({"value": 3})) == [{"label": "Value", "value": 3}]
    assert metrics(frame({"label": None, "value": 3})) == [{"label": "Value", "value": 3}]


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        (None, NO_VALUE),
        ("", NO_VALUE),
        (True, "true"),
        (0, 0),
        (-1.5, -1.5),
        ({"a": 1}, '{"a": 1}'),
        ([1, 2], "1,2"),
        ("x", "x"),
    ],
)
def test_values_are_texts_or_numbers(cell: object, shown: object) -> None:
    assert metrics(frame({"label": "a", "value": cell})) == [{"label": "a", "value": shown}]


def test_empty_texts_are_no_change_and_no_second_value() -> None:
    assert metrics(frame({"label": "a", "value": 1, "delta": "", "subvalue": ""})) == [{"label": "a", "value": 1}]


def test_zero_is_a_change() -> None:
    assert metrics(frame({"value": 1, "delta": 0}))[0]["delta"] == 0


@pytest.mark.parametrize("one", [None, frame(), frame(label="text", value="number")])
def test_no_rows_are_an_empty_list(one: Frame | None) -> None:
    assert metrics(one) == []


@pytest.mark.parametrize("part", ["label", "value", "delta", "subvalue"])
def test_a_chosen_column_that_is_missing_is_named(part: str) -> None:
    with pytest.raises(SourceFailed, match=r'"gone", but its data has: label, value\.'):
        metrics(frame(label="text", value="number"), **{part: "gone"})


def test_a_column_cleared_in_the_form_is_not_looked_for() -> None:
    assert metrics(frame({"value": 1, "delta": 2}), delta="", subvalue="") == [{"label": "Value", "value": 1}]


def test_the_list_is_put_at_the_data_key() -> None:
    assert metrics(frame({"value": 1}), "results") == {"results": [{"label": "Value", "value": 1}]}
