"""Texts, numbers, pages and what other backends answer, as a client shows them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.sample import PASSED
from tests.loopback import eventually
from widgets_app.shapes.base import NO_VALUE

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("libraries")]

Show = Callable[..., None]


def body(client: Any, widget: str) -> Any:
    return client.locator(f"[data-widget={widget}] .body")


def test_markdown_becomes_a_heading_a_table_and_harmless_html(client: Any, show: Show) -> None:
    show("Texts")
    text = body(client, "text")
    assert text.locator("h2").inner_text() == "Port RIX"
    assert text.locator("td").all_inner_texts() == ["Aurora 0", NO_VALUE, "Dagmar 3", "2.1", "Cirrus 6", "4.2"]
    assert text.locator("b").inner_text() == "HTML"
    assert body(client, "remark").locator("strong").inner_text() == "Quay"


def test_a_page_in_a_sandbox_sets_the_parameter_of_its_group(client: Any, show: Show) -> None:
    show("Texts")
    client.frame_locator("[data-widget=page] iframe").locator("button").click()
    said = body(client, "page").locator(".note")
    eventually(lambda: said.inner_text() == 'From the page: {"port":"VNO"}', every=0.1)
    eventually(lambda: body(client, "text").locator("h2").all_inner_texts() == ["Port VNO"], every=0.1)
    assert body(client, "text").locator("td").first.inner_text() == "Birk 1"


def test_news_come_newest_first_with_their_bodies(client: Any, show: Show) -> None:
    show("Texts")
    feed = body(client, "feed")
    assert feed.locator("h3").all_inner_texts() == ["Ice class lifted", "Quay closed"]
    assert feed.locator("article > small").first.inner_text() == "2026-03-01 08:00:00 · Office"
    assert feed.locator("h2").text_content() == "Ice"


def test_metrics_have_a_value_a_change_and_a_second_value(client: Any, show: Show) -> None:
    show("Texts")
    figures = body(client, "figures")
    assert figures.locator("strong").all_inner_texts() == ["14", "3.25"]
    assert figures.locator(".up").all_inner_texts() == ["2.5"]
    assert figures.locator(".down").all_inner_texts() == ["-1"]
    assert figures.locator("small").all_inner_texts() == ["At berth", "of 20", "Queue", ""]


def test_a_video_is_an_address_and_a_frame_shows_a_page_of_this_server(client: Any, show: Show) -> None:
    show("Texts")
    assert body(client, "video").inner_text() == "Video: https://www.youtube.com/watch?v=dQw4w9WgXcQ"
    assert client.frame_locator("[data-widget=frame] iframe").locator("button").inner_text() == "Vilnius"


def test_what_another_backend_answers_is_drawn_too(client: Any, show: Show) -> None:
    show("Passed")
    shown = {name: body(client, name).inner_text() for name in PASSED}
    assert "Birk" in shown["live"]
    assert "AAA, drawn with Plotly" in shown["udf"]
    assert shown["pdf"] == shown["files"] == "a.pdf · pdf · 8 bytes"
    assert shown["omni"] == "Late."
