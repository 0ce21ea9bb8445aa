"""The test of a database: is it reached, is the login taken, what may the login do, does the server keep time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from sqlalchemy import Connection, literal, select, text

from widgets_app.errors import RequestError
from widgets_app.sources.address import HostNotListed
from widgets_app.sources.base import Call, Limits, Step
from widgets_app.sources.database_server import NO_DATABASE, REFUSED, UNREACHABLE
from widgets_app.sources.reaching import Unreached, reach

if TYPE_CHECKING:
    from widgets_app.sources.database import Database

# Tables that a login may write to are counted no further.
WRITABLE_COUNTED = 100
# Rights of MySQL and MariaDB that change nothing.
_HARMLESS = frozenset({"USAGE", "SELECT", "SHOW VIEW", "SHOW DATABASES", "PROXY"})
# Rights to reach beyond the data: files of the server, other people's queries, everything.
_WIDE = frozenset({"ALL PRIVILEGES", "ALL", "FILE", "SUPER"})

HOW_TO_READ = "Use a login that may only read, as the documentation of databases shows."
_READS_ONLY = "The login may read, and nothing else was found."

_POSTGRES_RIGHTS = f"""
select
    (select rolsuper from pg_catalog.pg_roles where rolname = current_user),
    (select bool_or(pg_catalog.pg_has_role(r.oid, 'member')) from pg_catalog.pg_roles r where r.rolname in
        ('pg_write_all_data', 'pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program')),
    (select count(*) from (
        select 1 from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where c.relkind in ('r', 'p', 'f') and n.nspname <> 'information_schema' and n.nspname not like 'pg\\_%%'
        and pg_catalog.has_table_privilege(c.oid, 'insert, update, delete, truncate')
        limit {WRITABLE_COUNTED}) as w)
"""  # noqa: S608  a number of our own


def steps(database: Database, secret: Callable[[], object], limits: Limits, call: Call) -> Iterator[Step]:
    """Test a database that was opened for it; `secret` raises SourceFailed where its password is not to be had."""
    yield Step("Address", f"It can be read, and the driver {database.driver} is there.")
    try:
        secret()
    except RequestError as error:
        yield Step("Password", str(error), "bad")
        return
    try:
        reach_database(database, call)
    except RequestError as error:
        yield from _not_opened(error)
        return
    if database.has_host:
        yield Step("Host", "The server answers.")
        yield Step("Login", "It lets the source in.", timed=False)
    else:
        yield Step("Opened", "The database lets the source in.")
    try:
        with database.reading(limits, call) as (connection, _):
            # SQLite opens a file only when something is read from it.
            from_file = connection.dialect.name == "sqlite"
            connection.execute(text("select count(*) from sqlite_master") if from_file else select(literal(1))).all()
            yield Step("Read", "A read works.")
            yield from _FOUND.get(connection.dialect.name, _other)(connection)
    except RequestError as error:
        yield Step("Read", str(error), "bad", "The log of this backend tells more.")


def reach_database(database: Database, call: Call) -> None:
    """Open a connection; raises SourceFailed, which says as little of a network as `reach` does."""

    def is_told(error: RequestError) -> bool:
        # A file of this server is not in anybody's network.
        return not database.has_host or isinstance(error, HostNotListed) or str(error) in (REFUSED, NO_DATABASE)

    reach(database.touch, call=call, told=is_told, otherwise=UNREACHABLE)


def _not_opened(error: RequestError) -> Iterator[Step]:
    if isinstance(error, Unreached):
        yield Step("Host", str(error), "bad", timed=False)
    elif (told := str(error)) in (REFUSED, NO_DATABASE):
        yield Step("Host", "The server answers.")
        yield Step("Login" if told == REFUSED else "Database", told, "bad")
    else:
        yield Step("Host" if isinstance(error, HostNotListed) else "File", told, "bad")


def _postgresql(connection: Connection) -> Iterator[Step]:
    (is_read_only,) = connection.exec_driver_sql("show transaction_read_only").one()
    yield _enforced(is_read_only == "on")
    is_super, is_wide, writable = connection.exec_driver_sql(_POSTGRES_RIGHTS).one()
    if is_super:
        yield _may_more("The login is a superuser: it may change everything, and reach files of the server.")
    elif is_wide:
        yield _may_more("The login has a role that may change all data, or reach files of the server.")
    elif writable:
        many = "or more " if writable == WRITABLE_COUNTED else ""
        yield _may_more(f"The login may write to {writable} {many}table{'' if writable == 1 else 's'}.")
    else:
        yield Step("Rights", _READS_ONLY)
    (limit,) = connection.exec_driver_sql("show statement_timeout").one()
    yield _clock(limit != "0")
    yield Step("Version", f"PostgreSQL {connection.exec_driver_sql('show server_version').scalar()}")


def _mysql(connection: Connection) -> Iterator[Step]:
    rights = granted(str(grant) for (grant,) in connection.exec_driver_sql("show grants"))
    more = sorted(rights - _HARMLESS)
    if wide := sorted(rights & _WIDE):
        yield _may_more(f"The login has the right {', '.join(wide)}: it may reach beyond the data.")
    elif more:
        yield _may_more(f"The login may more than read: {', '.join(more)}.")
    else:
        yield Step("Rights", _READS_ONLY)
    is_mariadb = getattr(connection.dialect, "is_mariadb", False)
    name = "max_statement_time" if is_mariadb else "max_execution_time"
    yield _clock(bool(connection.exec_driver_sql(f"select @@session.{name}").scalar()))
    version = connection.exec_driver_sql("select version()").scalar()
    yield Step("Version", f"{'MariaDB' if is_mariadb else 'MySQL'} {version}")


def granted(grants: Iterable[str]) -> frozenset[str]:
    """Return the rights in the answer to SHOW GRANTS. Roles that are granted have none of their own there."""
    # Names may hold any word.
    bare = (re.sub("`[^`]*`", "", grant) for grant in grants)
    found = [re.match(r"grant (.+?) on ", grant, re.IGNORECASE) for grant in bare]
    # Columns may stand behind a right, in brackets.
    lists = [re.sub(r"\([^)]*\)", "", one[1]) for one in found if one]
    return frozenset(right.strip().upper() for one in lists for right in one.split(","))


def _sqlite(connection: Connection) -> Iterator[Step]:
    yield _enforced(connection.exec_driver_sql("pragma query_only").scalar() == 1)
    yield Step("Version", f"SQLite {connection.exec_driver_sql('select sqlite_version()').scalar()}")


def _other(connection: Connection) -> Iterator[Step]:
    yield Step("Rights", "What the login may do can't be told for this kind of database.", "warning", HOW_TO_READ)
    version = ".".join(map(str, getattr(connection.dialect, "server_version_info", None) or ()))
    yield Step("Version", f"{connection.dialect.name} {version}".strip())


def _enforced(is_read_only: bool) -> Step:
    if is_read_only:
        return Step("Read-only", "Queries run so that the database itself refuses changes.")
    return Step("Read-only", "The database does not refuse changes in queries.", "bad", HOW_TO_READ)


def _may_more(text: str) -> Step:
    return Step("Rights", text, "warning", HOW_TO_READ)


def _clock(is_set: bool) -> Step:
    if is_set:
        return Step("Time limit", "The server itself stops what takes too long.")
    return Step("Time limit", "The server does not stop what takes too long.", "warning", "Look at its settings.")


_FOUND: Mapping[str, Callable[[Connection], Iterator[Step]]] = {
    "postgresql": _postgresql,
    "mysql": _mysql,
    "mariadb": _mysql,
    "sqlite": _sqlite,
}
