"""Slots bound the work of a source, and nobody waits past the limit."""

from __future__ import annotations

import contextlib
import contextvars
import gc
import logging
import threading
import time
import weakref
from collections.abc import Callable, Generator, Iterable

import pytest

from widgets_app.errors import BadRequest, Busy, SourceFailed, SourceTimeout
from widgets_app.sources.base import Call, Pieces
from widgets_app.sources.limits import PIECES_AHEAD, RETRY_AFTER_SECONDS, Deadline, Slots, run_limited, run_streamed

LONG = 20.0


def run(slots: Slots, work: Callable[[], object], *, seconds: float = LONG, call: Call | None = None) -> object:
    return run_limited(slots, work, deadline=Deadline(seconds, 'Query "prices"'), call=call or Call())


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


def test_work_that_goes_on_after_it_was_told_to_stop_is_counted(slots: Slots):
    release = threading.Event()
    occupy(slots, release)
    assert (slots.taken, slots.stopping) == (1, 1)
    release.set()
    assert eventually(lambda: (slots.taken, slots.stopping) == (0, 0))


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


def test_work_that_says_late_what_stops_it_is_stopped(slots: Slots):
    call, begun, stopped = Call(), threading.Event(), threading.Event()

    def work() -> None:
        begun.wait(LONG)
        call.on_cancel.append(stopped.set)
        stopped.wait(LONG)

    with pytest.raises(SourceTimeout):
        run(slots, work, seconds=0.01, call=call)
    begun.set()
    assert stopped.wait(5)
    assert eventually(lambda: slots.taken == 0)


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
    with pytest.raises(Busy, match="no more than 2 at once") as raised:
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


def stream(
    slots: Slots, pieces: Iterable[bytes], *, seconds: float = LONG, call: Call | None = None, longer: float = 0
) -> Pieces:
    """Start work that yields these pieces; its head is the word "head"."""
    deadline = Deadline(seconds, "The work", "Ask for less.")

    def work() -> tuple[str, Generator[bytes]]:
        if longer:
            deadline.prolong(longer)
        return "head", (piece for piece in pieces)

    head, received = run_streamed(slots, work, deadline=deadline, call=call or Call(), what="The work")
    assert head == "head"
    return received


def test_a_piece_is_there_before_the_next_one_is_made(slots: Slots):
    go_on = threading.Event()

    def pieces() -> Generator[bytes]:
        yield b"first"
        assert go_on.wait(LONG)
        yield b"second"

    received = stream(slots, pieces())
    assert next(received) == b"first"
    assert slots.taken == 1
    go_on.set()
    assert list(received) == [b"second"]
    assert slots.taken == 0
    assert list(received) == []


def test_a_slow_reader_holds_the_work_back(slots: Slots):
    made: list[int] = []

    def pieces() -> Generator[bytes]:
        for number in range(PIECES_AHEAD * 3):
            made.append(number)
            yield b"piece"

    received = stream(slots, pieces())
    assert eventually(lambda: len(made) == PIECES_AHEAD + 1)
    next(received)
    assert eventually(lambda: len(made) == PIECES_AHEAD + 2)
    time.sleep(0.05)
    assert len(made) == PIECES_AHEAD + 2
    assert sum(1 for _ in received) == PIECES_AHEAD * 3 - 1


def test_a_reader_that_goes_away_ends_the_work(slots: Slots):
    ended = threading.Event()

    def pieces() -> Generator[bytes]:
        try:
            while True:
                yield b"piece"
        finally:
            ended.set()

    received = stream(slots, pieces())
    next(received)
    received.close()
    assert ended.wait(LONG)
    assert eventually(lambda: slots.taken == 0)
    assert list(received) == []
    received.close()


def test_a_reader_that_never_began_and_is_forgotten_ends_the_work(slots: Slots):
    received = stream(slots, (b"piece" for _ in range(1000)))
    assert slots.taken == 1
    del received
    assert eventually(lambda: slots.taken == 0)


def test_closing_wakes_work_that_waits(slots: Slots):
    stop = threading.Event()

    def pieces() -> Generator[bytes]:
        yield b"piece"
        stop.wait(LONG)

    received = stream(slots, pieces(), call=Call(on_cancel=[stop.set]))
    next(received)
    received.close()
    assert stop.wait(LONG)
    assert eventually(lambda: slots.taken == 0)


def test_a_head_that_never_comes_is_waited_for_no_longer_than_the_limit(slots: Slots):
    release, deadline = threading.Event(), Deadline(0.05, "The work", "Ask for less.")

    def work() -> tuple[None, Generator[bytes]]:
        release.wait(LONG)
        return None, (b"piece" for _ in range(1000))

    with pytest.raises(SourceTimeout) as raised:
        run_streamed(slots, work, deadline=deadline, call=Call(), what="The work")
    assert str(raised.value) == "The work took longer than 0.05 s. Ask for less."
    assert slots.taken == 1
    release.set()
    assert eventually(lambda: slots.taken == 0)


def test_a_piece_that_never_comes_is_waited_for_no_longer_than_the_limit(slots: Slots):
    stop = threading.Event()

    def pieces() -> Generator[bytes]:
        yield b"piece"
        stop.wait(LONG)

    received = stream(slots, pieces(), seconds=0.1, call=Call(on_cancel=[stop.set]))
    assert next(received) == b"piece"
    with pytest.raises(SourceTimeout, match=r"The work took longer than 0.1 s"):
        next(received)
    assert eventually(lambda: slots.taken == 0)


def test_a_reader_that_is_too_slow_is_cut_off_after_what_was_sent(slots: Slots):
    received = stream(slots, (b"piece" for _ in range(1000)), seconds=0.1)
    assert eventually(lambda: slots.taken == 0)
    assert [next(received) for _ in range(PIECES_AHEAD)] == [b"piece"] * PIECES_AHEAD
    with pytest.raises(SourceTimeout, match="was not read in time"):
        next(received)


def test_prolonged_work_may_last_longer_but_not_pause_longer(slots: Slots):
    def pieces() -> Generator[bytes]:
        for _ in range(4):
            yield b"piece"
            time.sleep(0.1)
        stop.wait(LONG)

    stop = threading.Event()
    received = stream(slots, pieces(), seconds=0.3, longer=LONG, call=Call(on_cancel=[stop.set]))
    assert [next(received) for _ in range(4)] == [b"piece"] * 4
    with pytest.raises(SourceTimeout, match=r"The work was silent for 0.3 s\. Ask for less\."):
        next(received)
    assert eventually(lambda: slots.taken == 0)


def test_even_prolonged_work_comes_to_an_end(slots: Slots):
    def pieces() -> Generator[bytes]:
        while not stop.wait(0.02):
            yield b"piece"

    stop = threading.Event()
    received = stream(slots, pieces(), seconds=0.3, longer=0.5, call=Call(on_cancel=[stop.set]))
    with pytest.raises(SourceTimeout, match=r"The work took longer than 0.5 s"):
        list(received)
    assert eventually(lambda: slots.taken == 0)


def test_an_error_before_the_head_is_raised_at_once(slots: Slots):
    def work() -> tuple[None, Generator[bytes]]:
        raise BadRequest("Send a date.")

    with pytest.raises(BadRequest, match=r"Send a date\."):
        run_streamed(slots, work, deadline=Deadline(LONG, "The work", ""), call=Call(), what="The work")
    assert slots.taken == 0


def test_an_error_amid_the_pieces_comes_after_them_and_is_logged(slots: Slots, caplog: pytest.LogCaptureFixture):
    def pieces() -> Generator[bytes]:
        yield b"piece"
        raise SourceFailed("It broke off.")

    received = stream(slots, pieces())
    assert next(received) == b"piece"
    with pytest.raises(SourceFailed, match=r"It broke off\."):
        next(received)
    assert slots.taken == 0
    assert "It broke off." in caplog.text
    assert list(received) == []


def test_any_other_error_amid_the_pieces_goes_to_the_log_only(slots: Slots, caplog: pytest.LogCaptureFixture):
    def pieces() -> Generator[bytes]:
        yield b"piece"
        raise ValueError("secret host")

    with pytest.raises(SourceFailed) as raised:
        list(stream(slots, pieces()))
    assert "secret" not in str(raised.value)
    assert "ValueError: secret host" in caplog.text


def test_a_stream_without_a_free_slot_is_told_when_to_come_back(slots: Slots):
    streams = [stream(slots, (b"piece" for _ in range(1000))) for _ in range(2)]
    with pytest.raises(Busy, match="no more than 2 at once") as raised:
        stream(slots, [b"piece"])
    assert raised.value.retry_after == RETRY_AFTER_SECONDS
    streams[0].close()
    assert list(stream(slots, [b"piece"])) == [b"piece"]
    streams[1].close()
    assert eventually(lambda: slots.taken == 0)


def test_a_failed_stream_leaves_nothing_alive_that_it_held(slots: Slots):
    class Large:
        """What the work holds."""

    def pieces() -> Generator[bytes]:
        held = Large()
        kept.append(weakref.ref(held))
        yield b"piece"
        raise BadRequest("Send a date.")

    kept: list[weakref.ref[Large]] = []
    gc.disable()
    try:
        with contextlib.suppress(BadRequest):
            list(stream(slots, pieces()))
        assert eventually(lambda: kept[0]() is None)
    finally:
        gc.enable()


def test_streams_use_no_more_threads_than_slots(slots: Slots):
    before = threading.active_count()
    for _ in range(20):
        assert list(stream(slots, [b"a", b"b"])) == [b"a", b"b"]
    assert threading.active_count() <= before + slots.count
