"""The source kind "collection": rows kept in this backend's own database, which forms write."""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast, get_args

import duckdb
import orjson
from django.db import DatabaseError, InterfaceError, close_old_connections
from pydantic import Field, field_validator, model_validator

from widgets_app.errors import Busy, DefinitionError, SourceFailed
from widgets_app.models import CollectionRow, Revision, Source
from widgets_app.sources import folder
from widgets_app.sources.base import Call, Limits, SourceBackend, SourceOptions, Step, Table, matching
from widgets_app.sources.files import FilesQuery, table_of
from widgets_app.sources.frame import ColumnType
from widgets_app.sources.json_sql import identifier
from widgets_app.sources.registry import register

TABLE = "rows"
# The most rows of a collection that an option may allow: a change has all of them read again.
MOST_ROWS = 100_000
RETRY_SECONDS = 2

TYPES: Mapping[str, str] = {
    "text": "VARCHAR",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "datetime": "TIMESTAMP",
}
# What every row has besides its own columns.
KEPT: Mapping[str, str] = {
    "row_id": "BIGINT",
    "created_at": "TIMESTAMP",
    "updated_at": "TIMESTAMP",
    "created_by": "VARCHAR",
}

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_numbers = itertools.count(1)


class CollectionOptions(SourceOptions):
    """The columns of the rows."""

    columns: list[str] = Field(
        default=[],
        title="Columns",
        description="Name and type of each column, such as vessel: text, arrived: date, tons: number. Types: "
        f"{', '.join(TYPES)}. The columns {', '.join(KEPT)} are always there.",
    )
    key: list[str] = Field(
        default=[],
        title="Key columns",
        description="Columns that tell rows apart, such as vessel: no two rows have the same values in them, and "
        "changing and deleting find rows by them.",
    )
    max_rows: int = Field(
        default=10_000,
        ge=1,
        le=MOST_ROWS,
        title="Most rows",
        description=f"A form is refused when there are so many rows already; at most {MOST_ROWS}.",
    )

    @property
    def types(self) -> dict[str, ColumnType]:
        """The type of each column by its name."""
        return {name: cast(ColumnType, kind) for name, kind in map(_split, self.columns)}

    @field_validator("columns")
    @classmethod
    def _known(cls, value: list[str]) -> list[str]:
        names = [_checked(column) for column in value]
        taken = {*KEPT}
        for name in names:
            if name.lower() in taken:
                raise ValueError(f"the column {name} is there already; give it another name")
            taken.add(name.lower())
        return [": ".join(_split(column)) for column in value]

    @model_validator(mode="after")
    def _key_of_columns(self) -> CollectionOptions:
        if unknown := [name for name in self.key if name not in self.types]:
            raise ValueError(f"the key has {', '.join(unknown)}, which is no column")
        return self


def _split(column: str) -> tuple[str, str]:
    name, _, kind = column.partition(":")
    return name.strip(), kind.strip().lower()


def _checked(column: str) -> str:
    name, kind = _split(column)
    if not _NAME.fullmatch(name):
        raise ValueError(f'"{name}" is no name of a column; use letters, digits and _, a letter first')
    if kind not in TYPES or kind not in get_args(ColumnType):
        raise ValueError(f"write the type of {name} after a colon: one of {', '.join(TYPES)}")
    return name


@dataclass(frozen=True)
class OpenRows:
    """The rows as they were at one revision, as a table of a DuckDB that can reach nothing else."""

    number: int
    revision: int
    connection: duckdb.DuckDBPyConnection

    def missing(self, table: str) -> str:
        """Return why there is no such table."""
        return f'There is no table "{table}". The rows of a collection are the table "{TABLE}".'

    def shortened(self, text: str) -> str:
        """Return an error's text as people may see it."""
        return text


class Rows:
    """The rows of one collection: read after a change, and made a table where they are asked for. Thread-safe."""

    def __init__(self, source: str, types: Mapping[str, ColumnType]) -> None:
        self._source = source
        self._types = types
        self._opening = threading.Lock()
        self._read: tuple[int, bytes] | None = None
        self._opened: OpenRows | None = None
        self._pk = 0

    def is_behind(self) -> bool:
        """Say that the database has to be asked."""
        return True

    def fingerprint(self) -> str:
        """Ask for the number that every change moves, and read the rows if it has moved."""
        try:
            revision = self._revision()
            if self._newest() < revision:
                read = _rows_as_json(self._pk)
                with self._opening:
                    # Another thread may have read newer ones meanwhile.
                    if self._newest() < revision:
                        self._read = revision, read
        except (DatabaseError, InterfaceError) as error:
            raise Busy("The rows can't be read now. Try again in a moment.", retry_after=RETRY_SECONDS) from error
        return str(revision)

    def opened(self) -> OpenRows:
        """Return the rows of the last look as a table; needs no database but for the first time."""
        if self._newest() < 0:
            self.fingerprint()
        with self._opening:
            if self._read is not None:
                revision, rows = self._read
                self._opened = OpenRows(next(_numbers), revision, _table(rows, self._types))
                self._read = None
            assert self._opened is not None  # noqa: S101  the rows were read above, or before
            return self._opened

    def drop(self, opened: OpenRows) -> None:
        """Have the rows loaded anew."""
        with self._opening:
            if self._opened is opened:
                self._opened = None

    def _newest(self) -> int:
        """Return the revision of the rows that are here, as a table or not yet; -1 without any."""
        if (read := self._read) is not None:
            return read[0]
        return -1 if (opened := self._opened) is None else opened.revision

    def _revision(self) -> int:
        if not self._pk:
            self._pk = Source.objects.filter(name=self._source).values_list("pk", flat=True).first() or 0
        found = Revision.objects.filter(name=f"{Revision.ROWS}_{self._pk}").values_list("number", flat=True).first()
        return found or 0


def _rows_as_json(source: int) -> bytes:
    """Return the rows as a JSON array. Their values are put in as they are stored: who asks waits for this."""
    rows = CollectionRow.objects.with_text().filter(source_id=source)
    return orjson.dumps(
        [
            {
                "values": orjson.Fragment(text),
                "row_id": pk,
                "created_at": created,
                "updated_at": updated,
                "created_by": by,
            }
            for pk, text, created, updated, by in rows.values_list(
                "pk", "text", "created_at", "updated_at", "created_by"
            )
        ]
    )


def _table(rows: bytes, types: Mapping[str, ColumnType]) -> duckdb.DuckDBPyConnection:
    values = {name: TYPES[kind] for name, kind in types.items()}
    connection = folder.scratch()
    connection.execute("set enable_external_access = false")
    names = ", ".join(f"{identifier(name)} {kind}" for name, kind in {**values, **KEPT}.items())
    connection.execute(f"create table {TABLE} ({names})")
    found = ", ".join([*(f'item."values".{identifier(name)}' for name in values), *(f"item.{name}" for name in KEPT)])
    # What doesn't suit a column that has another type by now becomes null.
    connection.execute(
        f"insert into {TABLE} select {found} from (select unnest(from_json(?::json, ?)) as item)",  # noqa: S608
        [rows.decode(), orjson.dumps([{"values": values, **KEPT}]).decode()],
    )
    connection.execute("set lock_configuration = true")
    return connection


@register
class CollectionBackend(SourceBackend):
    """Rows in this backend's database, queried with DuckDB's SQL."""

    kind = "collection"
    label = "Collection (rows from forms)"
    help = "Rows that people enter in forms, kept in this backend's database: SQL over the table rows."
    Options = CollectionOptions

    def __init__(self, name: str, options: SourceOptions) -> None:
        super().__init__(name, options)
        self.columns = options if isinstance(options, CollectionOptions) else CollectionOptions()
        if not self.columns.columns:
            raise DefinitionError("The collection has no columns. Name them, such as vessel: text.")
        self._rows = Rows(name, self.columns.types)

    def prepare(self, text: str) -> FilesQuery:
        """Check the text against the columns there are."""
        query = FilesQuery.of(self.name, self._rows, text)
        try:
            query.check()
        except (SourceFailed, Busy) as error:
            raise DefinitionError(str(error)) from error
        return query

    def check(self, limits: Limits, call: Call) -> Iterator[Step]:
        """Read the rows, and look how many more there may be."""
        options = self.columns
        yield Step("Columns", f"{', '.join(options.columns)}.")
        if options.key:
            yield Step("Key", f"No two rows have the same values in {', '.join(options.key)}.")
        else:
            advice = "Name key columns where forms change or delete rows."
            yield Step("Key", "None: only row_id tells rows apart.", "warning", advice)
        self._look()
        found = self.prepare(f"select count(*) as n from {TABLE}").run({}, limits, call)  # noqa: S608  our own name
        count = found.rows()[0]["n"]
        text = f"{count:,} of at most {options.max_rows:,}."
        if count < options.max_rows:
            yield Step("Rows", text)
        else:
            yield Step("Rows", text, "warning", "Forms that add rows are refused. Raise the limit, or delete rows.")

    def tables(self, search: str, limits: Limits, call: Call) -> Sequence[Table]:
        """Return the one table there is, with the rows that it has now."""
        self._look()
        return matching([table_of(TABLE)], search)

    def _look(self) -> None:
        """Have the rows as they are now, in a thread of ours, whose connections Django doesn't clean up."""
        close_old_connections()
        try:
            self._rows.fingerprint()
        finally:
            close_old_connections()
