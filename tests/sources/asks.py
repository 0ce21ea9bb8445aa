"""What grids may ask of a table, in as many ways as there are, and how its answers are compared."""

from __future__ import annotations

import datetime
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from widgets_app.sources.base import Call, Limits
from widgets_app.sources.paging import Aggregate, Condition, PageAsk, PagedQuery, Sort, Together

WORD = ["", " ", "a", "A", "ab", "b", "a_b", "a%b", "a!b", "it's", "10", "2024-01-02"]
NUMBER = [-3, -1, 0, 1, 2, 3, 2**53 + 1, -(2**60)]
DAY = [datetime.date(2024, 1, day) for day in (1, 2, 3, 4)]
TIME = [datetime.datetime(2024, 1, day, hour) for day in (1, 2, 3) for hour in (0, 12)]

WORDS, NUMBERS = st.sampled_from(WORD), st.sampled_from(NUMBER)
DAYS, TIMES = st.sampled_from(DAY), st.sampled_from(TIME)
EXTREMES = st.sampled_from([2**127 - 1, 2**127, -(10**37), 10**40, 1e300, -1e39, 2**64, "1e38", 1.5, 0.1])
MOMENTS = st.one_of(
    TIMES.map(str),
    DAYS.map(str),
    st.sampled_from(["0001-01-01", "9999-12-31", "1500-01-01 01:00:00", "2024-01-01T01:00+02:00"]),
)
PARTS = st.sampled_from(
    ["", "a", "A", "0", "1", ".", "-", "T12", "T", "5", "e", "=", "Z", "(BC)", "true", "%", "_", "2024-01-01"]
)
TEXTS = ["contains", "notContains", "equals", "notEqual", "startsWith", "endsWith", "blank", "notBlank", "odd"]
ORDERS = ["equals", "notEqual", "greaterThan", "greaterThanOrEqual", "lessThan", "lessThanOrEqual", "inRange", "blank"]
FUNCTIONS = ["sum", "avg", "min", "max", "count", "first", "last"]


@dataclass(frozen=True)
class Fields:
    """The columns of a table by what they hold; `shown` are values as pages show them, and so as groups are opened.

    `inexact` are those whose sums depend on the order in which they are added.
    """

    names: Collection[str]
    words: Sequence[str]
    numeric: Sequence[str]
    dated: Sequence[str]
    shown: Sequence[Any]
    inexact: Collection[str]

    def asks(self) -> st.SearchStrategy[PageAsk]:
        """Return any requests for a page."""
        columns = st.sampled_from([*self.names, "nothing", "word; drop table t"])
        shown = st.sampled_from(list(self.shown))
        # What may come for any column: what fits it, what fits another, and what fits none.
        values = st.one_of(
            WORDS, NUMBERS, shown, shown, EXTREMES, st.booleans(), DAYS.map(str), TIMES.map(str),
            st.sampled_from(["0.5", "1e999", "nan", "true", "'"]),
        )  # fmt: skip
        single = st.one_of(
            _conditions(st.sampled_from(self.words), "text", TEXTS, WORDS),
            _conditions(columns, "text", TEXTS, PARTS),
            _conditions(columns, "text", ["equals", "notEqual", "startsWith"], shown),
            _conditions(st.sampled_from(self.numeric), "number", ORDERS, NUMBERS | EXTREMES | shown),
            _conditions(st.sampled_from([*self.dated, "word"]), "date", ORDERS, MOMENTS),
            _conditions(columns, "set", ["in"], values | st.none()),
            _conditions(st.just("yes"), "boolean", ["in", "blank"], st.booleans()),
            _conditions(columns.filter(lambda name: name != "word"), "number", ORDERS, values),
            _conditions(columns, "date", ORDERS, values),
        )
        filters = single | st.builds(Together, st.lists(single, min_size=1, max_size=3).map(tuple), st.booleans())
        aggregates = st.builds(Aggregate, columns, st.sampled_from(FUNCTIONS))
        return st.builds(
            PageAsk,
            start=st.just(0),
            end=st.just(100),
            sorts=st.lists(st.builds(Sort, columns, st.booleans()), max_size=3).map(tuple),
            filters=st.lists(filters, max_size=2).map(tuple),
            groups=st.just(()) | st.lists(columns, max_size=3).map(tuple),
            aggregates=st.lists(aggregates, max_size=3).map(tuple),
            keys=st.lists(values | st.none(), max_size=2).map(tuple),
        ).filter(self._is_settled)

    def _is_settled(self, ask: PageAsk) -> bool:
        """Say whether the order of groups doesn't hang on the last digit of a sum."""
        inexact = {one.column for one in ask.aggregates if one.function in ("sum", "avg")} & set(self.inexact)
        return not (ask.groups and inexact & {sort.column for sort in ask.sorts})


def _conditions(columns: st.SearchStrategy[str], kind: Any, operators: list[str], values: Any) -> Any:
    given = st.lists(values, min_size=0 if kind == "set" else 2, max_size=3).map(tuple)
    return st.builds(Condition, columns, st.just(kind), st.sampled_from(operators), given)


def pages(query: PagedQuery, ask: PageAsk, size: int = 33) -> list[dict[str, Any]]:
    """Return all rows of a level, fetched in pages."""
    rows: list[dict[str, Any]] = []
    total = query.count({}, ask, Limits(), Call())
    while len(rows) < total:
        found = query.page({}, replace(ask, start=len(rows), end=len(rows) + size), Limits(), Call()).rows()
        assert found, "a page within the total is empty"
        rows += found
    return rows


def same(found: list[dict[str, Any]], expected: Sequence[Mapping[str, Any]]) -> bool:
    """Compare rows; sums of floating numbers depend on the order in which they are added."""
    return len(found) == len(expected) and all(
        list(one) == list(other) and all(_same(one[name], other[name]) for name in one)
        for one, other in zip(found, expected, strict=True)
    )


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and other is not None:
        return math.isclose(one, float(other), rel_tol=1e-12)
    return bool(one == other)
