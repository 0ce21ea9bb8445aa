"""What clients are told about the age of data, how they ask for newer data, and what happens when they leave."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Group
from django.test import Client

from tests.backend import running
from tests.conftest import Define, refresh
from tests.loopback import ask, eventually, raw
from tests.sources.databases import postgresql
from tests.upstream import Upstream
from widgets_app import cache, catalog
from widgets_app.functions import data_function
from widgets_app.models import Source, Widget
from widgets_app.services.keys import key_issue
from widgets_app.stores import MemoryCache

MINUTE = 60_000
runs: list[str] = []
go = threading.Event()

pytestmark = pytest.mark.django_db


@data_function
def numbered_run() -> list[dict[str, int]]:
    """Return how often it has run."""
    runs.append("")
    return [{"run": len(runs)}]


@data_function
def waiting_run() -> list[dict[str, int]]:
    """Wait to be let go."""
    runs.append("")
    go.wait(20)
    return [{"run": len(runs)}]


@pytest.fixture(autouse=True)
def _in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "results", MemoryCache("test", {}))
    runs.clear()
    go.clear()


@pytest.fixture
def define_run(db: None, define_query: Define, define_widget: Define) -> Callable[..., None]:
    """Define a widget over one of the functions."""

    def define(function: str = "numbered_run", cache_seconds: int | None = 60, **keys: Any) -> None:
        Source.objects.create(name="functions", kind="python")
        define_query("run", function, source="functions", cache_seconds=cache_seconds)
        define_widget("run", query="run", **keys)

    return define


def test_an_answer_says_how_old_it_is_and_is_compared_each_time(caller: Client, define_run: Any) -> None:
    define_run()
    with time_machine.travel("2026-01-01T00:00:00Z", tick=False) as clock:
        first = caller.get("/run")
        clock.shift(42.9)
        again = caller.get("/run")
        assert (first["Age"], again["Age"]) == ("0", "42")
        assert first["Cache-Control"] == again["Cache-Control"] == "private, no-cache"
        assert first["ETag"] == again["ETag"]
        known = caller.get("/run", headers={"If-None-Match": f'"x", {first["ETag"]}'})
        assert (known.status_code, known.content, known["ETag"], known["Age"]) == (304, b"", first["ETag"], "42")
        assert "Content-Type" not in known
        clock.shift(20)
        newer = caller.get("/run", headers={"If-None-Match": first["ETag"]})
        assert (newer.status_code, newer.json(), newer["Age"]) == (200, [{"run": 2}], "0")
        assert newer["ETag"] != first["ETag"]


def test_the_server_says_without_a_thread_that_nothing_has_changed(key: str, define_run: Any) -> None:
    define_run()
    with running(threads=1) as (port, bridge):
        first = ask(port, "/run", X_API_KEY=key)
        bridge._threads = 0
        known = ask(port, "/run", X_API_KEY=key, If_None_Match=first.headers["ETag"], Origin="https://pro.openbb.co")
        other = ask(port, "/run", X_API_KEY=key, If_None_Match='"x"')
        bridge._threads = 1
        refused = ask(port, "/run", X_API_KEY="wk_00000000_x", If_None_Match=first.headers["ETag"])
    assert (known.status, known.body) == (304, b"")
    assert known.headers["Access-Control-Allow-Origin"] == "https://pro.openbb.co"
    assert "Age" in known.headers["Access-Control-Expose-Headers"]
    assert (other.status, other.body) == (200, first.body)
    assert refused.status == 403


def test_a_chart_is_drawn_once_for_each_result_and_given_without_a_thread(
    key: str, define_query: Define, define_widget: Define, monkeypatch: pytest.MonkeyPatch
) -> None:
    define_query(cache_seconds=60)
    define_widget(query="prices", type="chart", shape={"kind": "line", "x": "day", "y": ["price"]})
    shape: Any = type(next(iter(catalog.current().entries.values())).shape)
    drawn: list[Any] = []
    render = shape.render

    def counted(*given: Any) -> Any:
        drawn.append(given)
        return render(*given)

    monkeypatch.setattr(shape, "render", counted)
    with running(threads=1) as (port, bridge):
        light = ask(port, "/prices?theme=light", X_API_KEY=key)
        first = ask(port, "/prices", X_API_KEY=key)
        bridge._threads = 0
        again = ask(port, "/prices", X_API_KEY=key)
    assert (again.status, again.body, again.headers["ETag"]) == (200, first.body, first.headers["ETag"])
    assert light.body != first.body
    assert len(drawn) == 2


def test_what_is_not_kept_here_is_not_kept_by_browsers(caller: Client, define_run: Any, define_widget: Define) -> None:
    define_run(cache_seconds=0)
    define_widget("note", type="note", shape={"text": "a"})
    for path in ("/run", "/note"):
        answer = caller.get(path)
        assert (answer["Cache-Control"], "ETag" in answer) == ("no-store", False)


def test_a_tag_is_of_one_representation(caller: Client, define_query: Define, define_widget: Define) -> None:
    define_query(cache_seconds=60)
    define_widget(query="prices", type="chart", shape={"kind": "line", "x": "day", "y": ["price"]})
    paths = ["/prices", "/prices?theme=light", "/prices?raw=true"]
    assert len({caller.get(path)["ETag"] for path in paths}) == 3
    assert caller.get("/prices?theme=dark")["ETag"] == caller.get("/prices")["ETag"]


def test_a_known_tag_is_no_way_in(define_run: Any) -> None:
    define_run()
    group = Group.objects.create(name="Desk")
    _, inside = key_issue(name="Ana", groups=[group])
    _, outside = key_issue(name="Bo")
    Widget.objects.get(widget_id="run").groups.add(group)
    refresh()
    tag = Client(headers={"X-API-KEY": inside}).get("/run")["ETag"]
    assert Client(headers={"X-API-KEY": outside, "If-None-Match": tag}).get("/run").status_code == 404


def test_options_have_an_age_and_a_tag_too(caller: Client, define_query: Define, define_widget: Define) -> None:
    define_query("tickers", "select distinct ticker from prices order by 1")
    define_widget(params=[{"paramName": "t", "type": "endpoint", "optionsEndpoint": "options/tickers"}])
    answer = caller.get("/options/tickers")
    assert answer["Age"] == "0"
    assert caller.get("/options/tickers", headers={"If-None-Match": answer["ETag"]}).status_code == 304


@pytest.mark.parametrize(
    "headers", [{"Cache-Control": "no-cache"}, {"Cache-Control": "max-age=0, No-Cache"}, {"Pragma": "no-cache"}]
)
def test_a_request_can_insist_on_new_data(caller: Client, define_run: Any, headers: dict[str, str]) -> None:
    define_run()
    with time_machine.travel("2026-01-01T00:00:00Z", tick=False) as clock:
        caller.get("/run")
        assert caller.get("/run", headers=headers).json() == [{"run": 1}]  # it has only just been made
        clock.shift(1.1)
        assert caller.get("/run", headers=headers).json() == [{"run": 2}]
        assert caller.get("/run").json() == [{"run": 2}]


@pytest.mark.parametrize("headers", [{"Cache-Control": "max-age=0"}, {"Cache-Control": "no-store"}, {}])
def test_a_reload_of_the_page_is_given_what_is_kept(caller: Client, define_run: Any, headers: dict[str, str]) -> None:
    define_run()
    with time_machine.travel("2026-01-01T00:00:00Z", tick=False) as clock:
        caller.get("/run")
        clock.shift(30)
        assert caller.get("/run", headers=headers).json() == [{"run": 1}]


def test_clients_that_always_insist_can_be_held_back(caller: Client, define_run: Any, settings: Any) -> None:
    settings.WIDGETS_NO_CACHE_SECONDS = 30
    define_run()
    with time_machine.travel("2026-01-01T00:00:00Z", tick=False) as clock:
        for _ in range(10):
            caller.get("/run", headers={"Cache-Control": "no-cache"})
            clock.shift(4)
    assert len(runs) == 2


def test_the_server_gives_no_kept_answer_to_who_insists(key: str, define_run: Any, settings: Any) -> None:
    define_run()
    with running() as (port, _):
        ask(port, "/run", X_API_KEY=key)
        time.sleep(1.1)
        assert ask(port, "/run", X_API_KEY=key, Cache_Control="no-cache").body == b'[{"run":2}]'
        assert ask(port, "/run", X_API_KEY=key).body == b'[{"run":2}]'


def test_pages_are_made_anew_for_who_insists(caller: Client, define_run: Any) -> None:
    define_run(type="ssrm_table")
    page = {"startRow": 0, "endRow": 9}

    def first_row(**headers: str) -> Any:
        return caller.post("/run", page, content_type="application/json", headers=headers).json()["rowData"]

    with time_machine.travel("2026-01-01T00:00:00Z", tick=False) as clock:
        assert first_row() == [{"run": 1}]
        clock.shift(2)
        assert first_row() == [{"run": 1}]
        assert first_row(**{"Cache-Control": "no-cache"}) == [{"run": 2}]


def test_a_stale_answer_comes_at_once_and_the_next_one_is_new(caller: Client, define_run: Any, settings: Any) -> None:
    settings.WIDGETS_STALE_SECONDS = 60
    define_run()
    with time_machine.travel("2026-01-01T00:00:00Z", tick=False) as clock:
        caller.get("/run")
        clock.shift(100)
        stale = caller.get("/run")
        assert (stale.json(), stale["Age"]) == ([{"run": 1}], "100")
        eventually(lambda: caller.get("/run").json() == [{"run": 2}])
        clock.shift(121)
        assert caller.get("/run").json() == [{"run": 3}]


def test_an_answer_of_an_upstream_has_an_age_and_a_tag_once_it_is_kept(
    caller: Client, define_passed: Define, upstream: Upstream
) -> None:
    define_passed("w", endpoint="echo", staleTime=MINUTE)
    define_passed("each", endpoint="echo/each")
    with time_machine.travel("2026-01-01T00:00:00Z", tick=False) as clock:
        first = caller.get("/echo?cache=public")
        clock.shift(5)
        again = caller.get("/echo?cache=public", headers={"If-None-Match": first["ETag"]})
        assert (again.status_code, again["Age"], again["Cache-Control"]) == (304, "5", "private, no-cache")
        assert upstream.asked("echo") == 1
        caller.get("/echo?cache=public", headers={"Cache-Control": "no-cache"})
        assert upstream.asked("echo") == 2
    assert caller.get("/echo/each")["Cache-Control"] == "no-store"


def test_a_stale_answer_of_an_upstream_is_renewed_or_left(
    caller: Client, define_passed: Define, upstream: Upstream, settings: Any
) -> None:
    settings.WIDGETS_STALE_SECONDS = 60
    define_passed("w", endpoint="echo", staleTime=MINUTE)
    with time_machine.travel("2026-01-01T00:00:00Z", tick=False) as clock:
        first = b"".join(caller.get("/echo"))
        clock.shift(70)
        assert b"".join(caller.get("/echo")) == first
        eventually(lambda: b"".join(caller.get("/echo")) != first)
    assert upstream.asked("echo") == 2


def hung(port: int, key: str, path: str) -> Any:
    return raw(port, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nX-API-KEY: {key}\r\n\r\n".encode())


@pytest.mark.parametrize("cache_seconds", [60, 0])
def test_a_client_that_hangs_up_stops_its_query_in_the_database(
    key: str, define_query: Define, define_widget: Define, tmp_path: Path, cache_seconds: int
) -> None:
    with postgresql(tmp_path) as place:
        Source.objects.create(name="trades", kind="database", options={"url": place.url})
        define_query("slow", "select pg_sleep(20), 1 as a", source="trades", cache_seconds=cache_seconds)
        define_widget("slow", query="slow")
        with running() as (port, bridge):
            client = hung(port, key, "/slow")
            eventually(lambda: place.running() == 1)
            client.close()
            started = time.monotonic()
            eventually(lambda: place.running() == 0 and bridge._busy == 0)
            assert time.monotonic() - started < 15


def test_a_client_that_hangs_up_stops_its_query_over_files(
    key: str, define_query: Define, define_widget: Define
) -> None:
    define_query("slow", "select count(*) as n from range(300000) a, range(300000) b where a.range % 7 = b.range % 11")
    define_widget("slow", query="slow")
    slots = next(source.slots for source in catalog.current().sources.values())
    with running() as (port, bridge):
        client = hung(port, key, "/slow")
        eventually(lambda: slots.taken == 1)
        client.close()
        started = time.monotonic()
        eventually(lambda: slots.taken == 0 and bridge._busy == 0)
        assert time.monotonic() - started < 15


def test_a_function_that_cannot_be_stopped_holds_up_nobody_but_its_slot(key: str, define_run: Any) -> None:
    define_run("waiting_run", cache_seconds=0)
    slots = next(s.slots for s in catalog.current().sources.values() if s.name == "functions")
    with running() as (port, bridge):
        client = hung(port, key, "/run")
        eventually(lambda: slots.taken == 1)
        client.close()
        eventually(lambda: bridge._busy == 0)
        assert slots.taken == 1
        go.set()
        eventually(lambda: slots.taken == 0)


def test_a_query_goes_on_for_the_others_who_wait_for_it(
    key: str, define_query: Define, define_widget: Define, tmp_path: Path
) -> None:
    with postgresql(tmp_path) as place:
        Source.objects.create(name="trades", kind="database", options={"url": place.url})
        define_query("slow", "select 1 as a from pg_sleep(3)", source="trades", cache_seconds=60)
        define_widget("slow", query="slow")
        with running() as (port, bridge), ThreadPoolExecutor(1) as pool:
            client = hung(port, key, "/slow")
            eventually(lambda: place.running() == 1)
            other = pool.submit(ask, port, "/slow", X_API_KEY=key)
            eventually(lambda: bridge._busy == 2)
            client.close()
            answer = other.result()
    assert (answer.status, answer.body) == (200, b'[{"a":1}]')
