from __future__ import annotations

from typing import Any

import pytest

from tests.shapes.chart.figures import LONG, WIDE, figure, notes
from tests.shapes.frames import frame
from widgets_app.shapes.base import NO_VALUE, Ask
from widgets_app.shapes.chart import grid


def test_each_series_is_a_row_of_cells_and_missing_ones_are_gaps() -> None:
    made = figure(LONG, kind="heatmap", x="port", colour="kind")
    (trace,) = made["data"]
    assert (trace["x"], trace["y"]) == (["RIX", "VNO", "TLL"], ["in", "out", NO_VALUE])
    assert trace["z"] == [[1, 2, None], [4, None, 3], [None, 5, None]]
    assert made["layout"]["yaxis"]["autorange"] == "reversed"


def test_wide_rows_give_a_row_of_cells_for_each_column() -> None:
    (trace,) = figure(WIDE, kind="heatmap")["data"]
    assert (trace["y"], trace["z"]) == (["Calls", "Delays"], [[41, None, 38], [3, 4.5, 0]])


def test_cells_of_several_rows_are_added_up() -> None:
    rows = frame({"a": "x", "n": 1}, {"a": "x", "n": None}, {"a": "x", "n": 2}, a="text", n="number")
    assert figure(rows, kind="heatmap")["data"][0]["z"] == [[3]]


def test_columns_that_read_the_same_keep_their_own_cells() -> None:
    columns: dict[str, Any] = {"a": "text", "net_gain": "number", "net gain": "number"}
    rows = frame({"a": "x", "net_gain": 1, "net gain": 2}, **columns)
    assert figure(rows, kind="heatmap")["data"][0]["y"] == ["Net gain", "Net gain (2)"]


def colours(values: list[Any], ask: Ask | None = None, **options: Any) -> tuple[list[str], Any]:
    rows = frame(*({"a": f"p{at}", "n": value} for at, value in enumerate(values)), a="text", n="number")
    (trace,) = figure(rows, ask, kind="heatmap", **options)["data"]
    assert [at for at, _ in trace["colorscale"]][:: len(trace["colorscale"]) - 1] == [0, 1]
    return [colour for _, colour in trace["colorscale"]], trace.get("zmid")


def test_the_scale_has_its_middle_at_zero_where_values_have_both_signs() -> None:
    assert colours([1, 2])[1] is None
    assert colours([-1, 2])[1] == 0
    assert colours([-1, 2])[0][::2] == [grid.BELOW, grid.ABOVE]


def test_the_scale_begins_near_the_background_of_each_theme() -> None:
    dark, light = (colours([1], Ask(theme=theme))[0][0] for theme in ("dark", "light"))
    assert (dark, light) == ("#2B2B31", "#EDEDF0")


def test_own_colours_are_the_steps_of_the_scale() -> None:
    assert colours([1, 2], colours=["white", "orange", "red"])[0] == ["white", "orange", "red"]
    assert colours([1, 2], colours=["red"])[0] == ["#2B2B31", "red"]


def test_values_are_written_into_cells_in_their_format() -> None:
    trace = figure(WIDE, kind="heatmap", show_values=True, y_format=".2f")["data"][0]
    assert trace["texttemplate"] == "%{z:.2f}"


def test_a_grid_without_values_is_an_empty_figure() -> None:
    rows = frame({"a": "x", "n": None}, a="text", n="number")
    assert notes(figure(rows, kind="heatmap")) == ["No data for these settings"]


def test_rows_beyond_the_limit_of_cells_are_left_out_and_the_figure_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grid, "CELL_LIMIT", 7)
    made = figure(LONG, kind="heatmap", x="port", colour="kind")
    assert made["data"][0]["y"] == ["in", "out"]
    assert notes(made) == ["Showing 2 of 3 series"]
