"""Placeholders are found where SQL takes a value, and nowhere else."""

from __future__ import annotations

import pytest

from widgets_app.errors import DefinitionError
from widgets_app.sources.placeholders import check_names, find


def names(text: str, dialect: str = "duckdb") -> tuple[str, ...]:
    return find(text, dialect=dialect).names


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("select * from t where a = :a and b=:b", ("a", "b")),
        ("select :b, :a, :b", ("b", "a")),
        ("select f(:x,:y)", ("x", "y")),
        (":first", ("first",)),
        ("select :order, :from, :select", ("order", "from", "select")),
        ("select l[:n], l[ :m]", ("n", "m")),
        ("select {'z': :v}", ("v",)),
        ("select 'ö' || :a", ("a",)),
        ("select :a::int", ("a",)),
        ("select :_u, :a1, :camelCase", ("_u", "a1", "camelCase")),
    ],
)
def test_a_name_after_a_colon_is_a_placeholder(text: str, expected: tuple[str, ...]):
    assert names(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "select ':a'",
        "select 'it''s :a'",
        'select ":a"',
        "select 1 -- :a",
        "select /* :a /* nested */ :b */ 1",
        "select $$ :a $$, $tag$ :b $tag$",
        "select E'it\\'s :a'",
        "select x::int, ::y",
        "select l[1:2], l[1:n], l[x:y], l[(x):y]",
        "select {'k':v}, {k:v}",
        "select : a",
        "select :9x",
        "select :'a'",
    ],
)
def test_other_colons_are_not_placeholders(text: str):
    assert names(text) == ()


def test_the_dialect_decides_what_is_a_comment():
    text = "select 1 # it's :a"
    assert names(text, "mysql") == ()
    with pytest.raises(DefinitionError, match="never closed"):
        names(text, "duckdb")


def test_rendering_leaves_the_rest_of_the_text_untouched():
    text = "select  :a ,\n\t'ö :a' -- :a\n, :b;"
    assert find(text, dialect="duckdb").render(lambda name: f"${name}") == "select  $a ,\n\t'ö :a' -- :a\n, $b"


@pytest.mark.parametrize("end", [";", " ;; ", "; -- done", ";\n/* end */;"])
def test_semicolons_at_the_end_are_dropped(end: str):
    assert find(f"select 1{end}", dialect="duckdb").text.rstrip() == "select 1"


def test_a_semicolon_between_statements_stays():
    assert find("select 1; select 2;", dialect="duckdb").text == "select 1; select 2"


def test_empty_text_has_no_placeholders():
    assert find("", dialect="duckdb").text == ""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("select :KEY_region", "small letters"),
        ("select :key_", "small letters"),
        ("select :größe", "letters that can't be used"),
        ("select :a1é", "letters that can't be used"),
        ("select :ticker, :Ticker", "differ only in case"),
        ("select 'open :a", "never closed"),
        ("select /* open", "never closed"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(text: str, reason: str):
    with pytest.raises(DefinitionError, match=reason) as raised:
        find(text, dialect="duckdb")
    assert "\n" not in str(raised.value)


def test_the_same_name_twice_is_no_clash():
    check_names(["a", "b", "a"])
