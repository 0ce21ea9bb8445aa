"""Replaced data files, kept below the state folder, where no query sees them.

Each file has a folder of its own. Versions are counted: the one that is served has the number after the newest kept.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings

from widgets_app.errors import DefinitionError

FOLDER = "versions"


@dataclass(frozen=True, slots=True)
class Kept:
    """A version that was replaced."""

    number: int
    path: Path
    size: int
    changed: datetime


def kept(target: Path) -> list[Kept]:
    """Return the versions of a data file that are kept, the newest first."""
    return sorted(_kept(_folder(target)), key=lambda one: -one.number)


def current(target: Path) -> int:
    """Return the number of the version that is served."""
    return max((one.number for one in _kept(_folder(target))), default=0) + 1


def find(target: Path, number: int | None = None) -> Kept:
    """Return a version, the newest where none is named. Raises DefinitionError where it isn't kept."""
    there = kept(target)
    if number is None and there:
        return there[0]
    found = next((one for one in there if one.number == number), None)
    if found is None:
        numbers = f"Versions kept: {', '.join(str(one.number) for one in there)}." if there else "None are kept."
        raise DefinitionError(
            f"There is no earlier version {number or ''} of {target.name}. {numbers}".replace("  ", " ")
        )
    return found


def keep(target: Path) -> None:
    """Keep a data file as it is, before it is replaced, and let go of the oldest versions."""
    most = settings.WIDGETS_FILE_VERSIONS
    if not most or not target.exists():
        return
    folder = _folder(target)
    folder.mkdir(parents=True, exist_ok=True)
    _copy(target, folder / f"{current(target)}-{target.name}")
    for old in kept(target)[most:]:
        old.path.unlink(missing_ok=True)


def _copy(target: Path, path: Path) -> None:
    try:
        # The data of a file that is replaced, and not written to, stay as they are.
        os.link(target, path)
    except OSError:
        waiting = path.with_name(f".{secrets.token_hex(8)}")
        try:
            shutil.copy2(target, waiting)
            os.replace(waiting, path)
        finally:
            waiting.unlink(missing_ok=True)


def _folder(target: Path) -> Path:
    below = target.relative_to(settings.WIDGETS_FILES)
    return Path(settings.WIDGETS_HOME) / FOLDER / below


def _kept(folder: Path) -> Iterator[Kept]:
    for path in folder.iterdir() if folder.is_dir() else ():
        number = path.name.partition("-")[0]
        if number.isdecimal() and path.is_file():
            found = path.stat()
            yield Kept(int(number), path, found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))
