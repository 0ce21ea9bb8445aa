"""How values are spread: histograms and boxes. What is counted or summed up, the client counts from the values."""

from __future__ import annotations

from dataclasses import replace

from widgets_app.shapes.base import check_columns, readable
from widgets_app.shapes.chart.layout import PATTERNS, Drawing, Json, Look, Theme, axis, legend, looks, plain
from widgets_app.shapes.chart.options import ChartOptions
from widgets_app.shapes.chart.plot import axes, runs_right, value_axis
from widgets_app.shapes.chart.series import (
    Columns,
    Series,
    axis_along,
    choose_values,
    column_along,
    cut,
    series_of,
)
from widgets_app.sources.frame import Frame

COUNTED = "Number of rows"


def draw_histogram(frame: Frame, options: ChartOptions, theme: Theme) -> Drawing:
    """Draw how many rows have which values; several series shine through each other unless they are stacked."""
    columns = choose_values(frame, options)
    series, notes = cut(series_of(frame.rows(), columns))
    pairs = zip(series, looks(options, len(series)), strict=True)
    traces = [_counted(one, look, options, alone=len(series) == 1) for one, look in pairs]
    title = options.x_title or (readable(columns.values[0]) if len(columns.values) == 1 else "")
    share = {"ticksuffix": "%"} if options.stacking == "normalised" else {}
    layout = {
        "xaxis": axis(title, theme, options.y_format) | {"type": "linear"},
        "yaxis": axis(options.y_title or COUNTED, theme) | share,
    }
    return Drawing(traces, layout | _bar_layout(options) | legend(len(series), options), notes)


def draw_boxes(frame: Frame, options: ChartOptions, theme: Theme) -> Drawing:
    """Draw a box of median and quartiles for each series, at each place if a column along the chart is named."""
    columns = choose_boxes(frame, options)
    series, notes = cut(series_of(frame.rows(), columns))
    pairs = zip(series, looks(options, len(series)), strict=True)
    traces = [_box(one, look, options) for one, look in pairs]
    along = axis(options.x_title, theme) | {"showgrid": False}
    if options.x:
        along |= axis_along(columns.along, (place for one in series for place in one.x))
    layout = axes(along, value_axis(columns.values, options, theme), options)
    layout |= {"boxmode": "group"} if options.x else {}
    return Drawing(traces, layout | legend(len(series) if options.x else 0, options), notes)


def choose_boxes(frame: Frame, options: ChartOptions) -> Columns:
    """Settle which columns boxes are drawn from, at the places of another one if it is named."""
    check_columns(frame, [options.x])
    columns = choose_values(frame, options)
    if not options.x:
        return columns
    along = column_along(frame, options)
    values = options.y or [name for name in columns.values if name != along.name]
    return replace(columns, along=along, values=tuple(values) or columns.values)


def _counted(series: Series, look: Look, options: ChartOptions, *, alone: bool) -> Json:
    trace = {
        "type": "histogram",
        "name": plain(series.name),
        "x": [value for value in series.y if value is not None],
        "marker": {"color": look.colour, "pattern": {"shape": look.mark(PATTERNS)}},
        "opacity": 1 if alone or options.stacking != "none" else 0.6,
    }
    # Series that share a group share the bounds of their bars.
    return trace | {"bingroup": "all"} | ({"nbinsx": options.bins} if options.bins else {})


def _bar_layout(options: ChartOptions) -> Json:
    mode = "overlay" if options.stacking == "none" else "stack"
    return {"barmode": mode, "bargap": 0.04} | ({"barnorm": "percent"} if options.stacking == "normalised" else {})


def _box(series: Series, look: Look, options: ChartOptions) -> Json:
    flat = runs_right(options)
    places = {"y" if flat else "x": series.x} if options.x else {}
    return {
        "type": "box",
        "name": plain(series.name),
        "orientation": "h" if flat else "v",
        "x" if flat else "y": series.y,
        "line": {"color": look.colour},
        "marker": {"color": look.colour, "size": 4},
        **places,
    }
