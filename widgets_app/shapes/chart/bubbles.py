"""Bubbles: points whose area says a third number."""

from __future__ import annotations

from widgets_app.shapes.base import readable
from widgets_app.shapes.chart.layout import SYMBOLS, Drawing, Json, Look, Theme, axis, legend, looks, plain
from widgets_app.shapes.chart.options import ChartOptions
from widgets_app.shapes.chart.plot import value_axis
from widgets_app.shapes.chart.series import Columns, Series, axis_along, choose_bubbles, cut, series_of
from widgets_app.sources.frame import Frame

LARGEST = 48  # pixels across
SMALLEST = 4


def draw_bubbles(frame: Frame, options: ChartOptions, theme: Theme) -> Drawing:
    """Draw a bubble for each row; one without a size above zero is not drawn."""
    columns = choose_bubbles(frame, options)
    series, notes = cut(series_of(frame.rows(), columns))
    largest = max((size or 0 for one in series for size in one.sizes), default=0)
    pairs = zip(series, looks(options, len(series)), strict=True)
    traces = [_trace(one, look, columns, largest) for one, look in pairs]
    along = axis(options.x_title or readable(columns.along.name), theme)
    places = (place for one in series for place in one.x)
    layout: Json = {
        "xaxis": along | axis_along(columns.along, places),
        "yaxis": value_axis(columns.values, options, theme),
        "hovermode": "closest",
    }
    return Drawing(traces, layout | legend(len(series), options), notes)


def _trace(series: Series, look: Look, columns: Columns, largest: float) -> Json:
    marker = {
        "color": look.colour,
        "symbol": look.mark(SYMBOLS),
        "opacity": 0.7,
        "size": [max(size or 0, 0) for size in series.sizes],
        "sizemode": "area",
        "sizeref": 2 * largest / LARGEST**2 if largest > 0 else 1,
        "sizemin": SMALLEST,
    }
    return {
        "type": "scatter",
        "mode": "markers",
        "name": plain(series.name),
        "x": series.x,
        "y": series.y,
        "text": _said(series, columns),
        "marker": marker,
    }


def _said(series: Series, columns: Columns) -> list[str]:
    """Return what is said at each bubble beside its place: its name, if it has one, and its size."""
    labels = series.labels or [""] * len(series.sizes)
    sizes = [f"{readable(columns.size)}: {size:,}" if size is not None else "" for size in series.sizes]
    return ["<br>".join(plain(part) for part in pair if part) for pair in zip(labels, sizes, strict=True)]
