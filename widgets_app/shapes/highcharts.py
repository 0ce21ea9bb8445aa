"""Highcharts: an options object made from rows, or an author's own with the rows put in."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import Field

from widgets_app.parameters.types import as_text
from widgets_app.shapes.base import NO_VALUE, readable
from widgets_app.shapes.chart import PALETTE
from widgets_app.shapes.chart.layout import Json, Theme, plain
from widgets_app.shapes.chart.series import Series, axis_along
from widgets_app.shapes.registry import register
from widgets_app.shapes.spec import Drawn, Spec, SpecOptions, drawn, headline, merged, put_in
from widgets_app.sources.frame import Frame, FrameColumn

AXES = ("xAxis", "yAxis")


class HighchartsOptions(SpecOptions):
    """What the chart draws, or the whole of its options object."""

    kind: Literal["line", "area", "column", "bar", "scatter", "pie"] = Field(
        default="line",
        title="Kind of chart",
        description="Line or area over time, column or bar to compare, scatter for two measures, pie for shares.",
    )


@register
class Highcharts(Spec):
    """An options object of Highcharts, without functions."""

    types = ("chart-highcharts",)
    Options = HighchartsOptions

    def made(self, frame: Frame, options: HighchartsOptions, theme: Theme) -> Json:
        """Return the options object: the theme's colours below, what the author wrote above."""
        notes: list[str] = []
        if options.document:
            own = put_in(options.document, frame, _point)
        elif frame.row_count and frame.columns:
            found = drawn(frame, options)
            own, notes = _chart(found, options), found.notes
        else:
            own = {"series": []}
        if said := headline(frame, notes):
            own = merged({"subtitle": {"text": said}}, own)
        return _themed(own, theme)


def milliseconds(value: Any) -> int | None:
    """Return the time of a date as Highcharts counts it, None for what is no date; without a zone it is UTC."""
    text = as_text(value)
    try:
        moment = datetime.fromisoformat(f"{text}-01" if len(text) == len("2026-03") else text)
    except ValueError:
        return None
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def _point(value: Any, column: FrameColumn) -> Any:
    return milliseconds(value) if column.type in ("date", "datetime") else value


def _chart(found: Drawn, options: HighchartsOptions) -> Json:
    chart: Json = {"chart": {"type": options.kind}}
    if options.kind == "pie":
        return chart | {"series": [_pie(found.series[0])]}
    places = list(dict.fromkeys(place for one in found.series for place in one.x))
    kind = axis_along(found.columns.along, places)["type"]
    title = readable(found.columns.values[0]) if len(found.columns.values) == 1 else ""
    axes = {"xAxis": _along(kind, places), "yAxis": {"title": {"text": plain(title)}}}
    return (
        chart | axes | {"series": [{"name": plain(one.name), "data": _data(one, kind, places)} for one in found.series]}
    )


def _along(kind: str, places: list[Any]) -> Json:
    if kind == "category":
        return {"categories": [plain(as_text(place)) for place in places]}
    return {"type": "datetime" if kind == "date" else "linear"}


def _data(series: Series, kind: str, places: list[Any]) -> list[list[Any]]:
    if kind == "category":
        index = {place: number for number, place in enumerate(places)}
        return [[index[x], y] for x, y in zip(series.x, series.y, strict=True)]
    points = ([milliseconds(x) if kind == "date" else x, y] for x, y in zip(series.x, series.y, strict=True))
    # A line has to go from left to right.
    return sorted((point for point in points if isinstance(point[0], int | float)), key=lambda point: point[0])


def _pie(series: Series) -> Json:
    pairs = zip(series.x, series.y, strict=True)
    slices = [{"name": plain(as_text(x) or NO_VALUE), "y": y} for x, y in pairs if y is not None and y > 0]
    return {"name": plain(series.name), "data": slices}


def _themed(own: Json, theme: Theme) -> Json:
    text, axis = {"color": theme.text}, _axis(theme)
    base: Json = {
        "chart": {"backgroundColor": "transparent", "style": text},
        "colors": list(PALETTE),
        "title": {"text": "", "style": text},
        "subtitle": {"style": text},
        "legend": {"itemStyle": text, "itemHoverStyle": text},
        "tooltip": {"backgroundColor": theme.hover, "style": text},
        "credits": {"enabled": False},
    }
    axes = {key: _with_axis(own.get(key, {}), axis) for key in AXES}
    return merged(base, own) | axes


def _with_axis(own: Any, axis: Json) -> Any:
    if isinstance(own, list):
        return [_with_axis(one, axis) for one in own]
    return merged(axis, own) if isinstance(own, dict) else own


def _axis(theme: Theme) -> Json:
    text = {"style": {"color": theme.text}}
    return {
        "labels": text,
        "title": text,
        "gridLineColor": theme.grid,
        "lineColor": theme.grid,
        "tickColor": theme.grid,
    }
