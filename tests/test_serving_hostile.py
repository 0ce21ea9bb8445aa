"""Whatever a grid sends: an answer, or one line that says what is wrong; never an error of ours, never SQL."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, given
from hypothesis import settings as budget
from hypothesis import strategies as st

from tests.conftest import Define
from widgets_app.functions import data_function
from widgets_app.models import Source

pytestmark = pytest.mark.django_db

# A column of every type, some with names that need quoting.
EVERY = """
select * from (values
    (1, 1.5, 'a', true, date '2024-01-02', timestamp '2024-01-02 03:04:05', timestamptz '2024-01-02 03:04:05+02',
     'x"y', [1, 2], {'k': 1}),
    (null, 'inf'::double, '', false, null, null, null, null, null, null),
    (170141183460469231731687303715884105727::hugeint, -0.0, 'Ünï', null, date '9999-12-31',
     timestamp '1970-01-01', null, '%_', [], {'k': null})
) t("whole", "half", "word", "flag", "day", "moment", "zoned", "we""ird; --", "list", "object")
"""
COLUMNS = ("whole", "half", "word", "flag", "day", "moment", "zoned", 'we"ird; --', "list", "object")

hostile = st.sampled_from([
    "", "\0", "a\0b", "word\0", "ﬃ", "\u202e", "'; drop table t; --", '"', "word; --", "select 1", "1 or 1=1", "%", "_",
    "!", "null", "NaN", "Infinity", "-1e400", "9" * 400, "0x10", "2024-02-30", "2024-01-02 03:04:05", "true", "١٢",
    "9999-12-31 00:00:00", "0001-01-01", "2024-01-02T00:00:00+99:00", "\ud83d\ude00", "$1", ":x", "{}", "word.k",
])  # fmt: skip
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(min_value=-(2**63), max_value=2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    hostile,
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(hostile, inner, max_size=3), max_leaves=8
)
names = st.one_of(st.sampled_from(COLUMNS), st.sampled_from(COLUMNS).map(str.upper), hostile)
operators = st.sampled_from([
    "contains", "notContains", "equals", "notEqual", "startsWith", "endsWith", "blank", "notBlank", "greaterThan",
    "greaterThanOrEqual", "lessThan", "lessThanOrEqual", "inRange", "true", "false", "like", "",
])  # fmt: skip
condition = st.fixed_dictionaries(
    {},
    optional={
        "filterType": st.sampled_from(["text", "number", "date", "set", "boolean", "multi", "none"]) | anything,
        "type": operators | anything,
        "filter": anything,
        "filterTo": anything,
        "dateFrom": anything,
        "dateTo": anything,
        "values": st.lists(scalars, max_size=4) | anything,
    },
)
filters = st.recursive(
    condition,
    lambda inner: st.one_of(
        st.fixed_dictionaries({"operator": st.sampled_from(["AND", "OR"]), "conditions": st.lists(inner, max_size=3)}),
        st.fixed_dictionaries({"operator": st.just("OR"), "condition1": inner, "condition2": inner}),
        st.fixed_dictionaries({"filterType": st.just("multi"), "filterModels": st.lists(inner, max_size=3)}),
    ),
    max_leaves=8,
)
columns = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "id": names | anything,
            "field": names | anything,
            "aggFunc": st.sampled_from(["sum", "avg", "min", "max", "count", "first", "last", "median"]) | anything,
        },
    )
    | anything,
    max_size=4,
)
numbers: list[Any] = [0, 1, 2, 5, 100, 10**6, 2**53, -1, 2**64 - 1, 1.5, "3", "-3", "x", None, True, [], {}]
rows = st.sampled_from(numbers) | anything
grouping = {
    "rowGroupCols": columns | anything,
    "valueCols": columns | anything,
    "pivotCols": columns | anything,
    "groupKeys": st.lists(scalars, max_size=3) | anything,
    "pivotMode": st.booleans() | anything,
}
bodies = st.fixed_dictionaries(
    {},
    optional={
        "startRow": rows,
        "endRow": rows,
        "sortModel": st.lists(
            st.fixed_dictionaries(
                {"colId": names | anything, "sort": st.sampled_from(["asc", "desc", "up"]) | anything}
            ),
            max_size=4,
        )
        | anything,
        "filterModel": st.dictionaries(names, filters | anything, max_size=3) | anything,
        **grouping,
        "grouping": st.fixed_dictionaries({}, optional=grouping) | anything,
        "word": anything,
        "least": anything,
        "api_key": anything,
        "raw": anything,
        "theme": anything,
    },
)


@data_function("test_every_type")
def every_type(word: str | None = None, least: float | None = None) -> list[dict[str, Any]]:
    """Return rows as no source should return them, but may: cells of one column of several types."""
    return [
        {"whole": 1, "half": 1.5, "word": "a", "flag": True, "day": "2024-01-02", "moment": "2024-01-02T03:04:05",
         "zoned": "2024-01-02T03:04:05Z", 'we"ird; --': 'x"y', "list": [1, 2], "object": {"k": 1}},
        dict.fromkeys(COLUMNS),
        {"whole": 2**100, "half": "2", "word": 7, "flag": "false", "day": "soon", "moment": 5, "zoned": None,
         'we"ird; --': {"k": 1}, "list": 3, "object": []},
    ]  # fmt: skip


@pytest.fixture(params=["files", "python"])
def grid(request: pytest.FixtureRequest, caller: Client, define_query: Define, define_widget: Define) -> Client:
    """A client for a table whose pages DuckDB makes, or this process."""
    if request.param == "files":
        define_query("every", f"{EVERY} where :word is null or word = :word or half > :least")
    else:
        Source.objects.create(name="code", kind="python")
        define_query("every", "test_every_type", source="code")
    params = [{"paramName": "word", "type": "text"}, {"paramName": "least", "type": "number"}]
    define_widget("every", type="ssrm_table", query="every", params=params)
    return caller


def check(answer: Any) -> None:
    """Every answer is a page of rows, or one line."""
    assert answer.status_code in (200, 400), answer.content
    found = answer.json()
    if answer.status_code == 200:
        assert set(found) == {"rowData", "rowCount"}
        assert isinstance(found["rowData"], list)
        assert isinstance(found["rowCount"], int)
        assert len(found["rowData"]) <= found["rowCount"]
    else:
        assert found["error"] == found["detail"]
        assert found["error"].isprintable(), found["error"]


@budget(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(body=bodies | anything)
def test_any_json_gets_a_page_or_one_line(grid: Client, body: Any) -> None:
    check(grid.post("/every", json.dumps(body), content_type="application/json"))


def right(kind: str, *keys: str) -> Any:
    """Return conditions that are made as grids make them, with values of any sort."""
    given = {"filterType": st.just(kind), "type": operators, **dict.fromkeys(keys, scalars)}
    return st.fixed_dictionaries(given)


right_conditions = st.one_of(
    right("text", "filter"),
    right("number", "filter", "filterTo"),
    right("date", "dateFrom", "dateTo"),
    right("boolean", "filter"),
    st.fixed_dictionaries({"filterType": st.just("set"), "values": st.lists(scalars, max_size=4)}),
)
known = st.sampled_from(COLUMNS)
functions = st.sampled_from(["sum", "avg", "min", "max", "count", "first", "last"])
right_bodies = st.fixed_dictionaries(
    {
        "startRow": st.sampled_from([0, 1, 2**53 - 1]),
        "endRow": st.just(2**53 - 1),
        "filterModel": st.dictionaries(known, right_conditions, max_size=2),
        "sortModel": st.lists(
            st.fixed_dictionaries({"colId": known, "sort": st.sampled_from(["asc", "desc"])}), max_size=2
        ),
        "rowGroupCols": st.lists(st.fixed_dictionaries({"field": known}), max_size=2),
        "valueCols": st.lists(st.fixed_dictionaries({"field": known, "aggFunc": functions}), max_size=2),
        "groupKeys": st.lists(scalars, max_size=2),
    }
)


@budget(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(body=right_bodies)
def test_values_of_any_sort_in_a_right_request_get_a_page(grid: Client, body: Any) -> None:
    answer = grid.post("/every", json.dumps(body), content_type="application/json")
    assert answer.status_code == 200, answer.content
    check(answer)


def nested(kind: str, depth: int) -> str:
    """Return the JSON of a value inside so many others."""
    opening, closing = {
        "list": ("[", "]"),
        "object": ('{"a":', "}"),
        "conditions": ('{"filterType":"text","operator":"OR","conditions":[', "]}"),
        "models": ('{"filterType":"multi","filterModels":[', "]}"),
    }[kind]
    return opening * depth + '{"filterType":"text","type":"equals","filter":"a"}' + closing * depth


DEEP = (
    '{{"filterModel":{{"word":{0}}}}}',
    '{{"filterModel":{{"flag":{{"filterType":{0}}}}}}}',
    '{{"filterModel":{{"flag":{{"filterType":"boolean","filter":{0}}}}}}}',
    '{{"sortModel":[{0}]}}',
    '{{"rowGroupCols":[{{"field":"word"}}],"groupKeys":[{0}]}}',
    '{{"valueCols":[{{"field":{0}}}]}}',
    '{{"grouping":{{"pivotMode":true,"pivotCols":{0}}}}}',
    '{{"startRow":{0}}}',
    '{{"word":{0}}}',
    '{{"raw":{0},"theme":{0}}}',
)


@pytest.mark.parametrize("kind", ["list", "object", "conditions", "models"])
def test_deep_nesting_gets_a_page_or_one_line(grid: Client, kind: str) -> None:
    for body in DEEP:
        # As deep as may be read, deeper than Python writes, and too deep.
        for depth in (10, 450, 900, 1010, 5000):
            check(grid.post("/every", body.format(nested(kind, depth)), content_type="application/json"))


def test_ids_are_only_looked_up(grid: Client) -> None:
    for name in ("word\0", "WORD", "word ", " word", "\uff57ord", "w\u200bord", '"word"', "q.word", "rowid", "*", ""):
        body = {
            "sortModel": [{"colId": name, "sort": "desc"}],
            "filterModel": {name: {"filterType": "text", "type": "equals", "filter": "nothing"}},
            "rowGroupCols": [{"field": name}],
            "valueCols": [{"field": name, "aggFunc": "max"}],
        }
        answer = grid.post("/every", body, content_type="application/json")
        assert (answer.status_code, answer.json()["rowCount"]) == (200, 3), name
