"""The shape of charts: chooses who draws, and puts the figure together."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import orjson

from widgets_app.shapes.base import Ask, Body, Shape, ShapeOptions, json_body
from widgets_app.shapes.chart.bubbles import draw_bubbles
from widgets_app.shapes.chart.grid import draw_heatmap
from widgets_app.shapes.chart.layout import (
    THEMES,
    Drawing,
    Json,
    Theme,
    base_layout,
    empty_drawing,
    with_extra,
    with_notes,
)
from widgets_app.shapes.chart.options import ChartOptions
from widgets_app.shapes.chart.plot import draw_plot
from widgets_app.shapes.chart.prices import draw_prices
from widgets_app.shapes.chart.shares import draw_pie, draw_treemap
from widgets_app.shapes.chart.spread import draw_boxes, draw_histogram
from widgets_app.shapes.chart.steps import draw_waterfall
from widgets_app.shapes.registry import register
from widgets_app.sources.frame import Frame

_KINDS: dict[str, Callable[[Frame, ChartOptions, Theme], Drawing]] = {
    "line": draw_plot,
    "area": draw_plot,
    "bar": draw_plot,
    "scatter": draw_plot,
    "bubble": draw_bubbles,
    "pie": draw_pie,
    "donut": draw_pie,
    "histogram": draw_histogram,
    "box": draw_boxes,
    "heatmap": draw_heatmap,
    "candlestick": draw_prices,
    "ohlc": draw_prices,
    "waterfall": draw_waterfall,
    "treemap": draw_treemap,
}


@register
class Chart(Shape):
    """A Plotly figure: `{data, layout, config}` with plain lists; with raw=true the rows themselves."""

    types = ("chart",)
    Options = ChartOptions

    def render(self, frame: Frame | None, options: ShapeOptions, ask: Ask) -> Body:
        """Return the figure, for zero rows one that says so; SourceFailed where the columns don't fit."""
        if ask.raw:
            return Body(frame.json if frame else b"[]")
        figure = _figure(frame, cast(ChartOptions, options), THEMES[ask.theme])
        return json_body(orjson.dumps(figure), ask.data_key)


def _figure(frame: Frame | None, options: ChartOptions, theme: Theme) -> Json:
    drawing = _draw(frame, options, theme) if frame and frame.row_count and frame.columns else empty_drawing()
    layout = with_extra(base_layout(theme) | drawing.layout, options.layout)
    return {"data": drawing.traces, "layout": with_notes(layout, drawing.notes), "config": {"displaylogo": False}}


def _draw(frame: Frame, options: ChartOptions, theme: Theme) -> Drawing:
    drawing = _KINDS[options.kind](frame, options, theme)
    if not drawing.traces:
        return empty_drawing()
    if frame.truncated:
        drawing.notes.append(f"Made from the first {frame.row_count:,} rows")
    return drawing
