"""The source kind "database": SQL for any database that SQLAlchemy has a driver for."""

from __future__ import annotations

import datetime
import hashlib
import logging
import re
import threading
import time
import weakref
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self, TypeVar

import pyarrow as pa
from pydantic import ConfigDict, Field, SecretStr, field_validator
from sqlalchemy import URL, Connection, Engine, ExceptionContext, bindparam, create_engine, event, make_url, text
from sqlalchemy import Dialect as SqlDialect
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool
from sqlalchemy.types import NullType
from sqlglot.dialects.dialect import Dialect

from widgets_app.errors import BadRequest, Busy, DefinitionError, RequestError, SourceFailed
from widgets_app.sources import database_check, database_tables, references
from widgets_app.sources.base import (
    Call,
    Limits,
    SourceBackend,
    SourceOptions,
    Step,
    Table,
    TableColumn,
)
from widgets_app.sources.database_reach import check_file, check_hosts, hosts_of
from widgets_app.sources.database_server import CANT_BE_SENT, CONNECT_SECONDS, Server, ServerColumn, server_for
from widgets_app.sources.database_text import Statement, statement
from widgets_app.sources.frame import ColumnType, Frame, FrameColumn
from widgets_app.sources.limits import RETRY_AFTER_SECONDS, Deadline
from widgets_app.sources.page_database import DIALECTS, DatabaseDialect
from widgets_app.sources.page_sql import PageSql
from widgets_app.sources.page_warehouse import WAREHOUSES
from widgets_app.sources.paging import NotPaged, PageAsk, PagedQuery, level_of
from widgets_app.sources.registry import register
from widgets_app.sources.rows import distinct, frame_from_batches
from widgets_app.sources.rows_arrow import column_batches, json_batches
from widgets_app.sources.streams import StreamedQuery

logger = logging.getLogger("widgets_app.sources")

# Rows fetched at a time: one at first, then as many as about fill these bytes.
BATCH_ROWS = 1000
BATCH_BYTES = 1024 * 1024
# For how many statements with their values the columns are kept.
KEPT_COLUMNS = 64
# A statement with more values than this is not kept ready.
KEPT_VALUES = 100
# How many connections a source has at most where nobody says, and how many of them are kept open between queries.
MOST_CONNECTIONS = 8
KEPT_CONNECTIONS = 5
# Without queries for so long, all are closed.
IDLE_SECONDS = 300
SAME_NAMES = "Columns of the query have the same name, or none. Give each a name of its own."
ALL_IN_USE = "All connections to the database are in use. Try again in a moment."
# A connection is opened anew after so long, before what stands in between forgets it.
RECYCLE_SECONDS = 1800
# Asking for the columns, which nobody waits for long.
COLUMN_LIMITS = Limits(seconds=CONNECT_SECONDS, rows=50)
# How often a server is asked to stop a query, and when its connection is cut instead.
STOP_AGAIN_SECONDS = 0.5
CUT_SECONDS = 5.0

# The drivers that are here.
_DRIVERS = {"postgresql": "psycopg", "postgres": "psycopg", "mysql": "pymysql", "mariadb": "pymysql"}
# Packages that bring a dialect, or the driver that a dialect of SQLAlchemy's own asks for.
_PACKAGES = {
    "snowflake": "snowflake-sqlalchemy",
    "bigquery": "sqlalchemy-bigquery",
    "clickhouse": "clickhouse-sqlalchemy",
    "clickhousedb": "clickhouse-connect",
    "trino": "trino[sqlalchemy]",
    "databricks": "databricks-sqlalchemy",
    "hive": "pyhive[hive]",
    "duckdb": "duckdb-engine",
    "motherduck": "duckdb-engine",
    "redshift": "sqlalchemy-redshift",
    "awsathena": "pyathena[sqlalchemy]",
    "MySQLdb": "mysqlclient",
    "psycopg2": "psycopg2-binary",
    "mysql": "mysql-connector-python",
}
# Dialects that sqlglot calls by another name.
_SQLGLOT = {
    "postgresql": "postgres",
    "mariadb": "mysql",
    "mssql": "tsql",
    "clickhousedb": "clickhouse",
    "awsathena": "athena",
}
_MOMENTS: Mapping[ColumnType, Callable[[str], Any]] = {
    "date": datetime.date.fromisoformat,
    "datetime": datetime.datetime.fromisoformat,
}
T = TypeVar("T")
_SECRET_WORD = re.compile(r"pass|pwd|token|secret|private|credential|api_?key", re.IGNORECASE)
# Options of drivers that would have them run SQL, commit, take logins or hosts from files, or send such files.
_REFUSED_OPTIONS = frozenset({
    "autocommit", "conninfo", "init_command", "local_infile", "passfile", "read_default_file", "read_default_group",
    "service", "servicefile",
})  # fmt: skip
_WHERE_PASSWORDS_BELONG = "Leave the password out of the address and enter it as the password of the source."


class DatabaseOptions(SourceOptions):
    """Where the database is, and the password for it."""

    # Errors about an address must not show it: it may hold a password until it is refused.
    model_config = ConfigDict(hide_input_in_errors=True, validate_default=True)
    secret: ClassVar[frozenset[str]] = frozenset({"password"})

    url: str = Field(
        default="",
        title="Address",
        description="Address of the database as SQLAlchemy writes it, without the password: "
        "postgresql://reader@db.example.com/market, mysql://reader@db.example.com/market, sqlite:////srv/market.db.",
    )
    password: SecretStr = Field(
        default=SecretStr(""),
        title="Password",
        description="Password of the user in the address; it is kept encrypted. " + references.HELP + " Use a login "
        "that may only read.",
    )

    @field_validator("url")
    @classmethod
    def _address(cls, value: str) -> str:
        url = _parsed(value)
        if url.password is not None or any(map(_is_secret, url.query)):
            raise ValueError(_WHERE_PASSWORDS_BELONG)
        if refused := sorted(_REFUSED_OPTIONS & url.query.keys()):
            raise ValueError(f"the option {refused[0]} can't be used. Take it out")
        if url.get_backend_name() == "sqlite":
            check_file(url.database or "")
        return value.strip()

    @field_validator("password")
    @classmethod
    def _usable(cls, value: SecretStr) -> SecretStr:
        references.check(value)
        return value

    def plain_url(self) -> URL:
        """Return the address with its driver, without its password."""
        return _parsed(self.url)

    def opened_url(self) -> URL:
        """Return the address with its driver, and its password as it is now. Raises SourceFailed where that lacks."""
        url, given = self.plain_url(), references.revealed(self.password)
        return url.set(password=given) if given else url


def _parsed(value: str) -> URL:
    """Read an address; raises ValueError in one line that doesn't repeat it."""
    try:
        url = make_url(value.strip())
    except (ArgumentError, ValueError):
        raise ValueError("this is no address of a database. Write it as postgresql://user@host/database") from None
    backend, _, driver = url.drivername.partition("+")
    if not driver and backend in _DRIVERS:
        backend = "postgresql" if backend == "postgres" else backend
        return url.set(drivername=f"{backend}+{_DRIVERS[backend]}")
    return url


def _is_secret(option: str) -> bool:
    return bool(_SECRET_WORD.search(option)) and not option.endswith(("path", "file"))


class Database:
    """A database with its open connections, of which there are never more than `connections`. Thread-safe."""

    def __init__(
        self, source: str, opened_url: Callable[[], URL], url: URL, connections: int = MOST_CONNECTIONS
    ) -> None:
        self.source = source
        self.server, self._engine = _opened(url, connections)
        self._idle = _Idle(self._engine)
        self.dialect = _dialect(url.get_backend_name())
        self._away_until = 0.0
        event.listen(self._engine, "do_connect", lambda *_: check_hosts(url))
        event.listen(self._engine, "do_connect", _with_password(self.server, opened_url))
        event.listen(self._engine, "connect", _preparing(self.server))
        event.listen(self._engine, "handle_error", _closing(self.server))
        weakref.finalize(self, self._engine.dispose)

    @contextmanager
    def reading(self, limits: Limits, call: Call) -> Iterator[tuple[Connection, Deadline]]:
        """Give a connection in a transaction that reads, and its time; the driver's errors become SourceFailed."""
        deadline = Deadline(limits.seconds, f'A query of the source "{self.source}"')
        with self._connected() as connection:
            raw = connection.connection.driver_connection
            stop = _Stop(self.server, raw)
            call.on_cancel.append(stop)
            try:
                self.server.begin(connection, seconds=deadline.left(), rows=limits.rows + 1)
                yield connection, deadline
            except DBAPIError as error:
                raise self._failed(error, deadline) from None
            except (UnicodeEncodeError, OverflowError):
                raise BadRequest(CANT_BE_SENT) from None
            except SQLAlchemyError as error:
                logger.warning('A query of the source "%s" failed: %s', self.source, self._safe(str(error)))
                raise SourceFailed("The query failed. The log of this backend tells why.") from None
            finally:
                stop.end()
                self._ended(connection, raw, stop)
                self._idle.begin()

    def _ended(self, connection: Connection, raw: Any, stop: _Stop) -> None:
        if stop.used or connection.invalidated:
            # A server may stop only now what it was asked to stop.
            connection.invalidate()
        else:
            self.server.ended(raw)

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        try:
            connection = self._engine.connect()
        except PoolTimeout:
            raise Busy(ALL_IN_USE, retry_after=RETRY_AFTER_SECONDS) from None
        except RequestError:
            raise
        except Exception as error:
            # What answers may be no database at all, of which drivers say anything.
            self._away_until = time.monotonic() + CONNECT_SECONDS
            cause = getattr(error, "orig", None) or error
            logger.warning('The database of the source "%s" can\'t be opened: %s', self.source, self._safe(str(cause)))
            raise SourceFailed(self.server.unopened(cause)) from None
        self._away_until = 0.0
        with connection:
            yield connection

    @property
    def driver(self) -> str:
        """The name of the driver."""
        return self.server.url.get_driver_name()

    @property
    def has_host(self) -> bool:
        """Whether the address names a server, and not a file or a socket here."""
        return bool(hosts_of(self.server.url))

    def touch(self) -> None:
        """Open a connection, or have one looked at that is open; raises SourceFailed."""
        with self._connected():
            pass

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._engine.dispose()

    @property
    def is_away(self) -> bool:
        """Whether it could not be reached a moment ago."""
        return time.monotonic() < self._away_until

    def _failed(self, error: DBAPIError, deadline: Deadline) -> RequestError:
        cause = error.orig or error
        logger.warning('A query of the source "%s" failed: %s', self.source, self._safe(str(cause)))
        if self.server.is_timeout(cause):
            return deadline.exceeded()
        if error.connection_invalidated:
            return SourceFailed("The connection to the database was lost. Try again in a moment.")
        return SourceFailed(f"The query failed: {self._safe(self.server.explained(cause), *hosts_of(self.server.url))}")

    def _safe(self, text: str, *names: str) -> str:
        """Return a text of a driver's without the password, and without these names."""
        words = filter(None, (self.server.url.password, *names))
        found = "|".join(rf"(?<!\w){re.escape(str(word))}(?!\w)" for word in words)
        return re.sub(found, "…", text) if found else text


class _Idle:
    """Closes the connections of an engine that nobody uses any more."""

    def __init__(self, engine: Engine) -> None:
        self._engine = weakref.ref(engine)
        self._lock = threading.Lock()
        self._waiting: weakref.finalize[..., Engine] | None = None
        self._since = 0.0

    def begin(self) -> None:
        """Count the time from now."""
        self._since = time.monotonic()
        with self._lock:
            if self._waiting is None:
                self._wait(IDLE_SECONDS)

    def _wait(self, seconds: float) -> None:
        if (engine := self._engine()) is not None:
            timer = threading.Timer(seconds, self._look)
            timer.daemon = True
            timer.start()
            # It ends with the engine, and before the process does.
            self._waiting = weakref.finalize(engine, _end, timer)

    def _look(self) -> None:
        with self._lock:
            if self._waiting is not None:
                self._waiting.detach()
                self._waiting = None
            engine = self._engine()
            left = self._since + IDLE_SECONDS - time.monotonic()
            if engine is not None and (left > 0 or engine.pool.checkedout()):  # type: ignore[attr-defined]
                self._wait(max(left, 1.0))
                return
        if engine is not None:
            engine.dispose()


def _end(timer: threading.Timer) -> None:
    timer.cancel()
    if timer is not threading.current_thread():
        timer.join(1)


class _Stop:
    """Stops one run when called, again and again: by asking the server first, by cutting the connection at last."""

    def __init__(self, server: Server, raw: Any) -> None:
        self.used = False
        self._server = server
        self._raw = raw
        self._lock = threading.Lock()
        self._ended = False
        self._began = self._asked = 0.0

    def __call__(self) -> None:
        now = time.monotonic()
        self._began = self._began or now
        if now - self._began > CUT_SECONDS:
            self._tell(self._server.cut)
        elif now - self._asked > STOP_AGAIN_SECONDS:
            self._asked = now
            self._tell(self._server.stop)

    def _tell(self, way: Callable[[Any], None]) -> None:
        # The connection may serve another query as soon as this one has ended.
        with self._lock:
            if not self._ended:
                self.used = True
                way(self._raw)

    def end(self) -> None:
        """Stop nothing from now on."""
        with self._lock:
            self._ended = True


class DatabaseQuery(StreamedQuery):
    """One SELECT."""

    def __init__(self, database: Database, statement: Statement) -> None:
        self.placeholders = statement.names
        self.tables = statement.tables
        self._database = database
        self._statement = statement

    def run(self, values: Mapping[str, Any], limits: Limits, call: Call) -> Frame:
        """Run it with values bound, in a transaction that reads and is never committed."""
        sql, bound = self._statement.written(values)
        return self._read(sql, bound, limits, call)

    def stream(
        self, values: Mapping[str, Any], limits: Limits, call: Call, *, as_json: bool
    ) -> Generator[pa.RecordBatch]:
        """Give the rows as the server sends them; see StreamedQuery."""
        sql, bound = self._statement.written(values)
        with (
            self._database.reading(limits, call) as (connection, deadline),
            self._result(connection, deadline, sql, bound, limits) as (batches, names, kinds),
        ):
            if as_json:
                yield from json_batches(batches, names)
            else:
                yield from column_batches(_with_moments(batches, kinds), names, kinds)

    def columns(self) -> tuple[FrameColumn, ...]:
        """Return the columns as they are with every placeholder empty, nothing where the database can't tell them."""
        sql, bound = self._statement.written(dict.fromkeys(self.placeholders))
        around = f"select * from (\n{sql}\n) as q {self._database.server.probe}"  # noqa: S608  a checked text
        if self._database.is_away:
            return ()
        try:
            return self._read(around, bound, COLUMN_LIMITS, Call()).columns
        except RequestError:
            return ()

    def _read(self, sql: str, bound: Mapping[str, Any], limits: Limits, call: Call) -> Frame:
        with self._database.reading(limits, call) as (connection, deadline):
            return self._fetched(connection, deadline, sql, bound, limits)

    def _fetched(
        self, connection: Connection, deadline: Deadline, sql: str, bound: Mapping[str, Any], limits: Limits
    ) -> Frame:
        with self._result(connection, deadline, sql, bound, limits) as (batches, names, kinds):
            return frame_from_batches(batches, names, kinds, limits)

    @contextmanager
    def _result(
        self, connection: Connection, deadline: Deadline, sql: str, bound: Mapping[str, Any], limits: Limits
    ) -> Iterator[tuple[Iterator[Sequence[Sequence[Any]]], list[str], list[ColumnType | None]]]:
        """Give the rows of a statement a few at a time, and the names and kinds of its columns."""
        server = self._database.server
        result = self._executed(connection, sql, bound, stream_results=True, max_row_buffer=BATCH_ROWS)
        if result.cursor is None:
            raise SourceFailed("The query gives no rows. Only a SELECT can be used.")
        batches = _batches(result, limits.rows + 1, deadline)
        description = result.cursor.description
        try:
            yield batches, [str(column[0]) for column in description], server.kinds(description)
        finally:
            batches.close()
            if not connection.invalidated and server.left(connection.connection.driver_connection):
                connection.invalidate()
            result.close()

    def _executed(self, connection: Connection, sql: str, bound: Mapping[str, Any], **options: Any) -> Any:
        given = {name: self._database.server.given(value) for name, value in bound.items()}
        if len(given) > KEPT_VALUES:
            options["compiled_cache"] = None
        return connection.execute(_text(sql, given), given, execution_options=options)


class PagedDatabaseQuery(DatabaseQuery, PagedQuery):
    """One SELECT to a database that is known well enough to make pages."""

    def __init__(self, database: Database, statement: Statement, dialect: type[DatabaseDialect]) -> None:
        super().__init__(database, statement)
        self._dialect = dialect
        self._known: dict[bytes, tuple[ServerColumn, ...]] = {}

    def page(self, values: Mapping[str, Any], ask: PageAsk, limits: Limits, call: Call) -> Frame:
        """Have the database make one page; see PagedQuery."""

        def made(reading: _Reading) -> Frame:
            paged = self._paged(reading, ask)
            if not (paged.level.sorts or paged.level.group):
                self._database.server.keep_order(reading.connection)
            sql = paged.rows(ask.start, ask.end - ask.start)
            frame = self._fetched(reading.connection, reading.deadline, sql, reading.with_values(paged), limits)
            if paged.level.group is not None:
                return frame
            if [column.name for column in frame.columns] != [column.name for column in reading.columns]:
                raise SourceFailed("The columns of the query have changed. Try again.")
            return replace(frame, columns=paged.level.columns)

        return self._learned(values, limits, call, made)

    def count(self, values: Mapping[str, Any], ask: PageAsk, limits: Limits, call: Call) -> int:
        """Have the database count; see PagedQuery."""

        def made(reading: _Reading) -> int:
            paged = self._paged(reading, ask)
            sql = paged.total()
            return int(self._executed(reading.connection, sql, reading.with_values(paged)).scalar_one())

        return self._learned(values, limits, call, made)

    def _learned(self, values: Mapping[str, Any], limits: Limits, call: Call, made: Callable[[_Reading], T]) -> T:
        """Return what is made of the columns as they were found before, or of new ones if those don't fit."""
        try:
            return self._with_columns(values, limits, call, made)
        except NotPaged:
            raise
        except SourceFailed as error:
            if not self._dialect.tested:
                raise NotPaged(str(error)) from None
            # The columns may have changed.
            if not self._known:
                raise
            self._known.clear()
        return self._with_columns(values, limits, call, made)

    def _with_columns(self, values: Mapping[str, Any], limits: Limits, call: Call, made: Callable[[_Reading], T]) -> T:
        sql, bound = self._statement.written(values)
        server = self._database.server
        with self._database.reading(limits, call) as (connection, deadline):
            key = _digest(sql, bound, server.state(connection))
            if (columns := self._known.get(key)) is None:
                columns = tuple(self._dialect.learn(server, lambda text: self._executed(connection, text, bound), sql))
                names = [column.name for column in columns]
                if names != list(distinct(names)):
                    raise NotPaged(SAME_NAMES)
            found = made(_Reading(connection, deadline, sql, bound, columns))
            if len(self._known) >= KEPT_COLUMNS:
                self._known.clear()
            self._known[key] = columns
            return found

    def _paged(self, reading: _Reading, ask: PageAsk) -> PageSql:
        columns = [FrameColumn(column.name, column.kind) for column in reading.columns]
        dialect = self._dialect({column.name: column for column in reading.columns})
        level = level_of(ask, columns)
        if self._statement.ordered and not (dialect.in_order or level.group or level.sorts):
            raise NotPaged
        return PageSql(reading.sql, level, dialect, reading.bound, ordered=self._statement.ordered)


@dataclass(frozen=True, slots=True)
class _Reading:
    """A statement with its values, its columns, and the connection that runs it."""

    connection: Connection
    deadline: Deadline
    sql: str
    bound: Mapping[str, Any]
    columns: tuple[ServerColumn, ...]

    def with_values(self, paged: PageSql) -> Mapping[str, Any]:
        """Return the values of a statement around this one."""
        return {**self.bound, **paged.values}


def _digest(*parts: object) -> bytes:
    return hashlib.blake2b(repr(parts).encode(errors="replace"), digest_size=20).digest()


def _text(sql: str, given: Mapping[str, Any]) -> Any:
    """Return the text with values whose types the server finds by itself."""
    return text(sql).bindparams(*(bindparam(name, type_=NullType()) for name in given))


def _batches(result: Any, most: int, deadline: Deadline) -> Generator[Sequence[Sequence[Any]]]:
    count = 1
    while most > 0 and (rows := result.fetchmany(min(most, count))):
        yield rows
        most -= len(rows)
        count = max(1, min(BATCH_ROWS, BATCH_BYTES // _width(rows[-1])))
        deadline.left()


def _with_moments(
    batches: Iterable[Sequence[Sequence[Any]]], kinds: Sequence[ColumnType | None]
) -> Iterator[Sequence[Sequence[Any]]]:
    """Give rows with dates and times in place of their texts, where Python has them."""
    readers = [_MOMENTS.get(kind or "text") for kind in kinds]
    if not any(readers):
        yield from batches
        return
    for batch in batches:
        yield [[_moment(reader, value) for reader, value in zip(readers, row, strict=True)] for row in batch]


def _moment(reader: Callable[[str], Any] | None, value: Any) -> Any:
    if reader is None or not isinstance(value, str):
        return value
    try:
        return reader(value)
    except ValueError:
        return value


def _width(row: Sequence[Any]) -> int:
    return sum(len(value) if isinstance(value, str | bytes) else 8 for value in row) or 1


@register
class DatabaseBackend(SourceBackend):
    """A database, with a few connections that are kept open."""

    kind = "database"
    label = "Database (SQL)"
    help = (
        "SQL for PostgreSQL, MariaDB, MySQL, SQLite, and any other database with a driver for SQLAlchemy. Placeholders "
        "such as :ticker take values. Queries can't change anything; use a login that may only read all the same."
    )
    no_tables = "The login of the source sees no table. Give it the right to read some."
    Options = DatabaseOptions

    def __init__(self, name: str, options: SourceOptions, *, slots: int = MOST_CONNECTIONS) -> None:
        super().__init__(name, options)
        if not isinstance(options, DatabaseOptions):
            raise DefinitionError(f'The source "{name}" has no address. Enter the address of the database.')
        self._address = options
        self._database = Database(name, options.opened_url, options.plain_url(), slots)

    @classmethod
    def with_slots(cls, name: str, options: SourceOptions, *, slots: int) -> Self:
        """Open no more connections than there are slots; see SourceBackend."""
        return cls(name, options, slots=slots)

    def prepare(self, text: str) -> DatabaseQuery:
        """Check the text without asking the database, which may be away."""
        found = statement(text, dialect=self._database.dialect)
        dialect = DIALECTS.get(type(self._database.server)) or WAREHOUSES.get(self._database.dialect)
        if dialect is None:
            return DatabaseQuery(self._database, found)
        return PagedDatabaseQuery(self._database, found, dialect)

    def check(self, limits: Limits, call: Call) -> Iterator[Step]:
        """Test it with a connection of its own: one that is open says nothing about the login."""
        address = self._address
        with closing(Database(self.name, address.opened_url, address.plain_url(), 1)) as database:
            yield from database_check.steps(database, address.opened_url, limits, call)

    def tables(self, search: str, limits: Limits, call: Call) -> Sequence[Table]:
        """Ask the database for the tables that the login sees."""
        database_check.reach_database(self._database, call)
        with self._database.reading(limits, call) as (connection, _):
            return database_tables.tables(connection, search, limits.rows + 1)

    def table_columns(self, table: Table, limits: Limits, call: Call) -> Sequence[TableColumn]:
        """Ask the database, which knows types more exactly than a query does."""
        with self._database.reading(limits, call) as (connection, _):
            return database_tables.columns(connection, table)


def _opened(url: URL, connections: int) -> tuple[Server, Engine]:
    """Return how to speak to a database, and an engine that connects when it is first asked.

    Raises DefinitionError naming the package that lacks.
    """
    kept = min(KEPT_CONNECTIONS, connections)
    pool = {
        "pool_size": kept,
        "max_overflow": connections - kept,
        "pool_timeout": CONNECT_SECONDS,
        "pool_recycle": RECYCLE_SECONDS,
        "pool_pre_ping": True,
        "pool_use_lifo": True,
    }
    try:
        if url.get_dialect().is_async:
            raise DefinitionError(f'"{url.get_driver_name()}" is a driver for asyncio. Choose another one.')
        server = server_for(url)
        engine = create_engine(url, hide_parameters=True, poolclass=QueuePool, **pool, **server.engine_options())
    except DefinitionError:
        raise
    except NoSuchModuleError:
        raise DefinitionError(_missing(url.get_backend_name(), "kind of database")) from None
    except ImportError as error:
        raise DefinitionError(_missing(error.name or url.get_driver_name(), "driver")) from None
    except (ArgumentError, TypeError, ValueError) as error:
        raise DefinitionError(f"The address can't be used ({type(error).__name__}). Check its options.") from None
    return server, engine


def _missing(name: str, what: str) -> str:
    package = _PACKAGES.get(name, name if what == "driver" else "")
    advice = f"Install the package {package}." if package else "Check its spelling, or install the package that has it."
    return f'There is no {what} "{name}" here. {advice}'


def _with_password(server: Server, opened_url: Callable[[], URL]) -> Any:
    """Let each new connection have the password as it is then. What listens must not know the Database."""

    def connecting(dialect: SqlDialect, _: Any, arguments: list[Any], options: dict[str, Any]) -> None:
        server.url = opened_url()
        arguments[:], fresh = dialect.create_connect_args(server.url)
        options.update({**fresh, **server.engine_options().get("connect_args", {})})

    return connecting


def _preparing(server: Server) -> Any:
    def prepare(raw: Any, _: Any) -> None:
        try:
            server.opened(raw)
        except BaseException:
            raw.close()
            raise

    return prepare


def _closing(server: Server) -> Any:
    def close(context: ExceptionContext) -> None:
        """Close the cursor of a connection that was lost, which SQLAlchemy leaves to chance."""
        execution = context.execution_context
        if context.is_disconnect and execution is not None:
            with suppress(Exception):
                server.lost(execution.cursor)

    return close


def _dialect(backend: str) -> str:
    name = _SQLGLOT.get(backend, backend)
    return name if Dialect.get(name) else ""
