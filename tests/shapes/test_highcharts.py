from __future__ import annotations

import json
from typing import Any

import orjson
import pytest

from tests.shapes.frames import frame
from widgets_app.errors import SourceFailed
from widgets_app.shapes.base import Ask
from widgets_app.shapes.chart import EMPTY_TEXT, SERIES_LIMIT, THEMES
from widgets_app.shapes.highcharts import Highcharts, milliseconds
from widgets_app.sources.frame import Frame

PORTS = frame(
    {"port": "RIX", "calls": 41, "late": 3},
    {"port": "<b>", "calls": None, "late": 1},
    port="text",
    calls="number",
    late="number",
)
DAYS = frame(
    {"day": "2026-03-02", "calls": 2},
    {"day": "2026-03-01", "calls": 1},
    {"day": None, "calls": 5},
    day="date",
    calls="number",
)


def made(one: Frame | None, ask: Ask | None = None, **options: Any) -> Any:
    return json.loads(Highcharts().render(one, Highcharts.Options(**options), ask or Ask()).content)


def data(chart: Any) -> list[tuple[str, list[Any]]]:
    return [(series["name"], series["data"]) for series in chart["series"]]


def test_names_are_categories_and_every_column_of_numbers_is_a_series() -> None:
    chart = made(PORTS, kind="column")
    assert chart["chart"]["type"] == "column"
    assert chart["xAxis"]["categories"] == ["RIX", "&lt;b&gt;"]
    assert data(chart) == [("Calls", [[0, 41], [1, None]]), ("Late", [[0, 3], [1, 1]])]
    assert chart["title"]["text"] == ""


def test_dates_are_milliseconds_from_left_to_right() -> None:
    chart = made(DAYS)
    assert chart["xAxis"]["type"] == "datetime"
    assert data(chart) == [("Calls", [[1772323200000, 1], [1772409600000, 2]])]
    assert chart["yAxis"]["title"]["text"] == "Calls"


def test_numbers_along_the_chart_and_a_split() -> None:
    rows = frame({"a": 2, "b": 3, "p": "x"}, {"a": 1, "b": 4, "p": "y"}, a="number", b="number", p="text")
    assert data(made(rows, kind="scatter", colour="p")) == [("x", [[2, 3]]), ("y", [[1, 4]])]


def test_a_pie_has_slices_above_zero() -> None:
    assert data(made(PORTS, kind="pie")) == [("Calls", [{"name": "RIX", "y": 41}])]


def test_a_document_keeps_what_its_author_wrote_over_the_theme() -> None:
    document = {
        "title": {"text": "T"},
        "colors": ["red"],
        "yAxis": [{"labels": {"style": {"color": "blue"}}}, {"opposite": True}],
        "series": [{"data": {"$rows": ["day", "calls"]}}, {"data": {"$column": "day"}}],
    }
    chart = made(DAYS, document=document)
    assert chart["title"]["text"] == "T"
    assert chart["colors"] == ["red"]
    assert [axis["labels"]["style"]["color"] for axis in chart["yAxis"]] == ["blue", THEMES["dark"].text]
    assert chart["series"][0]["data"] == [[1772409600000, 2], [1772323200000, 1], [None, 5]]
    assert chart["series"][1]["data"] == ["2026-03-02", "2026-03-01", None]


def test_colours_follow_the_theme_and_the_background_is_the_widgets() -> None:
    dark, light = made(PORTS), made(PORTS, Ask(theme="light"))
    assert dark["legend"]["itemStyle"]["color"] == THEMES["dark"].text != light["legend"]["itemStyle"]["color"]
    assert dark["chart"]["backgroundColor"] == light["chart"]["backgroundColor"] == "transparent"


@pytest.mark.parametrize("document", [{}, {"series": [{"data": {"$column": "calls"}}]}])
@pytest.mark.parametrize("one", [None, frame(), frame(port="text", calls="number")])
def test_no_rows_give_a_chart_that_says_so(one: Frame | None, document: dict[str, Any]) -> None:
    assert made(one, document=document)["subtitle"]["text"] == EMPTY_TEXT


def test_what_a_limit_left_out_is_said() -> None:
    many = frame(
        *({"d": 1, "p": str(n), "y": n} for n in range(SERIES_LIMIT + 1)),
        truncated=True,
        d="number",
        p="text",
        y="number",
    )
    chart = made(many, colour="p", y=["y"])
    assert len(chart["series"]) == SERIES_LIMIT
    assert chart["subtitle"]["text"] == "Showing 50 of 51 series · Made from the first 51 rows"


def test_raw_gives_the_rows_and_the_chart_is_put_at_the_data_key() -> None:
    assert made(PORTS, Ask(raw=True)) == orjson.loads(PORTS.json)
    assert "series" in made(PORTS, Ask(data_key="chart.content"))["chart"]["content"]


@pytest.mark.parametrize("options", [{"x": "gone"}, {"document": {"series": {"$column": "gone"}}}])
def test_a_column_that_is_missing_is_named(options: dict[str, Any]) -> None:
    with pytest.raises(SourceFailed, match='"gone", but its data has: port, calls, late'):
        made(PORTS, **options)


@pytest.mark.parametrize(
    ("text", "time"), [("1970-01-02", 86_400_000), ("1970-02", 2_678_400_000), ("x", None), ("", None)]
)
def test_dates_are_counted_from_1970_in_utc(text: str, time: int | None) -> None:
    assert milliseconds(text) == time
