"""What data files a folder holds: files that are tables, and sub-folders whose files are the pieces of one table."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from widgets_app.errors import DefinitionError
from widgets_app.sources import formats

# The most files of one sub-folder, and the most folders inside each other: all are looked at again and again.
MAX_PIECES = 10_000
MAX_DEPTH = 8


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file as it was at one time; `name` is its path below the folder, with slashes."""

    name: str
    changed_ns: int
    size: int

    @classmethod
    def of(cls, name: str, found: os.stat_result) -> DataFile:
        """Return a file by what the system says about it."""
        return cls(name, found.st_mtime_ns, found.st_size)


@dataclass(frozen=True)
class Listing:
    """The data files of a folder by name, and why sub-folders can't be tables."""

    files: tuple[DataFile, ...] = ()
    faults: tuple[tuple[str, str], ...] = ()

    @cached_property
    def fingerprint(self) -> str:
        """A text that differs when the files do."""
        return hashlib.blake2b(repr((self.files, self.faults)).encode(), digest_size=16).hexdigest()

    @cached_property
    def tables(self) -> Mapping[str, list[DataFile]]:
        """The files by the table they become; names that differ only in case are one table to DuckDB."""
        tables: dict[str, list[DataFile]] = {}
        spelled: dict[str, str] = {}
        for file in self.files:
            table = formats.table_name(file.name)
            tables.setdefault(spelled.setdefault(table.lower(), table), []).append(file)
        return tables


def look(path: Path) -> Listing:
    """Return the data files that a folder holds now; none where it isn't there."""
    files: list[DataFile] = []
    faults: list[tuple[str, str]] = []
    with suppress(FileNotFoundError), os.scandir(path) as entries:
        for entry in entries:
            try:
                files += _table(path, entry)
            except FileNotFoundError:
                continue  # it went away while it was looked at
            except (DefinitionError, OSError) as error:
                faults.append((entry.name, str(error)))
    return Listing(tuple(sorted(files, key=_name)), tuple(sorted(faults)))


def _table(path: Path, entry: os.DirEntry[str]) -> list[DataFile]:
    if entry.name.startswith("."):
        return []
    if entry.is_dir():
        return pieces(path, entry.name)
    is_data = formats.is_data(entry.name) and entry.is_file()
    return [DataFile.of(entry.name, entry.stat())] if is_data else []


def pieces(path: Path, name: str) -> list[DataFile]:
    """Return the files of the sub-folder `name` of a folder. Raises DefinitionError where they can't be one table."""
    if (path / name).is_symlink():
        raise DefinitionError(f"{name} is a link. Put the folder itself there.")
    found: list[DataFile] = []
    for file in _walk(path, name, MAX_DEPTH):
        found.append(file)
        if len(found) > MAX_PIECES:
            raise DefinitionError(f"{name} holds more than {MAX_PIECES:,} files. Join them into fewer, larger ones.")
    return sorted(found, key=_name)


def _walk(path: Path, folder: str, depth: int) -> Iterator[DataFile]:
    if depth == 0:
        raise DefinitionError(f"{folder} is too deep: at most {MAX_DEPTH} folders inside each other are looked into.")
    with os.scandir(path / folder) as entries:
        for entry in entries:
            # What other programs mean for themselves: _SUCCESS, _delta_log, .part-0.crc.
            if entry.name.startswith((".", "_")):
                continue
            name, is_data = f"{folder}/{entry.name}", formats.is_data(entry.name)
            if entry.is_symlink() and (is_data or entry.is_dir()):
                raise DefinitionError(f"{name} is a link. Put the file or folder itself there.")
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(path, name, depth - 1)
            elif is_data and entry.is_file(follow_symlinks=False):
                yield DataFile.of(name, entry.stat(follow_symlinks=False))


def _name(file: DataFile) -> str:
    return file.name
