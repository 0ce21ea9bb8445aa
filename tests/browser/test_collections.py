"""A collection is made in a browser, and its rows are entered, refused, found, changed and deleted there."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.test_admin import press

pytestmark = pytest.mark.browser

COLUMNS = "vessel: text, tons: number, in_port: boolean, arrived: date, seen: datetime"


def follow(page: Any, name: str) -> None:
    page.get_by_role("link", name=name, exact=True).click()


def cells(page: Any) -> list[str]:
    return [
        " ".join(text.split())
        for text in page.locator("#result_list tbody td, #result_list tbody th").all_inner_texts()
    ]


def test_rows_of_a_collection_are_entered_found_changed_and_deleted(page: Any) -> None:
    make_collection(page)
    enter_two_rows(page)
    find_and_change_one(page)
    delete_it(page)


def make_collection(page: Any) -> None:
    page.goto("/admin/widgets_app/source/add/")
    page.fill("#id_name", "log")
    page.select_option("#id_kind", "collection")
    page.fill("#id_options__collection__columns", COLUMNS)
    page.fill("#id_options__collection__key", "vessel")
    page.get_by_role("button", name="Save and continue editing").click()
    page.wait_for_selector("text=No row yet. Add one here")
    follow(page, "See the rows")
    page.wait_for_selector("#empty")
    follow(page, "Add a row")


def enter_two_rows(page: Any) -> None:
    page.fill("#id_column__vessel", "Aurora")
    page.fill("#id_column__tons", "12.5")
    page.check("#id_column__in_port")
    page.fill("#id_column__arrived", "2024-02-29")
    page.fill("#id_column__seen", "2024-02-29T10:00:30")
    press(page, "Save and add another")
    page.wait_for_selector("text=was added successfully")
    page.fill("#id_column__vessel", "Aurora")
    press(page, "Save")
    page.wait_for_selector('text=There is a row with vessel "Aurora" already. Change that one.')
    page.fill("#id_column__vessel", "Borealis")
    press(page, "Save")
    page.wait_for_selector("#result_list")
    shown = cells(page)
    assert [text for text in shown if text in ("Aurora", "Borealis", "12.5", "2024-02-29", "2024-02-29 10:00:30")] == [
        "Borealis", "Aurora", "12.5", "2024-02-29", "2024-02-29 10:00:30"
    ]  # fmt: skip


def find_and_change_one(page: Any) -> None:
    page.fill("#searchbar", "auro")
    page.press("#searchbar", "Enter")
    page.wait_for_url("**q=auro**")
    assert "Borealis" not in cells(page)
    page.locator("#result_list tbody th a").click()
    page.wait_for_selector("#collectionrow_form")
    assert page.input_value("#id_column__seen") == "2024-02-29T10:00:30"
    assert page.is_checked("#id_column__in_port")
    page.fill("#id_column__tons", "13")
    press(page, "Save")
    page.wait_for_url("**q=auro**")
    assert "13" in cells(page)


def delete_it(page: Any) -> None:
    page.locator("#result_list tbody th a").click()
    follow(page, "Delete collection row")
    press(page, "Yes, I’m sure")  # noqa: RUF001  the theme's own words
    page.wait_for_selector("text=was deleted successfully")
    assert "Aurora" not in cells(page)
    page.fill("#searchbar", "auro")
    page.press("#searchbar", "Enter")
    page.wait_for_selector("text=No row has “auro” in one of its values.")
    follow(page, "Show all rows")
    page.wait_for_selector("#result_list")
    assert "Borealis" in cells(page)
    follow(page, "← Source log")
    page.wait_for_selector("text=1 of at most 10000.")
