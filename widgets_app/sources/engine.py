"""DuckDB within its bounds: memory, threads and temporary files are settings, and what exceeds them is told by name."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import duckdb
from django.conf import settings

# Below WIDGETS_HOME: a folder for temporary files of each engine, and beside it a file that its process holds locked.
FOLDER = "temporary"
LOCK_SUFFIX = ".lock"

MEMORY = "it takes more memory than the {limit:,.0f} MB of WIDGETS_DUCKDB_MEMORY_MB. Read fewer rows or columns."
TEMPORARY = (
    "it takes more memory, and then more temporary space than the {limit:,.0f} MB of WIDGETS_DUCKDB_TEMP_MB. "
    "Read fewer rows or columns."
)


def connect(temporary: Path | None = None) -> duckdb.DuckDBPyConnection:
    """Return an engine without tables; work that needs more memory goes through files in `temporary`, if given."""
    connection = duckdb.connect(
        config={
            "memory_limit": f"{settings.WIDGETS_DUCKDB_MEMORY_MB:.0f}MiB",
            "threads": int(settings.WIDGETS_DUCKDB_THREADS),
            "temp_directory": str(temporary or ""),
            "allow_community_extensions": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            # Otherwise a query could read the variables of this program as tables.
            "python_enable_replacements": False,
            "errors_as_json": True,
        }
    )
    connection.execute("set global timezone = 'UTC'")
    if temporary:
        # Given with the others it is shown, but not held.
        connection.execute(f"set max_temp_directory_size = '{settings.WIDGETS_DUCKDB_TEMP_MB:.0f}MiB'")
    return connection


def exceeded(error: duckdb.Error) -> str:
    """Say which limit an error tells of, nothing if none."""
    if not isinstance(error, duckdb.OutOfMemoryException):
        return ""
    if "max_temp_directory_size" in str(error):
        return TEMPORARY.format(limit=settings.WIDGETS_DUCKDB_TEMP_MB)
    return MEMORY.format(limit=settings.WIDGETS_DUCKDB_MEMORY_MB)


def temporary_for(owner: object) -> Path:
    """Return a new folder for temporary files, which goes when `owner` does."""
    path, lock = _new_folder()
    weakref.finalize(owner, _remove, path, lock)
    return path


@contextmanager
def temporary() -> Iterator[Path]:
    """Give a new folder for temporary files, for as long as the block lasts."""
    path, lock = _new_folder()
    try:
        yield path
    finally:
        _remove(path, lock)


def _new_folder() -> tuple[Path, IO[bytes]]:
    base = Path(settings.WIDGETS_HOME) / FOLDER
    base.mkdir(parents=True, exist_ok=True)
    _tidy(base)
    path = Path(tempfile.mkdtemp(dir=base))
    made = path.with_suffix(".new")
    lock = made.open("wb")
    fcntl.flock(lock, fcntl.LOCK_EX)
    # Under its name it is locked from the start.
    made.rename(path.with_suffix(LOCK_SUFFIX))
    return path, lock


def _remove(path: Path, lock: IO[bytes]) -> None:
    shutil.rmtree(path, ignore_errors=True)
    path.with_suffix(LOCK_SUFFIX).unlink(missing_ok=True)
    lock.close()


def _tidy(base: Path) -> None:
    """Remove what processes that were killed have left."""
    for lock in base.glob(f"*{LOCK_SUFFIX}"):
        # Locked, its process lives; not there, another one has tidied.
        with suppress(OSError), lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
            lock.unlink(missing_ok=True)
