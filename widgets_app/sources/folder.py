"""A folder of data files, opened as the tables of a DuckDB that can reach nothing else."""

from __future__ import annotations

import codecs
import csv
import hashlib
import itertools
import logging
import os
import re
import shutil
import tempfile
import threading
import time
import weakref
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import duckdb

from widgets_app.errors import DefinitionError, SourceFailed
from widgets_app.sources import duckdb_errors, storage
from widgets_app.sources.json_sql import identifier, literal

logger = logging.getLogger("widgets_app.sources")

# How often a folder is looked at for changed files.
LOOK_SECONDS = 1.0
# What the engine of one folder may take. Work that needs more memory goes through the temporary folder.
MEMORY_LIMIT = "1GB"
TEMPORARY_LIMIT = "4GB"
THREADS = min(4, os.cpu_count() or 1)

SUFFIXES = (".csv", ".tsv", ".json", ".ndjson", ".parquet")
TEXT_SUFFIXES = (".csv", ".tsv")

# How much of a broken file is read to say what is wrong with it.
EXAMINED_LINES = 100_000
EXAMINED_BYTES = 64 * 1024

_DELIMITERS = ",;\t|"
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Listing:
    """The data files of a folder: name, time of change in nanoseconds and size in bytes of each, by name."""

    files: tuple[tuple[str, int, int], ...]

    @cached_property
    def fingerprint(self) -> str:
        """A text that differs when the files do."""
        return hashlib.blake2b(repr(self.files).encode(), digest_size=16).hexdigest()


class OpenFolder:
    """The tables that a folder held when it was opened; `faults` says for a missing table why it is missing.

    In `state` converted files are looked for. `stale` says that there are new ones.
    """

    def __init__(self, path: Path, listing: Listing, state: Path | None = None) -> None:
        self.number = next(_numbers)
        self.path = path
        self.listing = listing
        self.state = state
        self.stale = False
        self.faults: dict[str, str] = {}
        self.tables: list[str] = []
        temporary = tempfile.mkdtemp(prefix="widgets-duckdb-")
        weakref.finalize(self, shutil.rmtree, temporary, ignore_errors=True)
        self.connection = _connect(temporary)
        for table, paths in _by_table(path, listing).items():
            self._load(table, paths)
        _lock(self.connection, path)

    def missing(self, table: str) -> str:
        """Return why there is no such table, and which there are."""
        fault = self.faults.get(table.lower())
        if fault:
            return f'The table "{table}" can\'t be used: {fault}'
        return f'There is no table "{table}". Tables: {", ".join(sorted(self.tables)) or "none yet"}.'

    def shortened(self, text: str) -> str:
        """Return an error's text without the folder's path."""
        return text.replace(f"{self.path}{os.sep}", "")

    def _load(self, table: str, paths: list[Path]) -> None:
        try:
            path = _only(paths, table)
            _refuse_outside(path, self.path)
            if not self._load_converted(path, table):
                load(self.connection, path, table)
        except (DefinitionError, OSError) as error:
            self.faults[table.lower()] = str(error)
            logger.warning("The file %s can't be a table: %s", paths[0], error)
        else:
            self.tables.append(table)

    def _load_converted(self, path: Path, table: str) -> bool:
        stored = storage.converted(self.state, path) if self.state else None
        name = f"stored_{len(self.tables)}"
        if stored is None or not storage.attach(self.connection, stored, name):
            return False
        reading = f"select * from {name}.main.{storage.TABLE}"  # noqa: S608  names of our own
        self.connection.execute(f"create view {identifier(table)} as {reading}")
        return True


class Folder:
    """A folder that is watched: the tables of its newest state are opened beside those still in use. Thread-safe.

    Large files are converted in the folder `state`, if there is one.
    """

    def __init__(self, path: Path, state: Path | None = None) -> None:
        self.path = path
        self._state = state
        self._opening = threading.Lock()
        self._opened: OpenFolder | None = None
        self._listing = Listing(())
        self._looked_at = float("-inf")

    def listing(self) -> Listing:
        """Return the files there are; looks again after a second. Raises SourceFailed when it can't look."""
        now = time.monotonic()
        if now - self._looked_at >= LOOK_SECONDS:
            try:
                self._listing = _look(self.path)
            except OSError as error:
                raise SourceFailed(f"The folder of the source can't be read: {error.strerror}.") from error
            self._looked_at = now
        return self._listing

    def fingerprint(self) -> str:
        """Return a text that differs when the files do. Raises SourceFailed when it can't look."""
        return self.listing().fingerprint

    def look_again(self) -> None:
        """Have the next caller see what is there now."""
        self._looked_at = float("-inf")

    def opened(self) -> OpenFolder:
        """Return the tables; while one thread opens a new state, the others go on with the one before.

        Raises SourceFailed when the folder can't be opened; a file that can't be read is a missing table instead.
        """
        opened, listing = self._opened, self.listing()
        if opened is not None and opened.listing == listing and not opened.stale:
            return opened
        if not self._opening.acquire(blocking=opened is None) and opened is not None:
            return opened
        try:
            return self._reopened(listing)
        finally:
            self._opening.release()

    def _reopened(self, listing: Listing) -> OpenFolder:
        if self._opened is None or self._opened.listing != listing or self._opened.stale:
            try:
                # Before it is opened: others may convert its files at the same time.
                seen = storage.there(self._state) if self._state else frozenset()
                self._opened = OpenFolder(self.path, listing, self._state)
                self._convert(self._opened, seen)
            except (OSError, duckdb.Error) as error:
                logger.exception("The folder %s can't be opened", self.path)
                raise SourceFailed("The folder of the source can't be opened; the log tells why.") from error
        return self._opened

    def _convert(self, opened: OpenFolder, seen: frozenset[str]) -> None:
        paths = [self.path / name for name, _, _ in opened.listing.files]
        if self._state is not None and not storage.settled(self._state, paths, seen):
            storage.convert_later(self._state, paths, _store, lambda: setattr(opened, "stale", True), seen=seen)

    def drop(self, opened: OpenFolder) -> None:
        """Have the next caller open the folder anew instead of using `opened`."""
        if self._opened is opened:
            self._opened = None


_watched: weakref.WeakValueDictionary[Path, Folder] = weakref.WeakValueDictionary()
_watching = threading.Lock()


def watched(path: Path, state: Path | None = None) -> Folder:
    """Return the folder at a path; everybody who uses the same folder shares its tables.

    Large files are converted in a folder of their own below `state`.
    """
    path = path.resolve()
    own = state / hashlib.blake2b(str(path).encode(), digest_size=8).hexdigest() if state else None
    with _watching:
        return _watched.setdefault(path, Folder(path, own))


def table_name(file_name: str) -> str:
    """Return the table that a file becomes: its stem, with `_` for what is not a letter, digit or underscore."""
    return re.sub(r"\W", "_", Path(file_name).stem)


def load(connection: duckdb.DuckDBPyConnection, path: Path, table: str, *, copied: bool = False) -> None:
    """Make a file a table: Parquet as a view unless `copied`, all else read into memory.

    Raises DefinitionError saying why not.
    """
    if path.stat().st_size == 0:
        raise DefinitionError(f"{path.name} is empty.")
    kind = "view" if path.suffix.lower() == ".parquet" and not copied else "table"
    try:
        reading = f"select * from {_reader(path)}"  # noqa: S608  names are quoted
        connection.execute(f"create {kind} {identifier(table)} as {reading}")
    except duckdb.Error as error:
        raise DefinitionError(f"{path.name}: {_reason(path, error)}") from error


def scratch() -> duckdb.DuckDBPyConnection:
    """Return an engine without tables that doesn't write temporary files."""
    return _connect("")


def _connect(temporary: str) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(
        config={
            "memory_limit": MEMORY_LIMIT,
            "threads": THREADS,
            "temp_directory": temporary,
            "max_temp_directory_size": TEMPORARY_LIMIT,
            "allow_community_extensions": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            # Otherwise a query could read the variables of this program as tables.
            "python_enable_replacements": False,
            "errors_as_json": True,
        }
    )
    connection.execute("set global timezone = 'UTC'")
    return connection


def _store(path: Path, target: Path) -> None:
    """Write a file as a new file of DuckDB's, in the order of its rows."""
    with tempfile.TemporaryDirectory(prefix="widgets-duckdb-") as temporary:
        connection = _connect(temporary)
        with storage.interruptible(connection):
            connection.execute(f"attach {literal(str(target))} as made")
            connection.execute("use made")
            load(connection, path, storage.TABLE, copied=True)
            connection.execute("checkpoint made")


def _lock(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    connection.execute(f"set allowed_directories = [{literal(str(path))}]")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")


def _look(path: Path) -> Listing:
    try:
        return Listing(tuple(sorted(_stats(path))))
    except FileNotFoundError:
        # The folder isn't there yet, or a file went away while it was looked at.
        return Listing(())


def _stats(path: Path) -> Iterator[tuple[str, int, int]]:
    with os.scandir(path) as entries:
        for entry in entries:
            if not entry.name.startswith(".") and entry.name.lower().endswith(SUFFIXES) and entry.is_file():
                found = entry.stat()
                yield entry.name, found.st_mtime_ns, found.st_size


def _by_table(path: Path, listing: Listing) -> Mapping[str, list[Path]]:
    """Return the files by the table they become; names that differ only in case are one table to DuckDB."""
    tables: dict[str, list[Path]] = {}
    spelled: dict[str, str] = {}
    for name, _, _ in listing.files:
        table = table_name(name)
        tables.setdefault(spelled.setdefault(table.lower(), table), []).append(path / name)
    return tables


def _only(paths: list[Path], table: str) -> Path:
    if len(paths) > 1:
        names = " and ".join(path.name for path in paths)
        raise DefinitionError(f'{names} would all be the table "{table}". Rename or remove all but one.')
    return paths[0]


def _refuse_outside(path: Path, folder: Path) -> None:
    if not path.resolve().is_relative_to(folder):
        raise DefinitionError(f"{path.name} is a link that leads out of the folder. Put the file itself there.")


def _reader(path: Path) -> str:
    """Return the SQL that reads a file. A CSV's first line names its columns; nothing is skipped or guessed away."""
    file, suffix = literal(str(path)), path.suffix.lower()
    if suffix in TEXT_SUFFIXES:
        delimiter = literal(_delimiter(path))
        return (
            f"read_csv({file}, delim = {delimiter}, quote = '\"', escape = '\"', comment = '', "
            "header = true, skip = 0, sample_size = -1)"
        )
    if suffix == ".parquet":
        return f"read_parquet({file})"
    return f"{'read_ndjson' if suffix == '.ndjson' else 'read_json'}({file}, sample_size = -1)"


def _delimiter(path: Path) -> str:
    """Return the separator of a text file: of the usual ones the one that its first line has most of."""
    if path.suffix.lower() == ".tsv":
        return "\t"
    first = _start(path).decode(errors="replace").lstrip("\ufeff\r\n").partition("\n")[0]
    if first.lstrip().startswith("<"):
        raise DefinitionError(f"{path.name} holds a web page or XML. Save the data itself as CSV.")
    bare = re.sub(r'"[^"]*"', "", first)
    # Of equals the first wins.
    return max(_DELIMITERS, key=bare.count)


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(EXAMINED_BYTES)


def _reason(path: Path, error: duckdb.Error) -> str:
    message = duckdb_errors.details(error)["exception_message"]
    if path.suffix.lower() != ".parquet" and ("utf-8 encoded" in message or not _is_utf8(path)):
        return "it is not UTF-8 text. Save it as UTF-8."
    if path.suffix.lower() in TEXT_SUFFIXES:
        return _uneven(path) or _shortened(path, message)
    return _shortened(path, message)


def _is_utf8(path: Path) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(_start(path))
    except UnicodeDecodeError:
        return False
    return True


def _uneven(path: Path) -> str:
    """Return which line of a CSV has another number of values than the first one, nothing if none has."""
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        rows = csv.reader(itertools.islice(file, EXAMINED_LINES), delimiter=_delimiter(path))
        try:
            return _first_uneven(rows)
        except csv.Error:
            return ""


def _first_uneven(rows: Iterable[list[str]]) -> str:
    width = 0
    for number, row in enumerate(rows, start=1):
        width = width or len(row)
        if row and len(row) != width:
            return (
                f"row {number} has {len(row)} values, but the first line names {width} columns. "
                "Quote values that hold the separator, and let the first line be the names."
            )
    return ""


def _shortened(path: Path, message: str) -> str:
    """Return the message without the folder's path, and without DuckDB's advice on options nobody can set here."""
    if message.startswith("Error when sniffing"):
        return "it can't be read as a table of text. Look for quotes that are not closed and mixed line ends."
    text = re.split(r"\nPossible|\n\n", message)[0].replace(f"{path.parent}{os.sep}", "")
    return f"{text.strip().rstrip('.')}."
