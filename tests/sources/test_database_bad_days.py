"""Servers that hang, drip, break off and come back, and values that are meant to be SQL."""

from __future__ import annotations

import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import make_url

from tests.loopback import eventually
from tests.sources.databases import Line, Place
from widgets_app.errors import BadRequest, RequestError, SourceFailed, SourceTimeout
from widgets_app.sources import database, database_server
from widgets_app.sources.base import Call, Limits
from widgets_app.sources.database import DatabaseBackend, DatabaseOptions, PagedDatabaseQuery
from widgets_app.sources.limits import Deadline, Slots, run_limited
from widgets_app.sources.paging import Aggregate, Condition, PageAsk, Sort

# Rows that come one after another, without end as far as a test is concerned.
MANY = {
    "sqlite": "with recursive r as (select 1 as n union all select n + 1 from r limit 10000000) "
    "select n, 'some text that takes room' as text from r",
    "postgresql": "select n, 'some text that takes room' as text from generate_series(1, 10000000) as r(n)",
    "mariadb": "select seq as n, 'some text that takes room' as text from seq_1_to_10000000",
}
ENDLESS = {
    "sqlite": "with recursive r as (select 1 as n union all select n + 1 from r) select n from r",
    "postgresql": "select pg_sleep(60)::text as n",
    "mariadb": "select sleep(60) as n",
}


@pytest.fixture
def line(place: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    """The way to a server, where things can happen."""
    if place.kind == "sqlite":
        pytest.skip("SQLite has no server")
    monkeypatch.setattr(database, "CUT_SECONDS", 0.5)
    monkeypatch.setattr(database_server, "CONNECT_SECONDS", 1)
    url = make_url(place.url)
    found = Line(url.host or "", url.port or 3306)
    yield found
    found.cut()


def opened(place: Place, line: Line | None = None) -> DatabaseBackend:
    url = make_url(place.url)
    if line is not None:
        url = url.set(host="127.0.0.1", port=line.port)
    return DatabaseBackend("desk", DatabaseOptions(url=url.render_as_string(), password=SecretStr(place.password)))


def limited(work: Callable[[Call], Any], seconds: float) -> tuple[RequestError, Slots]:
    """Return the error of work that is run as serving runs it, and the slots it ran in."""
    call, slots = Call(), Slots("desk", 1)
    began = time.monotonic()
    with pytest.raises(RequestError) as caught:
        run_limited(slots, lambda: work(call), deadline=Deadline(seconds, 'Query "prices"'), call=call)
    assert time.monotonic() - began < seconds + 5
    return caught.value, slots


def test_a_connection_that_breaks_in_the_middle_of_a_result_is_told(place: Place, line: Line) -> None:
    backend = opened(place, line)
    assert backend.prepare("select 1 as one").run({}, Limits(), Call()).row_count == 1
    line.bound(1_000_000, line.cut)
    with pytest.raises(SourceFailed, match=r"was lost|can't be reached"):
        backend.prepare(MANY[place.kind]).run({}, Limits(rows=5_000_000, bytes=10**9), Call())
    line.mend()
    assert backend.prepare("select 1 as one").run({}, Limits(), Call()).row_count == 1


def test_a_connection_that_falls_silent_in_the_middle_of_a_result_is_given_up(place: Place, line: Line) -> None:
    query = opened(place, line).prepare(MANY[place.kind])
    line.bound(1_000_000, line.freeze)
    error, slots = limited(lambda call: query.run({}, Limits(60, 5_000_000, 10**9), call), 1)
    assert isinstance(error, SourceTimeout)
    eventually(lambda: slots.taken == 0)


def test_a_server_that_answers_by_single_bytes_is_given_up(place: Place, line: Line) -> None:
    line.drip()
    query = opened(place, line).prepare("select 1 as one")
    error, slots = limited(lambda call: query.run({}, Limits(60), call), 1)
    assert isinstance(error, SourceTimeout)
    line.cut()
    eventually(lambda: slots.taken == 0)


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
@pytest.mark.parametrize("greeting", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n<secret>", b"\x00" * 200, b"\xff" * 200])
def test_what_is_no_database_is_told_without_what_it_said(
    scheme: str, greeting: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            with suppress(OSError):
                while True:
                    with listener.accept()[0] as near:
                        near.sendall(greeting)

        threading.Thread(target=greet, daemon=True).start()
        port = listener.getsockname()[1]
        query = DatabaseBackend("desk", DatabaseOptions(url=f"{scheme}://ana@127.0.0.1:{port}/x")).prepare("select 1")
        error, slots = limited(lambda call: query.run({}, Limits(5), call), 5)
        assert str(error) == database_server.UNREACHABLE
        assert slots.taken == 0


def test_ten_million_rows_are_cut_by_the_limits_and_take_little_room(place: Place) -> None:
    query = opened(place).prepare(MANY[place.kind])
    tracemalloc.start()
    try:
        frame = query.run({}, Limits(rows=50_000), Call())
        assert (frame.row_count, frame.truncated) == (50_000, True)
        frame = query.run({}, Limits(bytes=1_000_000), Call())
        assert frame.truncated
        assert frame.size <= 1_000_000
        assert tracemalloc.get_traced_memory()[1] < 40_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("ask", [
    PageAsk(0, 100, (Sort("n", descending=True),)), PageAsk(0, 100, groups=("n",)),
    PageAsk(0, 100, filters=(Condition("n", "text", "equals", ("-",)),)),
])  # fmt: skip
def test_a_page_ends_at_the_time_limit_on_the_server_too(place: Place, ask: PageAsk) -> None:
    query = opened(place).prepare(ENDLESS[place.kind])
    assert isinstance(query, PagedDatabaseQuery)
    for work in (query.page, query.count):
        error, slots = limited(lambda call, work=work: work({}, ask, Limits(0.5, 100), call), 0.5)  # type: ignore[misc]
        assert isinstance(error, SourceTimeout)
        eventually(lambda slots=slots: slots.taken == 0)  # type: ignore[misc]
    eventually(lambda: place.running() == 0)


SLY = [
    "'; drop table trades; --", '"; drop table trades; --', "`; drop table trades; --", "]; drop table trades; --",
    "name) or 1=1 --", "\\", "\\'", "\\\\' or 1=1 #", "%", "%s", "%(f0)s", "%%", ":f0", ":p0", "\\:f0", "?", "$1", "@x",
    "/*! drop table trades */", "-- ", "#", "a\nb", "\x1a", "\u2028", "Zoë \U0001f600", "\u02bc", "\ufeff", "", "!", "_", "[a]",
    "{f0}", "e'\\x27'", "x" * 40_000,
]  # fmt: skip


@pytest.mark.parametrize("sly", SLY, ids=range(len(SLY)))
def test_nothing_in_a_request_for_a_page_becomes_sql(place: Place, sly: str) -> None:
    query = opened(place).prepare("select id, name, :given as given from trades order by id")
    assert isinstance(query, PagedDatabaseQuery)
    values = {"given": sly}
    named = PageAsk(
        0,
        9,
        (Sort(sly),),
        (Condition(sly, "text", "equals", ("x",)),),
        groups=(sly,),
        aggregates=(Aggregate(sly, "sum"), Aggregate("id", sly[:0] or "max")),
    )
    assert [row["id"] for row in query.page(values, named, Limits(), Call()).rows()] == [1, 2, 3]
    shown = query.run(values, Limits(), Call()).rows()[0]["given"]
    assert shown == sly
    for operator in ("contains", "equals", "startsWith", "endsWith"):
        conditions = (Condition("given", "text", operator, (sly,)), Condition("id", "set", "in", (1, sly)))
        ask = PageAsk(0, 9, (Sort("given"),), conditions, keys=(sly,))
        assert [row["given"] for row in query.page(values, ask, Limits(), Call()).rows()] == [sly]
    group = PageAsk(0, 9, groups=("given",), filters=(Condition("given", "set", "in", (sly, "'")),))
    assert query.page(values, group, Limits(), Call()).rows() == [{"given": sly, "count": 3}]
    opened_group = PageAsk(0, 9, groups=("given",), keys=(sly,))
    assert query.count(values, opened_group, Limits(), Call()) == 3
    other = (Condition("name", "text", "contains", (sly or "zzz",)),)
    assert query.count(values, PageAsk(0, 9, filters=other), Limits(), Call()) == 0


@pytest.mark.parametrize("alias", [
    "a:b", ":f0", "a%b", "%s", "%(f0)s", "a\\b", "a\\:b", "a'b", "a b", "Zoë", "select", "a;b", "-- a", "a?", "[a]", "$1",
    "{a}", "count", "place", "q",
])  # fmt: skip
def test_a_column_may_have_any_name(place: Place, alias: str) -> None:
    quote, doubled = ("`", "``") if place.kind == "mariadb" else ('"', '""')
    name = quote + alias.replace(quote, doubled) + quote
    query = opened(place).prepare(f"select id as {name}, name from trades where id = :id or :id is null")
    assert isinstance(query, PagedDatabaseQuery)
    rows = [(row[alias], row["name"]) for row in query.run({"id": None}, Limits(), Call()).rows()]
    assert len(rows) == 3
    filters = (Condition(alias, "number", "greaterThan", (1,)),)
    found = query.page({"id": None}, PageAsk(0, 9, (Sort(alias, True),), filters), Limits(), Call()).rows()
    assert [row[alias] for row in found] == [3, 2]
    groups = PageAsk(0, 9, groups=(alias,), aggregates=(Aggregate("name", "first"),))
    assert [row[alias] for row in query.page({"id": None}, groups, Limits(), Call()).rows()] == [1, 2, 3]
    first = PageAsk(0, 9, groups=("name",), aggregates=(Aggregate(alias, "last"),))
    assert sorted(row[alias] for row in query.page({"id": None}, first, Limits(), Call()).rows()) == [1, 2, 3]


@pytest.mark.parametrize("value", ["\0", "a\0b", "\ud800"])
def test_a_character_that_no_text_has_is_the_callers_fault_or_matches_nothing(place: Place, value: str) -> None:
    query = opened(place).prepare("select id, name from trades where name <> :other")
    assert isinstance(query, PagedDatabaseQuery)
    ask = PageAsk(0, 9, filters=(Condition("name", "text", "contains", (value,)),))
    if value == "\ud800" or place.kind != "mariadb":
        with pytest.raises(BadRequest, match="A value can't be sent to the database"):
            query.page({"other": "x"}, ask, Limits(), Call())
        with pytest.raises(BadRequest, match="A value can't be sent to the database"):
            query.run({"other": value}, Limits(), Call())
    else:
        assert query.page({"other": "x"}, ask, Limits(), Call()).rows() == []
        assert query.run({"other": value}, Limits(), Call()).row_count == 3
