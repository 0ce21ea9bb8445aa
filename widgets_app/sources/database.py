"""The source kind "database": SQL for any database that SQLAlchemy has a driver for."""

from __future__ import annotations

import logging
import os
import re
import threading
import time
import weakref
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
from django.conf import settings
from pydantic import ConfigDict, Field, SecretStr, field_validator
from sqlalchemy import URL, Connection, Engine, ExceptionContext, bindparam, create_engine, event, make_url, text
from sqlalchemy import Dialect as SqlDialect
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import QueuePool
from sqlalchemy.types import NullType
from sqlglot.dialects.dialect import Dialect

from widgets_app.errors import BadRequest, DefinitionError, RequestError, SourceFailed
from widgets_app.sources import address as addresses
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
from widgets_app.sources.database_server import CONNECT_SECONDS, Server, server_for
from widgets_app.sources.database_text import Statement, statement
from widgets_app.sources.frame import ColumnType, Frame, FrameColumn
from widgets_app.sources.limits import Deadline
from widgets_app.sources.registry import register
from widgets_app.sources.rows import frame_from_batches
from widgets_app.sources.rows_arrow import column_batches, json_batches
from widgets_app.sources.streams import StreamedQuery

logger = logging.getLogger("widgets_app.sources")

# Rows fetched at a time: one at first, then as many as about fill these bytes.
BATCH_ROWS = 1000
BATCH_BYTES = 1024 * 1024
# A statement with more values than this is not kept ready.
KEPT_VALUES = 100
# Connections that are kept open; more are opened for as long as the slots of the source are in use.
KEPT_CONNECTIONS = 5
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
_SECRET_WORD = re.compile(r"pass|pwd|token|secret|private|credential|api_?key", re.IGNORECASE)
# Options of drivers that would have them run SQL, read files of this server for another one, or commit.
_REFUSED_OPTIONS = frozenset({"autocommit", "init_command", "local_infile", "read_default_file"})
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
            _check_file(url.database or "")
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


def _check_file(path: str) -> None:
    if not os.path.isabs(path):
        raise ValueError("name the file with its whole path, after three slashes: sqlite:////srv/market.db")
    own = settings.DATABASES["default"]
    with suppress(OSError):
        if own["ENGINE"].endswith("sqlite3") and Path(path).samefile(str(own["NAME"])):
            raise ValueError("this is the database of this backend itself. Name another file")


class Database:
    """A database with its open connections. Thread-safe."""

    def __init__(self, source: str, opened_url: Callable[[], URL], url: URL) -> None:
        self.source = source
        self.server, self._engine = _opened(url)
        self.dialect = _dialect(url.get_backend_name())
        self._away_until = 0.0
        event.listen(self._engine, "do_connect", _with_password(self.server, opened_url))
        event.listen(self._engine, "connect", _preparing(self.server))
        event.listen(self._engine, "handle_error", _close_cursor)
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
                raise BadRequest(
                    "A value can't be sent to the database. Send other text, or a smaller number."
                ) from None
            except SQLAlchemyError as error:
                logger.warning('A query of the source "%s" failed: %s', self.source, self._safe(str(error)))
                raise SourceFailed("The query failed. The log of this backend tells why.") from None
            finally:
                stop.end()
                self._ended(connection, raw, stop)

    def _ended(self, connection: Connection, raw: Any, stop: _Stop) -> None:
        if stop.used or connection.invalidated:
            # A server may stop only now what it was asked to stop.
            connection.invalidate()
        else:
            self.server.ended(raw)

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        for host in _hosts(self.server.url):
            addresses.check_listed(host)
        try:
            connection = self._engine.connect()
        except (DBAPIError, OSError) as error:
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
        return bool(_hosts(self.server.url))

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
        return SourceFailed(f"The query failed: {self._safe(self.server.explained(cause), *_hosts(self.server.url))}")

    def _safe(self, text: str, *names: str) -> str:
        """Return a text of a driver's without the password, and without these names."""
        words = filter(None, (self.server.url.password, *names))
        found = "|".join(rf"(?<!\w){re.escape(str(word))}(?!\w)" for word in words)
        return re.sub(found, "…", text) if found else text


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
        with self._result(sql, bound, limits, call) as (batches, names, kinds):
            yield from json_batches(batches, names) if as_json else column_batches(batches, names, kinds)

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
        with self._result(sql, bound, limits, call) as (batches, names, kinds):
            return frame_from_batches(batches, names, kinds, limits)

    @contextmanager
    def _result(
        self, sql: str, bound: Mapping[str, Any], limits: Limits, call: Call
    ) -> Iterator[tuple[Iterator[Sequence[Sequence[Any]]], list[str], list[ColumnType | None]]]:
        """Give the rows of a statement a few at a time, and the names and kinds of its columns."""
        server = self._database.server
        given = {name: server.given(value) for name, value in bound.items()}
        with self._database.reading(limits, call) as (connection, deadline):
            options: dict[str, Any] = {"stream_results": True, "max_row_buffer": BATCH_ROWS}
            if len(given) > KEPT_VALUES:
                options["compiled_cache"] = None
            result = connection.execute(_text(sql, given), given, execution_options=options)
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
    Options = DatabaseOptions

    def __init__(self, name: str, options: SourceOptions) -> None:
        super().__init__(name, options)
        if not isinstance(options, DatabaseOptions):
            raise DefinitionError(f'The source "{name}" has no address. Enter the address of the database.')
        self._address = options
        self._database = Database(name, options.opened_url, options.plain_url())

    def prepare(self, text: str) -> DatabaseQuery:
        """Check the text without asking the database, which may be away."""
        return DatabaseQuery(self._database, statement(text, dialect=self._database.dialect))

    def check(self, limits: Limits, call: Call) -> Iterator[Step]:
        """Test it with a connection of its own: one that is open says nothing about the login."""
        address = self._address
        with closing(Database(self.name, address.opened_url, address.plain_url())) as database:
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


def _opened(url: URL) -> tuple[Server, Engine]:
    """Return how to speak to a database, and an engine that connects when it is first asked.

    Raises DefinitionError naming the package that lacks.
    """
    pool = {"pool_size": KEPT_CONNECTIONS, "max_overflow": -1, "pool_recycle": RECYCLE_SECONDS, "pool_pre_ping": True}
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
        options.update(fresh)

    return connecting


def _preparing(server: Server) -> Any:
    def prepare(raw: Any, _: Any) -> None:
        server.opened(raw)

    return prepare


def _close_cursor(context: ExceptionContext) -> None:
    """Close the cursor of a connection that was lost, which SQLAlchemy leaves to chance."""
    execution = context.execution_context
    if context.is_disconnect and execution is not None:
        with suppress(Exception):
            execution.cursor.close()


def _dialect(backend: str) -> str:
    name = _SQLGLOT.get(backend, backend)
    return name if Dialect.get(name) else ""


def _hosts(url: URL) -> list[str]:
    named = [url.query.get(key, ()) for key in ("host", "hostaddr")]
    given = [one for many in named for one in ([many] if isinstance(many, str) else many)]
    hosts = [host for one in (url.host or "", *given) for host in one.split(",")]
    return [host for host in hosts if host and not host.startswith("/")]
