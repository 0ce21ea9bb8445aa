"""What part of a result a grid asks for, and what that means for the columns that the result has."""

from __future__ import annotations

import logging
import math
import re
import reprlib
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal

from widgets_app.errors import SourceFailed
from widgets_app.sources.base import Call, Limits, PreparedQuery
from widgets_app.sources.frame import Frame, FrameColumn

logger = logging.getLogger("widgets_app.sources")

Cell = str | int | float | bool | date | None
FilterKind = Literal["text", "number", "date", "set", "boolean"]

AGGREGATES = frozenset({"sum", "avg", "min", "max", "count", "first", "last"})
TEXT_OPERATORS = frozenset({"contains", "notContains", "equals", "notEqual", "startsWith", "endsWith"})
BLANK_OPERATORS = frozenset({"blank", "notBlank"})
ORDER_OPERATORS: Mapping[str, str] = {
    "equals": "eq", "notEqual": "ne", "greaterThan": "gt", "greaterThanOrEqual": "ge", "lessThan": "lt",
    "lessThanOrEqual": "le",
}  # fmt: skip
# A column of text may hold dates in ISO form; their first characters order as the days do.
DAY_LENGTH = len("2024-01-02")
INTEGER_LIMIT = 2**127 - 1  # larger integers are compared as floating numbers
_NANOSECONDS = re.compile(r"\.[0-9]{7}")


@dataclass(frozen=True, slots=True)
class Sort:
    """One column to sort by."""

    column: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition on a column; `values` are as the request had them."""

    column: str
    kind: FilterKind
    operator: str
    values: tuple[Cell, ...] = ()


@dataclass(frozen=True, slots=True)
class Together:
    """Conditions of which all must hold, or one of them."""

    parts: tuple[Filter, ...]
    either: bool = False


Filter = Condition | Together


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One column that groups show a value of."""

    column: str
    function: str


@dataclass(frozen=True, slots=True)
class PageAsk:
    """The rows from `start` to before `end` of one level: the groups below `keys`, or the rows below all groups.

    `capped` says that more rows were asked for than one page may have.
    """

    start: int
    end: int
    sorts: tuple[Sort, ...] = ()
    filters: tuple[Filter, ...] = ()
    groups: tuple[str, ...] = ()
    aggregates: tuple[Aggregate, ...] = ()
    keys: tuple[Cell, ...] = ()
    capped: bool = False

    @property
    def level(self) -> PageAsk:
        """All that decides how many rows the level has."""
        return replace(self, start=0, end=0, sorts=(), aggregates=(), capped=False)

    def total(self, rows: int) -> int | None:
        """Return how many rows the level has if a page with so many rows tells."""
        ended = rows < self.end - self.start and (rows > 0 or self.start == 0)
        return self.start + rows if ended else None


class NotPaged(SourceFailed):
    """The source can't make the pages of this result; they can be made of all its rows."""

    def __init__(self, message: str = "The source can't make pages of this result.") -> None:
        super().__init__(message)


class PagedQuery(PreparedQuery):
    """A query whose source sorts, filters and groups by itself; `page` may raise NotPaged if it can't."""

    @abstractmethod
    def page(self, values: Mapping[str, Any], ask: PageAsk, limits: Limits, call: Call) -> Frame:
        """Return one page of the result. Raises as `run`."""

    @abstractmethod
    def count(self, values: Mapping[str, Any], ask: PageAsk, limits: Limits, call: Call) -> int:
        """Return how many rows the level has that the page is of. Raises as `run`."""


@dataclass(frozen=True, slots=True)
class Test:
    """A condition that a source can check: `text` ignores case, `day` takes the first characters of a text.

    Operators of `text` are those of Condition; of the others eq, ne, gt, ge, lt, le, blank, notBlank, and in, for
    which None stands for a missing value, and text for a date or a time as it is shown.
    """

    column: FrameColumn
    how: Literal["text", "value", "day"]
    operator: str
    values: tuple[Any, ...] = ()

    def is_as_shown(self, value: Any) -> bool:
        """Say whether a value stands for what is shown rather than for itself."""
        return isinstance(value, str) and self.column.type in ("date", "datetime")


@dataclass(frozen=True, slots=True)
class Tests:
    """Tests of which all must hold, or one of them; without any, `either` never holds."""

    parts: tuple[Test | Tests, ...]
    either: bool = False


@dataclass(frozen=True, slots=True)
class Level:
    """A PageAsk whose every part fits the columns: `group` is the column to group by, None for the rows themselves."""

    columns: tuple[FrameColumn, ...]
    tests: Tests
    group: FrameColumn | None = None
    aggregates: tuple[tuple[FrameColumn, str], ...] = field(default=())
    sorts: tuple[tuple[FrameColumn, bool], ...] = field(default=())

    @property
    def counted(self) -> bool:
        """Whether groups show how many rows they have, for want of other values."""
        return self.group is not None and not self.aggregates and self.group.name != "count"


def level_of(ask: PageAsk, columns: Sequence[FrameColumn]) -> Level:
    """Fit a request to the columns there are; what doesn't fit is left out, with a line in the log."""
    known = {column.name: column for column in columns}
    groups, keys = _grouping(ask, known)
    group = groups[len(keys)] if len(keys) < len(groups) else None
    opened = (Test(column, "value", "in", _typed_all(column, [key])) for column, key in zip(groups, keys, strict=False))
    filters = (test for part in ask.filters if (test := _test(part, known)) is not None)
    aggregates = _aggregates(ask, known, group) if group else ()
    shown = None if group is None else {group.name, *(column.name for column, _ in aggregates)}
    sorts = _sorts(ask, known, shown)
    return Level(tuple(columns), Tests((*opened, *filters)), group, aggregates, sorts)


def typed(value: Cell, column: FrameColumn) -> Cell:
    """Return a value of a request or of JSON as a value of the column; None where it can't be one."""
    try:
        found: Cell = _CASTS[column.type](value)
    except (KeyError, ValueError, TypeError, OverflowError):
        return None
    return found


def ignored(what: str, value: object) -> None:
    """Say in the log what of a request is passed over."""
    # Written whole, a value that is nested deeply enough ends the request with an error.
    logger.warning("A part of a request for a page is ignored: %s %.80s", what, reprlib.repr(value))


def _grouping(ask: PageAsk, known: Mapping[str, FrameColumn]) -> tuple[list[FrameColumn], list[Cell]]:
    groups: list[FrameColumn] = []
    keys: list[Cell] = []
    for number, name in enumerate(dict.fromkeys(ask.groups)):
        if (column := _usable(name, known, "the group")) is None:
            continue
        groups.append(column)
        if number < len(ask.keys) and len(keys) == len(groups) - 1:
            keys.append(ask.keys[number])
    return groups, keys


def _usable(name: str, known: Mapping[str, FrameColumn], what: str) -> FrameColumn | None:
    column = known.get(name)
    if column is None or column.type == "object":
        ignored(f"{what} by the column", name)
        return None
    return column


def _aggregates(
    ask: PageAsk, known: Mapping[str, FrameColumn], group: FrameColumn
) -> tuple[tuple[FrameColumn, str], ...]:
    found: dict[str, tuple[FrameColumn, str]] = {}
    for one in ask.aggregates:
        column = _usable(one.column, known, "the value")
        if column is None or column == group:
            continue
        if one.function in ("sum", "avg") and column.type != "number":
            ignored(f"the {one.function} of the column", one.column)
            continue
        found.setdefault(column.name, (column, one.function))
    return tuple(found.values())


def _sorts(
    ask: PageAsk, known: Mapping[str, FrameColumn], shown: set[str] | None
) -> tuple[tuple[FrameColumn, bool], ...]:
    found: dict[str, tuple[FrameColumn, bool]] = {}
    for sort in ask.sorts:
        column = _usable(sort.column, known, "the order")
        # A grid keeps the order of its rows while it shows groups.
        if column is not None and (shown is None or column.name in shown):
            found.setdefault(column.name, (column, sort.descending))
    return tuple(found.values())


def _test(part: Filter, known: Mapping[str, FrameColumn]) -> Test | Tests | None:
    if isinstance(part, Together):
        tests = [test for each in part.parts if (test := _test(each, known)) is not None]
        return Tests(tuple(tests), part.either) if tests else None
    column = _usable(part.column, known, "the filter")
    test = _condition(part, column) if column else None
    if column and test is None:
        ignored(f"a {part.kind} filter on the column {column.name!r}, which holds {column.type}:", part.operator)
    return test


def _condition(part: Condition, column: FrameColumn) -> Test | Tests | None:
    if part.operator in BLANK_OPERATORS:
        return Test(column, "text" if column.type == "text" else "value", part.operator)
    if part.kind in ("set", "boolean"):
        return Test(column, "value", "in", _typed_all(column, part.values))
    if part.kind == "text":
        return Test(column, "text", part.operator, part.values) if part.operator in TEXT_OPERATORS else None
    if part.operator == "inRange" and len(part.values) > 1:
        bounds = zip(("ge", "le"), part.values, strict=False)
        tests = [_order(part, column, operator, value) for operator, value in bounds]
        return Tests(tuple(test for test in tests if test)) if all(tests) else None
    operator = ORDER_OPERATORS.get(part.operator)
    return _order(part, column, operator, part.values[0]) if operator and part.values else None


def _order(part: Condition, column: FrameColumn, operator: str, value: Cell) -> Test | Tests | None:
    if part.kind == "number":
        number = typed(value, column) if column.type == "number" else None
        return None if number is None else Test(column, "value", operator, (number,))
    moment = _moment_or_none(value)
    if moment is None or column.type in ("number", "boolean"):
        return None
    if column.type == "text":
        return Test(column, "day", operator, (moment.date().isoformat(),))
    if column.type == "date":
        return Test(column, "value", operator, (moment.date(),))
    return _on_day(column, operator, moment) if moment.time() == time() else Test(column, "value", operator, (moment,))


def _on_day(column: FrameColumn, operator: str, day: datetime) -> Test | Tests:
    """Return the test of a time against a whole day, which is what a grid's date filter means by midnight."""
    following = datetime.max if day.date() == date.max else day + timedelta(days=1)

    def than(operator: str, moment: datetime) -> Test:
        return Test(column, "value", operator, (moment,))

    match operator:
        case "eq":
            return Tests((than("ge", day), than("lt", following)))
        case "ne":
            return Tests((than("lt", day), than("ge", following)), either=True)
        case "gt":
            return than("ge", following)
        case "le":
            return than("lt", following)
        case _:
            return than(operator, day)


def _typed_all(column: FrameColumn, values: Sequence[Cell]) -> tuple[Cell, ...]:
    """Return the values that the column can have; what it can't have matches nothing."""
    return tuple(dict.fromkeys(_possible(column, values)))


def _possible(column: FrameColumn, values: Sequence[Cell]) -> Iterator[Cell]:
    for value in values:
        one = typed(value, column)
        if isinstance(value, str) and _is_beyond(value, one, column):
            yield value
        elif value is None or one is not None:
            yield one


def _is_beyond(text: str, found: Cell, column: FrameColumn) -> bool:
    """Say whether a text may be a date or a time that Python doesn't have: of other years, or nanoseconds."""
    if column.type == "datetime":
        return found is None or _NANOSECONDS.search(text) is not None
    return column.type == "date" and found is None


def _number(value: Any) -> int | float:
    if isinstance(value, bool) or value is None:
        raise ValueError
    if isinstance(value, str):
        digits = value.strip()
        value = int(digits) if digits.lstrip("+-").isdecimal() and len(digits) < 50 else float(digits)
    found: int | float = float(value) if isinstance(value, int) and abs(value) > INTEGER_LIMIT else value
    if not math.isfinite(found):
        raise ValueError
    return found


def _boolean(value: Any) -> bool:
    return {"true": True, "false": False, "1": True, "0": False}[str(value).lower()]


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return str(value).lower() if isinstance(value, bool) else str(value)


def _moment(value: Any) -> datetime:
    found = datetime.fromisoformat(value.strip()) if isinstance(value, str) else value
    if not isinstance(found, datetime):
        raise ValueError
    return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found


def _moment_or_none(value: Any) -> datetime | None:
    try:
        return _moment(value)
    except (ValueError, OverflowError):
        return None


_CASTS: Mapping[str, Any] = {
    "number": _number,
    "boolean": _boolean,
    "date": lambda value: _moment(value).date(),
    "datetime": _moment,
    "text": _text,
    "object": _text,
}
