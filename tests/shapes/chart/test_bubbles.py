from __future__ import annotations

import pytest

from tests.shapes.chart.figures import drawn, figure
from tests.shapes.frames import frame
from widgets_app.errors import SourceFailed
from widgets_app.shapes.base import NO_VALUE

ROWS = frame(
    {"growth": 1, "debt": 10, "people": 400, "country": "A&B"},
    {"growth": 2, "debt": 20, "people": None, "country": "B"},
    {"growth": 3, "debt": 30, "people": 100, "country": None},
    {"growth": 4, "debt": 40, "people": -5, "country": "D"},
    growth="number",
    debt="number",
    people="number",
    country="text",
)


def test_what_is_not_named_is_the_next_column_of_numbers() -> None:
    made = figure(ROWS, kind="bubble")
    assert drawn(made) == [("Debt", [1, 2, 3, 4], [10, 20, 30, 40])]
    assert made["data"][0]["marker"]["size"] == [400, 0, 100, 0]
    assert [made["layout"][axis]["title"]["text"] for axis in ("xaxis", "yaxis")] == ["Growth", "Debt"]


def test_a_named_size_and_place_leave_the_other_column_to_draw() -> None:
    made = figure(ROWS, kind="bubble", x="people", size="growth")
    assert drawn(made) == [("Debt", [400, NO_VALUE, 100, -5], [10, 20, 30, 40])]
    assert made["data"][0]["marker"]["size"] == [1, 2, 3, 4]


def test_the_largest_bubble_of_all_series_decides_the_scale() -> None:
    traces = figure(ROWS, kind="bubble", colour="country")["data"]
    assert {trace["marker"]["sizeref"] for trace in traces} == {2 * 400 / 48**2}
    assert [trace["name"] for trace in traces] == ["A&amp;B", "B", NO_VALUE, "D"]


def test_bubbles_say_their_name_and_size() -> None:
    said = figure(ROWS, kind="bubble", label="country")["data"][0]["text"]
    assert said == ["A&amp;B<br>People: 400", "B", f"{NO_VALUE}<br>People: 100", "D<br>People: -5"]


def test_bubbles_need_two_columns_of_numbers_beside_the_place() -> None:
    rows = frame({"a": 1, "b": 2, "c": "x"}, a="number", b="number", c="text")
    with pytest.raises(
        SourceFailed, match=r"but the data has: a \(number\), b \(number\), c \(text\)\. Name the column"
    ):
        figure(rows, kind="bubble")


def test_a_size_that_is_not_there_is_named() -> None:
    with pytest.raises(SourceFailed, match='"gone", but its data has: growth'):
        figure(ROWS, kind="bubble", size="gone")
