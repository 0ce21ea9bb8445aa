"""The spine, from a request to an answer: parameters, sources, limits, cache and shapes together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.test import Client

from tests.conftest import Define
from widgets_app import catalog
from widgets_app.models import Query

pytestmark = pytest.mark.django_db


def error(response: Any) -> str:
    text: str = response.json()["error"]
    assert "\n" not in text
    return text


def test_a_table_answers_rows_in_order_with_missing_values_as_null(
    caller: Client, define_query: Define, define_widget: Define
) -> None:
    define_query()
    define_widget(query="prices")
    assert caller.get("/prices").json() == [
        {"day": "2024-01-02", "ticker": "AAA", "price": 10.5, "volume": 100},
        {"day": "2024-01-03", "ticker": "AAA", "price": 11.0, "volume": None},
        {"day": "2024-01-02", "ticker": "BBB", "price": 20.25, "volume": 300},
    ]


def test_parameters_are_bound_with_their_types_and_defaults(
    caller: Client, define_query: Define, define_widget: Define
) -> None:
    text = "select :n + 1 as n, typeof(:d) as d, :flag as flag, len(:many) as many, :word as word"
    define_query("echo", text)
    define_widget(
        "echo",
        query="echo",
        params=[
            {"paramName": "n", "type": "number", "value": 41},
            {"paramName": "d", "type": "date", "value": "$currentDate-1d"},
            {"paramName": "flag", "type": "boolean", "value": False},
            {"paramName": "many", "type": "text", "multiple": True, "value": "a,b"},
            {"paramName": "word", "type": "text"},
        ],
    )
    row = {"n": 42, "d": "DATE", "flag": False, "many": 2, "word": None}
    assert caller.get("/echo").json() == [row]
    assert caller.get("/echo?n=&d=&flag=&many=&word=").json() == [row]
    sent = "/echo?n=1.5&d=2024-02-29&flag=True&many=x&many=y,z&word=it''s%20;%20drop"
    assert caller.get(sent).json() == [{"n": 2.5, "d": "DATE", "flag": True, "many": 3, "word": "it''s ; drop"}]


def test_relative_dates_are_resolved_in_the_time_zone_of_the_backend(
    caller: Client, define_query: Define, define_widget: Define, settings: Any
) -> None:
    settings.TIME_ZONE = "Pacific/Auckland"
    define_query("day", "select :d::varchar as d", cache_seconds=0)
    define_widget("day", query="day", params=[{"paramName": "d", "type": "date", "value": "$currentDate"}])
    with time_machine.travel("2024-03-01T22:00:00Z", tick=False):
        assert caller.get("/day").json() == [{"d": "2024-03-02"}]
        assert caller.get("/day?d=$currentDate-1M").json() == [{"d": "2024-02-02"}]


@pytest.mark.parametrize(
    ("query", "says"),
    [("n=abc", "abc"), ("n=5", "10"), ("d=31.12.2024", "2024"), ("flag=maybe", "true or false"), ("pick=z", "x")],
)
def test_a_bad_value_is_told_in_one_line_that_says_what_to_send(
    caller: Client, define_query: Define, define_widget: Define, query: str, says: str
) -> None:
    define_query()
    params = [
        {"paramName": "n", "type": "number", "label": "Least", "min": 10},
        {"paramName": "d", "type": "date"},
        {"paramName": "flag", "type": "boolean"},
        {"paramName": "pick", "type": "tabs", "value": "x", "options": [{"label": "X", "value": "x"}]},
    ]
    define_widget(query="prices", params=params)
    response = caller.get(f"/prices?{query}")
    assert response.status_code == 400
    assert says in error(response)


def test_a_missing_value_that_is_needed_is_told(caller: Client, define_query: Define, define_widget: Define) -> None:
    define_query("one", "select * from prices where ticker = :ticker")
    define_widget("one", query="one", params=[{"paramName": "ticker", "label": "Ticker", "optional": False}])
    response = caller.get("/one?ticker=")
    assert response.status_code == 400
    assert "Ticker" in error(response)
    assert len(caller.get("/one?ticker=AAA").json()) == 2


def test_options_follow_the_parameter_they_depend_on(
    caller: Client, define_query: Define, define_widget: Define
) -> None:
    define_query("days", "select day as value, day as label from prices where ticker = :ticker order by 1")
    define_widget(params=[{"paramName": "d", "type": "endpoint", "optionsEndpoint": "options/days"}])
    assert len(caller.get("/options/days?ticker=AAA&other=1").json()) == 2
    assert caller.get("/options/days?ticker=").json() == []
    assert caller.get("/options/days").json() == []


def test_fixed_options_come_from_their_query(caller: Client, define_query: Define, define_widget: Define) -> None:
    choices = [{"label": "Latvia", "value": "LV", "extraInfo": {"description": "Baltic"}}, {"value": 2}]
    define_query("countries", "", source=None, choices=choices)
    define_widget(params=[{"paramName": "c", "optionsEndpoint": "options/countries"}])
    assert caller.get("/options/countries").json() == [
        {"label": "Latvia", "value": "LV", "extraInfo": {"description": "Baltic"}},
        {"label": "2", "value": 2},
    ]


def test_a_row_limit_cuts_and_says_so(caller: Client, define_query: Define, define_widget: Define) -> None:
    define_query(rows=2)
    define_widget(query="prices")
    response = caller.get("/prices")
    assert len(response.json()) == 2
    assert response["X-Truncated"] == '2 rows; row limit of 2, set at the query "prices" or its source'


def test_a_slow_query_is_answered_at_its_limit(caller: Client, define_query: Define, define_widget: Define) -> None:
    slow = "select count(*) as n from range(1000000000) a, range(1000000) b where a.range % 7 = b.range % 5"
    define_query("slow", slow, seconds=1)
    define_widget("slow", query="slow")
    response = caller.get("/slow")
    assert response.status_code == 504
    assert "1 s" in error(response)


def test_results_are_kept_as_long_as_the_widget_is_fresh(
    caller: Client, define_query: Define, define_widget: Define
) -> None:
    define_query("now", "select epoch_ms(now()) as t, random() as r")
    define_widget("now", query="now", staleTime=60_000)
    with time_machine.travel(0, tick=False) as clock:
        first = caller.get("/now").content
        clock.shift(59)
        assert caller.get("/now").content == first
        clock.shift(2)
        assert caller.get("/now").content != first


def test_the_querys_own_seconds_win(caller: Client, define_query: Define, define_widget: Define) -> None:
    define_query("dice", "select random() as r", cache_seconds=0)
    define_widget("dice", query="dice", staleTime=60_000)
    assert caller.get("/dice").content != caller.get("/dice").content


def test_results_are_kept_by_value_and_left_when_the_file_changes(
    caller: Client, define_query: Define, define_widget: Define
) -> None:
    define_query("one", "select count(*) as n from prices where ticker = :t")
    define_widget("one", query="one", params=[{"paramName": "t"}])
    assert caller.get("/one?t=AAA").json() == [{"n": 2}]
    assert caller.get("/one?t=BBB").json() == [{"n": 1}]
    path = Path(settings.WIDGETS_FILES) / "market" / "prices.csv"
    path.write_text("day,ticker,price,volume\n2024-01-02,AAA,1,1\n", encoding="utf-8")
    source: Any = catalog.current().queries["one"].source
    source.backend.renewed()
    assert caller.get("/one?t=AAA").json() == [{"n": 1}]


def test_the_payload_sits_at_the_data_key(caller: Client, define_query: Define, define_widget: Define) -> None:
    define_query()
    define_widget(query="prices", data={"dataKey": "results.rows"})
    assert len(caller.get("/prices").json()["results"]["rows"]) == 3


def test_a_chart_follows_theme_and_raw(caller: Client, define_query: Define, define_widget: Define) -> None:
    define_query()
    shape = {"kind": "line", "x": "day", "y": ["price"], "colour": "ticker"}
    define_widget("chart", type="chart", query="prices", shape=shape)
    dark, light = caller.get("/chart").json(), caller.get("/chart?theme=light").json()
    assert {trace["name"] for trace in dark["data"]} == {"AAA", "BBB"}
    assert dark["layout"]["font"] != light["layout"]["font"]
    assert caller.get("/chart?theme=dark").json() == dark
    assert caller.get("/chart?raw=false").json() == dark
    assert [row["price"] for row in caller.get("/chart?raw=true").json()] == [10.5, 11.0, 20.25]


def test_a_note_needs_no_query(caller: Client, define_widget: Define) -> None:
    define_widget("note", type="note", shape={"text": "Prices of {who}."}, params=[{"paramName": "who", "value": "us"}])
    assert json.loads(caller.get("/note").content) == "Prices of us."


def test_a_widget_without_a_source_says_so(caller: Client, define_widget: Define) -> None:
    define_widget()
    response = caller.get("/prices")
    assert response.status_code == 404
    assert "no data source yet" in error(response)


def test_a_type_that_is_not_made_from_queries_says_so(
    caller: Client, define_query: Define, define_widget: Define
) -> None:
    define_query()
    define_widget(type="omni", query="prices")
    define_widget("bare", type="omni")
    response = caller.get("/prices")
    assert response.status_code == 404
    assert "omni" in error(response)
    assert "no data source yet" in error(caller.get("/bare"))


def test_a_draft_is_not_served(caller: Client, define_query: Define, define_widget: Define) -> None:
    define_query()
    define_widget(query="prices")
    Query.objects.update(text="select 1 as draft")
    assert "draft" not in caller.get("/prices").json()[0]
