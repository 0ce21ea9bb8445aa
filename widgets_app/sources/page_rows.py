"""One page of rows that are in memory, for sources that don't sort, filter and group by themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from operator import eq, ge, gt, itemgetter, le, lt, ne
from typing import Any

from widgets_app.sources.base import Limits
from widgets_app.sources.frame import Frame, FrameColumn
from widgets_app.sources.paging import DAY_LENGTH, Level, PageAsk, Test, Tests, level_of, typed
from widgets_app.sources.rows import frame_from_rows

Row = Mapping[str, Any]

_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {"eq": eq, "ne": ne, "gt": gt, "ge": ge, "lt": lt, "le": le}
_TEXTS: Mapping[str, Callable[[str, str], bool]] = {
    "contains": lambda cell, given: given in cell,
    "equals": eq,
    "startsWith": str.startswith,
    "endsWith": str.endswith,
}
_NEGATED = {"notContains": "contains", "notEqual": "equals"}


def page(frame: Frame, ask: PageAsk) -> tuple[Frame, int]:
    """Return one page of a whole result, and how many rows or groups its level has."""
    level = level_of(ask, frame.columns)
    rows: Sequence[Row] = [row for row in frame.rows() if _all(level.tests, row)]
    if level.group:
        rows = _grouped(level, level.group, rows)
    ordered = _ordered(level, rows)
    shown = frame_from_rows(ordered[ask.start : ask.end], Limits(rows=ask.end - ask.start))
    return replace(shown, made_at=frame.made_at, truncated=frame.truncated or shown.truncated), len(rows)


def _all(tests: Tests, row: Row) -> bool:
    held = (_all(part, row) if isinstance(part, Tests) else _holds(part, row) for part in tests.parts)
    return any(held) if tests.either else all(held)


def _holds(test: Test, row: Row) -> bool:
    cell = row.get(test.column.name)
    if test.operator in ("blank", "notBlank"):
        blank = cell is None or (test.how == "text" and not str(cell).strip(" "))
        return blank is (test.operator == "blank")
    if test.how == "text":
        return _text_holds(test, cell)
    value = str(cell)[:DAY_LENGTH] if test.how == "day" and cell is not None else typed(cell, test.column)
    if test.operator == "in":
        return value in test.values
    return value is not None and _COMPARISONS[test.operator](value, test.values[0])


def _text_holds(test: Test, cell: Any) -> bool:
    negated = test.operator in _NEGATED
    if cell is None:
        return negated
    text = str(cell).lower() if not isinstance(cell, str) else cell.lower()
    return _TEXTS[_NEGATED.get(test.operator, test.operator)](text, str(test.values[0]).lower()) is not negated


def _grouped(level: Level, group: FrameColumn, rows: Iterable[Row]) -> list[Row]:
    members: dict[Any, list[Row]] = {}
    for row in rows:
        members.setdefault(typed(row.get(group.name), group), []).append(row)
    return [_summary(level, group, together) for together in members.values()]


def _summary(level: Level, group: FrameColumn, rows: Sequence[Row]) -> Row:
    shown = {group.name: rows[0].get(group.name)}
    if level.counted:
        shown["count"] = len(rows)
    return shown | {column.name: _aggregate(column, function, rows) for column, function in level.aggregates}


def _aggregate(column: FrameColumn, function: str, rows: Sequence[Row]) -> Any:
    if function == "count":
        return len(rows)
    cells = [row.get(column.name) for row in rows]
    if function in ("first", "last"):
        return cells[0 if function == "first" else -1]
    there: list[tuple[Any, Any]] = [(value, cell) for cell in cells if (value := typed(cell, column)) is not None]
    if not there:
        return None
    if function in ("min", "max"):
        return (min if function == "min" else max)(there, key=itemgetter(0))[1]
    total = sum(value for value, _ in there)
    return total if function == "sum" else total / len(there)


def _ordered(level: Level, rows: Sequence[Row]) -> list[Row]:
    if level.group:
        ties = [level.group]
    else:
        ties = [column for column in level.columns if level.sorts and column.type != "object"]
    ordered = list(rows)
    # Each round keeps the order of equals, so the most important comes last.
    for column, descending in [*((tie, False) for tie in reversed(ties)), *reversed(level.sorts)]:
        there = [row for row in ordered if _key(level, column, row) is not None]
        there.sort(key=lambda row: _key(level, column, row), reverse=descending)
        ordered = there + [row for row in ordered if _key(level, column, row) is None]
    return ordered


def _key(level: Level, column: FrameColumn, row: Row) -> Any:
    counted = any(one == column and function == "count" for one, function in level.aggregates)
    return row.get(column.name) if counted else typed(row.get(column.name), column)
