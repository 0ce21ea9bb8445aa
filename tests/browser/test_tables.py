"""What a table's pages do in a browser: settings that come and go, rules that are added, columns that are filled in."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.test_admin import open_widget, press, tab

pytestmark = pytest.mark.browser


def open_column(page: Any, widget_id: str, number: int) -> None:
    open_widget(page, widget_id)
    tab(page, "Columns")
    page.locator("#columns-group tbody.original .wb-link").nth(number).click()
    page.wait_for_selector("#column_form")


def test_the_settings_of_a_column_follow_its_render_functions(page: Any) -> None:
    open_column(page, "imported_0", 0)
    tab(page, "Rendering")
    for name in ("#id_click_action", "#id_hover_title", "#id_color_rules"):
        page.wait_for_selector(name, state="hidden")
    page.check("input[name=render_fn][value=cellOnClick]")
    page.wait_for_selector("#id_click_action", state="visible")
    page.wait_for_selector("#id_click_parameter", state="hidden")
    page.select_option("#id_click_action", "groupBy")
    page.wait_for_selector("#id_click_parameter", state="visible")
    page.wait_for_selector("#id_click_text", state="hidden")
    page.check("input[name=render_fn][value=hoverCard]")
    page.wait_for_selector("#id_hover_title", state="visible")
    page.check("input[name=render_fn][value=columnColor]")
    page.wait_for_selector("#id_color_rules", state="visible")


def test_colour_rules_are_added_picked_and_removed(page: Any) -> None:
    open_column(page, "imported_0", 0)
    tab(page, "Rendering")
    page.check("input[name=render_fn][value=columnColor]")
    for _ in range(3):
        page.click("[data-add-rule]")
    page.select_option("[name=color_rules-0-condition]", "gt")
    page.wait_for_selector("[name=color_rules-0-min]", state="hidden")
    page.fill("[name=color_rules-0-value]", "9")
    page.fill("[name=color_rules-0-color]", "green")
    page.select_option("[name=color_rules-1-condition]", "between")
    page.wait_for_selector("[name=color_rules-1-value]", state="hidden")
    page.fill("[name=color_rules-1-min]", "1")
    page.fill("[name=color_rules-1-max]", "9")
    page.locator(".wb-rule [data-picker]").nth(1).fill("#ff8800")
    page.check("[name=color_rules-1-fill]")
    page.locator("[data-remove-rule]").nth(2).click()
    press(page, "Save draft")
    page.wait_for_selector("text=is saved")
    tab(page, "Advanced")
    stored = page.input_value("#id_render_fn_params")
    assert '"condition": "gt",\n      "value": 9,\n      "color": "green"' in stored
    assert '"range": {\n        "min": 1,\n        "max": 9\n      }' in stored
    assert '"color": "#ff8800"' in stored
    tab(page, "Rendering")
    page.locator("[data-remove-rule]").nth(0).click()
    press(page, "Save draft")
    page.wait_for_selector("text=is saved")
    tab(page, "Rendering")
    page.locator(".wb-rule:visible").first.wait_for()
    assert page.input_value("[name=color_rules-0-color]") == "#ff8800"
    assert page.locator(".wb-rule:visible").count() == 1


def test_columns_and_parameters_are_filled_in_from_the_query(page: Any) -> None:
    open_widget(page, "imported_1")
    page.get_by_role("link", name="Fill in").click()
    page.wait_for_selector("text=Every placeholder has its parameter.")
    press(page, "Add these columns")
    page.wait_for_selector("text=Added to the draft: the columns ticker.")
    tab(page, "Columns")
    assert page.input_value("#id_columns-2-field") == "ticker"
    assert page.input_value("#id_columns-2-cell_data_type") == "text"


def test_the_settings_of_the_chart_view_follow_its_switch(page: Any) -> None:
    open_widget(page, "imported_1")
    tab(page, "Look")
    page.wait_for_selector("#id_chart_type", state="hidden")
    page.select_option("#id_chart_enabled", "true")
    page.select_option("#id_chart_type", "line")
    page.fill("#id_chart_category", "day")
    page.fill("#id_chart_series", "price")
    press(page, "Save draft")
    page.wait_for_selector("text=is saved")
    tab(page, "Advanced")
    assert '"line": [\n      "day",\n      "price"\n    ]' in page.input_value("#id_chart_view")
