from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.shapes.frames import frame
from widgets_app.shapes.base import Ask, json_body
from widgets_app.shapes.table import Table
from widgets_app.sources.frame import Frame


def rendered(one: Frame | None, data_key: str = "") -> bytes:
    return Table().render(one, Table.Options(), Ask(data_key=data_key)).content


def test_the_bytes_of_the_source_pass_through_unchanged() -> None:
    odd = b'[ {"a": 1.10, "a b":"\\u0101"} ]'
    made = replace(frame({"a": 1}), json=odd)
    assert rendered(made) is odd
    assert Table().render(made, Table.Options(), Ask(raw=True, theme="light")).content is odd


def test_no_rows_are_an_empty_list() -> None:
    assert rendered(frame()) == b"[]"
    assert rendered(None) == b"[]"


@pytest.mark.parametrize(
    ("key", "body"),
    [
        ("results", {"results": [{"a": 1}]}),
        ("results.content", {"results": {"content": [{"a": 1}]}}),
        ('a"b.ā\\', {'a"b': {"ā\\": [{"a": 1}]}}),
        ("..results.", {"results": [{"a": 1}]}),
        (".", [{"a": 1}]),
    ],
)
def test_a_data_key_puts_the_rows_at_its_path(key: str, body: object) -> None:
    assert json.loads(rendered(frame({"a": 1}), key)) == body


def test_the_body_is_json() -> None:
    assert json_body(b"[]", "").content_type == "application/json"
