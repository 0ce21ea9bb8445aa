"""How the rows of one query leave DuckDB: as JSON, in order, without a Python object for each value."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any

import duckdb
import orjson
import pyarrow as pa
from duckdb.sqltypes import DuckDBPyType
from nanoarrow.c_array_stream import c_array_stream  # type: ignore[import-untyped]  # the library has no types

from widgets_app.sources.base import Limits
from widgets_app.sources.frame import Frame, FrameColumn
from widgets_app.sources.json_sql import column_type, is_loose, is_suspect, repaired, select_columns, select_json
from widgets_app.sources.rows import Batch, frame_from_json
from widgets_app.sources.streams import JSON_ROWS

Cursor = duckdb.DuckDBPyConnection
Values = Mapping[str, Any] | None

# Rows fetched at a time: one vector of DuckDB.
BATCH_ROWS = 2048
# From here on Arrow is faster, which needs a millisecond more to start and a quarter less for each row.
LARGE_ROWS = 20_000
# What DuckDB puts into one batch of Arrow, however long the rows are.
ARROW_BATCH_ROWS = 131_072
# Rows in one batch of a stream: few, as rows may be long.
STREAM_ROWS = 2 * BATCH_ROWS

_ERRORS: dict[str, type[duckdb.Error]] = {
    "INTERRUPT Error": duckdb.InterruptException,
    "FATAL Error": duckdb.FatalException,
    "INTERNAL Error": duckdb.InternalException,
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What a statement was made for: the opened folder, the columns with their types, the most rows it may give.

    `guarded` has it stop when the types are others, `wide` allows for integers beyond 2^53, `listed` is for Arrow.
    """

    opened: int
    sql: str
    limit: int
    names: tuple[str, ...]
    kinds: tuple[DuckDBPyType, ...]
    guarded: bool
    wide: bool = False
    listed: bool = False

    def compiled(self, cursor: Cursor) -> CompiledPlan:
        """Return it ready to run."""
        text = select_json(
            self.sql,
            self.names,
            self.kinds,
            limit=self.limit,
            wide=self.wide,
            guarded=self.guarded,
            listed=self.listed,
        )
        statement = cursor.extract_statements(text)[0]
        return CompiledPlan(self, statement, columns_of(self.names, self.kinds), any(map(is_loose, self.kinds)))


@dataclass(frozen=True, slots=True)
class CompiledPlan:
    """A plan with its statement, parsed once and run by any cursor of the engine."""

    plan: Plan
    statement: duckdb.Statement
    columns: tuple[FrameColumn, ...]
    loose: bool

    def read(self, cursor: Cursor, values: Values, limits: Limits) -> Frame:
        """Run it; DuckDB makes few more rows than the limits let through. Raises duckdb.Error."""
        batches = self._arrow(cursor, values) if self.plan.listed else self._fetched(cursor, values)
        return frame_from_json(batches, self.columns, limits)

    def suits_arrow(self, frame: Frame, limits: Limits) -> bool:
        """Say whether the next run, if its result is like this one, had better come as Arrow."""
        if self.loose or frame.row_count < LARGE_ROWS:
            return False
        # A whole batch is made before the limit of bytes can stop it.
        return len(frame.json) / frame.row_count * ARROW_BATCH_ROWS <= limits.bytes

    def _fetched(self, cursor: Cursor, values: Values) -> Iterator[Batch]:
        cursor.execute(self.statement, values)
        while rows := cursor.fetchmany(BATCH_ROWS):
            if self.loose:
                yield Batch.of([repaired(row) if suspect else row for row, suspect in rows])
            else:
                yield Batch.of(list(chain.from_iterable(rows)))

    def _arrow(self, cursor: Cursor, values: Values) -> Iterator[Batch]:
        try:
            with c_array_stream(cursor.sql(self.statement, params=values)) as stream:
                for array in stream:
                    yield _arrow_batch(array.child(0).view(), array.length)
        except RuntimeError as error:
            raise _as_duckdb(str(error)) from error


def _arrow_batch(column: Any, count: int) -> Batch:
    ends, text = memoryview(column.buffer(1)), memoryview(column.buffer(2)).cast("B")
    # Each row has a comma after it.
    return Batch(count, text[:-1], lambda: [bytes(text[start : end - 1]) for start, end in pairwise(ends)])


def _as_duckdb(message: str) -> duckdb.Error:
    text = message.partition("failed (5): ")[2] or message
    return _ERRORS.get(text.partition(":")[0], duckdb.Error)(text)


def columns_of(names: Iterable[str], kinds: Iterable[DuckDBPyType]) -> tuple[FrameColumn, ...]:
    """Return the columns of a Frame for columns of DuckDB."""
    return tuple(FrameColumn(name, column_type(kind)) for name, kind in zip(names, kinds, strict=True))


def stream_columns(
    cursor: Cursor, sql: str, names: tuple[str, ...], kinds: tuple[DuckDBPyType, ...], values: Values, limit: int
) -> Generator[pa.RecordBatch]:
    """Give the rows of a statement with a column for each of theirs; see StreamedQuery. Raises duckdb.Error."""
    loose = [number for number, kind in enumerate(kinds) if is_loose(kind)]
    for batch in _streamed(cursor, select_columns(sql, names, kinds, limit=limit), values):
        for number in loose:
            texts = [text and _shown(text) for text in batch.column(number).to_pylist()]
            batch = batch.set_column(number, batch.schema.field(number), pa.array(texts, pa.string()))
        yield batch


def stream_json(
    cursor: Cursor, sql: str, names: tuple[str, ...], kinds: tuple[DuckDBPyType, ...], values: Values, limit: int
) -> Generator[pa.RecordBatch]:
    """Give each row of a statement as one JSON object; see StreamedQuery. Raises duckdb.Error."""
    text = select_json(sql, names, kinds, limit=limit, wide=True, guarded=False, listed=False)
    loose = any(map(is_loose, kinds))
    for batch in _streamed(cursor, text, values):
        rows = batch.column(0)
        if loose:
            rows = pa.array([_mended(row) for row in rows.to_pylist()], pa.binary())
        yield pa.RecordBatch.from_arrays([rows], schema=JSON_ROWS)


def _shown(text: str) -> str:
    """Return the JSON of a loose column as a cell shows it: a text without its quotes."""
    shown: str = orjson.loads(text) if text.startswith('"') else _mended(text.encode()).decode()
    return shown


def _mended(text: bytes) -> bytes:
    return repaired(text) if is_suspect(text) else text


def _streamed(cursor: Cursor, text: str, values: Values) -> Generator[pa.RecordBatch]:
    reader = cursor.sql(text, params=values).to_arrow_reader(STREAM_ROWS)
    batch = None
    try:
        for batch in reader:
            yield batch
        if batch is None:
            yield pa.RecordBatch.from_pylist([], schema=reader.schema)
    except OSError as error:
        raise _as_duckdb(str(error)) from error
    finally:
        reader.close()
