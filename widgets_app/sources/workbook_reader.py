"""Reads a workbook in a process of its own, which may fail without harm: `python -I workbook_reader.py BOOK FOLDER`.

For each visible sheet that holds something, a CSV is written to the folder. What they hold goes to stdout as JSON:
`{"sheets": [{"name", "file", "columns": [[name, type], …]}]}`, or `{"fault": why not}`.
"""

from __future__ import annotations

import csv
import datetime
import json
import resource
import sys
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import python_calamine as calamine

# What a workbook may hold once it is unpacked; what reading it may take.
MAX_UNPACKED_BYTES = 1024 * 1024 * 1024
MAX_MEMORY_BYTES = 2 * 1024 * 1024 * 1024
MAX_SECONDS = 120

PROTECTED = "it is protected by a password. Save it without one."
DAMAGED = "it is damaged, or no workbook. Open it and save it again."
LARGE = f"it takes more than {MAX_UNPACKED_BYTES // 1024**2:,} MB unpacked. Save its sheets as CSV."
MEMORY = f"it takes more than {MAX_MEMORY_BYTES // 1024**2:,} MB of memory to read. Save its sheets as CSV."

ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
# Whole numbers beyond this are not exact in a workbook.
EXACT = 2**53
_TYPES = ((bool, "BOOLEAN"), (datetime.datetime, "TIMESTAMP"), (datetime.date, "DATE"), (datetime.time, "TIME"))
# Types that become a third one where a column has both.
_JOINED = {frozenset({"BIGINT", "DOUBLE"}): "DOUBLE", frozenset({"DATE", "TIMESTAMP"}): "TIMESTAMP"}


def main(book: Path, folder: Path) -> dict[str, Any]:
    """Read a workbook; return what was found."""
    _bound()
    try:
        if zipfile.is_zipfile(book):
            with zipfile.ZipFile(book) as packed:
                if sum(part.file_size for part in packed.infolist()) > MAX_UNPACKED_BYTES:
                    return {"fault": LARGE}
        elif book.suffix.lower() != ".xls":
            # A workbook with a password is no archive but a container of the older kind.
            return {"fault": PROTECTED if ENCRYPTED in book.read_bytes() else DAMAGED}
        return {"sheets": list(_sheets(calamine.load_workbook(str(book)), folder))}
    except calamine.PasswordError:
        return {"fault": PROTECTED}
    except (calamine.CalamineError, zipfile.BadZipFile) as error:
        return {"fault": PROTECTED if "password" in str(error).lower() else DAMAGED}
    except MemoryError:
        return {"fault": MEMORY}


def _bound() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (MAX_SECONDS, MAX_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _sheets(book: calamine.CalamineWorkbook, folder: Path) -> Iterator[dict[str, Any]]:
    for number, sheet in enumerate(book.sheets_metadata):
        is_shown = sheet.visible == calamine.SheetVisibleEnum.Visible
        if is_shown and sheet.typ == calamine.SheetTypeEnum.WorkSheet:
            columns = _written(book.get_sheet_by_name(sheet.name), folder / f"{number}.csv")
            if columns:
                yield {"name": sheet.name, "file": f"{number}.csv", "columns": columns}


def _written(sheet: calamine.CalamineSheet, target: Path) -> list[tuple[str, str]]:
    """Write the rows below the first one that holds something, which names the columns; return these with types."""
    rows = _filled(sheet)
    header = next(rows, None)
    if header is None:
        return []
    types: dict[int, str] = {}
    for row in rows:
        for place, value in enumerate(row):
            if (found := _type(value)) and types.get(place) not in (found, "VARCHAR"):
                types[place] = _both(types.get(place), found)
    kept = [place for place, name in enumerate(header) if _text(name) or place in types]
    rows = _filled(sheet)
    next(rows)
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        for row in rows:
            writer.writerow([_text(row[place], types.get(place, "")) for place in kept])
    return list(zip(_names(header, kept), (types.get(place, "VARCHAR") for place in kept), strict=True))


def _filled(sheet: calamine.CalamineSheet) -> Iterator[Sequence[Any]]:
    return (row for row in sheet.iter_rows() if any(value != "" for value in row))


def _type(value: Any) -> str:
    if value == "":
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return "BIGINT" if float(value).is_integer() and abs(value) <= EXACT else "DOUBLE"
    return next((name for kind, name in _TYPES if isinstance(value, kind)), "VARCHAR")


def _both(one: str | None, other: str) -> str:
    return other if one is None else _JOINED.get(frozenset({one, other}), "VARCHAR")


def _text(value: Any, kind: str = "") -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and kind != "DOUBLE" and value.is_integer() and abs(value) <= EXACT:
        return str(int(value))
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    return str(value)


def _names(header: Sequence[Any], kept: Iterable[int]) -> list[str]:
    """Return names of columns that differ, also for DuckDB, to which capitals are no difference."""
    taken: set[str] = set()
    names = []
    for place in kept:
        stem = name = " ".join(_text(header[place]).split()) or f"column_{place + 1}"
        number = 1
        while name.lower() in taken:
            name, number = f"{stem}_{number}", number + 1
        taken.add(name.lower())
        names.append(name)
    return names


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), Path(sys.argv[2]))))
