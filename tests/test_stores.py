"""Where results are kept: bounded in memory, and in a Redis that several processes share."""

from __future__ import annotations

import pickle
import time

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from tests import redis_server
from tests.loopback import eventually
from tests.sources.databases import Line
from widgets_app import stores
from widgets_app.passing import Passed
from widgets_app.serving import Total
from widgets_app.sources.frame import Frame, FrameColumn
from widgets_app.stores import OVERHEAD, BoundedStore, MemoryCache, Plain, RedisStore


def make_frame(text: str = "x") -> Frame:
    return Frame(b'[{"a":"' + text.encode() + b'"}]', (FrameColumn("a", "text"),), 1)


def test_the_least_recently_used_goes_first() -> None:
    store: BoundedStore[str] = BoundedStore(3 * (100 + OVERHEAD))
    for key in "abc":
        store.put(key, key, 100)
    store.get("a")
    store.put("d", "d", 100)
    assert [store.get(key) for key in "abcd"] == ["a", None, "c", "d"]
    assert store.used == 3 * (100 + OVERHEAD)


def test_what_is_larger_than_the_store_is_not_kept_and_drives_nothing_out() -> None:
    store: BoundedStore[str] = BoundedStore(1000)
    store.put("small", "small", 100)
    store.put("big", "big", 2000)
    assert (store.get("big"), store.get("small")) == (None, "small")
    store.put("small", "grown", 2000)
    assert (store.get("small"), store.used) == (None, 0)


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


names = st.text(st.characters(codec="utf-8"))


@given(st.binary(), names, st.integers(0, 10**9), st.booleans(), st.floats(0, 1e11))
def test_frames_are_read_as_they_were_written(
    body: bytes, name: str, rows: int, truncated: bool, made_at: float
) -> None:
    frame = Frame(body, (FrameColumn(name, "number"), FrameColumn("b", "text")), rows, truncated, "bytes", made_at)
    written = Plain().dumps(frame)
    assert isinstance(written, bytes)
    assert Plain().loads(written) == frame


@pytest.mark.parametrize(
    "value", [7, Total(3, 12.5), Passed([("Content-Type", "a/b"), ("X", "é")], b"\n{", 200, 1.5, kept=True)]
)
def test_other_results_are_read_as_they_were_written(value: object) -> None:
    written = Plain().dumps(value)
    assert Plain().loads(written if isinstance(written, bytes) else str(written).encode()) == value


@pytest.mark.parametrize(
    "written",
    [
        pickle.dumps(make_frame()),
        b"{",
        b"",
        b'{"kind":"Stranger"}\n',
        b'{"kind":"Frame"}\nbody',
        b'{"kind":"Frame","columns":[["a"]],"row_count":1}\nbody',
        b"[]\n",
    ],
)
def test_what_another_version_wrote_is_not_there(written: bytes) -> None:
    assert Plain().loads(written) is None


def test_redis_gives_what_it_was_given_for_as_long_as_it_was_told() -> None:
    store = redis_server.store()
    frame = make_frame()
    store.set("a", frame, 0.5)
    assert store.get("a") == frame
    eventually(lambda: store.get("a") is None)


def test_what_is_too_large_for_redis_stays_in_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "LARGEST_IN_REDIS", 100)
    store = redis_server.store()
    other = RedisStore(redis_server.URL, {"OPTIONS": redis_server.OPTIONS, "KEY_PREFIX": store.key_prefix})
    small, large = make_frame(), make_frame("x" * 200)
    store.set("a", small, 60)
    assert other.get("a") == small
    store.set("a", large, 60)
    assert (store.get("a"), other.get("a")) == (large, None)
    store.set("a", small, 60)
    assert store.get("a") == other.get("a") == small
    store.set("a", large, 60)
    assert store.delete("a")
    assert store.get("a") is None


def test_a_lock_is_held_by_one_and_given_back_by_its_holder_alone() -> None:
    store = redis_server.store()
    first, second = store.lock("a"), store.lock("a")
    assert first.take()
    assert not second.take()
    second.release()
    assert second.is_taken()
    first.release()
    assert not first.is_taken()
    assert second.take()
    second.release()


def test_the_lock_of_the_living_is_renewed_and_that_of_the_dead_runs_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "LOCK_SECONDS", 0.6)
    monkeypatch.setattr(stores, "_renewals", stores._Renewals())
    store = redis_server.store()
    lock = store.lock("a")
    assert lock.take()
    time.sleep(1.5)
    assert lock.is_taken()
    lock.let_go()  # as if its process had died
    eventually(lambda: not lock.is_taken())


def test_a_redis_that_is_silent_is_given_up_soon() -> None:
    parts = redis_server.url().partition("://")[2].partition("/")[0].partition(":")
    line = Line(parts[0], int(parts[2] or 6379))
    try:
        store = redis_server.store(line.port)
        store.set("a", make_frame(), 60)
        line.freeze()
        started = time.monotonic()
        with pytest.raises(Exception, match=r"(?i)timeout|timed out"):
            store.get("a")
        assert time.monotonic() - started < 30
    finally:
        line.cut()
