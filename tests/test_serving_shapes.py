"""Types whose answers are not JSON, or not only, from a request to an answer."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from tests.conftest import Define
from widgets_app.shapes.base import SANDBOX

pytestmark = pytest.mark.django_db


@pytest.fixture
def prices(define_query: Define) -> str:
    define_query()
    return "prices"


def test_a_page_is_html_in_a_sandbox_that_may_be_framed(caller: Client, prices: str, define_widget: Define) -> None:
    text = "{% for row in rows %}{{ row.ticker }} {{ row.price|number:2 }} {{ row.volume }};{% endfor %}"
    define_widget("page", type="html", query=prices, shape={"text": text})
    answer = caller.get("/page")
    assert answer.content.decode() == "AAA 10.50 100;AAA 11.00 \N{EN DASH};BBB 20.25 300;"
    assert answer["Content-Type"] == "text/html; charset=utf-8"
    assert answer[SANDBOX[0]] == SANDBOX[1]
    assert "X-Frame-Options" not in answer
    raw = caller.get("/page?raw=true")
    assert raw["Content-Type"] == "application/json"
    assert len(raw.json()) == 3
    assert caller.get("/page?raw=false").content == answer.content


def test_values_of_a_request_are_escaped_in_a_page_and_in_markdown(caller: Client, define_widget: Define) -> None:
    params = [{"paramName": "who", "type": "text", "label": "Who", "description": "Who"}]
    define_widget("page", type="html", shape={"text": "<b>{{ who }}</b>{{ params.who }}"}, params=params)
    define_widget("text", type="markdown", shape={"text": "**{{ who|default:'you' }}**"}, params=params)
    sent = {"who": "<i>_x_</i>"}
    assert caller.get("/page", sent).content == b"<b>&lt;i&gt;_x_&lt;/i&gt;</b>&lt;i&gt;_x_&lt;/i&gt;"
    assert caller.get("/text", sent).json() == r"**&lt;i&gt;\_x\_&lt;/i&gt;**"
    assert caller.get("/text").json() == "**you**"


def test_a_template_that_takes_too_much_is_one_line(caller: Client, prices: str, define_widget: Define) -> None:
    loops = "{% for a in rows %}" * 14 + "{{ a.ticker }}" * 10 + "{% endfor %}" * 14
    define_widget("bomb", type="html", query=prices, shape={"text": loops})
    answer = caller.get("/bomb")
    assert answer.status_code == 502
    assert answer.json()["error"].startswith("The widget's template takes ")


def test_a_video_is_plain_text_and_its_transcript_markdown(caller: Client, define_widget: Define) -> None:
    define_widget("video", type="youtube", shape={"url": "https://youtu.be/abc"})
    answer = caller.get("/video")
    assert (answer.content, answer["Content-Type"]) == (b"https://youtu.be/abc", "text/plain; charset=utf-8")
    assert caller.get("/video?raw=true")["Content-Type"] == "text/markdown; charset=utf-8"


def test_news_is_a_list_at_the_data_key(caller: Client, prices: str, define_widget: Define) -> None:
    columns = {"title": "ticker", "date": "day"}
    define_widget("news", type="newsfeed", query=prices, shape=columns, data={"dataKey": "results"})
    articles = caller.get("/news").json()["results"]
    assert [article["date"] for article in articles] == [f"2024-01-0{day}T00:00:00Z" for day in (3, 2, 2)]
    assert all(isinstance(part, str) for article in articles for part in article.values())


@pytest.mark.parametrize("kind", ["chart-highcharts", "chart-vegalite"])
def test_charts_are_objects_in_the_colours_of_the_theme(
    caller: Client, prices: str, define_widget: Define, kind: str
) -> None:
    define_widget("c", type=kind, query=prices, shape={"x": "day", "y": ["price"], "colour": "ticker"})
    answers: list[Any] = [caller.get(f"/c{query}").json() for query in ("", "?theme=dark", "?theme=light", "?raw=true")]
    assert answers[0] == answers[1] != answers[2]
    assert isinstance(answers[0], dict)
    assert len(answers[3]) == 3
