"""Slots bound the work of a source, and nobody waits past the limit."""

from __future__ import annotations

import contextlib
import contextvars
import gc
import logging
import threading
import time
import weakref
from collections.abc import Callable

import pytest

from widgets_app.errors import BadRequest, Busy, SourceFailed, SourceTimeout
from widgets_app.sources.base import Call
from widgets_app.sources.limits import RETRY_AFTER_SECONDS, Slots, run_limited

LONG = 20.0


def run(slots: Slots, work: Callable[[], object], *, seconds: float = LONG, call: Call | None = None) -> object:
    return run_limited(slots, work, seconds=seconds, call=call or Call(), what='Query "prices"')


def eventually(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + LONG
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    return condition()


def occupy(slots: Slots, release: threading.Event) -> None:
    """Take a slot with work that outlives its time limit."""
    with pytest.raises(SourceTimeout):
        run(slots, lambda: release.wait(LONG), seconds=0.01)


@pytest.fixture
def slots() -> Slots:
    return Slots("market", 2)


def test_work_runs_in_a_daemon_thread_named_for_the_source(slots: Slots):
    thread = run(slots, threading.current_thread)
    assert isinstance(thread, threading.Thread)
    assert thread.daemon
    assert thread.name.startswith("source-market-")
    assert thread is not threading.current_thread()


def test_the_result_is_returned_and_the_slot_is_free(slots: Slots):
    assert run(slots, lambda: slots.taken) == 1
    assert slots.taken == 0


def test_more_runs_than_slots_use_no_more_threads_than_slots(slots: Slots):
    threads = {run(slots, threading.current_thread) for _ in range(10)}
    assert 1 <= len(threads) <= 2


def test_a_request_error_of_the_work_is_passed_on(slots: Slots):
    def work() -> None:
        raise BadRequest("Send a date.")

    with pytest.raises(BadRequest, match=r"Send a date\."):
        run(slots, work)
    assert slots.taken == 0


def test_any_other_error_goes_to_the_log_and_not_to_the_caller(slots: Slots, caplog: pytest.LogCaptureFixture):
    hosts: dict[str, str] = {}
    with pytest.raises(SourceFailed) as raised, caplog.at_level(logging.ERROR, "widgets_app.sources"):
        run(slots, lambda: hosts["secret host"])
    assert "secret" not in str(raised.value)
    assert str(raised.value).startswith('Query "prices" failed')
    assert "KeyError: 'secret host'" in caplog.text


def test_a_failed_run_leaves_nothing_alive_that_it_held(slots: Slots):
    class Large:
        """What a run holds while it works."""

    def work() -> None:
        held = Large()
        kept.append(weakref.ref(held))
        raise BadRequest("Send a date.")

    kept: list[weakref.ref[Large]] = []
    gc.disable()
    try:
        with contextlib.suppress(BadRequest):
            run(slots, work)
        assert eventually(lambda: kept[0]() is None)
    finally:
        gc.enable()


def test_even_an_exit_inside_the_work_frees_the_slot(slots: Slots):
    def work() -> None:
        raise SystemExit(1)

    with pytest.raises(SourceFailed):
        run(slots, work)
    assert slots.taken == 0
    assert run(slots, lambda: "still serving") == "still serving"


def test_at_the_limit_the_caller_is_told_what_to_do(slots: Slots):
    release = threading.Event()
    with pytest.raises(SourceTimeout) as raised:
        run(slots, lambda: release.wait(LONG), seconds=0.05)
    release.set()
    assert str(raised.value) == (
        'Query "prices" took longer than 0.05 s. Narrow the request or raise the time limit of the query.'
    )


def test_the_slot_stays_taken_until_the_work_has_really_ended(slots: Slots):
    release = threading.Event()
    occupy(slots, release)
    assert slots.taken == 1
    release.set()
    assert eventually(lambda: slots.taken == 0)


def test_cancelling_is_repeated_until_the_work_ends(slots: Slots):
    stop, calls = threading.Event(), []

    def cancel() -> None:
        calls.append(1)
        if len(calls) >= 3:
            stop.set()

    with pytest.raises(SourceTimeout):
        run(slots, lambda: stop.wait(LONG), seconds=0.01, call=Call(on_cancel=[cancel]))
    assert eventually(lambda: slots.taken == 0)
    done = len(calls)
    assert done >= 3
    time.sleep(0.2)
    assert len(calls) <= done + 1


def test_a_cancel_that_fails_does_not_keep_the_others_from_being_called(slots: Slots, caplog: pytest.LogCaptureFixture):
    stop = threading.Event()

    def broken() -> None:
        raise RuntimeError("no connection")

    with pytest.raises(SourceTimeout):
        run(slots, lambda: stop.wait(LONG), seconds=0.01, call=Call(on_cancel=[broken, stop.set]))
    assert eventually(lambda: slots.taken == 0)
    assert "no connection" in caplog.text


def test_without_a_free_slot_the_caller_is_told_when_to_come_back(slots: Slots):
    release = threading.Event()
    occupy(slots, release)
    occupy(slots, release)
    with pytest.raises(Busy, match="all 2 slots") as raised:
        run(slots, lambda: None)
    assert raised.value.retry_after == RETRY_AFTER_SECONDS
    release.set()
    assert eventually(lambda: slots.taken == 0)
    assert run(slots, lambda: "again") == "again"


def test_a_machine_out_of_threads_is_busy_and_keeps_no_slot_taken(slots: Slots, monkeypatch: pytest.MonkeyPatch):
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        with pytest.raises(Busy, match="no thread to spare"):
            run(slots, lambda: None)
    assert slots.taken == 0
    assert run(slots, lambda: "ran") == "ran"


def test_a_slot_that_comes_free_in_time_is_used(slots: Slots):
    release = threading.Event()
    occupy(slots, release)
    occupy(slots, release)
    threading.Timer(0.05, release.set).start()
    assert run(slots, lambda: "ran") == "ran"


def test_two_hundred_callers_never_run_more_than_the_slots_at_once():
    slots, running, peak, lock = Slots("busy", 3), 0, 0, threading.Lock()
    outcomes: list[str] = []

    def work() -> None:
        nonlocal running, peak
        with lock:
            running += 1
            peak = max(peak, running)
        time.sleep(0.001)
        with lock:
            running -= 1

    def caller() -> None:
        try:
            run(slots, work)
            outcomes.append("ran")
        except Busy:
            outcomes.append("busy")

    threads = [threading.Thread(target=caller) for _ in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG)
    assert len(outcomes) == 200
    assert "ran" in outcomes
    assert peak <= 3
    assert slots.taken == 0


def test_the_work_sees_the_context_of_its_caller(slots: Slots):
    request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id")
    request_id.set("r-1")
    assert run(slots, request_id.get) == "r-1"


def test_the_threads_end_with_their_slots():
    slots = Slots("short", 2)
    threads = [run(slots, threading.current_thread) for _ in range(2)]
    del slots
    gc.collect()
    assert eventually(lambda: not any(isinstance(one, threading.Thread) and one.is_alive() for one in threads))
