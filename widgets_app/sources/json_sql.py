"""SQL that has DuckDB write the rows of a query as strict JSON, each value in the form that clients expect.

NaN, infinities and infinite dates become null; integers beyond 2^53 text, as JavaScript would round them; times ISO
8601 with T, those with a time zone in UTC with Z; BLOBs base64; FLOATs their shortest digits; the rest what DuckDB's
to_json makes of it. All of it at every depth of lists, structs and maps.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from duckdb.sqltypes import DuckDBPyType

from widgets_app.sources.frame import ColumnType
from widgets_app.sources.rows import MAX_SAFE_INTEGER

# What error() raises inside a statement whose assumptions don't hold for these values.
LARGE_INTEGER = "widgets: an integer beyond 2^53"
OTHER_TYPES = "widgets: the columns have other types"

_INTEGERS = frozenset({"bigint", "ubigint", "hugeint", "uhugeint", "bignum"})
_NUMBERS = _INTEGERS | {
    "tinyint", "utinyint", "smallint", "usmallint", "integer", "uinteger", "float", "double", "decimal"
}  # fmt: skip
_TIMESTAMPS = frozenset({"timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns"})
_OBJECTS = frozenset({"list", "array", "struct", "tuple", "map", "union", "variant"})
_ZONED = "timestamp with time zone"

# The years that ISO 8601 writes with four digits.
_FIRST, _LAST = "0001-01-01 00:00:00", "9999-12-31 23:59:59.999999"

_SUSPECT = "[0-9]{16}|[nN][aA][nN]|[iI][nN][fF]"
_SUSPECT_BYTES = re.compile(_SUSPECT.encode())
_TOKEN = re.compile(
    rb'"[^"\\]*(?:\\.[^"\\]*)*"|-?(?:nan|inf(?:inity)?)|-?[0-9]+(?P<fraction>\.[0-9]+)?(?P<power>e[+-]?[0-9]+)?',
    re.IGNORECASE | re.DOTALL,
)


def column_type(kind: DuckDBPyType) -> ColumnType:
    """Return which kind of values a column of this DuckDB type has."""
    if kind.id in _NUMBERS:
        return "number"
    if kind.id in _OBJECTS or str(kind) == "JSON":
        return "object"
    if kind.id in _TIMESTAMPS or kind.id == _ZONED:
        return "datetime"
    return {"boolean": "boolean", "date": "date"}.get(kind.id, "text")  # type: ignore[return-value]  # of the dict


def is_suspect(text: bytes) -> bool:
    """Say whether JSON of a loose column may have something to repair."""
    return _SUSPECT_BYTES.search(text) is not None


def is_loose(kind: DuckDBPyType) -> bool:
    """Say whether values of this type carry their own types, so that SQL can't tell what to repair in them."""
    if str(kind) == "JSON" or kind.id in ("variant", "union"):
        return True
    return any(is_loose(child) for child in _children(kind))


def select_json(
    sql: str,
    names: Sequence[str],
    kinds: Sequence[DuckDBPyType],
    *,
    limit: int,
    wide: bool,
    guarded: bool,
    listed: bool,
) -> str:
    """Return a statement that gives one JSON object per row of `sql`, in its order, at most `limit` of them.

    Its first column is the object as a BLOB; `listed`: as text with a comma after it. With a loose column there is a
    second: whether the object must pass through `repaired`; such rows can't be `listed`. `wide` allows for integers
    beyond 2^53; without it they end the statement with LARGE_INTEGER. `guarded` ends it with OTHER_TYPES when the
    columns have other types than `kinds`.
    """
    columns = [f"c{n}" for n in range(len(kinds))]
    values = [_value(column, kind, wide) for column, kind in zip(columns, kinds, strict=True)]
    row = _object("json_object", [literal(name) for name in names], values)
    if guarded:
        struct = ", ".join(f"{column} {kind}" for column, kind in zip(columns, kinds, strict=True))
        row = f"case when typeof(q) = {literal(f'STRUCT({struct})')} then {row} else error('{OTHER_TYPES}') end"
    source = f"from (\n{sql}\n) as q({', '.join(columns)}) limit {limit}"
    if listed:
        return f"select ({row})::varchar || ',' {source}"
    if not any(map(is_loose, kinds)):
        return f"select encode(({row})::varchar) {source}"
    text = f"select ({row})::varchar as j {source}"
    return f"select encode(j), regexp_matches(j, '{_SUSPECT}') from ({text})"  # noqa: S608  names are quoted


def select_columns(sql: str, names: Sequence[str], kinds: Sequence[DuckDBPyType], *, limit: int) -> str:
    """Return a statement that gives at most `limit` rows of `sql`, in its order, with the values that JSON would have.

    Its columns are booleans, numbers, dates, times and text. Text of loose columns must pass through `repaired`.
    """
    columns = [f"c{n}" for n in range(len(kinds))]
    values = [
        f"{_plain_column(column, kind)} as {identifier(name)}"
        for column, kind, name in zip(columns, kinds, names, strict=True)
    ]
    return f"select {', '.join(values)} from (\n{sql}\n) as q({', '.join(columns)}) limit {limit}"  # noqa: S608  quoted


def _plain_column(v: str, kind: DuckDBPyType) -> str:
    if str(kind) == "JSON" or kind.id in _OBJECTS:
        return f"nullif(to_json({_value(v, kind, wide=True)})::varchar, 'null')"
    if kind.id == "hugeint":
        # What sum() makes of integers; no sum of 64-bit integers has more digits.
        return f"{v}::decimal(38, 0)"
    if kind.id in _TIMESTAMPS - {"timestamp_ns"}:
        return f"case when isfinite({v}) then {v}::timestamp end"
    if kind.id in ("timestamp_ns", _ZONED):
        return f"case when isfinite({v}) then {v} end"
    if kind.id in _NUMBERS - {"uhugeint", "bignum"} or kind.id in ("boolean", "date", "blob"):
        return scalar_json(v, kind.id)
    return f"{v}::varchar"


def repaired(row: bytes) -> bytes:
    """Return a JSON object with null for NaN and infinities, and text for integers beyond 2^53."""
    return _TOKEN.sub(_repaired_token, row)


def _repaired_token(match: re.Match[bytes]) -> bytes:
    token = match[0]
    if token.startswith(b'"') or match["fraction"] or match["power"]:
        return token
    if token[-1:].isalpha():
        return b"null"
    return token if abs(int(token)) <= MAX_SAFE_INTEGER else b'"%b"' % token


def literal(text: str) -> str:
    """Return text as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Return a name as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def _value(v: str, kind: DuckDBPyType, wide: bool, depth: int = 0) -> str:
    """Return the expression that makes of `v` what JSON shall hold; `v` itself where DuckDB does it right."""
    if kind.id in ("list", "array"):
        return _list(v, kind, wide, depth)
    if kind.id in ("struct", "tuple", "map"):
        return {"struct": _struct, "tuple": _tuple, "map": _map}[kind.id](v, kind, wide, depth)
    if _is_integer(kind):
        return _integer(v, wide)
    return scalar_json(v, kind.id)


def scalar_json(v: str, kind: str) -> str:
    """Return the expression that makes of `v`, of a type without depth, what JSON shall hold."""
    finite = f"case when isfinite({v}) then {{}} end"
    if kind in ("double", "date"):
        return finite.format(v)
    if kind == "float":
        return finite.format(f"{v}::varchar::double")
    if kind == "timestamp_ns":
        return finite.format(_iso(v))
    if kind in _TIMESTAMPS:
        return _in_years(v, "timestamp", _iso(v))
    if kind == _ZONED:
        return _in_years(v, "timestamptz", f"{_iso(f'make_timestamp(epoch_us({v}))')} || 'Z'")
    return f"base64({v})" if kind == "blob" else v


def _iso(timestamp: str) -> str:
    return f"replace(({timestamp})::varchar, ' ', 'T')"


def _in_years(v: str, kind: str, iso: str) -> str:
    zone = "+00" if kind == "timestamptz" else ""
    between = f"{kind} '{_FIRST}{zone}' and {kind} '{_LAST}{zone}'"
    return f"case when {v} between {between} then {iso} when isfinite({v}) then {v}::varchar end"


def _is_integer(kind: DuckDBPyType) -> bool:
    if kind.id == "decimal":
        size = dict(kind.children)
        return size["scale"] == 0 and size["precision"] > len(str(MAX_SAFE_INTEGER)) - 1  # type: ignore[operator]
    return kind.id in _INTEGERS


def _integer(v: str, wide: bool) -> str:
    safe = f"case when {v} between -{MAX_SAFE_INTEGER} and {MAX_SAFE_INTEGER} then"
    if wide:
        return f"{safe} to_json({v}::bigint) when {v} is not null then to_json({v}::varchar) end"
    # Mixing numbers and text costs twice the time, and large integers are rare.
    return f"{safe} {v}::bigint when {v} is not null then error('{LARGE_INTEGER}') end"


def _list(v: str, kind: DuckDBPyType, wide: bool, depth: int) -> str:
    item = f"x{depth}"
    value = _value(item, _children(kind)[0], wide, depth + 1)
    return v if value == item else f"list_transform({v}, lambda {item}: {value})"


def _struct(v: str, kind: DuckDBPyType, wide: bool, depth: int) -> str:
    names = [literal(name) for name, _ in kind.children]
    fields = [f"struct_extract({v}, {name})" for name in names]
    values = [_value(field, child, wide, depth) for field, child in zip(fields, _children(kind), strict=True)]
    return v if values == fields else f"case when {v} is not null then {_object('json_object', names, values)} end"


def _tuple(v: str, kind: DuckDBPyType, wide: bool, depth: int) -> str:
    fields = [f"struct_extract({v}, {n})" for n in range(1, len(kind.children) + 1)]
    values = [_value(field, child, wide, depth) for field, child in zip(fields, _children(kind), strict=True)]
    return v if values == fields else f"case when {v} is not null then json_array({', '.join(values)}) end"


def _map(v: str, kind: DuckDBPyType, wide: bool, depth: int) -> str:
    item = f"x{depth}"
    field = f"{item}.value"
    value = _value(field, _children(kind)[1], wide, depth + 1)
    entry = f"struct_pack(key := {item}.key, value := {value})"
    return v if value == field else f"map_from_entries(list_transform(map_entries({v}), lambda {item}: {entry}))"


def _object(function: str, names: Sequence[str], values: Sequence[str]) -> str:
    return f"{function}({', '.join(f'{name}, {value}' for name, value in zip(names, values, strict=True))})"


def _children(kind: DuckDBPyType) -> list[DuckDBPyType]:
    if kind.id not in _OBJECTS or kind.id == "variant":
        return []
    return [child for _, child in kind.children if isinstance(child, DuckDBPyType)]
