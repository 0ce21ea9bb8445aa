"""Charts inside tables: the small ones in the cells and the one that a table starts with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from widgets_app.manifest.contract.findings import (
    Finding,
    Findings,
    Kind,
    as_object,
    check_kinds,
    check_spelling,
    check_word,
    error,
    info,
    is_number,
    is_text,
    not_an_object,
    show,
    step,
    under,
    warning,
    wrong_kind,
)
from widgets_app.vocabulary import CHART_TYPES, SPARKLINE_DIRECTIONS, SPARKLINE_TYPES, words

_CHART_VIEW_KINDS: Final[Mapping[str, Kind]] = {
    "enabled": "flag",
    "cellRangeCols": "object",
    "ignoreCellRange": "flag",
    "chartNavigatorEnabled": "flag",
    "chartMiniChartEnabled": "flag",
}
CHART_VIEW_KEYS: Final = frozenset({*_CHART_VIEW_KINDS, "chartType"})
SPARKLINE_KEYS: Final = frozenset({"type", "dataField", "options"})
_OPTION_KINDS: Final[Mapping[str, Kind]] = {
    "stroke": "text",
    "fill": "text",
    "strokeWidth": "number",
    "fillOpacity": "number",
    "min": "number",
    "max": "number",
    "markers": "object",
    "pointsOfInterest": "object",
    "customFormatter": "text",
    "padding": "object",
}
_PADDING_KINDS: Final[Mapping[str, Kind]] = dict.fromkeys(("top", "right", "bottom", "left"), "number")
_POINT_KINDS: Final[Mapping[str, Kind]] = {
    "enabled": "flag",
    "fill": "text",
    "stroke": "text",
    "strokeWidth": "number",
    "size": "number",
}
_POINTS: Final[Mapping[str, Kind]] = dict.fromkeys(("firstLast", "minimum", "maximum", "highlighted"), "object")
_SIGNS: Final[Mapping[str, Kind]] = dict.fromkeys(("positive", "negative"), "object")


def check_chart_view(value: object) -> list[Finding]:
    """Check `chartView`, the chart that a table starts with."""
    if not isinstance(value, dict):
        return [not_an_object('"chartView"', value)]
    findings = [*check_kinds(value, _CHART_VIEW_KINDS), *check_spelling(value, CHART_VIEW_KEYS)]
    findings += check_word(value, "chartType", CHART_TYPES, code="chart-type")
    for name, fields in as_object(value.get("cellRangeCols")).items():
        findings += under("cellRangeCols", _check_cell_range(name, fields))
    return findings


def _check_cell_range(name: str, fields: object) -> Findings:
    if name not in words(CHART_TYPES):
        message = f"{show(name)} is not a chart type of Workspace, so its fields are never used."
        yield error("chart-type", step(name), message, fix='Use the chart type that "chartType" names.')
    if not isinstance(fields, list):
        yield wrong_kind(name, fields, "list")
    elif odd := [field for field in fields if not isinstance(field, str)]:
        message = f"The fields of the chart are names, but one of them is {show(odd[0])}."
        yield error("wrong-type", step(name), message, fix="List the category's field, then the series' fields.")


def check_sparkline(value: object) -> list[Finding]:
    """Check a column's `sparkline`."""
    if not isinstance(value, dict):
        return [not_an_object('"sparkline"', value)]
    findings = list(check_kinds(value, {"dataField": "text", "options": "object"}))
    findings += check_spelling(value, SPARKLINE_KEYS)
    if value.get("type") is None:
        message = "Nothing says how the small chart is drawn."
        findings.append(warning("sparkline-type", "type", message, fix='Set "type" to line, area or bar.'))
    findings += check_word(value, "type", SPARKLINE_TYPES, code="sparkline-type")
    findings += under("options", _check_options(as_object(value.get("options"))))
    return findings


def _check_options(options: Mapping[str, object]) -> Findings:
    yield from check_kinds(options, _OPTION_KINDS)
    yield from check_word(options, "direction", SPARKLINE_DIRECTIONS, code="sparkline-direction")
    yield from _check_scale(options)
    if is_text(options.get("customFormatter")):
        yield info(
            "sparkline-code",
            "customFormatter",
            "This is JavaScript that runs in the browser of everybody who sees the widget.",
            fix="Keep it only if you trust whoever wrote it.",
        )
    yield from under("markers", check_kinds(as_object(options.get("markers")), _POINT_KINDS))
    yield from under("padding", check_kinds(as_object(options.get("padding")), _PADDING_KINDS))
    yield from under("pointsOfInterest", _check_points(as_object(options.get("pointsOfInterest"))))


def _check_scale(options: Mapping[str, object]) -> Findings:
    opacity, least, most = options.get("fillOpacity"), options.get("min"), options.get("max")
    if is_number(opacity) and not 0 <= opacity <= 1:
        message = f"The opacity is {show(opacity)}; it goes from 0, invisible, to 1, solid."
        yield error("sparkline-opacity", "fillOpacity", message, fix="Choose a number from 0 to 1.")
    if is_number(least) and is_number(most) and least >= most:
        message = f"The scale goes from {show(least)} to {show(most)}, so nothing can be drawn."
        yield error("sparkline-scale", "min", message, fix='Set "min" below "max".')


def _check_points(points: Mapping[str, object]) -> Findings:
    signs = as_object(points.get("positiveNegative"))
    yield from check_kinds(points, {**_POINTS, "positiveNegative": "object"})
    yield from under("positiveNegative", check_kinds(signs, _SIGNS))
    for key in _POINTS:
        yield from under(key, check_kinds(as_object(points.get(key)), _POINT_KINDS))
    for key in _SIGNS:
        yield from under("positiveNegative", under(key, check_kinds(as_object(signs.get(key)), _POINT_KINDS)))
