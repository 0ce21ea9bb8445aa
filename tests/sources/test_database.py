"""Databases: the same answers from each, values that are bound, reads that can't write, limits that hold."""

from __future__ import annotations

import gc
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import pymysql
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError
from sqlalchemy import make_url, text
from sqlalchemy.dialects import sqlite as sqlite_dialect

from tests.loopback import eventually
from tests.sources.databases import Line, Place
from widgets_app.errors import BadRequest, Busy, DefinitionError, SourceFailed, SourceTimeout
from widgets_app.sources import database, database_server
from widgets_app.sources.base import Call, Limits
from widgets_app.sources.database import DatabaseBackend, DatabaseOptions, DatabaseQuery
from widgets_app.sources.database_text import Statement, statement
from widgets_app.sources.frame import Frame
from widgets_app.sources.limits import Deadline, Slots, run_limited

PASSWORD = "hunter-2-hunter"
# Runs for as long as it is let, on any of them.
ENDLESS = {
    "sqlite": "with recursive r as (select 1 as i union all select i + 1 from r) select count(*) as endless from r",
    "postgresql": "select pg_sleep(60) as endless",
    "mariadb": "select sleep(60) as endless",
}


def opened(place: Place, **more: Any) -> DatabaseBackend:
    return DatabaseBackend("desk", DatabaseOptions(**{"url": place.url, "password": place.password, **more}))


@pytest.fixture
def backend(place: Place) -> DatabaseBackend:
    return opened(place)


def run(backend: DatabaseBackend, text: str, *, limits: Limits | None = None, **values: Any) -> Frame:
    query = backend.prepare(text)
    return query.run({name: values.get(name) for name in query.placeholders}, limits or Limits(), Call())


def test_the_same_query_gives_the_same_bytes_everywhere(backend: DatabaseBackend) -> None:
    frame = run(backend, "select id, name, price, day from trades where price > :p or price is null order by id;", p=1)
    assert (
        frame.json
        == (
            '[{"id":1,"name":"AAA","price":1.5,"day":"2024-01-02"},'
            '{"id":2,"name":"Zoë\'s","price":null,"day":"2024-01-03"},'
            '{"id":3,"name":"BBB","price":2.0,"day":null}]'
        ).encode()
    )
    assert [column.name for column in frame.columns] == ["id", "name", "price", "day"]
    assert [column.type for column in frame.columns][:3] == ["number", "text", "number"]


@pytest.mark.parametrize("value", [
    "'; drop table trades; --", "\\", "\\'", "%s %(p0)s %%", ":p0 ::int", "Zoë \U0001f600", '"', "a\nb", "", 2**40, -7,
])  # fmt: skip
def test_a_value_comes_back_as_it_was_sent(backend: DatabaseBackend, value: object) -> None:
    assert run(backend, "select :value as v", value=value).rows() == [{"v": value}]


def test_text_that_looks_like_placeholders_stays_as_it_is(backend: DatabaseBackend) -> None:
    query = "select ':a %s %(x)s \\:b' as \"a:b\", name /* :c ' */ from trades where id = :id -- :d"
    if "mysql" in backend._database.dialect:
        query = query.replace('"', "`").replace("\\", "\\\\")
    assert backend.prepare(query).placeholders == ("id",)
    assert run(backend, query, id=1).rows() == [{"a:b": ":a %s %(x)s \\:b", "name": "AAA"}]


@given(st.text(st.sampled_from(":\\ab1$%_é'\n ")))
def test_every_colon_comes_through(rest: str) -> None:
    made = Statement("", (), rest.replace(":", "\\:"))
    written, bound = made.written({})
    assert str(text(written).compile(dialect=sqlite_dialect.dialect())) == rest
    assert bound == {}


@pytest.mark.parametrize(("condition", "value", "found"), [
    (":x is null or id = :x", None, [1, 2, 3]),
    (":x is null or id = :x", 2, [2]),
    (":x is null or name = :x", "AAA", [1]),
    (":x is null or day >= :x", date(2024, 1, 3), [2]),
    (":x is null or id in :x", None, [1, 2, 3]),
    (":x is null or id in :x", (1, 3), [1, 3]),
    ("id in (:x)", (1, 3), [1, 3]),
    ("id in ( :x )", 3, [3]),
    ("id in (:x, 2)", (1, 3), [1, 2, 3]),
    ("id not in :x", (1, 3), [2]),
    ("id in :x", (), []),
    ("id not in (:x)", (), [1, 2, 3]),
    ("name not in :x", (), [1, 2, 3]),
    ("name in :x", ("Zoë's", "'"), [2]),
    ("name in :x", (None, "AAA"), [1]),
    ("price > :x", 1.75, [3]),
    ("id in (select id from (select id from trades order by id limit :x) as t)", None, [1, 2, 3]),
    ("id in (select id from (select id from trades order by id limit :x) as t)", 2, [1, 2]),
])  # fmt: skip
def test_optional_values_and_lists_work_in_conditions(
    backend: DatabaseBackend, condition: str, value: object, found: list[int]
) -> None:
    frame = run(backend, f"select id from trades where {condition} order by id", x=value)
    assert [row["id"] for row in frame.rows()] == found


WRITES = [
    "delete from trades", "insert into trades values (9, 'x', 1, null)", "update trades set name = 'x'",
    "drop table trades", "create table x (a int)", "with x as (delete from trades returning *) select * from x",
    "select * into x from trades", "select id from trades for update", "select 1; delete from trades",
    "set x = 1", "begin", "commit", "call f()", "explain select 1", "select 1 /*! into outfile '/x' */", "",
]  # fmt: skip


@pytest.mark.parametrize("dialect", ["postgres", "mysql", "sqlite", ""])
@pytest.mark.parametrize("query", WRITES)
def test_what_is_not_one_read_is_refused(query: str, dialect: str) -> None:
    with pytest.raises(DefinitionError):
        statement(query, dialect=dialect)


@pytest.mark.parametrize("query", [
    "select 1 into @a", "select 1 into outfile '/x'", "select 1 --1 into outfile '/x'", "/* /* */ delete from t -- */",
    "select 1 from t lock in share mode", "load data infile 'x' into table t", "select 1 /*M! into @a */",
])  # fmt: skip
def test_what_only_mysql_would_run_is_refused(query: str) -> None:
    with pytest.raises(DefinitionError):
        statement(query, dialect="mysql")


@pytest.mark.parametrize(("query", "tables"), [
    ("select * from trades as t join desk.prices p on p.id = t.id and p.id in :many", ("desk.prices", "trades")),
    ("with x as (select * from t), y as (select * from x) select * from y, (select * from u limit :n) as z", ("t", "u")),
    ("with t as (select * from t) select * from t union select * from b.t where exists (select 1 from c)",
     ("b.t", "c", "t")),
    ("with recursive r as (select 1 as i union all select i + 1 from r) select * from r", ()),
    ("select * from (select 'from x' as v) as q -- from y", ()),
])  # fmt: skip
@pytest.mark.parametrize("dialect", ["postgres", "mysql", "sqlite", "tsql", ""])
def test_the_tables_that_a_text_reads_are_known(query: str, tables: tuple[str, ...], dialect: str) -> None:
    assert statement(query, dialect=dialect).tables == tables


def test_a_quoted_name_is_known_without_quotes() -> None:
    assert statement('select * from "Desk"."odd name", generate_series(1, 5) as g', dialect="postgres").tables == (
        "Desk.odd name",
    )


def test_comments_are_not_sent(backend: DatabaseBackend) -> None:
    found = statement("select 1 /* it's :x */ as a -- :y\n, '--' as b", dialect="postgres")
    assert found.rest.split() == ["select", "1", "as", "a", ",", "'--'", "as", "b"]
    assert found.rest.index("\n") == found.sql.index("\n")


def test_a_write_that_passed_the_check_is_refused_by_the_server(place: Place, backend: DatabaseBackend) -> None:
    for query in ("delete from trades", "insert into trades values (9, 'x', 1, null)"):
        with pytest.raises(SourceFailed):
            DatabaseQuery(backend._database, Statement(query, (), query)).run({}, Limits(), Call())
    assert run(backend, "select count(*) as n from trades").rows() == [{"n": 3}]


def test_a_function_that_writes_is_refused_by_the_server(server: Place, backend: DatabaseBackend) -> None:
    if server.kind == "postgresql":
        server.execute(
            "create function sly() returns int language sql as $$delete from trades where id = 1 returning 1$$"
        )
    else:
        server.execute("create function sly() returns int begin delete from trades where id = 1; return 1; end")
    try:
        with pytest.raises(SourceFailed, match=r"(?i)read.only"):
            run(backend, "select sly() as n")
    finally:
        server.execute("drop function sly" + ("()" if server.kind == "postgresql" else ""))
    assert run(backend, "select count(*) as n from trades").rows() == [{"n": 3}]


def test_the_server_itself_ends_a_query_at_the_time_limit(place: Place, backend: DatabaseBackend) -> None:
    began = time.monotonic()
    with pytest.raises(SourceTimeout, match=r"took longer than 0\.5 s"):
        run(backend, ENDLESS[place.kind], limits=Limits(seconds=0.5))
    assert time.monotonic() - began < 10
    eventually(lambda: place.running() == 0)
    assert run(backend, "select 1 as one").rows() == [{"one": 1}]


def test_a_cancelled_query_is_stopped_on_the_server(place: Place, backend: DatabaseBackend) -> None:
    call, ended = Call(), threading.Event()
    errors: list[Exception] = []

    def work() -> None:
        try:
            backend.prepare(ENDLESS[place.kind]).run({}, Limits(seconds=60), call)
        except SourceTimeout as error:
            errors.append(error)
        ended.set()

    threading.Thread(target=work).start()
    eventually(lambda: bool(call.on_cancel) and (place.kind == "sqlite" or place.running() == 1))
    began = time.monotonic()
    while not ended.wait(0.05):
        for stop in call.on_cancel:
            stop()
        assert time.monotonic() - began < 20
    assert len(errors) == 1
    eventually(lambda: place.running() == 0)
    assert run(backend, "select 1 as one").rows() == [{"one": 1}]


def test_a_query_to_a_server_that_answers_no_more_gives_its_slot_back(
    server: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "CUT_SECONDS", 0.5)
    monkeypatch.setattr(database_server, "CONNECT_SECONDS", 1)
    url = make_url(server.url)
    line = Line(url.host or "", url.port or 3306)
    backend = opened(server, url=url.set(host="127.0.0.1", port=line.port).render_as_string())
    query, call, slots = backend.prepare(ENDLESS[server.kind]), Call(), Slots("desk", 1)
    threading.Timer(0.3, line.freeze).start()
    with pytest.raises(SourceTimeout):
        run_limited(slots, lambda: query.run({}, Limits(seconds=60), call), deadline=Deadline(1, "It"), call=call)
    eventually(lambda: slots.taken == 0)
    line.cut()


def test_a_stop_that_comes_late_stops_no_other_query(backend: DatabaseBackend) -> None:
    call = Call()
    backend.prepare("select 1 as one").run({}, Limits(), call)
    stop = call.on_cancel[0]
    stop()
    assert not stop.used  # type: ignore[attr-defined]  # a stop of ours


@pytest.mark.parametrize(("rows", "count", "truncated"), [(2, 2, True), (3, 3, False), (1, 1, True)])
def test_the_row_limit_says_when_it_cut(backend: DatabaseBackend, rows: int, count: int, truncated: bool) -> None:
    frame = run(backend, "select id from trades order by id", limits=Limits(rows=rows))
    assert (frame.row_count, frame.truncated) == (count, truncated)


def test_a_result_far_beyond_the_limits_is_not_read_to_its_end(backend: DatabaseBackend) -> None:
    numbers = " cross join ".join(f"(select 1 as a union all select 2 union all select 3) as t{n}" for n in range(15))
    query = f"select t0.a, 'some text that takes room' as b from {numbers} limit 14000000"
    began = time.monotonic()
    assert run(backend, query, limits=Limits(rows=10)).truncated
    assert run(backend, query, limits=Limits(bytes=10_000)).truncated
    assert time.monotonic() - began < 5
    assert run(backend, "select 1 as one").rows() == [{"one": 1}]


def test_wide_rows_are_fetched_a_few_at_a_time(backend: DatabaseBackend) -> None:
    digits = "select 0 as d" + "".join(f" union all select {d}" for d in range(1, 10))
    wide = {"sqlite": "hex(zeroblob(1000000))", "mysql": "repeat('x', 2000000)", "postgres": "repeat('x', 2000000)"}
    query = f"select {wide[backend._database.dialect]} as v from ({digits}) as a cross join ({digits}) as b"
    query += f" cross join ({digits}) as c"
    tracemalloc.start()
    try:
        assert run(backend, query, limits=Limits(bytes=5_000_000)).row_count == 2
        assert tracemalloc.get_traced_memory()[1] < 100_000_000
    finally:
        tracemalloc.stop()


def test_a_value_that_cannot_be_sent_is_the_callers_fault(place: Place, backend: DatabaseBackend) -> None:
    for value in ("\ud800", *([2**70] if place.kind == "sqlite" else [])):
        with pytest.raises(BadRequest, match="can't be sent"):
            run(backend, "select id from trades where name = :x", x=value)


def test_columns_are_known_without_values(backend: DatabaseBackend) -> None:
    query = backend.prepare("select id, name, price from trades where (:x is null or id = :x) and id in :y or 1 = 1")
    assert [(column.name, column.type) for column in query.columns()] == [
        ("id", "number"), ("name", "text"), ("price", "number"),
    ]  # fmt: skip
    assert query.placeholders == ("x", "y")


def test_an_empty_result_has_its_columns(backend: DatabaseBackend) -> None:
    frame = run(backend, "select id, name from trades where 1 = 0")
    assert (frame.json, [column.name for column in frame.columns]) == (b"[]", ["id", "name"])


def test_columns_of_the_same_name_are_told_apart(backend: DatabaseBackend) -> None:
    assert run(backend, "select 1 as a, 2 as a").rows() == [{"a": 1, "a_1": 2}]


def test_an_error_tells_what_is_wrong_in_one_line(place: Place, backend: DatabaseBackend) -> None:
    with pytest.raises(SourceFailed, match="nowhere") as caught:
        run(backend, "select 'inner' as x from nowhere")
    assert "inner" not in str(caught.value)
    assert "127.0.0.1" not in str(caught.value)


TYPES = {
    "sqlite": (
        "select 9007199254740993 as big, x'00ff' as bytes, 1e308 * 10 as inf, null as no",
        {"big": "9007199254740993", "bytes": "AP8=", "inf": None, "no": None},
    ),
    "postgresql": (
        "select 9007199254740993 as big, '\\x00ff'::bytea as bytes, 'infinity'::float8 as inf, true as yes, "
        "1.50::numeric as n, 'NaN'::numeric as nan, timestamp '2024-01-02 03:04:05' as at, time '03:04:05' as t, "
        "'0e37df36-f698-11e6-8dd4-cb9ced3df976'::uuid as id, '{\"b\": [1, null]}'::jsonb as j, array[1, null] as a, "
        "'10.0.0.1/32'::inet as ip, '[1,3)'::int4range as r, interval '1 hour' as i",
        {
            "big": "9007199254740993", "bytes": "AP8=", "inf": None, "yes": True, "n": 1.5, "nan": None,
            "at": "2024-01-02T03:04:05", "t": "03:04:05", "id": "0e37df36-f698-11e6-8dd4-cb9ced3df976",
            "j": {"b": [1, None]}, "a": [1, None], "ip": "10.0.0.1", "r": "[1,3)", "i": "01:00:00",
        },
    ),
    "mariadb": (
        "select 9007199254740993 as big, x'00ff' as bytes, true as yes, cast(1.5 as decimal(5,2)) as n, "
        "timestamp '2024-01-02 03:04:05' as at, time '03:04:05' as t",
        {
            "big": "9007199254740993", "bytes": "AP8=", "yes": 1, "n": 1.5, "at": "2024-01-02T03:04:05", "t": "03:04:05",
        },
    ),
}  # fmt: skip


def test_values_of_each_type_become_json(place: Place, backend: DatabaseBackend) -> None:
    query, row = TYPES[place.kind]
    assert run(backend, query).rows() == [row]


def test_a_server_that_goes_away_and_comes_back_is_found_again(server: Place) -> None:
    url = make_url(server.url)
    line = Line(url.host or "", url.port or 3306)
    backend = opened(server, url=url.set(host="127.0.0.1", port=line.port).render_as_string())
    assert run(backend, "select 1 as one").row_count == 1
    line.cut()
    with pytest.raises(SourceFailed, match="can't be reached"):
        run(backend, "select 1 as one")
    assert backend.prepare("select 1 as one").columns() == ()
    line.mend()
    assert run(backend, "select 1 as one").row_count == 1
    line.cut()


def test_a_connection_that_the_server_ended_is_replaced(server: Place, backend: DatabaseBackend) -> None:
    mine = {"postgresql": "pg_backend_pid()", "mariadb": "connection_id()"}[server.kind]
    number = run(backend, f"select {mine} as n").rows()[0]["n"]
    server.execute({"postgresql": f"select pg_terminate_backend({number})", "mariadb": f"kill {number}"}[server.kind])
    assert run(backend, f"select {mine} as n").rows()[0]["n"] != number


def test_a_connection_that_ends_while_a_query_runs_is_told(server: Place, backend: DatabaseBackend) -> None:
    # Not what comes before the query itself, which takes no time.
    end = {
        "postgresql": "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() "
        "and state = 'active' and query_start < clock_timestamp() - interval '500 ms'",
        "mariadb": "begin not atomic declare found bigint; select id into found from information_schema.processlist "
        "where db = database() and command = 'Query' and time_ms > 500 limit 1; kill found; end",
    }[server.kind]
    ended = threading.Event()

    def keep_ending() -> None:
        while not ended.wait(0.1):
            with suppress(pymysql.err.Error):
                server.execute(end)

    thread = threading.Thread(target=keep_ending)
    thread.start()
    with pytest.raises(SourceFailed, match="was lost"):
        run(backend, ENDLESS[server.kind], limits=Limits(seconds=60))
    ended.set()
    thread.join()


def connections(place: Place) -> int:
    """Count those to this database, without the one that counts."""
    count = {
        "postgresql": "select count(*) from pg_stat_activity where datname = current_database()",
        "mariadb": "select count(*) from information_schema.processlist where db = database()",
    }[place.kind]
    found = place.execute(count)
    return int((found.fetchone() if place.kind == "postgresql" else found[0])[0]) - 1


def test_there_are_no_more_connections_than_slots(server: Place) -> None:
    options = DatabaseOptions(url=server.url, password=SecretStr(server.password))
    backend = DatabaseBackend.with_slots("desk", options, slots=2)
    query, slots = backend.prepare(ENDLESS[server.kind].replace("60", "0.5")), Slots("desk", 2)
    seen, busy = [], []

    def work() -> None:
        call = Call()
        try:
            run_limited(slots, lambda: query.run({}, Limits(), call), deadline=Deadline(9, "It"), call=call)
        except Busy:
            busy.append(1)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        # Nothing that needs no slot opens another one.
        query.columns()
        seen.append(connections(server))
    assert max(seen) == 2
    assert len(busy) < 6


def test_a_connection_that_nobody_has_left_is_waited_for(server: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "CONNECT_SECONDS", 0.2)
    options = DatabaseOptions(url=server.url, password=SecretStr(server.password))
    backend = DatabaseBackend.with_slots("desk", options, slots=1)
    with (
        backend._database.reading(Limits(), Call()),
        pytest.raises(Busy, match="All connections to the database are in use"),
    ):
        run(backend, "select 1 as one")
    assert run(backend, "select 1 as one").row_count == 1


def test_connections_that_nobody_uses_are_closed(server: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "IDLE_SECONDS", 0.3)
    backend = opened(server)
    run(backend, "select 1 as one")
    with backend._database.reading(Limits(), Call()) as (connection, _):
        time.sleep(0.7)
        assert connection.exec_driver_sql("select 1").scalar() == 1
    assert connections(server) > 0
    eventually(lambda: connections(server) == 0)
    assert run(backend, "select 1 as one").row_count == 1


def test_a_source_that_is_closed_leaves_no_connection(server: Place) -> None:
    backend = opened(server)
    mine = {"postgresql": "pg_backend_pid()", "mariadb": "connection_id()"}[server.kind]
    number = run(backend, f"select {mine} as n").rows()[0]["n"]
    here = {
        "postgresql": f"select count(*) as n from pg_stat_activity where pid = {number}",
        "mariadb": f"select count(*) as n from information_schema.processlist where id = {number}",
    }[server.kind]
    other = opened(server)
    assert run(other, here).rows() == [{"n": 1}]
    del backend
    gc.collect()
    eventually(lambda: run(other, here).rows() == [{"n": 0}])


def test_a_login_that_is_refused_is_told_without_details(server: Place, caplog: pytest.LogCaptureFixture) -> None:
    url = make_url(server.url).set(username="nobody_here").render_as_string()
    backend = opened(server, url=url, password=PASSWORD)
    with pytest.raises(SourceFailed, match="refuses the login") as caught:
        run(backend, "select 1 as one")
    assert "nobody_here" not in str(caught.value)
    assert caplog.text
    assert PASSWORD not in caplog.text


def test_a_database_that_is_not_there_is_told(server: Place) -> None:
    backend = opened(server, url=make_url(server.url).set(database="widgets_src_none").render_as_string())
    with pytest.raises(SourceFailed, match="no such database"):
        run(backend, "select 1 as one")


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_a_port_that_hangs_holds_nobody_past_the_limit(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        backend = DatabaseBackend("desk", DatabaseOptions(url=f"{scheme}://ana@127.0.0.1:{port}/x"))
        query, call, slots = backend.prepare("select 1"), Call(), Slots("desk", 1)
        limits = Limits(seconds=0.5)
        began = time.monotonic()
        with pytest.raises(SourceTimeout, match=r"took longer than 0\.5 s"):
            run_limited(slots, lambda: query.run({}, limits, call), deadline=Deadline(limits.seconds, "It"), call=call)
        assert time.monotonic() - began < 3
    eventually(lambda: slots.taken == 0)


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_a_host_that_is_not_there_is_told_without_its_name(scheme: str) -> None:
    backend = DatabaseBackend(
        "desk", DatabaseOptions(url=f"{scheme}://ana@nowhere.invalid/x", password=SecretStr(PASSWORD))
    )
    with pytest.raises(SourceFailed) as caught:
        run(backend, "select 1")
    assert (
        str(caught.value)
        == "The database can't be reached. Check the address of the source, and that the database runs."
    )


def test_hosts_that_are_not_listed_are_not_asked(settings: Any) -> None:
    settings.WIDGETS_OUTBOUND_HOSTS = ["db.example.com"]
    for url in (
        "postgresql://127.0.0.1/x",
        "postgresql:///x?host=127.0.0.1",
        "postgresql://db.example.com/x?hostaddr=127.0.0.1",
    ):
        with pytest.raises(SourceFailed, match="WIDGETS_OUTBOUND_HOSTS"):
            run(DatabaseBackend("desk", DatabaseOptions(url=url)), "select 1")


@pytest.mark.parametrize(("url", "error"), [
    ("", "no address of a database"),
    ("market", "no address of a database"),
    ("postgresql://ana:geheim@host/x", "enter it as the password"),
    ("postgresql://ana@host/x?password=geheim", "enter it as the password"),
    ("databricks://host?access_token=geheim", "enter it as the password"),
    ("postgresql://ana@host:geheim/x", "no address of a database"),
    ("mysql://ana@host/x?local_infile=1", "local_infile can't be used"),
    ("mysql://ana@host/x?init_command=commit", "init_command can't be used"),
    ("sqlite:///market.db", "whole path"),
    ("sqlite://", "whole path"),
])  # fmt: skip
def test_an_address_that_cannot_be_used_is_refused_without_repeating_it(url: str, error: str) -> None:
    with pytest.raises(ValidationError, match=error) as caught:
        DatabaseOptions(url=url)
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(("url", "error"), [
    ("snowflake://ana@account/db", "Install the package snowflake-sqlalchemy"),
    ("mssql+pyodbc://ana@host/db", "Install the package pyodbc"),
    ("postgresql+psycopg2://ana@host/db", "Install the package psycopg2-binary"),
    ("nosuch://host/db", 'There is no kind of database "nosuch" here'),
    ("postgresql+psycopg_async://ana@host/db", "driver for asyncio"),
])  # fmt: skip
def test_a_driver_that_is_not_here_is_named(url: str, error: str) -> None:
    with pytest.raises(DefinitionError, match=error):
        DatabaseBackend("desk", DatabaseOptions(url=url))


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "missing.db"
    with pytest.raises(SourceFailed, match="can't be opened"):
        run(DatabaseBackend("desk", DatabaseOptions(url=f"sqlite:///{path}")), "select 1")
    assert not path.exists()


def test_the_own_database_is_not_read(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "own.db"
    path.touch()
    monkeypatch.setitem(settings.DATABASES, "default", {"ENGINE": "django.db.backends.sqlite3", "NAME": path})
    with pytest.raises(ValidationError, match="database of this backend itself"):
        DatabaseOptions(url=f"sqlite:///{tmp_path}/../{tmp_path.name}/own.db")


def test_a_password_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    options = DatabaseOptions(url="postgresql://ana@host/x", password=SecretStr("env:WIDGETS_SECRET_DESK"))
    with pytest.raises(SourceFailed, match="WIDGETS_SECRET_DESK with a secret of the source is not set"):
        options.opened_url()
    monkeypatch.setenv("WIDGETS_SECRET_DESK", PASSWORD)
    assert options.opened_url().password == PASSWORD
    for name in ("SECRET_KEY", "DATABASE_URL", "HOME"):
        with pytest.raises(ValidationError, match="variables for sources begin with WIDGETS_SECRET_"):
            DatabaseOptions(url="postgresql://ana@host/x", password=SecretStr(f"env: {name}"))


def test_no_password_is_shown_by_what_holds_it() -> None:
    options = DatabaseOptions(url="postgresql://ana@host/x", password=SecretStr(PASSWORD))
    backend = DatabaseBackend("desk", options)
    engine = backend._database._engine
    shown: list[Callable[[], str]] = [lambda: repr(options), lambda: str(options.model_dump()), lambda: repr(engine)]
    assert [PASSWORD in one() for one in shown] == [False] * 3
    assert PASSWORD not in f"{vars(backend)} {vars(backend._database)}"
