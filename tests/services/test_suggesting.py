"""Columns and parameters that a query suggests."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any, Literal

import pytest

from tests.conftest import Define
from widgets_app.functions import _described
from widgets_app.models import Column, Parameter, Widget
from widgets_app.services.suggesting import columns_missing, parameters_add, parameters_missing, parts_add
from widgets_app.sources.frame import ColumnType, FrameColumn

pytestmark = pytest.mark.django_db


@pytest.fixture
def widget(define_widget: Define) -> Widget:
    made: Widget = define_widget()
    return made


def look(widget: Widget, name: str, kind: ColumnType, *values: Any) -> dict[str, Any]:
    (column,) = columns_missing(widget, [FrameColumn(name, kind)], [{name: value} for value in values])
    assert column._state.adding
    assert (column.field, column.widget) == (name, widget)
    fields = ("cell_data_type", "chart_data_type", "formatter_fn", "decimal_places", "align", "sparkline")
    return {field: value for field in fields if (value := getattr(column, field)) is not None}


@pytest.mark.parametrize(("name", "kind", "values", "expected"), [
    ("day", "date", [], {"cell_data_type": "dateString", "chart_data_type": "time"}),
    ("seen_at", "datetime", [], {"cell_data_type": "date", "chart_data_type": "time"}),
    ("ticker", "text", ["A"], {"cell_data_type": "text", "chart_data_type": "category"}),
    ("open", "boolean", [True], {"cell_data_type": "boolean", "chart_data_type": "excluded"}),
    ("details", "object", [{"a": 1}], {"cell_data_type": "object", "chart_data_type": "excluded"}),
    ("fiscal_year", "number", [2024], {"cell_data_type": "text", "chart_data_type": "category"}),
    ("fiscalYear", "number", [2024], {"cell_data_type": "text", "chart_data_type": "category"}),
    ("cik", "number", [320193], {"cell_data_type": "text", "chart_data_type": "category"}),
])  # fmt: skip
def test_the_kind_and_name_of_a_column_tell_its_look(
    widget: Widget, name: str, kind: ColumnType, values: list[Any], expected: dict[str, Any]
) -> None:
    assert look(widget, name, kind, *values) == expected


@pytest.mark.parametrize(("name", "values", "expected"), [
    ("volume", [100, None, 3], {"formatter_fn": "int"}),
    ("price", [10.5, 11.0], {"decimal_places": 1}),
    ("price", [10.123456, 2], {"decimal_places": 2}),
    ("rate", [0.01234, -0.5], {"decimal_places": 4}),
    ("price", [], {"decimal_places": 2}),
    ("price", [None], {"decimal_places": 2}),
    ("change_pct", [1.5], {"formatter_fn": "percent", "decimal_places": 1}),
    ("change_pct", [1, 2], {"formatter_fn": "percent"}),
    ("identity", [1.5], {"decimal_places": 1}),
])  # fmt: skip
def test_numbers_get_the_decimals_that_they_have(
    widget: Widget, name: str, values: list[Any], expected: dict[str, Any]
) -> None:
    number = {"cell_data_type": "number", "chart_data_type": "series", "align": "right"}
    assert look(widget, name, "number", *values) == {**number, **expected}


def test_lists_of_numbers_become_small_charts(widget: Widget) -> None:
    assert look(widget, "trend", "object", [1, 2.5, None], [])["sparkline"] == {"type": "line"}
    assert "sparkline" not in look(widget, "trend", "object", ["a"])


def test_columns_that_there_are_stay(widget: Widget) -> None:
    Column.objects.create(widget=widget, field="day", header_name="Mine", position=7)
    columns = [FrameColumn("day", "date"), FrameColumn("market_cap", "number")]
    parts_add(columns_missing(widget, columns, []))
    assert list(widget.columns.values_list("field", "header_name", "position")) == [
        ("day", "Mine", 7),
        ("market_cap", "Market cap", 8),
    ]


@pytest.mark.parametrize(("name", "kind", "value"), [
    ("since", "date", "$currentDate-1y"),
    ("start_date", "date", "$currentDate-1y"),
    ("dateFrom", "text", None),
    ("until", "date", "$currentDate"),
    ("end_date", "date", "$currentDate"),
    ("trade_date", "date", "$currentDate"),
    ("from_currency", "text", None),
    ("limit", "number", 100),
    ("top_n", "number", 100),
    ("days", "number", 30),
    ("is_open", "boolean", False),
    ("ticker", "text", None),
    ("price", "number", None),
    ("listed", "date", None),
    ("_", "text", None),
])  # fmt: skip
def test_the_name_of_a_placeholder_or_its_column_tells_the_parameter(
    widget: Widget, name: str, kind: str, value: Any
) -> None:
    columns = [FrameColumn("ticker", "text"), FrameColumn("price", "number"), FrameColumn("listed", "date")]
    (parameter,) = parameters_missing(widget, [name], columns)
    assert (parameter.type, parameter.value) == (kind, value)
    assert parameter.description


def test_parameters_that_there_are_stay_and_the_fields_of_forms_do_not_count(widget: Widget) -> None:
    form = Parameter.objects.create(widget=widget, param_name="form", type="form")
    Parameter.objects.create(widget=widget, param_name="limit", parent=form)
    Parameter.objects.create(widget=widget, param_name="ticker", position=2)
    parts_add(parameters_missing(widget, ["ticker", "limit"], []))
    top = widget.parameters.filter(parent=None).values_list("param_name", "label", "position")
    assert list(top) == [("form", None, 0), ("ticker", None, 2), ("limit", "Limit", 3)]


def test_a_parameter_goes_into_the_last_row(widget: Widget) -> None:
    widget.param_rows = 2
    (parameter,) = parameters_missing(widget, ["ticker"], [])
    assert parameter.row == 1


def shop(
    region: Literal["North", "South"] = "North", until: datetime.date | None = None, limit: float = 2.5,
    tags: Sequence[str] = (), sizes: Sequence[Literal["S", "M"]] = (), since: int = 3, gross: bool = True, note=None, day=7,
) -> None:  # fmt: skip
    """Take what functions take."""


def test_the_signature_of_a_function_tells_its_parameters_and_choices(widget: Widget) -> None:
    arguments = _described("shop", shop).arguments
    parameters_add(parameters_missing(widget, arguments, [], arguments), arguments)
    found = {parameter.param_name: parameter for parameter in widget.parameters.all()}
    looks = {name: (p.type, p.value, p.multi_select, p.multiple) for name, p in found.items()}
    assert looks == {
        "region": ("text", "North", None, None),
        "until": ("date", None, None, None),
        "limit": ("number", 2.5, None, None),
        "tags": ("text", None, None, True),
        "sizes": ("text", None, True, None),
        "since": ("number", 3, None, None),
        "gross": ("boolean", True, None, None),
        "note": ("text", None, None, None),
        "day": ("number", 7, None, None),
    }
    assert [(one.label, one.value) for one in found["region"].choices.all()] == [("North", "North"), ("South", "South")]
    assert [one.value for one in found["sizes"].choices.all()] == ["S", "M"]
    assert not found["limit"].choices.exists()


def test_a_signature_that_cannot_be_read_tells_its_defaults_only(widget: Widget) -> None:
    def odd(count: Missing = 4, other: Missing = ...) -> None:  # type: ignore[name-defined]  # noqa: F821
        """Name a type that there is not."""

    arguments = _described("odd", odd).arguments
    count, other = parameters_missing(widget, arguments, [], arguments)
    assert (count.type, count.value, other.type, other.value) == ("number", 4, "text", None)
