"""Large data files, converted once to DuckDB's own storage, which answers several times faster than Parquet.

The converted files lie in a state folder, not among the people's files. Each is written under a name of its own and
renamed when it is whole, by one process at a time; all processes open it read-only. Whoever finds none uses the
original, and nobody waits.
"""

from __future__ import annotations

import atexit
import fcntl
import hashlib
import logging
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from widgets_app.errors import DefinitionError
from widgets_app.sources import engine
from widgets_app.sources.formats import format_of
from widgets_app.sources.json_sql import literal
from widgets_app.sources.listing import DataFile, pieces

logger = logging.getLogger("widgets_app.sources")

# Smaller files are read as fast as they are.
CONVERTED_BYTES = 32 * 1024 * 1024
SUFFIX = ".duckdb"
# What locks are taken on: workbooks don't wait for large files.
LOCK, WORKBOOKS_LOCK = "lock", "lock-workbooks"
# What a converted file holds.
TABLE = "converted"

# How long the end of the process waits for work to stop, and how often it is told to.
STOP_SECONDS, TELL_SECONDS = 5.0, 0.05

_converting: dict[threading.Thread, duckdb.DuckDBPyConnection] = {}
_ending = threading.Event()

# Writes the table `TABLE` of a file to a new file of DuckDB's.
Store = Callable[[Path, Path], None]


def converted(state: Path, path: Path) -> Path | None:
    """Return where the converted form of a file is or will be, None for what is read as it is.

    A folder stands for its files, the pieces of one table.
    """
    try:
        files = [DataFile.of(path.name, path.stat())] if path.is_file() else pieces(path.parent, path.name)
    except (OSError, DefinitionError):
        return None  # it went away, or can't be a table
    if not files or not _pays(path, files):
        return None
    told = repr([(file.name, file.changed_ns, file.size) for file in files])
    return state / f"{hashlib.blake2b(told.encode(), digest_size=16).hexdigest()}{SUFFIX}"


def _pays(path: Path, files: list[DataFile]) -> bool:
    found = format_of(files[0].name)
    # One more piece of Parquet would have all of them converted again.
    grows = found.is_parquet and path.is_dir()
    return found.is_workbook or (sum(file.size for file in files) >= CONVERTED_BYTES and not grows)


def attach(connection: duckdb.DuckDBPyConnection, stored: Path, name: str) -> bool:
    """Attach a converted file read-only under a name; say whether there is one that can be used."""
    try:
        connection.execute(f"attach {literal(str(stored))} as {name} (read_only)")
    except duckdb.Error as error:
        if stored.exists():
            logger.warning("The converted file %s can't be used: %s", stored, error)
        return False
    return True


def there(state: Path) -> frozenset[str]:
    """Return the names of the converted files that are there."""
    return frozenset(path.name for path in state.iterdir() if not _is_lock(path)) if state.is_dir() else frozenset()


def _is_lock(path: Path) -> bool:
    return path.name.startswith(LOCK)


def settled(state: Path, paths: Iterable[Path], seen: frozenset[str]) -> bool:
    """Say whether what was seen are all converted files that shall be, and no others."""
    return {target.name for path in paths if (target := converted(state, path))} == seen


def convert_later(
    state: Path, paths: Iterable[Path], store: Store, done: Callable[[], None], *, seen: frozenset[str] = frozenset()
) -> threading.Thread:
    """Convert files in a thread of its own, then call `done` if there is any not yet seen; old ones are removed.

    What goes wrong is logged, and the originals go on to serve.
    """
    thread = threading.Thread(
        target=_convert_all, args=(state, list(paths), store, done, seen), name="convert", daemon=True
    )
    thread.start()
    return thread


def _convert_all(state: Path, paths: list[Path], store: Store, done: Callable[[], None], seen: frozenset[str]) -> None:
    try:
        state.mkdir(parents=True, exist_ok=True)
        with alone(state):
            targets = [(path, target) for path in paths if (target := converted(state, path))]
            for path, target in targets:
                # A workbook is converted by whoever reads it first.
                waits = not target.exists() and not (path.is_file() and format_of(path.name).is_workbook)
                if waits and not _ending.is_set():
                    _convert(path, target, store)
            _tidy(state, {target for _, target in targets})
        if any(target.exists() and target.name not in seen for _, target in targets):
            done()
    except OSError:
        logger.exception("Files can't be converted to DuckDB's storage; they are read as they are")


@contextmanager
def stopped_at_exit(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Have the connection interrupted when the process ends."""
    thread = threading.current_thread()
    _converting[thread] = connection
    try:
        yield
    finally:
        del _converting[thread]


@contextmanager
def interruptible(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Have the connection interrupted when the process ends, and closed."""
    with stopped_at_exit(connection):
        try:
            yield
        finally:
            connection.close()


def _stop() -> None:
    """Stop converting: a thread that is killed inside DuckDB takes the whole process down."""
    _ending.set()
    until, threads = time.monotonic() + STOP_SECONDS, [*_converting]
    while any(thread.is_alive() for thread in threads) and time.monotonic() < until:
        for connection in [*_converting.values()]:
            with suppress(duckdb.Error):
                connection.interrupt()
        time.sleep(TELL_SECONDS)


atexit.register(_stop)


@contextmanager
def alone(state: Path, name: str = LOCK) -> Iterator[None]:
    """Wait until no other process converts files of the same folder."""
    with (state / name).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def convert_now(path: Path, target: Path, store: Store) -> None:
    """Convert a workbook, unless another process has done so meanwhile. Raises what `store` raises."""
    with alone(target.parent, WORKBOOKS_LOCK), engine.temporary() as temporary:
        if not target.exists():
            store(path, temporary / target.name)
            os.replace(temporary / target.name, target)


def _convert(path: Path, target: Path, store: Store) -> None:
    waiting = target.with_name(f"{secrets.token_hex(8)}.part")
    try:
        store(path, waiting)
        # A file that was changed meanwhile gets another name, and the next look finds it.
        if converted(target.parent, path) == target:
            os.replace(waiting, target)
    except (OSError, duckdb.Error, DefinitionError):
        if _ending.is_set():
            return
        logger.exception("The file %s can't be converted to DuckDB's storage; it is read as it is", path)
    finally:
        waiting.unlink(missing_ok=True)


def _tidy(state: Path, kept: set[Path]) -> None:
    """Remove what is not wanted any more; whoever still has it open reads on."""
    for path in state.iterdir():
        if not _is_lock(path) and path not in kept:
            path.unlink(missing_ok=True)
