"""Pages of a result: whatever a grid asks for, DuckDB and plain Python give the same rows, page by page."""

from __future__ import annotations

import datetime
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from widgets_app.sources import folder as folder_module
from widgets_app.sources import page_rows
from widgets_app.sources.base import Call, Limits
from widgets_app.sources.files import FilesBackend
from widgets_app.sources.frame import Frame, FrameColumn
from widgets_app.sources.json_sql import identifier
from widgets_app.sources.page_sql import PageSql
from widgets_app.sources.paging import Aggregate, Condition, PageAsk, PagedQuery, Sort, Together, level_of

WORD = ["", " ", "a", "A", "ab", "b", "a_b", "a%b", "a!b", "it's", "10", "2024-01-02"]
NUMBER = [-3, -1, 0, 1, 2, 3, 2**53 + 1, -(2**60)]
DAY = [datetime.date(2024, 1, day) for day in (1, 2, 3, 4)]
TIME = [datetime.datetime(2024, 1, day, hour) for day in (1, 2, 3) for hour in (0, 12)]
FIELDS: dict[str, tuple[str, list[Any]]] = {
    "word": ("varchar", WORD),
    "whole": ("bigint", NUMBER),
    "price": ("double", [0.5, -1.25, 10.0]),
    "day": ("date", DAY),
    "at": ("timestamp", TIME),
    "zoned": ("timestamptz", [time.replace(tzinfo=datetime.UTC) for time in TIME]),
    "yes": ("boolean", [True, False]),
    'odd "name"; --': ("varchar", WORD),
}
WORDS, NUMBERS = st.sampled_from(WORD), st.sampled_from(NUMBER)
DAYS, TIMES = st.sampled_from(DAY), st.sampled_from(TIME)
# What may come for any column: what fits it, what fits another, and what fits none.
VALUES = st.one_of(
    WORDS, NUMBERS, st.booleans(), DAYS.map(str), TIMES.map(str), st.sampled_from(["0.5", "1e999", "nan", "true", "'"])
)
COLUMNS = st.sampled_from([*FIELDS, "nothing", "word; drop table t"])
TEXTS = ["contains", "notContains", "equals", "notEqual", "startsWith", "endsWith", "blank", "notBlank", "odd"]
ORDERS = ["equals", "notEqual", "greaterThan", "greaterThanOrEqual", "lessThan", "lessThanOrEqual", "inRange", "blank"]


def conditions(columns: st.SearchStrategy[str], kind: Any, operators: list[str], values: Any) -> Any:
    given = st.lists(values, min_size=0 if kind == "set" else 2, max_size=3).map(tuple)
    return st.builds(Condition, columns, st.just(kind), st.sampled_from(operators), given)


CONDITIONS = st.one_of(
    conditions(st.sampled_from(["word", 'odd "name"; --']), "text", TEXTS, WORDS),
    conditions(st.sampled_from(["whole", "price"]), "number", ORDERS, NUMBERS | st.sampled_from([0.5, "0.5"])),
    conditions(st.sampled_from(["day", "at", "zoned", "word"]), "date", ORDERS, TIMES.map(str) | DAYS.map(str)),
    conditions(COLUMNS, "set", ["in"], VALUES | st.none()),
    conditions(st.just("yes"), "boolean", ["in", "blank"], st.booleans()),
    conditions(COLUMNS.filter(lambda name: name != "word"), "number", ORDERS, VALUES),
    conditions(COLUMNS, "date", ORDERS, VALUES),
)
FILTERS = CONDITIONS | st.builds(Together, st.lists(CONDITIONS, min_size=1, max_size=3).map(tuple), st.booleans())
ASKS = st.builds(
    PageAsk,
    start=st.just(0),
    end=st.just(100),
    sorts=st.lists(st.builds(Sort, COLUMNS, st.booleans()), max_size=3).map(tuple),
    filters=st.lists(FILTERS, max_size=2).map(tuple),
    groups=st.just(()) | st.lists(COLUMNS, max_size=3).map(tuple),
    aggregates=st.lists(
        st.builds(Aggregate, COLUMNS, st.sampled_from(["sum", "avg", "min", "max", "count", "first", "last"])),
        max_size=3,
    ).map(tuple),
    keys=st.lists(VALUES | st.none(), max_size=2).map(tuple),
)


def pages(query: PagedQuery, ask: PageAsk, size: int = 33) -> list[dict[str, Any]]:
    """Return all rows of a level, fetched in pages."""
    rows: list[dict[str, Any]] = []
    total = query.count({}, ask, Limits(), Call())
    while len(rows) < total:
        found = query.page({}, replace(ask, start=len(rows), end=len(rows) + size), Limits(), Call()).rows()
        assert found, "a page within the total is empty"
        rows += found
    return rows


def write(folder: Path) -> None:
    """Write a table with all kinds of values, equal ones and missing ones among them."""
    chance = random.Random(7)  # noqa: S311  data, not secrets
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        columns = ", ".join(f"{identifier(name)} {kind}" for name, (kind, _) in FIELDS.items())
        connection.execute(f"create table t ({columns})")
        for _ in range(80):
            row = [chance.choice([None, *values, *values]) for _, values in FIELDS.values()]
            connection.execute(f"insert into t values ({', '.join('?' * len(FIELDS))})", row)
        connection.execute(f"copy t to '{folder}/t.parquet'")


@given(ASKS)
@hypothesis_settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_page_is_what_plain_python_makes_of_all_rows(table: tuple[PagedQuery, Frame], ask: PageAsk):
    query, whole = table
    expected, total = page_rows.page(whole, ask)
    assert pages(query, ask) == expected.rows()
    assert query.count({}, ask, Limits(), Call()) == total


@pytest.fixture
def table(folder: Path, backend: FilesBackend) -> tuple[PagedQuery, Frame]:
    """A query, and all its rows."""
    write(folder)
    query = backend.prepare("select * from t -- all of it")
    return query, query.run({}, Limits(), Call())


def test_300_000_rows_of_several_threads_keep_their_order(
    folder: Path, backend: FilesBackend, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(folder_module, "THREADS", 4)
    with duckdb.connect() as connection:
        made = "select i as id, i * 7919 % 1000 as price, 'name ' || (i % 3) as name from range(300000) r(i)"
        connection.execute(f"copy ({made}) to '{folder}/t.parquet'")
    query = backend.prepare("select * from t")
    for sorts, expected in [
        ((), range(300_000)),
        ((Sort("price", descending=True),), sorted(range(300_000), key=lambda i: (-(i * 7919 % 1000), i))),
    ]:
        found: list[int] = []
        for start in range(0, 300_000, 60_000):
            page = query.page({}, PageAsk(start, start + 60_000, sorts), Limits(), Call())
            found += [row["id"] for row in page.rows()]
        assert found == list(expected)
    groups = PageAsk(0, 9, groups=("name",), aggregates=(Aggregate("id", "first"), Aggregate("price", "last")))
    assert query.page({}, groups, Limits(), Call()).rows() == [
        {"name": f"name {n}", "id": n, "price": (299_997 + n) * 7919 % 1000} for n in range(3)
    ]


def test_a_page_of_a_query_with_placeholders_binds_both_kinds_of_values(backend: FilesBackend):
    prices = "(values ('AAA', 1.5), ('AAA', 0), ('BBB', 3)) as prices(ticker, price)"
    query = backend.prepare(f"select :f0 as f0, :F1 as x, price from {prices} where ticker in :many")
    ask = PageAsk(
        0, 9, filters=(Condition("price", "number", "greaterThan", (1,)), Condition("x", "text", "equals", ("B",)))
    )
    values = {"f0": "it's", "F1": "b", "many": ("AAA", "BBB")}
    assert {row["f0"] for row in query.page(values, ask, Limits(), Call()).rows()} == {"it's"}
    assert query.count(values, ask, Limits(), Call()) == 2


@pytest.mark.parametrize("text", ["select 1 as a -- why", "select 1 as a /* x */;", "from (values (1)) as q(a)"])
def test_the_text_of_the_author_may_end_in_anything(backend: FilesBackend, text: str):
    assert backend.prepare(text).page({}, PageAsk(0, 9), Limits(), Call()).rows() == [{"a": 1}]


def test_the_order_of_the_author_holds_where_none_is_asked_for(backend: FilesBackend):
    query = backend.prepare("select range as n from range(5) order by n desc")
    assert [row["n"] for row in query.page({}, PageAsk(1, 3), Limits(), Call()).rows()] == [3, 2]


def test_the_author_may_have_used_our_own_names(backend: FilesBackend):
    query = backend.prepare("select 1 as place, 2 as q, 3 as n, 4 as count, 5 as g")
    ask = PageAsk(0, 9, groups=("count",), aggregates=(Aggregate("place", "first"), Aggregate("q", "sum")))
    assert query.page({}, ask, Limits(), Call()).rows() == [{"count": 4, "place": 1, "q": 2}]
    plain = PageAsk(0, 9, groups=("count",))
    assert query.page({}, plain, Limits(), Call()).rows() == [{"count": 4}]
    assert query.count({}, plain, Limits(), Call()) == 1


def test_a_limit_of_rows_cuts_a_page_and_says_so(backend: FilesBackend):
    frame = backend.prepare("select range as n from range(50)").page({}, PageAsk(0, 20), Limits(rows=5), Call())
    assert (frame.row_count, frame.truncated) == (5, True)


def test_a_part_that_does_not_fit_is_named_in_the_log(backend: FilesBackend, caplog: pytest.LogCaptureFixture):
    query = backend.prepare("select 1 as n, [1] as list")
    ask = PageAsk(
        0,
        9,
        (Sort("secret; drop"),),
        (Condition("n", "date", "equals", ("x",)), Condition("list", "text", "equals", ("x",))),
    )
    assert query.page({}, ask, Limits(), Call()).row_count == 1
    assert "secret; drop" in caplog.text
    assert "a date filter on the column 'n', which holds number: 'equals'" in caplog.text
    assert "the filter by the column 'list'" in caplog.text


def test_text_in_other_dialects_is_quoted_and_bound_in_their_way():
    level = level_of(
        PageAsk(0, 5, (Sort('a"b', descending=True),), (Condition('a"b', "text", "contains", ("x",)),)),
        [FrameColumn('a"b', "text")],
    )
    paged = PageSql("select 1 # odd", level, "mysql", ("f_",), lambda name: f":{name}")
    assert paged.rows(5, 10) == (
        'SELECT * FROM (\nselect 1 # odd\n) AS q WHERE LOWER(`q`.`a"b`) LIKE LOWER(:f__0) '
        'ORDER BY `q`.`a"b` DESC LIMIT 10 OFFSET 5'
    )
    assert paged.values == {"f__0": "%x%"}
