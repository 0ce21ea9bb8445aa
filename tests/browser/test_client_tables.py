"""Tables as AG Grid shows them, and pages of rows as AG Grid asks for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.conftest import Backend
from tests.browser.sample import CALLS
from tests.loopback import eventually

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("libraries")]

Show = Callable[..., None]
RED, YELLOW, GREEN = "rgb(255, 0, 0)", "rgb(234, 179, 8)", "rgb(34, 197, 94)"
UP, DOWN = "rgb(34, 160, 107)", "rgb(229, 72, 77)"
COLOURS = "cell => [getComputedStyle(cell).color, getComputedStyle(cell).backgroundColor]"
# While a grid waits for its first page, it shows one row.
TOTAL = """() => {
    const { grid } = client.widget("calls");
    return grid.isLastRowIndexKnown() ? grid.getDisplayedRowCount() : null;
}"""


def cell(client: Any, widget: str, row: int, field: str) -> Any:
    return client.locator(f"[data-widget={widget}] .ag-row[row-index='{row}'] [col-id='{field}']")


def texts(client: Any, widget: str, field: str) -> list[str]:
    cells = client.locator(f"[data-widget={widget}] .ag-row [col-id='{field}']")
    rows = cells.evaluate_all(
        "cells => cells.map(c => [+c.parentElement?.closest('.ag-row')?.getAttribute('row-index'), c.innerText])"
    )
    return [text for _, text in sorted(rows)]


def style(found: Any) -> list[str]:
    colours: list[str] = found.evaluate(COLOURS)
    return colours


def test_columns_are_formatted_as_their_definitions_say(client: Any, show: Show) -> None:
    show("Tables")
    # Sorted by the day of arrival, so the empty row is first.
    expected = {
        "vessel": ["", "Birk", "Aurora"],
        "port": ["", "Vilnius Port", "Port Of Riga"],
        "draft": ["", "10.0 m", "7.4 m"],
        "change": ["", "-1.00%", "2.50%"],
        "late": ["", "0.0%", "12.5%"],
        "cost": ["", "€ -5", "€ 1,234,568"],
        "built": ["", "1999", "2011"],
        "arrived": ["", "2026-03-02", "2026-03-01 08:30:00"],
        "eta": ["", "2026-03-04", "2026-03-05"],
    }
    assert {field: texts(client, "ships", field) for field in expected} == expected


def test_columns_stand_where_their_definitions_say(client: Any, show: Show) -> None:
    show("Tables")
    ships = client.locator("[data-widget=ships]")
    headers = ships.locator(".ag-header-cell-text").all_inner_texts()
    assert headers[:4] == ["Vessel", "Port", "Draft", "Change"]
    assert not {"level", "code", "flows", "Level", "IMO", "imo"} & set(headers)
    pinned = "() => client.widget('ships').grid.getDisplayedLeftColumns().map(column => column.getColId())"
    assert client.evaluate(pinned) == ["vessel"]
    assert cell(client, "ships", 1, "draft").evaluate("cell => cell.style.textAlign") == "center"


def test_cells_have_the_colours_of_rules_and_signs(client: Any, show: Show) -> None:
    show("Tables")
    assert style(cell(client, "ships", 1, "draft"))[1] == RED
    assert style(cell(client, "ships", 2, "draft"))[0] == YELLOW
    assert [style(cell(client, "ships", row, "change"))[0] for row in (1, 2)] == [DOWN, UP]
    # The level decides, not the remark itself.
    assert style(cell(client, "ships", 1, "remark"))[0] == GREEN
    assert style(cell(client, "ships", 2, "remark"))[0] != GREEN


def test_small_charts_draw_lists_of_numbers(client: Any, show: Show) -> None:
    show("Tables")
    assert len(cell(client, "ships", 2, "trend").locator("polyline").get_attribute("points").split()) == 4
    assert cell(client, "ships", 2, "trend").locator("circle").get_attribute("fill") == "#22c55e"
    fills = (
        cell(client, "ships", 2, "balance").locator("rect").evaluate_all("all => all.map(r => r.getAttribute('fill'))")
    )
    assert fills == ["green", "red", "green", "red"]
    assert cell(client, "ships", 1, "balance").locator("rect").count() == 0


def test_a_card_shows_what_the_cell_holds(client: Any, show: Show) -> None:
    show("Tables")
    cell(client, "ships", 2, "vessel").hover()
    card = client.locator(".ag-tooltip")
    card.wait_for()
    assert card.inner_text() == "Ship\nAurora of LV, 21 aboard"


def test_a_click_on_a_cell_asks_another_widget_for_other_rows(client: Any, show: Show) -> None:
    show("Tables")
    assert texts(client, "calls_of_port", "vessel") == ["Aurora 0", "Dagmar 3", "Cirrus 6"]
    cell(client, "ships", 1, "port").locator(".click").click()
    eventually(lambda: texts(client, "calls_of_port", "vessel") == ["Birk 1", "Aurora 4", "Dagmar 7"], every=0.1)
    assert "Port: VNO" in client.locator("[data-widget=calls_of_port] header").inner_text()


def test_tables_without_columns_inside_an_object_and_without_rows_are_shown(client: Any, show: Show) -> None:
    show("Plain")
    assert texts(client, "plain", "value") == ["14", "3.25"]
    assert texts(client, "turned", "At berth") == ["14", "2.5", "of 20"]
    assert client.locator("[data-widget=no_rows] .ag-overlay").inner_text() == "No Rows To Show"


@pytest.fixture
def asked(client: Any) -> list[dict[str, Any]]:
    """What the grid has asked for."""
    bodies: list[dict[str, Any]] = []
    client.on("request", lambda request: bodies.append(request.post_data_json) if request.method == "POST" else None)
    return bodies


def filtered(client: Any, field: str, text: str) -> None:
    """Write into the filter below the header of a column."""
    column = client.locator(".ag-header-row-column").locator(f"[col-id='{field}']").first.get_attribute("aria-colindex")
    client.locator(f".ag-header-row-filter [aria-colindex='{column}'] input:enabled").first.fill(text)


def total(client: Any, rows: int) -> None:
    """Wait until the grid knows that it has so many rows."""
    eventually(lambda: client.evaluate(TOTAL) == rows, every=0.1)


def test_a_grid_scrolls_through_pages_to_the_last_row(client: Any, show: Show, asked: list[dict[str, Any]]) -> None:
    show("Paged")
    total(client, len(CALLS))
    client.locator("[data-widget=calls] .ag-row").first.hover()
    client.mouse.wheel(0, 100_000)
    last = cell(client, "calls", 999, "number")
    last.wait_for()
    eventually(lambda: last.inner_text() == "999", every=0.1)
    assert cell(client, "calls", 999, "moored_at").inner_text() == "2026-02-11 21:30:00"
    assert cell(client, "calls", 990, "draft").inner_text() == ""
    assert {"startRow": 900, "endRow": 1000, "sortModel": [], "filterModel": {}} in asked


def test_a_click_on_a_header_sorts_where_the_rows_are(client: Any, show: Show, asked: list[dict[str, Any]]) -> None:
    show("Paged")
    header = client.locator(".ag-header-cell[col-id='draft'] .ag-header-cell-label")
    for order, first in (("asc", ["0.0", "0.0"]), ("desc", ["9.9", "9.9"])):
        header.click()
        eventually(lambda expected=first: texts(client, "calls", "draft")[:2] == expected, every=0.1)  # type: ignore[misc]  # bound now
        (sort,) = asked[-1]["sortModel"]
        assert (sort["colId"], sort["sort"]) == ("draft", order)


@pytest.mark.parametrize(
    ("field", "text", "holds"),
    [
        ("vessel", "birk 1", lambda row: "Birk 1" in row["vessel"]),
        ("number", "250", lambda row: row["number"] == 250),
        ("day", "2026-02-03", lambda row: row["day"] == "2026-02-03"),
        ("moored_at", "2026-02-03", lambda row: row["moored_at"].startswith("2026-02-03")),
    ],
)
def test_filters_of_the_grid_hold_where_the_rows_are(
    client: Any, show: Show, asked: list[Any], field: str, text: str, holds: Callable[[dict[str, Any]], bool]
) -> None:
    show("Paged")
    filtered(client, field, text)
    expected = [row for row in CALLS if holds(row)]
    assert expected
    total(client, len(expected))
    assert asked[-1]["filterModel"].keys() == {field}
    eventually(lambda: texts(client, "calls", "number")[0] == str(expected[0]["number"]), every=0.1)


def test_filters_of_two_conditions_and_two_columns_hold_together(client: Any, show: Show, asked: list[Any]) -> None:
    show("Paged")
    conditions = [
        {"filterType": "number", "type": "inRange", "filter": 100, "filterTo": 200},
        {"filterType": "number", "type": "greaterThan", "filter": 990},
    ]
    numbers = {"filterType": "number", "operator": "OR", "conditions": conditions}
    ports = {"filterType": "text", "type": "equals", "filter": "RIX"}
    client.evaluate("model => client.widget('calls').grid.setFilterModel(model)", {"number": numbers, "port": ports})
    total(client, sum((100 <= row["number"] <= 200 or row["number"] > 990) and row["port"] == "RIX" for row in CALLS))
    assert asked[-1]["filterModel"] == {"number": numbers, "port": ports}


def test_groups_are_asked_for_level_by_level(client: Any, backend: Backend) -> None:
    levels = {
        "startRow": 0, "endRow": 100, "filterModel": {}, "sortModel": [{"colId": "port", "sort": "desc"}],
        "rowGroupCols": [{"id": "port", "field": "port"}, {"id": "late", "field": "late"}],
        "valueCols": [{"id": "number", "field": "number", "aggFunc": "max"}],
    }  # fmt: skip

    def opened(*keys: str) -> Any:
        target = f"{backend.url}/data/calls"
        body = levels | {"groupKeys": [*keys]}
        return client.evaluate("asked => client.ask(...asked)", [{"key": backend.key}, target, body])

    assert opened() == {
        "rowData": [{"port": "VNO", "number": 997}, {"port": "RIX", "number": 999}, {"port": "KLJ", "number": 998}],
        "rowCount": 3,
    }
    assert {(row["late"], row["number"]) for row in opened("RIX")["rowData"]} == {(False, 999), (True, 996)}
    leaves = opened("RIX", "true")
    assert leaves["rowCount"] == len([row for row in CALLS if row["port"] == "RIX" and row["late"]])
    assert {row["port"] for row in leaves["rowData"]} == {"RIX"}
