"""The text of a query over HTTP is read, and what is wrong with it is told with line and column."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from widgets_app.errors import DefinitionError
from widgets_app.sources.http_text import MAX_PAGES, Column, Next, read

WHOLE = """
# Prices of one ticker.
GET /v1/prices/:ticker.json?from=:start&limit=500&at=10:30
header: Accept-Language: :language
rows: $.data[0].items[*]["odd name"]
columns: date as day, close (number), meta.currency, "4. x" as y
"""


def wrong(text: str) -> str:
    with pytest.raises(DefinitionError) as raised:
        read(text)
    message = str(raised.value)
    assert "\n" not in message
    return message


def test_a_whole_text_is_read():
    found = read(WHOLE.replace('"4. x" as y', '["4. x"] as y (text)'))
    assert (found.method, found.request) == ("GET", "GET /v1/prices/:ticker.json")
    assert found.placeholders == ("ticker", "start", "language")
    assert [segment.text for segment in found.segments] == ["v1", "prices", ":ticker.json"]
    assert [(name, value.text) for name, value in found.pairs] == [
        ("from", ":start"),
        ("limit", "500"),
        ("at", "10:30"),
    ]
    assert found.rows == ("data", 0, "items", None, "odd name")
    assert found.columns == (
        Column(("date",), "day"),
        Column(("close",), "close", "number"),
        Column(("meta", "currency"), "meta_currency"),
        Column(("4. x",), "y", "text"),
    )


@pytest.mark.parametrize(
    ("target", "names"),
    [
        ("/a/:from-:to", ("from", "to")),
        ("/v1/models:list", ()),
        ("/a?symbol=NYSE::ticker", ("ticker",)),
        ("/a?symbol=NYSE:AAA", ()),
        ("/a?q=:a%20:b", ("a",)),
        ("/a?q=(:a)", ("a",)),
        ("/a?q=%3A:b", ()),
        ("/:a/:a?b=:a", ("a",)),
    ],
)
def test_a_colon_behind_a_letter_or_a_digit_is_no_placeholder(target: str, names: tuple[str, ...]):
    assert read(f"GET {target}").placeholders == names


def test_text_that_is_no_ascii_is_encoded():
    found = read("GET /städte?land=Österreich")
    assert [segment.text for segment in found.segments] == ["st%C3%A4dte"]
    assert found.pairs[0][1].text == "%C3%96sterreich"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("next: page + 1", Next("page", ("page",))),
        ("next: from+rows", Next("offset", ("from",))),
        ("next: after = $.meta.cursor", Next("cursor", ("after",), ("meta", "cursor"))),
        ("next: links.next", Next("link", source=("links", "next"))),
        ("next: link header", Next("header")),
    ],
)
def test_each_way_to_the_next_page_is_read(line: str, expected: Next):
    assert read(f"GET /a?page=1&from=0\n{line}").next == expected


def test_a_body_has_placeholders_where_values_stand_and_nowhere_else():
    found = read(
        'POST /graphql\nrows: data.x\nbody: {"query": "query q($n: Int) { a(b: :no, c: :nö) }",\n'
        '  "variables":{"n": :count,"all":true,"list":[:a,:b], "none":null}}'
    )
    assert found.placeholders == ("count", "a", "b")
    assert found.body is not None
    assert found.body.filled({"count": 5, "a": 'x"y', "b": None}) == {
        "query": "query q($n: Int) { a(b: :no, c: :nö) }",
        "variables": {"n": 5, "all": True, "list": ['x"y', None], "none": None},
    }


def test_a_post_may_have_no_body():
    assert read("POST /search?a=:b").body is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "There is no request."),
        ("# only this", "There is no request."),
        ("\n  DELETE /a", "Line 2, column 3: Begin with the request"),
        ("get /a", "Line 1, column 1: Begin with the request"),
        ("GET", "Line 1, column 4: The path begins with one slash"),
        ("GET a", "Line 1, column 5: The path begins with one slash"),
        ("GET  //evil.example/a", "Line 1, column 6: The path begins with one slash"),
        ("GET https://evil.example/a", "Line 1, column 5: The path begins with one slash"),
        ("GET /a b", 'Line 1, column 7: " " can\'t stand in a path. Write %20'),
        ("GET /a#b", 'Line 1, column 7: "#" can\'t stand in a path. Write %23'),
        ("GET /a\\b", "Line 1, column 7:"),
        ("GET /a/../b", "Line 1, column 5: Leave . and .. out"),
        ("GET /a/%2e%2E/b", "Line 1, column 5: Leave . and .. out"),
        ("GET /a?b", 'Line 1, column 8: "b" has no name or no value'),
        ("GET /a?b=1&=2", 'Line 1, column 12: "=2" has no name or no value'),
        ("GET /a?:b=1", "Line 1, column 8: A placeholder stands for a value"),
        ("GET /a/:ä", 'The placeholder ":ä" has letters'),
        ("GET /:a/:A", "differ only in case"),
        ("GET /a\nrow: b", "Line 2, column 1: A line below the request begins with a setting and a colon: header, rows,"),
        ("GET /a\nrows b", "Line 2, column 1: A line below the request"),
        ("GET /a\nrows:", "Line 2, column 1: rows has no value"),
        ("GET /a\nrows: a\nrows: b", "Line 3, column"),
        ("GET /a\nrows: a..b", "Line 2, column 7: That is no path"),
        ("GET /a\nrows: a[-1]", "Line 2, column 7: That is no path"),
        ("GET /a\nrows: $..a", "Line 2, column 7: That is no path"),
        ("GET /a\nrows: a[?(@.b)]", "Line 2, column 7: That is no path"),
        ("GET /a\ncolumns: a, b as", "Line 2, column 12: Write columns as in"),
        ("GET /a\ncolumns: a (date)", "Line 2, column 13: A column is made into one of: number, text"),
        ("GET /a\ncolumns: a, b as a", 'Line 2, column 10: Two columns have the name "a"'),
        ("GET /a\nlayout: wide", "Line 2, column 9: layout is one of: rows, columns."),
        ("GET /a\nlists: joined\nlists: joined", "Line 3, column 8: lists is there already"),
        ("GET /a\nlists: comma", "Line 2, column 8: lists is one of: joined, repeated."),
        ("GET /a\nnext: page + 2", "Line 2, column 7: Say how the next page is found"),
        ("GET /a\nnext: page + 1", 'Line 2, column 7: Give "page" its first value'),
        ("GET /a\nnext: a.b = c", "Line 2, column 7: Name a parameter"),
        ("POST /a\nnext: link header", "Line 2, column 7: Only a GET goes on"),
        ("GET /a\npages: 0\nnext: link header", "Line 2, column 8: pages is a number from 1 to"),
        (f"GET /a\npages: {MAX_PAGES + 1}\nnext: link header", "Line 2, column 8: pages is a number from 1 to"),
        ("GET /a\npages: 2", "Line 2, column 8: Without next there is one page"),
        ("GET /a\nheader: X-A", "Line 2, column 9: A header is a name"),
        ("GET /a\nheader: X A: 1", "Line 2, column 9:"),
        ("GET /a\nheader: Host: evil.example", "Line 2, column 9: The header Host is set for each request"),
        ("GET /a\nheader: content-length: 5", "Line 2, column 9: The header content-length is set"),
        ("GET /a\nheader: If-None-Match: x", "Line 2, column 9: The header If-None-Match is set"),
        ("GET /a\nheader: X-A: 1\nheader: x-a: 2", "Line 3, column 9: The header x-a is there already"),
        ("GET /a\nheader: X-A: Ā", "Line 2, column 9: The value of the header X-A has line breaks"),
        ('GET /a\nbody: {"a": 1}', "Line 2, column 7: Only a POST has a body"),
        ("GET /a\nkey: a\nlayout: columns", "Line 2, column 6: A key goes with rows"),
        ("POST /a\nbody:", "The body is not JSON"),
        ('POST /a\nbody: {"a": :x, "b" 1}', "Line 2, column 21: The body is not JSON"),
        ('POST /a\nbody:\n  {"a": :x,\n   "b": :y, c}', "Line 4, column 13: The body is not JSON"),
        ('POST /a\nbody: {"a": NaN}', "Line 2, column 7: The body is not JSON: NaN"),
        ("POST /a\nbody: " + "[" * 100_000, "Line 2, column 7: The body is nested too deeply"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_place(text: str, message: str):
    assert message in wrong(text)


KEY = 'POST /:key_a?b=:key_b\nheader: X-C: :key_c\nbody: {"d": :key_d, "e": {"f": 1}}'


def test_values_that_callers_hold_stand_alone():
    assert read(KEY).placeholders == ("key_a", "key_b", "key_c", "key_d")
    assert read(f"{KEY.partition('body')[0]}next: e.f + 1\nbody{KEY.partition('body')[2]}").next


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("GET /a?q=desk%20eq%20:key_desk", "is no placeholder"),
        ("GET /a?q=desk+eq+:key_desk", "Let nothing else be in its part"),
        ("GET /a?q=:key_desk,:desk", "Let nothing else be in its part"),
        ("GET /a/x-:key_desk", "Let nothing else be in its part"),
        ("GET /a\nheader: X-A: :key_desk:x", "Let nothing else be in its part"),
        ("GET /a?desk=:key_desk&desk=:desk", 'The parameter "desk" takes what the caller holds'),
        ("GET /a?d%65sk=:key_desk&desk=1", 'The parameter "desk" takes what the caller holds'),
        ("GET /a?desk=:key_desk\nnext: desk = cursor", 'The parameter "desk" takes what the caller holds'),
        ('POST /a\nnext: v.desk = cursor\nbody: {"v": {"desk": :key_desk}}', "What next sets in the body"),
        ('POST /a\nnext: v = cursor\nbody: {"v": {"desk": [:key_desk]}}', "What next sets in the body"),
        ('POST /a\nnext: desk.x = cursor\nbody: {"desk": :key_desk}', "What next sets in the body"),
        ("GET /a?desk=:KEY_desk", "written in small letters"),
    ],
)
def test_nothing_stands_in_for_values_that_callers_hold(text: str, message: str):
    assert message in wrong(text)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str):
    for whole in (text, f"GET /a\n{text}", f"GET {text}", f"POST /a\nbody: {text}", f"GET /a\ncolumns: {text}"):
        with suppress(DefinitionError):
            read(whole)
