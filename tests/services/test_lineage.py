"""What is made of what: by every way there is, as drafts and as served, in few queries of the database."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Define, refresh
from widgets_app import catalog
from widgets_app.models import App, Feed, Parameter, Placement, Query, Source, Tab, Widget
from widgets_app.services import lineage
from widgets_app.services.lineage import Node
from widgets_app.services.publishing import definition_publish
from widgets_app.sources.frame import FrameColumn

pytestmark = pytest.mark.django_db

SELECTS = {"paramName": "ticker", "type": "endpoint", "optionsEndpoint": "options/tickers"}


def told(nodes: list[Node]) -> list[tuple[str, str, str]]:
    return [(node.kind, node.name, node.what) for node in nodes]


@pytest.fixture
def chain(define_query: Define, define_widget: Define, define_app: Define) -> Source:
    """Two queries, three widgets, two apps."""
    source: Source = define_query("prices").source
    define_query("tickers", "select distinct ticker as value from prices")
    define_widget("table", query="prices", params=[SELECTS])
    define_widget("plain", query="prices")
    define_widget("other")
    define_app("desk", ("table", "plain"))
    define_app("alone", ("other",))
    return source


def test_a_source_leads_to_queries_widgets_and_apps(chain: Source) -> None:
    assert told(lineage.made_of(chain)) == [
        ("query", "prices", ""), ("query", "tickers", ""), ("widget", "plain", "rows of prices"),
        ("widget", "table", "rows of prices, options of ticker"), ("app", "desk", "shows plain, table"),
    ]  # fmt: skip
    assert lineage.in_words(lineage.made_of(chain)) == "2 queries, 2 widgets, 1 app"


def test_a_query_leads_to_what_it_feeds(chain: Source) -> None:
    tickers = Query.objects.get(name="tickers")
    assert told(lineage.made_of(tickers)) == [
        ("widget", "table", "options of ticker"), ("app", "desk", "shows table")
    ]  # fmt: skip
    assert told(lineage.comes_from(tickers)) == [("source", "market", "")]


def test_a_widget_comes_from_its_queries(chain: Source) -> None:
    assert told(lineage.comes_from(Widget.objects.get(widget_id="table"))) == [
        ("query", "prices", "rows"), ("query", "tickers", "options of ticker"),
        ("source", "market", "by prices, by tickers"),
    ]  # fmt: skip
    assert lineage.comes_from(Widget.objects.get(widget_id="other")) == []
    assert told(lineage.made_of(Widget.objects.get(widget_id="other"))) == [("app", "alone", "shows other")]


def test_a_path_that_is_written_out_counts_as_the_query(chain: Source, define_widget: Define, desk: Source) -> None:
    Parameter.objects.update(options_query=None, options_endpoint="/options/tickers?x=1")
    tickers = Query.objects.get(name="tickers")
    assert told(lineage.made_of(tickers))[0] == ("widget", "table", "options of ticker")
    assert lineage.dropdowns_of(tickers, "options/tickers") == ["table.ticker"]
    Widget.objects.filter(widget_id="table").update(upstream=desk)
    assert lineage.dropdowns_of(tickers, "options/tickers") == []


def test_what_is_served_counts_even_when_the_draft_differs(chain: Source) -> None:
    Feed.objects.all().delete()
    Parameter.objects.all().delete()
    prices = Query.objects.get(name="prices")
    assert [(name, what) for kind, name, what in told(lineage.made_of(prices)) if kind == "widget"] == [
        ("plain", "as it is served"), ("table", "as it is served")
    ]  # fmt: skip
    Query.objects.update(source=None)
    assert lineage.in_words(lineage.made_of(chain)) == "2 queries, 2 widgets, 1 app"


def test_an_upstream_leads_to_widgets_and_agents(desk: Source, define_widget: Define) -> None:
    widget = define_widget("passed", upstream="desk")
    assert told(lineage.made_of(desk)) == [("widget", "passed", "answers all of it")]
    assert told(lineage.comes_from(widget)) == [("source", "desk", "answers all of it")]


def test_many_are_cut_and_counted() -> None:
    nodes = [Node("widget", number, f"w{number}") for number in range(lineage.NAMED + 7)] + [Node("app", 1, "desk")]
    many, few = lineage.grouped(nodes)
    assert (len(many.nodes), many.more, few.more) == (lineage.NAMED, 7, 0)
    assert lineage.first([node.name for node in nodes])[-1] == "8 more"


def test_thousands_of_widgets_take_few_queries(chain: Source, django_assert_max_num_queries: Any) -> None:
    prices, app = Query.objects.get(name="prices"), App.objects.get(slug="desk")
    widgets = Widget.objects.bulk_create(
        Widget(widget_id=f"many{n}", name=f"many{n}", type="table") for n in range(2000)
    )
    Feed.objects.bulk_create(Feed(widget=widget, query=prices) for widget in widgets)
    tab = Tab.objects.get(app=app)
    Placement.objects.bulk_create(
        Placement(tab=tab, widget=widget, widget_id_text=widget.widget_id, position=n)
        for n, widget in enumerate(widgets, 10)
    )
    catalog.current()
    for row, most in ((chain, 9), (prices, 6), (widgets[0], 1)):
        with django_assert_max_num_queries(most):
            made = lineage.made_of(row)
        assert ("app", "desk") in [(node.kind, node.name) for node in made]
    assert "2002 widgets" in lineage.in_words(lineage.made_of(prices))


# ---- columns that a change takes away

COLUMNS = [{"field": "price"}, {"field": "day"}]


def columns(*names: str) -> list[FrameColumn]:
    return [FrameColumn(name, "number") for name in names]


def test_columns_that_a_published_table_shows_are_missed(define_query: Define, define_widget: Define) -> None:
    define_query()
    query = Query.objects.get()
    define_widget("table", query="prices", data={"table": {"columnsDefs": COLUMNS}})
    define_widget("free", query="prices")
    (text,) = lineage.lost_columns(query, columns("day"))
    assert text.startswith("Widget “table”: ")
    assert '"price"' in text
    assert lineage.lost_columns(query, columns("day", "price")) == []
    assert lineage.lost_columns(query, []) == []


def test_columns_that_a_published_chart_draws_are_missed(define_query: Define, define_widget: Define) -> None:
    define_query()
    query = Query.objects.get()
    define_widget("drawn", query="prices", type="chart", shape={"kind": "line", "x": "day", "y": ["price"]})
    assert '"price"' in lineage.lost_columns(query, columns("day"))[0]


def test_a_draft_query_and_many_widgets_are_bounded(
    define_query: Define, define_widget: Define, monkeypatch: pytest.MonkeyPatch
) -> None:
    define_query()
    query = Query.objects.get()
    for number in range(3):
        define_widget(f"table{number}", query="prices", data={"table": {"columnsDefs": COLUMNS}})
    monkeypatch.setattr(lineage, "WARNED", 2)
    assert lineage.lost_columns(query, columns("day"))[2:] == ["And 1 more widgets that lack columns."]
    Query.objects.update(published=None)
    refresh()
    assert lineage.lost_columns(Query.objects.get(), columns("day")) == []


def test_a_rename_is_followed_by_what_is_served(define_query: Define, define_widget: Define) -> None:
    """The served query keeps the name it was published with until it is published again."""
    define_query()
    query = Query.objects.get()
    define_widget("table", query="prices", data={"table": {"columnsDefs": COLUMNS}})
    query.name = "quotes"
    query.save()
    assert lineage.lost_columns(query, columns("day"))
    definition_publish(query)
    refresh()
    assert lineage.lost_columns(Query.objects.get(), columns("day")) == []
