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
_ENDS = ("first", "last")
_INNER, _PLACE, _END = "q", "place", "end"
_TEXT = "the_text_of_the_author"


class Dialect:
    """What databases say in their own ways; as it is here, it suits those that hold nothing but what JSON can show.

    A column's *key* is what rows are compared, grouped and sorted by: missing where a page shows nothing.
    """

    name: ClassVar[str] = ""
    # Functions that give the value of a group's first and last row, by the rows' places. Without them, windows do.
    ends: ClassVar[Mapping[str, str]] = {}
    # Whether a pattern that needs no escapes has to say so, as some character escapes all the same.
    escapes: ClassVar[bool] = False
    # Characters that stand for others in a pattern.
    wild: ClassVar[str] = "%_"
    # What keeps the order of a query with an "order by" when it stands in brackets, put behind it.
    ordered: ClassVar[str] = ""
    # Whether rows come in the author's order, and without one in the same each time.
    in_order: ClassVar[bool] = True

    def placeholder(self, name: str) -> str:
        """Return what stands for a bound value."""
        return f":{name}"

    def named(self, name: str) -> str:
        """Return a column's name as it stands between quotes."""
        return name

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

    def extreme(self, column: FrameColumn, function: str, key: exp.Expr) -> exp.Expr:
        """Return the least or the largest key, as `function` says."""
        return _AGGREGATES[function](this=key)

    def place(self) -> exp.Expr:
        """Return a row's place in the order in which the rows come."""
        return exp.Window(this=exp.RowNumber())

    def folded(self, text: exp.Expr) -> exp.Expr:
        """Return a text without the difference between upper and lower case."""
        return exp.Lower(this=text)

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

    `sql` is the author's statement, `taken` the names of its placeholders; `ordered` says that it orders its rows.
    """

    sql: str
    level: Level
    dialect: Dialect
    taken: Iterable[str]
    ordered: bool = False
    values: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Find a beginning for our own names that no placeholder of the author has, and a word that no column has."""
        names = " ".join(column.name for column in self.level.columns)
        # Some dialects look into what they write, and so have to know all of it.
        self._text_stands_here = _TEXT
        while self._text_stands_here in names:
            self._text_stands_here += "_"
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
        around = query.sql(dialect=self.dialect.name, copy=False)
        return around.replace(self._text_stands_here, f"(\n{self.sql}\n{self._ending})", 1)

    def _filtered(self, query: exp.Select) -> exp.Select:
        self.values.clear()
        ends = [(column, function) for column, function in self.level.aggregates if function in _ENDS]
        inner: exp.Expr = self._inner(in_order=bool(ends) or not (self.level.group or self.level.sorts))
        if ends:
            inner = self._numbered(inner)
        condition = self._tests(self.level.tests)
        if ends and not self.dialect.ends:
            inner, condition = self._with_ends(inner, condition, ends), None
        query = query.from_(inner, copy=False)
        return query.where(condition, copy=False) if condition is not None else query

    def _inner(self, *, in_order: bool) -> exp.Table:
        self._ending = f"{self.dialect.ordered}\n" if in_order and self.ordered and self.dialect.ordered else ""
        return exp.Table(this=exp.to_identifier(self._text_stands_here), alias=exp.TableAlias(this=_inner()))

    def _numbered(self, inner: exp.Expr) -> exp.Subquery:
        """Add each row's place in the order that the author gave the rows."""
        place = self._aliased(self.dialect.place(), self._own(_PLACE))
        return exp.select(_all_columns(), place).from_(inner).subquery(_inner())

    def _with_ends(
        self, inner: exp.Expr, condition: exp.Expr | None, ends: Iterable[tuple[FrameColumn, str]]
    ) -> exp.Subquery:
        """Add what the first or the last row of each row's group has, of the rows that the condition lets through."""
        windows = [self._aliased(self._end(column, function), self._own(_END, column)) for column, function in ends]
        query = exp.select(_all_columns(), *windows).from_(inner)
        return (query.where(condition, copy=False) if condition is not None else query).subquery(_inner())

    def _end(self, column: FrameColumn, function: str) -> exp.Expr:
        place = exp.Ordered(this=self._column(self._own(_PLACE)), desc=function == "last")
        return exp.Window(
            this=exp.FirstValue(this=self._key(column)),
            partition_by=[self._key(self.level.group)] if self.level.group else [],
            order=exp.Order(expressions=[place]),
        )

    def _own(self, name: str, column: FrameColumn | None = None) -> str:
        """Return a name that no column has."""
        name += str(self.level.columns.index(column)) if column else ""
        names = {one.name.lower() for one in self.level.columns}
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
            place = self._column(self._own(_PLACE))
            return exp.func(self.dialect.ends[function], self._key(column), place, dialect=self.dialect.name)
        if function in _ENDS:
            # All rows of a group have the same.
            return self.dialect.extreme(column, "min", self._column(self._own(_END, column)))
        return self.dialect.extreme(column, function, self._key(column))

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
            needed = self.level.sorts or not self.dialect.in_order
            columns = [column for column in self.level.columns if needed and column.type != "object"]
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
            found = exp.EQ(this=self.dialect.folded(text), expression=self.dialect.folded(self._bound(given)))
        else:
            found = self._like(text, given, test.operator)
        if not negated:
            return found
        return _any([exp.Is(this=self._key(test.column), expression=exp.Null()), exp.not_(found, copy=False)])

    def _like(self, text: exp.Expr, given: str, operator: str) -> exp.Expr:
        before, after = "" if operator == "startsWith" else "%", "" if operator == "endsWith" else "%"
        plain = given.translate({ord(letter): f"!{letter}" for letter in f"!{self.dialect.wild}"})
        pattern = self.dialect.folded(self._bound(f"{before}{plain}{after}"))
        found = exp.Like(this=self.dialect.folded(text), expression=pattern)
        # Escapes keep DuckDB from the fast ways of searching.
        needless = plain == given and not self.dialect.escapes
        return found if needless else exp.Escape(this=found, expression=_string("!"))

    def _key(self, column: FrameColumn) -> exp.Expr:
        return self.dialect.key(column, self._column(column.name))

    def _column(self, name: str) -> exp.Column:
        return exp.column(self.dialect.named(name), table=_INNER, quoted=True)

    def _aliased(self, value: exp.Expr, name: str) -> exp.Expr:
        return exp.alias_(value, self.dialect.named(name), quoted=True)

    def _bound(self, value: Any) -> exp.Expr:
        name = f"{self._prefix}{len(self.values)}"
        self.values[name] = value
        return exp.var(self.dialect.placeholder(name))


def _any(parts: Sequence[exp.Expr]) -> exp.Expr:
    return exp.or_(*parts, copy=False) if parts else exp.false()


def _all_columns() -> exp.Column:
    return exp.Column(this=exp.Star(), table=_inner())


def _inner() -> exp.Identifier:
    # Quoted in all places: some tell small letters from large ones, but not without quotes.
    return exp.to_identifier(_INNER, quoted=True)


def _string(text: str) -> exp.Literal:
    return exp.Literal.string(text)


def _count() -> exp.Expr:
    return exp.Count(this=exp.Star())
