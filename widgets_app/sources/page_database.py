"""What pages need to know of databases: how values of each type are compared, so that it fits what is shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

from sqlglot import exp

from widgets_app.sources import database_server
from widgets_app.sources.database_server import MYSQL_PLACE, Server, ServerColumn
from widgets_app.sources.database_text import escaped
from widgets_app.sources.frame import FrameColumn
from widgets_app.sources.page_sql import Bind, Dialect

# How many digits of a decimal a floating number always keeps.
DOUBLE_DIGITS = 15
# The largest floating number.
LARGEST = "1.7976931348623157e308"


class DatabaseDialect(Dialect):
    """A database, for columns of these types."""

    # Whether tests meet such a server.
    tested: ClassVar[bool] = True
    escapes: ClassVar[bool] = True
    ordered: ClassVar[str] = f"limit {2**63 - 1}"

    def __init__(self, columns: Mapping[str, ServerColumn]) -> None:
        self._columns = columns

    @classmethod
    def learn(cls, server: Server, run: Callable[[str], Any], sql: str) -> list[ServerColumn]:
        """Return the columns of a statement; `run` runs another one with the same values bound. May raise NotPaged."""
        return server.learn(run, sql)

    def named(self, name: str) -> str:
        """Return the name as SQLAlchemy's text() leaves it alone."""
        return escaped(name)

    def compared(self, column: FrameColumn, operator: str, value: exp.Column, given: Any, bind: Bind) -> exp.Expr:
        """Compare with a value of the column's own type."""
        operand, suited = self.operand(column, value, given)
        found = self.comparison(operator, operand, bind(suited))
        finite = None if operator == "eq" else self.finite(column, self._sql(value))
        return found if finite is None else exp.and_(found, _raw(finite), copy=False)

    def among(self, column: FrameColumn, value: exp.Column, given: Sequence[Any], bind: Bind) -> exp.Expr | None:
        """Compare with values of the column's own type."""
        suited = [self.operand(column, value, one) for one in given]
        return self.listed(suited[0][0], [one for _, one in suited], bind)

    def operand(self, column: FrameColumn, value: exp.Column, given: Any) -> tuple[exp.Expr, Any]:
        """Return what of the column is compared with a value, and the value as it has to be for that."""
        if column.type != "number":
            return self.key(column, value) if column.type == "text" else value, given
        mine = self._columns[column.name]
        if self.is_whole(mine):
            return value, _whole(given)
        if mine.digits is not None and mine.digits <= DOUBLE_DIGITS and self.is_decimal(mine):
            return value, Decimal(repr(given))
        return self.double(column, value), float(given)

    def is_decimal(self, column: ServerColumn) -> bool:
        """Say whether a number has decimal digits."""
        return column.type in ("numeric", "decimal")

    def is_whole(self, column: ServerColumn) -> bool:
        """Say whether a number is shown without decimal places in any case."""
        raise NotImplementedError

    def double(self, column: FrameColumn, value: exp.Column) -> exp.Expr:
        """Return a number as a floating one."""
        raise NotImplementedError

    def finite(self, column: FrameColumn, v: str) -> str | None:
        """Return the condition that a page shows the value at all, None where it always does."""
        return None

    def _type(self, column: FrameColumn) -> str:
        return self._columns[column.name].type

    def _sql(self, value: exp.Expr) -> str:
        return value.sql(dialect=self.name)


class PostgreSQL(DatabaseDialect):
    """PostgreSQL, in a session that writes times as ours do."""

    name: ClassVar[str] = "postgres"

    def key(self, column: FrameColumn, value: exp.Column) -> exp.Expr:
        """Return the value, text in the order of its bytes, without NaN and infinities."""
        v = self._sql(value)
        if column.type == "text":
            return _raw(f'({self._text(column, v)}) collate "C"')
        if self._type(column) == "float4":
            return _raw(f"case when {self.finite(column, v)} then {_shortest(v)} end")
        finite = self.finite(column, v)
        return _raw(f"case when {finite} then {v} end") if finite else value

    def finite(self, column: FrameColumn, v: str) -> str | None:
        """Return the test of a type that has values which aren't."""
        kind = self._type(column)
        if kind in ("float4", "float8"):
            return f"{v} < 'infinity' and {v} > '-infinity'"
        if kind == "numeric":
            return f"{v} - {v} = 0"
        return f"isfinite({v})" if kind in ("date", "timestamp", "timestamptz") else None

    def text(self, column: FrameColumn, value: exp.Column) -> exp.Expr:
        """Return the text as JSON has it."""
        v = self._sql(value)
        if column.type == "text":
            # Another collation knows small and large letters, or has no "like".
            return _raw(f'({self._text(column, v)}) collate "default"')
        return _raw(f"case when {self.finite(column, v) or 'true'} then {self._shown(column, v)} end")

    def aggregated(self, column: FrameColumn, function: str, value: exp.Column) -> exp.Expr:
        """Return an exact sum where the values are exact, and a mean as a floating number."""
        result = f"{function}({self._sql(self.key(column, value))})"
        return _raw(result if function == "sum" else f"cast({result} as float8)")

    def extreme(self, column: FrameColumn, function: str, key: exp.Expr) -> exp.Expr:
        """Return the least or the largest key; booleans have functions of their own."""
        if column.type == "boolean":
            return _raw(f"bool_{'and' if function == 'min' else 'or'}({self._sql(key)})")
        return super().extreme(column, function, key)

    def is_whole(self, column: ServerColumn) -> bool:
        """Say so of integers, and of decimals that are declared to have no places."""
        return column.type in ("int2", "int4", "int8", "oid") or (column.type == "numeric" and column.scale == 0)

    def double(self, column: FrameColumn, value: exp.Column) -> exp.Expr:
        """Return the number that the shown digits say; a decimal may be too large."""
        v, kind = self._sql(value), self._type(column)
        if kind == "float4":
            return _raw(_shortest(v))
        return _raw(f"cast(greatest(least({v}, 1e308), -1e308) as float8)") if kind == "numeric" else value

    def _text(self, column: FrameColumn, v: str) -> str:
        kind = self._type(column)
        if kind == "bytea":
            return f"translate(encode({v}, 'base64'), chr(10), '')"
        # Casting some types to text gives another text than the server sends.
        return v if kind in ("text", "varchar", "name") else f"case when {v} is not null then concat({v}) end"

    def _shown(self, column: FrameColumn, v: str) -> str:
        kind, text = self._type(column), f"cast({v} as text)"
        if kind == "float4":
            # Its own text has powers of ten from a million on.
            return _float_text(_shortest(v), f"cast({_shortest(v)} as text)")
        if kind == "float8":
            return _float_text(v, text)
        if kind == "numeric":
            return f"regexp_replace({text}, '\\.0$', '')"
        if kind in ("timestamp", "timestamptz"):
            iso = f"replace(replace({text}, ' ', 'T'), '+00', 'Z')"
            return f"case when {text} ~ '^[0-9]{{4}}-[^ ]+ [^ ]+$' then {iso} else {text} end"
        return text


def _shortest(v: str) -> str:
    """Return the number that the digits of a float4 say."""
    return f"cast(cast({v} as text) as float8)"


def _float_text(v: str, text: str) -> str:
    """Return the digits of a floating number as JSON has them: PostgreSQL begins to write powers of ten earlier."""
    plain = f"abs({v}) >= 1e15 and abs({v}) < 1e16 or abs({v}) >= 1e-5 and abs({v}) < 1e-4"
    return f"case when {plain} then cast(cast({text} as numeric) as text) else replace({text}, 'e-0', 'e-') end"


class MySQL(DatabaseDialect):
    """MariaDB and MySQL, with times in UTC. Text is compared by its bytes, as nothing else keeps blanks at its end."""

    name: ClassVar[str] = "mysql"

    def key(self, column: FrameColumn, value: exp.Column) -> exp.Expr:
        """Return the value, text as its bytes, without the date that stands for a missing one."""
        v = self._sql(value)
        if column.type == "text":
            return _raw(_bytes(self._text(column, v)))
        if self._type(column) == "float":
            return self.double(column, value)
        finite = self.finite(column, v)
        return _raw(f"case when {finite} then {v} end") if finite else value

    def finite(self, column: FrameColumn, v: str) -> str | None:
        """Return the test of a type that has a value which is shown as missing."""
        return f"{v} <> 0" if column.type in ("date", "datetime") else None

    def shown(self, column: FrameColumn, key: exp.Expr) -> exp.Expr:
        """Return the text of the bytes."""
        return _raw(f"convert({self._sql(key)} using utf8mb4)") if column.type == "text" else key

    def text(self, column: FrameColumn, value: exp.Column) -> exp.Expr:
        """Return the text as JSON has it."""
        v = self._sql(value)
        if column.type == "text":
            return _raw(self._text(column, v))
        return _raw(self._shown(column, self._sql(self.key(column, value))))

    def aggregated(self, column: FrameColumn, function: str, value: exp.Column) -> exp.Expr:
        """Return an exact sum where the values are exact; a mean of theirs would have four places."""
        key = self._sql(self.key(column, value))
        return _raw(f"sum({key})" if function == "sum" else f"(sum({key}) + 0e0) / count({key})")

    def place(self) -> exp.Expr:
        """Count the rows: a window over rows without an order may have them in any."""
        return _raw(escaped(f"({MYSQL_PLACE} := {MYSQL_PLACE} + 1)"))

    def folded(self, text: exp.Expr) -> exp.Expr:
        """Return the bytes of a text in lower case."""
        return _raw(_bytes(f"lower(convert({self._sql(text)} using utf8mb4))"))

    def is_whole(self, column: ServerColumn) -> bool:
        """Say so of integers, and of decimals without places."""
        return column.type == "integer" or (column.type == "decimal" and column.scale == 0)

    def double(self, column: FrameColumn, value: exp.Column) -> exp.Expr:
        """Return the number; the server shows a float with six digits."""
        v = self._sql(value)
        return _raw(f"(concat({v}) + 0e0)" if self._type(column) == "float" else f"({v} + 0e0)")

    def _text(self, column: FrameColumn, v: str) -> str:
        if self._type(column) == "bytes":
            return f"replace(to_base64(cast({v} as binary)), char(10), '')"
        return f"convert({v} using utf8mb4)"

    def _shown(self, column: FrameColumn, v: str) -> str:
        kind, text = self._type(column), f"cast({v} as char)"
        if kind in ("float", "double"):
            power = f"replace(replace({text}, 'e', 'e+'), 'e+-', 'e-')"
            plain = f"trim(trailing '.' from trim(trailing '0' from cast({v} as decimal(65, 30))))"
            return f"case when abs({v}) >= 1e15 and abs({v}) < 1e16 then {plain} else {power} end"
        if kind == "decimal":
            return f"case when {text} like '%.0' then trim(trailing '.0' from {text}) else {text} end"
        if kind in ("datetime", "timestamp"):
            short = f"trim(trailing '.' from trim(trailing '0' from {text}))"
            iso = f"replace(case when {text} like '%.%' then {short} else {text} end, ' ', 'T')"
            return f"concat({iso}, 'Z')" if kind == "timestamp" else iso
        return text


def _bytes(text: str) -> str:
    return f"cast({text} as binary)"


class SQLite(DatabaseDialect):
    """SQLite, with the functions of `database_sqlite`. A column's type is what its values have: see `learned`."""

    name: ClassVar[str] = "sqlite"
    escapes: ClassVar[bool] = False

    def key(self, column: FrameColumn, value: exp.Column) -> exp.Expr:
        """Return the value, text in the order of its bytes, without infinities."""
        v = self._sql(value)
        if column.type == "text":
            return _raw(f"{self._text(column, v)} collate binary")
        return _raw(f"case when {self.finite(column, v)} then {v} end") if self._type(column) == "real" else value

    def finite(self, column: FrameColumn, v: str) -> str | None:
        """Return the test of a type that has infinities."""
        return f"{v} between -{LARGEST} and {LARGEST}" if self._type(column) == "real" else None

    def text(self, column: FrameColumn, value: exp.Column) -> exp.Expr:
        """Return the text as JSON has it."""
        return _raw(f"widgets_shown({self._sql(value)})") if column.type == "number" else self.key(column, value)

    def aggregated(self, column: FrameColumn, function: str, value: exp.Column) -> exp.Expr:
        """Return a sum that is exact as long as it fits."""
        name = "widgets_sum" if function == "sum" else "widgets_mean"
        return _raw(f"{name}({self._sql(self.key(column, value))})")

    def folded(self, text: exp.Expr) -> exp.Expr:
        """Return a text in lower case, whatever its language."""
        return _raw(f"widgets_folded({self._sql(text)})")

    def operand(self, column: FrameColumn, value: exp.Column, given: Any) -> tuple[exp.Expr, Any]:
        """Compare numbers as they are: SQLite does so exactly."""
        if column.type != "number":
            return self.key(column, value), given
        # Without the plus, a column that is declared as text would make text of the number.
        fits = isinstance(given, float) or -(2**63) <= given < 2**63
        return _raw(f"+{self._sql(value)}"), given if fits else float(given)

    def _text(self, column: FrameColumn, v: str) -> str:
        return v if self._type(column) == "text" else f"widgets_shown({v})"


DIALECTS: Mapping[type[Server], type[DatabaseDialect]] = {
    database_server.PostgreSQL: PostgreSQL,
    database_server.MySQL: MySQL,
    database_server.SQLite: SQLite,
}


def _whole(given: float) -> int | Decimal:
    return int(given) if float(given).is_integer() else Decimal(given)


def _raw(sql: str) -> exp.Expr:
    return exp.var(sql)
