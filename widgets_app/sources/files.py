"""The source kind "files": SQL over a folder of data files: a table for each file and sub-folder."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Protocol, Self

import duckdb
import orjson
import pyarrow as pa
from django.conf import settings
from duckdb.sqltypes import DuckDBPyType
from pydantic import Field, field_validator

from widgets_app.errors import DefinitionError, SourceFailed
from widgets_app.sources import duckdb_errors, engine, folder, formats, placeholders
from widgets_app.sources.base import Call, Limits, SourceBackend, SourceOptions, Step, Table, matching
from widgets_app.sources.frame import Frame, FrameColumn
from widgets_app.sources.json_sql import LARGE_INTEGER, OTHER_TYPES, identifier
from widgets_app.sources.page_duckdb import KnownColumns
from widgets_app.sources.page_sql import PageSql
from widgets_app.sources.paging import PageAsk, PagedQuery, level_of
from widgets_app.sources.plan import CompiledPlan, Cursor, Plan, Values, columns_of, stream_columns, stream_json
from widgets_app.sources.registry import register
from widgets_app.sources.row_conditions import with_all_rows
from widgets_app.sources.streams import StreamedQuery

logger = logging.getLogger("widgets_app.sources")

# Statements for pages of one query that are kept ready, and sets of values whose columns are known.
KEPT_PAGES = 64

_HINT = "Only a SELECT can be used."
_HINTS = {"MULTI": "Name the values of a PIVOT: pivot t on x in ('a', 'b') using sum(y)."}


# What DuckDB says of texts beside numbers or dates.
_OTHER_LIST = "'contains(T[], T)"


class Tables(Protocol):
    """Tables in a DuckDB, as they were at one time; `number` tells them from all others."""

    @property
    def number(self) -> int: ...
    @property
    def connection(self) -> Cursor: ...
    def missing(self, table: str) -> str: ...
    def shortened(self, text: str) -> str: ...


class Watched(Protocol):
    """Tables that change: `fingerprint` looks for their newest state, `is_behind` says that this may take a while."""

    def is_behind(self) -> bool: ...
    def fingerprint(self) -> str: ...
    def opened(self) -> Any: ...
    def drop(self, opened: Any) -> None: ...


class FilesQuery(PagedQuery, StreamedQuery):
    """One SELECT over the tables of a folder, or over other tables that are watched."""

    def __init__(self, source: str, watched: Watched, sql: str, names: tuple[str, ...] = ()) -> None:
        self.placeholders = names
        self._source = source
        self._folder = watched
        self._sql = sql
        # Inside brackets a statement that changes data can't stand, not even in a WITH.
        self._wrapped = f"select * from (\n{self._sql}\n) as q"  # noqa: S608  an author's text, checked below
        self._plan: CompiledPlan | None = None
        self._columns: dict[tuple[int, bytes], KnownColumns] = {}
        # Values are bound, so that the statements around this one come again and again.
        self._around = lru_cache(KEPT_PAGES)(partial(type(self), source, watched, names=names))

    @classmethod
    def of(cls, source: str, watched: Watched, text: str) -> Self:
        """Return the query of an author's text, not checked yet."""
        template = placeholders.find(with_all_rows(text, dialect="duckdb"), dialect="duckdb")
        return cls(source, watched, template.render(_parameter), template.names)

    def run(self, values: Mapping[str, Any], limits: Limits, call: Call) -> Frame:
        """Run it on the newest state of the folder, with values bound by name."""
        return self._run(self._folder.opened(), values, limits, call)

    def _run(self, opened: Tables, values: Mapping[str, Any], limits: Limits, call: Call) -> Frame:
        with self._cursor(opened, call) as cursor:
            return self._read(opened, cursor, _bound(values), limits)

    def stream(
        self, values: Mapping[str, Any], limits: Limits, call: Call, *, as_json: bool
    ) -> Generator[pa.RecordBatch]:
        """Have DuckDB give the rows as Arrow; see StreamedQuery."""
        yield from self._stream(self._folder.opened(), values, limits, call, as_json=as_json)

    def _stream(
        self, opened: Tables, values: Mapping[str, Any], limits: Limits, call: Call, *, as_json: bool
    ) -> Generator[pa.RecordBatch]:
        with self._cursor(opened, call) as cursor:
            names, kinds = self._described(cursor, _bound(values))
            give = stream_json if as_json else stream_columns
            yield from give(cursor, self._sql, names, kinds, _bound(values), limits.rows + 1)

    @contextmanager
    def _cursor(self, opened: Tables, call: Call) -> Iterator[Cursor]:
        """Give a cursor on tables; what DuckDB raises becomes SourceFailed."""
        cursor = opened.connection.cursor()
        call.on_cancel.append(lambda: _interrupt(cursor))
        try:
            yield cursor
        except duckdb.Error as error:
            logger.warning('A query of the source "%s" failed: %s', self._source, error)
            if isinstance(error, duckdb.FatalException | duckdb.InternalException):
                # After one of these DuckDB refuses everything else.
                self._folder.drop(opened)
            raise SourceFailed(f"The query failed: {self._explained(error, opened, skipped=None)}") from error
        finally:
            cursor.close()

    def page(self, values: Mapping[str, Any], ask: PageAsk, limits: Limits, call: Call) -> Frame:
        """Have DuckDB make one page; see PagedQuery."""
        paged = self._paged(values, ask, call)
        query = self._around(paged.rows(ask.start, ask.end - ask.start))
        return query.run({**values, **paged.values}, limits, call)

    def count(self, values: Mapping[str, Any], ask: PageAsk, limits: Limits, call: Call) -> int:
        """Have DuckDB count; see PagedQuery."""
        paged = self._paged(values, ask, call)
        query = self._around(paged.total())
        return int(query.run({**values, **paged.values}, limits, call).rows()[0]["n"])

    def _paged(self, values: Mapping[str, Any], ask: PageAsk, call: Call) -> PageSql:
        opened = self._folder.opened()
        with self._cursor(opened, call) as cursor:
            known = self._known(opened, cursor, values)
            level = level_of(ask, columns_of(known.names, known.kinds))
            if level.sorts and level.group is None:
                known.look(cursor, self._sql, _bound(values))
        return PageSql(self._sql, level, known.dialect, self.placeholders)

    def _known(self, opened: Tables, cursor: Cursor, values: Mapping[str, Any]) -> KnownColumns:
        """Return the columns; their types may depend on the values of placeholders."""
        key = (opened.number, hashlib.blake2b(repr(values).encode(errors="replace"), digest_size=20).digest())
        if (known := self._columns.get(key)) is None:
            if len(self._columns) >= KEPT_PAGES:
                self._columns.clear()
            known = self._columns.setdefault(key, KnownColumns(*self._described(cursor, _bound(values))))
        return known

    def columns(self) -> tuple[FrameColumn, ...]:
        """Return the columns as they are with every placeholder empty, nothing if DuckDB can't tell them then."""
        try:
            with self._folder.opened().connection.cursor() as cursor:
                return columns_of(*self._described(cursor, dict.fromkeys(self.placeholders) or None))
        except (duckdb.Error, SourceFailed):
            return ()

    @property
    def waits(self) -> bool:
        """Whether there are newer files than are open."""
        return self._folder.is_behind()

    def fingerprint(self) -> str:
        """Return a text that differs when the files do."""
        return self._folder.fingerprint()

    def check(self) -> None:
        """Raise DefinitionError unless the text is exactly one read that the tables there are can answer."""
        opened: Tables = self._folder.opened()
        prefix = "prepare checked as select * from (\n"
        with opened.connection.cursor() as cursor:
            try:
                self._check_statement(cursor)
            except duckdb.Error as error:
                raise DefinitionError(self._explained(error, opened)) from error
            self.tables = self._table_names(cursor)
            try:
                cursor.execute(f"{prefix}{self._sql}\n) as q")
            except duckdb.Error as error:
                raise DefinitionError(self._explained(error, opened, skipped=len(prefix))) from error

    def _check_statement(self, cursor: Cursor) -> None:
        statements = cursor.extract_statements(self._sql)
        if not statements:
            raise DefinitionError("The query is empty. Write a SELECT.")
        if len(statements) > 1:
            raise DefinitionError(f"The query has {len(statements)} statements. Leave one SELECT.")
        kind = statements[0].type.name
        if kind != "SELECT":
            raise DefinitionError(f"The query is not a plain read but {kind}. {_HINTS.get(kind, _HINT)}")
        if foreign := statements[0].named_parameters - set(self.placeholders):
            names = ", ".join(sorted(foreign))
            raise DefinitionError(f"The query has parameters that can't be filled: {names}. Write them as :name.")

    def _table_names(self, cursor: Cursor) -> tuple[str, ...]:
        """Return the tables that the text names; get_table_names would name what lies below a view instead."""
        try:
            (tree,) = cursor.execute("select json_serialize_sql($1)", [self._sql]).fetchall()[0]
        except duckdb.Error:
            return ()
        found, own = set(), set()
        for node in _nodes(orjson.loads(tree)):
            if node.get("type") == "BASE_TABLE":
                found.add(".".join(filter(None, (node["schema_name"], node["table_name"]))))
            own |= {each["key"] for each in node.get("cte_map", {}).get("map", ())}
        return tuple(sorted(found - own))

    def _described(self, cursor: Cursor, values: Values) -> tuple[tuple[str, ...], tuple[DuckDBPyType, ...]]:
        try:
            relation = cursor.sql(self._wrapped, params=values)
        except duckdb.Error:
            # This tells more of what is wrong with the text, if that is what it is.
            cursor.execute(f"prepare checked as {self._wrapped}")
            raise
        return tuple(relation.columns), tuple(relation.types)

    def _read(self, opened: Tables, cursor: Cursor, values: Values, limits: Limits) -> Frame:
        compiled = self._plan
        limit = limits.rows + 1
        if compiled is None or (compiled.plan.opened, compiled.plan.limit) != (opened.number, limit):
            compiled = self._planned(cursor, values, opened.number, limit)
        while True:
            try:
                frame = compiled.read(cursor, values, limits)
                break
            except duckdb.Error as error:
                compiled = self._mended(compiled.plan, error, cursor, values)
        if (listed := compiled.suits_arrow(frame, limits)) != compiled.plan.listed:
            self._kept(replace(compiled.plan, listed=listed), cursor)
        return frame

    def _planned(self, cursor: Cursor, values: Values, opened: int, limit: int) -> CompiledPlan:
        names, kinds = self._described(cursor, values)
        # The types of the columns may depend on the values.
        guarded = bool(self.placeholders)
        return self._kept(Plan(opened, self._sql, limit, names, kinds, guarded), cursor)

    def _kept(self, plan: Plan, cursor: Cursor) -> CompiledPlan:
        self._plan = plan.compiled(cursor)
        return self._plan

    def _mended(self, plan: Plan, error: duckdb.Error, cursor: Cursor, values: Values) -> CompiledPlan:
        """Return the plan without the assumption that didn't hold; raises the error when that isn't its cause."""
        message = duckdb_errors.details(error)["exception_message"]
        if message == LARGE_INTEGER and not plan.wide:
            return self._kept(replace(plan, wide=True), cursor)
        if message != OTHER_TYPES and not isinstance(error, duckdb.BinderException):
            raise error
        names, kinds = self._described(cursor, values)
        if (names, kinds) == (plan.names, plan.kinds):
            raise error
        return self._kept(replace(plan, names=names, kinds=kinds), cursor)

    def _explained(self, error: duckdb.Error, opened: Tables, *, skipped: int | None = 0) -> str:
        """Say what is wrong and where; `skipped` bytes stand before the text, None where places mean nothing."""
        if isinstance(error, duckdb.InterruptException):
            return "it was stopped."
        if limit := engine.exceeded(error):
            return limit
        found = duckdb_errors.details(error)
        if found.get("type") == "Table" and found.get("error_subtype") == "MISSING_ENTRY":
            return opened.missing(found.get("name", ""))
        if "must be at the top level" in found["exception_message"]:
            return "The query changes data or writes a file. Only a SELECT can be used."
        if _OTHER_LIST in found["exception_message"]:
            return "an IN compares a column with values of another type. Cast the column: cast(id as varchar) in :ids."
        where = "" if skipped is None else duckdb_errors.place(error, self._sql, skipped=skipped)
        return where + opened.shortened(duckdb_errors.summary(error))


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Yield every object of a JSON document, however deep."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
        waiting += node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()


class FolderQuery(FilesQuery):
    """One SELECT over files, which may be replaced while they are read."""

    _folder: folder.Folder

    def run(self, values: Mapping[str, Any], limits: Limits, call: Call) -> Frame:
        """Run it until no file that it read was replaced meanwhile."""
        opened, until = self._folder.opened(), time.monotonic() + folder.TRY_SECONDS
        while time.monotonic() < until:
            try:
                frame = self._run(opened, values, limits, call)
            except SourceFailed:
                if not opened.moved():
                    raise
            else:
                if not opened.moved():
                    return frame
            opened = self._folder.renewed()
        raise SourceFailed("The files of the source change faster than they can be read. Try again in a moment.")

    def stream(
        self, values: Mapping[str, Any], limits: Limits, call: Call, *, as_json: bool
    ) -> Generator[pa.RecordBatch]:
        """Give the rows; what was given already can't be taken back when a file is replaced, so it breaks off then."""
        opened = self._folder.opened()
        yield from self._stream(opened, values, limits, call, as_json=as_json)
        if opened.moved():
            raise SourceFailed("A file was replaced while its rows were read. Start again.")


def _parameter(name: str) -> str:
    return f"${name}"


def _bound(values: Mapping[str, Any]) -> Values:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()} or None


def _interrupt(cursor: Cursor) -> None:
    # The work may have ended, and its cursor been closed, a moment ago.
    with suppress(duckdb.ConnectionException):
        cursor.interrupt()


class FilesOptions(SourceOptions):
    """Where the files are."""

    folder: str = Field(
        default="",
        title="Folder",
        description="Folder inside the state folder's files/ that holds the data, such as market/daily. "
        "Empty: the name of the source.",
    )

    @field_validator("folder")
    @classmethod
    def _inside(cls, value: str) -> str:
        parts = Path(value.strip()).parts
        if any(part.startswith(".") or part == os.sep for part in parts):
            raise ValueError("name a folder below files/, without .. and without a slash at the start")
        return "/".join(parts)


@register
class FilesBackend(SourceBackend):
    """A folder of files, queried with DuckDB's SQL."""

    kind = "files"
    label = "Files (CSV, JSON, Parquet, Excel)"
    help = (
        "SQL over a folder of files: sales.csv is the table sales, the files of a sub-folder are one table. "
        "Placeholders such as :ticker take values. A changed file is seen within a second or two."
    )
    no_tables = "No file yet. Add one on the page of the source."
    Options = FilesOptions

    def __init__(self, name: str, options: SourceOptions) -> None:
        super().__init__(name, options)
        chosen = options.folder if isinstance(options, FilesOptions) else ""
        self.path = base_folder() / (chosen or re.sub(r"[^\w-]", "_", name))
        converted = Path(settings.WIDGETS_HOME) / "converted"
        self.state = folder.state_of(self.path, converted)
        self._folder = folder.watched(self.path, converted)
        # It may be shared and have been looked at before the files came for which this source is opened.
        self._folder.look_again()

    def prepare(self, text: str) -> FolderQuery:
        """Check the text against the tables there are."""
        query = FolderQuery.of(self.name, self._folder, text)
        try:
            query.check()
        except SourceFailed as error:
            raise DefinitionError(str(error)) from error
        return query

    def check(self, limits: Limits, call: Call) -> Iterator[Step]:
        """Look for the folder, and for files that are no table."""
        if not self.path.is_dir():
            yield Step("Folder", "It is not there yet.", "warning", "Add a file: that makes the folder.")
            return
        self.look_again()
        opened = self._folder.opened()
        yield Step("Folder", "It can be read.")
        count = len(opened.tables)
        if count:
            yield Step("Tables", f"{count} file{' is a table' if count == 1 else 's are tables'}.")
        else:
            yield Step("Tables", "No file is a table yet.", "warning", f"Add a file: {formats.NAMED}.")
        for table, fault in sorted(opened.faults.items()):
            yield Step(f"Table {table}", fault, "warning", "Mend the file, or take it out of the folder.")

    def tables(self, search: str, limits: Limits, call: Call) -> Sequence[Table]:
        """Return the tables that the files are."""
        origins = self._folder.opened().origins
        return matching((table_of(name, f"{one.told}, {one.size:,} bytes") for name, one in origins.items()), search)

    def look_again(self) -> None:
        """Have the next query see the files there are now."""
        self._folder.look_again()

    def opened(self) -> folder.OpenFolder:
        """Return the tables as they are queried."""
        return self._folder.opened()

    def renewed(self) -> folder.OpenFolder:
        """Return the tables of the files there are now, for all queries from now on."""
        return self._folder.renewed()


def table_of(name: str, about: str = "") -> Table:
    """Return a table of a DuckDB."""
    return Table(name, f"select * from {identifier(name)}", about=about)  # noqa: S608  a quoted name


def base_folder() -> Path:
    """Return the folder that holds one folder per source."""
    return Path(settings.WIDGETS_FILES)
