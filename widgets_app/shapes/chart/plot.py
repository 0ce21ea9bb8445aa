"""Lines, areas, bars and points, against one axis or two."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from widgets_app.shapes.base import check_columns, readable
from widgets_app.shapes.chart.layout import (
    DASHES,
    PATTERNS,
    SHORT_LEGEND,
    SYMBOLS,
    Drawing,
    Json,
    Look,
    Theme,
    axis,
    legend,
    looks,
    plain,
)
from widgets_app.shapes.chart.options import ChartOptions
from widgets_app.shapes.chart.series import (
    Columns,
    Series,
    axis_along,
    choose,
    cut,
    series_of,
)
from widgets_app.sources.frame import Frame

LINE_SHAPES = {"straight": "linear", "smooth": "spline", "steps": "hv"}


def draw_plot(frame: Frame, options: ChartOptions, theme: Theme) -> Drawing:
    """Draw series over a common axis; those of the second axis against it."""
    columns = choose_plot(frame, options)
    series, notes = cut(series_of(frame.rows(), columns))
    pairs = list(zip(series, looks(options, len(series)), strict=True))
    traces = [_trace(one, look, options) for one, look in pairs]
    layout: Json = _axes(series, columns, options, theme) | _bar_layout(options)
    # An axis of its own may be where the legend would be.
    layout |= legend(len(series), options, room_above=not (runs_right(options) and options.second_y))
    layout["hovermode"] = "x unified" if _reads_across(len(series), options) else "closest"
    return Drawing(_side_by_side(traces, options), layout, notes)


def runs_right(options: ChartOptions) -> bool:
    """Say whether the chart runs from left to right, and so has its places one below the other."""
    return options.horizontal and options.kind in ("bar", "box", "waterfall")


def axes(along: Json, values: Json, options: ChartOptions) -> Json:
    """Return both axes where they belong, the first row on top where the chart runs to the right."""
    if runs_right(options):
        return {"xaxis": values, "yaxis": along | {"autorange": "reversed"}}
    return {"xaxis": along, "yaxis": values}


def value_axis(names: tuple[str, ...], options: ChartOptions, theme: Theme) -> Json:
    """Return the axis of the values, named after the column where only one is drawn."""
    title = options.y_title or (readable(names[0]) if len(names) == 1 else "")
    return axis(title, theme, options.y_format) | ({"type": "log"} if options.y_log else {})


def line(series: Series, look: Look, options: ChartOptions) -> Json:
    """Return the looks of a line."""
    points = sum(value is not None for value in series.y)
    marked = options.markers or points < 2  # a line through one point is not to be seen
    return {
        "type": "scatter",
        "mode": "lines+markers" if marked else "lines",
        "line": {
            "color": look.colour,
            "dash": look.mark(DASHES),
            "width": 2,
            "shape": LINE_SHAPES[options.line_shape],
        },
        "marker": {"color": look.colour},
        "connectgaps": False,
    }


def choose_plot(frame: Frame, options: ChartOptions) -> Columns:
    """Settle which columns are drawn; those of the second axis come last."""
    second, label = _second(options), options.label if options.kind == "scatter" else ""
    check_columns(frame, [*second, label])
    columns = choose(frame, options)
    first = tuple(name for name in columns.values if name not in second)
    return replace(columns, values=(*first, *second), label=label)


def _second(options: ChartOptions) -> tuple[str, ...]:
    return tuple(dict.fromkeys(options.second_y))


def _reads_across(count: int, options: ChartOptions) -> bool:
    return count <= SHORT_LEGEND and options.kind != "scatter" and not runs_right(options)


def _axes(series: list[Series], columns: Columns, options: ChartOptions, theme: Theme) -> Json:
    second = _second(options)
    first = tuple(name for name in columns.values if name not in second)
    found = axes(_along(series, columns, options, theme), _values(first, options, theme), options)
    return found | (_second_axis(second, options, theme) if second else {})


def _along(series: list[Series], columns: Columns, options: ChartOptions, theme: Theme) -> Json:
    measured = options.kind == "scatter"
    title = options.x_title or (readable(columns.along.name) if measured else "")
    places = (place for one in series for place in one.x)
    return axis(title, theme) | axis_along(columns.along, places) | {"showgrid": measured}


def _values(names: tuple[str, ...], options: ChartOptions, theme: Theme) -> Json:
    share = options.stacking == "normalised" and options.kind in ("area", "bar") and not options.y_format
    return value_axis(names, options, theme) | ({"ticksuffix": "%"} if share else {})


def _second_axis(names: tuple[str, ...], options: ChartOptions, theme: Theme) -> Json:
    title = options.second_title or (readable(names[0]) if len(names) == 1 else "")
    over, side = ("x", "top") if runs_right(options) else ("y", "right")
    # Left to itself, Plotly puts the ticks where the first axis has its own, at odd numbers.
    drawn = axis(title, theme, options.second_format)
    return {f"{over}axis2": drawn | {"overlaying": over, "side": side, "showgrid": False, "tickmode": "auto"}}


def _trace(series: Series, look: Look, options: ChartOptions) -> Json:
    flat, second = runs_right(options), series.column in _second(options)
    style = _STYLES[options.second_kind if second else options.kind]
    trace = {
        "name": plain(series.name),
        "x": series.y if flat else series.x,
        "y": series.x if flat else series.y,
        **style(series, look, options),
    }
    return trace | (({"xaxis": "x2"} if flat else {"yaxis": "y2"}) if second else {})


def _bar_layout(options: ChartOptions) -> Json:
    if options.kind != "bar":  # perhaps there are bars on the second axis
        return {}
    mode = {"none": "group", "stacked": "relative", "normalised": "stack"}[options.stacking]
    return {"barmode": mode} | ({"barnorm": "percent"} if options.stacking == "normalised" else {})


def _side_by_side(traces: list[Json], options: ChartOptions) -> list[Json]:
    """Let bars of both axes share the room of a place: Plotly draws them over each other otherwise."""
    if options.kind != "bar" or options.second_kind != "bar" or not _second(options):
        return traces
    return [trace | {"alignmentgroup": "all", "offsetgroup": str(at)} for at, trace in _grouped(traces, options)]


def _grouped(traces: list[Json], options: ChartOptions) -> list[tuple[int, Json]]:
    if options.stacking == "none":
        return list(enumerate(traces))
    return [(int("xaxis" in trace or "yaxis" in trace), trace) for trace in traces]


def _area(series: Series, look: Look, options: ChartOptions) -> Json:
    if options.stacking == "none":
        return line(series, look, options) | {"fill": "tozeroy"}
    share = {"groupnorm": "percent"} if options.stacking == "normalised" else {}
    return line(series, look, options) | {"stackgroup": "all"} | share


def _bar(_: Series, look: Look, options: ChartOptions) -> Json:
    marker = {"color": look.colour, "pattern": {"shape": look.mark(PATTERNS)}}
    return {"type": "bar", "orientation": "h" if runs_right(options) else "v", "marker": marker} | _written(options)


def _written(options: ChartOptions) -> Json:
    if not (options.show_values and options.kind == "bar"):
        return {}
    form = f":{options.y_format}" if options.y_format else ""
    return {"texttemplate": f"%{{value{form}}}", "textposition": "auto"}


def _points(series: Series, look: Look, _: ChartOptions) -> Json:
    marker = {"color": look.colour, "symbol": look.mark(SYMBOLS), "size": 8}
    trace: Json = {"type": "scatter", "mode": "markers", "marker": marker}
    return trace | ({"text": [plain(label) for label in series.labels]} if series.labels else {})


_STYLES: dict[str, Callable[[Series, Look, ChartOptions], Json]] = {
    "line": line,
    "area": _area,
    "bar": _bar,
    "scatter": _points,
}
