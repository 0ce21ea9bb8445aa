"""Looking at a source before anything is built on it: does it work, which tables has it, what is in them."""

from __future__ import annotations

import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from widgets_app import catalog
from widgets_app.compiled import OpenSource, open_source
from widgets_app.errors import Busy, DefinitionError, NotFound, RequestError, SourceFailed
from widgets_app.models import Source
from widgets_app.sources.base import Call, Limits, SourceBackend, Step, Table, TableColumn
from widgets_app.sources.frame import Frame
from widgets_app.sources.limits import Deadline, run_limited

# Somebody waits for each of these in front of a page. A test may begin with waiting for a server that isn't there.
TEST_SECONDS = 15.0
LOOK_SECONDS = 10.0
# Tables listed at a time, columns of one, its first rows, and how many bytes these may take.
TABLES_SHOWN = 200
COLUMNS_SHOWN = 500
ROWS_SHOWN = 20
SAMPLE_BYTES = 2 * 1024 * 1024
# Tests that somebody may make within a minute, in each process of the server.
TESTS_PER_MINUTE = 10
MINUTE = 60.0

TEST_ADVICE = "Look at what comes after the last step."
LOOK_ADVICE = "Search for a part of the name, or try again later."

T = TypeVar("T")

_tests: defaultdict[str, deque[float]] = defaultdict(deque)
_counting = threading.Lock()


@dataclass(frozen=True, slots=True)
class Taken:
    """A step of a test, and how many milliseconds it took; None where that is not told."""

    step: Step
    milliseconds: int | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """Tables of a source, by name; `is_cut` says that there are more, `none` what it means that there are none."""

    tables: Sequence[Table]
    is_cut: bool
    none: str


@dataclass(frozen=True, slots=True)
class Look:
    """What is in a table: `sample` are its first rows, None for what has to be called."""

    table: Table
    columns: Sequence[TableColumn]
    is_cut: bool
    sample: Frame | None


def count_test(user: str) -> None:
    """Count a test that somebody makes; raises Busy beyond TESTS_PER_MINUTE."""
    with _counting:
        made, now = _tests[user], time.monotonic()
        while made and now - made[0] >= MINUTE:
            made.popleft()
        if len(made) >= TESTS_PER_MINUTE:
            wait = int(MINUTE - (now - made[0])) + 1
            text = f"You may make {TESTS_PER_MINUTE} tests a minute. Try again in {wait} s."
            raise Busy(text, retry_after=wait)
        made.append(now)


def source_test(source: Source) -> list[Taken]:
    """Test a source as it is here, saved or not, in its slots; returns the steps up to the first that is bad."""
    opened = _opened(source)
    if opened.backend is None:
        return [Taken(Step("Settings", opened.fault, "bad"))]
    backend, call, taken = opened.backend, Call(), list[Taken]()
    limits = Limits(seconds=TEST_SECONDS, rows=COLUMNS_SHOWN, bytes=SAMPLE_BYTES)

    def work() -> None:
        began = time.perf_counter()
        for step in backend.check(limits, call):
            spent = round((time.perf_counter() - began) * 1000)
            taken.append(Taken(step, spent if step.timed else None))
            began = time.perf_counter()

    try:
        _limited(opened, work, call, TEST_SECONDS, TEST_ADVICE)
    except (DefinitionError, RequestError) as error:
        # The work may go on a while, and must not change what is returned.
        return [*taken, Taken(Step("Test", str(error), "bad"))]
    return taken


def source_tables(source: Source, search: str = "") -> Listing:
    """Return the first tables whose names hold `search`. Raises DefinitionError and RequestError."""
    limits = Limits(seconds=LOOK_SECONDS, rows=TABLES_SHOWN)

    def listed(backend: SourceBackend, call: Call) -> Listing:
        found = backend.tables(search, limits, call)
        return Listing(found[:TABLES_SHOWN], len(found) > TABLES_SHOWN, backend.no_tables)

    return _look(source, listed)


def source_look(source: Source, name: str) -> Look:
    """Look into a table. Raises NotFound unless the source lists it, and as `source_tables`."""
    limits = Limits(seconds=LOOK_SECONDS, rows=COLUMNS_SHOWN, bytes=SAMPLE_BYTES)

    def look(backend: SourceBackend, call: Call) -> Look:
        listed = backend.tables(name, replace(limits, rows=1), call)
        if not listed or listed[0].name != name:
            raise NotFound(f"The source has no table “{name}”, or not any more.")
        table = listed[0]
        columns = backend.table_columns(table, limits, call)
        sample = None if table.is_called else backend.sample(table, replace(limits, rows=ROWS_SHOWN), call)
        return Look(table, columns[:COLUMNS_SHOWN], len(columns) > COLUMNS_SHOWN, sample)

    return _look(source, look)


def _opened(source: Source) -> OpenSource:
    """Return a source, open; one that serves with the same settings is the one that is used."""
    return open_source(source, catalog.current().sources.get(source.pk))


def _look(source: Source, work: Callable[[SourceBackend, Call], T]) -> T:
    opened, call = _opened(source), Call()
    if (backend := opened.backend) is None:
        raise DefinitionError(opened.fault)
    return _limited(opened, lambda: work(backend, call), call, LOOK_SECONDS, LOOK_ADVICE)


def _limited(opened: OpenSource, work: Callable[[], T], call: Call, seconds: float, advice: str) -> T:
    def guarded() -> T:
        try:
            return work()
        except DefinitionError as error:
            # A table that SQL can't name, or a file that is damaged since.
            raise SourceFailed(str(error)) from error

    what = f'Looking at the source "{opened.name}"'
    return run_limited(opened.slots, guarded, deadline=Deadline(seconds, what, advice), call=call)
