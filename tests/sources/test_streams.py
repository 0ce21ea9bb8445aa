"""Results as they come, from each kind of source that gives them so."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest
from pydantic import SecretStr

from tests.sources.databases import PLACES
from widgets_app.errors import SourceFailed
from widgets_app.sources.base import Call, Limits
from widgets_app.sources.database import DatabaseBackend, DatabaseOptions
from widgets_app.sources.files import FilesBackend
from widgets_app.sources.streams import RowStream, StreamedQuery

# What each database has of its own, besides what all have.
TYPES = {
    "sqlite": "select 1 as i, 1.5 as f, 'ā' as t, x'6162' as b, null as n, 9007199254740993 as big",
    "mariadb": (
        "select 1 as i, 1.5 as m, cast(1.5 as double) as f, 'ā' as t, date '2024-02-29' as d, "
        "timestamp '2024-01-02 03:04:05' as ts, null as n, cast(18446744073709551615 as unsigned) as big, "
        "time '10:20:30' as clock, json_object('a', 1) as j"
    ),
    "postgresql": (
        "select 1 as i, 1.50::numeric(9, 2) as m, 'nan'::float8 as f, 'ā' as t, date '2024-02-29' as d, "
        "timestamp '2024-01-02 03:04:05.5' as ts, timestamptz '2024-01-02 03:04:05+02' as tz, null as n, "
        "9007199254740993 as big, time '10:20:30' as clock, '{\"a\": [1]}'::jsonb as j, array[1, null] as l, "
        "true as flag, gen_random_uuid() is null as u, '\\x6162'::bytea as b, interval '1 day' as span"
    ),
}
EXPECTED = {
    "sqlite": {"i": 1, "f": 1.5, "t": "ā", "b": "YWI=", "n": None, "big": 9007199254740993},
    "mariadb": {
        "i": 1, "m": 1.5, "f": 1.5, "t": "ā", "d": "2024-02-29", "ts": "2024-01-02 03:04:05", "n": None,
        "big": 18446744073709551615, "clock": "10:20:30", "j": '{"a": 1}',
    },
    "postgresql": {
        "i": 1, "m": 1.5, "f": None, "t": "ā", "d": "2024-02-29", "ts": "2024-01-02 03:04:05.500000",
        "tz": "2024-01-02 01:04:05+00:00", "n": None, "big": 9007199254740993, "clock": "10:20:30",
        "j": '{"a":[1]}', "l": "[1,null]", "flag": True, "u": False, "b": "YWI=", "span": "1 day",
    },
}  # fmt: skip


def given(query: StreamedQuery, limits: Limits, *, as_json: bool, **values: Any) -> pa.Table:
    return pa.Table.from_batches(list(query.stream(values, limits, Call(), as_json=as_json)))


def plain(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


@pytest.mark.parametrize("kind", PLACES)
def test_a_database_gives_the_rows_that_it_gives_at_once(kind: str, tmp_path: Path) -> None:
    with PLACES[kind](tmp_path) as place:
        backend = DatabaseBackend("trades", DatabaseOptions(url=place.url, password=SecretStr(place.password)))
        query = backend.prepare(TYPES[kind])
        whole = query.run({}, Limits(), Call())
        rows = given(query, Limits(), as_json=True)["json"].to_pylist()
        assert b"[" + b",".join(rows) + b"]" == whole.json
        (row,) = given(query, Limits(), as_json=False).to_pylist()
        shown = {name: int(value) if name == "big" else plain(value) for name, value in row.items()}
        assert shown == EXPECTED[kind]
        several = backend.prepare("select id from trades where id >= :least order by id")
        assert given(several, Limits(rows=1), as_json=False, least=2).to_pydict() == {"id": [2, 3]}
        assert given(several, Limits(), as_json=False, least=9).num_rows == 0
        failing = backend.prepare("select no_such_column from trades")
        with pytest.raises(SourceFailed, match="no_such_column"):
            given(failing, Limits(), as_json=False)


def test_files_give_the_rows_that_they_give_at_once(backend: FilesBackend) -> None:
    text = (
        "select range as n, 9007199254740990 + range as big, range / 7 as f, 'x' || range as t, [range] as l "
        "from range(:rows) order by n desc"
    )
    query = backend.prepare(text)
    whole = query.run({"rows": 50_000}, Limits(), Call())
    rows = given(query, Limits(), as_json=True, rows=50_000)["json"].to_pylist()
    assert b"[" + b",".join(rows) + b"]" == whole.json
    table = given(query, Limits(), as_json=False, rows=50_000)
    assert table["n"].to_pylist() == list(range(49_999, -1, -1))
    assert table["big"][0].as_py() == 9007199254740990 + 49_999
    assert [orjson.loads(text) for text in table["l"].to_pylist()[:2]] == [[49_999], [49_998]]
    assert given(query, Limits(rows=10), as_json=False, rows=50_000).num_rows == 11


def test_a_stream_of_files_can_be_stopped(backend: FilesBackend) -> None:
    query = backend.prepare("select max(hash(a.range + b.range)) as n from range(1000000) a, range(1000000) b")
    call = Call()
    batches = query.stream({}, Limits(), call, as_json=False)
    timer = threading.Timer(0.5, lambda: [stop() for stop in call.on_cancel])
    timer.start()
    with pytest.raises(SourceFailed, match="stopped"):
        next(batches)
    timer.join()


def numbers(*counts: int, closed: Callable[[], None] = lambda: None) -> Generator[pa.RecordBatch]:
    try:
        for count in counts:
            yield pa.RecordBatch.from_pydict({"n": pa.array(range(count), pa.int64())})
    finally:
        closed()


@pytest.mark.parametrize(
    ("counts", "limit", "sizes", "truncated"),
    [((3, 2), 5, [3, 2], False), ((3, 2), 4, [3, 1], True), ((3, 2), 3, [3, 0], True), ((0,), 0, [0], False),
     ((1,), 0, [0], True)],
)  # fmt: skip
def test_rows_beyond_the_limit_are_left_out(
    counts: tuple[int, ...], limit: int, sizes: list[int], truncated: bool
) -> None:
    stream = RowStream(numbers(*counts), limit)
    assert [batch.num_rows for batch in stream] == sizes
    assert (stream.count, stream.truncated, stream.ended) == (sum(sizes), truncated, True)
    assert stream.settle() is truncated


def test_rows_that_are_left_out_untold_are_an_error() -> None:
    stream = RowStream(numbers(3, 3), 4)
    assert not stream.settle()
    assert next(stream).num_rows == 3
    with pytest.raises(SourceFailed, match="more than 4 rows"):
        next(stream)


def test_rows_that_were_counted_may_be_left_out() -> None:
    stream = RowStream(numbers(3, 3), 4)
    stream.total = 6
    assert stream.settle()
    assert [batch.num_rows for batch in stream] == [3, 1]


def test_closing_stops_what_makes_the_rows() -> None:
    ended: list[bool] = []
    RowStream(numbers(3, 3, closed=lambda: ended.append(True)), 4).close()
    assert ended == [True]
