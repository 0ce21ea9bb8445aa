from __future__ import annotations

from datetime import date
from typing import Any

import orjson
import pytest

from tests.shapes.frames import frame
from widgets_app.errors import SourceFailed
from widgets_app.shapes.base import NO_VALUE, Ask
from widgets_app.shapes.registry import shape_for
from widgets_app.shapes.text import Text, plain
from widgets_app.sources.frame import Frame


def text(one: Frame | None, ask: Ask | None = None, **options: str) -> Any:
    return orjson.loads(Text().render(one, Text.Options(**options), ask or Ask()).content)


def test_markdown_and_notes_have_this_shape() -> None:
    assert isinstance(shape_for("markdown"), Text)
    assert isinstance(shape_for("note"), Text)


def test_a_fixed_text_needs_no_rows() -> None:
    assert not Text().needs_rows(Text.Options(text="# Plan"))
    assert Text().needs_rows(Text.Options())
    assert text(None, text="# Plan") == "# Plan"


def test_placeholders_take_the_first_row_then_the_parameters_and_unknown_ones_stay() -> None:
    rows = frame({"port": "RIX", "calls": 41}, {"port": "VNO", "calls": 17})
    ask = Ask(params={"port": "other", "since": date(2026, 3, 1), "berths": ("A", "B"), "open": True})
    shown = text(rows, ask, text="{port}: {calls} since {since}, {berths}, {open}, {nobody}, {}, { port }")
    assert shown == "RIX: 41 since 2026-03-01, A, B, true, {nobody}, {}, { port }"


def test_values_are_not_searched_for_placeholders() -> None:
    assert text(frame({"a": "{b}", "b": "x"}), text="{a}") == "{b}"


def test_a_template_without_rows_says_that_there_is_no_data() -> None:
    assert text(frame(calls="number"), text="{calls} calls") == "No data for these settings."


def test_nulls_are_dashes() -> None:
    assert text(frame({"calls": None}), text="{calls} calls") == f"{NO_VALUE} calls"
    assert text(None, Ask(params={"port": None}), text="{port}") == NO_VALUE


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("[a](javascript:b)", r"\[a\](javascript:b)"),
        ("![a](http://b)", r"!\[a\](http://b)"),
        ("**a** _b_ `c` ~~d~~", r"\*\*a\*\* \_b\_ \`c\` \~\~d\~\~"),
        ("a | b", r"a \| b"),
        ("AT&T &lt;b&gt;", "AT&T &amp;lt;b&amp;gt;"),
        ("- item", r"\- item"),
        ("1. Januar", r"1\. Januar"),
        ("12)", r"12\)"),
        ("# Heading", r"\# Heading"),
        ("---", r"\---"),
        ("==", r"\=="),
        ("+", r"\+"),
        (r"\*", r"\\\*"),
        ('" onload="x', "&quot; onload=&quot;x"),
    ],
)
def test_values_are_plain_text_to_a_reader_of_markdown(value: str, written: str) -> None:
    assert plain(value) == written


def test_a_value_stays_on_its_line() -> None:
    assert plain("a\n\n# b\t c") == "a \\# b c"


def test_ordinary_values_are_not_decorated() -> None:
    ordinary = [
        "Port of Riga",
        "-5.2",
        "3.5 h",
        "$1.2M",
        "AT&T",
        "O'Brien",
        "2026-03-01",
        "42%",
        "Q1 (est.)",
        "1.5",
    ]
    assert [plain(value) for value in ordinary] == ordinary


def test_a_column_holds_the_text_and_rows_are_joined_by_blank_lines() -> None:
    rows = frame({"title": "A", "body": "# a"}, {"title": "B", "body": None}, {"title": "C", "body": 3})
    assert text(rows) == "A\n\nB\n\nC"
    assert text(rows, column="body") == "# a\n\n3"


def test_markdown_of_a_column_is_not_escaped() -> None:
    assert text(frame({"body": "**bold** {x} <b>"})) == "**bold** {x} <b>"


@pytest.mark.parametrize("one", [None, frame(), frame(body="text"), frame({"body": None}), frame({"body": ""})])
def test_no_text_is_a_sentence(one: Frame | None) -> None:
    assert text(one) == "No data for these settings."
    assert text(one, empty="Nothing today") == "Nothing today"


def test_an_unknown_column_is_named_with_those_there_are() -> None:
    with pytest.raises(SourceFailed, match=r'"text", but its data has: title, body\. Correct the column'):
        text(frame(title="text", body="text"), column="text")


def test_the_text_is_put_at_the_data_key() -> None:
    assert text(None, Ask(data_key="a.b"), text="x") == {"a": {"b": "x"}}
