"""What pages need to know of DuckDB: how values of each type are compared, so that it fits what is shown."""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from duckdb.sqltypes import DuckDBPyType
from sqlglot import exp

from widgets_app.sources.frame import FrameColumn
from widgets_app.sources.json_sql import identifier, scalar_json
from widgets_app.sources.page_sql import Bind, Dialect
from widgets_app.sources.paging import INTEGER_LIMIT
from widgets_app.sources.plan import Cursor, Values

_TIMESTAMPS = frozenset({"timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns", "timestamp with time zone"})
# Types with values that no page shows: NaN, infinities, infinite dates.
_UNBOUNDED = frozenset({"float", "double", "date"}) | _TIMESTAMPS
_FLOATING = frozenset({"float", "double"})
# Integers that not all others can be compared with.
_UNCOMMON = frozenset({"uhugeint", "bignum"})
# Numbers with sums that may not fit their own type: these, and decimals with more digits than that.
_LARGE, _LARGE_DIGITS = frozenset({"hugeint", "uhugeint"}), 28
# How many digits of a decimal a floating number always keeps, and how many there can be.
_DOUBLE_DIGITS, _DECIMAL_LIMIT = 15, 10**38 - 1
# The same for a FLOAT, and numbers of decimal places that are tried to find its shortest digits.
_FLOAT_DIGITS, _PLACES = 7, (0, 2, 4)
_CASTS = {"float": "float", "timestamp with time zone": "timestamptz", "timestamp_ns": "timestamp_ns"}
# The times that nanoseconds reach to.
_NS_FIRST, _NS_LAST = datetime(1677, 9, 22), datetime(2262, 4, 11, 23, 47, 16, 854775)


class DuckDb(Dialect):
    """DuckDB, for columns of these types; those named `finite` are known to hold nothing that pages don't show."""

    name: ClassVar[str] = "duckdb"
    ends: ClassVar[Mapping[str, str]] = {"first": "arg_min_null", "last": "arg_max_null"}

    def __init__(self, kinds: Mapping[str, DuckDBPyType], finite: Collection[str] = ()) -> None:
        self._kinds = kinds
        self._finite = finite

    def placeholder(self, name: str) -> str:
        """Return a parameter with a name."""
        return f"${name}"

    def key(self, column: FrameColumn, value: exp.Column) -> exp.Expr:
        """Return the value itself, but null for NaN and infinities, and the text of types that JSON lacks."""
        kind = self._kinds[column.name].id
        if column.type == "text" and kind != "varchar":
            return _raw(f"({scalar_json(_sql(value), kind)})::varchar")
        return _raw(_finite(_sql(value))) if self._is_unbounded(column) else value

    def shown(self, column: FrameColumn, key: exp.Expr) -> exp.Expr:
        """Return the key, a FLOAT with its shortest digits."""
        return _raw(f"({_sql(key)})::varchar::double") if self._kinds[column.name].id == "float" else key

    def text(self, column: FrameColumn, value: exp.Column) -> exp.Expr:
        """Return the text as JSON has it, a whole number without the zero that JSON may add."""
        kind = self._kinds[column.name].id
        if column.type == "text":
            return self.key(column, value)
        written = f"({scalar_json(_sql(value), kind)})"
        if kind in _FLOATING or kind == "decimal":
            return _raw(f"regexp_replace(to_json({written})::varchar, '\\.0$', '')")
        return _raw(f"{written}::varchar")

    def aggregated(self, column: FrameColumn, function: str, value: exp.Column) -> exp.Expr:
        """Return the sum or the mean of what is shown, null where it is too large for a number."""
        kind = self._kinds[column.name]
        result = f"{function}({_summed(_sql(value), kind)})"
        exact = function == "sum" and kind.id not in _FLOATING and not _is_large(kind)
        return _raw(result if exact else _finite(result))

    def compared(self, column: FrameColumn, operator: str, value: exp.Column, given: Any, bind: Bind) -> exp.Expr:
        """Compare the column itself wherever it can be, so that DuckDB skips what it needn't read."""
        kind = self._kinds[column.name]
        operand = _operand(value, kind, exact=operator in ("eq", "ne"))
        found = self.comparison(operator, operand, _cast(kind, bind)(_suited(given, kind)))
        if operator == "eq" or not self._is_unbounded(column):
            return found
        return exp.and_(found, _raw(f"isfinite({_sql(value)})"), copy=False)

    def among(self, column: FrameColumn, value: exp.Column, given: Sequence[Any], bind: Bind) -> exp.Expr | None:
        """Compare the column itself wherever it can be."""
        if column.type == "text":
            return self.listed(self.key(column, value), given, bind)
        kind = self._kinds[column.name]
        suited = [one for each in given if _can_be(one := _suited(each, kind), kind)]
        return self.listed(_operand(value, kind, exact=True), suited, _cast(kind, bind)) if suited else None

    def listed(self, operand: exp.Expr, given: Sequence[Any], bind: Bind) -> exp.Expr:
        """Bind all the values as one list."""
        if len(given) == 1:
            return self.comparison("eq", operand, bind(given[0]))
        return _raw(f"{_sql(operand)} in (select unnest({_sql(bind(list(given)))}))")

    def _is_unbounded(self, column: FrameColumn) -> bool:
        return self._kinds[column.name].id in _UNBOUNDED and column.name not in self._finite


@dataclass(frozen=True, slots=True)
class KnownColumns:
    """The columns of a result; `finite` says which are known to hold only what pages show, and which are not."""

    names: tuple[str, ...]
    kinds: tuple[DuckDBPyType, ...]
    finite: dict[str, bool] = field(default_factory=dict)

    @property
    def dialect(self) -> DuckDb:
        """DuckDB, for these columns."""
        finite = {name for name, only in self.finite.items() if only}
        return DuckDb(dict(zip(self.names, self.kinds, strict=True)), finite)

    def look(self, cursor: Cursor, sql: str, values: Values) -> None:
        """Look once at what the columns of a statement hold, before its rows are sorted.

        DuckDB knows the ends of a stored column without reading it, and sorts it ten times faster than an expression.
        """
        names = [name for name, kind in zip(self.names, self.kinds, strict=True) if kind.id in _UNBOUNDED]
        if names and not self.finite:
            found = cursor.execute(_finiteness(sql, names), values).fetchone() or ()
            self.finite.update(zip(names, found, strict=True))


def _finiteness(sql: str, names: Iterable[str]) -> str:
    ends = [(f"min({name})", f"max({name})") for name in (f"q.{identifier(each)}" for each in names)]
    checks = [f"coalesce(isfinite({least}) and isfinite({greatest}), true)" for least, greatest in ends]
    return f"select {', '.join(checks)} from (\n{sql}\n) as q"  # noqa: S608  names are quoted


def _operand(value: exp.Column, kind: DuckDBPyType, *, exact: bool) -> exp.Expr:
    if kind.id in _UNCOMMON:
        return _raw(f"{_sql(value)}::double")
    # Without the text, DuckDB may be off by the last digit.
    if exact and _scale(kind) and _digits(kind) > _DOUBLE_DIGITS:
        return _raw(f"{_sql(value)}::varchar::double")
    return value


def _suited(given: Any, kind: DuckDBPyType) -> Any:
    """Return a value as one that DuckDB compares with this type without an error."""
    if kind.id == "timestamp_ns":
        return min(max(given, _NS_FIRST), _NS_LAST)
    if isinstance(given, bool) or not isinstance(given, int | float):
        return given
    if kind.id == "float":
        return _single(given)
    if _is_fractional(kind):
        return float(given)
    whole = int(given) if float(given).is_integer() else None
    limit = _DECIMAL_LIMIT if kind.id == "decimal" else INTEGER_LIMIT
    return whole if whole is not None and abs(whole) <= limit else float(given)


def _can_be(suited: Any, kind: DuckDBPyType) -> bool:
    """Say whether a column of this type can have the value."""
    return not isinstance(suited, float) or _is_fractional(kind)


def _single(number: float) -> float:
    """Return the nearest FLOAT."""
    try:
        found: float = struct.unpack("f", struct.pack("f", number))[0]
    except OverflowError:
        return float("inf") if number > 0 else float("-inf")
    return found


def _summed(v: str, kind: DuckDBPyType) -> str:
    if kind.id == "float":
        return _shortest(v)
    if kind.id == "double":
        return _finite(v)
    return f"{v}::double" if _is_large(kind) else v


def _shortest(v: str) -> str:
    """Return the number that the digits of a FLOAT say; by way of their text it would take twenty times as long."""
    cases = [f"when not isfinite({v}) then null"]
    for places in _PLACES:
        rounded = f"round({v}::double * 1e{places}) / 1e{places}"
        cases.append(f"when abs({v}) < 1e{_FLOAT_DIGITS - places} and ({rounded})::float = {v} then {rounded}")
    return f"case {' '.join(cases)} else {v}::varchar::double end"


def _is_fractional(kind: DuckDBPyType) -> bool:
    """Say whether values are compared as floating numbers."""
    return kind.id in _FLOATING or kind.id in _UNCOMMON or _scale(kind) > 0


def _is_large(kind: DuckDBPyType) -> bool:
    return kind.id in _LARGE or _digits(kind) > _LARGE_DIGITS


def _digits(kind: DuckDBPyType) -> int:
    return int(str(dict(kind.children)["precision"])) if kind.id == "decimal" else 0


def _scale(kind: DuckDBPyType) -> int:
    return int(str(dict(kind.children)["scale"])) if kind.id == "decimal" else 0


def _cast(kind: DuckDBPyType, bind: Bind) -> Bind:
    """Return what binds values, and lists of them, as the type of the column where they would come as another."""
    name = _CASTS.get(kind.id)
    if name is None:
        return bind
    return lambda given: _raw(f"{_sql(bind(given))}::{name}{'[]' if isinstance(given, list) else ''}")


def _finite(v: str) -> str:
    return f"case when isfinite({v}) then {v} end"


def _sql(value: exp.Expr) -> str:
    return value.sql(dialect=DuckDb.name)


def _raw(sql: str) -> exp.Expr:
    return exp.var(sql)
