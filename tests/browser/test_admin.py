"""What only a browser can tell: fields that come and go, rows that are added, texts that browsers rewrite."""

from __future__ import annotations

import re
from typing import Any

import pytest

pytestmark = pytest.mark.browser

WIDGETS = "/admin/widgets_app/widget/"


def tab(page: Any, name: str) -> None:
    page.locator("nav a", has_text=re.compile(f"^\\s*{name}\\s*$")).first.click()


def press(page: Any, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def open_widget(page: Any, widget_id: str) -> None:
    page.goto(WIDGETS)
    page.get_by_role("link", name=widget_id, exact=True).click()
    page.wait_for_selector("#widget_form")


def test_fields_follow_the_chosen_type(page: Any) -> None:
    page.goto(f"{WIDGETS}add/")
    shown = {
        "table": ("#id_show_all", "#id_shape__chart__kind"),
        "chart": ("#id_shape__chart__kind", "#id_show_all"),
        "metric": ("#id_shape__metric__value", "#id_shape__chart__kind"),
        "note": ("#id_shape__markdown__text", "#id_shape__metric__value"),
    }
    for widget_type, (there, gone) in shown.items():
        tab(page, "Basics")
        page.select_option("#id_type", widget_type)
        tab(page, "Look")
        page.wait_for_selector(there, state="visible")
        page.wait_for_selector(gone, state="hidden")


def test_options_of_a_chart_follow_its_kind(page: Any) -> None:
    page.goto(f"{WIDGETS}add/")
    page.select_option("#id_type", "chart")
    tab(page, "Look")
    shown = {
        "line": ("second_y", "bins"),
        "bar": ("horizontal", "markers"),
        "histogram": ("bins", "x"),
        "candlestick": ("volume", "colour"),
        "treemap": ("groups", "legend"),
    }
    for kind, (there, gone) in shown.items():
        page.select_option("#id_shape__chart__kind", kind)
        page.wait_for_selector(f"#id_shape__chart__{there}", state="visible")
        page.wait_for_selector(f"#id_shape__chart__{gone}", state="hidden")


def test_a_field_with_something_in_it_stays_in_sight(page: Any) -> None:
    page.goto(f"{WIDGETS}add/")
    tab(page, "Look")
    page.select_option("#id_show_all", "true")
    tab(page, "Basics")
    page.select_option("#id_type", "chart")
    tab(page, "Look")
    page.wait_for_selector("#id_show_all", state="visible")
    page.wait_for_selector("#id_transpose", state="hidden")


def test_a_widget_is_made_published_and_run(page: Any) -> None:
    page.goto(f"{WIDGETS}add/")
    page.fill("#id_widget_id", "made")
    page.fill("#id_name", "Made in a browser")
    page.fill("#id_description", "Prices of one share.\nOne row per day.")
    page.fill("#id_source", "Us, Them")
    tab(page, "Data")
    page.click("#id_query + .select2")
    page.fill(".select2-container--open .select2-search__field", "pri")
    page.click(".select2-results__option:has-text('prices')")
    tab(page, "Parameters")
    page.click("#parameters-group .add-row")
    page.fill("#id_parameters-0-param_name", "ticker")
    page.select_option("#id_parameters-0-type", "text")
    page.fill("#id_parameters-0-label", "Ticker")
    page.fill("#id_parameters-0-value", "AAA")
    tab(page, "Columns")
    for number, field in enumerate(("day", "price")):
        page.click("#columns-group .add-row")
        page.fill(f"#id_columns-{number}-field", field)
    press(page, "Save and publish")
    page.wait_for_selector("text=“made” is published as version 1.")
    page.get_by_role("link", name="made", exact=True).click()
    page.get_by_role("link", name="Run").click()
    press(page, "Run")
    assert '"price": 10.5' in page.inner_text("#body")
    assert "made?ticker=AAA" in page.inner_text("#outcome")


def test_what_nobody_touched_is_kept_by_a_browser_too(page: Any) -> None:
    open_widget(page, "imported_0")
    assert page.inner_text(".wb-state").startswith("Published")
    press(page, "Save draft")
    page.wait_for_selector("text=is saved")
    assert page.inner_text(".wb-state").startswith("Published")
    page.fill("#id_category", "New")
    press(page, "Save draft")
    page.wait_for_selector("text=is saved")
    assert page.inner_text(".wb-state").startswith("Changed")
    page.fill("#id_category", "")
    press(page, "Save draft")
    page.wait_for_selector("text=is saved")
    assert page.inner_text(".wb-state").startswith("Published")


def test_rows_are_dragged_into_order(page: Any) -> None:
    open_widget(page, "imported_1")
    tab(page, "Columns")
    handles = page.locator("#columns-group [x-sort\\:handle]")
    handles.nth(1).hover()
    page.mouse.down()
    target = handles.nth(0).bounding_box()
    page.mouse.move(target["x"] + 10, target["y"] - 5, steps=12)
    page.mouse.move(target["x"] + 10, target["y"] - 12, steps=4)
    page.mouse.up()
    press(page, "Save draft")
    page.wait_for_selector("text=is saved")
    assert page.input_value("#id_columns-0-field") == "day"


def test_a_key_is_shown_once(page: Any, signed_in: Any) -> None:
    signed_in.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("/admin/widgets_app/apikey/add/")
    page.fill("#id_name", "Ana")
    press(page, "Save")
    header = page.inner_text("#header")
    assert re.fullmatch(r"X-API-KEY: wk_[0-9a-f]{8}_[\w-]{43}", header)
    page.locator("[data-copy=header]").click()
    page.wait_for_selector("text=Copied")
    assert page.evaluate("navigator.clipboard.readText()") == header
    secret = header.rpartition("_")[2]
    page.get_by_role("link", name="I have copied it").click()
    page.wait_for_selector("#apikey_form")
    assert secret not in page.content()
    answer = signed_in.request.get("/widgets.json", headers={"X-API-KEY": header.removeprefix("X-API-KEY: ")})
    assert answer.status == 200


def test_a_key_is_issued_with_row_values_one_per_line(page: Any) -> None:
    page.goto("/admin/widgets_app/apikey/add/")
    page.fill("#id_name", "Ana of the desk")
    page.get_by_text("Add Row value").click()
    page.fill("#id_row_values-0-name", "desk")
    page.fill("#id_row_values-0-values", "EMEA\nAPAC")
    press(page, "Save")
    page.get_by_text("X-API-KEY").first.wait_for()
    page.goto("/admin/widgets_app/apikey/")
    page.get_by_role("link", name="Ana of the desk", exact=True).click()
    assert page.input_value("#id_row_values-0-values") == "EMEA\nAPAC"
