"""Workbooks (Excel, OpenDocument), converted to DuckDB's storage: a table for each sheet.

They are read in a process of its own, with bounds on memory and time: what a workbook unpacks to is not known before.
"""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb

from widgets_app.errors import DefinitionError
from widgets_app.sources import engine, workbook_reader
from widgets_app.sources.json_sql import identifier, literal

READER = Path(workbook_reader.__file__)
# Reading may wait for the processor as well.
MOST_SECONDS = 2 * workbook_reader.MAX_SECONDS

SLOW = f"it takes more than {workbook_reader.MAX_SECONDS} s to read. Save its sheets as CSV."
EMPTY = "it holds no visible sheet with a line of names."


def convert(path: Path, target: Path) -> None:
    """Write the sheets of a workbook as the tables of a new file of DuckDB's. Raises DefinitionError saying why not."""
    with engine.temporary() as temporary:
        found = _read(path, temporary)
        if fault := found.get("fault") or ("" if found["sheets"] else EMPTY):
            raise DefinitionError(f"{path.name}: {fault}")
        with engine.connect(temporary) as connection:
            connection.execute(f"attach {literal(str(target))} as made")
            for sheet in found["sheets"]:
                _store(connection, sheet, temporary)
            connection.execute("detach made")


def _store(connection: duckdb.DuckDBPyConnection, sheet: dict[str, Any], folder: Path) -> None:
    columns = ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in sheet["columns"])
    reading = (
        f"read_csv({literal(str(folder / sheet['file']))}, columns = {{{columns}}}, header = false, delim = ',', "
        "quote = '\"', escape = '\"', auto_detect = false, max_line_size = 16777216)"
    )
    connection.execute(f"create table made.{identifier(sheet['name'])} as select * from {reading}")  # noqa: S608


def _read(path: Path, folder: Path) -> dict[str, Any]:
    """Have a process read a workbook; return what it says."""
    # Isolated from this one's environment and working folder; it needs no more than the library.
    command = [sys.executable, "-I", str(READER), str(path), str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=MOST_SECONDS, check=False)  # noqa: S603  our own
    except subprocess.TimeoutExpired:
        return {"fault": SLOW}
    if done.returncode == 0:
        found: dict[str, Any] = json.loads(done.stdout)
        return found
    return {"fault": _killed(done.stderr, done.returncode)}


def _killed(told: bytes, code: int) -> str:
    if code in _TOO_SLOW:
        return SLOW
    if os.strerror(errno.ENOSPC).encode() in told:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return workbook_reader.MEMORY if b"memory" in told.lower() else workbook_reader.DAMAGED


# By the signals SIGXCPU and SIGKILL, which ends what goes on after the first.
_TOO_SLOW = (-24, -9)
