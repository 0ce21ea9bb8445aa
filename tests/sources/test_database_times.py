"""The same dates and times give the same bytes, whichever kind of source has them and however its server is set."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator

import pytest
from pydantic import SecretStr

from tests.sources.databases import PLACES, Place
from widgets_app.sources.base import Call, Limits
from widgets_app.sources.database import DatabaseBackend, DatabaseOptions
from widgets_app.sources.frame import Frame
from widgets_app.sources.paging import Condition, PageAsk, PagedQuery

TYPES = {
    "postgresql": {"instant": "timestamptz", "local": "timestamp", "day": "date"},
    "mariadb": {"instant": "timestamp(6) null", "local": "datetime(6)", "day": "date"},
}
# What servers would write times in, if they were asked to.
SETTINGS = {
    "postgresql": [
        "alter database {name} set timezone = 'Asia/Tokyo'",
        "alter database {name} set datestyle = 'German'",
        "alter database {name} set intervalstyle = 'iso_8601'",
    ],
    "mariadb": ["set time_zone = '+00:00'"],
}
ROWS = [
    ("2024-03-31 01:30:00.5", "2024-03-31 01:30:00.25", "2024-03-31"),
    ("2024-10-27 00:30:00", "2024-10-27 00:00:00", "1970-01-02"),
    ("2000-01-01 12:00:00.000001", "1999-12-31 23:59:59.999999", "2024-02-29"),
]
QUERY = "select instant, local, day from times order by instant"


@pytest.fixture(scope="module", params=["postgresql", "mariadb"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with PLACES[request.param](tmp_path_factory.mktemp("database")) as found:
        for setting in SETTINGS[found.kind]:
            found.execute(setting.format(name=found.url.rpartition("/")[2]))
        columns = ", ".join(f"{name} {kind}" for name, kind in TYPES[found.kind].items())
        found.execute(f"create table times ({columns})")
        zone = "+00" if found.kind == "postgresql" else ""
        for instant, local, day in ROWS:
            found.execute(f"insert into times values ('{instant}{zone}', '{local}', '{day}')")
        yield found


@pytest.fixture
def query(place: Place) -> PagedQuery:
    prepared = DatabaseBackend("desk", DatabaseOptions(url=place.url, password=SecretStr(place.password))).prepare(
        QUERY
    )
    assert isinstance(prepared, PagedQuery)
    return prepared


@pytest.fixture
def files(write_parquet: Callable[[str, str], None], ask: Callable[..., Frame]) -> Frame:
    """What files give for the same rows."""
    values = ", ".join(f"(timestamptz '{i}+00', timestamp '{lo}', date '{d}')" for i, lo, d in ROWS)
    write_parquet("times.parquet", f"select * from (values {values}) as t(instant, local, day)")
    return ask(QUERY)


def test_databases_give_the_bytes_that_files_do(query: PagedQuery, files: Frame) -> None:
    assert query.run({}, Limits(), Call()).json == files.json
    assert query.page({}, PageAsk(0, 9), Limits(), Call()).json == files.json
    assert b'"instant":"2024-03-31T01:30:00.5Z","local":"2024-03-31T01:30:00.25","day":"2024-03-31"' in files.json


def test_a_moment_with_an_offset_is_bound_as_an_instant(place: Place) -> None:
    backend = DatabaseBackend("desk", DatabaseOptions(url=place.url, password=SecretStr(place.password)))
    query = backend.prepare("select day from times where instant = :at")
    tokyo = datetime.timezone(datetime.timedelta(hours=9))
    at = datetime.datetime(2024, 10, 27, 9, 30, tzinfo=tokyo)
    assert query.run({"at": at}, Limits(), Call()).rows() == [{"day": "1970-01-02"}]


def test_the_types_of_columns_are_the_same(query: PagedQuery, files: Frame) -> None:
    assert query.run({}, Limits(), Call()).columns == query.columns() == files.columns


def test_a_moment_with_an_offset_is_compared_as_an_instant(query: PagedQuery) -> None:
    after = (Condition("instant", "date", "greaterThan", ("2024-03-31T03:30:00+02:00",)),)
    rows = query.page({}, PageAsk(0, 9, filters=after), Limits(), Call()).rows()
    assert [row["local"][:4] for row in rows] == ["2024", "2024"]


@pytest.mark.parametrize("postgres", [
    ("'infinity'::timestamptz", None), ("'-infinity'::date", None), ("'0044-03-15 BC'::date", "0044-03-15 BC"),
    ("'12000-01-01 00:00Z'::timestamptz", "12000-01-01 00:00:00+00"), ("array['infinity'::date]", [None]),
    ("interval '1 day 2 hours'", "1 day 02:00:00"), ("timetz '03:04:05.5+02'", "03:04:05.5+02"),
])  # fmt: skip
def test_what_no_calendar_of_python_has_is_no_error(place: Place, postgres: tuple[str, object]) -> None:
    if place.kind != "postgresql":
        pytest.skip("only PostgreSQL has such values")
    expression, expected = postgres
    backend = DatabaseBackend("desk", DatabaseOptions(url=place.url, password=SecretStr(place.password)))
    assert backend.prepare(f"select {expression} as v").run({}, Limits(), Call()).rows() == [{"v": expected}]


def test_the_date_that_stands_for_a_missing_one_is_missing(place: Place) -> None:
    if place.kind != "mariadb":
        pytest.skip("only MariaDB and MySQL have such a date")
    backend = DatabaseBackend("desk", DatabaseOptions(url=place.url, password=SecretStr(place.password)))
    query = "select cast('0000-00-00' as date) as d, time '25:00:00' as t, cast('-01:02:03.5' as time(3)) as s"
    assert backend.prepare(query).run({}, Limits(), Call()).rows() == [
        {"d": None, "t": "25:00:00", "s": "-01:02:03.500"}
    ]
