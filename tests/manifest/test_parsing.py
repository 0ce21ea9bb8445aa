from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.manifest.definitions import APP, WIDGETS
from widgets_app.errors import DefinitionError
from widgets_app.manifest import parsing
from widgets_app.manifest.parsing import MAX_BYTES, MAX_DEPTH, check_size, parse

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"


def refusal(content: bytes | str) -> str:
    content = content.encode() if isinstance(content, str) else content
    with pytest.raises(DefinitionError) as caught:
        parse(content, name="widgets.json")
    return str(caught.value)


FAULTS = [
    ("[1, // one\n 2]", 1, 5, "no comments"),
    ("/* trams */ {}", 1, 1, "no comments"),
    ("{}\n# trams", 2, 1, "no comments"),
    ('{"a": 1,\n "b": 2,\n}', 2, 8, "Take the comma out"),
    ("[[1], [2,]]", 1, 9, "Take the comma out"),
    ('{"a": [1, 2],}', 1, 13, "Take the comma out"),
    ("{'a': 1}", 1, 2, "single quotes"),
    ("{\"a\": 'b'}", 1, 7, "single quotes"),
    ("{a: 1}", 1, 2, 'Write "a"'),
    ("{“a”: 1}", 1, 2, 'Write "a"'),
    ('{"a": “b”}', 1, 7, "straight double quotes"),
    ('{"a": b}', 1, 7, "double quotes"),
    ('{\n  ...\n  "a": 1}', 2, 3, "left out"),
    ("[1, …]", 1, 5, "left out"),
    ("[1 ...]", 1, 4, "left out"),
    ('{"a": 1,\n "b": 2,\n "a": 3}', 3, 2, 'The key "a" stands at line 1, column 2 already'),
    ('[{"a": {"x": 1, "\\u0078": 2}}]', 1, 17, 'The key "x" stands'),
    ("[NaN]", 1, 2, "no NaN. Write null"),
    ("[1, Infinity]", 1, 5, "no Infinity. Write null"),
    ("[-Infinity]", 1, 2, "no -Infinity. Write null"),
    ("[True, 1]", 1, 2, "no True. Write true"),
    ("[None]", 1, 2, "no None. Write null"),
    ("[1e400]", 1, 2, "1e400 is too large"),
    ("[-1E+999]", 1, 2, "too large"),
    ("[" + "1" * 4301 + "]", 1, 2, "4,301 digits"),
    ("[01]", 1, 2, "not how JSON writes a number"),
    ("[+1]", 1, 2, "not how JSON writes a number"),
    ("[1.]", 1, 2, "not how JSON writes a number"),
    ("[.5]", 1, 2, "not how JSON writes a number"),
    ("[0x1F]", 1, 2, "not how JSON writes a number"),
    ("[1 2]", 1, 4, "A comma is missing"),
    ('{"a": 1 "b": 2}', 1, 9, "A comma is missing"),
    ('{"a" 1}', 1, 6, 'Write "a": and the value'),
    ('{"a":}', 1, 6, "A value is missing"),
    ("[1,,2]", 1, 4, "A value is missing"),
    ('{"a": 1,, "b": 2}', 1, 9, "A key in double quotes"),
    ("[1: 2]", 1, 3, "A colon belongs"),
    ("[1}", 1, 3, "does not close the list that begins at line 1, column 1"),
    ('[\n{"a": 1]', 2, 8, "does not close the object that begins at line 2, column 1"),
    ("{}\n{}", 2, 1, "there is more text"),
    ('"a": {}', 1, 4, "Put { before the key"),
    ("[1", 1, 2, "ends in the middle of the list that begins at line 1, column 1"),
    ('{"a": {"b": 1}, \n\n', 1, 15, "ends in the middle of the object"),
    ('["ab', 1, 2, "ends in the middle of this text"),
    ('["ab\\u12', 1, 2, "ends in the middle of this text"),
    ("[1, tr", 1, 5, "ends in the middle of a value"),
    ("[1, 2e", 1, 5, "ends in the middle of a value"),
    ('["a\nb"]', 1, 2, "does not end on its line"),
    ('["a\tb"]', 1, 4, "Write it as \\u0009"),
    ('["\\x41"]', 1, 3, "no escape"),
    ("[1,\xa02]", 1, 4, "U+00A0"),
    ("[1\x00]", 1, 3, "U+0000"),
    ("[1 / 2]", 1, 4, "no meaning"),
    ("", 1, 1, "empty"),
    (" \n", 1, 1, "empty"),
    ("\n<!doctype html>", 1, 1, "web page"),
    ('{"é": 1, ü}', 1, 10, 'Write "ü"'),
    (b'{"a": 1,\r\n "b": }', 2, 7, "A value is missing"),
    (b"\xef\xbb\xbf[1,]", 1, 3, "Take the comma out"),
    (b'{"a":\n "\xc3\xa9\xe9"}', 2, 4, "0xe9 is not UTF-8"),
    ('{"a": 1}'.encode("utf-16"), 1, 1, "written in UTF-16. Save it as UTF-8"),
    ('{"a": 1}'.encode("utf-16-be"), 1, 1, "written in UTF-16"),
    ('{"a": 1}'.encode("utf-32"), 1, 1, "written in UTF-32"),
]


@pytest.mark.parametrize(("content", "line", "column", "words"), FAULTS)
def test_what_is_not_json_is_refused_with_its_place_and_what_to_do(
    content: str | bytes, line: int, column: int, words: str
):
    message = refusal(content)
    assert message.startswith(f"widgets.json, line {line}, column {column}: ")
    assert words in message
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize(
    ("content", "document"),
    [
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b' {"a": [], "b": {}, "a ": -0.5e-3} \r\n', {"a": [], "b": {}, "a ": -0.0005}),
        (b'["\\ud800", "\\u0000"]', ["\ud800", "\x00"]),
        (b"[1e-400, 1e308]", [0.0, 1e308]),
        ("1" * 4300, int("1" * 4300)),
        ('"trams"', "trams"),
        ("null", None),
    ],
)
def test_unusual_json_is_read(content: str | bytes, document: Any):
    assert parse(content.encode() if isinstance(content, str) else content, name="x") == document


def test_members_keep_their_order():
    assert list(parse(b'{"z": 1, "a": 2, "m": 3}', name="x")) == ["z", "a", "m"]


@pytest.mark.parametrize(("begin", "end", "column"), [("[", "]", 1), ('{"a":', "}", 5)])
def test_nesting_ends_at_the_limit(begin: str, end: str, column: int):
    assert parse(f"{begin * MAX_DEPTH}{'1' * (begin != '[')}{end * MAX_DEPTH}".encode(), name="x")
    for depth in (MAX_DEPTH + 1, 100_000):
        message = refusal(f"{begin * depth}1{end * depth}")
        assert message.startswith(f"widgets.json, line 1, column {column * MAX_DEPTH + 1}: More than 100 lists")


def test_nesting_is_counted_from_the_outside_also_where_entries_are_good():
    deep = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert "line 2, column 100: More than 100" in refusal(f'[{{"a": 1}},\n{deep}, 1 2]')


def test_a_fault_after_many_good_entries_is_placed():
    entries = [json.dumps({f"w{number}": WIDGETS}, indent=1)[1:-1] for number in range(50)]
    content = "{" + ",".join(entries) + "}"
    assert parse(content.encode(), name="x") == {f"w{number}": WIDGETS for number in range(50)}
    lines = content.count("\n") + 1
    assert f"line {lines + 2}, column 10: JSON has no single" in refusal(
        f'{content[:-1]},\n"w": {{\n "name": \'x\'}}}}'
    )
    assert 'The key "w0" stands at line 2, column 2 already' in refusal(content[:-1] + ', "w0": {}}')


def test_a_file_over_the_limit_is_refused_with_size_and_limit():
    check_size(MAX_BYTES, name="x")
    with pytest.raises(DefinitionError, match=r"^apps.json: The file has 96.5 MB, and 64 MB is the limit"):
        check_size(int(96.5 * 1024 * 1024), name="apps.json")


def test_a_longer_text_than_the_limit_is_not_parsed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(parsing, "MAX_BYTES", 2 * 1024 * 1024)
    assert parse(b" " * (2 * 1024 * 1024 - 2) + b"[]", name="x") == []
    assert "2.0 MB, and 2 MB is the limit" in refusal(b" " * (2 * 1024 * 1024) + b"[]")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=()), max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=15,
)  # fmt: skip


def written(document: Any, ascii_only: bool, indent: int | None) -> bytes:
    return json.dumps(document, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "replace")


@settings(deadline=None)
@given(JSON, st.sampled_from([None, 0, 2]))
def test_whatever_is_written_as_json_comes_back_equal(document: Any, indent: int | None):
    read = parse(written(document, True, indent), name="x")
    assert json.dumps(read) == json.dumps(document)


@settings(deadline=None)
@given(JSON | st.just(WIDGETS) | st.just([APP]), st.booleans(), st.sampled_from([None, 1]), st.data())
def test_any_prefix_of_a_document_is_refused_at_a_place_inside_it(
    document: Any, ascii_only: bool, indent: int | None, data: st.DataObject
):
    assume(isinstance(document, dict | list | str))
    content = written(document, ascii_only, indent)
    prefix = content[: data.draw(st.integers(0, len(content) - 1))]
    message = refusal(prefix)
    line, column = (int(word.rstrip(",:")) for word in message.split()[2:5:2])
    lines = prefix.decode("utf-8", "replace").split("\n")
    assert 1 <= line <= len(lines)
    assert 1 <= column <= max(1, len(lines[line - 1]))


BITS = st.sampled_from(
    [*'[]{},:"', "'", "\\", "//", "1", "-", "e9", ".", "true", "nul", "NaN", '"a"', '"a":', "\n", " ", "[[", "\\u12", "…"]
)  # fmt: skip


@settings(deadline=None, max_examples=400)
@given(st.lists(BITS, max_size=12).map("".join))
def test_whatever_python_refuses_is_refused_with_a_place(text: str):
    try:
        expected = json.loads(text, parse_constant=lambda _: 1 / 0)
    except (ValueError, ZeroDivisionError):
        assert refusal(text).startswith("widgets.json, line ")
    else:
        try:
            assert parse(text.encode(), name="x") == expected
        except DefinitionError as error:
            assert "already" in str(error) or "too large" in str(error)  # noqa: PT017  being refused is no must


@settings(deadline=None)
@given(st.binary(max_size=40))
def test_bytes_of_any_kind_raise_nothing_else(content: bytes):
    try:
        parse(content, name="x")
    except DefinitionError as error:
        assert str(error).startswith("x, line ")  # noqa: PT017  being refused is no must


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the collection of real definitions is not beside this checkout")
def test_real_files_are_read_or_refused_with_a_place():
    read = refused = 0
    for path in sorted(CORPUS.rglob("*.json")):
        try:
            document = parse(path.read_bytes(), name=path.name)
        except DefinitionError as error:
            assert "-broken" in path.parent.name
            assert str(error).startswith(f"{path.name}, line ")  # noqa: PT017
            refused += 1
        else:
            assert document == json.loads(path.read_text(encoding="utf-8"))
            read += 1
    assert (read > 100, refused > 10) == (True, True)
