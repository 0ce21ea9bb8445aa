"""Documents of every usual form become rows, and those that are no document are told."""

from __future__ import annotations

import json
import tracemalloc
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from widgets_app.errors import SourceFailed
from widgets_app.sources.base import Limits
from widgets_app.sources.frame import Frame
from widgets_app.sources.http_rows import document, frame_of, rows_of
from widgets_app.sources.http_text import read

API = 'The API "market"'
JSON = "application/json"
Rows = list[dict[str, Any]]


def rows(found: Any, *lines: str) -> Rows:
    """Return the rows of a document by the settings of a query."""
    return rows_of(found, read("\n".join(["GET /a", *lines])), API)


def refused(found: Any, *lines: str) -> str:
    with pytest.raises(SourceFailed) as raised:
        rows(found, *lines)
    return str(raised.value)


def frame(found: Any, *lines: str, limits: Limits | None = None) -> Frame:
    return frame_of(rows(found, *lines), limits or Limits())


@pytest.mark.parametrize(
    ("found", "lines", "expected"),
    [
        ([{"a": 1}, {"b": 2}], (), [{"a": 1}, {"b": 2}]),
        ({"a": 1}, (), [{"a": 1}]),
        ([1, "x", None], (), [{"value": 1}, {"value": "x"}, {"value": None}]),
        (5, (), [{"value": 5}]),
        (None, (), []),
        ([], (), []),
        ({"data": None}, ("rows: data",), []),
        ({"data": {"items": [{"a": 1}]}}, ("rows: $.data.items",), [{"a": 1}]),
        ({"a b": [{"c.d": 1}]}, ('rows: ["a b"]', 'columns: ["c.d"]'), [{"c.d": 1}]),
        ([[{"a": 1}], [{"a": 2}]], ("rows: [1]",), [{"a": 2}]),
        ([{"x": [1, 2]}, {"x": [3]}, {}], ("rows: [*].x[*]",), [{"value": 1}, {"value": 2}, {"value": 3}]),
        ({"p": {"x": {"a": 1}, "y": {"a": 2}}}, ("rows: p[*]",), [{"a": 1}, {"a": 2}]),
    ],
)
def test_rows_are_found_by_their_path(found: Any, lines: tuple[str, ...], expected: Rows):
    assert rows(found, *lines) == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (("columns: day, close",), [{"day": "d", "close": 1.5}, {"day": "e", "close": 2}]),
        (("columns: day, close as price (text)",), [{"day": "d", "price": "1.5"}, {"day": "e", "price": "2"}]),
        (("columns: [1] as price",), [{"price": 1.5}, {"price": 2}]),
    ],
)
def test_rows_that_are_lists_are_named(lines: tuple[str, ...], expected: Rows):
    assert rows([["d", 1.5], ["e", 2]], *lines) == expected


def test_names_of_lists_stand_in_the_first_row_or_elsewhere():
    assert rows([["a", "b"], [1, 2], [3]], "names: first row") == [{"a": 1, "b": 2}, {"a": 3}]
    table = {"t": {"names": ["a", "b"], "data": [[1, 2]]}}
    assert rows(table, "rows: t.data", "names: t.names") == [{"a": 1, "b": 2}]
    columns = {"t": {"columns": [{"id": "a"}, {"id": "b"}], "data": [[1, 2]]}}
    assert rows(columns, "rows: t.data", "names: t.columns[*].id", "columns: b as c") == [{"c": 2}]
    assert rows([], "names: first row") == []


def test_lists_without_names_are_told():
    assert (
        refused([[1, 2]]) == f"{API} sent rows that are lists. Name their columns in the query with columns or names."
    )


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ((), [{"t": 1, "c": 2.5, "s": "ok"}, {"t": 2, "c": 3, "s": "ok"}]),
        (("columns: t (seconds), c as close",), None),
        (("columns: c, s",), [{"c": 2.5, "s": "ok"}, {"c": 3, "s": "ok"}]),
    ],
)
def test_an_object_of_lists_is_read_across(lines: tuple[str, ...], expected: Rows | None):
    found = rows({"t": [1, 2], "c": [2.5, 3], "s": "ok"}, "layout: columns", *lines)
    assert found == expected if expected else [row["close"] for row in found] == [2.5, 3]


def test_lists_deep_in_an_object_are_read_across():
    chart = {"result": [{"timestamp": [60, 120], "indicators": {"quote": [{"close": [1.5, None]}]}}]}
    found = frame(chart, "rows: result[0]", "layout: columns",
                  "columns: timestamp as at (seconds), indicators.quote[0].close as close")  # fmt: skip
    assert json.loads(found.json) == [
        {"at": "1970-01-01T00:01:00Z", "close": 1.5},
        {"at": "1970-01-01T00:02:00Z", "close": None},
    ]
    assert [column.type for column in found.columns] == ["datetime", "number"]


def test_lists_of_different_lengths_are_told():
    assert "lists for columns that have different lengths" in refused({"a": [1], "b": [1, 2]}, "layout: columns")
    assert "lists for columns that are none" in refused({"a": 1}, "layout: columns")


def test_a_key_becomes_a_column():
    found = {"AAA": {"price": 1}, "BBB": {"price": 2}}
    assert rows(found, "key: ticker") == [{"price": 1, "ticker": "AAA"}, {"price": 2, "ticker": "BBB"}]
    assert rows(found, "key: ticker", "columns: ticker, price as p")[0] == {"ticker": "AAA", "p": 1}
    assert rows({"EUR": 0.9}, 'key: "to currency"') == [{"value": 0.9, "to currency": "EUR"}]
    assert "no object with rows below names" in refused([], "key: ticker")


def test_nested_values_are_picked_and_all_others_kept():
    found = [{"day": "d", "meta": {"currency": "EUR", "tags": [{"n": "a"}, {"n": "b"}]}}]
    assert rows(found, "columns: day, meta.currency, meta.tags[0].n as first, meta.tags[*].n as tags, no.such") == [
        {"day": "d", "meta_currency": "EUR", "first": "a", "tags": ["a", "b"], "no_such": None}
    ]
    assert rows(found, "columns: *, meta.currency as currency")[0] == {**found[0], "currency": "EUR"}


@pytest.mark.parametrize(
    ("kind", "given_", "made"),
    [
        ("number", "12", 12), ("number", "-1.5e3", -1500.0), ("number", 7, 7), ("number", "N/A", None),
        ("number", "", None), ("number", None, None), ("number", [1], None), ("number", "9" * 5000, None),
        ("number", "NaN", None),
        ("text", 12, "12"), ("text", True, "true"), ("text", None, None), ("text", {"a": 1}, '{"a":1}'), ("text", "x", "x"),
        ("seconds", 0, "1970-01-01T00:00:00Z"), ("seconds", "86400", "1970-01-02T00:00:00Z"),
        ("seconds", 1e300, None), ("seconds", "soon", None), ("seconds", None, None),
        ("milliseconds", 1500, "1970-01-01T00:00:01.500000Z"), ("milliseconds", 10**30, None),
    ],
)  # fmt: skip
def test_values_are_made_into_another_kind(kind: str, given_: Any, made: Any):
    assert frame([{"a": given_}], f"columns: a ({kind})").rows() == [{"a": made}]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["2026-01-31", None, "2026-02-01"], "date"),
        (["2026-01-31", "2026-02-30"], "text"),
        (["2026-01-31", "2026-01-31T10:00:00"], "text"),
        (["2026-01-31T10:00:00Z", "2026-01-31T10:00:00.123+02:00"], "datetime"),
        (["2026-01-31 10:00"], "text"),
        (["20260131"], "text"),
        ([""], "text"),
        ([None], "text"),
        ([1, "a"], "text"),
        ([True, None], "boolean"),
        ([{"a": 1}], "object"),
    ],
)
def test_the_type_of_a_column_is_told_from_its_values(values: list[Any], kind: str):
    assert [column.type for column in frame([{"a": value} for value in values]).columns] == [kind]


def test_rows_beyond_the_limit_are_cut_off():
    found = frame([{"a": n} for n in range(10)], limits=Limits(rows=3))
    assert (found.rows(), found.truncated) == ([{"a": 0}, {"a": 1}, {"a": 2}], True)


def test_nothing_at_the_path_tells_what_there_is():
    message = refused({"Note": "Slower!", "Information": {}}, 'rows: ["Time Series"]')
    assert message == f"{API} sent nothing at Time Series. It has Note, Information. Correct rows in the query."
    assert "It is a list." in refused([1], "rows: data")
    assert "It is empty." in refused({}, "rows: data")
    many = refused({f"{n}" * 50: 1 for n in range(1, 10)}, "rows: data")
    assert "1111…" in many
    assert "and more" in many
    assert len(many) < 500


@pytest.mark.parametrize(
    ("content", "kind", "expected"),
    [
        (b'{"a": 1}', JSON, {"a": 1}),
        (b'\xef\xbb\xbf{"a": 1}', JSON, {"a": 1}),
        (b'{"a": 1}', "text/plain", {"a": 1}),
        (b'{"a": 1}', "", {"a": 1}),
        ('{"a": "ü"}'.encode("latin-1"), "application/json; charset=ISO-8859-1", {"a": "ü"}),
        ('{"a": "ü"}'.encode("utf-16"), 'application/json; charset="utf-16"', {"a": "ü"}),
        ('{"a": "ü"}'.encode(), "application/json; charset=no-such", {"a": "ü"}),
        ('{"a": "ü"}'.encode(), "application/json; charset=zlib", {"a": "ü"}),
        (b'{"a": NaN, "b": -Infinity, "c": "NaN"}', JSON, {"a": None, "b": None, "c": "NaN"}),
        (b'{"a": 1, "a": 2}', JSON, {"a": 2}),
        (b"[123456789012345678901234567890]", JSON, [123456789012345678901234567890]),
        (b"[0.123456789012345678901234567890]", JSON, [0.12345678901234568]),
    ],
)
def test_json_is_read(content: bytes, kind: str, expected: Any):
    assert document(content, kind, 200, API) == expected


def test_whole_numbers_that_browsers_would_round_are_text():
    found = rows(document(b'[{"a": 9007199254740993}, {"a": 123456789012345678901234567890}]', JSON, 200, API))
    assert frame_of(found, Limits()).rows() == [{"a": "9007199254740993"}, {"a": "123456789012345678901234567890"}]


@pytest.mark.parametrize(
    ("content", "kind", "message"),
    [
        (b"", JSON, f"{API} answered with nothing (status 200). Check the path of the query."),
        (b" \n", JSON, "answered with nothing"),
        (b"<html>", "text/html; charset=utf-8", f"{API} answered with a web page (text/html, status 200), not with JSON."),
        (b"\n <?xml?>", "application/xml", "web page (application/xml, status 200)"),
        (b"<html>", JSON, "web page (application/json, status 200)"),
        (b'{"a": 1,}', JSON, "not JSON (application/json) at line 1, column 8: "),
        (b'{"a":\n  1 2}', JSON, "at line 2, column 5: "),
        (b'{"a": 1', JSON, "not JSON (application/json) at line 1"),
        (b"a,b\n1,2", "text/csv", "not JSON (text/csv) at line 1, column 1"),
        (b"hello", "", "not JSON (without a type)"),
        ('{"a": "ü"}'.encode("latin-1"), JSON, "not JSON"),
        (b'{"a": "\\ud800"}', JSON, "not JSON"),
        (b'{"a": "\x00"}', JSON, "not JSON"),
        (b"NaN,", JSON, "not JSON"),
        (b"[" * 100_000, JSON, "JSON"),
        (b'{"a": ' * 5000 + b"1" + b"}" * 5000, JSON, "JSON"),
        (b"[" + b"9" * 5000 + b"]", JSON, "a number is too long"),
        (b"[NaN" + b"9" * 5000, JSON, "not JSON"),
        (b"12345678901234567890" + b"[" * 100_000, JSON, "not JSON"),
        (b'["12345678901234567890", ' + b"[" * 100_000, JSON, "nested too deeply"),
    ],
)  # fmt: skip
def test_what_is_no_json_is_told(content: bytes, kind: str, message: str):
    with pytest.raises(SourceFailed) as raised:
        document(content, kind, 200, API)
    assert message in str(raised.value)
    assert len(str(raised.value)) < 300


def test_a_value_that_is_nested_deeply_fails_in_one_line():
    deep: Any = 1
    for _ in range(600):
        deep = [deep]
    with pytest.raises(SourceFailed, match='The column "a" has a value'):
        frame([{"a": deep}])


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
_settings = st.lists(
    st.sampled_from(
        ["rows: a", "rows: [*]", "layout: columns", "key: k", "names: first row", "names: a", "columns: a, b.c", "columns: *, [0]", "columns: a (number), b (seconds), c (text), [1] (milliseconds)"]
    ),
    unique_by=lambda line: line.partition(":")[0],
).filter(lambda lines: not {"layout: columns", "key: k"} <= set(lines))  # fmt: skip


@given(_json, _settings)
def test_any_json_becomes_rows_or_is_refused(found: Any, lines: list[str]):
    with suppress(SourceFailed):
        made = frame(found, *lines)
        assert len(made.rows()) == made.row_count


def test_a_large_document_takes_memory_in_proportion():
    content = json.dumps([{"day": "2026-01-31", "n": n} for n in range(100_000)]).encode()
    tracemalloc.start()
    try:
        found = frame_of(rows(document(content, JSON, 200, API)), Limits(rows=10**6))
        assert found.row_count == 100_000
        assert tracemalloc.get_traced_memory()[1] < 25 * len(content)
    finally:
        tracemalloc.stop()
