from __future__ import annotations

import orjson
import pytest

from tests.shapes.frames import frame
from widgets_app.errors import SourceFailed
from widgets_app.shapes.base import SANDBOX, Ask, Body
from widgets_app.shapes.page import Page
from widgets_app.sources.frame import Frame


def body(one: Frame | None, ask: Ask | None = None, **options: str) -> Body:
    return Page().render(one, Page.Options(**options), ask or Ask())


def page(one: Frame | None, ask: Ask | None = None, **options: str) -> str:
    return body(one, ask, **options).content.decode()


def test_a_page_is_html_in_a_sandbox() -> None:
    made = body(None, text="<p>é</p>")
    assert made == Body("<p>é</p>".encode(), "text/html; charset=utf-8", (SANDBOX,))
    assert not Page().needs_rows(Page.Options(text="x"))
    assert Page().needs_rows(Page.Options())


def test_values_are_escaped_for_html() -> None:
    rows = frame({"port": "<script>", "n": None}, {"port": '"R&D"', "n": 2})
    text = "<ul>{% for row in rows %}<li title='{{ row.port }}'>{{ row.n }}</li>{% endfor %}</ul>{{ port }}{{ who }}"
    assert page(rows, Ask(params={"who": "<b>", "port": "x"}), text=text) == (
        "<ul><li title='&lt;script&gt;'>\N{EN DASH}</li><li title='&quot;R&amp;D&quot;'>2</li></ul>&lt;script&gt;&lt;b&gt;"
    )


def test_braces_of_scripts_and_styles_stay() -> None:
    text = "<style>a {color: red}</style><script>function f() { return {a: 1} }</script>"
    assert page(frame({"a": 1}), text=text) == text


def test_html_of_a_column_is_sent_as_it_is() -> None:
    rows = frame({"id": 1, "page": "<b>{{ x }}</b>"}, {"id": 2, "page": None}, {"id": 3, "page": "<i>"})
    assert page(rows, column="page") == "<b>{{ x }}</b>\n<i>"
    assert page(frame({"page": "<p>"})) == "<p>"


@pytest.mark.parametrize("one", [frame(), frame(page="text"), frame({"page": None})])
def test_no_page_is_a_sentence(one: Frame) -> None:
    assert page(one) == "<p>No data for these settings.</p>"
    assert page(one, empty="<p>Nothing</p>") == "<p>Nothing</p>"


def test_raw_gives_the_rows() -> None:
    rows = frame({"a": 1}, {"a": None})
    made = body(rows, Ask(raw=True), text="<p>{{ a }}</p>")
    assert (orjson.loads(made.content), made.content_type) == ([{"a": 1}, {"a": None}], "application/json")
    assert orjson.loads(body(rows, Ask(raw=True, data_key="results")).content) == {"results": rows.rows()}
    assert body(None, Ask(raw=True), text="x").content == b"[]"


def test_an_unknown_column_and_a_wrong_template_are_told() -> None:
    with pytest.raises(SourceFailed, match='"gone", but its data has: page'):
        page(frame({"page": "x"}), column="gone")
    with pytest.raises(ValueError, match='There is no tag "load"'):
        Page.Options(text="{% load static %}")


def test_half_a_surrogate_pair_does_not_break_the_page() -> None:
    assert page(Frame(b'[{"page": "a"}]', frame({"page": 1}).columns, 1), text="\ud83d") == "?"


def test_a_page_knows_the_theme_unless_a_parameter_is_called_so() -> None:
    text = "{% if theme == 'light' %}day{% else %}night{% endif %}"
    assert page(None, text=text) == "night"
    assert page(None, Ask(theme="light"), text=text) == "day"
    assert page(None, Ask(theme="light", params={"theme": "dark"}), text=text) == "night"
