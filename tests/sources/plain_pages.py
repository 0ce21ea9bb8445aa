"""What one page of a result should be, in plain Python over the rows as they are shown."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from operator import eq, ge, gt, itemgetter, le, lt, ne
from typing import Any

from widgets_app.sources.frame import Frame, FrameColumn
from widgets_app.sources.paging import DAY_LENGTH, Level, PageAsk, Test, Tests, level_of
from widgets_app.sources.rows import MAX_SAFE_INTEGER

Row = Mapping[str, Any]

_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {"eq": eq, "ne": ne, "gt": gt, "ge": ge, "lt": lt, "le": le}
_TEXTS: Mapping[str, Callable[[str, str], bool]] = {
    "contains": lambda cell, given: given in cell,
    "equals": eq,
    "startsWith": str.startswith,
    "endsWith": str.endswith,
}
_NEGATED = {"notContains": "contains", "notEqual": "equals"}
_MOMENT = re.compile(
    r"(?P<year>\d+)-(?P<month>\d\d)-(?P<day>\d\d)(?P<bc> \(BC\))?"
    r"([T ](?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)(\.(?P<fraction>\d+))?)?"
)


class Digits(float):
    """A number that knows how it was written."""

    text: str

    @classmethod
    def of(cls, text: str) -> Digits:
        """Return the number of a text; a whole one is shown without a zero."""
        found = cls(text)
        found.text = text.removesuffix(".0")
        return found

    def __str__(self) -> str:
        """Return the digits as they were."""
        return self.text


def rows_of(frame: Frame) -> list[Row]:
    """Return the rows as a grid has them."""
    rows: list[Row] = json.loads(frame.json, parse_float=Digits.of)
    return rows


def page(frame: Frame, ask: PageAsk) -> tuple[list[Row], int]:
    """Return one page of a whole result, and how many rows or groups its level has."""
    level = level_of(ask, frame.columns)
    rows: Sequence[Row] = [row for row in rows_of(frame) if _all(level.tests, row)]
    if level.group:
        rows = _grouped(level, level.group, rows)
    return _ordered(level, rows)[ask.start : ask.end], len(rows)


def key(cell: Any, column: FrameColumn) -> Any:
    """Return what a cell is compared by."""
    if cell is None or column.type in ("text", "boolean"):
        return cell
    if column.type == "number":
        return int(cell) if isinstance(cell, str) else cell
    return _moment(cell)


def _moment(value: Any) -> tuple[int, ...]:
    """Return a date or a time, of any year, as numbers down to nanoseconds."""
    text = value.isoformat() if isinstance(value, date | datetime) else value
    found = _MOMENT.match(text)
    assert found, text
    year = 1 - int(found["year"]) if found["bc"] else int(found["year"])
    rest = [int(found[name] or 0) for name in ("month", "day", "hour", "minute", "second")]
    return year, *rest, int((found["fraction"] or "").ljust(9, "0"))


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
    if test.operator == "in":
        return any(_is(cell, value, test) for value in test.values)
    if cell is None:
        return False
    if test.how == "day":
        return _COMPARISONS[test.operator](str(cell)[:DAY_LENGTH], test.values[0])
    return _COMPARISONS[test.operator](key(cell, test.column), _given(test.values[0], cell))


def _is(cell: Any, value: Any, test: Test) -> bool:
    if cell is None or value is None:
        return cell is value
    if test.is_as_shown(value):
        return bool(cell == value)
    return bool(key(cell, test.column) == _given(value, cell))


def _given(value: Any, cell: Any) -> Any:
    if isinstance(value, date | datetime):
        return _moment(value)
    return float(value) if isinstance(cell, float) and not isinstance(value, bool) else value


def _text_holds(test: Test, cell: Any) -> bool:
    negated = test.operator in _NEGATED
    if cell is None:
        return negated
    text = str(cell).lower()
    return _TEXTS[_NEGATED.get(test.operator, test.operator)](text, str(test.values[0]).lower()) is not negated


def _grouped(level: Level, group: FrameColumn, rows: Iterable[Row]) -> list[Row]:
    members: dict[Any, list[Row]] = {}
    for row in rows:
        members.setdefault(key(row.get(group.name), group), []).append(row)
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
    there: list[tuple[Any, Any]] = [(key(cell, column), cell) for cell in cells if cell is not None]
    if not there:
        return None
    if function in ("min", "max"):
        return (min if function == "min" else max)(there, key=itemgetter(0))[1]
    values = [value for value, _ in there]
    total = sum(values) if all(isinstance(value, int) for value in values) else math.fsum(values)
    return _sent(total) if function == "sum" else total / len(values)


def _sent(total: int | float) -> Any:
    return str(total) if isinstance(total, int) and abs(total) > MAX_SAFE_INTEGER else total


def _ordered(level: Level, rows: Sequence[Row]) -> list[Row]:
    if level.group:
        ties = [level.group]
    else:
        ties = [column for column in level.columns if level.sorts and column.type != "object"]
    ordered = list(rows)
    # Each round keeps the order of equals, so the most important comes last.
    for column, descending in [*((tie, False) for tie in reversed(ties)), *reversed(level.sorts)]:
        there = [row for row in ordered if row.get(column.name) is not None]
        there.sort(key=lambda row: _sort_key(level, column, row), reverse=descending)
        ordered = there + [row for row in ordered if row.get(column.name) is None]
    return ordered


def _sort_key(level: Level, column: FrameColumn, row: Row) -> Any:
    counted = any(one == column and function == "count" for one, function in level.aggregates)
    return row[column.name] if counted else key(row[column.name], column)
