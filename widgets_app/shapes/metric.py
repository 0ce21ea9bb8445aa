"""Metrics: a label and a value for each row, or for each column of one row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

import orjson
from pydantic import Field

from widgets_app.parameters.types import as_text
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
from widgets_app.sources.frame import Frame


class MetricOptions(ShapeOptions):
    """Which columns hold the parts of a metric."""

    label: str = Field(
        default="label",
        title="Label column",
        description="The column with the name of each metric, such as Vessels at berth.",
    )
    value: str = Field(
        default="value",
        title="Value column",
        description=(
            "The column with the number or text to show large. If the query has no column named value, every "
            "column of its first row becomes a metric: select 14 as vessels, 3.5 as queue_hours shows two."
        ),
    )
    delta: str = Field(
        default="delta",
        title="Change column",
        description="The column with the change, shown in green or red, such as 2.5 or -1.",
    )
    subvalue: str = Field(
        default="subvalue",
        title="Second value column",
        description="The column with a smaller text below the value, such as of 20 berths.",
    )


DEFAULTS = MetricOptions()


@register
class Metric(Shape):
    """A list of `{label, value, delta?, subvalue?}`."""

    types = ("metric",)
    Options = MetricOptions

    def fit(self, frame: Frame, options: ShapeOptions) -> Iterable[str]:
        """The usual names may be absent; a name that somebody chose may not."""
        check_columns(frame, (name for part, name in options if name != getattr(DEFAULTS, part)))
        return ()

    def render(self, frame: Frame | None, options: ShapeOptions, ask: Ask) -> Body:
        """Return the metrics, none for zero rows; SourceFailed when a column that was named is missing."""
        chosen = cast(MetricOptions, options)
        if frame is not None:
            self.fit(frame, chosen)
        metrics = _metrics(frame, chosen) if frame else []
        return json_body(orjson.dumps(metrics), ask.data_key)


def _metrics(frame: Frame, options: MetricOptions) -> list[dict[str, Any]]:
    rows = frame.rows()
    if rows and options.value in rows[0]:
        return [_from_row(row, options) for row in rows]
    return [{"label": readable(name), "value": _cell(value)} for row in rows[:1] for name, value in row.items()]


def _from_row(row: Mapping[str, Any], options: MetricOptions) -> dict[str, Any]:
    metric = {
        "label": as_text(row.get(options.label)) or readable(options.value),
        "value": _cell(row[options.value]),
    }
    if as_text(row.get(options.delta)):
        metric["delta"] = _cell(row[options.delta])
    if as_text(row.get(options.subvalue)):
        metric["subvalue"] = as_text(row[options.subvalue])
    return metric


def _cell(value: object) -> str | int | float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    return as_text(value) or NO_VALUE
