"""Kept results: bounded, in time, made once."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import time_machine

from widgets_app import cache
from widgets_app.errors import SourceFailed
from widgets_app.sources.frame import Frame
from widgets_app.stores import OVERHEAD, BoundedStore, MemoryCache


def make_frame(text: str = "x") -> Frame:
    return Frame(b'[{"a":"' + text.encode() + b'"}]', (), 1)


def test_the_least_recently_used_goes_first() -> None:
    store: BoundedStore[str] = BoundedStore(3 * (100 + OVERHEAD))
    for key in "abc":
        store.put(key, key, 100)
    store.get("a")
    store.put("d", "d", 100)
    assert [store.get(key) for key in "abcd"] == ["a", None, "c", "d"]
    assert store.used == 3 * (100 + OVERHEAD)


def test_what_is_larger_than_the_store_is_not_kept() -> None:
    store: BoundedStore[str] = BoundedStore(1000)
    store.put("big", "big", 2000)
    assert store.get("big") is None
    assert store.used == 0


def test_replacing_and_clearing_give_the_room_back() -> None:
    store: BoundedStore[str] = BoundedStore(10_000)
    store.put("a", "1", 100)
    store.put("a", "2", 300)
    assert (store.get("a"), store.used) == ("2", 300 + OVERHEAD)
    store.clear()
    assert (store.get("a"), store.used, store.drop("a")) == (None, 0, False)


def test_djangos_cache_keeps_adds_touches_and_forgets() -> None:
    kept = MemoryCache("results", {})
    with time_machine.travel(0, tick=False) as clock:
        assert kept.add("k", "v", 10)
        assert not kept.add("k", "w", 10)
        clock.shift(9)
        assert kept.touch("k", 10)
        clock.shift(9)
        assert kept.get("k") == "v"
        clock.shift(2)
        assert kept.get("k", "gone") == "gone"
    assert not kept.touch("k")
    kept.set("forever", 1, None)
    assert kept.delete("forever")
    assert not kept.delete("forever")


def test_a_result_is_made_again_when_its_time_is_over() -> None:
    made: list[int] = []

    def make() -> Frame:
        made.append(1)
        return make_frame()

    cache.shared("key", seconds=60, make=make)
    cache.shared("key", seconds=60, make=make)
    assert len(made) == 1
    cache.shared("key", seconds=0, make=make)
    assert len(made) == 2


def test_a_result_is_not_older_than_the_one_who_asks_calls_fresh() -> None:
    with time_machine.travel(0, tick=False) as clock:
        cache.shared("key", seconds=3600, make=lambda: make_frame("first"))
        clock.shift(61)
        first, second = make_frame("first").json, make_frame("second")
        assert cache.shared("key", seconds=3600, make=lambda: second).json == first
        assert cache.shared("key", seconds=60, make=lambda: second).json == second.json


def ask_together(make: Any, callers: int = 20) -> list[Any]:
    """Have many threads ask for one cold result; return what each got."""
    results: list[Any] = []

    def ask() -> None:
        try:
            results.append(cache.shared("cold", seconds=60, make=make))
        except SourceFailed as error:
            results.append(str(error))

    threads = [threading.Thread(target=ask) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    return results


def test_two_hundred_callers_of_a_cold_result_make_it_once() -> None:
    go, made = threading.Event(), []

    def make() -> Frame:
        made.append(1)
        go.wait(10)
        return make_frame()

    threading.Timer(0.5, go.set).start()
    results = ask_together(make, callers=200)
    assert len(made) == 1
    assert len(results) == 200
    assert {frame.json for frame in results} == {make_frame().json}


def test_all_who_wait_share_the_failure_and_the_next_tries_again() -> None:
    go = threading.Event()

    def fail() -> Frame:
        go.wait(10)
        raise SourceFailed("no luck")

    threading.Timer(0.3, go.set).start()
    assert ask_together(fail) == ["no luck"] * 20
    assert cache.shared("cold", seconds=60, make=make_frame).json == make_frame().json


def test_without_the_cache_server_results_are_made_each_time(
    settings: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.core.cache.backends.redis import RedisCache

    away = RedisCache("redis://127.0.0.1:1/0", {})
    monkeypatch.setattr(cache, "results", away)
    assert cache.shared("key", seconds=60, make=make_frame).json == make_frame().json
    assert "result cache" in caplog.text


def test_a_result_kept_by_one_thread_serves_the_others() -> None:
    thread = threading.Thread(target=lambda: cache.shared("shared", seconds=60, make=make_frame))
    thread.start()
    thread.join(10)
    assert cache.shared("shared", seconds=60, make=lambda: make_frame("again")).json == make_frame().json
