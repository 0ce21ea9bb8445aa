"""A source is tested from its form without leaving it, and looked into by keyboard on a narrow screen."""

from __future__ import annotations

import re
from typing import Any

import pytest

pytestmark = pytest.mark.browser

SOURCES = "/admin/widgets_app/source/"


def open_source(page: Any) -> None:
    page.goto(SOURCES)
    page.get_by_role("link", name="market", exact=True).click()
    page.wait_for_selector("#source_form")


def test_what_stands_in_the_form_is_tested_in_place(page: Any) -> None:
    open_source(page)
    page.fill("#id_description", "not saved yet")
    page.get_by_role("button", name="Test now").click()
    page.wait_for_selector("#steps .wb-good")
    assert re.search(r"Tables\s*works\s*1 file is a table\.\s*\d+ ms", page.inner_text("#steps"))
    page.fill("#id_options__files__folder", "../away")
    page.get_by_role("button", name="Test now").click()
    page.wait_for_selector("#steps .wb-bad")
    assert "Name a folder below files/" in page.inner_text("#steps")
    assert page.input_value("#id_description") == "not saved yet"
    page.on("dialog", lambda dialog: dialog.accept())
    open_source(page)
    assert page.input_value("#id_description") == ""


def test_a_table_is_found_by_keyboard_and_made_a_query(page: Any) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    open_source(page)
    page.goto(f"{page.url.removesuffix('change/').rstrip('/')}/explore/")
    page.focus("#search")
    page.keyboard.type("pri")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=pri**")
    page.focus("#tables a")
    page.keyboard.press("Enter")
    page.wait_for_selector("#sample")
    assert "2024-01-02" in page.inner_text("#sample")
    width = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width[0] <= width[1]
    page.get_by_role("link", name="Make a query of this").click()
    page.wait_for_selector("#query_form")
    assert page.input_value("#id_text") == 'select * from "prices"'
    assert page.input_value("#id_name") == "market-prices"
