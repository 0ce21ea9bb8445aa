from __future__ import annotations

import json
import math
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.shapes.frames import frame
from widgets_app.errors import SourceFailed
from widgets_app.shapes.base import NO_VALUE, Ask
from widgets_app.shapes.chart import PALETTE, SERIES_LIMIT, SLICE_LIMIT, THEMES, Chart
from widgets_app.sources.frame import Frame

WIDE = frame(
    {"day": "2026-03-01", "calls": 41, "delays": 3},
    {"day": "2026-03-02", "calls": None, "delays": 4.5},
    {"day": "2026-03-03", "calls": 38, "delays": 0},
    day="date",
    calls="number",
    delays="number",
)
LONG = frame(
    {"port": "RIX", "kind": "in", "calls": 1},
    {"port": "VNO", "kind": "in", "calls": 2},
    {"port": "TLL", "kind": "out", "calls": 3},
    {"port": "RIX", "kind": "out", "calls": 4},
    {"port": "VNO", "kind": None, "calls": 5},
    port="text",
    kind="text",
    calls="number",
)


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


def figure(one: Frame | None, ask: Ask | None = None, **options: Any) -> Any:
    body = Chart().render(one, Chart.Options(**options), ask or Ask())
    return json.loads(body.content, parse_constant=refuse)


def drawn(made: Any) -> list[tuple[str, list[Any], list[Any]]]:
    return [(trace["name"], trace["x"], trace["y"]) for trace in made["data"]]


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


@pytest.mark.parametrize("one", [None, frame(), frame(day="date", calls="number")])
def test_no_rows_give_an_empty_figure_that_says_so(one: Frame | None) -> None:
    made = figure(one, y=["calls"] if one and one.columns else [])
    assert made["data"] == []
    (note,) = made["layout"]["annotations"]
    assert (note["text"], note["xref"], note["x"], note["y"]) == (
        "No data for these settings",
        "paper",
        0.5,
        0.5,
    )
    assert made["layout"]["xaxis"] == made["layout"]["yaxis"] == {"visible": False}


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


def test_the_legend_shows_only_for_several_series_and_can_be_left_out() -> None:
    shown = [figure(WIDE, **options)["layout"]["showlegend"] for options in ({}, {"y": ["calls"]}, {"legend": False})]
    assert shown == [True, False, False]


def test_own_colours_are_used_in_turn_with_other_marks_in_the_second_round() -> None:
    rows = frame({"d": "a", "x": 1, "y": 1, "z": 1}, d="text", x="number", y="number", z="number")
    lines = [trace["line"] for trace in figure(rows, colours=["red", "#00F"])["data"]]
    assert [(line["color"], line["dash"]) for line in lines] == [
        ("red", "solid"),
        ("#00F", "solid"),
        ("red", "dash"),
    ]
    bars = [trace["marker"]["pattern"]["shape"] for trace in figure(rows, kind="bar", colours=["red"])["data"]]
    assert bars == ["", "/", "x"]
    dots = [trace["marker"]["symbol"] for trace in figure(rows, kind="scatter", colours=["red"])["data"]]
    assert dots == ["circle", "square", "diamond"]


def test_names_from_the_data_are_text_and_not_markup() -> None:
    rows = frame({"d": "a", "p": "<b>R&D</b>", "n": 1}, d="text", p="text", n="number")
    assert figure(rows, colour="p")["data"][0]["name"] == "&lt;b&gt;R&amp;D&lt;/b&gt;"
    assert figure(rows, kind="pie", x="p")["data"][0]["labels"] == ["&lt;b&gt;R&amp;D&lt;/b&gt;"]


def test_too_many_series_are_cut_and_the_figure_says_so() -> None:
    rows = frame(*({"d": "a", "p": f"p{n}", "n": n} for n in range(SERIES_LIMIT + 12)), d="text", p="text", n="number")
    made = figure(rows, colour="p")
    assert len(made["data"]) == SERIES_LIMIT
    assert made["layout"]["annotations"][0]["text"] == "Showing 50 of 62 series"
    assert made["layout"]["legend"]["orientation"] == "v"


def test_rows_that_a_limit_cut_off_are_mentioned() -> None:
    rows = frame({"d": "a", "n": 1}, truncated=True, d="text", n="number")
    assert figure(rows)["layout"]["annotations"][0]["text"] == "Made from the first 1 rows"
    assert "annotations" not in figure(WIDE)["layout"]


def test_a_pie_adds_up_equal_names_largest_first_and_leaves_out_what_is_no_share() -> None:
    rows = frame(
        *(
            {"port": port, "calls": calls}
            for port, calls in [("A", 1), ("B", 5), ("A", 2), ("C", None), ("D", -1), (None, 1)]
        ),
        port="text",
        calls="number",
    )
    made = figure(rows, kind="pie", y_format=",.1f")
    (pie,) = made["data"]
    assert (pie["type"], pie["labels"], pie["values"]) == ("pie", ["B", "A", NO_VALUE], [5, 3, 1])
    assert pie["hovertemplate"].startswith("%{label}<br>%{value:,.1f}")
    assert made["layout"]["showlegend"]
    assert "xaxis" not in made["layout"]


def test_a_pie_of_many_slices_adds_up_the_small_ones() -> None:
    rows = frame(*({"p": f"p{n}", "n": n + 1} for n in range(60)), p="text", n="number")
    (pie,) = figure(rows, kind="pie")["data"]
    assert len(pie["values"]) == len(pie["labels"]) == SLICE_LIMIT
    assert (pie["labels"][-1], sum(pie["values"])) == ("11 others", sum(range(61)))


def test_a_pie_without_shares_is_an_empty_figure() -> None:
    made = figure(frame({"p": "a", "n": 0}, p="text", n="number"), kind="pie")
    assert (made["data"], made["layout"]["annotations"][0]["text"]) == ([], "No data for these settings")


def test_raw_gives_the_rows_as_a_bare_list() -> None:
    assert figure(WIDE, Ask(raw=True, data_key="chart")) == WIDE.rows()
    assert figure(None, Ask(raw=True)) == []
    assert figure(LONG, Ask(raw=True), x="gone") == LONG.rows()


def test_the_figure_is_put_at_the_data_key() -> None:
    assert figure(WIDE, Ask(data_key="chart.content"))["chart"]["content"] == figure(WIDE)


def test_themes_differ_dark_is_the_default_and_the_background_is_transparent() -> None:
    dark, light = (figure(WIDE, Ask(theme=theme))["layout"] for theme in ("dark", "light"))
    assert dark == figure(WIDE)["layout"]
    assert dark["font"] != light["font"]
    assert dark["yaxis"]["gridcolor"] != light["yaxis"]["gridcolor"]
    assert dark["paper_bgcolor"] == dark["plot_bgcolor"] == light["paper_bgcolor"] == "rgba(0,0,0,0)"


CELLS = (
    st.none()
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-(2**53), 2**53)
    | st.text(max_size=3)
)
OPTIONS = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["line", "area", "bar", "scatter", "pie"]),
        "stacking": st.sampled_from(["none", "stacked", "normalised"]),
        "horizontal": st.booleans(),
        "colour": st.sampled_from(["", "c"]),
    }
)


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=6), OPTIONS)
def test_any_cells_give_strict_json_or_a_clear_refusal(cells: list[Any], options: dict[str, Any]) -> None:
    rows = frame(*({"a": a, "b": b, "c": c} for a, b, c in cells), a="text", b="number", c="text")
    try:
        made = figure(rows, **options)
    except SourceFailed:
        assert not any(isinstance(b, int | float) for _, b, _ in cells)
    else:
        assert set(made) == {"data", "layout", "config"}


# How far the colours are from the backgrounds and each other: contrast ratio of WCAG, and distances in CIE
# Lab of what readers with full, red-blind, green-blind and blue-blind vision see (Machado and others, 2009).
BACKGROUNDS = ("#151518", "#FFFFFF")
VISIONS = (
    ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
)
TO_XYZ = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
WHITE = (0.95047, 1.0, 1.08883)


def linear(colour: str) -> list[float]:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def times(matrix: Any, vector: list[float]) -> list[float]:
    return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix]


def contrast(one: str, other: str) -> float:
    dark, light = sorted(times(TO_XYZ, linear(colour))[1] for colour in (one, other))
    return (light + 0.05) / (dark + 0.05)


def lab(colour: str, vision: Any) -> tuple[float, float, float]:
    seen = [min(1.0, max(0.0, part)) for part in times(vision, linear(colour))]
    ratios = [part / white for part, white in zip(times(TO_XYZ, seen), WHITE, strict=True)]
    x, y, z = (ratio ** (1 / 3) if ratio > 0.008856 else 7.787 * ratio + 16 / 116 for ratio in ratios)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_every_colour_stands_out_from_both_backgrounds(background: str) -> None:
    assert min(contrast(colour, background) for colour in PALETTE) >= 3


@pytest.mark.parametrize("vision", VISIONS)
def test_every_reader_can_tell_the_colours_apart(vision: Any) -> None:
    assert min(math.dist(lab(a, vision), lab(b, vision)) for a, b in combinations(PALETTE, 2)) >= 20


def test_the_writing_is_readable_on_its_background() -> None:
    assert contrast(THEMES["dark"].text, BACKGROUNDS[0]) >= 7
    assert contrast(THEMES["light"].text, BACKGROUNDS[1]) >= 7
