"""Database triggers that move the Revision numbers.

Signals would miss bulk writes, `QuerySet.update`, many-to-many tables and SQL written by hand; triggers see all of
them, inside the writer's own transaction.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from django.apps import apps
from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper

PREFIX = "widgets_revision"


class Tracked(NamedTuple):
    """A table whose inserts and deletes, and updates of `columns`, move the number called `revision`.

    With `owner`, each value of that column has a number of its own: `revision`, an underscore and the value.
    """

    revision: str
    table: str
    columns: tuple[str, ...]
    owner: str = ""


def tracked() -> list[Tracked]:
    """Return every table that the catalog or the keys are compiled from."""
    from widgets_app.models import Agent, ApiKey, App, CollectionRow, Query, Revision, RowValue, Source, Widget

    user, group = apps.get_model("auth", "User"), apps.get_model("auth", "Group")
    catalog, keys = Revision.CATALOG, Revision.KEYS
    return [
        _columns(catalog, Widget, "published_id", "position"),
        _columns(catalog, App, "published_id", "position"),
        _columns(catalog, Agent, "published_id", "position"),
        _columns(catalog, Query, "published_id"),
        _columns(catalog, Source, "name", "kind", "options", "secrets", "seconds", "rows", "megabytes", "slots"),
        _columns(catalog, group, "name"),
        _through(catalog, Widget, "groups"),
        _through(catalog, App, "groups"),
        _through(catalog, Agent, "groups"),
        _columns(
            keys, ApiKey, "name", "prefix", "digest", "user_id", "expires_at", "networks", "revoked_at", "may_put_files"
        ),
        _columns(keys, RowValue, "name", "values", "api_key_id", "user_id", "group_id"),
        _columns(keys, group, "name"),
        _columns(keys, user, "username", "is_active"),
        _through(keys, ApiKey, "groups"),
        _through(keys, user, "groups"),
        _columns(Revision.ROWS, CollectionRow, "data")._replace(owner="source_id"),
    ]


def _columns(revision: str, model: type[models.Model], *columns: str) -> Tracked:
    return Tracked(revision, model._meta.db_table, columns)


def _through(revision: str, model: type[models.Model], field: str) -> Tracked:
    through: Any = model._meta.get_field(field).remote_field.through  # type: ignore[union-attr]  # a ManyToManyField
    return Tracked(revision, through._meta.db_table, tuple(f.column for f in through._meta.local_fields))


def install(using: str = "default", **_signal: object) -> None:
    """Put every trigger in place, again if need be: SQLite drops them whenever a migration remakes a table."""
    connection = connections[using]
    with connection.cursor() as cursor:
        for statement in statements(connection):
            cursor.execute(statement)


def installed(using: str = "default") -> set[str]:
    """Return the names of the triggers that are in place."""
    catalog = {
        "sqlite": "select name from sqlite_master where type = 'trigger'",
        "postgresql": "select tgname from pg_trigger where not tgisinternal",
    }
    connection = connections[using]
    with connection.cursor() as cursor:
        cursor.execute(catalog[connection.vendor])
        return {name for (name,) in cursor.fetchall() if name.startswith(PREFIX)}


def names() -> set[str]:
    """Return the names of the triggers that should be in place."""
    return {_name(table, event) for table in tracked() for event in ("insert", "delete", "update")}


def statements(connection: BaseDatabaseWrapper) -> Iterator[str]:
    """Return the SQL that puts every trigger in place on this database."""
    if connection.vendor == "sqlite":
        return _sqlite()
    return _postgresql()


def _name(table: Tracked, event: str) -> str:
    return f"{PREFIX}_{table.revision}_{table.table}_{event}"


def _events(table: Tracked, changed: str) -> list[tuple[str, str, str]]:
    """Return (event, SQL of the event, SQL of its condition); an update counts only if a column really changed."""
    columns = ", ".join(f'"{column}"' for column in table.columns)
    differs = " OR ".join(f'OLD."{column}" {changed} NEW."{column}"' for column in table.columns)
    return [
        ("insert", "INSERT", ""),
        ("delete", "DELETE", ""),
        ("update", f"UPDATE OF {columns}", f"WHEN ({differs})"),
    ]


def _move(revision: str) -> str:
    return (
        "INSERT INTO widgets_app_revision (name, number) VALUES "  # noqa: S608  names of our own
        f"({revision}, 1) ON CONFLICT (name) DO UPDATE SET number = widgets_app_revision.number + 1"
    )


def _sqlite() -> Iterator[str]:
    for table in tracked():
        for event, on, when in _events(table, "IS NOT"):
            name = _name(table, event)
            row = "OLD" if event == "delete" else "NEW"
            revision = f"'{table.revision}_' || {row}.{table.owner}" if table.owner else f"'{table.revision}'"
            yield f'DROP TRIGGER IF EXISTS "{name}"'
            yield (
                f'CREATE TRIGGER "{name}" AFTER {on} ON "{table.table}" FOR EACH ROW {when} '
                f"BEGIN {_move(revision)}; END"
            )


# Deferred to the commit and done once per transaction, so that editors don't wait for each other's row lock.
POSTGRESQL_FUNCTION = f"""
CREATE OR REPLACE FUNCTION {PREFIX}_move() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    revision text := TG_ARGV[0];
    flag text;
BEGIN
    IF TG_ARGV[1] <> '' THEN
        revision := revision || '_' ||
            (CASE TG_OP WHEN 'DELETE' THEN to_jsonb(OLD) ELSE to_jsonb(NEW) END ->> TG_ARGV[1]);
    END IF;
    flag := 'widgets.moved_' || revision;
    IF coalesce(current_setting(flag, true), '') <> txid_current()::text THEN
        PERFORM set_config(flag, txid_current()::text, true);
        {_move("revision")};
    END IF;
    RETURN NULL;
END $$
"""


def _postgresql() -> Iterator[str]:
    yield POSTGRESQL_FUNCTION
    for table in tracked():
        for event, on, when in _events(table, "IS DISTINCT FROM"):
            name = _name(table, event)
            yield f'DROP TRIGGER IF EXISTS "{name}" ON "{table.table}"'
            yield (
                f'CREATE CONSTRAINT TRIGGER "{name}" AFTER {on} ON "{table.table}" DEFERRABLE INITIALLY DEFERRED '
                f"FOR EACH ROW {when} EXECUTE FUNCTION {PREFIX}_move('{table.revision}', '{table.owner}')"
            )
