"""Pages of a result: whatever a grid asks for, DuckDB and plain Python give the same rows, page by page."""

from __future__ import annotations

import datetime
import math
import random
import uuid
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings

from tests.sources import plain_pages
from tests.sources.asks import DAY, NUMBER, TIME, WORD, Fields, pages, same
from widgets_app.sources.base import Call, Limits
from widgets_app.sources.files import FilesBackend
from widgets_app.sources.frame import Frame, FrameColumn
from widgets_app.sources.held import held
from widgets_app.sources.json_sql import identifier
from widgets_app.sources.page_sql import Dialect, PageSql
from widgets_app.sources.paging import Aggregate, Condition, PageAsk, PagedQuery, Sort, level_of
from widgets_app.sources.rows import frame_from_rows

NOT_SHOWN = [math.nan, math.inf, -math.inf]
# Columns of the file: DuckDB may skip parts of it that a filter can't match.
STORED: dict[str, tuple[str, list[Any]]] = {
    "word": ("varchar", WORD),
    "whole": ("bigint", NUMBER),
    "price": ("double", [0.5, -1.25, 10.0, 1e20, *NOT_SHOWN]),
    "sorted": ("double", [0.5, -1.25, 10.0]),
    "real": ("float", [0.1, -2.5, 1234.56, 16777216.0, 1e-7, *NOT_SHOWN]),
    "money": ("decimal(10, 2)", [Decimal("1.10"), Decimal(-5), Decimal("99999999.99")]),
    "day": ("date", DAY),
    "at": ("timestamp", TIME),
    "zoned": ("timestamptz", [time.replace(tzinfo=datetime.UTC) for time in TIME]),
    "yes": ("boolean", [True, False]),
    'odd "name"; --': ("varchar", WORD),
}
# Columns that the query makes of text in the file.
MADE: dict[str, tuple[str, list[str]]] = {
    "id": ("uuid", ["6ba7b810-9dad-11d1-80b4-00c04fd430c8", "00000000-0000-0000-0000-000000000000"]),
    "clock": ("time", ["12:00:00", "08:30:00.5"]),
    "clock_zoned": ("timetz", ["12:00:00+02", "08:30:00+00"]),
    "span": ("interval", ["1 day", "1 month", "30 days", "01:00:00"]),
    "data": ("blob", ["\\xAA", "abc"]),
    "bits": ("bit", ["101", "0"]),
    "mood": ("enum('sad', 'glad', 'a')", ["sad", "glad", "a"]),
    "nano": ("timestamp_ns", ["2024-01-01 00:00:00.123456789", "2024-01-01 00:00:00.123456", "2024-01-02", "infinity"]),
    "second": ("timestamp_s", ["2024-01-01 12:00:00", "2024-01-02", "-infinity"]),
    "era": ("date", ["0044-03-15 (BC)", "290000-01-01", "2024-01-02", "infinity", "-infinity"]),
    "era_at": ("timestamp", ["0044-03-15 (BC) 10:00:00", "12000-01-01", "2024-01-02 12:00:00", "-infinity"]),
    "era_zoned": ("timestamptz", ["0044-03-15 (BC) 10:00:00+00", "12000-01-01", "2024-01-02 12:00:00", "infinity"]),
    "tiny": ("utinyint", ["0", "5", "255"]),
    "huge": ("hugeint", [str(2**127 - 1), "-5", "9007199254740993"]),
    "unsigned": ("uhugeint", ["5", "7"]),
    "big": ("bignum", ["5", "-7", "0"]),
    "exact": ("decimal(38, 0)", ["5", "-12345678901234567890123456789012345678"]),
    "wide": ("decimal(38, 10)", ["1.5", "12345678901234567890.1234567891", "-0.1"]),
    "empty": ("integer", [""]),
}
FIELDS = {**STORED, **MADE}
# As pages show them, and so as groups are opened.
SHOWN = [
    *(text for _, texts in MADE.values() for text in texts), "qg==", "YWJj", "2024-01-01T00:00:00.123456789",
    "2024-01-01T00:00:00.123456", "2024-01-02T12:00:00Z", 0.1, "0.1", 1234.56, 1e-7, 1.1, 1e20, 1.2345678901234567e19,
    "12345678901234567890.1234567891", 99999999.99,
]  # fmt: skip
ASKS = Fields(
    names=FIELDS,
    words=["word", 'odd "name"; --'],
    numeric=[
        "whole", "price", "sorted", "real", "money", "tiny", "huge", "unsigned", "big", "exact", "wide", "empty",
    ],
    dated=["day", "at", "zoned", "nano", "second", "era", "era_at", "era_zoned", "id"],
    shown=SHOWN,
    inexact=["real", "money", "wide", "price"],
).asks()  # fmt: skip


def write(folder: Path) -> str:
    """Write a table with all kinds of values, equal ones and missing ones among them; return the query of it."""
    chance = random.Random(7)  # noqa: S311  data, not secrets
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        kinds = {**{name: kind for name, (kind, _) in STORED.items()}, **dict.fromkeys(MADE, "varchar")}
        columns = ", ".join(f"{identifier(name)} {kind}" for name, kind in kinds.items())
        connection.execute(f"create table t ({columns})")
        for _ in range(80):
            row = [chance.choice([None, *values, *values]) or None for _, values in FIELDS.values()]
            connection.execute(f"insert into t values ({', '.join('?' * len(FIELDS))})", row)
        connection.execute(f"copy t to '{folder}/t.parquet'")
    made = ", ".join(f"{name}::{kind} as {name}" for name, (kind, _) in MADE.items())
    return f"select * replace ({made}) from t -- all of it"


@given(ASKS)
@hypothesis_settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_page_is_what_plain_python_makes_of_all_rows(table: tuple[PagedQuery, Frame], ask: PageAsk):
    query, whole = table
    expected, total = plain_pages.page(whole, ask)
    assert same(pages(query, ask), expected)
    assert query.count({}, ask, Limits(), Call()) == total


@pytest.fixture
def table(folder: Path, backend: FilesBackend) -> tuple[PagedQuery, Frame]:
    """A query, and all its rows."""
    query = backend.prepare(write(folder))
    return query, query.run({}, Limits(), Call())


def in_memory() -> Frame:
    """Return rows as a Python function may make them."""
    chance = random.Random(7)  # noqa: S311  data, not secrets
    values: dict[str, list[Any]] = {
        **{name: given for name, (_, given) in STORED.items() if name != "real"},
        "huge": [2**100, -5],
        "wide": [Decimal("1.5"), Decimal("-0.1")],
        "id": [uuid.UUID(int=5), uuid.UUID(int=7)],
        "data": [b"\xaa", b"abc"],
        "clock": [datetime.time(12)],
        "era": [datetime.date(1, 1, 1), datetime.date(9999, 12, 31)],
        "mixed": ["a", 5, None],
        "list": [[1, "a"], {"b": None}],
        "": [1.5, 2],
    }
    rows = [{name: chance.choice([None, *given, *given]) for name, given in values.items()} for _ in range(80)]
    return frame_from_rows(rows, Limits())


IN_MEMORY = held(in_memory(), "code").query


@given(ASKS)
@hypothesis_settings(max_examples=100, deadline=None)
def test_any_page_of_rows_in_memory_is_what_plain_python_makes_of_them(ask: PageAsk):
    expected, total = plain_pages.page(IN_MEMORY.run({}, Limits(), Call()), ask)
    assert same(pages(IN_MEMORY, ask), expected)
    assert IN_MEMORY.count({}, ask, Limits(), Call()) == total


def test_300_000_rows_of_several_threads_keep_their_order(folder: Path, backend: FilesBackend, settings: Any):
    settings.WIDGETS_DUCKDB_THREADS = 4
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


def test_the_types_of_columns_may_depend_on_the_values_of_placeholders(backend: FilesBackend):
    query = backend.prepare("select :x as x, 1 as n")
    ask = PageAsk(0, 9, (Sort("x"),), (Condition("x", "text", "notEqual", ("no",)),), ("x",))
    for value in (5, "text", 0.5, datetime.date(2024, 1, 2), datetime.datetime(2024, 1, 2, 12), True, 5):
        shown = query.run({"x": value}, Limits(), Call()).rows()[0]["x"]
        for _ in range(2):
            assert query.page({"x": value}, ask, Limits(), Call()).rows() == [{"x": shown, "count": 1}]


def test_pages_follow_a_file_that_gets_other_columns(backend: FilesBackend, write_parquet: Callable[[str, str], None]):
    write_parquet("t.parquet", "select 1.5::double as n")
    query, ask = backend.prepare("select * from t"), PageAsk(0, 9, (Sort("n", descending=True),))
    assert query.page({}, ask, Limits(), Call()).rows() == [{"n": 1.5}]
    write_parquet("t.parquet", "select unnest(['nan'::double, 2]) as n, 'x' as other")
    backend.look_again()
    assert query.page({}, ask, Limits(), Call()).rows() == [{"n": 2.0, "other": "x"}, {"n": None, "other": "x"}]


@pytest.mark.parametrize(
    ("kind", "text"),
    [("float", "0.1"), ("uuid", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"), ("interval", "1 day"), ("date", "12000-01-01"),
     ("timestamp_ns", "2024-01-01 00:00:00.123456789"), ("timestamptz", "0044-03-15 (BC) 10:00:00+00"),
     ("decimal(38, 10)", "12345678901234567890.1234567891"), ("double", "nan"), ("blob", "abc")],
)  # fmt: skip
def test_a_group_is_opened_by_what_it_shows(backend: FilesBackend, kind: str, text: str):
    query = backend.prepare(f"select '{text}'::{kind} as g")
    groups = PageAsk(0, 9, groups=("g",))
    (group,) = query.page({}, groups, Limits(), Call()).rows()
    # A grid sends keys as text.
    key = None if group["g"] is None else str(group["g"])
    assert query.page({}, replace(groups, keys=(key,)), Limits(), Call()).row_count == group["count"] == 1


def test_a_sum_of_floats_has_the_digits_that_they_show(backend: FilesBackend):
    query = backend.prepare("select unnest([0.1, 1234.56, 16777216, 123456.7, 1e-7])::float as x, 1 as g")
    ask = PageAsk(0, 9, groups=("g",), aggregates=(Aggregate("x", "sum"),))
    (row,) = query.page({}, ask, Limits(), Call()).rows()
    assert row["x"] == pytest.approx(0.1 + 1234.56 + 16777216 + 123456.7 + 1e-7, rel=1e-15)


def test_a_sum_too_large_for_its_type_is_no_error(backend: FilesBackend):
    query = backend.prepare(f"select unnest([{2**127 - 1}::hugeint, 1]) as n, unnest([1e308, 1e308]) as x, 1 as g")
    ask = PageAsk(0, 9, groups=("g",), aggregates=(Aggregate("n", "sum"), Aggregate("x", "sum")))
    assert query.page({}, ask, Limits(), Call()).rows() == [{"g": 1, "n": float(2**127), "x": None}]


def test_names_that_differ_in_case_alone_stay_apart_in_memory():
    query = held(frame_from_rows([{"a": 1, "A": 2, "": 3}], Limits()), "code").query
    assert query.page({}, PageAsk(0, 9), Limits(), Call()).rows() == [{"a": 1, "A_1": 2, "column": 3}]


def test_a_result_without_rows_has_a_page_without_rows():
    query = held(frame_from_rows([], Limits()), "code").query
    assert query.page({}, PageAsk(0, 9), Limits(), Call()).rows() == []
    assert query.count({}, PageAsk(0, 9), Limits(), Call()) == 0


def test_all_pages_of_a_level_are_one_statement():
    level = level_of(PageAsk(0, 5, (Sort("a"),)), [FrameColumn("a", "text")])
    assert PageSql("select 1", level, MySql(), ()).rows(0, 10) == PageSql("select 1", level, MySql(), ()).rows(70, 10)


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


class MySql(Dialect):
    name = "mysql"


def test_text_in_other_dialects_is_quoted_and_bound_in_their_way():
    conditions = (Condition('a"b', "text", "contains", ("x",)), Condition('a"b', "set", "in", ("x", "y", None)))
    level = level_of(PageAsk(0, 5, (Sort('a"b', descending=True),), conditions), [FrameColumn('a"b', "text")])
    paged = PageSql("select 1 # odd", level, MySql(), ("f_",))
    assert paged.rows(5, 10) == (
        'SELECT * FROM (\nselect 1 # odd\n) AS `q` WHERE LOWER(`q`.`a"b`) LIKE LOWER(:f__0) '
        'AND (`q`.`a"b` IN (:f__1, :f__2) OR `q`.`a"b` IS NULL) ORDER BY `q`.`a"b` DESC LIMIT :f__3 OFFSET :f__4'
    )
    assert paged.values == {"f__0": "%x%", "f__1": "x", "f__2": "y", "f__3": 10, "f__4": 5}
