"""Results are kept for a time, made once, given a while longer, and given up when nobody waits."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
import time_machine

from project.bridge import Departure
from tests import redis_server
from tests.loopback import eventually
from tests.sources.databases import Line
from widgets_app import cache, stores
from widgets_app.errors import Abandoned, BadRequest, Busy, RequestError, SourceFailed, SourceTimeout
from widgets_app.sources.base import Call
from widgets_app.sources.frame import Frame
from widgets_app.sources.limits import Deadline, Slots, run_limited
from widgets_app.sources.outbound import PrivateHost, Unreachable
from widgets_app.sources.paging import NotPaged
from widgets_app.stores import MemoryCache, RedisStore

LONG = 20.0


def make_frame(text: str = "x") -> Frame:
    return Frame(b'[{"a":"' + text.encode() + b'"}]', (), 1)


@pytest.fixture(params=["memory", "redis"])
def key(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A key that nobody else uses, with results kept in memory or in Redis."""
    store = redis_server.store() if request.param == "redis" else MemoryCache("test", {})
    monkeypatch.setattr(cache, "results", store)
    return uuid4().hex


@pytest.fixture
def _stale(settings: Any) -> None:
    settings.WIDGETS_STALE_SECONDS = 60


class Maker:
    """Makes numbered results; counts them, and waits for `go`."""

    def __init__(self, *, waits: bool = False, error: RequestError | None = None) -> None:
        self.made = 0
        self.error = error
        self.go = threading.Event()
        if not waits:
            self.go.set()

    def __call__(self) -> Frame:
        self.made += 1
        number = self.made
        assert self.go.wait(LONG)
        if self.error:
            raise self.error
        return make_frame(str(number))


def result(number: int) -> bytes:
    return make_frame(str(number)).json


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
    away = RedisStore("redis://127.0.0.1:1/0", {"OPTIONS": redis_server.OPTIONS})
    monkeypatch.setattr(cache, "results", away)
    assert cache.shared("key", seconds=60, make=make_frame).json == make_frame().json
    assert "result cache" in caplog.text


def test_a_result_kept_by_one_thread_serves_the_others() -> None:
    thread = threading.Thread(target=lambda: cache.shared("shared", seconds=60, make=make_frame))
    thread.start()
    thread.join(10)
    assert cache.shared("shared", seconds=60, make=lambda: make_frame("again")).json == make_frame().json


@pytest.mark.usefixtures("_stale")
def test_a_stale_result_is_given_at_once_and_made_anew_behind_that(key: str) -> None:
    make = Maker()
    with time_machine.travel(time.time(), tick=False) as clock:
        cache.shared(key, seconds=100, make=make)
        clock.shift(101)
        make.go.clear()
        # Twenty ask while it is being made anew, and none of them waits.
        assert {cache.shared(key, seconds=100, make=make).json for _ in range(20)} == {result(1)}
        eventually(lambda: make.made == 2)
        make.go.set()
        eventually(lambda: cache.shared(key, seconds=100, make=make).json == result(2))
        assert make.made == 2


@pytest.mark.usefixtures("_stale")
@pytest.mark.parametrize(("seconds", "oldest"), [(100, 160), (10, 20)])
def test_a_result_is_never_older_than_its_time_and_the_bound(key: str, seconds: float, oldest: float) -> None:
    make = Maker()
    with time_machine.travel(time.time(), tick=False) as clock:
        cache.shared(key, seconds=seconds, make=make)
        clock.shift(oldest)
        assert cache.shared(key, seconds=seconds, make=make).json == result(2)


@pytest.mark.usefixtures("_stale")
def test_a_refresh_that_fails_leaves_the_stale_result_and_is_not_tried_at_once(
    key: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(cache, "FAILURE_SECONDS", 0.5)
    make = Maker()
    with time_machine.travel(time.time(), tick=False) as clock:
        cache.shared(key, seconds=100, make=make)
        clock.shift(101)
        make.error = SourceFailed("no luck")
        for _ in range(5):
            assert cache.shared(key, seconds=100, make=make).json == result(1)
            eventually(lambda: "no luck" in caplog.text)
        assert make.made == 2
        make.error = None
        eventually(lambda: cache.shared(key, seconds=100, make=make).json == result(3))


@pytest.mark.usefixtures("_stale")
def test_a_result_that_may_not_be_kept_any_more_is_left(key: str) -> None:
    made: list[int] = []

    def renew() -> Frame | None:
        made.append(1)
        return None

    with time_machine.travel(time.time(), tick=False) as clock:
        cache.shared(key, seconds=100, make=Maker())
        clock.shift(101)
        cache.shared(key, seconds=100, make=Maker(), renew=renew)
        eventually(lambda: cache.results.get(key) is None)
    assert made == [1]


def test_few_results_are_made_anew_at_the_same_time(settings: Any, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.WIDGETS_STALE_SECONDS = 60
    monkeypatch.setattr(cache, "_refreshes", threading.BoundedSemaphore(2))
    makers = {f"{key}{number}": Maker() for number in range(5)}
    with time_machine.travel(time.time(), tick=False) as clock:
        for one, make in makers.items():
            cache.shared(one, seconds=100, make=make)
            make.go.clear()
        clock.shift(101)
        for one, make in makers.items():
            assert cache.shared(one, seconds=100, make=make).json == result(1)
        eventually(lambda: sum(make.made for make in makers.values()) == 7)
        for make in makers.values():
            make.go.set()
        eventually(lambda: not cache._running)
        assert sum(make.made for make in makers.values()) == 7


def test_who_insists_gets_a_new_result_that_replaces_the_kept_one(key: str) -> None:
    make = Maker()
    with time_machine.travel(time.time(), tick=False) as clock:
        cache.shared(key, seconds=100, make=make)
        assert cache.shared(key, seconds=100, make=make, force=True).json == result(1)  # it is new enough
        clock.shift(2)
        assert cache.shared(key, seconds=100, make=make, force=True).json == result(2)
        assert cache.shared(key, seconds=100, make=make).json == result(2)


def test_those_who_insist_together_share_one_run(key: str) -> None:
    make = Maker()
    with time_machine.travel(time.time(), tick=False) as clock:
        cache.shared(key, seconds=100, make=make)
        clock.shift(2)
        make.go.clear()
        threading.Timer(0.3, make.go.set).start()
        found = together(lambda: cache.shared(key, seconds=100, make=make, force=True).json)
    assert (set(found), make.made) == ({result(2)}, 2)


def together(ask: Callable[[], Any], callers: int = 20) -> list[Any]:
    found: list[Any] = []

    def one() -> None:
        try:
            found.append(ask())
        except RequestError as error:
            found.append(type(error))

    threads = [threading.Thread(target=one) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG)
    return found


@pytest.mark.parametrize(
    ("error", "runs"),
    [
        (SourceFailed("a", retry_after=2), 1),
        (SourceTimeout("a"), 1),
        (Unreachable("a", code="refused"), 1),
        (PrivateHost("a"), 1),
        (NotPaged("a"), 1),
        (Busy("a", retry_after=2), 3),
        (BadRequest("a"), 3),
    ],
)
def test_the_failure_of_a_source_is_told_again_for_a_moment(
    key: str, monkeypatch: pytest.MonkeyPatch, error: RequestError, runs: int
) -> None:
    monkeypatch.setattr(cache, "FAILURE_SECONDS", LONG)
    make = Maker(error=error)
    for _ in range(3):
        with pytest.raises(type(error), match="a") as told:
            cache.shared(key, seconds=60, make=make)
        assert vars(told.value) == vars(error)
    assert make.made == runs
    make.error = None
    monkeypatch.setattr(cache, "FAILURE_SECONDS", 0.0)
    cache._failures.clear()
    assert cache.shared(key, seconds=60, make=make).json == result(runs + 1)


def leaving(key: str, make: Callable[[], Frame], call: Call, departure: Departure, seconds: float = 60) -> list[Any]:
    """Ask in a thread as a client that may hang up; gives what comes out of it."""
    found: list[Any] = []

    def ask() -> None:
        try:
            found.append(cache.shared(key, seconds=seconds, make=make, call=call, departure=departure))
        except RequestError as error:
            found.append(error)

    threading.Thread(target=ask).start()
    return found


def limited(slots: Slots, call: Call, stopped: threading.Event) -> Callable[[], Frame]:
    """Return work in a slot that ends early when it is cancelled."""

    def work() -> Frame:
        call.on_cancel.append(stopped.set)
        if stopped.wait(LONG):
            raise SourceFailed("it was interrupted")
        return make_frame()

    return lambda: run_limited(slots, work, deadline=Deadline(LONG, "Query"), call=call)


@pytest.mark.parametrize("seconds", [60, 0])
def test_when_the_only_one_who_waits_leaves_the_work_is_stopped(key: str, seconds: float) -> None:
    slots, call, stopped, departure = Slots("s", 1), Call(), threading.Event(), Departure()
    found = leaving(key, limited(slots, call, stopped), call, departure, seconds)
    eventually(lambda: bool(call.on_cancel))
    departure.set()
    departure.set()
    eventually(lambda: slots.taken == 0 and len(found) == 1)
    assert isinstance(found[0], Abandoned)
    # The next one does not get that, and is not told that the source fails.
    assert cache.shared(key, seconds=60, make=make_frame).json == make_frame().json


def test_who_leaves_and_is_back_at_once_finds_the_work_going_on(key: str) -> None:
    slots, call, stopped, departure = Slots("s", 1), Call(), threading.Event(), Departure()
    work = limited(slots, call, stopped)
    found = leaving(key, work, call, departure)
    eventually(lambda: bool(call.on_cancel))
    departure.set()
    back = leaving(key, work, Call(), Departure())
    time.sleep(cache.GRACE_SECONDS + 0.5)
    assert not back
    assert not call.abandoned.done()
    stopped.set()
    eventually(lambda: bool(back and found))
    assert isinstance(back[0], SourceFailed)


def test_work_that_cannot_be_stopped_is_kept_for_the_next_one(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "GRACE_SECONDS", 0.05)
    make, call, departure = Maker(waits=True), Call(), Departure()
    leaving(key, make, call, departure)
    eventually(lambda: make.made == 1)
    departure.set()
    time.sleep(0.5)
    assert not call.abandoned.done()
    make.go.set()
    assert cache.shared(key, seconds=60, make=make).json == result(1)


def test_as_long_as_somebody_waits_the_work_goes_on(key: str) -> None:
    make, call = Maker(waits=True), Call()
    departures = [Departure() for _ in range(3)]
    found = [leaving(key, make, call, departure) for departure in departures]
    eventually(lambda: make.made == 1 and len(cache._running[key].waiting) == 3)
    departures[0].set()
    departures[1].set()
    # Whoever left and only waited is let go of at once.
    eventually(lambda: [len(one) for one in found].count(1) >= 1)
    assert not call.abandoned.done()
    make.go.set()
    eventually(lambda: all(found))
    assert found[2][0].json == result(1)
    assert make.made == 1


@pytest.mark.usefixtures("_stale")
def test_a_refresh_is_nobodys_and_goes_on_when_who_joined_it_leaves(key: str) -> None:
    make, call, departure = Maker(), Call(), Departure()
    with time_machine.travel(time.time(), tick=False) as clock:
        cache.shared(key, seconds=100, make=make)
        clock.shift(101)
        make.go.clear()
        cache.shared(key, seconds=100, make=make, call=call)
        eventually(lambda: make.made == 2)
        clock.shift(100)
        found = leaving(key, make, call, departure, 100)
        eventually(lambda: len(cache._running[key].waiting) == 1)
        departure.set()
        eventually(lambda: isinstance(found[0], Abandoned) if found else False)
        make.go.set()
        eventually(lambda: key not in cache._running)
        assert (cache.shared(key, seconds=300, make=make).json, call.abandoned.done()) == (result(2), False)


def as_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the next callers know nothing of the runs of this process."""
    monkeypatch.setattr(cache, "_running", {})


@pytest.fixture
def shared_key(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(cache, "results", redis_server.store())
    return uuid4().hex


def test_another_process_waits_for_the_one_that_makes_a_result(
    shared_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, other = Maker(waits=True), Maker()
    first = leaving(shared_key, make, Call(), Departure())
    eventually(lambda: make.made == 1)
    as_another_process(monkeypatch)
    second = leaving(shared_key, other, Call(), Departure())
    time.sleep(0.3)
    assert not second
    make.go.set()
    eventually(lambda: bool(first and second))
    assert first[0] == second[0]
    assert (make.made, other.made) == (1, 0)


def test_what_another_process_could_not_make_is_made_here(shared_key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make, other = Maker(waits=True, error=SourceFailed("not there")), Maker()
    first = leaving(shared_key, make, Call(), Departure())
    eventually(lambda: make.made == 1)
    as_another_process(monkeypatch)
    second = leaving(shared_key, other, Call(), Departure())
    make.go.set()
    eventually(lambda: bool(first and second))
    assert isinstance(first[0], SourceFailed)
    assert (second[0].json, other.made) == (result(1), 1)


def test_the_work_of_a_process_that_died_is_done_by_another(shared_key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "LOCK_SECONDS", 1.0)
    monkeypatch.setattr(stores, "_renewals", stores._Renewals())
    assert isinstance(cache.results, RedisStore)
    dead = cache.results.lock(shared_key)
    assert dead.take()
    dead.let_go()
    make = Maker()
    assert cache.shared(shared_key, seconds=60, make=make).json == result(1)


def test_who_waits_for_another_process_waits_no_longer_than_the_limit(shared_key: str) -> None:
    assert isinstance(cache.results, RedisStore)
    other = cache.results.lock(shared_key)
    assert other.take()
    started = time.monotonic()
    assert cache.shared(shared_key, seconds=60, make=Maker(), patience=0.5).json == result(1)
    assert 0.4 < time.monotonic() - started < LONG
    other.release()


def test_who_leaves_while_another_process_works_is_let_go_of(shared_key: str) -> None:
    assert isinstance(cache.results, RedisStore)
    other, call, departure = cache.results.lock(shared_key), Call(), Departure()
    assert other.take()
    found = leaving(shared_key, limited(Slots("s", 1), call, threading.Event()), call, departure)
    eventually(lambda: shared_key in cache._running)
    departure.set()
    eventually(lambda: bool(found))
    assert isinstance(found[0], Abandoned)
    other.release()


def test_a_redis_that_goes_away_makes_it_slower_but_right(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    parts = redis_server.url().partition("://")[2].partition("/")[0].partition(":")
    line = Line(parts[0], int(parts[2] or 6379))
    monkeypatch.setattr(cache, "results", redis_server.store(line.port))
    monkeypatch.setattr(cache, "AWAY_SECONDS", 0.5)
    monkeypatch.setattr(stores, "LOCK_SECONDS", 1.0)
    key, make = uuid4().hex, Maker(waits=True)
    first = leaving(key, make, Call(), Departure())
    eventually(lambda: make.made == 1)
    line.cut()
    make.go.set()
    eventually(lambda: bool(first))
    assert first[0].json == result(1)
    with caplog.at_level(logging.WARNING):
        caplog.clear()
        assert [cache.shared(key, seconds=60, make=make).json for _ in range(3)] == [result(2), result(3), result(4)]
    assert len(caplog.records) <= 1
    line.mend()
    mended = time.monotonic()
    # Who held the lock then could not give it back: it runs out.
    eventually(lambda: cache.shared(key, seconds=60, make=make) == cache.shared(key, seconds=60, make=make))
    assert time.monotonic() - mended < LONG
    line.cut()


def test_two_hundred_callers_make_a_result_once_wherever_it_is_kept(key: str) -> None:
    make = Maker(waits=True)
    threading.Timer(0.5, make.go.set).start()
    found = together(lambda: cache.shared(key, seconds=60, make=make).json, callers=200)
    assert (found, make.made) == ([result(1)] * 200, 1)


def test_many_short_runs_are_not_made_twice_by_those_who_come_late(key: str) -> None:
    for number in range(20):
        make = Maker()
        together(partial(cache.shared, f"{key}{number}", seconds=60, make=make))
        assert make.made == 1
