"""Pages that databases make: the same rows as plain Python makes of the whole result, from each of them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import SecretStr

from tests.sources import plain_pages
from tests.sources.asks import DAY, NUMBER, TIME, WORD, Fields, pages, same
from tests.sources.databases import PLACES, Place
from widgets_app.errors import SourceFailed
from widgets_app.sources.base import Call, Limits
from widgets_app.sources.database import DatabaseBackend, DatabaseOptions, PagedDatabaseQuery
from widgets_app.sources.frame import Frame
from widgets_app.sources.page_database import DIALECTS
from widgets_app.sources.paging import Aggregate, Condition, NotPaged, PageAsk, Sort

PRICE = [0.5, -1.25, 10.0, 1e20]
ODD = 'odd "`name]; -- :a %s'
# The type of each column, and the values as SQL.
Columns = dict[str, tuple[str, list[str]]]


def quoted(values: list[Any]) -> list[str]:
    return ["'" + str(value).replace("'", "''") + "'" for value in values]


SHARED: Columns = {
    "whole": ("bigint", list(map(str, NUMBER))),
    "sorted": ("double precision", ["0.5", "-1.25", "10"]),
    "money": ("decimal(10, 2)", ["1.10", "-5", "99999999.99"]),
    "exact": ("decimal(38, 0)", ["5", "-12345678901234567890123456789012345678"]),
    "wide": ("decimal(38, 10)", ["1.5", "12345678901234567890.1234567891", "-0.1"]),
    "day": ("date", quoted(DAY)),
    "empty": ("integer", ["null"]),
    "fixed": ("char(4)", ["'a'", "'A'", "'ab'"]),
    "tiny": ("smallint", ["0", "5", "255"]),
}
COLUMNS: dict[str, Columns] = {
    "postgresql": {
        "word": ("text", quoted([*WORD, "Zoë", "zOË", "a\\b"])),
        ODD: ("varchar(40)", quoted(WORD)),
        **SHARED,
        "price": ("float8", quoted([*PRICE, 1e15, 1.5e-5, -0.0, "nan", "infinity", "-infinity"])),
        "real": ("float4", quoted([0.1, -2.5, 1234.56, 16777216.0, 1e-7, "nan", "infinity"])),
        "loose": ("numeric", quoted(["1.50", "1.5", "-2", "nan", "12345678901234567890", "0.1"])),
        "at": ("timestamp", quoted([*TIME, "2024-01-02 12:00:00.5", "infinity"])),
        "zoned": ("timestamptz", quoted(["2024-01-01 02:00+02", "2024-01-02 12:00Z", "2024-01-03Z", "-infinity"])),
        "era": ("date", quoted(["12000-01-01", "2024-01-02", "infinity"])),
        "yes": ("boolean", ["true", "false"]),
        "id": ("uuid", quoted(["6ba7b810-9dad-11d1-80b4-00c04fd430c8", "00000000-0000-0000-0000-000000000000"])),
        "clock": ("time", quoted(["12:00:00", "08:30:00.5"])),
        "span": ("interval", quoted(["1 day", "1 month", "01:00:00"])),
        "data": ("bytea", quoted(["\\xaa", "abc", "x" * 100])),
        "ip": ("inet", quoted(["10.0.0.1", "10.0.0.0/8"])),
        "doc": ("jsonb", quoted(['{"a": 1}', "[]"])),
        "tags": ("text[]", quoted(["{a,b}", "{}"])),
    },
    "mariadb": {
        "word": ("varchar(40)", [*quoted([*WORD, "Zoë", "zOË", "a ", "á"]), "'a\\\\b'"]),
        ODD: ("text", quoted(WORD)),
        **SHARED,
        "price": ("double", [*map(repr, PRICE), "1e15", "-0e0", "1.5e300"]),
        "real": ("float", ["0.1", "-2.5", "1234.56", "16777216"]),
        "at": ("datetime(6)", quoted([*TIME, "2024-01-02 12:00:00.5", "0000-00-00"])),
        "zoned": ("timestamp null", quoted(TIME)),
        "short": ("datetime", quoted(TIME)),
        "yes": ("boolean", ["true", "false"]),
        "clock": ("time", quoted(["12:00:00", "08:30:00"])),
        "data": ("blob", ["x'aa'", "'abc'", f"'{'x' * 100}'"]),
        "bits": ("bit(3)", ["b'101'", "0"]),
        "mood": ("enum('sad', 'glad', 'a')", quoted(["sad", "glad", "a"])),
        "large": ("bigint unsigned", ["18446744073709551615", "5"]),
        "latin": ("varchar(9) character set latin1", quoted(["é", "a", "A"])),
    },
    "sqlite": {
        "word": ("text collate nocase", quoted([*WORD, "Zoë", "zOË", "a\\b"])),
        ODD: ("", quoted(WORD)),
        "whole": ("integer", [*map(str, NUMBER), str(2**63 - 1), str(-(2**63))]),
        "price": ("real", [*map(repr, PRICE), "1e15", "1.5e-7", "9e999", "-9e999"]),
        "sorted": ("real", ["0.5", "-1.25", "10"]),
        "loose": ("numeric", ["1.5", "5", "-9e999", "9007199254740993", "1e20"]),
        "declared": ("", ["1", "2.5", "3"]),
        "data": ("blob", ["x'aa'", "x'616263'"]),
        "day": ("date", quoted(DAY)),
        "at": ("timestamp", quoted(TIME)),
        "yes": ("boolean", ["0", "1"]),
        "empty": ("integer", ["null"]),
    },
}
NUMERIC = {
    "postgresql": ["whole", "sorted", "money", "exact", "wide", "empty", "tiny", "price", "real", "loose"],
    "mariadb": ["whole", "sorted", "money", "exact", "wide", "empty", "tiny", "price", "real", "yes", "large"],
    "sqlite": ["whole", "price", "sorted", "loose", "declared", "yes"],
}
DATED = {
    "postgresql": ["day", "at", "zoned", "era"],
    "mariadb": ["day", "at", "zoned", "short"],
    "sqlite": ["day", "at"],
}
SHOWN = [
    "qg==", "YWJj", "2024-01-02T12:00:00.5", "2024-01-02T12:00:00Z", 0.1, "0.1", 1234.56, 1.1, 1e20, 1e15, "1e-7",
    1.2345678901234567e19, "12345678901234567890.1234567891", 99999999.99, "-12345678901234567890123456789012345678",
    "1.50", "1.5", "12000-01-01", "10.0.0.0/8", "08:30:00.5", "1 mon", "1 day", "ZOË", "zoë", "a\\b", "\\", "a   ",
    "18446744073709551615", "BQ==", "glad", 16777200.0, "9007199254740993", str(2**63 - 1),
]  # fmt: skip


@dataclass
class Table:
    """A table of a database, all its rows, and what may be asked of it."""

    query: PagedDatabaseQuery
    whole: Frame
    asks: st.SearchStrategy[PageAsk]


def written(place: Place, columns: Columns) -> str:
    """Make a table with all kinds of values, equal ones and missing ones among them; return the query of it."""
    chance = random.Random(7)  # noqa: S311  data, not secrets
    left, right = "``" if place.kind == "mariadb" else '""', "`" if place.kind == "mariadb" else '"'
    names = [right + name.replace(right, left) + right for name in columns]
    types = [kind for kind, _ in columns.values()]
    place.execute(f"create table t ({', '.join(f'{n} {t}' for n, t in zip(names, types, strict=True))})")
    for _ in range(80):
        row = [chance.choice(["null", *values, *values]) for _, values in columns.values()]
        place.execute(f"insert into t values ({', '.join(row)})")
    return "select * from t -- all of it"


@pytest.fixture(scope="module", params=PLACES)
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with PLACES[request.param](tmp_path_factory.mktemp("database")) as found:
        if found.kind == "mariadb":
            found.execute("set sql_mode = '', time_zone = '+00:00'")
        yield found


def prepared(place: Place, text: str) -> PagedDatabaseQuery:
    backend = DatabaseBackend("desk", DatabaseOptions(url=place.url, password=SecretStr(place.password)))
    query = backend.prepare(text)
    assert isinstance(query, PagedDatabaseQuery)
    return query


@pytest.fixture(scope="module")
def table(place: Place) -> Table:
    columns = COLUMNS[place.kind]
    query = prepared(place, written(place, columns))
    fields = Fields(
        names=columns,
        words=["word", ODD],
        numeric=NUMERIC[place.kind],
        dated=DATED[place.kind],
        shown=SHOWN,
        inexact=["price", "real", "money", "wide", "loose", "sorted", "declared"],
    )
    return Table(query, query.run({}, Limits(), Call()), fields.asks())


@given(st.data())
@hypothesis_settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_page_is_what_plain_python_makes_of_all_rows(table: Table, data: st.DataObject) -> None:
    ask = data.draw(table.asks)
    expected, total = plain_pages.page(table.whole, ask)
    assert same(pages(table.query, ask), expected)
    assert table.query.count({}, ask, Limits(), Call()) == total


def page(query: PagedDatabaseQuery, ask: PageAsk, **values: Any) -> list[dict[str, Any]]:
    return query.page(values, ask, Limits(), Call()).rows()


@pytest.fixture(scope="module")
def numbers(place: Place) -> Place:
    """A table of 20,000 rows that no index orders."""
    digits = " union all ".join(f"select {digit} as d" for digit in range(10))
    rows = f"select a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d as n from ({digits}) a, ({digits}) b, ({digits}) c"
    rows += f", ({digits}) e, (select 0 as d union all select 1) f"
    place.execute("create table numbers (n int, g int, name varchar(20))")
    place.execute(f"insert into numbers select n, n * 7919 % 1000, 'name' from ({rows}) r order by n * 7919 % 20011")
    return place


def test_the_order_of_the_author_holds_from_page_to_page_where_none_is_asked_for(numbers: Place) -> None:
    # So many equal values are ordered by nothing but the rows' places.
    query = prepared(numbers, "select n, g from numbers order by g desc")
    whole = [row["n"] for row in query.run({}, Limits(), Call()).rows()]
    found: list[int] = []
    for start in range(0, 20_000, 2_500):
        found += [row["n"] for row in page(query, PageAsk(start, start + 2_500))]
    assert sorted(found) == list(range(20_000))
    groups = [row["g"] for row in page(query, PageAsk(0, 20_000))]
    assert groups == sorted(groups, reverse=True)
    assert len(whole) == 20_000
    ends = PageAsk(0, 9, groups=("g",), aggregates=(Aggregate("n", "first"),))
    query = prepared(numbers, "select n, n % 2 as g from numbers order by n desc")
    assert page(query, ends) == [{"g": 0, "n": 19_998}, {"g": 1, "n": 19_999}]
    ends = PageAsk(0, 9, groups=("g",), aggregates=(Aggregate("n", "last"),))
    assert page(query, ends) == [{"g": 0, "n": 0}, {"g": 1, "n": 1}]


@pytest.mark.parametrize("text", [
    "select n, g from numbers order by n desc limit 30", "select n, g from numbers order by n desc -- all",
    "select n, g from numbers union select n, g from numbers order by 1 desc",
    "with x as (select n, g from numbers) select n, g from x order by n desc;",
])  # fmt: skip
def test_an_author_may_order_in_any_way(numbers: Place, text: str) -> None:
    query = prepared(numbers, text)
    assert [row["n"] for row in page(query, PageAsk(10, 13))] == [19_989, 19_988, 19_987]
    assert [row["n"] for row in page(query, PageAsk(0, 2, (Sort("g"), Sort("n"))))]
    assert query.count({}, PageAsk(0, 0), Limits(), Call()) in (30, 20_000)


def test_values_of_the_query_and_of_the_page_are_both_bound(place: Place) -> None:
    query = prepared(place, "select :f0 as f0, name, price from trades where id in :many and (:no is null or 1 = :no)")
    ask = PageAsk(0, 9, (Sort("name"),), (Condition("price", "number", "greaterThan", (1,)),))
    found = page(query, ask, f0="it's", many=(1, 2, 3), no=None)
    assert [(row["f0"], row["name"]) for row in found] == [("it's", "AAA"), ("it's", "BBB")]
    assert page(query, PageAsk(0, 9, groups=("f0",)), f0="x", many=(1, 3), no=1) == [{"f0": "x", "count": 2}]
    assert page(query, PageAsk(0, 9), f0="x", many=(), no=None) == []


def test_the_author_may_have_used_our_own_names(place: Place) -> None:
    query = prepared(place, "select 1 as place, 2 as q, 3 as n, 4 as count, 5 as g, 6 as end0, 7 as k")
    ask = PageAsk(0, 9, groups=("count",), aggregates=(Aggregate("place", "first"), Aggregate("end0", "last")))
    assert page(query, ask) == [{"count": 4, "place": 1, "end0": 6}]
    assert query.count({}, PageAsk(0, 9, groups=("count",)), Limits(), Call()) == 1


def test_columns_of_the_same_name_are_left_to_those_who_have_all_rows(place: Place) -> None:
    query = prepared(place, "select id as a, name as a from trades")
    if place.kind == "sqlite":
        # It tells them apart by itself.
        assert len(page(query, PageAsk(0, 9))) == 3
    else:
        with pytest.raises(NotPaged):
            page(query, PageAsk(0, 9))


def test_pages_follow_a_table_that_gets_other_columns(place: Place) -> None:
    place.execute("create table moving (a varchar(9), b int)")
    place.execute("insert into moving values ('x', 1), ('10', 2), ('9', 3)")
    query = prepared(place, "select * from moving")
    ask = PageAsk(0, 9, (Sort("a"),), (Condition("b", "number", "greaterThan", (0,)),))
    assert [row["a"] for row in page(query, ask)] == ["10", "9", "x"]
    place.execute("drop table moving")
    place.execute("create table moving (a int, c int)")
    place.execute("insert into moving values (10, 1), (9, 2)")
    assert [row["a"] for row in page(query, ask)] == [9, 10]
    place.execute("drop table moving")
    with pytest.raises(SourceFailed, match="moving"):
        page(query, ask)


def test_sums_beyond_2_53_are_text_as_whole_numbers_are(place: Place) -> None:
    query = prepared(place, f"select {2**53} as n, 1 as g union all select 1, 1")
    ask = PageAsk(0, 9, groups=("g",), aggregates=(Aggregate("n", "sum"),))
    assert page(query, ask) == [{"g": 1, "n": str(2**53 + 1)}]


def test_a_column_of_sqlite_with_several_types_is_compared_as_text(place: Place) -> None:
    if place.kind != "sqlite":
        pytest.skip("other databases have one type for each column")
    place.execute("create table mixed (v)")
    place.execute("insert into mixed values (1), (10), (9), ('a'), ('10'), (x'aa'), (2.0), (null), (9e999)")
    query = prepared(place, "select v from mixed")
    assert [row["v"] for row in page(query, PageAsk(0, 9, (Sort("v"),)))] == [
        1,
        10,
        "10",
        2.0,
        9,
        "a",
        "qg==",
        None,
        None,
    ]
    found = page(query, PageAsk(0, 9, filters=(Condition("v", "set", "in", ("10", "2")),)))
    assert [row["v"] for row in found] == [10, "10", 2.0]
    assert page(query, PageAsk(0, 2, groups=("v",))) == [{"v": "1", "count": 1}, {"v": "10", "count": 2}]


def test_a_column_of_sqlite_that_gets_a_value_of_another_type_is_looked_at_anew(place: Place) -> None:
    if place.kind != "sqlite":
        pytest.skip("other databases have one type for each column")
    place.execute("create table growing (v)")
    place.execute("insert into growing values (9), (10)")
    query, ask = prepared(place, "select v from growing"), PageAsk(0, 9, (Sort("v"),))
    assert [row["v"] for row in page(query, ask)] == [9, 10]
    place.execute("insert into growing values ('a')")
    assert [row["v"] for row in page(query, ask)] == [10, 9, "a"]


def test_an_error_of_a_database_that_no_test_meets_leaves_the_pages_to_others(place: Place) -> None:
    class Untested(DIALECTS[type(prepared(place, "select 1 as one")._database.server)]):  # type: ignore[misc]
        tested = False

    query = prepared(place, "select * from nowhere")
    with pytest.raises(SourceFailed, match="nowhere"):
        page(query, PageAsk(0, 9))
    query._dialect = Untested
    with pytest.raises(NotPaged):
        page(query, PageAsk(0, 9))


def test_text_is_compared_by_its_bytes_whatever_character_set_the_address_asks_for(place: Place) -> None:
    if place.kind != "mariadb":
        pytest.skip("only MariaDB and MySQL have one for each connection")
    for charset in ("latin1", "gbk", "utf8mb4"):
        backend = DatabaseBackend(
            "desk", DatabaseOptions(url=f"{place.url}?charset={charset}", password=SecretStr(place.password))
        )
        query = backend.prepare("select name, :sly as sly from trades")
        assert isinstance(query, PagedDatabaseQuery)
        filters = (Condition("name", "set", "in", ("Zoë's",)), Condition("name", "text", "contains", ("ZOË",)))
        found = page(query, PageAsk(0, 9, filters=filters), sly="\xbf' or 1=1 -- ")
        assert found == [{"name": "Zoë's", "sly": "\xbf' or 1=1 -- "}]


FLOATS = ["16777216", "1e6", "123456", "0.1", "1e-7", "1.5e-5", "0.0001", "1e15", "1e16", "1.25e20", "-2.5", "0"]


@pytest.mark.parametrize(("kind", "type_"), [
    ("postgresql", "float4"), ("postgresql", "float8"), ("mariadb", "double"), ("mariadb", "float"), ("sqlite", "real"),
])  # fmt: skip
def test_the_text_of_a_floating_number_is_that_which_is_shown(place: Place, kind: str, type_: str) -> None:
    if place.kind != kind:
        pytest.skip("a type of another database")
    # MariaDB writes small numbers without powers of ten, as browsers do.
    floats = [text for text in FLOATS if kind != "mariadb" or text != "1e-7"]
    place.execute(f"create table {type_}s (x {type_})")
    place.execute(f"insert into {type_}s values {', '.join(f'({text})' for text in floats)}")
    query = prepared(place, f"select x from {type_}s")
    rows = plain_pages.rows_of(query.run({}, Limits(), Call()))
    assert len(rows) == len(floats)
    for row in rows:
        equal = PageAsk(0, 99, filters=(Condition("x", "text", "equals", (str(row["x"]),)),))
        assert page(query, equal) == [{"x": float(row["x"])}]
