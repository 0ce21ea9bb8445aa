"""The types of widgets that are served from queries: C-061 to C-076, C-091 and C-092 of the contract, over HTTP.

C-077 and C-078 are about the type pdf, which is not served from queries. What has tests elsewhere besides:

C-061, C-062  tests/shapes/test_table.py                     bytes pass through, dotted paths
C-063         tests/test_serving_pages.py                    bodies that can't be used are one line
C-064         tests/test_serving_pages.py                    ranges, totals, the cap of a page
C-065, C-066  tests/test_serving_pages.py                    every operator and order, over files and functions
C-067         tests/test_serving_pages.py                    groups level by level, flat and nested
C-068         tests/test_serving_hostile.py                  any JSON, any value, any depth
C-069         tests/shapes/test_metric.py                    parts of a metric, chosen columns
C-070         tests/shapes/test_text.py                      placeholders, escaping, columns with the text
C-071, C-073  tests/shapes/chart/                            every kind of chart, checked against Plotly's schema
C-072, C-073  tests/shapes/test_highcharts.py, test_vegalite.py, test_spec.py
C-075         tests/shapes/test_page.py, tests/test_serving_shapes.py
C-076         tests/shapes/test_newsfeed.py                  order, zones, excerpts
C-091         tests/shapes/test_youtube.py                   addresses that are none, transcripts
C-092         tests/test_compiled.py                         whole addresses of pages of this backend
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.test import Client

from tests.conftest import Define
from widgets_app.functions import data_function
from widgets_app.manifest.reading import read_widget
from widgets_app.models import CollectionRow, Source
from widgets_app.services.publishing import definition_publish
from widgets_app.shapes.base import NO_VALUE

pytestmark = pytest.mark.django_db

JSON = "application/json"
Rows = list[dict[str, Any]]

FULL: Rows = [
    {"day": "2024-01-02", "name": "Aurora", "amount": 10.5, "body": "## A"},
    {"day": "2024-01-03", "name": "Birk", "amount": None, "body": None},
    {"day": None, "name": None, "amount": 20.25, "body": "C"},
]
LOOKS: dict[str, dict[str, Any]] = {
    "table": {},
    "ssrm_table": {},
    "table_ssrm": {},
    "metric": {"label": "name", "value": "amount"},
    "markdown": {"column": "body"},
    "note": {"text": "{{ name }}"},
    "newsfeed": {"title": "name", "date": "day", "author": "name"},
    "chart": {"x": "day", "y": ["amount"]},
    "chart-highcharts": {"x": "day", "y": ["amount"]},
    "chart-vegalite": {"x": "day", "y": ["amount"]},
    "html": {"text": "<p>{{ name }}</p>"},
    "youtube": {"column": "link"},
}
CHARTS = ("chart", "chart-highcharts", "chart-vegalite")
WITH_RAW_ROWS = (*CHARTS, "html")
WITHOUT_COLOURS = ("table", "ssrm_table", "table_ssrm", "metric", "markdown", "note", "newsfeed", "html")


@data_function("contract_rows")
def contract_rows(which: str = "full") -> Rows:
    """Return some rows, none, or rows without any value."""
    nothing: Rows = [dict.fromkeys(FULL[0])]
    return {"full": FULL, "none": [], "nulls": nothing}[which]


@pytest.fixture(params=["files", "python", "collection"])
def rows(request: pytest.FixtureRequest, define_query: Define) -> str:
    """A query that gives the same rows from each kind of source; `which` says whether there are any."""
    text = (
        "select strftime(day, '%Y-%m-%d') as day, name, amount, body from {rows} where :which != 'none' "
        "and case when :which = 'nulls' then false else true end "
        "union all select null, null, null, null where :which = 'nulls'"
    )
    values = (
        "(values (1, date '2024-01-02', 'Aurora', 10.5, '## A'), (2, date '2024-01-03', 'Birk', null, null), "
        "(3, null, null, 20.25, 'C')) t(row_id, day, name, amount, body)"
    )
    if request.param == "files":
        define_query("rows", text.format(rows=values))
    elif request.param == "python":
        Source.objects.create(name="code", kind="python")
        define_query("rows", "contract_rows", source="code")
    else:
        columns = ["day: date", "name: text", "amount: number", "body: text"]
        source = Source.objects.create(name="log", kind="collection", options={"columns": columns})
        for row in FULL:
            CollectionRow.objects.create(source=source, data=row)
        define_query("rows", text.format(rows="rows"), source="log")
    return "rows"


@pytest.fixture
def get(caller: Client, rows: str, define_widget: Define) -> Callable[..., Any]:
    """Ask a widget of a type for its data, as Workspace does."""
    params = [{"paramName": "which", "type": "text", "label": "Which", "description": "Which rows", "value": "full"}]

    made: dict[str, str] = {}

    def ask(kind: str, query: str = "", *, shape: dict[str, Any] | None = None) -> Any:
        look = LOOKS[kind] if shape is None else shape
        name = f"{kind} {look}"
        if name not in made:
            made[name] = f"w{len(made)}"
            define_widget(made[name], type=kind, query=rows, shape=look or None, params=params)
        answer = caller.get(f"/{made[name]}{query}")
        assert answer.status_code == 200, (kind, answer.content)
        return answer

    return ask


def body(answer: Any) -> Any:
    assert answer["Content-Type"] == JSON
    return json.loads(answer.content, parse_constant=pytest.fail)


TABLES = ("table", "ssrm_table", "table_ssrm")


def test_a_table_is_a_list_of_flat_objects_in_order(get: Any) -> None:
    """C-061"""
    for kind in TABLES:
        found = body(get(kind))
        assert found == FULL
        assert [list(row) for row in found] == [list(FULL[0])] * 3


def test_an_empty_table_is_an_empty_list(get: Any) -> None:
    """C-061"""
    for kind in TABLES:
        assert body(get(kind, "?which=none")) == []
        assert body(get(kind, "?which=nulls")) == [dict.fromkeys(FULL[0])]


@pytest.mark.parametrize("kind", ["table", "metric", "markdown", "newsfeed", *CHARTS])
@pytest.mark.parametrize(("data_key", "path"), [("results", ["results"]), ("a.b.c", ["a", "b", "c"]), ("", [])])
def test_what_is_asked_for_is_at_the_data_key(
    caller: Client, define_query: Define, define_widget: Define, kind: str, data_key: str, path: list[str]
) -> None:
    """C-062"""
    define_query("rows", "select '2024-01-02' as day, 'Aurora' as name, 10.5 as amount, 'B' as body")
    define_widget("w", type=kind, query="rows", shape=LOOKS[kind] or None, data={"dataKey": data_key})
    define_widget("plain", type=kind, query="rows", shape=LOOKS[kind] or None)
    found = body(caller.get("/w"))
    for key in path:
        assert set(found) == {key}
        found = found[key]
    assert found == body(caller.get("/plain"))


@pytest.fixture(params=["ssrm_table", "table_ssrm"])
def page(request: pytest.FixtureRequest, caller: Client, rows: str, define_widget: Define) -> Callable[..., Any]:
    """Ask for a page as a grid does."""
    params = [{"paramName": "which", "type": "text", "label": "Which", "description": "Which rows", "value": "full"}]
    define_widget("w", type=request.param, query=rows, params=params)

    def ask(**parts: Any) -> Any:
        answer = caller.post("/w", parts, content_type=JSON)
        assert answer.status_code == 200, answer.content
        found = body(answer)
        assert set(found) == {"rowData", "rowCount"}
        return found

    return ask


def test_a_page_needs_no_more_than_its_range(page: Any) -> None:
    """C-063 and C-064"""
    assert page(startRow=0, endRow=100) == {"rowData": FULL, "rowCount": 3}
    assert page(startRow=1, endRow=2) == {"rowData": FULL[1:2], "rowCount": 3}
    assert page(startRow=3, endRow=9) == {"rowData": [], "rowCount": 3}
    assert page(startRow=0, endRow=9, which="none") == {"rowData": [], "rowCount": 0}


def test_a_page_is_sorted_by_the_first_of_the_list_first(page: Any) -> None:
    """C-065"""
    order = [{"colId": "body", "sort": "desc"}, {"colId": "name", "sort": "asc"}]
    assert [row["body"] for row in page(startRow=0, endRow=9, sortModel=order)["rowData"]] == ["C", "## A", None]


@pytest.mark.parametrize(
    ("column", "given", "expected"),
    [
        ("name", {"filterType": "text", "type": "contains", "filter": "ur"}, ["Aurora"]),
        ("amount", {"filterType": "number", "type": "greaterThan", "filter": 11}, [None]),
        ("day", {"filterType": "date", "type": "equals", "dateFrom": "2024-01-03 00:00:00"}, ["Birk"]),
        ("name", {"filterType": "set", "values": ["Birk", None]}, ["Birk", None]),
        ("amount", {"filterType": "number", "operator": "OR", "conditions": [
            {"filterType": "number", "type": "blank"}, {"filterType": "number", "type": "lessThan", "filter": 11}]},
         ["Aurora", "Birk"]),
    ],
)  # fmt: skip
def test_a_page_is_filtered_and_the_count_says_so(page: Any, column: str, given: Any, expected: Rows) -> None:
    """C-066"""
    found = page(startRow=0, endRow=9, filterModel={column: given})
    assert ([row["name"] for row in found["rowData"]], found["rowCount"]) == (expected, len(expected))


@pytest.mark.parametrize("nested", [False, True])
def test_a_page_is_grouped_flat_and_under_grouping(page: Any, nested: bool) -> None:
    """C-067"""
    groups = {
        "rowGroupCols": [{"id": "body", "field": "body"}],
        "valueCols": [{"id": "amount", "field": "amount", "aggFunc": "sum"}],
        "groupKeys": [],
    }

    def level(*keys: Any) -> Any:
        grouping = {**groups, "groupKeys": list(keys)}
        return page(startRow=0, endRow=9, **({"grouping": grouping} if nested else grouping))

    found = level()
    assert found["rowCount"] == 3
    assert {row["body"]: row["amount"] for row in found["rowData"]} == {"## A": 10.5, "C": 20.25, None: None}
    assert level("C") == {"rowData": FULL[2:], "rowCount": 1}


def test_what_is_hostile_in_a_request_for_a_page_is_passed_over(page: Any) -> None:
    """C-068"""
    hostile = 'name"; drop table rows; --'
    found = page(
        startRow=0,
        endRow=9,
        sortModel=[{"colId": hostile, "sort": "asc"}],
        filterModel={hostile: {"filterType": "text", "type": "equals", "filter": "x"}},
        rowGroupCols=[{"field": hostile}],
    )
    assert found == {"rowData": FULL, "rowCount": 3}
    by_value = {"name": {"filterType": "text", "type": "equals", "filter": "' or '1'='1"}}
    assert page(startRow=0, endRow=9, filterModel=by_value)["rowCount"] == 0


def test_a_metric_is_a_list_of_label_and_value(get: Any) -> None:
    """C-069"""
    found = body(get("metric"))
    assert [one["value"] for one in found] == [10.5, NO_VALUE, 20.25]
    assert [one["label"] for one in found] == ["Aurora", "Birk", "Amount"]
    assert all(set(one) == {"label", "value"} for one in found)
    with_delta = body(get("metric", shape={"label": "name", "value": "amount", "delta": "amount"}))
    assert [one.get("delta") for one in with_delta] == [10.5, None, 20.25]
    assert body(get("metric", "?which=none")) == []
    assert all(isinstance(one["label"], str) for one in body(get("metric", "?which=nulls")))


def test_markdown_and_notes_are_json_strings(get: Any) -> None:
    """C-070"""
    column, text = {"column": "body"}, {"text": "**{{ name }}** {% for row in rows %}{{ row.amount }};{% endfor %}"}
    for kind in ("markdown", "note"):
        assert body(get(kind, shape=column)) == "## A\n\nC"
        assert body(get(kind, shape=text)) == f"**Aurora** 10.5;{NO_VALUE};20.25;"
        for query in ("?which=none", "?which=nulls"):
            for shape in (column, text, {"text": "{{ name|upper }}"}):
                found = body(get(kind, query, shape=shape))
                assert isinstance(found, str)
                assert found


def test_a_chart_is_data_and_layout(get: Any) -> None:
    """C-071"""
    for query in ("", "?which=none", "?which=nulls"):
        figure = body(get("chart", query))
        assert isinstance(figure["data"], list)
        assert isinstance(figure["layout"], dict)
    assert [trace["y"] for trace in body(get("chart"))["data"]] == [[10.5, None, 20.25]]


def test_the_other_charts_are_objects(get: Any) -> None:
    """C-072"""
    for kind in ("chart-highcharts", "chart-vegalite"):
        for query in ("", "?which=none", "?which=nulls"):
            assert isinstance(body(get(kind, query)), dict)
    assert "series" in body(get("chart-highcharts"))
    spec = body(get("chart-vegalite"))
    assert spec["$schema"] == "https://vega.github.io/schema/vega-lite/v5.json"
    assert {"mark", "encoding", "data"} <= set(spec)


def test_raw_gives_the_rows_behind_it(get: Any) -> None:
    """C-071, C-072 and C-075"""
    for kind in WITH_RAW_ROWS:
        for raw in ("true", "True", "1"):
            assert body(get(kind, f"?raw={raw}")) == FULL
            assert body(get(kind, f"?raw={raw}&which=none")) == []


def test_charts_follow_the_theme_and_are_dark_without(get: Any) -> None:
    """C-073"""
    for kind in CHARTS:
        dark, light, absent, odd = (get(kind, f"?theme={theme}").content for theme in ("dark", "light", "", "blue"))
        assert dark == absent == odd == get(kind).content
        assert dark != light


def test_a_theme_does_no_harm_where_there_are_no_colours(get: Any) -> None:
    """C-073"""
    for kind in WITHOUT_COLOURS:
        assert get(kind, "?theme=light").content == get(kind).content


def test_raw_that_is_false_is_no_raw(get: Any) -> None:
    """C-074"""
    for kind in (*WITHOUT_COLOURS, *CHARTS):
        plain = get(kind)
        for raw in ("false", "False", "0", ""):
            answer = get(kind, f"?raw={raw}")
            assert (answer.content, answer["Content-Type"]) == (plain.content, plain["Content-Type"]), kind


def test_raw_does_no_harm_where_there_is_no_other_view(get: Any) -> None:
    """C-074"""
    for kind in ("table", "ssrm_table", "metric", "markdown", "note", "newsfeed"):
        assert get(kind, "?raw=true").content == get(kind).content


def test_a_page_is_html(get: Any) -> None:
    """C-075"""
    answer = get("html")
    assert (answer["Content-Type"], answer.content) == ("text/html; charset=utf-8", b"<p>Aurora</p>")
    for query in ("?which=none", "?which=nulls"):
        answer = get("html", query)
        assert answer["Content-Type"] == "text/html; charset=utf-8"
        assert answer.content


def test_news_have_five_texts_and_a_date_in_iso_form(get: Any) -> None:
    """C-076"""
    found = body(get("newsfeed"))
    for article in found:
        assert set(article) == {"title", "date", "author", "excerpt", "body"}
        assert all(isinstance(part, str) for part in article.values())
    assert [article["title"] for article in found] == ["Birk", "Aurora", ""]
    assert [datetime.fromisoformat(article["date"]).day for article in found[:2]] == [3, 2]
    assert body(get("newsfeed", "?which=none")) == []
    assert len(body(get("newsfeed", "?which=nulls"))) == 1


VIDEO = "https://www.youtube.com/watch?v=abc"


def test_a_video_is_a_plain_address_and_its_transcript_markdown(
    caller: Client, define_query: Define, define_widget: Define
) -> None:
    """C-091"""
    text = "select * from (values ('{0}', '# Said'), (null, 'more')) t(link, transcript) where :which is null"
    define_query("video", text.format(VIDEO))
    params = [{"paramName": "which", "type": "text", "label": "Which", "description": "Which"}]
    define_widget("video", type="youtube", query="video", shape=LOOKS["youtube"], params=params)
    for query in ("", "?raw=false", "?theme=light", "?raw="):
        answer = caller.get(f"/video{query}")
        assert (answer.content.decode(), answer["Content-Type"]) == (VIDEO, "text/plain; charset=utf-8")
    raw = caller.get("/video?raw=true")
    assert (raw.content, raw["Content-Type"]) == (b"# Said\n\nmore", "text/markdown; charset=utf-8")
    nothing = caller.get("/video?which=x")
    assert (nothing.status_code, nothing.content) == (200, b"")


def test_a_page_for_a_frame_may_be_framed(caller: Client, define_widget: Define, settings: Any) -> None:
    """C-092"""
    settings.PUBLIC_URL = "https://widgets.example.com"
    define_widget("page", type="html", shape={"text": "<h1>Port</h1>"})
    definition = {"name": "Frame", "description": "A page.", "type": "iframe", "endpoint": "page"}
    definition_publish(read_widget({"id": "frame", "definition": definition}))
    define_widget("more", type="html", endpoint="more", shape={"text": "<h1>More</h1>"})
    assert caller.get("/widgets.json").json()["frame"]["endpoint"] == "https://widgets.example.com/page"
    answer = caller.get("/page?theme=dark")
    assert answer.status_code == 200
    assert "X-Frame-Options" not in answer
    assert "frame-ancestors 'none'" not in answer["Content-Security-Policy"]
