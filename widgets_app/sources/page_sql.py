"""The SQL around a query that gives one page of its result, in any dialect that sqlglot knows.

The author's text stays as it is; names come from the result's own columns, and values are bound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from sqlglot import exp

from widgets_app.sources.frame import FrameColumn
from widgets_app.sources.paging import DAY_LENGTH, Level, Test, Tests

Bind = Callable[[Any], exp.Expr]

_COMPARISONS: dict[str, type[exp.Binary]] = {
    "eq": exp.EQ, "ne": exp.NEQ, "gt": exp.GT, "ge": exp.GTE, "lt": exp.LT, "le": exp.LTE
}  # fmt: skip
_AGGREGATES: dict[str, type[exp.AggFunc]] = {"sum": exp.Sum, "avg": exp.Avg, "min": exp.Min, "max": exp.Max}
_WILD = str.maketrans({"!": "!!", "%": "!%", "_": "!_"})
_INNER, _PLACE = "q", "place"


class Dialect:
    """What databases say in their own ways; as it is here, it suits those that hold nothing but what JSON can show.

    A column's *key* is what rows are compared, grouped and sorted by: missing where a page shows nothing.
    """

    name: ClassVar[str] = ""
    # Functions that give the value of a group's first and last row, by the rows' places.
    ends: ClassVar[Mapping[str, str]] = {"first": "min_by", "last": "max_by"}

    def placeholder(self, name: str) -> str:
        """Return what stands for a bound value."""
        return f":{name}"

    def key(self, column: FrameColumn, value: exp.Column) -> exp.Expr:
        """Return the key of a column."""
        return value

    def shown(self, column: FrameColumn, key: exp.Expr) -> exp.Expr:
        """Return what a group shows for a key."""
        return key

    def text(self, column: FrameColumn, value: exp.Column) -> exp.Expr:
        """Return the text that a page shows."""
        return value if column.type == "text" else exp.cast(value, "text")

    def aggregated(self, column: FrameColumn, function: str, value: exp.Column) -> exp.Expr:
        """Return the sum or the mean of a column."""
        return _AGGREGATES[function](this=value)

    def compared(self, column: FrameColumn, operator: str, value: exp.Column, given: Any, bind: Bind) -> exp.Expr:
        """Return a comparison with one value, as the column's type may want it."""
        return self.comparison(operator, value, bind(given))

    def among(self, column: FrameColumn, value: exp.Column, given: Sequence[Any], bind: Bind) -> exp.Expr | None:
        """Return whether the column has one of some values, None where it can't have any of them."""
        return self.listed(value, given, bind)

    def listed(self, operand: exp.Expr, given: Sequence[Any], bind: Bind) -> exp.Expr:
        """Return whether an operand is one of some values."""
        return exp.In(this=operand, expressions=[bind(value) for value in given])

    def comparison(self, operator: str, operand: exp.Expr, given: exp.Expr) -> exp.Expr:
        """Return the comparison itself."""
        return _COMPARISONS[operator](this=operand, expression=given)


@dataclass
class PageSql:
    """Writes the statements for one level of a result; `values` has what they bind.

    `sql` is the author's statement, `taken` the names of its placeholders.
    """

    sql: str
    level: Level
    dialect: Dialect
    taken: Iterable[str]
    values: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Find a beginning for our own names that no placeholder of the author has."""
        self._prefix = "f"
        while any(name.lower().startswith(self._prefix) for name in self.taken):
            self._prefix += "_"

    def rows(self, start: int, count: int) -> str:
        """Return the statement for so many rows or groups of the level, always in the same order.

        The range is bound too, so that all pages of one level are one text.
        """
        query = self._filtered(exp.select(*self._columns()))
        if self.level.group:
            query = query.group_by(self._key(self.level.group), copy=False)
        if order := self._order():
            query = query.order_by(*order, copy=False)
        return self._text(query.limit(self._bound(count), copy=False).offset(self._bound(start), copy=False))

    def total(self) -> str:
        """Return the statement for how many rows or groups the level has."""
        if self.level.group is None:
            return self._text(self._filtered(exp.select(exp.alias_(_count(), "n"))))
        groups = self._filtered(exp.select(exp.alias_(self._key(self.level.group), "k")).distinct(copy=False))
        return self._text(exp.select(exp.alias_(_count(), "n")).from_(groups.subquery("g", copy=False)))

    def _text(self, query: exp.Select) -> str:
        return query.sql(dialect=self.dialect.name, copy=False)

    def _filtered(self, query: exp.Select) -> exp.Select:
        inner = exp.Subquery(this=exp.Var(this=f"\n{self.sql}\n"), alias=exp.TableAlias(this=exp.to_identifier(_INNER)))
        if any(function in self.dialect.ends for _, function in self.level.aggregates):
            inner = self._numbered(inner)
        self.values.clear()
        condition = self._tests(self.level.tests)
        query = query.from_(inner, copy=False)
        return query.where(condition, copy=False) if condition is not None else query

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
        group = self.level.group
        if group is None:
            return [exp.Star()]
        shown = [self._aliased(self.dialect.shown(group, self._key(group)), group.name)]
        if self.level.counted:
            shown.append(self._aliased(_count(), "count"))
        return shown + [
            self._aliased(self._shown(column, function), column.name) for column, function in self.level.aggregates
        ]

    def _shown(self, column: FrameColumn, function: str) -> exp.Expr:
        value = self._value(column, function)
        return value if function in ("sum", "avg", "count") else self.dialect.shown(column, value)

    def _value(self, column: FrameColumn, function: str) -> exp.Expr:
        """Return what groups are sorted by for a value that they show."""
        if function == "count":
            return _count()
        if function in ("sum", "avg"):
            return self.dialect.aggregated(column, function, self._column(column.name))
        if function in self.dialect.ends:
            # What a dialect lacks is an error of its own.
            place = self._column(self._place())
            return exp.func(self.dialect.ends[function], self._key(column), place, dialect=self.dialect.name)
        return _AGGREGATES[function](this=self._key(column))

    def _order(self) -> list[exp.Expr]:
        functions = {column.name: function for column, function in self.level.aggregates}
        keys = [
            (
                self._value(column, functions[column.name])
                if self.level.group and column.name in functions
                else self._key(column),
                down,
            )
            for column, down in self.level.sorts
        ]
        return [exp.Ordered(this=key, desc=down, nulls_first=False) for key, down in [*keys, *self._ties()]]

    def _ties(self) -> list[tuple[exp.Expr, bool]]:
        """Return what orders rows that are equal so far; without an order asked for, the author's own holds."""
        if self.level.group:
            columns = [self.level.group]
        else:
            columns = [column for column in self.level.columns if self.level.sorts and column.type != "object"]
        sorted_by = {column.name for column, _ in self.level.sorts}
        return [(self._key(column), False) for column in columns if column.name not in sorted_by]

    def _tests(self, tests: Tests) -> exp.Expr | None:
        parts = [part for each in tests.parts if (part := self._part(each)) is not None]
        if not parts:
            return exp.false() if tests.either else None
        return _any(parts) if tests.either else exp.and_(*parts, copy=False)

    def _part(self, part: Test | Tests) -> exp.Expr | None:
        if isinstance(part, Tests):
            return self._tests(part)
        if part.operator == "in":
            return self._in(part)
        if part.operator in ("blank", "notBlank"):
            return self._blank(part)
        if part.how == "text":
            return self._text_test(part)
        return self._on_day(part) if part.how == "day" else self._comparison(part)

    def _in(self, test: Test) -> exp.Expr:
        column, value = test.column, self._column(test.column.name)
        given = [one for one in test.values if one is not None and not test.is_as_shown(one)]
        as_shown = [one for one in test.values if test.is_as_shown(one)]
        parts = [self.dialect.among(column, value, given, self._bound)] if given else []
        if as_shown:
            parts.append(self.dialect.listed(self.dialect.text(column, value.copy()), as_shown, self._bound))
        if None in test.values:
            parts.append(exp.Is(this=self._key(column), expression=exp.Null()))
        return _any([part for part in parts if part is not None])

    def _blank(self, test: Test) -> exp.Expr:
        blank: exp.Expr = exp.Is(this=self._key(test.column), expression=exp.Null())
        if test.how == "text":
            blank = _any([blank, exp.EQ(this=exp.Trim(this=self._key(test.column)), expression=_string(""))])
        return blank if test.operator == "blank" else exp.not_(blank, copy=False)

    def _comparison(self, test: Test) -> exp.Expr:
        column = self._column(test.column.name)
        return self.dialect.compared(test.column, test.operator, column, test.values[0], self._bound)

    def _on_day(self, test: Test) -> exp.Expr:
        length = exp.Literal.number(DAY_LENGTH)
        day = exp.Substring(this=self._key(test.column), start=exp.Literal.number(1), length=length)
        return self.dialect.comparison(test.operator, day, self._bound(test.values[0]))

    def _text_test(self, test: Test) -> exp.Expr:
        text = self.dialect.text(test.column, self._column(test.column.name))
        given, negated = str(test.values[0]), test.operator in ("notContains", "notEqual")
        found: exp.Expr
        if test.operator in ("equals", "notEqual"):
            found = exp.EQ(this=exp.Lower(this=text), expression=exp.Lower(this=self._bound(given)))
        else:
            found = self._like(text, given, test.operator)
        if not negated:
            return found
        return _any([exp.Is(this=self._key(test.column), expression=exp.Null()), exp.not_(found, copy=False)])

    def _like(self, text: exp.Expr, given: str, operator: str) -> exp.Expr:
        before, after = "" if operator == "startsWith" else "%", "" if operator == "endsWith" else "%"
        plain = given.translate(_WILD)
        pattern = exp.Lower(this=self._bound(f"{before}{plain}{after}"))
        found = exp.Like(this=exp.Lower(this=text), expression=pattern)
        # Escapes keep DuckDB from the fast ways of searching.
        return found if plain == given else exp.Escape(this=found, expression=_string("!"))

    def _key(self, column: FrameColumn) -> exp.Expr:
        return self.dialect.key(column, self._column(column.name))

    def _column(self, name: str) -> exp.Column:
        return exp.column(name, table=_INNER, quoted=True)

    def _aliased(self, value: exp.Expr, name: str) -> exp.Expr:
        return exp.alias_(value, name, quoted=True)

    def _bound(self, value: Any) -> exp.Expr:
        name = f"{self._prefix}{len(self.values)}"
        self.values[name] = value
        return exp.var(self.dialect.placeholder(name))


def _any(parts: Sequence[exp.Expr]) -> exp.Expr:
    return exp.or_(*parts, copy=False) if parts else exp.false()


def _string(text: str) -> exp.Literal:
    return exp.Literal.string(text)


def _count() -> exp.Expr:
    return exp.Count(this=exp.Star())
