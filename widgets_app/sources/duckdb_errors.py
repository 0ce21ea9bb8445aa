"""What DuckDB says went wrong, in one line for people."""

from __future__ import annotations

import json

import duckdb


def details(error: duckdb.Error) -> dict[str, str]:
    """Return what a connection with `errors_as_json` tells: exception_message, position, name and others."""
    # "Binder Error: " and the like come first.
    text = str(error).partition(": ")[2] or str(error)
    try:
        found: dict[str, str] = json.loads(text)
    except ValueError:
        return {"exception_message": text}
    return found


def summary(error: duckdb.Error) -> str:
    """Return the first line of the message, with the names that DuckDB suggests."""
    found = details(error)
    first = found["exception_message"].strip().split("\n")[0].rstrip(":!.")
    candidates = found.get("candidates")
    return f"{first}. Did you mean {candidates}?" if candidates else f"{first}."


def place(error: duckdb.Error, sql: str, *, skipped: int = 0) -> str:
    """Return "Line 2, column 9: " for an error in `sql`, nothing where DuckDB doesn't tell.

    `skipped` is how many bytes of the statement that was run stand before `sql`.
    """
    position = details(error).get("position", "")
    if not position.isdecimal():
        return ""
    before = sql.encode()[: max(0, int(position) - skipped)].decode(errors="ignore")
    line = before.count("\n") + 1
    return f"Line {line}, column {len(before) - before.rfind(chr(10))}: "
