"""Registered functions as a source."""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from widgets_app import functions
from widgets_app.errors import BadRequest, Busy, DefinitionError, SourceFailed, SourceTimeout
from widgets_app.functions import data_function
from widgets_app.sources import event_loop
from widgets_app.sources.base import Call, Limits, SourceOptions
from widgets_app.sources.frame import Frame
from widgets_app.sources.limits import Deadline, Slots, run_limited
from widgets_app.sources.python import PythonBackend
from widgets_app.sources.registry import backend_class

# A function runs between two looks at the thread's database connections.
pytestmark = pytest.mark.django_db


# Functions may use the database, whose connections are looked after around each call.
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the functions of a test after it."""
    monkeypatch.setattr(functions, "_FUNCTIONS", {})


@pytest.fixture
def backend() -> PythonBackend:
    return PythonBackend("code", SourceOptions())


@pytest.fixture
def answer(backend: PythonBackend) -> Callable[[object], Frame]:
    """Run a function that returns the given object."""

    def run(result: object) -> Frame:
        data_function("made")(lambda: result)
        return backend.prepare("made").run({}, Limits(), Call())

    return run


def test_the_kind_is_registered():
    assert backend_class("python") is PythonBackend


def test_arguments_are_placeholders_and_the_caller_is_not(backend: PythonBackend):
    @data_function
    def prices(ticker: str, caller: Mapping[str, Any], days: int = 30) -> list[dict[str, Any]]:
        return [{"ticker": ticker, "days": days, "who": caller["name"]}]

    query = backend.prepare(" prices\n")
    assert query.placeholders == ("ticker", "days")
    assert query.uses_caller
    frame = query.run({"ticker": "AAA", "days": None}, Limits(), Call(caller={"name": "Ana"}))
    assert frame.rows() == [{"ticker": "AAA", "days": 30, "who": "Ana"}]


def test_a_value_that_is_given_wins_over_the_default(backend: PythonBackend):
    @data_function
    def prices(days: int = 30) -> dict[str, int]:
        return {"days": days}

    query = backend.prepare("prices")
    assert not query.uses_caller
    assert query.run({"days": 0}, Limits(), Call()).rows() == [{"days": 0}]


def test_an_argument_without_default_gets_none(backend: PythonBackend):
    @data_function
    def prices(day: object) -> dict[str, object]:
        return {"day": day}

    assert backend.prepare("prices").run({"day": None}, Limits(), Call()).rows() == [{"day": None}]


def test_an_unknown_function_lists_those_there_are(backend: PythonBackend):
    with pytest.raises(DefinitionError, match="Functions: none yet"):
        backend.prepare("prices")
    data_function("b")(lambda: None)
    data_function("a")(lambda: None)
    with pytest.raises(DefinitionError, match=r'no function "prices"\. Functions: a, b\.'):
        backend.prepare("prices")


def test_argument_names_that_are_reserved_are_refused(backend: PythonBackend):
    data_function("made")(lambda key_region: None)
    with pytest.raises(DefinitionError, match="comes with the argument caller"):
        backend.prepare("made")


class DataFrame:
    """Hands out its rows as pandas does."""

    def to_dict(self, orient: str) -> list[dict[str, Any]]:
        assert orient == "records"
        return [{"a": math.nan}]


class PolarsFrame:
    """Hands out its rows as Polars does."""

    def to_dicts(self) -> list[dict[str, Any]]:
        return [{"a": 1}]


class ArrowTable:
    """Hands out its rows as Arrow does."""

    def to_pylist(self) -> list[dict[str, Any]]:
        return [{"a": 1}]


def generated() -> Iterator[dict[str, int]]:
    yield {"a": 1}
    yield {"a": 2}


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ([{"a": 1}, {"b": 2}], [{"a": 1, "b": None}, {"a": None, "b": 2}]),
        (generated(), [{"a": 1}, {"a": 2}]),
        ({"a": 1}, [{"a": 1}]),
        ("# Hello", [{"text": "# Hello"}]),
        (None, []),
        ([], []),
        (DataFrame(), [{"a": None}]),
        (ArrowTable(), [{"a": 1}]),
        (PolarsFrame(), [{"a": 1}]),
    ],
)
def test_what_a_function_may_return(answer: Callable[[object], Frame], result: object, expected: list[Any]):
    assert answer(result).rows() == expected


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        ([(1, 2)], "rows of type tuple; return dicts"),
        (5, "it returned int; return a list of dicts"),
        (b"abc", "it returned bytes; return a list of dicts"),
        ([{"a": object()}], 'column "a" has a value of type object'),
    ],
)
def test_what_it_may_not_return_is_named(answer: Callable[[object], Frame], result: object, reason: str):
    with pytest.raises(SourceFailed, match=reason):
        answer(result)


def test_a_failing_function_is_one_line_for_the_caller_and_a_traceback_in_the_log(
    backend: PythonBackend, caplog: pytest.LogCaptureFixture
):
    @data_function
    def prices() -> None:
        raise ValueError("no\nluck")

    with pytest.raises(SourceFailed) as raised, caplog.at_level(logging.ERROR, "widgets_app.sources"):
        backend.prepare("prices").run({}, Limits(), Call())
    assert str(raised.value) == 'The function "prices" failed: ValueError: no luck'
    assert "Traceback" in caplog.text


def test_a_function_may_say_what_is_wrong_with_a_value(backend: PythonBackend):
    @data_function
    def prices() -> None:
        raise BadRequest("Send days between 1 and 30.")

    with pytest.raises(BadRequest, match="between 1 and 30"):
        backend.prepare("prices").run({}, Limits(), Call())


def test_limits_hold_for_functions(backend: PythonBackend):
    data_function("made")(lambda: ({"n": n} for n in range(10)))
    frame = backend.prepare("made").run({}, Limits(rows=3), Call())
    assert (frame.row_count, frame.truncated) == (3, True)


def eventually(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + 10
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    return condition()


def run(backend: PythonBackend, name: str, **values: Any) -> Frame:
    return backend.prepare(name).run(values, Limits(), Call())


def test_asynchronous_functions_run_on_one_event_loop(backend: PythonBackend):
    @data_function
    async def loop() -> list[dict[str, object]]:
        await asyncio.sleep(0)
        return [{"loop": id(asyncio.get_running_loop()), "thread": threading.current_thread().name}]

    first, second = run(backend, "loop").rows(), run(backend, "loop").rows()
    assert first == second
    assert first[0]["thread"] == "functions"


def test_what_an_asynchronous_function_raises_is_told_as_of_any_other(backend: PythonBackend):
    @data_function
    async def wrong(days: int) -> None:
        await asyncio.sleep(0)
        raise BadRequest("days must be positive.") if days < 0 else RuntimeError("broken")

    with pytest.raises(BadRequest, match="days must be positive"):
        run(backend, "wrong", days=-1)
    with pytest.raises(SourceFailed, match='"wrong" failed: RuntimeError: broken'):
        run(backend, "wrong", days=1)


def test_an_asynchronous_function_is_cancelled_at_its_time_limit_and_its_slot_is_free(backend: PythonBackend):
    cancelled = threading.Event()

    @data_function
    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    call, slots = Call(), Slots("code", 1)
    prepared = backend.prepare("endless")
    with pytest.raises(SourceTimeout):
        run_limited(slots, lambda: prepared.run({}, Limits(), call), deadline=Deadline(0.1, "It"), call=call)
    assert cancelled.wait(10)
    assert run_limited(slots, lambda: "next", deadline=Deadline(10, "It"), call=Call()) == "next"


def test_a_function_that_ends_slowly_after_its_cancellation_keeps_its_slot(backend: PythonBackend):
    running, most, finish = [], [], threading.Event()

    @data_function
    async def slow() -> None:
        running.append(1)
        most.append(len(running))
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            while not finish.is_set():
                await asyncio.sleep(0.01)
        finally:
            running.pop()

    slots, prepared = Slots("code", 2), backend.prepare("slow")

    def ask(call: Call) -> None:
        run_limited(slots, lambda: prepared.run({}, Limits(), call), deadline=Deadline(0.1, "It"), call=call)

    for expected in (SourceTimeout, SourceTimeout, Busy, Busy):
        with pytest.raises(expected):
            ask(Call())
    assert slots.taken == 2
    assert max(most) == 2
    finish.set()
    assert eventually(lambda: slots.taken == 0)
    assert not running


def test_an_asynchronous_function_tidies_up_undisturbed(backend: PythonBackend):
    tidied = threading.Event()

    @data_function
    async def careful() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.3)
            tidied.set()

    call, prepared = Call(), backend.prepare("careful")
    with pytest.raises(SourceTimeout):
        run_limited(Slots("code", 1), lambda: prepared.run({}, Limits(), call), deadline=Deadline(0.1, "It"), call=call)
    assert tidied.wait(10)


def test_an_exit_inside_an_asynchronous_function_ends_that_one_only(backend: PythonBackend):
    @data_function
    async def leaving() -> None:
        raise SystemExit(1)

    @data_function
    async def staying() -> str:
        return "still here"

    with pytest.raises(SystemExit):
        run(backend, "leaving")
    assert run(backend, "staying").rows() == [{"text": "still here"}]


def test_the_log_names_an_asynchronous_function_that_blocks_all_others(
    backend: PythonBackend, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(event_loop, "BLOCKED_SECONDS", 0.1)

    @data_function
    async def rude() -> None:
        time.sleep(1)

    @data_function
    async def polite() -> None:
        await asyncio.sleep(1)

    run(backend, "polite")
    assert "asyncio.to_thread" not in caplog.text
    run(backend, "rude")
    assert eventually(lambda: "asyncio.to_thread" in caplog.text)
    assert [record.message.split('"')[1] for record in caplog.records] == ["rude"]
    assert "time.sleep(1)" in caplog.text
