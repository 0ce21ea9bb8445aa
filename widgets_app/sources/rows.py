"""Rows to Frames: the one place where rows become strict JSON within the limits."""

from __future__ import annotations

import base64
import datetime
import enum
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import accumulate, chain, islice
from numbers import Number
from typing import Any

import orjson

from widgets_app.errors import SourceFailed
from widgets_app.sources.base import Limits
from widgets_app.sources.frame import ColumnType, Frame, FrameColumn

# Beyond this a JavaScript reader rounds: larger integers are sent as text.
MAX_SAFE_INTEGER = 2**53 - 1
# How many rows are put together at a time.
ROWS_AT_ONCE = 1000

_OPTIONS = orjson.OPT_STRICT_INTEGER | orjson.OPT_NON_STR_KEYS | orjson.OPT_UTC_Z

# Missing values of pandas, which is not imported here.
_MISSING = frozenset({"NAType", "NaTType"})

_KINDS: dict[type, ColumnType] = {
    str: "text",
    bool: "boolean",
    int: "number",
    float: "number",
    Decimal: "number",
    datetime.datetime: "datetime",
    datetime.date: "date",
    dict: "object",
    list: "object",
    tuple: "object",
    set: "object",
    frozenset: "object",
}


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows as JSON objects: `body` is all `count` of them with commas between, `split` gives them one by one."""

    count: int
    body: bytes | memoryview
    split: Callable[[], Sequence[bytes]]

    @classmethod
    def of(cls, rows: Sequence[bytes]) -> Batch:
        """Return a batch of these rows."""
        return cls(len(rows), b",".join(rows), lambda: rows)


def frame_from_json(batches: Iterable[Batch], columns: tuple[FrameColumn, ...], limits: Limits) -> Frame:
    """Return a Frame of rows that are JSON already, cut at a whole row; reads no further than the limits need."""
    # The opening bracket; each body is followed by a comma or the closing one.
    parts: list[bytes | memoryview] = [b"["]
    count, size, truncated = 0, 1, False
    for batch in batches:
        truncated = count + batch.count > limits.rows or size + len(batch.body) + 1 > limits.bytes
        kept = _cut(batch, rows=limits.rows - count, size=limits.bytes - size) if truncated else batch
        if kept.count:
            parts += [kept.body, b","]
        count += kept.count
        size += len(kept.body) + 1
        if truncated:
            break
    parts[-1] = b"]" if count else b"[]"
    by_bytes = truncated and count < limits.rows
    return Frame(b"".join(parts), columns, count, truncated=truncated, cut_by="bytes" if by_bytes else "rows")


def _cut(batch: Batch, *, rows: int, size: int) -> Batch:
    candidates = batch.split()[:rows]
    ends = accumulate(len(row) + 1 for row in candidates)
    return Batch.of(candidates[: sum(end <= size for end in ends)])


def frame_from_rows(rows: Iterable[Mapping[Any, Any]], limits: Limits) -> Frame:
    """Return a Frame of Python rows; they share the union of their keys, and what a row lacks is null.

    NaN and infinities become null, integers beyond 2^53 and bytes (as base64) text, decimals numbers, dates and times
    ISO text. Raises SourceFailed naming the column and the type of a value that has no JSON form.
    """
    kept = [{str(key): value for key, value in row.items()} for row in islice(rows, limits.rows + 1)]
    names = dict.fromkeys(name for row in kept for name in row)
    columns = tuple(FrameColumn(name, kind_of_values({type(row.get(name)) for row in kept})) for name in names)
    encoded = (row_as_json({name: row.get(name) for name in names}) for row in kept)
    # Many in one batch: each piece that orjson writes holds some KB for as long as it lives.
    batches = iter(lambda: list(islice(encoded, ROWS_AT_ONCE)), [])
    return frame_from_json(map(Batch.of, batches), columns, limits)


def frame_from_batches(
    batches: Iterable[Sequence[Sequence[Any]]],
    names: Iterable[str],
    kinds: Iterable[ColumnType | None],
    limits: Limits,
) -> Frame:
    """Return a Frame of rows that come in order, a few at a time, and are read no further than the limits need.

    A kind that is None is told from the values. Raises as `frame_from_rows`.
    """
    unique = tuple(distinct(names))
    seen: list[set[type]] = [set() for _ in unique]

    def encoded() -> Iterator[Batch]:
        for batch in batches:
            for types, values in zip(seen, zip(*batch, strict=True), strict=True):
                types.update(map(type, values))
            yield Batch.of([row_as_json(dict(zip(unique, row, strict=True))) for row in batch])

    frame = frame_from_json(encoded(), (), limits)
    told = zip(unique, kinds, seen, strict=True)
    return replace(frame, columns=tuple(FrameColumn(name, kind or kind_of_values(types)) for name, kind, types in told))


def distinct(names: Iterable[str]) -> Iterator[str]:
    """Give names that DuckDB tells apart, as it does itself for the columns of a query."""
    taken: set[str] = set()
    for name in names:
        tries = (f"{name or 'column'}{end}" for end in chain([""], map("_{}".format, itertools.count(1))))
        free = next(each for each in tries if each.lower() not in taken)
        taken.add(free.lower())
        yield free


def kind_of_values(types: Iterable[type]) -> ColumnType:
    """Return the kind of a column whose values have these types."""
    kinds = {_kind_of(one) for one in set(types) - {type(None)}}
    if kinds == {"date", "datetime"}:
        return "datetime"
    if len(kinds) == 1:
        return kinds.pop()
    return "object" if "object" in kinds else "text"


def _kind_of(one: type) -> ColumnType:
    known: ColumnType = next((_KINDS[base] for base in one.__mro__ if base in _KINDS), "text")
    return "number" if known == "text" and issubclass(one, Number) else known


def row_as_json(row: dict[str, Any]) -> bytes:
    """Return a row as a JSON object. Raises as `frame_from_rows`."""
    try:
        return orjson.dumps(row, default=_plain, option=_OPTIONS)
    except orjson.JSONEncodeError:
        return orjson.dumps({name: orjson.Fragment(value_as_json(name, value)) for name, value in row.items()})


def value_as_json(column: str, value: Any) -> bytes:
    """Return the JSON of one value of a column. Raises as `frame_from_rows`."""
    try:
        return orjson.dumps(_narrow(value), default=lambda one: _narrow(_plain(one)), option=_OPTIONS)
    except (orjson.JSONEncodeError, RecursionError) as error:
        raise SourceFailed(
            f'The column "{column}" has a value of type {type(value).__name__} that can\'t be sent as JSON '
            f"({error.__cause__ or error}). Return text, numbers, booleans, dates, lists or dicts."
        ) from error


def _plain(value: Any) -> Any:
    """Return a JSON form of a value that orjson doesn't know."""
    if isinstance(value, Decimal):
        return _decimal(value)
    if isinstance(value, set | frozenset):
        return list(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode()
    if type(value).__name__ in _MISSING:
        return None
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return str(value)
    return _converted(value)


def _decimal(value: Decimal) -> Any:
    if not value.is_finite():
        return None
    whole = abs(value) > MAX_SAFE_INTEGER and value.as_tuple().exponent == 0
    return str(value) if whole else orjson.Fragment(str(value))


def _converted(value: Any) -> Any:
    """Return numpy scalars, mappings and sequences as the Python values they stand for."""
    if isinstance(value, Mapping):
        return dict(value)
    for name in ("tolist", "item"):
        if callable(convert := getattr(value, name, None)):
            return convert()
    raise TypeError(f"no JSON form for {type(value).__name__}")


def _narrow(value: Any) -> Any:
    """Return the value without what orjson refuses: integers that JavaScript would round, times with a zone."""
    if isinstance(value, enum.Enum):
        return _narrow(value.value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value if abs(value) <= MAX_SAFE_INTEGER else str(value)
    if isinstance(value, Mapping):
        return {key: _narrow(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_narrow(item) for item in value]
    if isinstance(value, datetime.time):
        return value.isoformat()
    return None if isinstance(value, float) and not math.isfinite(value) else value
