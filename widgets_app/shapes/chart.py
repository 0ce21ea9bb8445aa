"""Charts: a Plotly figure made from rows, as plain JSON."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import orjson
from pydantic import Field

from widgets_app.errors import SourceFailed
from widgets_app.parameters.types import Number, as_text, number, shown
from widgets_app.shapes.base import (
    NO_VALUE,
    Ask,
    Body,
    Shape,
    ShapeOptions,
    check_columns,
    json_body,
    readable,
)
from widgets_app.shapes.registry import register
from widgets_app.sources.frame import Frame, FrameColumn

SERIES_LIMIT = 50
SLICE_LIMIT = 50  # slices of a pie; the smaller ones are added up beyond it
SHORT_LEGEND = 8  # names that find room above the chart
EMPTY_TEXT = "No data for these settings"

# Seven colours that stand out from a dark and from a white background, and from each other for readers with
# any kind of colour vision. When they are used up, the marks tell the next round from the one before.
PALETTE = ("#3D62D4", "#C38800", "#25A487", "#E65EC2", "#A84814", "#7E33FF", "#736144")
DASHES = ("solid", "dash", "dot", "dashdot")
PATTERNS = ("", "/", "x", ".")
SYMBOLS = ("circle", "square", "diamond", "cross")

TRANSPARENT = "rgba(0,0,0,0)"

_ISO_DATE = re.compile(r"\d{4}-\d{2}(-\d{2}([T ].*)?)?")

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Theme:
    """The colours around the data; the background is the widget's own, seen through."""

    text: str
    grid: str
    hover: str


THEMES = {
    "dark": Theme(text="#E4E4E7", grid="rgba(255,255,255,0.14)", hover="#27272A"),
    "light": Theme(text="#27272A", grid="rgba(0,0,0,0.12)", hover="#FFFFFF"),
}


class ChartOptions(ShapeOptions):
    """What the chart draws, from which columns, and how it looks."""

    kind: Literal["line", "area", "bar", "scatter", "pie"] = Field(
        default="line",
        title="Kind of chart",
        description="Line or area over time, bar to compare, scatter for two measures, pie for shares.",
    )
    x: str = Field(
        default="",
        title="Column along the chart",
        description="Dates, names or numbers, such as day; for a pie the slices. Empty: the first column.",
    )
    y: list[str] = Field(
        default_factory=list,
        title="Columns to draw",
        description="One series for each, such as calls, delays; a pie takes the first. Empty: all numbers.",
    )
    colour: str = Field(
        default="",
        title="Column that splits into series",
        description="A series of its own for each of its values, such as port: one line for each port.",
    )
    stacking: Literal["none", "stacked", "normalised"] = Field(
        default="none",
        title="Stacking",
        description="Of bars and areas: none, on top of each other, or normalised to shares of 100 %.",
    )
    horizontal: bool = Field(
        default=False,
        title="Horizontal bars",
        description="Bars run to the right, the first row on top: room for long names such as Port of Riga.",
    )
    x_title: str = Field(
        default="",
        title="Title along the chart",
        description="Such as Day of arrival. Empty: none, for a scatter the name of the column.",
    )
    y_title: str = Field(
        default="",
        title="Title of the values",
        description="Such as Calls per day. Empty: the name of the column where only one is drawn.",
    )
    y_format: str = Field(
        default="",
        title="Format of the values",
        description="A d3 format: ,.0f shows 12,345; .1% shows 4.2% for 0.042; $.2s shows $1.2M.",
    )
    colours: list[str] = Field(
        default_factory=list,
        title="Colours",
        description="CSS colours in the order of the series, such as #3D62D4, orange. Empty: a readable set.",
    )
    legend: bool = Field(
        default=True,
        title="Legend",
        description="Show the names of the series where there are several.",
    )


@dataclass(frozen=True, slots=True)
class Columns:
    """What is drawn: `along` names the places, `values` were measured there, `colour` may split them."""

    along: FrameColumn
    values: tuple[str, ...]
    colour: str


@dataclass(slots=True)
class Series:
    """One line, set of bars or cloud of points: `x` and `y` of one length, `y` null where there is a gap."""

    name: str
    x: list[Any] = field(default_factory=list)
    y: list[Number | None] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Look:
    """What tells one series from another: a colour, and how often the colours were used up before it."""

    colour: str
    round: int

    def mark(self, marks: tuple[str, ...]) -> str:
        """Return the dash, pattern or symbol of this round."""
        return marks[self.round % len(marks)]


@dataclass(frozen=True, slots=True)
class Drawing:
    """The traces, the parts of the layout that depend on them, and what a limit left out, in words."""

    traces: list[Json]
    layout: Json
    notes: list[str] = field(default_factory=list)


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
    drawing = _draw(frame, options, theme) if frame and frame.row_count and frame.columns else None
    if drawing is None or not drawing.traces:
        drawing = Drawing([], _empty_layout())
    layout = _base_layout(theme) | drawing.layout
    if drawing.notes:
        layout["annotations"] = [_annotation(" · ".join(drawing.notes), x=1, y=1, anchors=("right", "bottom"))]
    return {"data": drawing.traces, "layout": layout, "config": {"displaylogo": False}}


def _draw(frame: Frame, options: ChartOptions, theme: Theme) -> Drawing:
    columns = _choose(frame, options)
    series = _series(frame.rows(), columns)
    drawing = _pie(series[0], options) if options.kind == "pie" else _plot(series, columns, options, theme)
    if frame.truncated:
        drawing.notes.append(f"Made from the first {frame.row_count:,} rows")
    return drawing


def _choose(frame: Frame, options: ChartOptions) -> Columns:
    """Settle which columns are drawn; raises SourceFailed when one is not there or none has numbers."""
    check_columns(frame, [options.x, options.colour, *options.y])
    along = _along(frame, options)
    taken = (along.name, options.colour)
    numeric = [column.name for column in frame.columns if column.type == "number" and column.name not in taken]
    if not (options.y or numeric):
        there = ", ".join(f"{column.name} ({column.type})" for column in frame.columns)
        raise SourceFailed(
            f'The chart needs a column of numbers beside "{along.name}", but its data has: {there}. '
            "Name the columns to draw, or change the query."
        )
    colour = "" if options.kind == "pie" else options.colour
    return Columns(along, tuple(options.y or numeric), colour)


def _along(frame: Frame, options: ChartOptions) -> FrameColumn:
    if options.x:
        return next(column for column in frame.columns if column.name == options.x)
    free = [column for column in frame.columns if column.name not in (options.colour, *options.y)]
    return (free or frame.columns)[0]


def _series(rows: list[Json], columns: Columns) -> list[Series]:
    """Sort the rows into series, in order of first appearance."""
    for name in columns.values:
        _check_numbers(rows, name)
    found: dict[tuple[str, str], Series] = {}
    for row in rows:
        x = _place(row[columns.along.name])
        part = as_text(row[columns.colour]) or NO_VALUE if columns.colour else ""
        for name in columns.values:
            if (name, part) not in found:
                found[name, part] = Series(_series_name(name, part, columns))
            found[name, part].x.append(x)
            found[name, part].y.append(_number_or_gap(row[name]))
    return list(found.values())


def _check_numbers(rows: list[Json], name: str) -> None:
    cells = [row[name] for row in rows if row[name] is not None]
    if cells and all(_number_or_gap(cell) is None for cell in cells):
        raise SourceFailed(
            f'The chart draws the column "{name}", which has no numbers, such as "{shown(cells[0])}". '
            "Choose a column of numbers."
        )


def _series_name(name: str, part: str, columns: Columns) -> str:
    if not part:
        return readable(name)
    return part if len(columns.values) == 1 else f"{readable(name)}, {part}"


def _place(value: Any) -> Any:
    """Keep texts and numbers as they are, for Plotly to read dates; the rest becomes text."""
    return value if isinstance(value, str | int | float) and not isinstance(value, bool) else as_text(value) or NO_VALUE


def _number_or_gap(value: Any) -> Number | None:
    """Read a cell; integers that JavaScript can't hold come as texts."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int | float):
        return value
    try:
        return number(value)
    except ValueError:
        return None


def _looks(options: ChartOptions, count: int) -> list[Look]:
    colours = options.colours or PALETTE
    return [Look(colours[index % len(colours)], index // len(colours)) for index in range(count)]


def _plot(series: list[Series], columns: Columns, options: ChartOptions, theme: Theme) -> Drawing:
    drawn = series[:SERIES_LIMIT]
    traces = [_trace(one, look, options) for one, look in zip(drawn, _looks(options, len(drawn)), strict=True)]
    unified = len(drawn) <= SHORT_LEGEND and options.kind != "scatter" and not _runs_right(options)
    layout: Json = _axes(drawn, columns, options, theme) | _bar_layout(options)
    layout |= _legend(len(drawn) if options.legend else 0)
    layout |= {"hovermode": "x unified" if unified else "closest"}
    cut = len(series) > SERIES_LIMIT
    return Drawing(traces, layout, [f"Showing {SERIES_LIMIT} of {len(series):,} series"] if cut else [])


def _axes(series: list[Series], columns: Columns, options: ChartOptions, theme: Theme) -> Json:
    along, values = _along_axis(series, columns, options, theme), _value_axis(columns, options, theme)
    if _runs_right(options):
        return {"xaxis": values, "yaxis": along | {"autorange": "reversed"}}  # the first row on top
    return {"xaxis": along, "yaxis": values}


def _trace(series: Series, look: Look, options: ChartOptions) -> Json:
    flat = _runs_right(options)
    trace = {
        "name": html.escape(series.name, quote=False),
        "x": series.y if flat else series.x,
        "y": series.x if flat else series.y,
    }
    return trace | _STYLES[options.kind](series, look, options)


def _line(series: Series, look: Look, _: ChartOptions) -> Json:
    points = sum(value is not None for value in series.y)
    return {
        "type": "scatter",
        "mode": "lines" if points > 1 else "lines+markers",  # a line through one point is not to be seen
        "line": {"color": look.colour, "dash": look.mark(DASHES), "width": 2},
        "marker": {"color": look.colour},
        "connectgaps": False,
    }


def _area(series: Series, look: Look, options: ChartOptions) -> Json:
    if options.stacking == "none":
        return _line(series, look, options) | {"fill": "tozeroy"}
    share = {"groupnorm": "percent"} if options.stacking == "normalised" else {}
    return _line(series, look, options) | {"stackgroup": "all"} | share


def _bar(_: Series, look: Look, options: ChartOptions) -> Json:
    marker = {"color": look.colour, "pattern": {"shape": look.mark(PATTERNS)}}
    return {"type": "bar", "orientation": "h" if options.horizontal else "v", "marker": marker}


def _scatter(_: Series, look: Look, __: ChartOptions) -> Json:
    marker = {"color": look.colour, "symbol": look.mark(SYMBOLS), "size": 8}
    return {"type": "scatter", "mode": "markers", "marker": marker}


_STYLES: dict[str, Callable[[Series, Look, ChartOptions], Json]] = {
    "line": _line,
    "area": _area,
    "bar": _bar,
    "scatter": _scatter,
}


def _pie(series: Series, options: ChartOptions) -> Drawing:
    slices = _slices(series)
    if not slices:
        return Drawing([], {})
    looks = _looks(options, len(slices))
    trace: Json = {
        "type": "pie",
        "labels": [html.escape(label, quote=False) for label, _ in slices],
        "values": [value for _, value in slices],
        "sort": False,
        "textinfo": "percent",
        "textposition": "auto" if len(slices) <= SHORT_LEGEND else "inside",
        "marker": {
            "colors": [look.colour for look in looks],
            "pattern": {"shape": [look.mark(PATTERNS) for look in looks]},
        },
    }
    if options.y_format:
        trace["hovertemplate"] = f"%{{label}}<br>%{{value:{options.y_format}}} (%{{percent}})<extra></extra>"
    return Drawing([trace], _legend(len(slices) if options.legend else 0))


def _slices(series: Series) -> list[tuple[str, Number]]:
    """Return label and size of each slice, the largest first; those beyond the limit as one."""
    sums: dict[str, Number] = {}
    for place, value in zip(series.x, series.y, strict=True):
        if value is not None and value > 0:
            sums[as_text(place)] = sums.get(as_text(place), 0) + value
    slices = sorted(sums.items(), key=lambda item: -item[1])
    if len(slices) <= SLICE_LIMIT:
        return slices
    rest = slices[SLICE_LIMIT - 1 :]
    return [*slices[: SLICE_LIMIT - 1], (f"{len(rest):,} others", sum(value for _, value in rest))]


def _runs_right(options: ChartOptions) -> bool:
    return options.horizontal and options.kind == "bar"


def _along_axis(series: list[Series], columns: Columns, options: ChartOptions, theme: Theme) -> Json:
    places = dict.fromkeys(place for one in series for place in one.x)
    kind = _axis_type(columns.along, places)
    measured = options.kind == "scatter"
    title = options.x_title or (readable(columns.along.name) if measured else "")
    axis = _axis(title, theme) | {"type": kind, "showgrid": measured}
    # Named here, since Plotly would put names that only later series have at the end.
    return axis | ({"categoryorder": "array", "categoryarray": list(places)} if kind == "category" else {})


def _axis_type(column: FrameColumn, places: Iterable[Any]) -> str:
    """Say how Plotly reads the places; left to itself it takes codes such as 007 for numbers."""
    if column.type == "number":
        return "linear"
    dated = column.type in ("date", "datetime") or all(_ISO_DATE.fullmatch(str(place)) for place in places)
    return "date" if dated else "category"


def _value_axis(columns: Columns, options: ChartOptions, theme: Theme) -> Json:
    title = options.y_title or (readable(columns.values[0]) if len(columns.values) == 1 else "")
    share = options.stacking == "normalised" and options.kind in ("area", "bar")
    suffix = {"ticksuffix": "%"} if share and not options.y_format else {}
    return _axis(title, theme) | {"tickformat": options.y_format, "hoverformat": options.y_format} | suffix


def _axis(title: str, theme: Theme) -> Json:
    return {
        "title": {"text": html.escape(title, quote=False)},
        "gridcolor": theme.grid,
        "linecolor": theme.grid,
        "zerolinecolor": theme.grid,
        "automargin": True,
    }


def _bar_layout(options: ChartOptions) -> Json:
    if options.kind != "bar":
        return {}
    mode = {"none": "group", "stacked": "relative", "normalised": "stack"}[options.stacking]
    return {"barmode": mode} | ({"barnorm": "percent"} if options.stacking == "normalised" else {})


def _legend(names: int) -> Json:
    above = {"orientation": "h", "x": 0, "y": 1.02, "xanchor": "left", "yanchor": "bottom"}
    return {"showlegend": names > 1, "legend": above if names <= SHORT_LEGEND else {"orientation": "v"}}


def _base_layout(theme: Theme) -> Json:
    return {
        "paper_bgcolor": TRANSPARENT,
        "plot_bgcolor": TRANSPARENT,
        "font": {"color": theme.text},
        "hoverlabel": {"bgcolor": theme.hover, "font": {"color": theme.text}},
        "margin": {"l": 48, "r": 16, "t": 32, "b": 40},
        "autosize": True,
    }


def _empty_layout() -> Json:
    note = _annotation(EMPTY_TEXT, x=0.5, y=0.5, anchors=("center", "middle"))
    return {"xaxis": {"visible": False}, "yaxis": {"visible": False}, "annotations": [note]}


def _annotation(text: str, *, x: float, y: float, anchors: tuple[str, str]) -> Json:
    place = {"xref": "paper", "yref": "paper", "x": x, "y": y, "xanchor": anchors[0], "yanchor": anchors[1]}
    return place | {"text": text, "showarrow": False}
