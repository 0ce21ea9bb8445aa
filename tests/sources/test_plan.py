"""Large results are read as Arrow, and nobody can tell by the answer."""

from __future__ import annotations

import threading

import duckdb
import pytest

from widgets_app.errors import SourceFailed
from widgets_app.sources.base import Call, Limits
from widgets_app.sources.files import FilesBackend, FilesQuery
from widgets_app.sources.frame import Frame
from widgets_app.sources.plan import LARGE_ROWS, _as_duckdb

LARGE = Limits(rows=LARGE_ROWS)
ROWS = "select range as n, if(range % 7 = 0, 'nan'::double, range / 8) as x, 'té\"xt' as t from range({})"


def run(query: FilesQuery, limits: Limits = LARGE, **values: object) -> Frame:
    return query.run(values, limits, Call())


def reads_arrow(query: FilesQuery) -> bool:
    return query._plan is not None and query._plan.plan.listed


@pytest.fixture
def large(backend: FilesBackend) -> FilesQuery:
    """A query that has given so many rows before that it is read as Arrow from now on."""
    query = backend.prepare(f"select * from ({ROWS.format(300_000)}) where n < :most")
    run(query, most=LARGE_ROWS)
    assert reads_arrow(query)
    return query


def test_both_ways_of_reading_give_the_same_bytes(backend: FilesBackend):
    query = backend.prepare(ROWS.format(150_000))
    limits = Limits(rows=150_000)
    first, second = run(query, limits), run(query, limits)
    assert reads_arrow(query)
    assert second.json == first.json
    assert (second.row_count, second.truncated, second.columns) == (150_000, False, first.columns)
    assert second.rows()[-1] == {"n": 149_999, "x": 149_999 / 8, "t": 'té"xt'}


def test_small_results_are_read_the_other_way_again(large: FilesQuery):
    assert run(large, most=3).row_count == 3
    assert not reads_arrow(large)
    assert run(large, most=3).row_count == 3


def test_no_rows_at_all_are_an_empty_list(large: FilesQuery):
    assert run(large, most=0).json == b"[]"


def test_the_row_limit_cuts_at_the_same_row(large: FilesQuery):
    frame = run(large, most=LARGE_ROWS + 1)
    assert (frame.row_count, frame.truncated) == (LARGE_ROWS, True)
    assert frame.rows()[-1]["n"] == LARGE_ROWS - 1


@pytest.mark.parametrize("size", [6_000_000, 6_000_001, 7_000_000])
def test_the_byte_limit_cuts_at_the_same_row(backend: FilesBackend, size: int):
    query = backend.prepare(ROWS.format(250_000))
    limits = Limits(rows=250_000, bytes=size)
    first, second = run(query, limits), run(query, limits)
    assert reads_arrow(query)
    assert (first.json, first.row_count) == (second.json, second.row_count)
    assert first.truncated
    assert second.truncated
    assert size - 50 < len(second.json) <= size
    assert second.rows()[-1]["n"] == second.row_count - 1


def test_long_rows_are_not_read_as_arrow(backend: FilesBackend):
    query = backend.prepare(f"select repeat('x', 2000) as t from range({LARGE_ROWS})")
    assert run(query).row_count == LARGE_ROWS
    assert not reads_arrow(query)


def test_rows_that_need_repair_are_not_read_as_arrow(backend: FilesBackend):
    query = backend.prepare(f"select '[NaN]'::json as j from range({LARGE_ROWS})")
    assert run(query).rows()[-1] == {"j": [None]}
    assert not reads_arrow(query)


def test_large_integers_far_down_are_found(backend: FilesBackend):
    query = backend.prepare("select case when range = 140000 then :big else range end as n from range(150000)")
    limits = Limits(rows=150_000)
    assert run(query, limits, big=1).rows()[140_000] == {"n": 1}
    assert reads_arrow(query)
    assert run(query, limits, big=2**53 + 1).rows()[140_000] == {"n": str(2**53 + 1)}


def test_other_types_are_found(backend: FilesBackend):
    query = backend.prepare(f"select :v as v from range({LARGE_ROWS})")
    run(query, v=1)
    assert reads_arrow(query)
    assert run(query, v=float("nan")).rows()[-1] == {"v": None}
    assert run(query, v="x").rows()[-1] == {"v": "x"}


def test_an_error_far_down_is_one_line(backend: FilesBackend):
    query = backend.prepare(
        "select (case when range = :bad then 'x' else range::text end)::int as n from range(150000)"
    )
    limits = Limits(rows=150_000)
    run(query, limits, bad=-1)
    assert reads_arrow(query)
    with pytest.raises(SourceFailed, match=r"^The query failed: Could not convert string 'x' to INT32"):
        run(query, limits, bad=140_000)


def test_reading_can_be_interrupted(large: FilesQuery, backend: FilesBackend):
    text = "select count(*) as n from range(100000000) a, range(:most) b where a.range * b.range % 7 = 3"
    query = backend.prepare(f"select n, range as i from ({text}), range({LARGE_ROWS})")
    run(query, most=0)
    assert reads_arrow(query)
    call, stopped = Call(), threading.Event()

    def stop() -> None:
        while not stopped.wait(0.05):
            for one in call.on_cancel:
                one()

    stopper = threading.Thread(target=stop)
    stopper.start()
    try:
        with pytest.raises(SourceFailed, match="it was stopped"):
            query.run({"most": 100_000_000}, LARGE, call)
    finally:
        stopped.set()
        stopper.join()


def test_a_stopped_stream_is_told_from_a_failed_one():
    stopped = _as_duckdb(
        'ArrowArrayStream::get_next() failed (5): INTERRUPT Error: {"exception_message":"Interrupted!"}'
    )
    assert isinstance(stopped, duckdb.InterruptException)
    assert type(_as_duckdb("out of luck")) is duckdb.Error
