"""What the tables of a folder are, for people: from which file, how it was read, columns, rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb

from widgets_app.sources import formats
from widgets_app.sources.folder import OpenFolder, Origin
from widgets_app.sources.json_sql import identifier
from widgets_app.sources.text import ENCODINGS, Dialect

# Rows of more files than this are not counted: each would have to be opened.
COUNTED_FILES = 1000
SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}


@dataclass(frozen=True, slots=True)
class Description:
    """A table. `rows` is None where counting them takes too long."""

    table: str
    file: str
    how: str
    size: int
    changed: datetime
    rows: int | None
    columns: tuple[tuple[str, str], ...]


def describe(opened: OpenFolder) -> list[Description]:
    """Return what there is to say of all tables of a folder, by name."""
    return [_description(opened, table, opened.origins[table]) for table in sorted(opened.tables)]


def _description(opened: OpenFolder, table: str, origin: Origin) -> Description:
    return Description(
        table=table,
        file=origin.told,
        how=", ".join(_how(origin)),
        size=origin.size,
        changed=datetime.fromtimestamp(max(file.changed_ns for file in origin.files) / 1e9, UTC),
        rows=_rows(opened, table) if len(origin.files) <= COUNTED_FILES else None,
        columns=_columns(opened, table),
    )


def _how(origin: Origin) -> Iterator[str]:
    found = formats.format_of(origin.files[0].name)
    yield f"{found.name} ({found.compression})" if found.compression else found.name
    if origin.sheet:
        yield f"sheet “{origin.sheet}”"
    yield from dict.fromkeys(word for dialect in sorted(origin.dialects, key=repr) for word in _written(dialect))


def _written(dialect: Dialect) -> Iterator[str]:
    yield ENCODINGS.get(dialect.encoding, dialect.encoding)
    if dialect.delimiter:
        yield f"separator {SEPARATORS[dialect.delimiter]}"
    if dialect.decimal == ",":
        yield "decimal comma"


def _rows(opened: OpenFolder, table: str) -> int | None:
    try:
        with opened.connection.cursor() as cursor:
            found = cursor.execute(f"select count(*) from {identifier(table)}").fetchone()  # noqa: S608  quoted
    except duckdb.Error:
        return None
    return int(found[0]) if found else None


def _columns(opened: OpenFolder, table: str) -> tuple[tuple[str, str], ...]:
    try:
        with opened.connection.cursor() as cursor:
            found = cursor.execute(f"describe {identifier(table)}").fetchall()
    except duckdb.Error:
        return ()
    return tuple((column[0], column[1]) for column in found)
