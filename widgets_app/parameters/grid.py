"""What a grid of Workspace asks for in the body of a request: a range of rows, with order, filters and groups.

The newer form has the parts of grouping in an object `grouping`, the older one beside the others: both are read, and
the latter wins where it says something. Whatever can't be understood is passed over, with a line in the log.
"""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from widgets_app.errors import BadRequest
from widgets_app.parameters.types import Scalar
from widgets_app.sources.paging import AGGREGATES, Aggregate, Condition, Filter, PageAsk, Sort, Together, ignored

PAGE_ROWS = 10_000  # rows of one page
DEFAULT_ROWS = 500  # rows of a page whose end is not given
LARGEST_ROW = 2**53 - 1  # the largest integer that JavaScript counts to
CONDITIONS = 200  # conditions of all filters together
SET_VALUES = 10_000  # values of one filter

_FIELDS = ("rowGroupCols", "valueCols", "pivotCols", "groupKeys", "pivotMode")
_DEPTH = 4  # a list of several filters, each of compound conditions, is the deepest that grids make


def page_ask(body: Mapping[str, Any]) -> PageAsk:
    """Return what a body asks for; raises BadRequest for numbers of rows that make no sense and for too much."""
    start, end = _range(body)
    grouping = _grouping(body)
    filters = tuple(_filters(body.get("filterModel")))
    if (count := sum(map(_size, filters))) > CONDITIONS:
        raise BadRequest(f"The request has {count} conditions. Send at most {CONDITIONS}.")
    if grouping.get("pivotMode") is True:
        ignored("the pivot", grouping.get("pivotCols"))
    return PageAsk(
        start=start,
        end=min(end, start + PAGE_ROWS),
        sorts=tuple(_sorts(body.get("sortModel"))),
        filters=filters,
        groups=tuple(_names(grouping.get("rowGroupCols"))),
        aggregates=tuple(_aggregates(grouping.get("valueCols"))),
        keys=tuple(_keys(grouping.get("groupKeys"))),
        capped=end > start + PAGE_ROWS,
    )


def _range(body: Mapping[str, Any]) -> tuple[int, int]:
    start = _row(body, "startRow", 0)
    end = _row(body, "endRow", start + DEFAULT_ROWS)
    if end < start:
        raise BadRequest(f"endRow is {end}, before startRow, which is {start}. Send a range such as 0 to 100.")
    # Some clients ask for everything like this.
    return (start, LARGEST_ROW) if start == end == 0 else (start, end)


def _row(body: Mapping[str, Any], name: str, default: int) -> int:
    value = body.get(name)
    if value is None:
        return default
    number = int(value) if isinstance(value, str) and value.isdecimal() and value.isascii() else value
    if isinstance(number, float) and number.is_integer():
        number = int(number)
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= LARGEST_ROW:
        raise BadRequest(f"{name} is no number of a row. Send a whole number from 0 on, such as {default}.")
    return number


def _grouping(body: Mapping[str, Any]) -> Mapping[str, Any]:
    nested = body.get("grouping")
    inner = nested if isinstance(nested, dict) else {}
    return {name: body.get(name) or inner.get(name) for name in _FIELDS}


def _entries(value: object, what: str) -> Iterator[Mapping[str, Any]]:
    for entry in value if isinstance(value, list) else []:
        if isinstance(entry, dict):
            yield entry
        else:
            ignored(what, entry)


def _sorts(model: object) -> Iterator[Sort]:
    for entry in _entries(model, "an order"):
        name, direction = entry.get("colId"), entry.get("sort")
        if isinstance(name, str) and direction in ("asc", "desc"):
            yield Sort(name, descending=direction == "desc")
        else:
            ignored("an order", entry)


def _names(columns: object) -> Iterator[str]:
    for entry in _entries(columns, "a group"):
        name = _column(entry)
        if name is None:
            ignored("a group", entry)
        else:
            yield name


def _column(entry: Mapping[str, Any]) -> str | None:
    name = entry.get("field") or entry.get("id")
    return name if isinstance(name, str) else None


def _aggregates(columns: object) -> Iterator[Aggregate]:
    for entry in _entries(columns, "a value"):
        name, function = _column(entry), entry.get("aggFunc")
        if name is not None and isinstance(function, str) and function in AGGREGATES:
            yield Aggregate(name, function)
        else:
            ignored("a value", entry)


def _keys(keys: object) -> Iterator[Scalar | None]:
    for key in keys if isinstance(keys, list) else []:
        # A key that is none stands for a group that doesn't exist.
        yield key if isinstance(key, Scalar | None) else reprlib.repr(key)


def _filters(model: object) -> Iterator[Filter]:
    for name, given in (model if isinstance(model, dict) else {}).items():
        found = _filter(name, given, _DEPTH)
        if found is not None:
            yield found


def _filter(name: str, given: object, depth: int) -> Filter | None:
    if not isinstance(given, dict) or not depth:
        ignored("a filter", given)
        return None
    if given.get("filterType") == "multi":
        return _together(name, given.get("filterModels"), depth, either=False)
    if given.get("operator") in ("AND", "OR"):
        conditions = given.get("conditions") or [given.get("condition1"), given.get("condition2")]
        return _together(name, conditions, depth, either=given["operator"] == "OR")
    kind = given.get("filterType")
    read = _READERS.get(kind) if isinstance(kind, str) else None
    found = read(name, given) if read else None
    if found is None:
        ignored(f"a filter of the column {reprlib.repr(name)}:", given)
    return found


def _together(name: str, given: object, depth: int, *, either: bool) -> Filter | None:
    # A filter of several holds null for those that are not set.
    entries = [entry for entry in given if entry is not None] if isinstance(given, list) else []
    parts = [part for entry in entries if (part := _filter(name, entry, depth - 1)) is not None]
    return Together(tuple(parts), either) if parts else None


def _operator(given: Mapping[str, Any]) -> str | None:
    operator = given.get("type")
    return operator if isinstance(operator, str) else None


def _text(name: str, given: Mapping[str, Any]) -> Condition | None:
    operator, value = _operator(given), given.get("filter")
    if operator in ("blank", "notBlank"):
        return Condition(name, "text", operator)
    usable = operator is not None and isinstance(value, Scalar)
    return Condition(name, "text", operator or "", (value,)) if usable else None


def _number(name: str, given: Mapping[str, Any]) -> Condition | None:
    return _ordered(name, "number", given, given.get("filter"), given.get("filterTo"))


def _date(name: str, given: Mapping[str, Any]) -> Condition | None:
    return _ordered(name, "date", given, given.get("dateFrom"), given.get("dateTo"))


def _ordered(name: str, kind: Any, given: Mapping[str, Any], first: object, last: object) -> Condition | None:
    operator = _operator(given)
    if operator in ("blank", "notBlank"):
        return Condition(name, kind, operator)
    values = tuple(value for value in (first, last) if isinstance(value, Scalar))
    return Condition(name, kind, operator, values) if operator and values else None


def _set(name: str, given: Mapping[str, Any]) -> Condition | None:
    values = given.get("values")
    if not isinstance(values, list):
        return None
    if len(values) > SET_VALUES:
        raise BadRequest(f'The filter of "{name}" has {len(values):,} values. Send at most {SET_VALUES:,}.')
    return Condition(name, "set", "in", tuple(value for value in values if isinstance(value, Scalar | None)))


def _boolean(name: str, given: Mapping[str, Any]) -> Condition | None:
    operator = _operator(given)
    if operator in ("blank", "notBlank"):
        return Condition(name, "boolean", operator)
    # A switch has its value in the filter, the advanced filter as the operator.
    value = given.get("filter", operator)
    usable = isinstance(value, Scalar) and str(value).lower() in ("true", "false")
    return Condition(name, "boolean", "in", (value,)) if usable else None


def _size(part: Filter) -> int:
    return sum(map(_size, part.parts)) if isinstance(part, Together) else 1


_READERS: Mapping[str, Callable[[str, Mapping[str, Any]], Condition | None]] = {
    "text": _text,
    "number": _number,
    "date": _date,
    "set": _set,
    "boolean": _boolean,
}
