"""Conditions on what callers hold: they hold for a star, and show nobody more than their text says."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from itertools import product
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from widgets_app.errors import DefinitionError
from widgets_app.sources.row_conditions import with_all_rows


@pytest.mark.parametrize("dialect", ["duckdb", "postgres", "mysql", "sqlite", "tsql", "snowflake", ""])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("where a in :key_a", "where (a in :key_a or :key_a is null)"),
        ("where t.a in (:key_a) -- own", "where (t.a in :key_a or :key_a is null) -- own"),
        ("where f(g(a), 1) in :key_a limit 1", "where (f(g(a), 1) in :key_a or :key_a is null) limit 1"),
        ("where b = 1 or a in :key_a order by 1", "where b = 1 or (a in :key_a or :key_a is null) order by 1"),
        ("where not (a in :key_a)", "where not ((a in :key_a or :key_a is null))"),
        ("on a in :key_a left join u", "on (a in :key_a or :key_a is null) left join u"),
        (
            "where b between 1 and 2 and a in :key_a and c in :key_c",
            "where b between 1 and 2 and (a in :key_a or :key_a is null) and (c in :key_c or :key_c is null)",
        ),
        ("where a in :a and ':key_a' = x -- :key_b", "where a in :a and ':key_a' = x -- :key_b"),
    ],
)
def test_what_callers_hold_may_be_all_rows(dialect: str, before: str, after: str):
    assert with_all_rows(f"select 1 from t {before}", dialect=dialect) == f"select 1 from t {after}"


@pytest.mark.parametrize("dialect", ["duckdb", "postgres", "mysql", "sqlite", "tsql", "snowflake", ""])
@pytest.mark.parametrize(
    "condition",
    [
        "a not in :key_a", "not a in :key_a", "not(a) in :key_a", "-a in :key_a", "a = :key_a", "a in :key_a + 1",
        "b - a in :key_a", "b between 1 and a in :key_a", "b is a in :key_a", "b like a in :key_a", "xor(a) b in :key_a",
        "a in :key_a = 1", "a in (:key_a, 1)", ":key_a in a", "(a) in ((:key_a))",
        "(a in :key_a) in :key_a", "f(1, a in :key_a) in :key_a", "(select 1 where a in :key_a) in :key_a", "b || a in :key_a", "b = a in :key_a",
    ],
)  # fmt: skip
def test_where_brackets_would_change_what_a_text_means_it_is_refused(dialect: str, condition: str):
    with pytest.raises(DefinitionError, match=r"a condition of its own, such as \(a in :key_a\)"):
        with_all_rows(f"select 1 from t where {condition}", dialect=dialect)
    for text in ("select :key_a", ":key_a", "in :key_a", "a in :key_a", ") in :key_a"):
        with pytest.raises(DefinitionError, match="a condition of its own"):
            with_all_rows(text, dialect=dialect)


VALUES = st.sampled_from(["d", "t.l", "1", "null", "upper(d)", "-l", "case when l = 1 then 1 end"])
KEYED = st.sampled_from(
    ["d in :key_d", "l in (:key_l)", "(d in :key_d) in :key_l", "(d in :key_d)", "not (l in :key_l)", "abs(l) in :key_l", "not l in :key_l",
     "d not in :key_d", "l in :key_l is null", "l in :key_l = 1", "l in :key_l + 1"]
)  # fmt: skip
OPERATORS = st.sampled_from(
    ["and", "or", "=", "<", "+", "-", "||", "is", "is not", "like", "in", "between 0 and", "and not", "and", "or"]
)
CONDITIONS = st.recursive(
    VALUES | KEYED,
    lambda inner: st.one_of(
        st.tuples(inner, OPERATORS, inner).map(" ".join),
        inner.map("({})".format),
        inner.map("not {}".format),
        inner.map("case when {} then 1 else 0 end".format),
    ),
    max_leaves=6,
)
ROWS = [(number, d, n) for number, (d, n) in enumerate(product(("a", "b", None, ""), (0, 1, None)))]


def rows(connection: Any, text: str) -> Any:
    """Return the rows of a text, or that it fails."""
    for name, held in (("key_d", "('a', 'b')"), ("key_l", "(1, 2)")):
        text = text.replace(f":{name} is null", "1 is null").replace(f"(:{name})", held).replace(f":{name}", held)
    try:
        return sorted(connection.execute(text).fetchall())
    except (duckdb.Error, sqlite3.Error):
        return "fails"


@settings(deadline=None, max_examples=300)
@given(condition=CONDITIONS)
def test_who_holds_no_star_sees_what_the_text_says_or_the_text_is_refused(condition: str):
    text = f"select number from t where {condition}"
    with duckdb.connect() as duck, closing(sqlite3.connect(":memory:")) as lite:
        for dialect, connection in (("duckdb", duck), ("sqlite", lite)):
            connection.execute("create table t (number int, d varchar, l int)")
            connection.executemany("insert into t values (?, ?, ?)", ROWS)
            with suppress(DefinitionError):
                assert rows(connection, with_all_rows(text, dialect=dialect)) == rows(connection, text)
