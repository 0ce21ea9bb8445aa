"""Vega-Lite: a specification made from rows, or an author's own with the rows put in."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from widgets_app.shapes.base import readable
from widgets_app.shapes.chart import PALETTE
from widgets_app.shapes.chart.layout import Json, Theme
from widgets_app.shapes.chart.series import axis_along
from widgets_app.shapes.registry import register
from widgets_app.shapes.spec import RECORDS, Drawn, Spec, SpecOptions, drawn, headline, merged, put_in
from widgets_app.sources.frame import Frame

SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"
# Views of several charts have no size of their own.
COMPOSED = frozenset({"concat", "hconcat", "vconcat", "facet", "repeat"})
MARKS = {"line": "line", "area": "area", "bar": "bar", "scatter": "point", "pie": "arc"}
TYPES = {"linear": "quantitative", "date": "temporal", "category": "nominal"}


class VegaLiteOptions(SpecOptions):
    """What the chart draws, or the whole of its specification."""

    kind: Literal["line", "area", "bar", "scatter", "pie"] = Field(
        default="line",
        title="Kind of chart",
        description="Line or area over time, bar to compare, scatter for two measures, pie for shares.",
    )


@register
class VegaLite(Spec):
    """A specification of Vega-Lite 5 that fills the widget."""

    types = ("chart-vegalite",)
    Options = VegaLiteOptions

    def made(self, frame: Frame, options: VegaLiteOptions, theme: Theme) -> Json:
        """Return the specification: the theme's colours below, what the author wrote above."""
        notes: list[str] = []
        if options.document:
            # Without data of its own, it draws the rows.
            own = put_in({"data": {"values": {RECORDS: True}}} | options.document, frame)
        elif frame.row_count and frame.columns:
            found = drawn(frame, options)
            own, notes = _chart(found, options), found.notes
        else:
            own = {"data": {"values": []}, "mark": MARKS[options.kind], "encoding": {}}
        if said := headline(frame, notes):
            own = {"title": said} | own
        return _themed(own, theme)


def _chart(found: Drawn, options: VegaLiteOptions) -> Json:
    pie = options.kind == "pie"
    series = found.series[:1] if pie else found.series
    values = [
        {"x": x, "y": y, "series": one.name}
        for one in series
        for x, y in zip(one.x, one.y, strict=True)
        if not pie or y
    ]
    mark: Json = {"type": MARKS[options.kind], "tooltip": True}
    return {"data": {"values": values}, "mark": mark, "encoding": _pie(found) if pie else _encoding(found)}


def _pie(found: Drawn) -> Json:
    return {
        "theta": {"field": "y", "aggregate": "sum", "type": "quantitative", "title": found.series[0].name},
        "color": {"field": "x", "type": "nominal", "title": None, "sort": None},
    }


def _encoding(found: Drawn) -> Json:
    columns = found.columns
    kind = TYPES[axis_along(columns.along, (place for one in found.series for place in one.x))["type"]]
    order = {"sort": None} if kind == "nominal" else {}  # as the rows have it
    title = readable(columns.values[0]) if len(columns.values) == 1 else None
    encoding: Json = {
        "x": {"field": "x", "type": kind, "title": readable(columns.along.name), **order},
        "y": {"field": "y", "type": "quantitative", "title": title},
    }
    if len(found.series) > 1:
        encoding["color"] = {"field": "series", "type": "nominal", "title": None, "sort": None}
    return encoding


def _themed(own: Json, theme: Theme) -> Json:
    size = {} if COMPOSED & own.keys() else {"width": "container", "height": "container"}
    colours = {"labelColor": theme.text, "titleColor": theme.text}
    config = {
        "background": "transparent",
        "axis": colours | {"gridColor": theme.grid, "domainColor": theme.grid, "tickColor": theme.grid},
        "legend": colours,
        "title": {"color": theme.text, "subtitleColor": theme.text},
        "header": colours,
        "text": {"color": theme.text},
        "view": {"stroke": None},
        "mark": {"color": PALETTE[0]},
        "range": {"category": list(PALETTE)},
    }
    return merged({"$schema": SCHEMA, **size, "config": config}, own)
