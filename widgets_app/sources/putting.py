"""Taking data files in: each is checked to its end before it replaces the one that is served, in one step."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import re
import secrets
import shutil
import threading
import time
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from widgets_app.errors import Busy, DefinitionError, OutOfDate, SourceFailed, StorageFull, TooLarge
from widgets_app.sources import duckdb_errors, engine, folder, formats, listing, tables, versions
from widgets_app.sources.files import FilesBackend
from widgets_app.sources.json_sql import identifier, literal

logger = logging.getLogger("widgets_app.sources")

# The largest file that is taken in, and how long checking it may take.
MAX_FILE_BYTES = 512 * 1024 * 1024
CHECK_SECONDS, INTERRUPT_SECONDS = 300.0, 0.05
MAX_NAME = 100
# One file of a source is checked and swapped at a time; how long the next one waits for that.
LOCK = "lock-putting"
LOCK_SECONDS = 60.0
# Files wait here to be checked, a hidden folder holds no tables; what was left by a killed process goes after a day.
INCOMING = ".incoming"
INCOMING_SECONDS = 24 * 3600.0
PIECE = 1024 * 1024

TOO_LARGE = "{name} is larger than {most} MB, the most that is taken in. Send less, or Parquet."
NO_SPACE = os.strerror(errno.ENOSPC)
FULL = "There is no room left to store {name}. What was there before is still served. Ask whoever runs this backend."

_NAME = re.compile(r"[^\W_][\w=. -]*")
# Names that Windows keeps for itself, with any ending.
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True, slots=True)
class Table:
    """A table that a file holds."""

    name: str
    rows: int
    columns: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Stored:
    """A file that was taken in."""

    name: str
    tables: tuple[Table, ...]
    size: int
    replaced: bool
    version: int
    etag: str


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that is served, with the versions before it."""

    name: str
    size: int
    changed: datetime
    etag: str
    version: int
    kept: tuple[versions.Kept, ...]


def store_file(backend: FilesBackend, name: str, chunks: Iterable[bytes]) -> Stored:
    """Take in an uploaded file under a name made from its own. Raises as `put_file` does."""
    return put_file(backend, _clean(name), chunks)


def put_file(backend: FilesBackend, name: str, chunks: Iterable[bytes], *, if_match: str = "") -> Stored:
    """Take in a file under a name, or as the piece of a table: `trades/2026-11.parquet`.

    Raises DefinitionError for what can't be a table or may not have the name, TooLarge, StorageFull, Busy, and
    OutOfDate where `if_match` is not the tag of what is there. Then what was there before is still served.
    """
    name = _checked_name(name)
    target = backend.path / name
    with _room_for(name), _waiting(backend.path, target.name) as waiting:
        _write(waiting, name, chunks)
        with _alone(backend):
            stored = _swapped(backend, name, waiting, if_match)
    # Here at once, for everybody; other processes look once a second.
    with suppress(SourceFailed):
        backend.renewed()
    return stored


def restore_file(backend: FilesBackend, name: str, number: int | None = None) -> Stored:
    """Put an earlier version of a file back, the newest where none is named. Raises as `put_file` does."""
    name = _checked_name(name)
    return put_file(backend, name, _read(versions.find(backend.path / name, number).path))


def stored_files(backend: FilesBackend) -> list[StoredFile]:
    """Return the data files of a source, with the versions that are kept of each."""
    found = []
    for file in listing.look(backend.path).files:
        kept = tuple(versions.kept(backend.path / file.name))
        changed = datetime.fromtimestamp(file.changed_ns / 1e9, UTC)
        number = kept[0].number + 1 if kept else 1
        found.append(StoredFile(file.name, file.size, changed, _tag(file), number, kept))
    return found


def check_file(path: Path, state: Path) -> tuple[Table, ...]:
    """Read a file to its end as the tables it would become; raises DefinitionError in one line if it can't be one.

    A workbook is converted in the folder `state`.
    """
    _check_suffix(path.name)
    with engine.temporary() as temporary, engine.connect(temporary) as connection:
        try:
            with _stopped_late(connection):
                return _checked(connection, path, state)
        except duckdb.InterruptException as error:
            raise DefinitionError(f"{path.name} takes more than {CHECK_SECONDS:g} s to read. Send less.") from error
        except duckdb.Error as error:
            _raise_full(error)
            reason = engine.exceeded(error) or duckdb_errors.summary(error)
            raise DefinitionError(f"{path.name} is damaged: {reason}") from error


def _raise_full(error: duckdb.Error) -> None:
    """Tell a full disk from a fault of the file."""
    if NO_SPACE in str(error):
        raise OSError(errno.ENOSPC, NO_SPACE) from error


def _checked(connection: duckdb.DuckDBPyConnection, path: Path, state: Path) -> tuple[Table, ...]:
    if formats.format_of(path.name).is_workbook:
        return tuple(_sheets(connection, path, state))
    tables.load(connection, path.parent, [path.name], tables.TRIED)
    return (_read_whole(connection, identifier(tables.TRIED), formats.table_name(path.name)),)


@contextmanager
def _stopped_late(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Interrupt what takes longer than checking may."""
    over = threading.Event()

    def stop() -> None:
        # Between two statements it has no effect.
        wait = CHECK_SECONDS
        while not over.wait(wait):
            connection.interrupt()
            wait = INTERRUPT_SECONDS

    stopper = threading.Thread(target=stop, name="check", daemon=True)
    stopper.start()
    try:
        yield
    finally:
        over.set()
        stopper.join()


def _sheets(connection: duckdb.DuckDBPyConnection, path: Path, state: Path) -> Iterator[Table]:
    stored = folder.converted_workbook(path, state)
    connection.execute(f"attach {literal(str(stored))} as book (read_only)")
    names = connection.execute("select table_name from duckdb_tables() where database_name = 'book'").fetchall()
    table = formats.table_name(path.name)
    for (name,) in names:
        own = formats.sheet_table(table, name) if len(names) > 1 else table
        yield _read_whole(connection, f"book.main.{identifier(name)}", own)


def _read_whole(connection: duckdb.DuckDBPyConnection, table: str, name: str) -> Table:
    counted = connection.execute(f"select count(*), bit_xor(hash(t)) from {table} as t").fetchone()  # noqa: S608
    columns = connection.execute(f"describe {table}").fetchall()
    return Table(name, counted[0] if counted else 0, tuple((column[0], column[1]) for column in columns))


def _swapped(backend: FilesBackend, name: str, waiting: Path, if_match: str) -> Stored:
    target = backend.path / name
    if not target.parent.resolve().is_relative_to(backend.path.resolve()):
        raise DefinitionError(f"{name} leads out of the folder through a link.")
    if target.is_dir():
        raise DefinitionError(f"{name} is a folder there. Use another name.")
    before = listing.DataFile.of(name, target.stat()) if target.is_file() else None
    if if_match and (before is None or if_match not in ("*", _tag(before))):
        raise OutOfDate(f"{name} is not what you read any more. Read it again, then put yours.")
    _refuse_twins(backend, name, [formats.table_name(name)])
    _date(waiting, before)
    found = check_file(waiting, backend.state)
    if "/" in name:
        found = (Table(formats.table_name(name), found[0].rows, found[0].columns),)
        _refuse_unlike(backend, name, waiting)
    _refuse_twins(backend, name, [table.name for table in found])
    versions.keep(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(waiting, target)
    _settle(target.parent)
    size, tag = target.stat().st_size, _tag(listing.DataFile.of(name, target.stat()))
    return Stored(name, found, size, before is not None, versions.current(target), tag)


def _tag(file: listing.DataFile) -> str:
    return f'"{file.changed_ns:x}-{file.size:x}"'


def _date(waiting: Path, before: listing.DataFile | None) -> None:
    """Have a file differ in its time of change from the one it replaces, whatever the clock's step."""
    now = waiting.stat().st_mtime_ns
    if before is not None and now <= before.changed_ns:
        os.utime(waiting, ns=(now, before.changed_ns + 1_000_000))


def _settle(path: Path) -> None:
    """Have the new name of a file on the disk itself."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _refuse_twins(backend: FilesBackend, name: str, wanted: Iterable[str]) -> None:
    """Refuse a file whose table comes from another file, a folder, or a sheet."""
    own = name.partition("/")[0]
    found = [(table, files[0].name) for table, files in listing.look(backend.path).tables.items()]
    with suppress(SourceFailed):
        found += [(table, origin.files[0].name) for table, origin in backend.opened().origins.items()]
    lowered = {table.lower() for table in wanted}
    for table, other in found:
        if table.lower() in lowered and other.partition("/")[0] != own:
            raise DefinitionError(f'The table "{table}" comes from {other} already. Rename one of them.')


def _refuse_unlike(backend: FilesBackend, name: str, waiting: Path) -> None:
    """Refuse a piece that can't be of one table with the others."""
    folder_name = name.partition("/")[0]
    if not (backend.path / folder_name).is_dir():
        return
    others = [file.name for file in listing.pieces(backend.path, folder_name) if file.name != name]
    if not others:
        return
    if len(others) >= listing.MAX_PIECES:
        raise DefinitionError(f"{folder_name} holds {len(others):,} files already, the most there may be.")
    found = tables.one_format([*others, name])
    if _partitions(name) != _partitions(others[0]):
        raise DefinitionError(f"{name} is not in folders as {others[0]} is. Let all files have the same ones.")
    if found.is_parquet:
        paths = [literal(str(path)) for path in (*(backend.path / other for other in others), waiting)]
        with folder.scratch() as connection:
            try:
                connection.execute(f"from read_parquet([{', '.join(paths)}], union_by_name = true) limit 0")
            except duckdb.Error as error:
                shown = duckdb_errors.summary(error).replace(f"{backend.path}{os.sep}", "")
                raise DefinitionError(f"{name} is not like the other files: {shown}") from error


def _partitions(name: str) -> list[str]:
    return [part.partition("=")[0] for part in name.split("/")[1:-1] if "=" in part]


def _clean(name: str) -> str:
    base = re.split(r"[/\\]", name)[-1].strip().lstrip(".")
    _check_suffix(base)
    stem = formats.stem(base)
    return re.sub(r"[^\w-]", "_", stem).lstrip("_")[:MAX_NAME] + base[len(stem) :].lower()


def _checked_name(name: str) -> str:
    """Return a name as it is stored. Raises DefinitionError for one that leads elsewhere, or nowhere on Windows."""
    name = unicodedata.normalize("NFC", name)
    parts = name.split("/")
    if len(parts) > listing.MAX_DEPTH:
        raise DefinitionError(f'"{name}" is too deep: at most {listing.MAX_DEPTH - 1} folders.')
    for part in parts:
        if not _NAME.fullmatch(part) or part.endswith((".", " ")) or len(part) > MAX_NAME + 20:
            raise DefinitionError(
                f'"{part}" can\'t be the name of a file or folder here. Use letters, digits and - _ . = and spaces, '
                f"a letter or digit first, at most {MAX_NAME + 20} characters."
            )
        if _DEVICES.fullmatch(part):
            raise DefinitionError(f'"{part}" is a name that Windows keeps for itself. Use another one.')
    if file := next(filter(formats.is_data, parts[:-1]), None):
        raise DefinitionError(f'"{file}" is the name of a file, and can\'t be that of a folder.')
    _check_suffix(parts[-1])
    return name


def _check_suffix(name: str) -> None:
    if not formats.is_data(name):
        packed = " or ".join(formats.COMPRESSIONS)
        raise DefinitionError(
            f'"{name}" can\'t be a table. Use a file whose name ends in one of {formats.NAMED}; '
            f"text may be packed: {packed}."
        )


@contextmanager
def _waiting(path: Path, name: str) -> Iterator[Path]:
    """Give where a file waits, on the same file system as where it goes."""
    incoming = path / INCOMING
    incoming.mkdir(parents=True, exist_ok=True)
    for old in incoming.iterdir():
        with suppress(FileNotFoundError):  # another one is done with it
            if time.time() - old.stat().st_mtime > INCOMING_SECONDS:
                shutil.rmtree(old, ignore_errors=True)
    # Its own name, as messages about the file should tell it.
    waiting = incoming / secrets.token_hex(8) / name
    waiting.parent.mkdir()
    try:
        yield waiting
    finally:
        shutil.rmtree(waiting.parent, ignore_errors=True)


def _write(path: Path, name: str, chunks: Iterable[bytes]) -> None:
    size = 0
    with path.open("xb") as file:
        for chunk in chunks:
            size += len(chunk)
            if size > MAX_FILE_BYTES:
                raise TooLarge(TOO_LARGE.format(name=name, most=MAX_FILE_BYTES // 1024**2))
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece


@contextmanager
def _room_for(name: str) -> Iterator[None]:
    """Say in one line that the disk is full."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        logger.exception("There is no room left for %s", name)
        raise StorageFull(FULL.format(name=name)) from error


@contextmanager
def _alone(backend: FilesBackend) -> Iterator[None]:
    """Wait until no other thread or process swaps a file of the same folder."""
    backend.state.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + LOCK_SECONDS
    with (backend.state / LOCK).open("w") as lock:
        while not _locked(lock):
            if time.monotonic() > until:
                raise Busy("Other files of this source are being checked. Try again in a minute.", retry_after=60)
            time.sleep(0.02)
        yield


def _locked(lock: Any) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
