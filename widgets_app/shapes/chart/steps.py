"""Waterfalls: how a sum comes about, step by step."""

from __future__ import annotations

from widgets_app.parameters.types import as_text
from widgets_app.shapes.chart.layout import FALLING, RISING, TOTAL, Drawing, Json, Theme, axis, own_colours, plain
from widgets_app.shapes.chart.options import ChartOptions
from widgets_app.shapes.chart.plot import axes, runs_right, value_axis
from widgets_app.shapes.chart.series import Series, axis_along, choose_one, series_of
from widgets_app.sources.frame import Frame


def draw_waterfall(frame: Frame, options: ChartOptions, theme: Theme) -> Drawing:
    """Draw each value on top of those before it, and the sum so far at the places that are totals."""
    columns = choose_one(frame, options)
    (series,) = series_of(frame.rows(), columns)
    along = axis(options.x_title, theme) | axis_along(columns.along, series.x) | {"showgrid": False}
    layout = axes(along, value_axis(columns.values, options, theme), options)
    return Drawing([_waterfall(series, options, theme)], layout | {"showlegend": False})


def _waterfall(series: Series, options: ChartOptions, theme: Theme) -> Json:
    flat = runs_right(options)
    up, down, total = own_colours(options, RISING, FALLING, TOTAL)
    trace: Json = {
        "type": "waterfall",
        "name": plain(series.name),
        "orientation": "h" if flat else "v",
        "x": series.y if flat else series.x,
        "y": series.x if flat else series.y,
        "measure": ["total" if as_text(place) in options.totals else "relative" for place in series.x],
        "increasing": {"marker": {"color": up}},
        "decreasing": {"marker": {"color": down}},
        "totals": {"marker": {"color": total}},
        "connector": {"line": {"color": theme.grid, "width": 1}},
    }
    return trace | _written(options)


def _written(options: ChartOptions) -> Json:
    """Return how each step is written: what it adds, or the sum where it is a total."""
    if not options.show_values:
        return {}
    form = f":{options.y_format}" if options.y_format else ""
    return {"texttemplate": f"%{{delta{form}}}", "textposition": "auto"}
