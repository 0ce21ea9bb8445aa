"""The SQL around a query that gives one page of its result, in any dialect that sqlglot knows.

The author's text stays as it is; names come from the result's own columns, and values are bound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp

from widgets_app.sources.paging import Level, Test, Tests

_COMPARISONS: dict[str, type[exp.Binary]] = {
    "eq": exp.EQ, "ne": exp.NEQ, "gt": exp.GT, "ge": exp.GTE, "lt": exp.LT, "le": exp.LTE
}  # fmt: skip
_AGGREGATES: dict[str, type[exp.AggFunc]] = {"sum": exp.Sum, "avg": exp.Avg, "min": exp.Min, "max": exp.Max}
# Of the rows of a group in their order; what a dialect lacks is an error of its own.
_ENDS = {"first": "arg_min_null", "last": "arg_max_null"}
_WILD = str.maketrans({"!": "!!", "%": "!%", "_": "!_"})
_INNER, _PLACE = "q", "place"


@dataclass
class PageSql:
    """Writes the statements for one level of a result; `values` has what they bind.

    `sql` is the author's statement, `taken` the names of its placeholders, and `write` makes a placeholder of a name.
    """

    sql: str
    level: Level
    dialect: str
    taken: Iterable[str]
    write: Callable[[str], str]
    values: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Find a beginning for our own names that no placeholder of the author has."""
        self._prefix = "f"
        while any(name.lower().startswith(self._prefix) for name in self.taken):
            self._prefix += "_"

    def rows(self, start: int, count: int) -> str:
        """Return the statement for so many rows or groups of the level, always in the same order."""
        query = self._filtered(exp.select(*self._columns()))
        if self.level.group:
            query = query.group_by(self._column(self.level.group.name))
        if order := self._order():
            query = query.order_by(*order)
        query = query.limit(count)
        return self._text(query.offset(start) if start else query)

    def total(self) -> str:
        """Return the statement for how many rows or groups the level has."""
        if self.level.group is None:
            return self._text(self._filtered(exp.select(exp.alias_(_count(), "n"))))
        groups = self._filtered(exp.select(self._column(self.level.group.name)).distinct())
        return self._text(exp.select(exp.alias_(_count(), "n")).from_(groups.subquery("g")))

    def _text(self, query: exp.Select) -> str:
        return query.sql(dialect=self.dialect)

    def _filtered(self, query: exp.Select) -> exp.Select:
        inner = exp.Subquery(this=exp.Var(this=f"\n{self.sql}\n"), alias=exp.TableAlias(this=exp.to_identifier(_INNER)))
        if any(function in _ENDS for _, function in self.level.aggregates):
            inner = self._numbered(inner)
        self.values.clear()
        condition = self._tests(self.level.tests)
        return query.from_(inner).where(condition) if condition is not None else query.from_(inner)

    def _numbered(self, inner: exp.Subquery) -> exp.Subquery:
        """Add each row's place in the order that the author gave the rows."""
        place = exp.alias_(exp.Window(this=exp.RowNumber()), self._place(), quoted=True)
        return exp.select("*", place).from_(inner).subquery(_INNER)

    def _place(self) -> str:
        name, names = _PLACE, {column.name.lower() for column in self.level.columns}
        while name in names:
            name += "_"
        return name

    def _columns(self) -> list[exp.Expr]:
        if self.level.group is None:
            return [exp.Star()]
        shown = [self._aliased(self._column(self.level.group.name), self.level.group.name)]
        if self.level.counted:
            shown.append(self._aliased(_count(), "count"))
        return shown + [self._aliased(self._value(name), name) for name in self._aggregated()]

    def _aggregated(self) -> dict[str, str]:
        return {column.name: function for column, function in self.level.aggregates}

    def _value(self, name: str) -> exp.Expr:
        """Return the value that groups show of a column."""
        function = self._aggregated()[name]
        if function == "count":
            return _count()
        if function in _ENDS:
            return exp.func(_ENDS[function], self._column(name), self._column(self._place()), dialect=self.dialect)
        return _AGGREGATES[function](this=self._column(name))

    def _order(self) -> list[exp.Expr]:
        aggregated = self._aggregated()
        keys = [
            (
                self._value(column.name)
                if self.level.group and column.name in aggregated
                else self._column(column.name),
                down,
            )
            for column, down in self.level.sorts
        ]
        return [exp.Ordered(this=key, desc=down, nulls_first=False) for key, down in [*keys, *self._ties()]]

    def _ties(self) -> list[tuple[exp.Expr, bool]]:
        """Return what orders rows that are equal so far; without an order asked for, the author's own holds."""
        if self.level.group:
            names = [self.level.group.name]
        else:
            names = [column.name for column in self.level.columns if self.level.sorts and column.type != "object"]
        sorted_by = {column.name for column, _ in self.level.sorts}
        return [(self._column(name), False) for name in names if name not in sorted_by]

    def _tests(self, tests: Tests) -> exp.Expr | None:
        parts = [part for each in tests.parts if (part := self._part(each)) is not None]
        if not parts:
            return exp.false() if tests.either else None
        return exp.or_(*parts) if tests.either else exp.and_(*parts)

    def _part(self, part: Test | Tests) -> exp.Expr | None:
        if isinstance(part, Tests):
            return self._tests(part)
        if part.operator == "in":
            return self._in(part)
        if part.operator in ("blank", "notBlank"):
            return self._blank(part)
        return self._text_test(part) if part.how == "text" else self._comparison(part)

    def _in(self, test: Test) -> exp.Expr:
        column = self._operand(test)
        bound = [self._bound(value) for value in test.values if value is not None]
        parts: list[exp.Expr] = [exp.In(this=column, expressions=bound)] if bound else []
        if None in test.values:
            parts.append(exp.Is(this=column.copy(), expression=exp.Null()))
        return exp.or_(*parts) if parts else exp.false()

    def _blank(self, test: Test) -> exp.Expr:
        column = self._column(test.column.name)
        blank: exp.Expr = exp.Is(this=column, expression=exp.Null())
        if test.how == "text":
            blank = exp.or_(blank, exp.EQ(this=exp.Trim(this=column.copy()), expression=exp.Literal.string("")))
        return blank if test.operator == "blank" else exp.not_(blank)

    def _comparison(self, test: Test) -> exp.Expr:
        return _COMPARISONS[test.operator](this=self._operand(test), expression=self._bound(test.values[0]))

    def _operand(self, test: Test) -> exp.Expr:
        column = self._column(test.column.name)
        if test.how == "day":
            return exp.Substring(this=column, start=exp.Literal.number(1), length=exp.Literal.number(10))
        # Times with a zone are compared in UTC, as they are sent.
        return exp.cast(column, "timestamp") if test.column.type == "datetime" else column

    def _text_test(self, test: Test) -> exp.Expr:
        column = self._column(test.column.name)
        text = column if test.column.type == "text" else exp.cast(column, "text")
        given, negated = str(test.values[0]), test.operator in ("notContains", "notEqual")
        found: exp.Expr
        if test.operator in ("equals", "notEqual"):
            found = exp.EQ(this=exp.Lower(this=text), expression=exp.Lower(this=self._bound(given)))
        else:
            found = self._like(text, given, test.operator)
        return exp.or_(exp.Is(this=column.copy(), expression=exp.Null()), exp.not_(found)) if negated else found

    def _like(self, text: exp.Expr, given: str, operator: str) -> exp.Expr:
        before, after = "" if operator == "startsWith" else "%", "" if operator == "endsWith" else "%"
        plain = given.translate(_WILD)
        pattern = exp.Lower(this=self._bound(f"{before}{plain}{after}"))
        found = exp.Like(this=exp.Lower(this=text), expression=pattern)
        # Escapes keep DuckDB from the fast ways of searching.
        return found if plain == given else exp.Escape(this=found, expression=exp.Literal.string("!"))

    def _column(self, name: str) -> exp.Column:
        return exp.column(name, table=_INNER, quoted=True)

    def _aliased(self, value: exp.Expr, name: str) -> exp.Expr:
        return exp.alias_(value, name, quoted=True)

    def _bound(self, value: Any) -> exp.Expr:
        name = f"{self._prefix}{len(self.values)}"
        self.values[name] = value
        return exp.var(self.write(name))


def _count() -> exp.Expr:
    return exp.Count(this=exp.Star())
