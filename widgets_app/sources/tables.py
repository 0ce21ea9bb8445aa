"""Files as tables of a DuckDB."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import duckdb

from widgets_app.errors import DefinitionError
from widgets_app.sources import duckdb_errors, engine, text
from widgets_app.sources.formats import Format, format_of
from widgets_app.sources.json_sql import identifier, literal
from widgets_app.sources.text import UTF8, Dialect

# A table that is there for a moment.
TRIED = "widgets_tried"


def load(
    connection: duckdb.DuckDBPyConnection, root: Path, names: Sequence[str], table: str, *, copied: bool = False
) -> frozenset[Dialect]:
    """Make one file below a folder, or several of one format, a table; return how text in them is written.

    Parquet becomes a view unless `copied`, all else is read into memory. Raises DefinitionError saying why not.
    """
    found = one_format(names)
    for name in names:
        if (root / name).stat().st_size == 0:
            raise DefinitionError(f"{name} is empty.")
    kind = "view" if found.is_parquet and not copied else "table"
    create = f"create {kind} {identifier(table)} as "
    try:
        return _create(connection, root, names, create)
    except duckdb.InterruptException:
        raise
    except duckdb.Error as error:
        if found.is_parquet or not _is_foreign(error):
            raise DefinitionError(_reason(connection, root, names, error)) from error
    try:
        return _create(connection, root, names, create, whole=True)
    except duckdb.Error as error:
        raise DefinitionError(_reason(connection, root, names, error)) from error


def one_format(names: Iterable[str]) -> Format:
    """Return the format that all files have. Raises DefinitionError where they have several."""
    first, *others = sorted({format_of(name).name: name for name in names}.items())
    if others:
        raise DefinitionError(
            f"{first[1]} is {first[0]}, {others[0][1]} is {others[0][0]}. Let all files of a folder have one format."
        )
    found = format_of(first[1])
    if found.is_workbook and "/" in first[1]:
        raise DefinitionError(
            f"{first[1]} is a workbook, which can't be a piece of a table. Put it outside the folder."
        )
    return found


def _create(
    connection: duckdb.DuckDBPyConnection, root: Path, names: Sequence[str], create: str, *, whole: bool = False
) -> frozenset[Dialect]:
    found = format_of(names[0])
    more = _options(names)
    if found.is_parquet:
        connection.execute(f"{create} select * from read_parquet({_list(str(root / name) for name in names)}{more})")  # noqa: S608
        return frozenset()
    groups: dict[Dialect, list[str]] = {}
    with engine.temporary() as temporary:
        for name in names:
            encoding = text.encoding_of(root / name, whole=whole)
            path = root / name if encoding == UTF8 else _in_utf8(root, name, encoding, temporary)
            groups.setdefault(text.dialect_of(path, encoding, connection), []).append(str(path))
        readers = [_reader(found, paths, dialect) for dialect, paths in groups.items()]
        # All that comes from outside is quoted.
        readings = (f"select * from {reader}{more})" for reader in readers)  # noqa: S608
        connection.execute(create + " union all by name ".join(readings))
    return frozenset(groups)


def _options(names: Sequence[str]) -> str:
    """Return what is asked for where several files are one table; folders named year=2026 give a column."""
    if "/" not in names[0]:
        return ""
    hive = any("=" in part for name in names for part in name.split("/")[1:-1])
    return f", union_by_name = true, hive_partitioning = {str(hive).lower()}"


def _in_utf8(root: Path, name: str, encoding: str, folder: Path) -> Path:
    path = folder / re.sub(r"\.(gz|zst)$", "", name, flags=re.IGNORECASE)
    text.to_utf8(root / name, encoding, path)
    return path


def _list(paths: Iterable[str]) -> str:
    return "[" + ", ".join(literal(path) for path in paths) + "]"


def _reader(found: Format, paths: Iterable[str], dialect: Dialect) -> str:
    """Return the SQL that reads text, up to its last bracket.

    A CSV's first line names its columns; nothing is skipped or guessed away.
    """
    if found.is_text:
        return (
            f"read_csv({_list(paths)}, delim = {literal(dialect.delimiter)}, decimal_separator = '{dialect.decimal}', "
            "quote = '\"', escape = '\"', comment = '', header = true, skip = 0, sample_size = -1"
        )
    reader = "read_json" if found.suffix == ".json" else "read_ndjson"
    return f"{reader}({_list(paths)}, sample_size = -1"


def _is_foreign(error: duckdb.Error) -> bool:
    message = duckdb_errors.details(error)["exception_message"].lower()
    return any(word in message for word in ("utf-8", "utf8", "unicode", "encod"))


def _reason(connection: duckdb.DuckDBPyConnection, root: Path, names: Sequence[str], error: duckdb.Error) -> str:
    """Say which file is at fault, and why."""
    if limit := engine.exceeded(error):
        return f"{names[0].partition('/')[0]}: {limit}"
    if len(names) == 1:
        return f"{names[0]}: {_fault(root, names[0], error)}"
    for name in names:
        try:
            load(connection, root, [name], TRIED)
            connection.execute(f"drop {'view' if format_of(name).is_parquet else 'table'} {TRIED}")
        except DefinitionError as found:
            return str(found)
    return f"{names[0].partition('/')[0]}: {_shortened(root, error)}"


def _fault(root: Path, name: str, error: duckdb.Error) -> str:
    if format_of(name).is_text:
        return text.uneven(root / name) or _shortened(root, error)
    return _shortened(root, error)


def _shortened(root: Path, error: duckdb.Error) -> str:
    """Return the message without the folder's path, and without DuckDB's advice on options nobody can set here."""
    message = duckdb_errors.details(error)["exception_message"]
    if message.startswith("Error when sniffing"):
        return "it can't be read as a table of text. Look for quotes that are not closed and mixed line ends."
    shown = re.split(r"\nPossible|\n\n", message)[0].replace(f"{root}{os.sep}", "")
    return f"{shown.strip().rstrip('.')}."
