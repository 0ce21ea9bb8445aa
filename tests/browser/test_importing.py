"""Importing in a real browser: several files at once, a look before, and buttons that say that it takes a while."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.browser.test_admin import press

pytestmark = pytest.mark.browser

WIDGET = {"name": "Brought", "description": "From elsewhere.", "type": "table", "endpoint": "brought"}
FILES = [
    {"name": name, "mimeType": "application/json", "buffer": json.dumps(content).encode()}
    for name, content in (
        ("widgets.json", {"brought": WIDGET}),
        ("apps.json", [{"name": "Brought", "tabs": {}}]),
    )
]


def test_files_are_chosen_looked_at_and_imported(page: Any) -> None:
    page.goto("/admin/import/")
    page.set_input_files("#id_uploads", FILES)
    assert page.input_value(".wb-field:has(#id_uploads) input[type=text]") == "widgets.json, apps.json"
    press(page, "Show what would be done")
    page.wait_for_selector("#added")
    assert "widget brought" in page.inner_text("#added")
    press(page, "Import")
    page.wait_for_selector("text=1 widget added")
    assert "Imported" in page.inner_text("tr:has(a:text-is('brought')) .field-state")


def test_a_button_that_takes_a_while_says_so_and_is_pressed_once(page: Any) -> None:
    page.goto("/admin/import/")
    # It is sent to nowhere, so that there is time to look.
    page.evaluate("window.addEventListener('submit', (event) => event.preventDefault())")
    press(page, "Show what would be done")
    busy = page.locator("#import_form button")
    busy.and_(page.locator("[disabled]")).wait_for()
    assert busy.inner_text() == "Reading …"


def test_the_page_of_findings_folds_and_leads_to_what_it_is_about(page: Any) -> None:
    page.goto("/admin/findings/?kind=widget")
    page.get_by_role("link", name="imported_0", exact=True).first.click()
    page.wait_for_selector("#widget_form")
