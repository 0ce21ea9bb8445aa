"""Inputs for the chart that a table starts with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tests.admin.conftest import Open, url
from tests.admin.pages import Page
from tests.conftest import Define
from widgets_app.models import Widget

pytestmark = pytest.mark.django_db

CHART: dict[str, Any] = {
    "enabled": True,
    "chartType": "bar",
    "cellRangeCols": {"bar": ["day", "price"], "pie": ["ticker", "price"]},
}


@pytest.fixture
def table(define_widget: Define) -> Widget:
    made: Widget = define_widget(data={"table": {"columnsDefs": [{"field": "day"}, {"field": "price"}]}})
    return made


def store(table: Widget, value: Any) -> None:
    Widget.objects.filter(pk=table.pk).update(chart_view=value)


def saved(table: Widget) -> Any:
    table.refresh_from_db()
    return table.chart_view


def test_a_chart_is_made_of_inputs(table: Widget, change: Open) -> None:
    form = change(table).fill(chart_enabled="true", chart_type="line", chart_category="day")
    form.fill(chart_series="price, volume", chart_ignores_cells="true", chart_navigator="true", chart_mini="false")
    form.send("_draft")
    assert saved(table) == {
        "enabled": True, "chartType": "line", "ignoreCellRange": True, "chartNavigatorEnabled": True,
        "chartMiniChartEnabled": False, "cellRangeCols": {"line": ["day", "price", "volume"]},
    }  # fmt: skip
    form = change(table)
    assert (form["chart_category"], form["chart_series"]) == ("day", "price, volume")


def test_a_new_widget_may_start_as_a_chart(add: Open) -> None:
    form = add("widget").fill(widget_id="new", name="New", description="New.", chart_enabled="true")
    assert form.send("_draft", chart_type="pie", chart_category="ticker").status_code == 302
    chart = {"enabled": True, "chartType": "pie", "cellRangeCols": {"pie": ["ticker"]}}
    assert Widget.objects.get().chart_view == chart


def test_the_columns_follow_to_another_type_unless_it_has_its_own(table: Widget, change: Open) -> None:
    store(table, CHART)
    change(table).send("_draft", chart_type="line")
    assert saved(table)["cellRangeCols"] == {**CHART["cellRangeCols"], "line": ["day", "price"]}
    change(table).send("_draft", chart_type="pie")
    assert saved(table)["chartType"] == "pie"
    assert saved(table)["cellRangeCols"]["pie"] == ["ticker", "price"]


def test_columns_that_are_cleared_go(table: Widget, change: Open) -> None:
    store(table, {"enabled": True, "chartType": "bar", "cellRangeCols": {"bar": ["day", "price"]}, "odd": 1})
    change(table).send("_draft", chart_category="", chart_series="")
    assert saved(table) == {"enabled": True, "chartType": "bar", "odd": 1}


@pytest.mark.parametrize("value", [
    CHART,
    {"enabled": "yes", "chartType": "cake", "cellRangeCols": {"cake": [1, "a"], "odd": 7}, "x": None},
    {"chartType": 7, "cellRangeCols": ["a"]},
    {"chartType": "bar", "cellRangeCols": {"bar": [" a\nb ", " c,d "]}},
    {},
])  # fmt: skip
def test_what_nobody_touched_stays_to_the_letter(table: Widget, change: Open, value: Any) -> None:
    store(table, value)
    assert change(table).send("_draft", category="New").status_code == 302
    assert saved(table) == value
    change(table).send("_draft", chart_navigator="true")
    assert saved(table) == {**value, "chartNavigatorEnabled": True}


@pytest.mark.parametrize(("fields", "place"), [
    ({"chart_series": "price"}, "chart_category"),
    ({"chart_category": "day"}, "chart_type"),
    ({"chart_view": '{"chartType": "cake"}'}, "chart_type"),
    ({"chart_view": '{"odd": {"a": 1}, "cellRangeCols": {"cake": []}}'}, "chart_view"),
    ({"chart_view": "[]", "chart_enabled": "true"}, "chart_view"),
])  # fmt: skip
def test_errors_stand_at_the_inputs(table: Widget, change: Open, fields: dict[str, str], place: str) -> None:
    response = change(table).send(**fields)
    assert list(response.context["adminform"].form.errors) == [place]
    assert saved(table) is None


def test_who_may_only_look_sees_the_chart_whole(table: Widget, staff: Callable[..., Client]) -> None:
    store(table, CHART)
    page = Page(staff("view_widget"), url("widget", "change", table.pk))
    assert "cellRangeCols" in page.text
