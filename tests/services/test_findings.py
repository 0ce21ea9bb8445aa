"""What is to be said about a widget whose look or columns don't suit what its query returns."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Define
from widgets_app.errors import DefinitionError
from widgets_app.functions import data_function
from widgets_app.manifest.reading import read_query
from widgets_app.models import Source
from widgets_app.services.findings import widget_findings
from widgets_app.services.publishing import definition_publish

pytestmark = pytest.mark.django_db

GONE = '"gone", but its data has: day, ticker, price, volume.'


def said(define_widget: Define, *codes: str, query: str = "prices", **keys: Any) -> list[tuple[str, str]]:
    """Return severity and message of the findings with these codes."""
    widget = define_widget("w", query=query, **keys)
    return [(found.severity, found.message) for found in widget_findings(widget) if found.code in codes]


def looks(define_widget: Define, kind: str, shape: dict[str, Any], query: str = "prices") -> list[tuple[str, str]]:
    return said(define_widget, "look-columns", "look-numbers", query=query, type=kind, shape=shape)


NEWS = {"title": "ticker", "date": "day"}
PRICED = dict.fromkeys(("open", "high", "low", "close"), "price")


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        ("metric", {"label": "gone"}),
        ("metric", {"value": "gone"}),
        ("metric", {"delta": "gone"}),
        ("metric", {"subvalue": "gone"}),
        ("newsfeed", {**NEWS, "title": "gone"}),
        ("newsfeed", {**NEWS, "date": "gone"}),
        ("newsfeed", {**NEWS, "body": "gone"}),
        ("markdown", {"column": "gone"}),
        ("note", {"column": "gone"}),
        ("html", {"column": "gone"}),
        ("youtube", {"column": "gone"}),
        ("youtube", {"transcript": "gone"}),
        ("chart-highcharts", {"x": "gone"}),
        ("chart-vegalite", {"y": ["price", "gone"]}),
        ("chart-vegalite", {"colour": "gone"}),
        ("chart-highcharts", {"document": {"series": [{"data": {"$column": "gone"}}]}}),
        ("chart-vegalite", {"document": {"data": {"values": {"$records": ["day", "gone"]}}}}),
        ("chart", {"x": "gone"}),
        ("chart", {"y": ["price", "gone"]}),
        ("chart", {"colour": "gone"}),
        ("chart", {"second_y": ["gone"]}),
        ("chart", {"kind": "scatter", "label": "gone"}),
        ("chart", {"kind": "bubble", "size": "gone"}),
        ("chart", {"kind": "pie", "x": "gone"}),
        ("chart", {"kind": "histogram", "y": ["gone"]}),
        ("chart", {"kind": "box", "x": "gone"}),
        ("chart", {"kind": "heatmap", "y": ["gone"]}),
        ("chart", {"kind": "waterfall", "y": ["gone"]}),
        ("chart", {"kind": "treemap", "groups": ["gone"]}),
        ("chart", {"kind": "candlestick", **PRICED, "high": "gone"}),
        ("chart", {"kind": "ohlc", **PRICED, "volume": "gone"}),
    ],
)
def test_a_column_that_the_query_lacks_is_named(
    define_query: Define, define_widget: Define, kind: str, shape: dict[str, Any]
) -> None:
    define_query()
    ((severity, message),) = looks(define_widget, kind, shape)
    assert severity == "error"
    assert GONE in message


def test_a_feed_of_news_without_its_usual_columns_is_told(define_query: Define, define_widget: Define) -> None:
    define_query()
    ((severity, message),) = looks(define_widget, "newsfeed", {})
    assert (severity, 'the column "title"' in message) == ("error", True)


@pytest.mark.parametrize("kind", ["chart", "chart-highcharts", "chart-vegalite"])
def test_a_chart_of_a_query_without_numbers_is_told(define_query: Define, define_widget: Define, kind: str) -> None:
    define_query("words", "select ticker, day from prices")
    ((severity, message),) = looks(define_widget, kind, {}, query="words")
    assert severity == "error"
    assert "needs a column of numbers" in message


@pytest.mark.parametrize(
    ("kind", "shape", "column"),
    [
        ("chart", {"x": "day", "y": ["ticker"]}, '"ticker", which holds text'),
        ("chart", {"kind": "box", "y": ["day"]}, '"day", which holds date'),
        ("chart", {"kind": "bubble", "y": ["price"], "size": "ticker"}, '"ticker", which holds text'),
        ("chart", {"kind": "ohlc", **PRICED, "volume": "ticker"}, '"ticker", which holds text'),
        ("chart", {"second_y": ["ticker"]}, '"ticker", which holds text'),
        ("chart-highcharts", {"y": ["ticker"]}, '"ticker", which holds text'),
        ("chart-vegalite", {"x": "price", "y": ["day"]}, '"day", which holds date'),
    ],
)
def test_a_chart_that_draws_what_are_no_numbers_is_warned_of(
    define_query: Define, define_widget: Define, kind: str, shape: dict[str, Any], column: str
) -> None:
    define_query()
    ((severity, message),) = looks(define_widget, kind, shape)
    assert severity == "warning"
    assert column in message


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        ("chart", {"x": "day", "y": ["price", "volume"], "colour": "ticker"}),
        ("chart", {"kind": "candlestick", **PRICED}),
        # What the kind doesn't use is not looked for.
        ("chart", {"kind": "pie", "size": "gone", "second_y": ["gone"], "open": "gone"}),
        ("chart-vegalite", {"document": {"mark": "bar"}}),
        ("metric", {}),
        ("newsfeed", NEWS),
        ("markdown", {"text": "{{ ticker }} {{ whatever }}", "column": "gone"}),
        ("youtube", {"column": "ticker"}),
        ("table", {}),
    ],
)
def test_what_suits_the_query_is_not_mentioned(
    define_query: Define, define_widget: Define, kind: str, shape: dict[str, Any]
) -> None:
    define_query()
    assert looks(define_widget, kind, shape) == []


def test_the_columns_of_a_collection_are_known_before_it_has_rows(db: None, define_widget: Define) -> None:
    Source.objects.create(name="log", kind="collection", options={"columns": ["vessel: text", "tons: number"]})
    definition_publish(
        read_query({
            "name": "log", "description": "", "source": "log", "text": "select vessel, tons from rows",
            "cache_seconds": None, "seconds": None, "rows": None, "options_path": "options/log", "choices": [],
        })
    )  # fmt: skip
    ((_, message),) = looks(define_widget, "chart", {"y": ["gone"]}, query="log")
    assert '"gone", but its data has: vessel, tons.' in message


@data_function("test_findings_rows")
def rows() -> list[dict[str, int]]:
    """Return rows whose columns nobody knows before."""
    return [{"n": 1}]


def test_where_columns_are_not_known_nothing_is_said(define_query: Define, define_widget: Define) -> None:
    Source.objects.create(name="code", kind="python")
    define_query("any", "test_findings_rows", source="code")
    assert looks(define_widget, "chart", {"y": ["gone"]}, query="any") == []


def test_a_look_that_does_not_suit_is_not_published(define_query: Define, define_widget: Define) -> None:
    define_query()
    widget = define_widget(query="prices", type="metric", shape={"label": "gone"})
    with pytest.raises(DefinitionError, match="was not published: The widget shows the column"):
        definition_publish(widget)


def test_columns_of_a_table_without_data_are_told(define_query: Define, define_widget: Define) -> None:
    define_query("nested", "select *, {'a': 1} as o, [1, 2] as trend from prices")
    columns: list[dict[str, Any]] = [
        {"field": "ticker"},
        {"field": "Ticker"},
        {"field": "o.a"},
        {"field": "chart", "sparkline": {"type": "line", "dataField": "trend"}},
        {"field": "ticker", "sparkline": {"type": "line", "dataField": "gone"}},
    ]
    found = said(define_widget, "column-without-data", query="nested", data={"table": {"columnsDefs": columns}})
    assert [(severity, message.partition(",")[0]) for severity, message in found] == [
        ("warning", 'The table shows the column "Ticker"'),
        ("warning", 'The table shows the column "gone"'),
    ]
