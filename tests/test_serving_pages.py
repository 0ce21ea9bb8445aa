"""Tables paged by the server: the body of a grid in, one page and the number of rows out."""

from __future__ import annotations

import itertools
import json
import time
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from tests.conftest import Define, refresh
from widgets_app import catalog, serving
from widgets_app.authentication import ANYONE
from widgets_app.catalog import DataRoute
from widgets_app.errors import SourceTimeout
from widgets_app.functions import data_function
from widgets_app.models import Source
from widgets_app.parameters import grid
from widgets_app.sources.files import FilesQuery

pytestmark = pytest.mark.django_db

SHIPS = """vessel,port,flag,draft_m,eta,open
Aurora,RIX,LV,7.4,2026-03-01 08:00:00,true
Birk,RIX,NO,6.1,2026-03-02 00:00:00,false
Cirrus,VNT,LV,9.0,2026-03-02 12:30:00,true
dana,VNT,,,2026-03-05 10:00:00,
"100%_Echo",RIX,LV,8.2,,true
"""
Rows = list[dict[str, Any]]
_calls = itertools.count()


@data_function("test_ships")
def ships() -> Rows:
    """Return the same rows as the file has, without their times."""
    lines = [line.split(",") for line in SHIPS.replace('"', "").splitlines()[1:]]
    return [
        {
            "vessel": vessel, "port": port, "flag": flag or None, "draft_m": float(draft) if draft else None,
            "eta": eta or None, "open": {"true": True, "false": False}.get(is_open),
        }
        for vessel, port, flag, draft, eta, is_open in lines
    ]  # fmt: skip


@pytest.fixture(params=["files", "python"])
def post(request: pytest.FixtureRequest, caller: Client, define_query: Define, define_widget: Define) -> Any:
    """Ask for a page of the ships, once made by DuckDB and once in memory."""
    if request.param == "files":
        (Path(settings.WIDGETS_FILES) / "market" / "ships.csv").write_text(SHIPS, encoding="utf-8")
        define_query("ships", "select * from ships")
    else:
        Source.objects.create(name="code", kind="python")
        define_query("ships", "test_ships", source="code")
    define_widget("ships", type="ssrm_table", query="ships")

    def ask(body: Any = None, **parts: Any) -> Any:
        return caller.post("/ships", json.dumps(parts if body is None else body), content_type="application/json")

    yield ask
    (Path(settings.WIDGETS_FILES) / "market" / "ships.csv").unlink(missing_ok=True)


def names(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    found = answer.json()
    assert set(found) == {"rowData", "rowCount"}
    return [row["vessel"] for row in found["rowData"]]


def test_a_page_has_the_rows_of_its_range_and_the_number_of_all(post: Any) -> None:
    answer = post(startRow=1, endRow=3)
    assert names(answer) == ["Birk", "Cirrus"]
    assert answer.json()["rowCount"] == 5
    assert names(post({})) == ["Aurora", "Birk", "Cirrus", "dana", "100%_Echo"]
    assert names(post(startRow=5, endRow=10)) == []
    assert post(startRow=5, endRow=10).json()["rowCount"] == 5
    assert len(names(post(startRow=0, endRow=0))) == 5


@pytest.mark.parametrize(
    ("sorts", "expected"),
    [
        ([("draft_m", "desc")], ["Cirrus", "100%_Echo", "Aurora", "Birk", "dana"]),
        ([("draft_m", "asc")], ["Birk", "Aurora", "100%_Echo", "Cirrus", "dana"]),
        ([("port", "desc"), ("vessel", "asc")], ["Cirrus", "dana", "100%_Echo", "Aurora", "Birk"]),
        ([("port", "asc")], ["100%_Echo", "Aurora", "Birk", "Cirrus", "dana"]),
    ],
)
def test_sorting_follows_the_list_with_missing_values_last_and_ties_by_the_other_columns(
    post: Any, sorts: list[tuple[str, str]], expected: list[str]
) -> None:
    assert names(post(sortModel=[{"colId": name, "sort": way} for name, way in sorts])) == expected


def text(operator: str, value: str = "") -> dict[str, Any]:
    return {"filterType": "text", "type": operator, "filter": value}


def number(operator: str, value: Any, to: Any = None) -> dict[str, Any]:
    return {"filterType": "number", "type": operator, "filter": value, "filterTo": to}


def date(operator: str, value: str, to: str | None = None) -> dict[str, Any]:
    return {"filterType": "date", "type": operator, "dateFrom": value, "dateTo": to}


DAY = "2026-03-02 00:00:00"
A, B, C, D, E = "Aurora", "Birk", "Cirrus", "dana", "100%_Echo"


@pytest.mark.parametrize(
    ("column", "given", "expected"),
    [
        ("vessel", text("contains", "R"), [A, B, C]),
        ("vessel", text("notContains", "r"), [D, E]),
        ("vessel", text("contains", "%_"), [E]),
        ("vessel", text("contains", "_"), [E]),
        ("vessel", text("equals", "DANA"), [D]),
        ("vessel", text("startsWith", "D"), [D]),
        ("vessel", text("endsWith", "a"), [A, D]),
        ("flag", text("notEqual", "lv"), [B, D]),
        ("flag", text("blank"), [D]),
        ("flag", text("notBlank"), [A, B, C, E]),
        ("draft_m", number("equals", 7.4), [A]),
        ("draft_m", number("notEqual", 7.4), [B, C, E]),
        ("draft_m", number("greaterThan", "7.4"), [C, E]),
        ("draft_m", number("greaterThanOrEqual", 7.4), [A, C, E]),
        ("draft_m", number("lessThan", 7.4), [B]),
        ("draft_m", number("lessThanOrEqual", 7.4), [A, B]),
        ("draft_m", number("inRange", 7, 8.2), [A, E]),
        ("draft_m", {"filterType": "number", "type": "blank"}, [D]),
        ("draft_m", text("contains", "8."), [E]),
        ("eta", date("equals", DAY), [B, C]),
        ("eta", date("notEqual", DAY), [A, D]),
        ("eta", date("greaterThan", DAY), [D]),
        ("eta", date("lessThan", DAY), [A]),
        ("eta", date("inRange", "2026-03-01", DAY), [A, B, C]),
        ("eta", {"filterType": "date", "type": "blank"}, [E]),
        ("flag", {"filterType": "set", "values": ["LV"]}, [A, C, E]),
        ("flag", {"filterType": "set", "values": ["NO", None]}, [B, D]),
        ("flag", {"filterType": "set", "values": []}, []),
        ("draft_m", {"filterType": "set", "values": ["9.0", 6.1, "x"]}, [B, C]),
        ("open", {"filterType": "set", "values": ["false", None]}, [B, D]),
        ("open", {"filterType": "boolean", "filter": True}, [A, C, E]),
        ("open", {"filterType": "boolean", "type": "false"}, [B]),
        ("vessel", {"filterType": "text", "operator": "OR", "conditions": [text("equals", "dana"), text("equals", "birk")]}, [B, D]),
        ("vessel", {"filterType": "text", "operator": "AND", "condition1": text("contains", "r"), "condition2": text("endsWith", "s")}, [C]),
        ("vessel", {"filterType": "multi", "filterModels": [None, {"filterType": "set", "values": [A, D]}]}, [A, D]),
    ],
)  # fmt: skip
def test_a_filter_keeps_the_rows_it_describes(post: Any, column: str, given: Any, expected: list[str]) -> None:
    answer = post(filterModel={column: given})
    assert names(answer) == expected
    assert answer.json()["rowCount"] == len(expected)


def test_filters_of_several_columns_must_all_hold(post: Any) -> None:
    filters = {"port": {"filterType": "set", "values": ["RIX"]}, "draft_m": number("greaterThan", 7)}
    assert names(post(filterModel=filters)) == [A, E]


GROUPS = [{"id": "port", "field": "port"}, {"id": "flag", "field": "flag"}]
DEEPEST = [{"id": "draft_m", "field": "draft_m", "aggFunc": "max"}]


@pytest.mark.parametrize("nested", [False, True])
def test_groups_open_level_by_level(post: Any, nested: bool) -> None:
    def level(*keys: Any) -> Any:
        grouping = {"rowGroupCols": GROUPS, "valueCols": DEEPEST, "groupKeys": list(keys), "pivotMode": False}
        return post(grouping=grouping, rowGroupCols=[]) if nested else post(**grouping)

    assert level().json() == {
        "rowData": [{"port": "RIX", "draft_m": 8.2}, {"port": "VNT", "draft_m": 9.0}], "rowCount": 2
    }  # fmt: skip
    assert level("VNT").json() == {
        "rowData": [{"flag": "LV", "draft_m": 9.0}, {"flag": None, "draft_m": None}], "rowCount": 2
    }  # fmt: skip
    assert names(level("RIX", "LV")) == [A, E]
    assert names(level("VNT", None)) == [D]
    assert names(level("nowhere", "LV")) == []


def test_groups_are_sorted_by_what_they_show_and_count_without_values(post: Any) -> None:
    groups = post(rowGroupCols=GROUPS[:1], sortModel=[{"colId": "vessel", "sort": "asc"}]).json()
    assert groups == {"rowData": [{"port": "RIX", "count": 3}, {"port": "VNT", "count": 2}], "rowCount": 2}
    shown = [
        {"field": "draft_m", "aggFunc": "min"},
        {"field": "vessel", "aggFunc": "last"},
        {"id": "eta", "aggFunc": "count"},
    ]
    order = [{"colId": "draft_m", "sort": "desc"}]
    assert post(rowGroupCols=GROUPS[:1], valueCols=shown, sortModel=order).json()["rowData"] == [
        {"port": "VNT", "draft_m": 9.0, "vessel": "dana", "eta": 2},
        {"port": "RIX", "draft_m": 6.1, "vessel": "100%_Echo", "eta": 3},
    ]


@pytest.mark.parametrize(
    "hostile",
    [
        {"sortModel": [{"colId": 'vessel" desc; drop table ships; --', "sort": "asc"}]},
        {"sortModel": [{"colId": "vessel", "sort": "asc; drop table ships"}]},
        {"sortModel": "vessel", "filterModel": [1], "rowGroupCols": {"id": 1}, "groupKeys": "RIX", "grouping": 5},
        {"sortModel": [None, 5, {"colId": ["vessel"], "sort": "asc"}]},
        {"filterModel": {"1=1 or vessel": text("equals", "x"), "vessel": None, "port": {"filterType": {}}}},
        {"filterModel": {"vessel": text("contains' or 1=1 --", "x")}},
        {"filterModel": {"draft_m": number("equals", "1 or 1=1"), "eta": date("equals", "now(); --")}},
        {"filterModel": {"draft_m": number("greaterThan", "1e999")}},
        {"filterModel": {"vessel": {"filterType": "text", "operator": "OR", "conditions": [[[]]]}}},
        {"rowGroupCols": [{"field": "port, (select 1)"}], "groupKeys": ["RIX'; drop table ships; --"]},
        {"rowGroupCols": [], "valueCols": [{"field": "draft_m", "aggFunc": "sum(1); drop table ships"}]},
    ],
)  # fmt: skip
def test_what_is_hostile_or_odd_is_passed_over(post: Any, hostile: Any) -> None:
    assert names(post(hostile)) == [A, B, C, D, E]


def test_hostile_values_are_only_values(post: Any) -> None:
    assert names(post(filterModel={"vessel": text("equals", "x' or '1'='1")})) == []
    assert names(post(filterModel={"vessel": {"filterType": "set", "values": ["x') or 1=1 --", "Birk"]}})) == [B]
    assert names(post(rowGroupCols=GROUPS[:1], groupKeys=["RIX' or '1'='1"])) == []
    values = [{"field": "draft_m", "aggFunc": "max(1)); drop table ships"}]
    assert post(rowGroupCols=GROUPS[:1], valueCols=values).json()["rowData"][0] == {"port": "RIX", "count": 3}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"[]", "not an object"),
        (b"5", "not an object"),
        (b'{"startRow": -1}', "startRow is no number of a row"),
        (b'{"startRow": 1e300}', "startRow is no number of a row"),
        (b'{"endRow": true}', "endRow is no number of a row"),
        (b'{"startRow": 5, "endRow": 4}', "before startRow"),
        (b"[" * 5000, "not JSON"),
        (b'{"a": "' + b"x" * serving.POST_BYTES + b'"}', "larger than 1024 KB"),
        (
            json.dumps({"filterModel": {"port": {"filterType": "set", "values": [0] * 10_001}}}).encode(),
            "10,001 values",
        ),
        (json.dumps({"filterModel": {str(n): text("equals", "x") for n in range(201)}}).encode(), "201 conditions"),
    ],
    ids=range(12),
)
def test_a_body_that_can_not_be_used_is_400_in_one_line(
    caller: Client, define_query: Define, define_widget: Define, body: bytes, reason: str
) -> None:
    define_query()
    define_widget(type="ssrm_table", query="prices")
    answer = caller.post("/prices", body, content_type="application/json")
    assert answer.status_code == 400
    assert reason in answer.json()["error"]
    assert "\n" not in answer.json()["error"]


def test_a_page_is_capped_and_says_so(
    caller: Client, define_query: Define, define_widget: Define, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grid, "PAGE_ROWS", 2)
    define_query()
    define_widget(type="ssrm_table", query="prices")
    answer = caller.post("/prices", {"startRow": 0, "endRow": 50}, content_type="application/json")
    assert (len(answer.json()["rowData"]), answer.json()["rowCount"]) == (2, 3)
    assert answer["X-Truncated"] == "2 rows; most rows on one page; ask for the next one"
    last = caller.post("/prices", {"startRow": 2, "endRow": 50}, content_type="application/json")
    assert (len(last.json()["rowData"]), last.json()["rowCount"]) == (1, 3)
    assert "X-Truncated" not in last


def test_the_row_limit_of_the_query_leaves_no_hole_in_a_page(
    caller: Client, define_query: Define, define_widget: Define
) -> None:
    define_query(text="select range as n from range(3000)", rows=1000)
    define_widget(type="ssrm_table", query="prices")
    answer = caller.post("/prices", {"startRow": 0, "endRow": 2500}, content_type="application/json")
    assert [row["n"] for row in answer.json()["rowData"]] == list(range(2500))
    assert answer.json()["rowCount"] == 3000
    assert "X-Truncated" not in answer
    assert len(caller.get("/prices").json()) == 1000


def test_a_page_too_large_to_send_whole_is_refused_rather_than_cut(
    caller: Client, define_query: Define, define_widget: Define
) -> None:
    define_query(text="select repeat('x', 100000) as t from range(1000)")
    define_widget(type="ssrm_table", query="prices")
    answer = caller.post("/prices", {"startRow": 0, "endRow": 1000}, content_type="application/json")
    assert answer.status_code == 400
    assert answer.json()["error"] == "1,000 rows take more than 64 MB. Ask for fewer rows at a time."
    assert caller.post("/prices", {"startRow": 0, "endRow": 9}, content_type="application/json").status_code == 200


@data_function("test_numbers")
def numbers() -> Rows:
    """Return other rows with each call."""
    first = next(_calls)
    return [{"call": first, "n": n} for n in range(5 + first)]


@pytest.fixture
def post_numbers(caller: Client, define_query: Define, define_widget: Define) -> Any:
    """Ask for a page of the numbers; keyword arguments of the query come first."""
    Source.objects.create(name="code", kind="python", slots=1)

    def ask(body: Any, **query: Any) -> Any:
        if query:
            define_query("numbers", "test_numbers", source="code", **query)
            define_widget("numbers", type="ssrm_table", query="numbers")
        return caller.post("/numbers", body, content_type="application/json")

    return ask


def test_pages_of_rows_in_memory_are_made_of_the_result_that_is_kept(post_numbers: Any) -> None:
    first = post_numbers({"startRow": 0, "endRow": 2}, cache_seconds=60).json()
    second = post_numbers({"startRow": 2, "endRow": 4}).json()
    assert {row["call"] for row in first["rowData"] + second["rowData"]} == {first["rowData"][0]["call"]}
    assert [row["n"] for row in first["rowData"] + second["rowData"]] == [0, 1, 2, 3]


def test_pages_of_rows_in_memory_that_are_not_kept_are_of_the_newest(post_numbers: Any) -> None:
    first = post_numbers({"startRow": 0, "endRow": 2}, cache_seconds=0).json()
    second = post_numbers({"startRow": 0, "endRow": 2}).json()
    assert second["rowData"][0]["call"] == first["rowData"][0]["call"] + 1
    assert second["rowCount"] == first["rowCount"] + 1


def test_pages_of_rows_that_a_limit_cut_say_so(post_numbers: Any) -> None:
    answer = post_numbers({"startRow": 0, "endRow": 9}, rows=3)
    assert (len(answer.json()["rowData"]), answer.json()["rowCount"]) == (3, 3)
    assert answer["X-Truncated"].startswith("3 rows; row limit of 3, set at the query")


def test_a_page_of_rows_in_memory_takes_a_slot_of_its_source(post_numbers: Any) -> None:
    assert post_numbers({"startRow": 0, "endRow": 2}, cache_seconds=60).status_code == 200
    route = catalog.current().find("numbers", frozenset())
    assert isinstance(route, DataRoute)
    assert route.query is not None
    assert route.query.source is not None
    slots = route.query.source.slots
    assert slots.take()
    try:
        assert post_numbers({"startRow": 2, "endRow": 4}).status_code == 503
    finally:
        slots.release()
    assert post_numbers({"startRow": 2, "endRow": 4}).status_code == 200


def test_all_work_of_one_request_has_one_deadline(define_query: Define) -> None:
    define_query(seconds=1)
    read = serving.reading(catalog.current().queries["prices"], {}, ANYONE, 0)
    read.limited(lambda: time.sleep(0.6))
    started = time.monotonic()
    with pytest.raises(SourceTimeout, match=r"took longer than 1 s"):
        read.limited(lambda: time.sleep(0.8))
    assert time.monotonic() - started < 0.7


def test_the_parameters_of_the_widget_stand_beside_the_range(
    caller: Client, define_query: Define, define_widget: Define
) -> None:
    define_query(text="select * from prices where ticker in :tickers and price > :least")
    params = [
        {"paramName": "tickers", "type": "text", "multiSelect": True, "value": ["AAA", "BBB"]},
        {"paramName": "least", "type": "number", "value": 0},
    ]
    define_widget(type="table_ssrm", query="prices", params=params)

    def prices(**body: Any) -> list[float]:
        answer = caller.post("/prices?least=10.7", {"startRow": 0, **body}, content_type="application/json")
        return [row["price"] for row in answer.json()["rowData"]]

    assert prices() == [11.0, 20.25]
    assert prices(tickers=["AAA"]) == [11.0]
    assert prices(tickers="AAA", least="0") == [10.5, 11.0]
    wrong = caller.post("/prices", {"least": {"a": 1}}, content_type="application/json")
    assert wrong.status_code == 400


def test_a_get_answers_plain_rows(caller: Client, define_query: Define, define_widget: Define) -> None:
    define_query()
    define_widget(type="ssrm_table", query="prices")
    assert len(caller.get("/prices").json()) == 3


def test_a_table_that_is_not_paged_takes_no_post(caller: Client, define_query: Define, define_widget: Define) -> None:
    define_query()
    define_widget(query="prices")
    assert caller.post("/prices", {}, content_type="application/json").status_code == 405


def test_a_paged_table_without_a_query_says_so(caller: Client, define_widget: Define) -> None:
    define_widget(type="ssrm_table")
    answer = caller.post("/prices", {}, content_type="application/json")
    assert answer.status_code == 404
    assert "no data source yet" in answer.json()["error"]


def test_pages_and_counts_are_kept_for_as_long_as_the_data(
    caller: Client, define_query: Define, define_widget: Define, monkeypatch: pytest.MonkeyPatch
) -> None:
    define_query()
    define_widget(type="ssrm_table", query="prices")
    made: list[str] = []

    def noted(name: str) -> Any:
        real = getattr(FilesQuery, name)

        def called(*given: Any) -> Any:
            made.append(name)
            return real(*given)

        return called

    for name in ("page", "count"):
        monkeypatch.setattr(FilesQuery, name, noted(name))

    def post(**body: Any) -> int:
        rows: int = caller.post("/prices", body, content_type="application/json").json()["rowCount"]
        return rows

    assert [post(startRow=0, endRow=2), post(startRow=0, endRow=2)] == [3, 3]
    assert made == ["page", "count"]
    # Another page in another order has the same number of rows.
    assert post(startRow=1, endRow=2, sortModel=[{"colId": "price", "sort": "asc"}]) == 3
    assert made == ["page", "count", "page"]
    # A page that ends before its range tells the number by itself.
    assert post(startRow=0, endRow=2, filterModel={"ticker": text("equals", "bbb")}) == 1
    assert made[3:] == ["page"]
    refresh()


def test_both_names_of_the_type_answer_alike(caller: Client, define_query: Define, define_widget: Define) -> None:
    define_query()
    define_widget("old", type="table_ssrm", query="prices", data={"dataKey": "results"})
    answer = caller.post("/old", {"startRow": 0, "endRow": 1}, content_type="application/json").json()
    assert answer["results"]["rowCount"] == 3
