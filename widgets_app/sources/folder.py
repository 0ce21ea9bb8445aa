"""A folder of data files, opened as the tables of a DuckDB that can reach nothing else."""

from __future__ import annotations

import hashlib
import itertools
import logging
import os
import threading
import time
import weakref
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import duckdb

from widgets_app.errors import DefinitionError, SourceFailed
from widgets_app.sources import duckdb_errors, engine, formats, storage, tables, workbook
from widgets_app.sources.json_sql import identifier, literal
from widgets_app.sources.listing import DataFile, Listing, look
from widgets_app.sources.text import Dialect

logger = logging.getLogger("widgets_app.sources")

# How often a folder is looked at for changed files; less often where looking takes long, for so many times as long.
LOOK_SECONDS = 1.0
LOOK_SHARE = 20
# How long a caller waits while a new state is opened, before it goes on with the one before.
OPEN_SECONDS = 1.0
# For how long a query is run again while its files are replaced, and how often a folder is opened again then.
TRY_SECONDS = 5.0
OPENED_AGAIN = 3

_numbers = itertools.count(1)
# Why workbooks can't be read, by the name of what they would be converted to: reading them takes long.
_broken: dict[str, str] = {}
KEPT_FAULTS = 1000


@dataclass(frozen=True, slots=True)
class Origin:
    """What a table was made of: files of one format, the sheet of a workbook, and how text is written."""

    files: tuple[DataFile, ...]
    sheet: str = ""
    dialects: frozenset[Dialect] = frozenset()

    @property
    def told(self) -> str:
        """The file, or the folder with the number of its files."""
        folder, slash, _ = self.files[0].name.partition("/")
        count = len(self.files)
        return f"{folder}/ ({count:,} {'files' if count > 1 else 'file'})" if slash else self.files[0].name

    @property
    def size(self) -> int:
        """How many bytes the files have."""
        return sum(file.size for file in self.files)


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
        self.origins: dict[str, Origin] = {}
        self._attached = 0
        # Files that are read by each query, and not once.
        self._live: list[DataFile] = []
        self._temporary = engine.temporary_for(self)
        self.connection = engine.connect(self._temporary)
        for folder, reason in listing.faults:
            self._miss(formats.table_name(f"{folder}/"), path / folder, reason)
        with storage.stopped_at_exit(self.connection):
            for table, files in listing.tables.items():
                self._load(table, files)
        _lock(self.connection, path)

    @property
    def tables(self) -> list[str]:
        """The names of the tables."""
        return [*self.origins]

    def missing(self, table: str) -> str:
        """Return why there is no such table, and which there are."""
        fault = self.faults.get(table.lower())
        if fault:
            return f'The table "{table}" can\'t be used: {fault}'
        return f'There is no table "{table}". Tables: {", ".join(sorted(self.tables)) or "none yet"}.'

    def shortened(self, text: str) -> str:
        """Return an error's text without the folder's path."""
        return text.replace(f"{self.path}{os.sep}", "")

    def moved(self) -> bool:
        """Say whether a file that each query reads is another one by now: what was read may be of both."""
        try:
            return any(DataFile.of(file.name, (self.path / file.name).stat()) != file for file in self._live)
        except OSError:
            return True

    def _load(self, table: str, files: list[DataFile]) -> None:
        path = self.path / files[0].name.partition("/")[0]
        try:
            _refuse_twins(files, table)
            _refuse_outside(path, self.path)
            if tables.one_format([file.name for file in files]).is_workbook:
                self._load_workbook(path, table, files[0])
            elif not self._load_converted(path, table, files):
                self._load_files(table, files)
        except (DefinitionError, OSError) as error:
            self._miss(table, path, self.shortened(str(error)))
        except duckdb.Error as error:
            self._miss(table, path, self.shortened(engine.exceeded(error) or duckdb_errors.summary(error)))

    def _miss(self, table: str, path: Path, reason: str) -> None:
        self.faults[table.lower()] = reason
        logger.warning("%s can't be a table: %s", path, reason)

    def _load_files(self, table: str, files: list[DataFile]) -> None:
        self._claim(table)
        dialects = tables.load(self.connection, self.path, [file.name for file in files], table)
        if formats.format_of(files[0].name).is_parquet:
            self._live += files
        self.origins[table] = Origin(tuple(files), dialects=dialects)

    def _load_converted(self, path: Path, table: str, files: list[DataFile]) -> bool:
        stored = storage.converted(self.state, path) if self.state else None
        if stored is None or not stored.exists():
            return False
        self._claim(table)
        name = self._attach(stored)
        if not name:
            return False
        self._view(table, name, storage.TABLE)
        self.origins[table] = Origin(tuple(files))
        return True

    def _load_workbook(self, path: Path, table: str, file: DataFile) -> None:
        state = self.state or self._temporary
        # It may be removed a moment before it is attached: then it is made once more.
        name = self._attach(converted_workbook(path, state)) or self._attach(converted_workbook(path, state))
        if not name:
            raise DefinitionError(f"{path.name} was read, but can't be opened. The log tells why.")
        found = self.connection.execute("select table_name from duckdb_tables() where database_name = ?", [name])
        sheets = [sheet for (sheet,) in found.fetchall()]
        for sheet in sheets:
            own = formats.sheet_table(table, sheet) if len(sheets) > 1 else table
            self._claim(own)
            self._view(own, name, sheet)
            self.origins[own] = Origin((file,), sheet=sheet)

    def _attach(self, stored: Path) -> str:
        self._attached += 1
        name = f"stored_{self._attached}"
        return name if storage.attach(self.connection, stored, name) else ""

    def _view(self, table: str, database: str, stored: str) -> None:
        reading = f"select * from {database}.main.{identifier(stored)}"  # noqa: S608  names are quoted
        self.connection.execute(f"create view {identifier(table)} as {reading}")

    def _claim(self, table: str) -> None:
        for other, origin in self.origins.items():
            if other.lower() == table.lower():
                raise DefinitionError(
                    f'The table "{table}" comes from {origin.files[0].name} already. Rename one of the files or sheets.'
                )


class Folder:
    """A folder that is watched: the tables of its newest state are opened beside those still in use. Thread-safe.

    Large files are converted in the folder `state`, if there is one.
    """

    def __init__(self, path: Path, state: Path | None = None) -> None:
        self.path = path
        self.state = state
        self._opening = threading.Lock()
        self._opened: OpenFolder | None = None
        self._opener: threading.Thread | None = None
        self._waited_until = float("-inf")
        self._listing = Listing(())
        self._looked_at = float("-inf")
        self._wait = 0.0
        self._asked = 0
        self._looking = threading.Lock()

    def listing(self) -> Listing:
        """Return the files there are; looks again after a second. Raises SourceFailed when it can't look."""
        if self._is_due():
            with self._looking:
                if self._is_due():
                    self._look()
        return self._listing

    def _is_due(self) -> bool:
        return time.monotonic() - self._looked_at >= self._wait

    def _is_slow(self) -> bool:
        """Say whether looking is due, and takes too long to be waited for."""
        return self._wait > LOOK_SECONDS and self._is_due()

    def _is_opening(self) -> bool:
        return self._opening.locked() or (self._opener is not None and self._opener.is_alive())

    def _look(self) -> None:
        now, asked = time.monotonic(), self._asked
        try:
            found = look(self.path)
        except OSError as error:
            raise SourceFailed(f"The folder of the source can't be read: {error.strerror}.") from error
        # The same object is compared at once, however many files it has.
        self._listing = self._listing if found == self._listing else found
        self._wait = max(LOOK_SECONDS, LOOK_SHARE * (time.monotonic() - now))
        self._looked_at = now
        if asked != self._asked:
            self._looked_at = float("-inf")  # something was changed meanwhile, and may have been missed

    def is_behind(self) -> bool:
        """Say whether `fingerprint` would wait for a new state. Raises SourceFailed when it can't look."""
        if (opened := self._opened) is None or self._is_slow():
            return False
        is_over = self._is_opening() and time.monotonic() >= self._waited_until
        return opened.listing != self.listing() and not is_over

    def fingerprint(self) -> str:
        """Return a text that differs when the files do. Raises SourceFailed when it can't look.

        It is never newer than what `opened` returns afterwards: rows of before must not be kept under it.
        """
        opened = self._opened
        if opened is None:
            return self.listing().fingerprint
        if self._is_slow():
            self._open_beside()
        elif opened.listing != self.listing() and (opener := self._open_beside()):
            # Whoever asks first after a long time must not get what was kept then.
            opener.join(max(0.0, self._waited_until - time.monotonic()))
            opened = self._opened or opened
        return opened.listing.fingerprint

    def _open_beside(self) -> threading.Thread | None:
        """Return a thread that opens what is new: as long as kept results answer, nobody else does."""
        if not self._is_opening():
            self._waited_until = time.monotonic() + OPEN_SECONDS
            self._opener = threading.Thread(target=self._open_now, name="open", daemon=True)
            self._opener.start()
        return self._opener

    def _open_now(self) -> None:
        with suppress(SourceFailed):
            self.opened()

    def look_again(self) -> None:
        """Have the next caller see what is there now."""
        self._asked += 1
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

    def renewed(self) -> OpenFolder:
        """Return the tables as the files are now, for everybody from now on."""
        with self._opening:
            self.look_again()
            return self._reopened(self.listing())

    def _reopened(self, listing: Listing) -> OpenFolder:
        if self._opened is None or self._opened.listing != listing or self._opened.stale:
            try:
                # Before it is opened: others may convert its files at the same time.
                seen = storage.there(self.state) if self.state else frozenset()
                self._opened = self._read(listing)
                self._convert(self._opened, seen)
            except (OSError, duckdb.Error) as error:
                logger.exception("The folder %s can't be opened", self.path)
                raise SourceFailed("The folder of the source can't be opened; the log tells why.") from error
        return self._opened

    def _read(self, listing: Listing) -> OpenFolder:
        for _ in range(OPENED_AGAIN):
            opened = OpenFolder(self.path, listing, self.state)
            self.look_again()
            # What was replaced while it was read may be half of the one and half of the other.
            if (now := self.listing()) == listing:
                break
            listing = now
        return opened

    def _convert(self, opened: OpenFolder, seen: frozenset[str]) -> None:
        paths = sorted({self.path / file.name.partition("/")[0] for file in opened.listing.files})
        if self.state is not None and not storage.settled(self.state, paths, seen):
            storage.convert_later(self.state, paths, _store, lambda: setattr(opened, "stale", True), seen=seen)

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
    with _watching:
        return _watched.setdefault(path.resolve(), Folder(path.resolve(), state_of(path, state) if state else None))


def state_of(path: Path, state: Path) -> Path:
    """Return the folder below `state` in which files of a folder are converted."""
    return state / hashlib.blake2b(str(path.resolve()).encode(), digest_size=8).hexdigest()


def scratch() -> duckdb.DuckDBPyConnection:
    """Return an engine without tables that doesn't write temporary files."""
    return engine.connect()


def converted_workbook(path: Path, state: Path) -> Path:
    """Return the file of DuckDB's that holds the sheets of a workbook; makes it where it isn't there yet.

    Raises DefinitionError saying why it can't be read.
    """
    target = storage.converted(state, path)
    assert target is not None  # noqa: S101  every workbook is converted
    if target.exists():
        return target
    if fault := _broken.get(target.name):
        raise DefinitionError(fault)
    state.mkdir(parents=True, exist_ok=True)
    try:
        storage.convert_now(path, target, workbook.convert)
    except DefinitionError as error:
        if len(_broken) >= KEPT_FAULTS:
            _broken.clear()
        _broken[target.name] = str(error)
        raise
    except duckdb.Error as error:
        reason = engine.exceeded(error) or "what it holds can't be stored. The log tells why."
        logger.warning("The workbook %s can't be converted: %s", path, error)
        raise DefinitionError(f"{path.name}: {reason}") from error
    return target


def _store(path: Path, target: Path) -> None:
    """Write a file, or the pieces in a folder, as a new file of DuckDB's, in the order of its rows."""
    listing = look(path.parent)
    names = [file.name for file in listing.files if file.name.partition("/")[0] == path.name]
    with engine.temporary() as temporary:
        connection = engine.connect(temporary)
        with storage.interruptible(connection):
            connection.execute(f"attach {literal(str(target))} as made")
            connection.execute("use made")
            tables.load(connection, path.parent, names, storage.TABLE, copied=True)
            connection.execute("checkpoint made")


def _lock(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    connection.execute(f"set allowed_directories = [{literal(str(path))}]")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")


def _refuse_twins(files: list[DataFile], table: str) -> None:
    sources = sorted({file.name.partition("/")[0] for file in files})
    if len(sources) > 1:
        names = " and ".join(sources)
        raise DefinitionError(f'{names} would all be the table "{table}". Rename or remove all but one.')


def _refuse_outside(path: Path, folder: Path) -> None:
    if not path.resolve().is_relative_to(folder):
        raise DefinitionError(f"{path.name} is a link that leads out of the folder. Put the file itself there.")
