"""The tables and columns of a database, as far as its login sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, inspect, text

from widgets_app.sources.base import Table, TableColumn, matching

# The letters of PostgreSQL.
_KINDS = {"r": "table", "p": "table", "v": "view", "m": "materialized view", "f": "foreign table"}


@dataclass(frozen=True, slots=True)
class Catalog:
    """How a kind of database is asked for tables (schema, name, kind) and for columns (name, type)."""

    tables: str
    columns: str


POSTGRES = Catalog(
    tables="""
        select n.nspname, c.relname, c.relkind::text
        from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition
        and n.nspname <> 'information_schema' and n.nspname not like 'pg\\_%'
        and pg_catalog.has_schema_privilege(n.oid, 'usage') and pg_catalog.has_any_column_privilege(c.oid, 'select')
        and position(lower(cast(:search as text)) in lower((n.nspname || '.' || c.relname) collate "default")) > 0
        order by n.nspname || '.' || c.relname <> cast(:search as text), 1, 2
        limit :most""",
    columns="""
        select a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod)
        from pg_catalog.pg_attribute a join pg_catalog.pg_class c on c.oid = a.attrelid
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where n.nspname = cast(:schema as text) and c.relname = cast(:name as text)
        and a.attnum > 0 and not a.attisdropped
        order by a.attnum""",
)
MYSQL = Catalog(
    tables="""
        select table_schema, table_name, lower(replace(table_type, 'BASE ', ''))
        from information_schema.tables
        where table_schema not in ('mysql', 'information_schema', 'performance_schema', 'sys')
        and locate(lower(:search), lower(concat(table_schema, '.', table_name))) > 0
        order by concat(table_schema, '.', table_name) <> :search, 1, 2
        limit :most""",
    columns="""
        select column_name, column_type from information_schema.columns
        where table_schema = :schema and table_name = :name
        order by ordinal_position""",
)
SQLITE = Catalog(
    tables="""
        select 'main', name, type from sqlite_master
        where type in ('table', 'view') and name not like 'sqlite\\_%' escape '\\'
        and instr(lower(name), lower(:search)) > 0
        order by name <> :search, name
        limit :most""",
    columns="select name, type from pragma_table_xinfo(:name) where hidden <> 1 and :schema = 'main'",
)
CATALOGS: Mapping[str, Catalog] = {"postgresql": POSTGRES, "mysql": MYSQL, "mariadb": MYSQL, "sqlite": SQLITE}


def tables(connection: Connection, search: str, most: int) -> list[Table]:
    """Return at most so many tables and views; see SourceBackend.tables."""
    catalog = CATALOGS.get(connection.dialect.name)
    if catalog is None:
        return _inspected(connection, search)[:most]
    # What no database keeps in a name would be refused as a value.
    rows = connection.execute(text(catalog.tables), {"search": search.replace("\0", ""), "most": most})
    hides_schema = catalog is SQLITE
    return [_table(connection, (name,) if hides_schema else (schema, name), kind) for schema, name, kind in rows]


def columns(connection: Connection, table: Table) -> Sequence[TableColumn]:
    """Return the columns of a table that was listed."""
    schema, name = table.path if len(table.path) > 1 else (None, table.path[0])
    catalog = CATALOGS.get(connection.dialect.name)
    if catalog is None:
        found = inspect(connection).get_columns(name, schema)
        return [TableColumn(column["name"], str(column["type"])) for column in found]
    rows = connection.execute(text(catalog.columns), {"schema": schema or "main", "name": name})
    return [TableColumn(column, kind) for column, kind in rows]


def _inspected(connection: Connection, search: str) -> list[Table]:
    inspector = inspect(connection)
    named = {"table": inspector.get_table_names(), "view": inspector.get_view_names()}
    return matching((_table(connection, (name,), kind) for kind, names in named.items() for name in names), search)


def _table(connection: Connection, path: tuple[str, ...], kind: str) -> Table:
    quoted = ".".join(_quoted(connection, name) for name in path)
    return Table(".".join(path), f"select * from {quoted}", _KINDS.get(kind, kind), path=path)  # noqa: S608  quoted


def _quoted(connection: Connection, name: str) -> str:
    # SQLAlchemy's own way doubles percent signs too, which is done once more where the text is sent.
    marks = connection.dialect.identifier_preparer
    return f"{marks.initial_quote}{name.replace(marks.escape_quote, marks.escape_to_quote)}{marks.final_quote}"
