"""Every kind of chart, as it is served, drawn by the libraries themselves in both themes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import pytest

from tests.browser.sample import CHARTS, HIGHCHARTS, VEGA_LITE
from widgets_app.shapes.chart import ChartOptions
from widgets_app.shapes.highcharts import HighchartsOptions
from widgets_app.shapes.vegalite import VegaLiteOptions

pytestmark = pytest.mark.browser

Show = Callable[..., None]
# What is drawn of the data, whatever the kind: lines, points, bars, slices, boxes, candles, cells, steps.
PLOTLY = ".js-line, .point, .points path, .bars path, .slice, .box, .ohlclayer path, .hm image, .treemaplayer .slice"
VEGA = ".role-mark path[d]:not([d='']), .role-mark line, .role-mark text"
SIZES = """() => [...document.querySelectorAll(".vega-embed")].map((place) => {
    const picture = place.querySelector("svg"), box = place.parentElement.getBoundingClientRect();
    return [picture.clientWidth - box.width, picture.clientHeight - box.height].every((over) => over <= 1);
})"""
both_themes = pytest.mark.parametrize("theme", ["dark", "light"])


def kinds(options: Any) -> set[str]:
    return set(get_args(options.model_fields["kind"].annotation))


def assert_drawn(client: Any, marks: str, names: set[str]) -> None:
    places = client.locator("[data-widget]").all()
    assert {place.locator("b").inner_text().partition(" ")[2] for place in places} == names
    for place in places:
        assert place.locator(marks).count() > 0, place.inner_text()


def test_there_is_a_chart_of_every_kind() -> None:
    for options, charts in ((ChartOptions, CHARTS), (VegaLiteOptions, VEGA_LITE), (HighchartsOptions, HIGHCHARTS)):
        assert kinds(options) <= {shape.get("kind") for _, shape in charts.values()}


@both_themes
def test_plotly_draws_every_kind_without_a_complaint(client: Any, show: Show, theme: str) -> None:
    show("Charts", theme)
    assert_drawn(client, PLOTLY, set(CHARTS))


@both_themes
def test_vega_embed_draws_every_kind_inside_its_widget(client: Any, show: Show, theme: str, libraries: None) -> None:
    show("Vega-Lite", theme)
    assert_drawn(client, VEGA, set(VEGA_LITE))
    assert client.evaluate(SIZES) == [True] * len(VEGA_LITE)


@both_themes
def test_options_of_highcharts_are_whole_enough_to_be_drawn_by_another_library(
    client: Any, show: Show, theme: str
) -> None:
    show("Highcharts", theme)
    assert_drawn(client, PLOTLY, set(HIGHCHARTS))


def test_charts_without_rows_say_so(client: Any, show: Show, libraries: None) -> None:
    show("Empty")
    for place in client.locator("[data-widget] .plot").all():
        assert "No data for these settings" in place.inner_text()
