from __future__ import annotations

import pytest

from tests.shapes.chart.figures import figure, notes
from tests.shapes.frames import frame
from widgets_app.errors import SourceFailed
from widgets_app.shapes.base import NO_VALUE
from widgets_app.shapes.chart import SLICE_LIMIT
from widgets_app.shapes.chart.shares import BOX_LIMIT

WORLD = frame(
    {"continent": "Europe", "country": "Latvia", "people": 2},
    {"continent": "Europe", "country": "Norway", "people": 5},
    {"continent": "Asia", "country": "Japan", "people": 100},
    {"continent": "Europe", "country": "Latvia", "people": 1},
    {"continent": None, "country": "Nowhere", "people": 4},
    {"continent": "Asia", "country": "Sold", "people": -3},
    {"continent": "Asia", "country": "Unknown", "people": None},
    continent="text",
    country="text",
    people="number",
)


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


def test_a_donut_is_a_pie_with_a_hole() -> None:
    pie, donut = (figure(WORLD, kind=kind, x="country") for kind in ("pie", "donut"))
    assert donut["data"][0].pop("hole") == 0.55
    assert donut == pie


def test_a_treemap_puts_names_into_their_groups_and_adds_up_equal_ones() -> None:
    (trace,) = figure(WORLD, kind="treemap", x="country", groups=["continent"])["data"]
    boxes = {label: (trace["values"][at], trace["parents"][at]) for at, label in enumerate(trace["labels"])}
    ids = dict(zip(trace["labels"], trace["ids"], strict=True))
    assert boxes == {
        "Asia": (0, ""),
        "Japan": (100, ids["Asia"]),
        "Europe": (0, ""),
        "Norway": (5, ids["Europe"]),
        NO_VALUE: (0, ""),
        "Nowhere": (4, ids[NO_VALUE]),
        "Latvia": (3, ids["Europe"]),
    }
    assert len(set(trace["ids"])) == len(trace["ids"])


def test_the_boxes_of_a_group_have_its_colour() -> None:
    (trace,) = figure(WORLD, kind="treemap", x="country", groups=["continent"], colours=["red", "blue", "green"])[
        "data"
    ]
    assert dict(zip(trace["labels"], trace["marker"]["colors"], strict=True)) == {
        "Asia": "red",
        "Japan": "red",
        "Europe": "blue",
        "Norway": "blue",
        "Latvia": "blue",
        NO_VALUE: "green",
        "Nowhere": "green",
    }


def test_equal_names_in_different_groups_are_different_boxes() -> None:
    rows = frame({"g": "a", "n": "x", "v": 1}, {"g": "b", "n": "x", "v": 2}, g="text", n="text", v="number")
    (trace,) = figure(rows, kind="treemap", x="n", groups=["g"])["data"]
    assert sorted(zip(trace["labels"], trace["values"], strict=True)) == [("a", 0), ("b", 0), ("x", 1), ("x", 2)]


def test_the_smallest_of_many_boxes_are_left_out_and_the_figure_says_so() -> None:
    rows = frame(*({"n": f"n{n}", "v": n + 1} for n in range(BOX_LIMIT + 1)), n="text", v="number")
    made = figure(rows, kind="treemap")
    assert len(made["data"][0]["ids"]) == BOX_LIMIT
    assert "n0" not in made["data"][0]["labels"]
    assert notes(made) == ["Showing 500 of 501 boxes"]


def test_a_treemap_without_anything_above_zero_is_an_empty_figure() -> None:
    rows = frame({"n": "a", "v": 0}, n="text", v="number")
    assert notes(figure(rows, kind="treemap")) == ["No data for these settings"]


def test_a_group_that_is_not_there_is_named() -> None:
    with pytest.raises(SourceFailed, match='"gone", but its data has: continent'):
        figure(WORLD, kind="treemap", groups=["gone"])
