from __future__ import annotations

from typing import Any

import pytest

from tests.shapes.chart.figures import LONG, WIDE, drawn, figure
from tests.shapes.frames import frame
from widgets_app.errors import SourceFailed
from widgets_app.shapes.base import NO_VALUE
from widgets_app.shapes.chart import SERIES_LIMIT


def test_every_column_of_numbers_is_a_series_over_the_first_column_and_gaps_stay() -> None:
    days = ["2026-03-01", "2026-03-02", "2026-03-03"]
    made = figure(WIDE)
    assert drawn(made) == [("Calls", days, [41, None, 38]), ("Delays", days, [3, 4.5, 0])]
    assert {(trace["type"], trace["mode"], trace["connectgaps"]) for trace in made["data"]} == {
        ("scatter", "lines", False)
    }
    assert made["config"] == {"displaylogo": False}
    assert "title" not in made["layout"]


def test_chosen_columns_are_drawn_in_the_chosen_order() -> None:
    assert [name for name, _, _ in drawn(figure(WIDE, y=["delays", "calls"]))] == ["Delays", "Calls"]
    assert drawn(figure(WIDE, kind="scatter", x="delays", y=["calls"])) == [("Calls", [3, 4.5, 0], [41, None, 38])]


def test_the_place_column_is_the_first_that_is_not_drawn() -> None:
    assert drawn(figure(LONG, kind="bar", y=["calls"], colour="port"))[0][1] == ["in", "out"]
    only = frame({"calls": 3}, calls="number")
    assert drawn(figure(only, y=["calls"])) == [("Calls", [3], [3])]


def test_a_column_splits_into_series_in_order_of_first_appearance() -> None:
    assert drawn(figure(LONG, colour="kind")) == [
        ("in", ["RIX", "VNO"], [1, 2]),
        ("out", ["TLL", "RIX"], [3, 4]),
        (NO_VALUE, ["VNO"], [5]),
    ]


def test_split_series_of_several_columns_carry_both_names() -> None:
    rows = frame({"d": "a", "p": "RIX", "x": 1, "y": 2}, d="text", p="text", x="number", y="number")
    assert [name for name, _, _ in drawn(figure(rows, colour="p"))] == ["X, RIX", "Y, RIX"]


def test_names_keep_the_order_of_the_rows_over_all_series() -> None:
    axis = figure(LONG, colour="kind", kind="bar")["layout"]["xaxis"]
    assert (axis["type"], axis["categoryarray"]) == ("category", ["RIX", "VNO", "TLL"])


@pytest.mark.parametrize(
    ("column", "places", "axis"),
    [
        ("number", [2024, 2025], "linear"),
        ("date", ["2026-03-01"], "date"),
        ("datetime", ["2026-03-01T08:00:00"], "date"),
        ("text", ["2026-03", "2026-04"], "date"),
        ("text", ["007", "008"], "category"),
        ("text", ["2026-03-01", "later"], "category"),
        ("boolean", [True, False], "category"),
    ],
)
def test_the_axis_follows_the_kind_of_the_places(column: Any, places: list[Any], axis: str) -> None:
    rows = frame(*({"at": place, "n": 1} for place in places), at=column, n="number")
    assert figure(rows, kind="bar")["layout"]["xaxis"]["type"] == axis


def test_places_that_are_no_text_or_number_are_written_as_text() -> None:
    rows = frame({"at": True, "n": 1}, {"at": None, "n": 2}, {"at": {"a": 1}, "n": 3}, at="object", n="number")
    assert drawn(figure(rows))[0][1] == ["true", NO_VALUE, '{"a": 1}']


def test_numbers_written_as_text_are_drawn_and_other_cells_are_gaps() -> None:
    rows = frame(*({"at": "a", "n": cell} for cell in ("9007199254740993", True, "x", {"a": 1}, "1e999")))
    assert drawn(figure(rows, y=["n"]))[0][2] == [9007199254740993, 1, None, None, None]


def test_a_column_without_numbers_is_refused_with_an_example() -> None:
    with pytest.raises(SourceFailed, match=r'"port", which has no numbers, such as "RIX"\. Choose'):
        figure(LONG, x="kind", y=["port"])


def test_a_column_of_nulls_is_drawn_as_nothing() -> None:
    assert drawn(figure(frame({"at": "a", "n": None}), y=["n"])) == [("N", ["a"], [None])]


@pytest.mark.parametrize("options", [{"x": "gone"}, {"y": ["calls", "gone"]}, {"colour": "gone"}])
def test_a_column_that_is_not_there_is_named_with_those_that_are(options: dict[str, Any]) -> None:
    with pytest.raises(SourceFailed, match=r'"gone", but its data has: day, calls, delays\.'):
        figure(WIDE, **options)


def test_data_without_numbers_says_what_it_has() -> None:
    with pytest.raises(SourceFailed, match=r'beside "a", but its data has: a \(text\), b \(text\)\.'):
        figure(frame({"a": "x", "b": "y"}))


def test_too_many_series_are_cut_and_the_figure_says_so() -> None:
    rows = frame(*({"d": "a", "p": f"p{n}", "n": n} for n in range(SERIES_LIMIT + 12)), d="text", p="text", n="number")
    made = figure(rows, colour="p")
    assert len(made["data"]) == SERIES_LIMIT
    assert made["layout"]["annotations"][0]["text"] == "Showing 50 of 62 series"
    assert made["layout"]["legend"]["orientation"] == "v"


def test_a_column_that_is_named_twice_is_drawn_once() -> None:
    assert drawn(figure(LONG, y=["calls", "calls"])) == drawn(figure(LONG, y=["calls"]))
