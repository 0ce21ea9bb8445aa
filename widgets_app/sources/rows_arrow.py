"""Rows of Python values to Arrow, batch by batch, in columns whose types the first rows tell."""

from __future__ import annotations

import datetime
from collections.abc import Generator, Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import islice
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from widgets_app.errors import SourceFailed
from widgets_app.sources.frame import ColumnType
from widgets_app.sources.rows import distinct, kind_of_values, row_as_json, value_as_json
from widgets_app.sources.streams import JSON_ROWS

Rows = Sequence[Sequence[Any]]

# Rows that are looked at before the types of the columns are settled; of long ones fewer.
FIRST_ROWS = 10_000
FIRST_BATCHES = 20
LONG = pa.decimal128(38, 0)  # for integers of more than 64 bits
LOCAL, UTC = pa.timestamp("us"), pa.timestamp("us", "UTC")


def json_batches(batches: Iterable[Rows], names: Iterable[str]) -> Generator[pa.RecordBatch]:
    """Give each row as a JSON object; see StreamedQuery."""
    unique = tuple(distinct(names))
    given: Rows = ()
    for given in batches:
        rows = [row_as_json(dict(zip(unique, row, strict=True))) for row in given]
        yield pa.RecordBatch.from_arrays([pa.array(rows, pa.binary())], schema=JSON_ROWS)
    if not given:
        yield pa.RecordBatch.from_pylist([], schema=JSON_ROWS)


def column_batches(
    batches: Iterator[Rows], names: Iterable[str], kinds: Sequence[ColumnType | None]
) -> Generator[pa.RecordBatch]:
    """Give rows that come a few at a time as columns; see StreamedQuery. A kind that is None is told from the values.

    Raises SourceFailed for a value that doesn't fit the type that the first rows gave its column.
    """
    first: list[Sequence[Any]] = []
    for batch in islice(batches, FIRST_BATCHES):
        first += batch
        if len(first) >= FIRST_ROWS:
            break
    columns: list[Sequence[Any]] = list(zip(*first, strict=True)) or [()] * len(kinds)
    types = [_type(kind, values) for kind, values in zip(kinds, columns, strict=True)]
    schema = pa.schema(list(zip(distinct(names), types, strict=True)))
    yield _batch(first, schema)
    first = columns = []
    for batch in batches:
        yield _batch(batch, schema)


def _batch(rows: Rows, schema: pa.Schema) -> pa.RecordBatch:
    columns: Iterable[Sequence[Any]] = zip(*rows, strict=True) if rows else [()] * len(schema)
    arrays = [_array(field, values) for field, values in zip(schema, columns, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _type(kind: ColumnType | None, values: Sequence[Any]) -> pa.DataType:
    types = set(map(type, values)) - {type(None)}
    found = kind_of_values(types) if types else kind or "text"
    if found != (kind or found):
        return pa.string()
    if found == "number":
        return _number(types, values)
    if found == "datetime":
        return _time(values)
    return {"boolean": pa.bool_(), "date": pa.date32()}.get(found, pa.string())


def _number(types: set[type], values: Sequence[Any]) -> pa.DataType:
    if types != {int}:
        return pa.float64()
    numbers = [value for value in values if value is not None]
    if max(map(abs, numbers)) < 2**63:
        return pa.int64()
    return LONG if max(map(abs, numbers)) < 10**38 else pa.string()


def _time(values: Sequence[Any]) -> pa.DataType:
    known = [value for value in values if value is not None]
    if not all(isinstance(value, datetime.datetime) for value in known):
        return pa.string()
    zoned = {value.tzinfo is not None for value in known}
    return pa.string() if len(zoned) > 1 else UTC if zoned == {True} else LOCAL


def _array(field: pa.Field, values: Sequence[Any]) -> pa.Array:
    types = set(map(type, values)) - {type(None)}
    try:
        if pa.types.is_string(field.type):
            return pa.array(values if types <= {str} else [_text(field.name, value) for value in values], pa.string())
        if types and not _fits(types, field.type):
            raise TypeError
        if Decimal in types and field.type == pa.float64():
            values = [float(value) if isinstance(value, Decimal) else value for value in values]
        return _finite(pa.array(values, field.type))
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        raise SourceFailed(
            f'The column "{field.name}" began with values of the type {field.type}, and has others further down. '
            "Cast it to one type in the query."
        ) from error


def _fits(types: set[type], kind: pa.DataType) -> bool:
    # Arrow itself would cut the fractions of numbers and the times of dates.
    if kind in (pa.int64(), LONG):
        return types == {int}
    known: dict[pa.DataType, ColumnType] = {pa.float64(): "number", pa.bool_(): "boolean", pa.date32(): "date"}
    return kind_of_values(types) == known.get(kind, "datetime")


def _finite(column: pa.Array) -> pa.Array:
    return pc.if_else(pc.is_finite(column), column, None) if pa.types.is_floating(column.type) else column


def _text(column: str, value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    text = value_as_json(column, value)
    return orjson.loads(text) if text[:1] in b'"n' else text.decode()
