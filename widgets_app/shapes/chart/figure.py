"""The shape of charts: chooses who draws, and puts the figure together."""

from __future__ import annotations

from collections.abc import Callable, Iterable
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
from widgets_app.shapes.chart.plot import choose_plot, draw_plot
from widgets_app.shapes.chart.prices import choose_prices, draw_prices
from widgets_app.shapes.chart.series import Columns, choose, choose_bubbles, choose_one, choose_values
from widgets_app.shapes.chart.shares import choose_treemap, draw_pie, draw_treemap
from widgets_app.shapes.chart.spread import choose_boxes, draw_boxes, draw_histogram
from widgets_app.shapes.chart.steps import draw_waterfall
from widgets_app.shapes.registry import register
from widgets_app.sources.frame import Frame

Choose = Callable[[Frame, ChartOptions], Columns]
Draw = Callable[[Frame, ChartOptions, Theme], Drawing]

# What settles the columns of a chart, and what draws them.
_KINDS: dict[str, tuple[Choose, Draw]] = {
    "line": (choose_plot, draw_plot),
    "area": (choose_plot, draw_plot),
    "bar": (choose_plot, draw_plot),
    "scatter": (choose_plot, draw_plot),
    "bubble": (choose_bubbles, draw_bubbles),
    "pie": (choose_one, draw_pie),
    "donut": (choose_one, draw_pie),
    "histogram": (choose_values, draw_histogram),
    "box": (choose_boxes, draw_boxes),
    "heatmap": (choose, draw_heatmap),
    "candlestick": (choose_prices, draw_prices),
    "ohlc": (choose_prices, draw_prices),
    "waterfall": (choose_one, draw_waterfall),
    "treemap": (choose_treemap, draw_treemap),
}


@register
class Chart(Shape):
    """A Plotly figure: `{data, layout, config}` with plain lists; with raw=true the rows themselves."""

    types = ("chart",)
    shows_rows = True
    Options = ChartOptions

    def fit(self, frame: Frame, options: ShapeOptions) -> Iterable[str]:
        """Settle what is drawn as it will be when there are rows."""
        chosen = cast(ChartOptions, options)
        columns = _KINDS[chosen.kind][0](frame, chosen)
        return filter(None, (*columns.values, columns.size))

    def render(self, frame: Frame | None, options: ShapeOptions, ask: Ask) -> Body:
        """Return the figure, for zero rows one that says so; SourceFailed where the columns don't fit."""
        if ask.raw:
            return json_body(frame.json if frame else b"[]", ask.data_key)
        figure = _figure(frame, cast(ChartOptions, options), THEMES[ask.theme])
        return json_body(orjson.dumps(figure), ask.data_key)


def _figure(frame: Frame | None, options: ChartOptions, theme: Theme) -> Json:
    drawing = _draw(frame, options, theme) if frame and frame.row_count and frame.columns else empty_drawing()
    layout = with_extra(base_layout(theme) | drawing.layout, options.layout)
    return {"data": drawing.traces, "layout": with_notes(layout, drawing.notes), "config": {"displaylogo": False}}


def _draw(frame: Frame, options: ChartOptions, theme: Theme) -> Drawing:
    drawing = _KINDS[options.kind][1](frame, options, theme)
    if not drawing.traces:
        return empty_drawing()
    if frame.truncated:
        drawing.notes.append(f"Made from the first {frame.row_count:,} rows")
    return drawing
