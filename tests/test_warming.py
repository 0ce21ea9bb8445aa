"""Results made on schedule: those that the first request without parameters gets, and no others."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from tests import redis_server
from tests.conftest import Define
from tests.loopback import PATIENCE, eventually
from widgets_app import cache, catalog, warming
from widgets_app.compiled import PublishedQuery
from widgets_app.errors import Busy, SourceFailed
from widgets_app.functions import data_function
from widgets_app.models import Source
from widgets_app.stores import MemoryCache

pytestmark = pytest.mark.django_db

calls: list[Any] = []
go = threading.Event()
trouble: list[Exception] = []


@data_function
def warmed(region: str = "", day: str = "", number: float = 0) -> list[dict[str, Any]]:
    """Tell what it was called with."""
    calls.append((region, day, number))
    go.wait(20)
    if trouble:
        raise trouble.pop()
    return [{"region": region, "day": day, "number": number}]


@data_function
def personal(caller: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Depend on who asks."""
    calls.append(caller)
    return [{"name": caller["name"]}]


@pytest.fixture(autouse=True)
def _in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "results", MemoryCache("test", {}))
    monkeypatch.setattr(warming, "PAUSE_SECONDS", 0.01)
    calls.clear()
    trouble.clear()
    go.set()


@pytest.fixture
def define_warmed(define_query: Define) -> Define:
    def define(name: str = "warmed", text: str = "warmed", **more: Any) -> Any:
        Source.objects.get_or_create(name="functions", kind="python")
        return define_query(name, text, source="functions", **{"cache_seconds": 600, "cron": "*/5 * * * *", **more})

    return define


def refreshed(name: str = "warmed") -> str:
    return str(warming.refresh(catalog.current().queries[name]))


PARAMS = [
    {"paramName": "region", "type": "text", "value": "West"},
    {"paramName": "day", "type": "date", "value": "$currentDate-1d"},
    {"paramName": "number", "type": "number"},
]


def test_the_first_who_asks_finds_it_made(caller: Client, define_warmed: Define, define_widget: Define) -> None:
    define_warmed()
    define_widget("w", query="warmed", params=PARAMS)
    assert refreshed() == "1 result made anew."
    yesterday = (timezone.localtime() - timedelta(days=1)).date().isoformat()
    assert caller.get("/w").json() == [{"region": "West", "day": yesterday, "number": 0}]
    assert caller.get("/w", {"region": "West", "day": yesterday, "number": ""}).status_code == 200
    assert len(calls) == 1


def test_each_widget_has_its_own_defaults_and_equal_ones_share(
    caller: Client, define_warmed: Define, define_widget: Define
) -> None:
    define_warmed()
    for number, region in enumerate(["West", "North", "West"]):
        define_widget(f"w{number}", query="warmed", params=[{"paramName": "region", "type": "text", "value": region}])
    define_widget(
        "chart", query="warmed", type="metric", params=[{"paramName": "region", "type": "text", "value": "East"}]
    )
    assert refreshed() == "3 results made anew."
    for path in ("/w0", "/w1", "/w2", "/chart"):
        assert caller.get(path).status_code == 200
    assert sorted(region for region, _, _ in calls) == ["East", "North", "West"]


def test_options_are_made_too(caller: Client, define_query: Define, define_widget: Define) -> None:
    define_query("tickers", "select distinct ticker from prices", cron="0 8 * * *")
    define_widget(params=[{"paramName": "t", "type": "endpoint", "optionsEndpoint": "options/tickers"}])
    assert refreshed("tickers") == "1 result made anew."


def test_what_was_kept_is_made_anew(caller: Client, define_warmed: Define, define_widget: Define) -> None:
    define_warmed()
    define_widget("w", query="warmed", params=PARAMS)
    caller.get("/w")
    kept = next(iter(cache.results._store._items))  # type: ignore[attr-defined]
    frame, _ = cache.results._store._items[kept][0]  # type: ignore[attr-defined]
    object.__setattr__(frame, "made_at", frame.made_at - 5)
    assert refreshed() == "1 result made anew."
    assert len(calls) == 2


@pytest.mark.parametrize(("keys", "query", "told"), [
    ({"params": [{"paramName": "region", "type": "text", "optional": False}]}, {}, 'The widget "w" needs values'),
    ({}, {"cache_seconds": 0}, "kept for 0 seconds"),
    ({"staleTime": 0}, {"cache_seconds": None}, "kept for 0 seconds"),
    ({}, {"text": "personal"}, "depend on who asks"),
])  # fmt: skip
def test_what_nobody_would_find_is_not_made(
    define_warmed: Define, define_widget: Define, keys: dict[str, Any], query: dict[str, Any], told: str
) -> None:
    define_warmed(**query)
    define_widget("w", query="warmed", **keys)
    assert told in refreshed()
    assert not calls


def test_values_of_keys_are_nobodys(define_query: Define, define_widget: Define) -> None:
    define_query(text="select * from prices where ticker in :key_desk", cron="0 8 * * *")
    define_widget(query="prices")
    assert "depend on who asks" in refreshed("prices")


def test_a_query_without_widgets_is_told(define_warmed: Define) -> None:
    define_warmed()
    assert refreshed() == "0 results made anew. No published widget or dropdown uses it."


def test_pages_of_a_source_that_makes_them_are_left(define_query: Define, define_widget: Define) -> None:
    define_query(cron="0 8 * * *")
    define_widget(query="prices", type="ssrm_table")
    assert "asks for pages" in refreshed("prices")


def test_a_source_that_is_full_is_tried_again_and_a_failure_is_told(
    define_warmed: Define, define_widget: Define
) -> None:
    define_warmed()
    define_widget("w", query="warmed")
    trouble[:] = [Busy("all slots are in use"), Busy("all slots are in use")]
    assert refreshed() == "1 result made anew."
    assert len(calls) == 3
    trouble[:] = [ValueError("no")]
    # What has only just been made is new enough.
    assert refreshed() == "1 result made anew."
    cache.clear()
    assert 'The function "warmed" failed: ValueError: no' in refreshed()


def serve(query: PublishedQuery) -> None:
    """Serve another query in the place of the one that is published."""
    catalog.CATALOG._value = replace(catalog.current(), queries={query.name: query})


def broken(query: PublishedQuery) -> PublishedQuery:
    """Return a query that can't run."""

    def fail(*_: Any) -> None:
        raise SourceFailed("it is gone")

    prepared = copy(query.ready())
    prepared.run = fail  # type: ignore[method-assign,assignment]
    return replace(query, prepared=prepared)


@pytest.fixture
def schedule() -> Iterator[warming.Schedule]:
    found = warming.Schedule()
    for _ in range(warming.AT_ONCE):
        threading.Thread(target=found._work, daemon=True).start()
    yield found
    found.stop()


def test_a_schedule_that_is_stopped_leaves_no_thread() -> None:
    before = set(threading.enumerate())
    schedule = warming.Schedule()
    schedule.start()
    begun = set(threading.enumerate()) - before
    assert len(begun) == warming.AT_ONCE + 1
    schedule.stop()
    for thread in begun:
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_what_is_due_runs_once_and_not_while_it_still_runs(
    define_warmed: Define, define_widget: Define, schedule: warming.Schedule, caplog: pytest.LogCaptureFixture
) -> None:
    define_warmed(cron="* * * * *")
    define_warmed("later", cron="0 0 1 1 *")
    define_widget("w", query="warmed")
    now = timezone.localtime()
    go.clear()
    with caplog.at_level(logging.INFO):
        for minutes in range(1, 5):
            schedule.look(now + timedelta(minutes=minutes))
            eventually(lambda: len(calls) == 1)
        go.set()
        eventually(lambda: 'Query "warmed" on schedule' in caplog.text)
        eventually(lambda: not schedule._going)
        cache.clear()
        schedule.look(now + timedelta(minutes=5))
        eventually(lambda: len(calls) == 2)
        eventually(lambda: not schedule._going)
    assert "later" not in caplog.text


def test_a_failure_is_one_line_of_the_log(
    define_warmed: Define, define_widget: Define, schedule: warming.Schedule, caplog: pytest.LogCaptureFixture
) -> None:
    define_warmed()
    define_widget("w", query="warmed")
    serve(broken(catalog.current().queries["warmed"]))
    schedule.look(timezone.localtime() + timedelta(minutes=6))
    eventually(lambda: not schedule._going)
    lines = [record.getMessage() for record in caplog.records if record.name == "widgets_app.warming"]
    assert len(lines) == 1
    assert "it is gone" in lines[0]


def test_of_processes_with_one_cache_one_takes_what_is_due(
    define_warmed: Define, monkeypatch: pytest.MonkeyPatch
) -> None:
    define_warmed()
    query, moment = catalog.current().queries["warmed"], timezone.localtime()
    assert [warming.claim(query, moment) for _ in range(2)] == [True, False]
    monkeypatch.setattr(cache, "results", redis_server.store())
    assert [warming.claim(query, moment) for _ in range(2)] == [True, False]
    assert warming.claim(query, moment + timedelta(minutes=5))


def test_a_schedule_that_cannot_be_followed_is_passed_over(define_warmed: Define) -> None:
    define_warmed()
    serve(replace(catalog.current().queries["warmed"], cron="nonsense"))
    now = timezone.localtime()
    assert warming.due_between(now - timedelta(days=1), now) == []
