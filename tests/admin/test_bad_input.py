"""What authors get wrong in a look: told at its field where that is known then, at publishing, or by the widget."""

from __future__ import annotations

from html import unescape
from typing import Any

import pytest
from django.test import Client

from tests.admin.conftest import Open, url
from tests.admin.pages import Page, messages
from tests.conftest import Define
from widgets_app.models import Widget

pytestmark = pytest.mark.django_db

NEW = {"widget_id": "w", "name": "Prices", "description": "Daily prices of a share."}
LOOPS = "{% for a in rows %}" * 14 + "{{ a.ticker }}" * 10 + "{% endfor %}" * 14


@pytest.mark.parametrize("kind", ["markdown", "html"])
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{% for row in rows %}", "Line 1: Unclosed tag on line 1: 'for'"),
        ("a\n{{ }}", "Line 2: Empty variable tag"),
        ("{{ a b }}", "Could not parse the remainder"),
        ("{% include 'secrets' %}", 'There is no tag "include"'),
        ("{% load static %}", 'There is no tag "load"'),
        ('{{ "a"|ljust:"200000000" }}', 'There is no filter "ljust"'),
        ('{{ "a"|center:"200000000" }}', 'There is no filter "center"'),
        ('{{ 1|stringformat:"0200000000d" }}', 'There is no filter "stringformat"'),
        ('{{ 1|floatformat:"200000000" }}', 'There is no filter "floatformat"'),
        ("{{ a" + "|upper" * 11 + " }}", "11 filters on one value"),
        ("{% if a %}" * 2000 + "{% endif %}" * 2000, "nested too deeply"),
        ("{{ a }}" + "x" * 100_000, "Shorten it to 100,000"),
    ],
    ids=range(12),
)
def test_a_template_that_can_not_work_is_refused_at_its_field(add: Open, kind: str, text: str, says: str) -> None:
    name = f"shape__{kind}__text"
    response = add("widget").send(**NEW, type=kind, **{name: text})
    errors = response.context["adminform"].form.errors
    assert list(errors) == [name]
    assert says in errors[name][0]
    assert "\n" not in errors[name][0]
    assert not Widget.objects.exists()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (LOOPS, "takes "),
        (
            "{% for a in rows %}{{ day|number:400 }}{{ a.price|number:400 }}{% endfor %}",
            '"400" decimals were asked for',
        ),
        ("{% for a, b, c in rows %}{% endfor %}", "Need 3 values to unpack"),
        ("{{ day|slice:'x' }}", "failed"),
        ("{{ day|truncatechars:'x' }}", "failed"),
        ("{% widthratio price 0 ticker %}", "failed"),
        ("{{ rows|join:'" + "y" * 900 + "'|upper|join:'z' }}", ""),
    ],
    ids=range(7),
)
def test_a_template_that_fails_on_the_data_answers_one_line(
    caller: Client, define_query: Define, define_widget: Define, text: str, says: str
) -> None:
    define_query()
    for kind in ("markdown", "html"):
        define_widget(kind, type=kind, query="prices", shape={"text": text})
        answer = caller.get(f"/{kind}")
        assert answer.status_code in ((502,) if says else (200,))
        if says:
            assert says in answer.json()["error"]
            assert answer.json()["error"].isprintable()


@pytest.mark.parametrize("kind", ["chart-highcharts", "chart-vegalite"])
@pytest.mark.parametrize(
    ("document", "says"),
    [
        ("{nonsense", "This is no JSON: Expecting property name"),
        ('{"a": NaN}', "JSON"),
        ('{"a": 1e999}', "JSON"),
        ("[1, 2]", "an object such as"),
        ("5", "an object such as"),
        ('"text"', "an object such as"),
        ('{"data": {"$colum": "price"}}', '"$colum" is no placeholder'),
        ('{"data": {"$rows": true}}', '"$rows" is no placeholder'),
        ('{"a": ' * 60 + "1" + "}" * 60, "nested deeper than 50"),
        ('{"a": ' * 5000 + "1" + "}" * 5000, ""),
        ('{"a": "' + "x" * 100_001 + '"}', "Shorten it to 100,000"),
    ],
    ids=range(11),
)
def test_a_document_that_is_no_object_is_refused_at_its_field(add: Open, kind: str, document: str, says: str) -> None:
    name = f"shape__{kind.replace('-', '_')}__document"
    response = add("widget").send(**NEW, type=kind, **{name: document})
    assert response.status_code == 200
    errors = response.context["adminform"].form.errors
    assert list(errors) == [name]
    assert says in errors[name][0]
    assert "\n" not in errors[name][0]
    assert not Widget.objects.exists()


LOOKS = [
    ("chart", "x", "gone"),
    ("chart", "second_y", "price, gone"),
    ("metric", "label", "gone"),
    ("newsfeed", "author", "gone"),
    ("markdown", "column", "gone"),
    ("html", "column", "gone"),
    ("youtube", "column", "gone"),
    ("chart-highcharts", "colour", "gone"),
    ("chart-vegalite", "document", '{"data": {"values": {"$records": ["gone"]}}}'),
]


@pytest.mark.parametrize(("kind", "option", "value"), LOOKS)
def test_a_look_with_a_column_that_is_not_there_stays_a_draft_and_says_so(
    add: Open, boss: Client, define_query: Define, kind: str, option: str, value: str
) -> None:
    query = define_query("news", "select *, ticker as title, day as date from prices")
    given: dict[str, Any] = {f"shape__{kind.replace('-', '_')}__{option}": value}
    response = add("widget").send(**NEW, type=kind, query=str(query.pk), **given)
    widget = Widget.objects.get()
    says = 'shows the column "gone", but its data has: day, ticker, price, volume, title, date.'
    (message,) = messages(response)
    assert "was not published" in message
    assert says in unescape(message)
    assert widget.published is None
    assert says in Page(boss, url("widget", "change", widget.pk)).text


@pytest.mark.parametrize("kind", ["chart", "chart-highcharts", "chart-vegalite"])
def test_text_where_numbers_belong_is_warned_of_and_answered_in_one_line(
    add: Open, boss: Client, caller: Client, define_query: Define, kind: str
) -> None:
    query = define_query()
    given: dict[str, Any] = {f"shape__{kind.replace('-', '_')}__y": "ticker"}
    add("widget").send(**NEW, type=kind, query=str(query.pk), **given)
    page = Page(boss, url("widget", "change", Widget.objects.get().pk))
    assert 'draws the column "ticker", which holds text: without numbers it shows an error' in page.text
    answer = caller.get("/w")
    assert answer.status_code == 502
    assert 'draws the column "ticker", which has no numbers, such as "AAA".' in answer.json()["error"]
    assert caller.get("/w?raw=true").status_code == 200


def test_columns_that_are_not_known_before_are_told_by_the_widget(
    caller: Client, define_query: Define, define_widget: Define
) -> None:
    define_query("other", "select day, volume from prices")
    define_widget("w", type="metric", query="other", shape={"value": "price"})
    answer = caller.get("/w")
    assert answer.status_code == 502
    assert '"price", but its data has: day, volume.' in answer.json()["error"]
