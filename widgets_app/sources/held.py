"""Results in memory as tables of a DuckDB, so that pages of them are made as pages of files are."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import duckdb
import orjson

from widgets_app.sources import folder
from widgets_app.sources.files import FilesQuery
from widgets_app.sources.frame import ColumnType, Frame
from widgets_app.sources.json_sql import identifier
from widgets_app.sources.rows import distinct

TABLE = "rows"
# What an engine takes besides its rows, and how much more room a table takes than the JSON it is made of.
ENGINE_BYTES = 8 * 1024 * 1024
BYTES_PER_BYTE = 2

_KINDS: Mapping[ColumnType, str] = {
    "text": "varchar",
    "number": "double",
    "boolean": "boolean",
    "date": "date",
    "datetime": "timestamptz",
    "object": "json",
}
# Narrower types, and what all texts of a column must be for them.
_WHOLE = "try_cast({0} as {1})::varchar = {0}"
_NARROWER: Mapping[ColumnType, Mapping[str, str]] = {
    "number": {"bigint": _WHOLE, "hugeint": _WHOLE},
    "datetime": {"timestamp": "not regexp_full_match({0}, '.*T.*[Z+-].*')"},
}
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Loaded:
    """The rows as a table of a DuckDB that can reach nothing else."""

    number: int
    connection: duckdb.DuckDBPyConnection

    def missing(self, table: str) -> str:
        """Return why there is no such table."""
        return f'There is no table "{table}".'

    def shortened(self, text: str) -> str:
        """Return an error's text as people may see it."""
        return text


class Held:
    """Rows that stay as they are: loaded when first asked for, and by one thread only. Thread-safe."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._opening = threading.Lock()
        self._opened: Loaded | None = None

    def is_behind(self) -> bool:
        """Say that nothing changes."""
        return False

    def fingerprint(self) -> str:
        """Return the same text at all times."""
        return ""

    def opened(self) -> Loaded:
        """Return the rows."""
        with self._opening:
            if self._opened is None:
                self._opened = Loaded(next(_numbers), _table(self._frame))
            return self._opened

    def drop(self, opened: Loaded) -> None:
        """Have the rows loaded anew."""
        if self._opened is opened:
            self._opened = None


@dataclass(frozen=True, slots=True)
class HeldRows:
    """A result that pages are made of, with what it weighs when it is kept."""

    frame: Frame
    query: FilesQuery

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        return ENGINE_BYTES + BYTES_PER_BYTE * self.frame.size


def held(frame: Frame, source: str) -> HeldRows:
    """Return a result ready to be paged; the rows are loaded with the first page."""
    return HeldRows(frame, FilesQuery(source, Held(frame), f"select * from {TABLE}"))  # noqa: S608  our own name


def _table(frame: Frame) -> duckdb.DuckDBPyConnection:
    connection = folder.scratch()
    connection.execute("set enable_external_access = false")
    # So few rows are never shared between threads.
    connection.execute("set threads = 1")
    rows = frame.rows()
    # Column by column, as names may be anything.
    columns = [orjson.dumps([row[column.name] for row in rows]).decode() for column in frame.columns]
    texts = ", ".join(f"unnest(from_json(?, '[\"varchar\"]')) as c{n}" for n in range(len(columns)))
    connection.execute(f"create temp table texts as select {texts or 'null as c0 limit 0'}", columns)
    casts = ", ".join(_cast(connection, frame)) or "c0"
    connection.execute(f"create table {TABLE} as select {casts} from texts")  # noqa: S608  names are quoted
    connection.execute("drop table texts")
    connection.execute("set lock_configuration = true")
    return connection


def _cast(connection: duckdb.DuckDBPyConnection, frame: Frame) -> Iterator[str]:
    names = distinct(column.name for column in frame.columns)
    for number, (column, name) in enumerate(zip(frame.columns, names, strict=True)):
        kind = _narrower(connection, f"c{number}", column.type) or _KINDS[column.type]
        yield f"try_cast(c{number} as {kind}) as {identifier(name)}"


def _narrower(connection: duckdb.DuckDBPyConnection, column: str, kind: ColumnType) -> str | None:
    for name, condition in _NARROWER.get(kind, {}).items():
        others = f"select 1 from texts where {column} is not null and ({condition.format(column, name)}) is not true"  # noqa: S608
        if connection.execute(f"{others} limit 1").fetchone() is None:
            return name
    return None
