"""Columns and parameters that are filled in from the query of a widget."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Literal

import pytest
from django.test import Client

from tests.admin.conftest import url
from tests.admin.pages import Page, messages
from tests.conftest import Define
from tests.sources.databases import sqlite
from widgets_app import catalog, functions
from widgets_app.models import Query, Source, Widget

pytestmark = pytest.mark.django_db

TEXT = "select * from prices where ticker = :ticker and day >= :since limit :limit"


def fill(client: Client, widget: Widget) -> Page:
    return Page(client, url("widget", "fill", widget.pk))


def press(page: Page, what: str) -> Any:
    return page.form(f"{what}_form").send(f"_{what}")


def test_columns_are_added_to_the_draft_with_their_types(
    define_query: Define, define_widget: Define, boss: Client
) -> None:
    define_query()
    widget = define_widget(query="prices", data={"table": {"columnsDefs": [{"field": "price", "headerName": "Mine"}]}})
    page = fill(boss, widget)
    assert "volume Number Whole number Series" in page.text
    response = press(page, "columns")
    assert response["Location"] == url("widget", "change", widget.pk)
    assert messages(response) == ["Added to the draft: the columns day, ticker, volume. Look them over, then publish."]
    found = widget.columns.values_list("field", "header_name", "cell_data_type", "formatter_fn")
    assert list(found) == [
        ("price", "Mine", None, None),
        ("day", "Day", "dateString", None),
        ("ticker", "Ticker", "text", None),
        ("volume", "Volume", "number", "int"),
    ]
    assert len(catalog.current().entries["prices"].definition["data"]["table"]["columnsDefs"]) == 1


def test_parameters_are_added_for_the_placeholders(define_query: Define, define_widget: Define, boss: Client) -> None:
    define_query(text=TEXT)
    widget = define_widget(query="prices", params=[{"paramName": "ticker", "type": "text", "value": "AAA"}])
    page = fill(boss, widget)
    assert ":since Date $currentDate-1y First day to show. :limit Number 100 Most rows to show." in page.text
    assert "the parameters since, limit" in messages(press(page, "parameters"))[0]
    found = widget.parameters.values_list("param_name", "type", "value", "minimum")
    assert list(found) == [
        ("ticker", "text", "AAA", None),
        ("since", "date", "$currentDate-1y", None),
        ("limit", "number", 100, 1),
    ]
    assert "Every placeholder has its parameter." in fill(boss, widget).text


def test_what_was_added_can_be_published_without_findings(
    define_query: Define, define_widget: Define, boss: Client
) -> None:
    define_query(text=TEXT)
    widget = define_widget(query="prices", params=[{"paramName": "ticker", "type": "text", "value": "AAA", "label": "T",
                                                    "description": "T"}])  # fmt: skip
    press(fill(boss, widget), "parameters")
    press(fill(boss, widget), "columns")
    page = Page(boss, url("widget", "change", widget.pk))
    assert page.response.context["findings"] == []
    assert "published as version 2" in messages(page.form("widget_form").send())[0]


def test_the_saved_draft_of_the_query_counts(define_query: Define, define_widget: Define, boss: Client) -> None:
    define_query()
    widget = define_widget(query="prices")
    Query.objects.update(text="select 1 as one, :word as said")
    press(fill(boss, widget), "columns")
    assert list(widget.columns.values_list("field", flat=True)) == ["one", "said"]


def test_columns_are_known_where_the_defaults_give_no_rows(
    define_query: Define, define_widget: Define, boss: Client
) -> None:
    define_query(text="select * from prices where ticker = :ticker")
    page = fill(boss, define_widget(query="prices"))
    assert "returned no rows" in page.text
    assert "price Number 2 Series" in page.text


def test_a_query_that_fails_says_why_and_columns_come_without_rows(
    define_query: Define, define_widget: Define, boss: Client
) -> None:
    define_query(text="select error('Out of order: ' || ticker) as fault from prices")
    page = fill(boss, define_widget(query="prices"))
    assert "Out of order: AAA" in page.response.context["suggested"].note
    assert "fault Text Category" in page.text


def test_a_chart_gets_no_columns(define_query: Define, define_widget: Define, boss: Client) -> None:
    define_query(text=TEXT)
    widget = define_widget("chart", query="prices", type="chart")
    page = fill(boss, widget)
    assert ":since" in page.text
    assert "columns_form" not in page.html


def test_a_widget_without_a_query_says_what_to_do(define_widget: Define, boss: Client) -> None:
    assert "has no query. Choose one on the Data tab" in fill(boss, define_widget()).text


def test_a_query_that_cannot_run_says_why(define_query: Define, define_widget: Define, boss: Client) -> None:
    define_query()
    widget = define_widget(query="prices")
    Query.objects.update(text="select * from nowhere")
    assert "There is no table" in fill(boss, widget).text


def test_who_may_only_look_fills_nothing_in(
    define_query: Define, define_widget: Define, staff: Callable[..., Client], files_source: Source
) -> None:
    define_query()
    widget = define_widget(query="prices")
    response = staff("view_widget", "view_query").post(url("widget", "fill", widget.pk), {"_columns": "1"})
    assert response.status_code == 403
    assert not widget.columns.exists()


def test_columns_and_parameters_of_a_database_are_filled_in(
    define_query: Define, define_widget: Define, boss: Client, tmp_path: Path
) -> None:
    with sqlite(tmp_path) as place:
        Source.objects.create(name="trades", kind="database", options={"url": place.url})
        text = "select * from trades where (:name is null or name = :name) or id > 0 limit :limit"
        define_query("trades", text, source="trades")
        widget = define_widget("trades", query="trades")
        assert "the columns id, name, price, day" in messages(press(fill(boss, widget), "columns"))[0]
        assert "the parameters name, limit" in messages(press(fill(boss, widget), "parameters"))[0]


def test_row_values_are_no_parameters(define_query: Define, define_widget: Define, boss: Client) -> None:
    define_query(text="select * from prices where ticker in :key_desk and day >= :since")
    widget = define_widget(query="prices")
    page = fill(boss, widget)
    assert "key_desk" not in page.text
    assert "depend on who asks, so it was not run" in page.text
    press(page, "parameters")
    assert list(widget.parameters.values_list("param_name", flat=True)) == ["since"]
    press(page, "columns")
    assert widget.columns.count() == 4


def test_columns_and_parameters_of_an_api_are_filled_in(
    define_query: Define, define_widget: Define, boss: Client, upstream: Source
) -> None:
    text = "GET /prices?ticker=:ticker&since=:since\ncolumns: method, path, body.x as price (number)"
    define_query("api", text, source="desk")
    widget = define_widget("api", query="api")
    assert "the columns method, path, price" in messages(press(fill(boss, widget), "columns"))[0]
    assert "the parameters ticker, since" in messages(press(fill(boss, widget), "parameters"))[0]


def test_an_api_without_defaults_says_what_to_do(
    define_query: Define, define_widget: Define, boss: Client, upstream: Source
) -> None:
    define_query("api", "GET /prices/:ticker", source="desk")
    page = fill(boss, define_widget("api", query="api"))
    assert "needs a value for &quot;ticker&quot;" in page.html
    assert "Columns None is known yet. Give each parameter a default with which the query has rows" in page.text
    assert "columns_form" in page.html


def test_what_a_function_takes_is_shown_before_it_is_added(
    define_query: Define, define_widget: Define, boss: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(functions, "_FUNCTIONS", {})

    @functions.data_function
    def traded(desk: Literal["EMEA", "APAC"] = "EMEA", tickers: Sequence[str] = (), since: date | None = None) -> None:
        """Give no rows."""

    Source.objects.create(name="code", kind="python")
    define_query("traded", "traded", source="code")
    page = fill(boss, define_widget("traded", query="traded"))
    assert "EMEA Desk of the rows to show. EMEA, APAC :tickers" in page.text
    assert "Tickers of the rows to show. several :since Date First day to show." in page.text
