from __future__ import annotations

from typing import Any

import pytest

from tests.shapes.chart.figures import LONG, WIDE, drawn, figure
from tests.shapes.frames import frame
from widgets_app.errors import SourceFailed
from widgets_app.shapes.base import NO_VALUE


@pytest.mark.parametrize(
    ("stacking", "extra"),
    [("none", set()), ("stacked", {"stackgroup"}), ("normalised", {"stackgroup", "groupnorm"})],
)
def test_areas_stack(stacking: str, extra: set[str]) -> None:
    trace = figure(WIDE, kind="area", stacking=stacking)["data"][0]
    assert extra == {"stackgroup", "groupnorm"} & set(trace)
    assert ("fill" in trace) is (stacking == "none")


@pytest.mark.parametrize(
    ("stacking", "mode", "norm"),
    [("none", "group", None), ("stacked", "relative", None), ("normalised", "stack", "percent")],
)
def test_bars_are_grouped_or_stacked(stacking: str, mode: str, norm: str | None) -> None:
    layout = figure(WIDE, kind="bar", stacking=stacking)["layout"]
    assert (layout["barmode"], layout.get("barnorm")) == (mode, norm)
    assert layout["yaxis"].get("ticksuffix") == ("%" if norm else None)


def test_horizontal_bars_swap_the_axes_with_the_first_row_on_top() -> None:
    made = figure(LONG, kind="bar", horizontal=True, x_title="Port", y_title="Calls", y_format=",.0f")
    trace, layout = made["data"][0], made["layout"]
    assert (trace["orientation"], trace["x"][:2], trace["y"][:2]) == ("h", [1, 2], ["RIX", "VNO"])
    assert layout["yaxis"]["autorange"] == "reversed"
    assert (layout["yaxis"]["title"]["text"], layout["xaxis"]["title"]["text"]) == ("Port", "Calls")
    assert layout["xaxis"]["tickformat"] == layout["xaxis"]["hoverformat"] == ",.0f"


def test_only_bars_run_to_the_right() -> None:
    assert figure(WIDE, horizontal=True) == figure(WIDE)


def test_a_single_point_is_marked() -> None:
    assert figure(frame({"d": "a", "n": 1}, d="text", n="number"))["data"][0]["mode"] == "lines+markers"


def test_both_measures_of_a_scatter_are_named() -> None:
    layout = figure(WIDE, kind="scatter", x="delays", y=["calls"])["layout"]
    assert [layout[axis]["title"]["text"] for axis in ("xaxis", "yaxis")] == ["Delays", "Calls"]
    assert figure(WIDE)["layout"]["xaxis"]["title"]["text"] == ""


def test_one_column_gives_the_title_of_the_values_and_several_none() -> None:
    titles = [figure(WIDE, y=y)["layout"]["yaxis"]["title"]["text"] for y in (["calls"], ["calls", "delays"])]
    assert titles == ["Calls", ""]


def test_columns_of_the_second_axis_are_drawn_against_it_in_their_own_way() -> None:
    made = figure(WIDE, kind="bar", second_y=["delays"], second_format=".1f")
    assert [(trace["name"], trace["type"], trace.get("yaxis")) for trace in made["data"]] == [
        ("Calls", "bar", None),
        ("Delays", "scatter", "y2"),
    ]
    layout = made["layout"]
    assert (layout["yaxis"]["title"]["text"], layout["yaxis2"]["title"]["text"]) == ("Calls", "Delays")
    assert (layout["yaxis2"]["overlaying"], layout["yaxis2"]["side"]) == ("y", "right")
    assert (layout["yaxis2"]["tickformat"], "tickformat" in layout["yaxis"]) == (".1f", False)


def test_the_second_axis_of_horizontal_bars_is_on_top_and_the_legend_out_of_its_way() -> None:
    made = figure(WIDE, kind="bar", horizontal=True, second_y=["delays"], second_title="Hours")
    assert made["data"][1]["xaxis"] == "x2"
    assert (made["data"][1]["x"], made["data"][1]["y"][0]) == ([3, 4.5, 0], "2026-03-01")
    assert (made["layout"]["xaxis2"]["side"], made["layout"]["xaxis2"]["title"]["text"]) == ("top", "Hours")
    assert made["layout"]["legend"]["orientation"] == "v"


@pytest.mark.parametrize(("stacking", "groups"), [("none", ["0", "1"]), ("stacked", ["0", "1"])])
def test_bars_of_both_axes_stand_side_by_side(stacking: str, groups: list[str]) -> None:
    made = figure(WIDE, kind="bar", stacking=stacking, second_y=["delays"], second_kind="bar")
    assert [trace["offsetgroup"] for trace in made["data"]] == groups
    assert {trace["alignmentgroup"] for trace in made["data"]} == {"all"}


def test_only_bars_of_the_first_axis_are_stacked_on_each_other() -> None:
    rows = frame({"d": "a", "x": 1, "y": 2, "z": 3}, d="text", x="number", y="number", z="number")
    made = figure(rows, kind="bar", stacking="stacked", second_y=["z"], second_kind="bar")
    assert [trace["offsetgroup"] for trace in made["data"]] == ["0", "0", "1"]


def test_a_column_of_the_second_axis_that_is_not_there_is_named() -> None:
    with pytest.raises(SourceFailed, match='"gone", but its data has: day, calls, delays'):
        figure(WIDE, second_y=["gone"])


def test_all_numbers_may_be_on_the_second_axis() -> None:
    made = figure(WIDE, second_y=["calls", "delays"])
    assert [trace["yaxis"] for trace in made["data"]] == ["y2", "y2"]


@pytest.mark.parametrize(("shape", "drawn_as"), [("straight", "linear"), ("smooth", "spline"), ("steps", "hv")])
def test_lines_have_the_chosen_shape_and_marks(shape: str, drawn_as: str) -> None:
    trace = figure(WIDE, line_shape=shape, markers=True)["data"][0]
    assert (trace["line"]["shape"], trace["mode"]) == (drawn_as, "lines+markers")


def test_points_carry_their_names_as_text() -> None:
    rows = frame({"x": 1, "y": 2, "n": "R&D"}, {"x": 1, "y": 2, "n": None}, x="number", y="number", n="text")
    assert figure(rows, kind="scatter", label="n")["data"][0]["text"] == ["R&amp;D", NO_VALUE]


def test_values_are_written_into_bars_in_their_format() -> None:
    options: dict[str, Any] = {"kind": "bar", "y": ["calls"], "show_values": True}
    templates = [figure(WIDE, **options, y_format=form)["data"][0]["texttemplate"] for form in ("", ",.1f")]
    assert templates == ["%{value}", "%{value:,.1f}"]


def test_the_axis_of_values_is_logarithmic_where_asked() -> None:
    assert figure(WIDE, y_log=True)["layout"]["yaxis"]["type"] == "log"
    assert "type" not in figure(WIDE)["layout"]["yaxis"]


def test_options_of_other_kinds_are_passed_over() -> None:
    others: dict[str, Any] = {
        "size": "gone",
        "groups": ["gone"],
        "open": "gone",
        "volume": "gone",
        "label": "gone",
        "bins": 7,
    }
    assert figure(WIDE, **others) == figure(WIDE)
    assert drawn(figure(LONG, kind="line", stacking="stacked", horizontal=True)) == drawn(figure(LONG))
