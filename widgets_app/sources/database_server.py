"""What database servers do in ways of their own: begin a read, bound its time, stop it, say what went wrong."""

from __future__ import annotations

import datetime
import re
import socket
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from decimal import Decimal
from typing import Any, ClassVar
from urllib.parse import quote

import psycopg
import pymysql
from psycopg.types.string import TextLoader
from sqlalchemy import URL, Connection

from widgets_app.sources.base import Limits
from widgets_app.sources.frame import ColumnType

# How long a server may take to answer when a connection is opened, or one is asked to stop.
CONNECT_SECONDS = 10
# How much longer than its query may take a server may be silent.
SILENT_SECONDS = 5

# What a sentence for people can name; whoever runs the server reads the rest in the log.
REFUSED = "The database refuses the login. Check the user and the password of the source."
UNREACHABLE = "The database can't be reached. Check the address of the source, and that the database runs."
NO_DATABASE = "There is no such database. Check the address of the source."
STOPPED = "it was stopped."

_NUMBERS = frozenset({"int2", "int4", "int8", "oid", "float4", "float8", "numeric"})
_POSTGRES_KINDS: Mapping[str, ColumnType] = {
    **dict.fromkeys(_NUMBERS, "number"),
    "bool": "boolean",
    "date": "date",
    "timestamp": "datetime",
    "timestamptz": "datetime",
    "json": "object",
    "jsonb": "object",
}
# Types that psycopg turns into objects of its own, and people want to see as the server writes them.
_SHOWN_AS_TEXT = ("inet", "cidr", "int4range", "int8range", "numrange", "daterange", "tsrange", "tstzrange")
_MYSQL = pymysql.constants.FIELD_TYPE
_MYSQL_KINDS: Mapping[int, ColumnType] = {
    **dict.fromkeys(
        (
            _MYSQL.TINY,
            _MYSQL.SHORT,
            _MYSQL.LONG,
            _MYSQL.INT24,
            _MYSQL.LONGLONG,
            _MYSQL.FLOAT,
            _MYSQL.DOUBLE,
            _MYSQL.DECIMAL,
            _MYSQL.NEWDECIMAL,
            _MYSQL.YEAR,
        ),
        "number",
    ),
    _MYSQL.DATE: "date",
    _MYSQL.DATETIME: "datetime",
    _MYSQL.TIMESTAMP: "datetime",
}


class Server:
    """A database of any kind. It reads in a transaction that is never committed, and stops where its driver can."""

    # What is put behind a query in brackets to learn its columns.
    probe: ClassVar[str] = "where 1 = 0"

    def __init__(self, url: URL) -> None:
        self.url = url

    def engine_options(self) -> dict[str, Any]:
        """Return what an engine needs besides its address."""
        return {}

    def opened(self, raw: Any) -> None:
        """Prepare a new connection of the driver."""

    def begin(self, connection: Connection, *, seconds: float, rows: int) -> None:
        """Begin a read that the server ends after so many seconds, of so many rows where it can tell."""

    def ended(self, raw: Any) -> None:
        """Undo what lasts longer than a transaction."""

    def stop(self, raw: Any) -> None:
        """Have the server stop what runs on a connection. Called from another thread."""
        if callable(cancel := getattr(raw, "cancel", None)):
            cancel()

    def cut(self, raw: Any) -> None:
        """Cut a connection whose server doesn't answer any more. Called from another thread."""

    def left(self, raw: Any) -> bool:
        """Leave the rest of a result unread; say whether the connection can't be used any more."""
        return False

    def given(self, value: Any) -> Any:
        """Return a value as the driver takes it."""
        return value

    def kinds(self, description: Sequence[Any]) -> list[ColumnType | None]:
        """Return the kinds of columns as the server declares them, None where only the values tell."""
        return [None] * len(description)

    def is_timeout(self, error: BaseException) -> bool:
        """Say whether the server stopped a query, for its time or when it was asked to."""
        return False

    def unopened(self, error: BaseException) -> str:
        """Return why there is no connection, without names of hosts and users."""
        return UNREACHABLE

    def explained(self, error: BaseException) -> str:
        """Return what is wrong with a query, without its text."""
        return str(error).partition("\n")[0].partition("[SQL")[0] or type(error).__name__


class PostgreSQL(Server):
    """PostgreSQL by psycopg."""

    def engine_options(self) -> dict[str, Any]:
        """Find out about a server that is gone, and leave nothing prepared for a pool between here and there."""
        patience = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
        return {
            "connect_args": {
                "connect_timeout": CONNECT_SECONDS,
                "tcp_user_timeout": CONNECT_SECONDS * 1000,
                "prepare_threshold": None,
                **patience,
            }
        }

    def opened(self, raw: Any) -> None:
        """Have some types come as text."""
        for name in _SHOWN_AS_TEXT:
            raw.adapters.register_loader(name, TextLoader)

    def begin(self, connection: Connection, *, seconds: float, rows: int) -> None:
        """Let the server refuse what changes data, and end what takes too long."""
        connection.exec_driver_sql("set transaction read only")
        connection.exec_driver_sql(f"set local statement_timeout = {max(1, int(seconds * 1000))}")

    def stop(self, raw: Any) -> None:
        """Ask the server by a connection of its own."""
        raw.cancel_safe(timeout=CONNECT_SECONDS)

    def cut(self, raw: Any) -> None:
        """Shut the socket down."""
        _shut_down(raw.fileno())

    def kinds(self, description: Sequence[Any]) -> list[ColumnType | None]:
        """Look the types up by their numbers."""
        return [_postgres_kind(column[1]) for column in description]

    def is_timeout(self, error: BaseException) -> bool:
        """Know it by its code."""
        return isinstance(error, psycopg.errors.QueryCanceled)

    def unopened(self, error: BaseException) -> str:
        """Tell a login that is refused from a server that is away; while it connects, the driver has no codes."""
        text = str(error)
        if re.search(r"authentication failed|no password supplied|role .* does not exist|pg_hba", text):
            return REFUSED
        return NO_DATABASE if re.search(r"database .* does not exist", text) else UNREACHABLE

    def explained(self, error: BaseException) -> str:
        """Return the main sentence and what the server advises."""
        details = error.diag if isinstance(error, psycopg.Error) else None
        if details is None or not details.message_primary:
            return super().explained(error)
        return ". ".join(filter(None, (details.message_primary, details.message_hint)))


class MySQL(Server):
    """MySQL and MariaDB by PyMySQL."""

    def engine_options(self) -> dict[str, Any]:
        """Don't wait for a server that accepts connections and says nothing."""
        return {"connect_args": {"connect_timeout": CONNECT_SECONDS, "read_timeout": CONNECT_SECONDS}}

    def begin(self, connection: Connection, *, seconds: float, rows: int) -> None:
        """Let the server refuse what changes data, and end what takes too long or gives too much."""
        raw = _raw(connection)
        raw._read_timeout = seconds + SILENT_SECONDS
        is_mariadb = getattr(connection.dialect, "is_mariadb", False)
        limit = f"max_statement_time = {seconds:f}" if is_mariadb else f"max_execution_time = {int(seconds * 1000)}"
        # What exceeds the limits had better not be sent, as it has to be read, or the connection closed.
        connection.exec_driver_sql(f"set session {limit}, sql_select_limit = {rows}")
        connection.exec_driver_sql("start transaction read only")

    def ended(self, raw: Any) -> None:
        """Wait no longer for what is asked outside of queries than for a connection."""
        raw._read_timeout = CONNECT_SECONDS

    def stop(self, raw: Any) -> None:
        """Kill the query by a second connection."""
        _, options = self.url.get_dialect()().create_connect_args(self.url)
        with (
            closing(pymysql.connect(**options, **self.engine_options()["connect_args"])) as other,
            other.cursor() as cursor,
        ):
            cursor.execute(f"kill query {int(raw.thread_id())}")

    def cut(self, raw: Any) -> None:
        """Shut the socket down."""
        _shut_down(raw._sock.fileno())

    def left(self, raw: Any) -> bool:
        """Close the connection: the driver has no other way not to read all rows, however many there are."""
        result = raw._result
        if result is None or not result.unbuffered_active:
            return False
        raw._force_close()
        result.unbuffered_active = False
        return True

    def kinds(self, description: Sequence[Any]) -> list[ColumnType | None]:
        """Look the types up by their numbers."""
        return [_MYSQL_KINDS.get(column[1], "text") for column in description]

    def is_timeout(self, error: BaseException) -> bool:
        """Know it by its code: interrupted, and over the limits of MariaDB and of MySQL."""
        return _code(error) in (1317, 1969, 3024)

    def unopened(self, error: BaseException) -> str:
        """Tell a login that is refused from a server that is away."""
        return {1045: REFUSED, 1698: REFUSED, 1044: REFUSED, 1049: NO_DATABASE}.get(_code(error), UNREACHABLE)

    def explained(self, error: BaseException) -> str:
        """Return the sentence without the pieces of SQL and the hosts that some have."""
        text = str(error.args[1]) if len(error.args) > 1 else super().explained(error)
        if _code(error) == 1064:
            return f"the SQL can't be read at line {text.rpartition(' ')[2]}."
        return re.sub(r"@'[^']*'", "", text)


class SQLite(Server):
    """A file of SQLite, opened for reading only."""

    # Only values tell their types.
    probe = "limit 50"

    def engine_options(self) -> dict[str, Any]:
        """Open the file as it is; SQLite would make a missing one."""
        address = f"file:{quote(self.url.database or '')}?mode=ro"
        return {"creator": lambda: sqlite3.connect(address, uri=True, timeout=SILENT_SECONDS, check_same_thread=False)}

    def opened(self, raw: Any) -> None:
        """Make no value that is larger than a whole result may be."""
        raw.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, Limits().bytes)

    def begin(self, connection: Connection, *, seconds: float, rows: int) -> None:
        """Look at the clock every few thousand steps of the engine."""
        end = time.monotonic() + seconds
        connection.exec_driver_sql("pragma query_only = on")
        _raw(connection).set_progress_handler(lambda: time.monotonic() > end, 10_000)

    def ended(self, raw: Any) -> None:
        """Look at the clock no longer."""
        raw.set_progress_handler(None, 0)

    def stop(self, raw: Any) -> None:
        """Interrupt it."""
        raw.interrupt()

    def given(self, value: Any) -> Any:
        """Write dates as they are stored, and numbers as the engine has them."""
        if isinstance(value, datetime.datetime):
            return value.isoformat(sep=" ")
        if isinstance(value, datetime.date):
            return value.isoformat()
        return float(value) if isinstance(value, Decimal) else value

    def is_timeout(self, error: BaseException) -> bool:
        """Know it by its code."""
        return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT

    def unopened(self, error: BaseException) -> str:
        """Say so."""
        return "The file can't be opened. Check the address of the source, and who may read the file."


def server_for(url: URL) -> Server:
    """Return how to speak to the database at an address."""
    kinds: dict[tuple[str, str], Callable[[URL], Server]] = {
        ("postgresql", "psycopg"): PostgreSQL,
        ("mysql", "pymysql"): MySQL,
        ("mariadb", "pymysql"): MySQL,
        ("sqlite", "pysqlite"): SQLite,
    }
    return kinds.get((url.get_backend_name(), url.get_driver_name()), Server)(url)


def _raw(connection: Connection) -> Any:
    return connection.connection.driver_connection


def _shut_down(number: int) -> None:
    # A copy, as the driver closes its own.
    with suppress(OSError), socket.socket(fileno=socket.dup(number)) as copy:
        copy.shutdown(socket.SHUT_RDWR)


def _code(error: BaseException) -> int:
    found: Iterable[Any] = error.args[:1]
    return next((one for one in found if isinstance(one, int)), 0)


def _postgres_kind(number: int) -> ColumnType:
    info = psycopg.adapters.types.get(number)
    if info is None:
        return "text"
    return "object" if info.array_oid == number else _POSTGRES_KINDS.get(info.name, "text")
