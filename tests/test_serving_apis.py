"""Widgets over JSON APIs: tables, charts, dropdowns and paged tables, through HTTP, with errors told and results kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from tests.conftest import Define, refresh
from tests.sources.api import TOKEN, Api, Asked, Given, served
from widgets_app.models import Source
from widgets_app.sealing import seal
from widgets_app.services.keys import key_issue

pytestmark = pytest.mark.django_db

DAYS = [{"date": f"2026-01-{day:02}", "close": day + 0.5, "meta": {"currency": "EUR"}} for day in range(1, 29)]
TEXT = """
GET /v1/prices/:ticker?from=:start&page=1
rows: data.items
columns: date as day, close, meta.currency
next: page + 1
"""
PARAMS = [{"paramName": "ticker", "type": "text", "value": "AAA"}, {"paramName": "start", "type": "date"}]


def answer(asked: Asked) -> Any:
    """Answer as an API of prices does, ten days at a time."""
    if asked.raw_path == "/v1/tickers":
        return {"AAA": {"name": "Alpha"}, "BBB": {"name": "Beta"}}
    if asked.raw_path not in ("/v1/prices/AAA", "/v1/prices/BRK.B"):
        return Given({"detail": "There is no such ticker."}, 404)
    page = int(asked.values["page"]) - 1
    days = [day for day in DAYS if str(day["date"]) >= asked.values.get("from", "")]
    return {"data": {"items": days[page * 10 : page * 10 + 10]}}


@pytest.fixture
def api(db: None) -> Iterator[Api]:
    with served() as api:
        api.answer = answer
        options = {"url": f"http://127.0.0.1:{api.port}", "private_hosts": ["127.0.0.1"]}
        secrets = seal({"headers": {"Authorization": f"Bearer {TOKEN}"}})
        Source.objects.create(name="api", kind="http", options=options, secrets=secrets)
        yield api


@pytest.fixture
def prices(api: Api, define_query: Define) -> None:
    define_query("api-prices", TEXT, source="api")


def test_a_table_has_the_rows_of_all_pages(caller: Client, define_widget: Define, prices: None, api: Api) -> None:
    define_widget("prices", query="api-prices", params=PARAMS)
    found = caller.get("/prices").json()
    assert len(found) == len(DAYS)
    assert found[0] == {"day": "2026-01-01", "close": 1.5, "meta_currency": "EUR"}
    assert len(caller.get("/prices", {"start": "2026-01-20"}).json()) == 9
    assert api.asked[-1].values == {"from": "2026-01-20", "page": "2"}
    assert all(asked.headers["authorization"] == f"Bearer {TOKEN}" for asked in api.asked)
    assert not any("x-api-key" in asked.headers for asked in api.asked)


def test_a_result_is_kept_as_any_other(caller: Client, define_widget: Define, prices: None, api: Api) -> None:
    define_widget("prices", query="api-prices", params=PARAMS)
    first = caller.get("/prices")
    count = len(api.asked)
    assert caller.get("/prices").content == first.content
    assert len(api.asked) == count


def test_a_chart_is_drawn(caller: Client, define_widget: Define, prices: None) -> None:
    define_widget("chart", query="api-prices", type="chart", params=PARAMS, shape={"x": "day", "y": ["close"]})
    figure = caller.get("/chart").json()
    assert figure["data"][0]["x"][:2] == ["2026-01-01", "2026-01-02"]


def test_a_dropdown_offers_what_an_api_has(
    caller: Client, api: Api, define_query: Define, define_widget: Define
) -> None:
    define_query("tickers", "GET /v1/tickers\nkey: value\ncolumns: value, name as label", source="api")
    params = [{"paramName": "ticker", "type": "endpoint", "optionsEndpoint": "options/tickers"}]
    define_query("api-prices", TEXT, source="api")
    define_widget("prices", query="api-prices", params=[*params, PARAMS[1]])
    assert caller.get("/options/tickers").json() == [
        {"value": "AAA", "label": "Alpha"}, {"value": "BBB", "label": "Beta"}
    ]  # fmt: skip


def test_a_paged_table_sorts_and_filters_what_an_api_gives(
    caller: Client, define_widget: Define, prices: None, api: Api
) -> None:
    define_widget("paged", type="ssrm_table", query="api-prices", params=PARAMS)
    ask = {
        "startRow": 0, "endRow": 2, "ticker": "BRK.B", "sortModel": [{"colId": "close", "sort": "desc"}],
        "filterModel": {"day": {"filterType": "date", "type": "lessThan", "dateFrom": "2026-01-11 00:00:00"}},
    }  # fmt: skip
    for start in (0, 2):
        page = caller.post(
            "/paged", json.dumps({**ask, "startRow": start, "endRow": start + 2}), content_type="application/json"
        )
        assert page.status_code == 200, page.content
        assert page.json()["rowCount"] == 10
        assert [row["day"] for row in page.json()["rowData"]] == [f"2026-01-{10 - start - n:02}" for n in range(2)]
    assert len(api.asked) == 4


@pytest.mark.parametrize(
    ("ticker", "status", "message"),
    [
        ("ZZZ", 400, "There is no such ticker."),
        ("../admin", 400, "would lead to another path"),
        ("a/../../b", 400, "would lead to another path"),
    ],
)
def test_values_that_can_not_be_are_told(
    ticker: str, status: int, message: str, caller: Client, define_widget: Define, prices: None
) -> None:
    define_widget("prices", query="api-prices", params=PARAMS)
    answer = caller.get("/prices", {"ticker": ticker})
    assert answer.status_code == status
    assert message in answer.json()["detail"]


def test_a_path_without_its_value_is_told(caller: Client, define_widget: Define, prices: None) -> None:
    define_widget("prices", query="api-prices", params=[{"paramName": "ticker", "type": "text"}, PARAMS[1]])
    answer = caller.get("/prices")
    assert (answer.status_code, answer.json()["detail"]) == (
        400,
        'The path of the request needs a value for "ticker". Send one.',
    )


@pytest.mark.parametrize(
    ("given", "status", "message"),
    [
        (Given(status=401), 502, "refuses the login of the source with 401 (Unauthorized). Check its headers."),
        (Given(b"<html>", headers={"content-type": "text/html"}), 502, "a web page (text/html, status 200)"),
        (Given(status=429, headers={"retry-after": "99"}), 503, "takes no more requests for now"),
        (Given({"error": "quota"}), 502, "sent nothing at data.items. It has error."),
    ],
)
def test_a_failure_of_the_api_is_told(
    given: Given, status: int, message: str, caller: Client, define_widget: Define, prices: None, api: Api
) -> None:
    define_widget("prices", query="api-prices", params=PARAMS)
    api.answer = lambda _: given
    answer = caller.get("/prices")
    assert answer.status_code == status
    assert message in answer.json()["detail"]
    assert TOKEN not in answer.content.decode()
    assert "127.0.0.1" not in answer.content.decode()
    assert answer.headers.get("Retry-After") == ("99" if status == 503 else None)


def test_rows_beyond_the_limit_are_told(caller: Client, api: Api, define_query: Define, define_widget: Define) -> None:
    define_query("api-prices", TEXT, source="api", rows=15)
    define_widget("prices", query="api-prices", params=PARAMS)
    answer = caller.get("/prices")
    assert (len(answer.json()), answer["X-Truncated"]) == (
        15,
        '15 rows; row limit of 15, set at the query "api-prices" or its source',
    )
    assert len(api.asked) == 2


def test_pages_beyond_their_number_are_told(
    caller: Client, api: Api, define_query: Define, define_widget: Define
) -> None:
    define_query("api-prices", f"{TEXT}pages: 2\n", source="api")
    define_widget("prices", query="api-prices", params=PARAMS)
    told = '20 rows; pages that the query "api-prices" may read, or largest answer of its source'
    asked = ["/prices", "/prices", "/-/export/prices.csv"]
    assert [caller.get(path)["X-Truncated"] for path in asked] == [told, told, told]


def test_one_source_serves_rows_and_passes_on(caller: Client, define_widget: Define, prices: None, api: Api) -> None:
    define_widget("prices", query="api-prices", params=PARAMS)
    define_widget("v1/tickers", upstream="api")
    assert len(caller.get("/prices").json()) == len(DAYS)
    assert caller.get("/v1/tickers").json()["AAA"] == {"name": "Alpha"}


def test_an_api_is_asked_for_the_rows_of_the_caller(api: Api, define_query: Define, define_widget: Define) -> None:
    api.answer = lambda asked: [{"desk": desk} for desk in ("x", "y") if asked.values.get("desk", desk) == desk]
    define_query("desks", "GET /desks?desk=:key_desk", source="api")
    define_widget("desks", query="desks")
    found = {}
    for name, rows in {"own": {"desk": ["y"]}, "all": {"desk": ["*"]}, "none": {}}.items():
        _, text = key_issue(name=name, rows=rows)
        refresh()
        answer = Client(headers={"X-API-KEY": text}).get("/desks", {"desk": "x", "key_desk": "x"})
        found[name] = answer.json() if answer.status_code == 200 else answer.status_code
    assert found == {"own": [{"desk": "y"}], "all": [{"desk": "x"}, {"desk": "y"}], "none": 403}
