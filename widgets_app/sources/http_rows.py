"""A JSON document to rows: where in it they are, how they lie there, and which columns are taken."""

from __future__ import annotations

import codecs
import datetime
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from typing import Any, Final

import orjson

from widgets_app.errors import SourceFailed
from widgets_app.sources.base import Limits
from widgets_app.sources.frame import ColumnType, Frame, FrameColumn
from widgets_app.sources.http_text import Column, Definition, Path, Step, name_of
from widgets_app.sources.rows import frame_from_rows

Row = dict[str, Any]

# Names of a document that an error tells, and how long each may be.
NAMES_SHOWN, NAME_LENGTH = 8, 40
# The column of rows that are plain values.
VALUE: Final = "value"

# Whole numbers that orjson would round.
_LONG_NUMBER = re.compile(rb"(?<![0-9.])[0-9]{20}")
_ZEROS, _TO_ZEROS = b"0" * 20, bytes.maketrans(b"123456789", b"000000000")
_NO_NUMBERS = (b"NaN", b"Infinity")
_MARKUP = re.compile(rb"\s*<")
_CHARSET = re.compile(r"charset\s*=\s*\"?([\w.:-]+)", re.IGNORECASE)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
)
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MISSING = object()


def document(content: bytes, kind: str, status: int, api: str) -> Any:
    """Read an answer as JSON; NaN and infinities in it are null. Raises SourceFailed for anything else."""
    sort = kind.partition(";")[0].strip().lower() or "without a type"
    if not content.strip():
        raise SourceFailed(f"{api} answered with nothing (status {status}). Check the path of the query.")
    if sort == "text/html" or _MARKUP.match(content):
        raise SourceFailed(
            f"{api} answered with a web page ({sort}, status {status}), not with JSON. "
            "Check the address of the source and the path of the query."
        )
    content = _in_utf8(content, kind)
    try:
        return _exact(content) if _has_long_numbers(content) else orjson.loads(content)
    except ValueError as error:
        if any(word in content for word in _NO_NUMBERS):
            with suppress(ValueError, RecursionError):
                return _exact(content)
        raise _no_json(error, sort, api) from None
    except RecursionError:
        raise SourceFailed(f"{api} sent JSON that is nested too deeply to be read. Have it send less.") from None


def _in_utf8(content: bytes, kind: str) -> bytes:
    found = _CHARSET.search(kind)
    if found:
        with suppress(LookupError, UnicodeError):
            if codecs.lookup(found[1]).name not in ("utf-8", "ascii"):
                return content.decode(found[1]).encode()
    return content.removeprefix(codecs.BOM_UTF8)


def _has_long_numbers(content: bytes) -> bool:
    # Looking for one text is many times faster than looking for a pattern.
    return _ZEROS in content.translate(_TO_ZEROS) and _LONG_NUMBER.search(content) is not None


def _exact(content: bytes) -> Any:
    """Read JSON with all digits of its whole numbers."""
    return json.loads(content, parse_constant=lambda _: None)


def _no_json(error: ValueError, sort: str, api: str) -> SourceFailed:
    where = f" at line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
    reason = error.msg if isinstance(error, json.JSONDecodeError) else "a number is too long"
    return SourceFailed(f"{api} sent something that is not JSON ({sort}){where}: {reason}. Look at its answer.")


def matches(value: Any, path: Path) -> Iterator[Any]:
    """Yield what a path leads to."""
    if not path:
        yield value
        return
    step, rest = path[0], path[1:]
    if step is None and isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from matches(item, rest)
    elif _has(value, step):
        yield from matches(value[step], rest)


def _has(value: Any, step: Step) -> bool:
    if isinstance(step, int):
        return isinstance(value, list) and step < len(value)
    return isinstance(value, dict) and step in value


def picked(value: Any, path: Path, otherwise: Any = None) -> Any:
    """Return what a path leads to: a list where it goes through all of something."""
    found = list(matches(value, path))
    return found if None in path else (found[0] if found else otherwise)


def rows_of(found: Any, query: Definition, api: str) -> list[Row]:
    """Return the rows of a document. Raises SourceFailed where it has none at the place that the query names."""
    part = picked(found, query.rows, _MISSING)
    if part is _MISSING:
        raise SourceFailed(f"{api} sent nothing at {_written(query.rows)}. {_shown(found)} Correct rows in the query.")
    if part is None:
        return []
    if query.layout == "columns":
        return _across(part, query, api)
    items = _items(part, found, query, api)
    if query.columns and not all(query.columns):
        return [_all_and(item, query.columns) for item in items]
    takers = [(column.name, _taker(column)) for column in query.columns if column]
    return [{name: take(item) for name, take in takers} for item in items] if takers else items


def _items(part: Any, found: Any, query: Definition, api: str) -> list[Any]:
    """Return the rows as objects; as lists where columns name the places in them."""
    if query.key:
        if not isinstance(part, dict):
            raise SourceFailed(f"{api} sent no object with rows below names. Take key out of the query.")
        return [{**_object(item), query.key: name} for name, item in part.items()]
    items = part if isinstance(part, list) else [part]
    if any(isinstance(column.path[0], int) for column in query.columns if column and column.path):
        return items
    if not any(isinstance(item, list) for item in items):
        return [_object(item) for item in items]
    return _named(items, found, query, api)


def _object(item: Any) -> Row:
    return item if isinstance(item, dict) else {VALUE: item}


def _named(items: list[Any], found: Any, query: Definition, api: str) -> list[Row]:
    """Return rows that are lists as objects."""
    names, rows = _names(items, found, query)
    if not names:
        raise SourceFailed(f"{api} sent rows that are lists. Name their columns in the query with columns or names.")
    return [dict(zip(names, item, strict=False)) if isinstance(item, list) else _object(item) for item in rows]


def _names(items: list[Any], found: Any, query: Definition) -> tuple[list[str], list[Any]]:
    """Return the names of the columns of lists, and the rows that come after them."""
    if query.names is None:
        return [name_of(column.path) for column in query.columns if column], items
    first, rows = (items[0], items[1:]) if query.names == "first row" else (picked(found, query.names), items)
    return [str(name) for name in first] if isinstance(first, list) else [], rows


def _across(part: Any, query: Definition, api: str) -> list[Row]:
    """Return the rows of an object that has one list for each column; single values are the same in each row."""
    columns = {
        name: values if column is None else [_KINDS[column.kind](value) for value in values]
        for name, values, column in _lists(part, query)
    }
    lists = {name: values for name, values in columns.items() if isinstance(values, list)}
    if len(lengths := {len(values) for values in lists.values()}) != 1:
        told = "have different lengths" if lengths else "are none"
        raise SourceFailed(f"{api} sent lists for columns that {told}. Name the right ones with columns in the query.")
    count = lengths.pop()
    spread = [values if isinstance(values, list) else [values] * count for values in columns.values()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*spread, strict=True)]


def _lists(part: Any, query: Definition) -> Iterator[tuple[str, Any, Column | None]]:
    for column in query.columns or (None,):
        if column is None:
            yield from ((name, values, None) for name, values in _object(part).items())
        else:
            values = picked(part, column.path)
            yield column.name, values, column if isinstance(values, list) else None


def _all_and(item: Any, columns: Sequence[Column | None]) -> Row:
    row: Row = {}
    for column in columns:
        row.update(_object(item) if column is None else {column.name: _taker(column)(item)})
    return row


def _taker(column: Column) -> Callable[[Any], Any]:
    """Return what takes a column's value out of a row."""
    make, path = _KINDS[column.kind], column.path
    if len(path) == 1 and isinstance(name := path[0], str):
        return lambda item: make(item.get(name)) if isinstance(item, dict) else None
    return lambda item: make(picked(item, path))


def _number(value: Any) -> Any:
    if not isinstance(value, str):
        return value if isinstance(value, int | float) else None
    with suppress(ValueError):
        return int(value)
    with suppress(ValueError):
        return float(value)
    return None


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return orjson.dumps(value).decode() if isinstance(value, dict | list | bool) else str(value)


def _seconds(value: Any) -> datetime.datetime | None:
    with suppress(OverflowError, ValueError, TypeError):
        return _EPOCH + datetime.timedelta(seconds=_number(value))
    return None


def _milliseconds(value: Any) -> datetime.datetime | None:
    with suppress(OverflowError, ValueError, TypeError):
        return _EPOCH + datetime.timedelta(milliseconds=_number(value))
    return None


_KINDS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "": lambda value: value,
    "number": _number,
    "text": _text,
    "seconds": _seconds,
    "milliseconds": _milliseconds,
}


def _written(path: Path) -> str:
    return ".".join("*" if step is None else str(step) for step in path) or "its top"


def _shown(found: Any) -> str:
    if not isinstance(found, dict):
        return f"It is a {'list' if isinstance(found, list) else 'single value'}."
    names = [name if len(name) <= NAME_LENGTH else f"{name[: NAME_LENGTH - 1]}…" for name in islice(found, NAMES_SHOWN)]
    more = " and more" if len(found) > NAMES_SHOWN else ""
    return f"It has {', '.join(names)}{more}." if names else "It is empty."


def frame_of(rows: Iterable[Row], limits: Limits) -> Frame:
    """Return a Frame of rows; texts that are all days or times in ISO form are known for dates."""
    kept = list(islice(rows, limits.rows + 1))
    frame = frame_from_rows(kept, limits)
    return replace(frame, columns=tuple(_dated(column, kept) for column in frame.columns))


def _dated(column: FrameColumn, rows: Sequence[Row]) -> FrameColumn:
    if column.type != "text":
        return column
    values = [value for row in rows if (value := row.get(column.name)) is not None]
    patterns: Mapping[ColumnType, re.Pattern[str]] = {"date": _DAY, "datetime": _TIME}
    kinds = (kind for kind, pattern in patterns.items() if values and all(_is(value, pattern) for value in values))
    return FrameColumn(column.name, next(kinds, column.type))


def _is(value: Any, pattern: re.Pattern[str]) -> bool:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        return False
    with suppress(ValueError):
        datetime.datetime.fromisoformat(value)
        return True
    return False
