"""What database servers do in ways of their own: begin a read, bound its time, stop it, say what went wrong."""

from __future__ import annotations

import datetime
import itertools
import re
import socket
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar
from urllib.parse import quote

import psycopg
import pymysql
from psycopg.abc import Buffer
from psycopg.types.string import TextLoader
from sqlalchemy import URL, Connection
from sqlalchemy.exc import DBAPIError

from widgets_app.errors import BadRequest, SourceFailed
from widgets_app.sources.base import Limits
from widgets_app.sources.database_reach import check_address, check_file, check_postgresql
from widgets_app.sources.database_sqlite import SQLITE_AGGREGATES, SQLITE_FUNCTIONS
from widgets_app.sources.database_text import escaped
from widgets_app.sources.frame import ColumnType
from widgets_app.sources.paging import NotPaged

# How long a server may take to answer when a connection is opened, or one is asked to stop.
CONNECT_SECONDS = 10
# How much longer than its query may take a server may be silent.
SILENT_SECONDS = 5

# How long the types of columns are believed, where the server says nothing of changes.
LEARN_AGAIN_SECONDS = 60

# What a sentence for people can name; whoever runs the server reads the rest in the log.
REFUSED = "The database refuses the login. Check the user and the password of the source."
UNREACHABLE = "The database can't be reached. Check the address of the source, and that the database runs."
NO_DATABASE = "There is no such database. Check the address of the source."
CANT_BE_SENT = "A value can't be sent to the database. Send other text, or a smaller number."

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
_SHOWN_AS_TEXT = (
    "inet", "cidr", "int4range", "int8range", "numrange", "daterange", "tsrange", "tstzrange", "time", "timetz",
    "interval",
)  # fmt: skip
# How times are written, and where tables are read from, whatever the server and its user are set to.
_SESSION = {
    "TimeZone": "UTC",
    "DateStyle": "ISO",
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "synchronize_seqscans": "off",
}
_POSTGRES_REFUSES = re.compile(
    "authentication failed|no password supplied|role .* does not exist|not permitted to log in"
    "|permission denied for database|pg_hba"
)
_ISO = re.compile(r"(\d{4}-\d\d-\d\d)(?: ([\d:.]+))?(\+00)?")
_SAME_NAME = 1060
# The variable that counts rows.
MYSQL_PLACE = "@widgets_place"
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


@dataclass(frozen=True, slots=True)
class ServerColumn:
    """A column as the server declares it: `type` is its own word for the type; the others are for decimals."""

    name: str
    kind: ColumnType
    type: str = ""
    digits: int | None = None
    scale: int | None = None


# The character set of what isn't text.
_MYSQL_BINARY = 63
_MYSQL_NAMES: Mapping[int, str] = {
    **dict.fromkeys((_MYSQL.TINY, _MYSQL.SHORT, _MYSQL.LONG, _MYSQL.INT24, _MYSQL.LONGLONG, _MYSQL.YEAR), "integer"),
    **dict.fromkeys((_MYSQL.DECIMAL, _MYSQL.NEWDECIMAL), "decimal"),
    _MYSQL.FLOAT: "float",
    _MYSQL.DOUBLE: "double",
    _MYSQL.DATE: "date",
    _MYSQL.DATETIME: "datetime",
    _MYSQL.TIMESTAMP: "timestamp",
}
_numbers = itertools.count(1)


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

    def keep_order(self, connection: Connection) -> None:
        """Read rows in the same order each time, as far as nothing changes them."""

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

    def lost(self, cursor: Any) -> None:
        """Close a cursor whose connection is gone."""
        cursor.close()

    def given(self, value: Any) -> Any:
        """Return a value as the driver takes it."""
        return value

    def kinds(self, description: Sequence[Any]) -> list[ColumnType | None]:
        """Return the kinds of columns as the server declares them, None where only the values tell."""
        return [None] * len(description)

    def columns(self, cursor: Any) -> list[ServerColumn]:
        """Return the columns of what a cursor of the driver has run, as the server declares them."""
        return [ServerColumn(str(column[0]), "object") for column in cursor.description]

    def learn(self, run: Callable[[str], Any], sql: str) -> list[ServerColumn]:
        """Return the columns of a statement; `run` runs another one with the same values bound. May raise NotPaged."""
        return self.columns(self.probed(run, sql))

    def probed(self, run: Callable[[str], Any], sql: str) -> Any:
        """Return a cursor of the driver that knows the columns of a statement, and gives no rows."""
        return run(f"select * from (\n{sql}\n) as q where 1 = 0").cursor  # noqa: S608  a checked text

    def state(self, connection: Connection) -> Any:
        """Return what differs when what was learned of columns has to be learned anew."""
        return int(time.monotonic() // LEARN_AGAIN_SECONDS)

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
        """Check where it leads, and have some types come as text."""
        check_postgresql(raw)
        for name in _SHOWN_AS_TEXT:
            raw.adapters.register_loader(name, TextLoader)
        for name in ("date", "timestamp", "timestamptz"):
            raw.adapters.register_loader(name, _MomentLoader)

    def begin(self, connection: Connection, *, seconds: float, rows: int) -> None:
        """Let the server refuse what changes data, end what takes too long, and write times as all others do."""
        local = {"transaction_read_only": "on", "statement_timeout": str(max(1, int(seconds * 1000))), **_SESSION}
        calls = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in local.items())
        connection.exec_driver_sql(f"select {calls}")

    def given(self, value: Any) -> Any:
        """Refuse the one character that no text has there."""
        return _without_nul(value)

    def keep_order(self, connection: Connection) -> None:
        """Let no rows come as several processes find them."""
        connection.exec_driver_sql("set local max_parallel_workers_per_gather = 0")

    def columns(self, cursor: Any) -> list[ServerColumn]:
        """Look the types up by their numbers."""
        return [
            ServerColumn(
                column.name,
                _postgres_kind(column.type_code),
                getattr(psycopg.adapters.types.get(column.type_code), "name", ""),
                column.precision,
                column.scale,
            )
            for column in cursor.description
        ]

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
        if _POSTGRES_REFUSES.search(text):
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
        patience = {"connect_timeout": CONNECT_SECONDS, "read_timeout": CONNECT_SECONDS}
        # Values are compared by their bytes, which depend on the character set.
        return {"connect_args": {**patience, "charset": "utf8mb4", "conv": _MYSQL_DECODERS}}

    def opened(self, raw: Any) -> None:
        """Check where it leads."""
        if raw.host and not raw.unix_socket:
            check_address(raw._sock.getpeername()[0])

    def begin(self, connection: Connection, *, seconds: float, rows: int) -> None:
        """Let the server refuse what changes data, and end what takes too long or gives too much."""
        raw = _raw(connection)
        raw._read_timeout = seconds + SILENT_SECONDS
        is_mariadb = getattr(connection.dialect, "is_mariadb", False)
        limit = f"max_statement_time = {seconds:f}" if is_mariadb else f"max_execution_time = {int(seconds * 1000)}"
        # What exceeds the limits had better not be sent, as it has to be read, or the connection closed.
        others = f"sql_select_limit = {rows}, time_zone = '+00:00', {MYSQL_PLACE} = 0"
        connection.exec_driver_sql(f"set session {limit}, {others}")
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

    def lost(self, cursor: Any) -> None:
        """Close it without the rest of its rows, which can't come any more."""
        if cursor._result is not None:
            cursor._result.unbuffered_active = False
        cursor.close()

    def given(self, value: Any) -> Any:
        """Write an instant in UTC, as the session has them; the driver would leave its offset out."""
        if isinstance(value, datetime.datetime) and value.tzinfo is not None:
            return value.astimezone(datetime.UTC).replace(tzinfo=None)
        return value

    def kinds(self, description: Sequence[Any]) -> list[ColumnType | None]:
        """Look the types up by their numbers."""
        return [_MYSQL_KINDS.get(column[1], "text") for column in description]

    def probed(self, run: Callable[[str], Any], sql: str) -> Any:
        """Tell that columns of the same name can't stand in brackets here."""
        try:
            return super().probed(run, sql)
        except DBAPIError as error:
            if error.orig is not None and _code(error.orig) == _SAME_NAME:
                raise NotPaged from None
            raise

    def columns(self, cursor: Any) -> list[ServerColumn]:
        """Look the types up by their numbers; what holds bytes rather than text has the character set of bytes."""
        kinds = self.kinds(cursor.description)
        found = zip(cursor.description, kinds, cursor._result.fields, strict=True)
        return [
            ServerColumn(
                column[0],
                kind or "text",
                "bytes" if kind == "text" and _is_bytes(field) else _MYSQL_NAMES.get(column[1], ""),
                column[4] - (1 if column[5] else 0),
                column[5],
            )
            for column, kind, field in found
        ]

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
        # By place, SQLAlchemy would take text that looks like a value of ours for one.
        return {"creator": self._connect, "paramstyle": "named"}

    def _connect(self) -> sqlite3.Connection:
        path = self.url.database or ""
        try:
            # It may be another file than when it was entered.
            check_file(path)
        except ValueError as error:
            raise SourceFailed(f"The file can't be used: {error}.") from None
        address = f"file:{quote(path)}?mode=ro"
        return sqlite3.connect(address, uri=True, timeout=SILENT_SECONDS, check_same_thread=False)

    def opened(self, raw: Any) -> None:
        """Give it our functions, and make no value that is larger than a whole result may be."""
        raw.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, Limits().bytes)
        for name, function in SQLITE_FUNCTIONS.items():
            raw.create_function(name, 1, function, deterministic=True)
        for name, aggregate in SQLITE_AGGREGATES.items():
            raw.create_aggregate(name, 1, aggregate)

    def begin(self, connection: Connection, *, seconds: float, rows: int) -> None:
        """Look at the clock every few thousand steps of the engine."""
        end = time.monotonic() + seconds
        connection.exec_driver_sql("pragma query_only = on")
        # What is learned of the columns and the rows themselves are of one state.
        connection.exec_driver_sql("begin")
        _raw(connection).set_progress_handler(lambda: time.monotonic() > end, 10_000)

    def ended(self, raw: Any) -> None:
        """Look at the clock no longer."""
        raw.set_progress_handler(None, 0)

    def stop(self, raw: Any) -> None:
        """Interrupt it."""
        raw.interrupt()

    def given(self, value: Any) -> Any:
        """Write dates as they are stored, and numbers as the engine has them; text ends at a NUL for it."""
        if isinstance(value, datetime.datetime):
            return value.isoformat(sep=" ")
        if isinstance(value, datetime.date):
            return value.isoformat()
        return float(value) if isinstance(value, Decimal) else _without_nul(value)

    def learn(self, run: Callable[[str], Any], sql: str) -> list[ServerColumn]:
        """Look at all values: no column has to keep to the type that it was declared with."""
        names = [str(column[0]) for column in self.probed(run, sql).description]
        quoted = [escaped(name.replace('"', '""')) for name in names]
        kinds = [f"""nullif(typeof(q."{name}"), 'null')""" for name in quoted]
        wanted = ", ".join(f"min({kind}), max({kind})" for kind in kinds)
        found = iter(run(f"select {wanted} from (\n{sql}\n) as q").one())  # noqa: S608  names are quoted
        return [_sqlite_column(name, {next(found), next(found)}) for name in names]

    def state(self, connection: Connection) -> Any:
        """Ask for the number that moves with each change, which each connection counts for itself."""
        number = connection.info.setdefault("number", next(_numbers))
        return number, connection.exec_driver_sql("pragma data_version").scalar()

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


def _sqlite_column(name: str, types: set[str | None]) -> ServerColumn:
    """Return a column by the first and the last of its types' names, of which "blob" and "text" are the outer ones."""
    if types <= {"integer", "real"}:
        return ServerColumn(name, "number", "integer" if types == {"integer"} else "real")
    return ServerColumn(name, "text", "text" if types == {"text"} else "")


class _MomentLoader(TextLoader):
    """Dates and times as DuckDB writes them: no infinite ones, and years of other lengths as the server has them."""

    def load(self, data: Buffer) -> Any:
        """Return the text for JSON."""
        return _iso(bytes(data).decode())


def _iso(text: str) -> str | None:
    """Return a date or a time in ISO 8601, one with an offset in UTC with Z; None for infinity."""
    if text.endswith("infinity"):
        return None
    if (found := _ISO.fullmatch(text)) is None:
        return text
    day, clock, zone = found.groups()
    return day + (f"T{clock}" if clock else "") + ("Z" if zone else "")


def _mysql_moment(zone: str) -> Callable[[str], str | None]:
    def read(text: str) -> str | None:
        # The date that stands for a missing one.
        if text.startswith("0000-00-00"):
            return None
        return text.replace(" ", "T") + zone

    return lambda text: read(text.rstrip("0").rstrip(".") if "." in text else text)


_MYSQL_DECODERS = {
    **pymysql.converters.conversions,
    _MYSQL.DATE: _mysql_moment(""),
    _MYSQL.DATETIME: _mysql_moment(""),
    _MYSQL.TIMESTAMP: _mysql_moment("Z"),
    _MYSQL.TIME: str,
}


def _is_bytes(field: Any) -> bool:
    return field.charsetnr == _MYSQL_BINARY and field.type_code not in (_MYSQL.TIME, _MYSQL.JSON)


def _without_nul(value: Any) -> Any:
    if isinstance(value, str) and "\0" in value:
        raise BadRequest(CANT_BE_SENT)
    return value


def _postgres_kind(number: int) -> ColumnType:
    info = psycopg.adapters.types.get(number)
    if info is None:
        return "text"
    return "object" if info.array_oid == number else _POSTGRES_KINDS.get(info.name, "text")
