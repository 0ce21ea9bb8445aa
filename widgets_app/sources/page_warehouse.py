"""Pages in the SQL of warehouses, of which only the text is tested here: what isn't sure to be right is left to others.

They compare text by its bytes, and have "nulls last" and "like … escape". An error of theirs is no error of the page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from sqlglot import exp

from widgets_app.sources.database_server import Server, ServerColumn
from widgets_app.sources.frame import ColumnType, FrameColumn
from widgets_app.sources.page_database import LARGEST, DatabaseDialect
from widgets_app.sources.paging import NotPaged

# The words that drivers have for types whose values are compared as they are shown, without brackets behind them.
_NAMES: Mapping[str, tuple[ColumnType, str]] = {
    **dict.fromkeys(("tinyint", "smallint", "int", "integer", "bigint"), ("number", "integer")),
    "double": ("number", "double"),
    "decimal": ("number", "decimal"),
    **dict.fromkeys(("varchar", "string"), ("text", "text")),
    "boolean": ("boolean", "boolean"),
    "date": ("date", "date"),
    **dict.fromkeys(("timestamp", "timestamp_ntz"), ("datetime", "timestamp")),
}
# The numbers that Snowflake has for them.
_NUMBERS: Mapping[int, str] = {0: "decimal", 1: "double", 2: "varchar", 3: "date", 8: "timestamp_ntz", 13: "boolean"}
_BRACKETS = re.compile(r"\(\d+(, ?\d+)?\)")


class Warehouse(DatabaseDialect):
    """A warehouse whose driver tells the types of columns."""

    tested: ClassVar[bool] = False
    in_order: ClassVar[bool] = False
    # Types that are something else there.
    other: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def learn(cls, server: Server, run: Callable[[str], Any], sql: str) -> list[ServerColumn]:
        """Ask the driver. Raises NotPaged for a type that isn't known well enough."""
        return [cls._column(*column[:2], *column[4:6]) for column in server.probed(run, sql).description]

    @classmethod
    def _column(cls, name: str, code: object, digits: int | None, scale: int | None) -> ServerColumn:
        word = _NUMBERS.get(code, "") if isinstance(code, int) else _BRACKETS.sub("", str(code).lower(), count=1)
        if word in cls.other or word not in _NAMES:
            raise NotPaged
        kind, own = _NAMES[word]
        if own != "decimal":
            return ServerColumn(str(name), kind, own)
        return ServerColumn(str(name), kind, "integer" if scale == 0 else own, digits, scale)

    def key(self, column: FrameColumn, value: exp.Column) -> exp.Expr:
        """Return the value, without NaN and infinities."""
        finite = self.finite(column, self._sql(value))
        return exp.var(f"case when {finite} then {self._sql(value)} end") if finite else value

    def finite(self, column: FrameColumn, v: str) -> str | None:
        """Return the test of a type that has values which aren't."""
        if self._type(column) != "double":
            return None
        return f"{v} between {self._sql(_double(f'-{LARGEST}'))} and {self._sql(_double(LARGEST))}"

    def text(self, column: FrameColumn, value: exp.Column) -> exp.Expr:
        """Return the text as JSON has it. Raises NotPaged for what each writes in a way of its own."""
        if column.type == "text":
            return value
        if self._type(column) != "integer":
            raise NotPaged
        return exp.cast(value, "varchar")

    def place(self) -> exp.Expr:
        """Raise NotPaged: rows come in any order."""
        raise NotPaged

    def aggregated(self, column: FrameColumn, function: str, value: exp.Column) -> exp.Expr:
        """Return a sum, or a mean as a floating number."""
        key = self.key(column, value)
        return exp.Sum(this=key) if function == "sum" else exp.Avg(this=exp.cast(key, "double"))

    def extreme(self, column: FrameColumn, function: str, key: exp.Expr) -> exp.Expr:
        """Return the least or the largest key. Raises NotPaged for booleans, which not all can order."""
        if column.type == "boolean":
            raise NotPaged
        return super().extreme(column, function, key)

    def is_whole(self, column: ServerColumn) -> bool:
        """Say so of integers, and of decimals without places."""
        return column.type == "integer"

    def double(self, column: FrameColumn, value: exp.Column) -> exp.Expr:
        """Return a number as a floating one."""
        return exp.cast(value, "double") if self._type(column) == "decimal" else value


class Snowflake(Warehouse):
    """Snowflake."""

    name: ClassVar[str] = "snowflake"


class Databricks(Warehouse):
    """Databricks, whose plain timestamps are instants."""

    name: ClassVar[str] = "databricks"
    other: ClassVar[frozenset[str]] = frozenset({"timestamp"})


WAREHOUSES: Mapping[str, type[Warehouse]] = {one.name: one for one in (Snowflake, Databricks)}


def _double(text: str) -> exp.Expr:
    # As a number, some would take it for a decimal.
    return exp.cast(exp.Literal.string(text), "double")
