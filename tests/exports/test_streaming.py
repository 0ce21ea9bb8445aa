"""Large exports over a real server: sent while they are made, cut off visibly, stopped when nobody reads."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
import time
from collections.abc import Generator
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import pytest

from tests.backend import running
from tests.conftest import Define
from tests.loopback import PATIENCE, ask, connected, eventually
from tests.sources.databases import PLACES
from tests.test_exports import table_of
from widgets_app import catalog
from widgets_app.errors import SourceFailed
from widgets_app.exports import door, formats
from widgets_app.functions import data_function
from widgets_app.models import Source
from widgets_app.sealing import seal
from widgets_app.sources.base import Call, Limits
from widgets_app.sources.files import FilesQuery
from widgets_app.sources.limits import Slots
from widgets_app.sources.paging import PageAsk

pytestmark = pytest.mark.django_db(transaction=True)

ROWS = 300_000
MANY = f"select range as n, repeat('x', 100) as t from range({ROWS})"
STREAMED = ("csv", "json", "parquet", "arrow")


@pytest.fixture(autouse=True)
def _small_files_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "WHOLE_BYTES", 100_000)
    monkeypatch.setattr(formats, "GROUP_ROWS", 10_000)


def slots(source: str = "market") -> Slots:
    return next(each.slots for each in catalog.current().sources.values() if each.name == source)


def cut_off(port: int, path: str, key: str) -> int:
    """Ask for a download that must not end as if it was whole; return how many bytes came."""
    with closing(connected(port)) as connection:
        connection.request("GET", path, headers={"X-API-KEY": key})
        response = connection.getresponse()
        assert response.status == 200
        with pytest.raises(http.client.IncompleteRead) as broken:
            response.read()
        return len(broken.value.partial)


@pytest.mark.parametrize("extension", STREAMED)
def test_a_large_file_comes_in_pieces_and_whole(
    key: str, define_query: Define, define_widget: Define, extension: str
) -> None:
    define_query("many", MANY, rows=ROWS)
    define_widget("many", query="many")
    with running() as (port, _):
        answer = ask(port, f"/-/export/many.{extension}", X_API_KEY=key)
        assert answer.headers["Transfer-Encoding"] == "chunked"
        assert "X-Truncated" not in answer.headers
        assert count(extension, answer.body) == ROWS
        small = ask(port, "/-/export/many.csv", X_API_KEY="wrong")
        assert small.status == 403
        eventually(lambda: slots().taken == 0)


def count(extension: str, body: bytes) -> int:
    if extension == "csv":
        return body.count(b"\r\n") - 1
    if extension == "json":
        return len(json.loads(body))
    table: int = table_of(extension, body).num_rows
    return table


def test_a_large_file_is_counted_so_that_its_name_can_say_that_it_is_cut(
    key: str, define_query: Define, define_widget: Define
) -> None:
    define_query("many", MANY, rows=ROWS - 1)
    define_widget("many", query="many")
    with running() as (port, _):
        answer = ask(port, "/-/export/many.csv", X_API_KEY=key)
    assert answer.headers["X-Truncated"].startswith(f"{ROWS - 1} rows; row limit of {ROWS - 1}, ")
    assert f"-first-{ROWS - 1}-rows.csv" in answer.headers["Content-Disposition"]
    assert count("csv", answer.body) == ROWS - 1


@pytest.mark.parametrize("extension", STREAMED)
def test_rows_that_a_database_has_beyond_the_limit_break_a_large_download(
    key: str,
    define_query: Define,
    define_widget: Define,
    tmp_path: Path,
    extension: str,
    caplog: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(door, "_count", lambda *_: None)
    with PLACES["sqlite"](tmp_path) as place:
        Source.objects.create(name="trades", kind="database", options={"url": place.url})
        text = (
            "with recursive t(n) as (select 1 union all select n + 1 from t where n < 50000) "
            "select n, hex(randomblob(50)) as t from t"
        )
        define_query("many", text, source="trades", rows=40_000)
        define_widget("many", query="many")
        with running() as (port, _):
            cut_off(port, f"/-/export/many.{extension}", key)
            eventually(lambda: slots("trades").taken == 0)
    assert "more than 40,000 rows, which is the limit of its query" in caplog.text


@pytest.mark.parametrize("extension", STREAMED)
def test_a_source_that_fails_on_the_way_breaks_the_download(
    key: str, define_query: Define, define_widget: Define, extension: str
) -> None:
    define_query("late", f"select case when n < 250000 then n else error('late') end as n, t from ({MANY})", rows=ROWS)
    define_widget("late", query="late")
    with running() as (port, _):
        assert cut_off(port, f"/-/export/late.{extension}", key) > 100_000
        eventually(lambda: slots().taken == 0)


def test_a_file_that_grows_too_large_is_cut_off(
    key: str, define_query: Define, define_widget: Define, settings: Any
) -> None:
    settings.WIDGETS_EXPORT_MB = 3
    define_query("many", MANY, rows=ROWS)
    define_widget("many", query="many")
    with running() as (port, _):
        assert cut_off(port, "/-/export/many.csv", key) <= 3 * 1024 * 1024


def test_excel_tells_a_late_failure_with_its_status(key: str, define_query: Define, define_widget: Define) -> None:
    define_query("late", "select case when n < 30000 then n else error('late') end as n from range(40000) as r(n)")
    define_widget("late", query="late")
    with running() as (port, _):
        answer = ask(port, "/-/export/late.xlsx", X_API_KEY=key)
    assert (answer.status, b"late" in answer.body) == (502, True)


ENDLESS = "select range as n, repeat('x', 1000) as t from range(1000000000)"


@pytest.mark.parametrize("kind", ["files", "postgresql"])
def test_a_client_that_hangs_up_frees_the_slot_and_stops_the_query(
    key: str, define_query: Define, define_widget: Define, tmp_path: Path, kind: str
) -> None:
    place = PLACES["postgresql"](tmp_path) if kind == "postgresql" else None
    with place or nullcontext() as there:
        source = "market"
        if there:
            source = "trades"
            secrets = seal({"password": there.password}) if there.password else None
            Source.objects.create(name=source, kind="database", options={"url": there.url}, secrets=secrets)
        text = "select generate_series(1, 1000000000) as n, repeat('x', 1000) as t" if there else ENDLESS
        define_query("endless", text, source=source, rows=10**9)
        define_widget("endless", query="endless")
        with running() as (port, _):
            with reading(port, "/-/export/endless.csv", key):
                eventually(lambda: slots(source).taken == 1)
            eventually(lambda: slots(source).taken == 0)
            if there:
                eventually(lambda: there.running() == 0)
            assert ask(port, "/-/health").status == 200


@pytest.mark.parametrize("kind", ["files", "python"])
def test_a_client_that_hangs_up_before_the_first_rows_stops_the_query(
    key: str, define_query: Define, define_widget: Define, kind: str
) -> None:
    source = "market"
    text = "select max(hash(a.range + b.range)) as n from range(1000000) a, range(1000000) b"
    if kind == "python":
        source, text = Source.objects.create(name="functions", kind="python").name, "endlessly"
    define_query("endless", text, source=source, seconds=600)
    define_widget("endless", query="endless")
    with running() as (port, _):
        with closing(connected(port)) as connection:
            connection.request("GET", "/-/export/endless.csv", headers={"X-API-KEY": key})
            eventually(lambda: slots(source).taken == 1)
        eventually(lambda: slots(source).taken == 0)
        eventually(lambda: door._places._value == door.EXPORTS_AT_ONCE)


@data_function
async def endlessly() -> list[dict[str, Any]]:
    await asyncio.sleep(600)
    return []


def reading(port: int, path: str, key: str) -> socket.socket:
    """Ask for something large, read its beginning, and no more."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-API-KEY: {key}\r\n\r\n".encode())
    assert connection.recv(12) == b"HTTP/1.1 200"
    return connection


def test_a_slow_reader_makes_the_source_wait(
    key: str, define_query: Define, define_widget: Define, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []

    def noting(*given: Any) -> Generator[bytes]:
        for piece in written(*given):
            made.append(len(piece))
            yield piece

    written = door._written
    monkeypatch.setattr(door, "_written", noting)
    define_query("endless", ENDLESS, rows=10**9)
    define_widget("endless", query="endless")
    with running() as (port, _), reading(port, "/-/export/endless.csv", key) as connection:
        eventually(lambda: len(made) > 8)
        before = -1
        while before != len(made):
            before = len(made)
            time.sleep(1)
        assert len(made) < 30
        for _ in range(2000):
            connection.recv(1024 * 1024)
        eventually(lambda: len(made) > before)
    eventually(lambda: slots().taken == 0)


def test_exports_leave_a_slot_to_the_widgets(key: str, define_query: Define, define_widget: Define) -> None:
    Source.objects.filter(name="market").update(slots=2)
    define_query()
    define_widget(query="prices", staleTime=0)
    define_query("endless", ENDLESS, rows=10**9)
    define_widget("endless", query="endless")
    with running() as (port, _), reading(port, "/-/export/endless.csv", key):
        busy = ask(port, "/-/export/endless.csv", X_API_KEY=key)
        assert (busy.status, busy.headers["Retry-After"]) == (503, "2")
        assert ask(port, "/prices", X_API_KEY=key).status == 200
    eventually(lambda: slots().taken == 0)


def test_the_first_rows_come_within_the_time_limit_of_the_query(
    key: str, define_query: Define, define_widget: Define
) -> None:
    define_query("slow", "select max(hash(a.range + b.range)) as n from range(1000000) a, range(1000000) b", seconds=1)
    define_widget("slow", query="slow")
    with running() as (port, _):
        answer = ask(port, "/-/export/slow.csv", X_API_KEY=key)
        assert (answer.status, b"took longer than 1 s" in answer.body) == (504, True)
        eventually(lambda: slots().taken == 0)


def test_only_so_many_exports_are_made_at_once(
    key: str, define_query: Define, define_widget: Define, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "_places", threading.BoundedSemaphore(1))
    define_query()
    define_widget(query="prices")
    define_query("endless", ENDLESS, rows=10**9)
    define_widget("endless", query="endless")
    with running() as (port, _):
        for _ in range(3):
            assert ask(port, "/-/export/prices.csv", X_API_KEY=key).status == 200
            head = ask(port, "/-/export/prices.csv", "HEAD", X_API_KEY=key)
            assert (head.status, "Content-Length" in head.headers) == (200, False)
        with reading(port, "/-/export/endless.csv", key):
            busy = ask(port, "/-/export/prices.csv", X_API_KEY=key)
            assert (busy.status, b"exports are being made" in busy.body) == (503, True)
        eventually(lambda: ask(port, "/-/export/prices.csv", X_API_KEY=key).status == 200)


def test_rows_that_take_long_to_count_are_not_counted(
    key: str, define_query: Define, define_widget: Define, monkeypatch: pytest.MonkeyPatch
) -> None:
    def counting(query: FilesQuery, values: Any, ask: PageAsk, limits: Limits, call: Call) -> int:
        stopped = threading.Event()
        call.on_cancel.append(stopped.set)
        assert stopped.wait(PATIENCE)
        raise SourceFailed("it was stopped.")

    monkeypatch.setattr(FilesQuery, "count", counting)
    monkeypatch.setattr(door, "COUNT_SECONDS", 0.1)
    define_query("many", MANY, rows=ROWS // 2)
    define_widget("many", query="many")
    with running() as (port, _):
        assert cut_off(port, "/-/export/many.csv", key) > 100_000
        eventually(lambda: slots().taken == 0)
