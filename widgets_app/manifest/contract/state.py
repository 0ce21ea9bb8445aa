"""The stored state of a placed widget. Workspace writes it, so only what people edit is looked at closely."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from widgets_app.manifest.contract.columns import fields_of
from widgets_app.manifest.contract.findings import (
    Finding,
    Findings,
    as_list,
    as_object,
    check_kinds,
    check_word,
    error,
    is_number,
    listing,
    not_an_object,
    show,
    step,
    under,
    warning,
)
from widgets_app.manifest.contract.parameters import params_of
from widgets_app.manifest.contract.values import as_text, as_texts, is_given, is_multi, option_values
from widgets_app.manifest.contract.widgets import widget_type
from widgets_app.vocabulary import SHADOWS, STATE_CHART_TYPES

# Pixels, from and to.
STYLE_LIMITS: Final[Mapping[str, tuple[int, int]]] = {
    "borderWidth": (0, 24),
    "radius": (0, 64),
    "contentPadding": (0, 64),
}
# Where a stored layout of columns names fields; the last two lists hold objects.
_FIELD_LISTS: Final = (
    ("columnPinning", "leftColIds"),
    ("columnPinning", "rightColIds"),
    ("columnOrder", "orderedColIds"),
    ("columnVisibility", "hiddenColIds"),
    ("rowGroup", "groupColIds"),
    ("pivot", "pivotColIds"),
    ("sort", "sortModel"),
    ("aggregation", "aggregationModel"),
)
# Columns that the table component adds of itself.
_OWN_COLUMNS: Final = "ag-grid-"


def check_state(value: object) -> list[Finding]:
    """Check the `state` of a placed widget, as far as it can be judged without the widget."""
    if not isinstance(value, dict):
        return [not_an_object('"state"', value)]
    findings = list(check_kinds(value, {"params": "object", "chartView": "object", "style": "object"}))
    chart = as_object(value.get("chartView"))
    findings += under("chartView", check_kinds(chart, {"enabled": "flag"}))
    findings += under("chartView", check_word(chart, "chartType", STATE_CHART_TYPES, code="chart-type", report=warning))
    findings += under("style", _check_style(as_object(value.get("style"))))
    return findings


def _check_style(style: Mapping[str, object]) -> Findings:
    yield from check_word(style, "shadow", SHADOWS, code="state-style")
    for key, value in style.items():
        if key == "shadow":
            continue
        if key not in STYLE_LIMITS:
            message = f"{show(key)} is no style of a widget."
            known = ", ".join([*STYLE_LIMITS, "shadow"])
            yield error("state-style", step(key), message, fix=f"Use one of: {known}.")
            continue
        least, most = STYLE_LIMITS[key]
        if not (is_number(value) and least <= value <= most):
            message = f'"{key}" is {show(value)}; Workspace takes {least} to {most} pixels.'
            yield error("state-style", step(key), message, fix=f"Write a number from {least} to {most}.")


def check_state_fits(state: Mapping[str, object], definition: object) -> Findings:
    """Check that a state speaks of parameters, choices and columns that its widget has."""
    if widget_type(definition) != "iframe":  # its page declares parameters while it runs
        yield from under("params", _check_params(as_object(state.get("params")), definition))
    declared = fields_of(definition)
    named = dict.fromkeys(_named_fields(state))
    if declared and (unknown := [field for field in named if field not in declared]):
        message = f"The stored table names {listing(unknown)}, which the widget's columns do not declare."
        fix = "Arrange the table anew in Workspace and export the app, or declare the columns."
        yield warning("state-field-unknown", "", message, fix=fix)


def _check_params(values: Mapping[str, object], definition: object) -> Findings:
    params = {as_text(param.get("paramName")): param for param in params_of(definition)}
    for name, value in values.items():
        if name not in params:
            message = f"The widget has no parameter {show(name)}, so the stored value is not used."
            yield warning("state-param-unknown", step(name), message, fix="Take it out, or rename it.")
        elif chosen := _not_offered(params[name], value):
            message = f"The stored value {listing(chosen)} is none of the choices of {show(name)}."
            yield warning("state-param-value", step(name), message, fix="Store one of the choices.")


def _not_offered(param: Mapping[str, object], value: object) -> list[str]:
    """Return the values that a parameter with fixed choices doesn't offer."""
    known = option_values(param)
    fixed = known and param.get("type", "text") in ("text", "tabs") and param.get("multiple") is not True
    if not fixed or not is_given(value):
        return []
    chosen = as_texts(value) if is_multi(param) or isinstance(value, list) else [as_text(value)]
    return [text for text in chosen if text not in known]


def _named_fields(state: Mapping[str, object]) -> Iterator[str]:
    chart = as_object(state.get("chartModel"))
    named = list(as_list(as_object(chart.get("cellRange")).get("columns")))
    for stored in as_object(state.get("columnState")).values():
        for outer, inner in _FIELD_LISTS:
            named += as_list(as_object(as_object(stored).get(outer)).get(inner))
    for item in named:
        field = item.get("colId") if isinstance(item, dict) else item
        if isinstance(field, str) and not field.lower().startswith(_OWN_COLUMNS):
            yield field
