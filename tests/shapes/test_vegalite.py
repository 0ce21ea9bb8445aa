from __future__ import annotations

import json
from typing import Any

import orjson
import pytest

from tests.shapes.frames import frame
from widgets_app.errors import SourceFailed
from widgets_app.shapes.base import Ask
from widgets_app.shapes.chart import EMPTY_TEXT, THEMES
from widgets_app.shapes.vegalite import SCHEMA, VegaLite
from widgets_app.sources.frame import Frame

COLUMNS: dict[str, Any] = {"port.name": "text", "calls": "number", "late": "number"}
PORTS = frame({"port.name": "RIX", "calls": 41, "late": 0}, {"port.name": "VNO", "calls": None, "late": 1}, **COLUMNS)
MARK = {"mark": "bar", "encoding": {"x": {"field": "calls"}}}


def made(one: Frame | None, ask: Ask | None = None, **options: Any) -> Any:
    return json.loads(VegaLite().render(one, VegaLite.Options(**options), ask or Ask()).content)


def test_a_specification_of_version_5_fills_the_widget_without_a_background() -> None:
    spec = made(PORTS)
    assert (spec["$schema"], spec["width"], spec["height"]) == (SCHEMA, "container", "container")
    assert spec["config"]["background"] == "transparent"


def test_every_column_of_numbers_is_a_series_over_the_first_column() -> None:
    spec = made(PORTS, kind="bar")
    assert spec["data"]["values"] == [
        {"x": "RIX", "y": 41, "series": "Calls"},
        {"x": "VNO", "y": None, "series": "Calls"},
        {"x": "RIX", "y": 0, "series": "Late"},
        {"x": "VNO", "y": 1, "series": "Late"},
    ]
    assert spec["mark"]["type"] == "bar"
    assert {channel: spec["encoding"][channel]["type"] for channel in spec["encoding"]} == {
        "x": "nominal",
        "y": "quantitative",
        "color": "nominal",
    }


@pytest.mark.parametrize(
    ("column", "place", "kind"),
    [("date", "2026-03-01", "temporal"), ("number", 3, "quantitative"), ("text", "a", "nominal")],
)
def test_the_axis_follows_the_kind_of_the_places(column: Any, place: Any, kind: str) -> None:
    spec = made(frame({"at": place, "n": 1}, at=column, n="number"))
    assert spec["encoding"]["x"]["type"] == kind
    assert "color" not in spec["encoding"]


def test_a_pie_is_an_arc_without_empty_slices() -> None:
    spec = made(PORTS, kind="pie", y=["late"])
    assert spec["mark"]["type"] == "arc"
    assert [value["x"] for value in spec["data"]["values"]] == ["VNO"]
    assert spec["encoding"]["theta"]["field"] == "y"


def test_a_document_draws_the_rows_unless_it_has_data_of_its_own() -> None:
    assert made(PORTS, document=MARK)["data"] == {"values": orjson.loads(PORTS.json)}
    own = {"url": "https://example.com/x.csv"}
    assert made(PORTS, document={"data": own, **MARK})["data"] == own
    assert made(PORTS, document={"data": {"values": {"$records": ["late"]}}})["data"]["values"] == [
        {"late": 0},
        {"late": 1},
    ]


def test_what_a_document_says_wins() -> None:
    document = {**MARK, "width": 300, "$schema": "other", "config": {"axis": {"grid": False}, "background": "white"}}
    spec = made(PORTS, document=document)
    assert (spec["width"], spec["height"], spec["$schema"]) == (300, "container", "other")
    assert spec["config"]["background"] == "white"
    assert spec["config"]["axis"] == {
        "labelColor": THEMES["dark"].text,
        "titleColor": THEMES["dark"].text,
        "gridColor": THEMES["dark"].grid,
        "domainColor": THEMES["dark"].grid,
        "tickColor": THEMES["dark"].grid,
        "grid": False,
    }


def test_views_of_several_charts_get_no_size() -> None:
    assert "width" not in made(PORTS, document={"hconcat": [MARK]})


def test_colours_follow_the_theme() -> None:
    dark, light = made(PORTS), made(PORTS, Ask(theme="light"))
    assert dark["config"]["axis"]["labelColor"] == THEMES["dark"].text != light["config"]["axis"]["labelColor"]


@pytest.mark.parametrize("document", [{}, MARK])
@pytest.mark.parametrize("one", [None, frame(), frame(port="text", calls="number")])
def test_no_rows_give_a_chart_that_says_so(one: Frame | None, document: dict[str, Any]) -> None:
    spec = made(one, document=document)
    assert (spec["title"], spec["data"]) == (EMPTY_TEXT, {"values": []})


def test_rows_that_a_limit_cut_off_are_told() -> None:
    assert (
        made(frame({"a": 1, "b": 2}, truncated=True, a="number", b="number"))["title"] == "Made from the first 1 rows"
    )


def test_raw_gives_the_rows() -> None:
    assert made(PORTS, Ask(raw=True)) == orjson.loads(PORTS.json)


def test_columns_that_do_not_fit_are_told() -> None:
    with pytest.raises(SourceFailed, match='"gone", but its data has'):
        made(PORTS, x="gone")
    with pytest.raises(SourceFailed, match="needs a column of numbers"):
        made(frame({"a": "x"}))
