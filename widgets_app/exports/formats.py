"""The formats of exports: each takes the rows as they come and gives the bytes of a file."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from widgets_app.exports.excel import write_xlsx
from widgets_app.exports.sink import Sink
from widgets_app.exports.times import iso_times
from widgets_app.sources.streams import RowStream

# Rows of one row group of Parquet and of one batch of Arrow, and the bytes that are enough for one.
GROUP_ROWS = 100_000
GROUP_BYTES = 16 * 1024 * 1024
# Spreadsheets take such cells of a CSV file for formulas; signed numbers and lone signs do no harm.
FORMULA = r"^[=+\-@\t\r]"
HARMLESS = r"^[+\-][0-9 .,%]*$"
BOM = b"\xef\xbb\xbf"  # without it Excel takes UTF-8 for another encoding


@dataclass(frozen=True, slots=True)
class About:
    """What a file may tell of itself: the widget's name, the values it was asked with, titles of columns."""

    name: str
    params: Mapping[str, Any] = field(default_factory=dict)
    titles: Mapping[str, str] = field(default_factory=dict)


Write = Callable[[RowStream, About], Generator[bytes]]


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file; `json` ones take rows that are JSON already."""

    content_type: str
    write: Write
    as_json: bool = False


class _Writer(Protocol):
    def write_batch(self, batch: pa.RecordBatch) -> None: ...
    def write_table(self, table: pa.Table) -> None: ...
    def close(self) -> None: ...


def write_json(stream: RowStream, about: About) -> Generator[bytes]:
    """Write an array of objects, each as the widget's own data has it."""
    opening = b"["
    with closing(stream):
        for batch in stream:
            if batch.num_rows:
                yield opening + b",".join(batch.column(0).to_pylist())
                opening = b","
    yield b"[]" if opening == b"[" else b"]"


def write_csv(stream: RowStream, about: About) -> Generator[bytes]:
    """Write comma-separated values with a line of names; text stands in quotes, a missing value is empty."""
    sink = Sink()
    sink.write(BOM)
    with closing(stream):
        schema = _as_text(pa.RecordBatch.from_pylist([], schema=stream.schema)).schema
        options = pyarrow.csv.WriteOptions(eol="\r\n")
        writer: _Writer = pyarrow.csv.CSVWriter(sink, schema, write_options=options)
        for batch in stream:
            writer.write_batch(_as_text(batch))
            yield sink.taken()
        writer.close()
    yield sink.taken()


def _as_text(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the batch with times as JSON has them, and with text that no spreadsheet takes for a formula."""
    names = _harmless(pa.array(batch.schema.names, pa.string())).to_pylist()
    return pa.RecordBatch.from_arrays([_column_as_text(column) for column in batch.columns], names=names)


def _column_as_text(column: pa.Array) -> pa.Array:
    if pa.types.is_string(column.type):
        return _harmless(column)
    return iso_times(column) if pa.types.is_timestamp(column.type) else column


def _harmless(texts: pa.Array) -> pa.Array:
    risky = pc.and_not(pc.match_substring_regex(texts, FORMULA), pc.match_substring_regex(texts, HARMLESS))
    return pc.if_else(risky, pc.binary_join_element_wise("'", texts, ""), texts)


def write_parquet(stream: RowStream, about: About) -> Generator[bytes]:
    """Write Parquet, in groups of rows."""
    return _grouped(stream, pq.ParquetWriter)


def write_arrow(stream: RowStream, about: About) -> Generator[bytes]:
    """Write the file format of Arrow, which is Feather too."""
    return _grouped(stream, pa.ipc.new_file)


def _grouped(stream: RowStream, opened: Callable[[Sink, pa.Schema], _Writer]) -> Generator[bytes]:
    sink = Sink()
    with closing(stream):
        writer = opened(sink, stream.schema)
        for table in _groups(stream):
            writer.write_table(table)
            yield sink.taken()
        writer.close()
    yield sink.taken()


def _groups(stream: RowStream) -> Generator[pa.Table]:
    batches: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in stream:
        batches.append(batch)
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if rows >= GROUP_ROWS or size >= GROUP_BYTES:
            yield pa.Table.from_batches(batches).combine_chunks()
            batches, rows, size = [], 0, 0
    if rows:
        yield pa.Table.from_batches(batches).combine_chunks()


FORMATS: Mapping[str, Format] = {
    "csv": Format("text/csv; charset=utf-8", write_csv),
    "xlsx": Format("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", write_xlsx),
    "parquet": Format("application/vnd.apache.parquet", write_parquet),
    "arrow": Format("application/vnd.apache.arrow.file", write_arrow),
    "json": Format("application/json", write_json, as_json=True),
}
