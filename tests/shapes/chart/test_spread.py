from __future__ import annotations

from typing import Any

import pytest

from tests.shapes.chart.figures import LONG, WIDE, figure
from tests.shapes.frames import frame
from widgets_app.errors import SourceFailed


def test_a_histogram_counts_the_values_of_each_series() -> None:
    made = figure(WIDE, kind="histogram", bins=20)
    assert [(trace["name"], trace["x"], trace["nbinsx"]) for trace in made["data"]] == [
        ("Calls", [41, 38], 20),
        ("Delays", [3, 4.5, 0], 20),
    ]
    assert made["layout"]["yaxis"]["title"]["text"] == "Number of rows"
    assert made["layout"]["barmode"] == "overlay"


def test_a_histogram_of_one_column_is_named_after_it_and_fills_its_bars() -> None:
    made = figure(WIDE, kind="histogram", y=["delays"], y_format=",.0f")
    assert (made["layout"]["xaxis"]["title"]["text"], made["layout"]["xaxis"]["tickformat"]) == ("Delays", ",.0f")
    assert (made["data"][0]["opacity"], "nbinsx" in made["data"][0]) == (1, False)


@pytest.mark.parametrize(
    ("stacking", "expected"),
    [("none", ("overlay", None, 0.6)), ("stacked", ("stack", None, 1)), ("normalised", ("stack", "percent", 1))],
)
def test_several_histograms_shine_through_or_stand_on_each_other(stacking: str, expected: Any) -> None:
    made = figure(LONG, kind="histogram", y=["calls"], colour="kind", stacking=stacking)
    assert (made["layout"]["barmode"], made["layout"].get("barnorm"), made["data"][0]["opacity"]) == expected


def test_a_chart_without_places_needs_numbers() -> None:
    with pytest.raises(SourceFailed, match=r"needs a column of numbers, but its data has: a \(text\)\."):
        figure(frame({"a": "x"}), kind="histogram")


def test_each_column_has_a_box() -> None:
    made = figure(WIDE, kind="box")
    assert [(trace["name"], trace["y"]) for trace in made["data"]] == [
        ("Calls", [41, None, 38]),
        ("Delays", [3, 4.5, 0]),
    ]
    assert not any("x" in trace for trace in made["data"])
    assert not made["layout"]["showlegend"]


def test_boxes_stand_at_the_places_of_a_named_column() -> None:
    made = figure(LONG, kind="box", x="port", colour="kind")
    assert [(trace["name"], trace["x"]) for trace in made["data"]][:2] == [
        ("in", ["RIX", "VNO"]),
        ("out", ["TLL", "RIX"]),
    ]
    assert (made["layout"]["boxmode"], made["layout"]["showlegend"]) == ("group", True)
    assert made["layout"]["xaxis"]["categoryarray"] == ["RIX", "VNO", "TLL"]


def test_boxes_run_to_the_right_where_asked() -> None:
    made = figure(LONG, kind="box", x="port", horizontal=True)
    assert (made["data"][0]["orientation"], made["data"][0]["x"][:2]) == ("h", [1, 2])
    assert made["layout"]["yaxis"]["autorange"] == "reversed"


def test_the_column_of_the_places_has_no_box_itself() -> None:
    rows = frame({"year": 2025, "n": 1}, year="number", n="number")
    assert [trace["name"] for trace in figure(rows, kind="box", x="year")["data"]] == ["N"]
