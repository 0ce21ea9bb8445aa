"""The chart that a table starts with: an input for each of its settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError

from widgets_app import vocabulary
from widgets_app.admin.column_settings import FIELDS
from widgets_app.admin.forms import KeepingForm
from widgets_app.admin.members import Members, choice, member, put, text, words, yes_no
from widgets_app.manifest import contract

HOLDER = "chart_view"
CELLS = "cellRangeCols"
FIRST = "chart_enabled"

CHART_VIEW: Final = Members(
    HOLDER,
    {
        FIRST: ("enabled",),
        "chart_type": ("chartType",),
        "chart_ignores_cells": ("ignoreCellRange",),
        "chart_navigator": ("chartNavigatorEnabled",),
        "chart_mini": ("chartMiniChartEnabled",),
    },
)
CHART_FIELDS: Final[Mapping[str, forms.Field]] = {
    FIRST: yes_no("Starts as a chart", "Yes: people see the chart first, and can go to the rows."),
    "chart_type": choice("Type of chart", vocabulary.CHART_TYPES),
    "chart_category": text("Category", "Column along the axis, such as day or sector.", suggest=FIELDS),
    "chart_series": words("Series", "Columns that are drawn, such as price, volume."),
    "chart_ignores_cells": yes_no("Ignore stored cells", "Yes: always these columns, whatever was chosen before."),
    "chart_navigator": yes_no("Navigator", "A strip below the chart to zoom with."),
    "chart_mini": yes_no("Small chart in the navigator"),
}
DETAILS: Final = [name for name in CHART_FIELDS if name != FIRST]


def show(form: KeepingForm) -> None:
    """Fill in the inputs from what is stored."""
    stored = getattr(form.instance, HOLDER)
    CHART_VIEW.show(form, stored)
    cells = member(stored, (CELLS, form.initial.get("chart_type") or ""))
    if isinstance(cells, list) and cells and all(isinstance(cell, str) for cell in cells):
        form.initial.update(chart_category=cells[0], chart_series=cells[1:] or None)


def clean(form: KeepingForm) -> None:
    """Put what was changed into the stored object; complain about what Workspace would not read."""
    CHART_VIEW.write(form)
    _write_cells(form)
    chart = form.cleaned_data.get(HOLDER)
    if form.touched(HOLDER) and chart is not None:
        known = contract.check_chart_view(form.initial.get(HOLDER) or {})
        CHART_VIEW.refuse(form, contract.check_chart_view(chart), known)


def _write_cells(form: KeepingForm) -> None:
    """Store the columns for the type of chart: its category, then its series."""
    data, changed = form.cleaned_data, set(form.changed_data)
    kind, category, series = data.get("chart_type"), data.get("chart_category"), _listed(data.get("chart_series"))
    chart = deepcopy(data.get(HOLDER) or {})
    moved = "chart_type" in changed and not member(chart, (CELLS, kind or ""))
    if not (moved or changed & {"chart_category", "chart_series"}) or HOLDER in form.errors:
        return
    if series and not category:
        form.add_error("chart_category", ValidationError("Choose the category too: it comes before the series."))
    elif category and not kind:
        form.add_error("chart_type", ValidationError("Choose the type of chart that has these columns."))
    elif kind:
        put(chart, (CELLS, kind), [category, *series] if category else None)
        data[HOLDER] = chart or None
        form.changed_data.append(HOLDER)


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else value or []


def conditions(types: Iterable[str], default: str) -> dict[str, str]:
    """Return the JavaScript that shows the inputs: for tables, the details where the first one is set."""
    table = " || ".join(f"(type || '{default}') == '{each}'" for each in types)
    first = f"({table}) || !['', 'unknown', null].includes({FIRST})"
    detail = f"({table}) && ['true', 'false'].includes({FIRST})"
    return {FIRST: first} | {name: f"({detail}) || !['', 'unknown', null].includes({name})" for name in DETAILS}
