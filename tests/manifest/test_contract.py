from __future__ import annotations

import json
from collections import Counter
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.manifest.definitions import APP, ASK, CARD, FILES, FORM, LIVE, PAGE, TRAMS, WIDGETS
from widgets_app import vocabulary
from widgets_app.manifest.contract import (
    BREAKING,
    Finding,
    as_imported,
    breaks_app,
    breaks_entry,
    check_app,
    check_apps,
    check_chart_view,
    check_render_fn_params,
    check_sparkline,
    check_state,
    check_widget,
    check_widgets,
    cron_problem,
    is_reserved,
)

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
GONE = object()

COLUMN = "data.table.columnsDefs[{}]".format
CLICK = COLUMN(0) + ".renderFnParams"
RULE = COLUMN(1) + ".renderFnParams.colorRules[{}]"
SPARK = COLUMN(2) + ".sparkline"


def changed(document: dict[str, Any], place: str, value: object) -> dict[str, Any]:
    """Return a copy with what is at a place such as `a.b[1]` replaced, or taken out for GONE."""
    copy = deepcopy(document)
    parts = place.replace("[", ".").replace("]", "").split(".")
    *path, last = [int(part) if part.isdigit() else part for part in parts]
    item: Any = copy
    for part in path:
        item = item.setdefault(part, {}) if isinstance(item, dict) else item[part]
    if value is GONE:
        del item[last]
    else:
        item[last] = value
    return copy


def brief(findings: list[Finding]) -> list[tuple[str, str, str]]:
    return [(finding.severity, finding.code, finding.where) for finding in findings]


def test_definitions_that_are_right_have_no_findings():
    assert {key: brief(found) for key, found in check_widgets(WIDGETS).items()} == {key: [] for key in WIDGETS}
    assert [brief(found) for found in check_apps([APP], WIDGETS)] == [[]]


# Place that is changed, new value, what is found at which place (at the changed one when it is left out).
WIDGET_FAULTS: list[tuple[Any, ...]] = [
    ("name", GONE, "error name-missing"),
    ("name", " ", "error name-missing"),
    ("name", 5, "error name-missing"),
    ("endpoint", GONE, "error endpoint-missing"),
    ("endpoint", None, "error endpoint-missing"),
    ("description", "", "error description-missing"),
    ("type", GONE, "warning type-missing"),
    ("type", "tabel", "warning type-unknown"),
    ("type", 7, "error type-unknown"),
    ("type", "live_feed", "warning type-unknown"),
    ("widgetId", "tram", "error widget-id-differs"),
    ("id", "/trams/now", "warning id-differs"),
    ("endpoint", "/admin/login", "error endpoint-reserved"),
    ("endpoint", "trams/{line}", "warning endpoint-template"),
    ("wsEndpoint", "ws", "warning ws-endpoint-unused"),
    ("source", "Depot log", "warning source-text"),
    ("source", ["Depot log", 3], "error source-type"),
    ("source", {}, "error source-type"),
    ("subCategory", ["Trams"], "error wrong-type"),
    ("runButton", "true", "error wrong-type"),
    ("subcategory", "Trams", None),
    ("Exportable", True, "warning key-spelling"),
    ("run_button", True, None),
    ("mcpTool", {}, None),
    ("refreshInterval", 5000, None),
    ("searchcategory", "Trams", "warning key-spelling"),
    ("raw", True, "warning raw-unused"),
    ("gridData", [], "error wrong-type"),
    ("gridData.w", "20", "error wrong-type"),
    ("gridData.w", True, "error wrong-type"),
    ("gridData.w", 50, "warning grid-wide", "error grid-order"),
    ("gridData.maxW", 50, "warning grid-wide"),
    ("gridData.maxH", 101, "error grid-size"),
    ("gridData.minH", 13, "error grid-order"),
    ("gridData.maxH", 11, "error grid-order gridData.h"),
    ("gridData.y", 3, "warning grid-position"),
    ("gridData", {"w": 9, "h": 3}, "warning grid-narrow gridData.w", "warning grid-low gridData.h"),
    ("gridData", {"w": 0, "h": 101}, "error grid-size gridData.w", "error grid-size gridData.h"),
    ("gridData", {"minW": 5, "maxW": 4}, "error grid-order gridData.minW"),
    ("refetchInterval", 999, "error refetch-interval"),
    ("refetchInterval", 1000.5, "error refetch-interval"),
    ("refetchInterval", True, "error refetch-interval"),
    ("refetchInterval", "hourly", "error refetch-interval"),
    ("refetchInterval", "0 24 * * *", "error refetch-interval"),
    ("refetchInterval", False, None),
    ("refetchInterval", 60000.0, None),
    ("refetchInterval", 5000, "warning stale-time-late staleTime"),
    ("dataUpdateDisplay", "0 10 * *", "error update-display"),
    ("dataUpdateDisplay", 60000, "error update-display"),
    ("staleTime", -1, "error stale-time"),
    ("staleTime", "5m", "error stale-time"),
    ("mcp_tool", "trams", "error wrong-type"),
    ("mcp_tool.tool_id", "", "error mcp-tool"),
    ("mcp_tool.mcp_server", GONE, "error mcp-tool"),
    ("storage", {"mcpUrl": "/mcp"}, "error mcp-url storage.mcpUrl"),
    ("columnsDefs", [{"field": "tram"}], "error columns-misplaced"),
    ("data.columnsDefs", [], "error columns-misplaced"),
    ("data.table.columnDefs", [], "error columns-misplaced"),
    ("data", [], "error wrong-type"),
    ("data.dataKey", 5, "error wrong-type"),
    ("data.chartConfig", {"upColor": 5, "showVolume": "no"}, "error wrong-type data.chartConfig.upColor",
     "error wrong-type data.chartConfig.showVolume"),
    ("data.table.formatterFn", "currency", "error formatter-fn"),
    ("data.table.showAll", 1, "error wrong-type"),
    ("data.table.showall", True, None),
    ("data.table.Transpose", True, "warning key-spelling"),
    ("data.table.chartView.chartType", "columns", "error chart-type"),
    ("data.table.chartView.enabled", "yes", "error wrong-type"),
    ("data.table.chartView", [], "error wrong-type"),
    ("data.table.chartView.cellRangeCols", {"bars": ["tram"]},
     "error chart-type data.table.chartView.cellRangeCols.bars"),
    ("data.table.chartView.cellRangeCols.bar", "tram", "error wrong-type"),
    ("data.table.chartView.cellRangeCols.bar", ["tram", 5], "error wrong-type"),
    (COLUMN(0), "tram", "error wrong-type"),
    (COLUMN(3) + ".field", GONE, "error column-field-missing"),
    (COLUMN(3) + ".field", "tram", "warning column-repeated"),
    (COLUMN(0) + ".cellDataType", "string", "error cell-data-type"),
    (COLUMN(1) + ".chartDataType", ["series"], "error chart-data-type"),
    (COLUMN(1) + ".formatterFn", "currency", "error formatter-fn"),
    (COLUMN(1) + ".formatterFn", None, None),
    (COLUMN(0) + ".formatFn", "int", "warning key-spelling"),
    (COLUMN(0) + ".pinned", True, "error pinned"),
    (COLUMN(0) + ".align", "middle", "error align"),
    (COLUMN(3) + ".sort", "up", "error sort"),
    (COLUMN(0) + ".width", "120px", "error wrong-type"),
    (COLUMN(0) + ".flex", 1, None),
    (COLUMN(2) + ".renderFn", "green", "error render-fn"),
    (COLUMN(2) + ".renderFn", ["greenRed", None], "error render-fn"),
    (COLUMN(2) + ".renderFn", "showCellChange", "warning render-live-only"),
    (COLUMN(2) + ".renderFn", "hoverCard", f"error hover-card-missing {COLUMN(2)}.renderFnParams.hoverCard"),
    (COLUMN(2) + ".renderFn", "cellOnClick", f"error action-missing {COLUMN(2)}.renderFnParams.actionType"),
    (COLUMN(2) + ".renderFn", ["columnColor"],
     f"error color-rules-missing {COLUMN(2)}.renderFnParams.colorRules"),
    (CLICK, "groupBy", "error wrong-type"),
    (CLICK + ".actionType", GONE, "error action-missing"),
    (CLICK + ".actionType", "openUrl", "warning action-undocumented"),
    (CLICK + ".actionType", "open", "error action-type"),
    (CLICK + ".groupBy.paramName", GONE, "error group-by-missing"),
    (CLICK + ".groupBy.forceUpdate", 1, "error wrong-type"),
    (CLICK, {"actionType": "groupBy", "groupByParamName": "tram"},
     f"error group-by-legacy {CLICK}.groupByParamName"),
    (CLICK + ".groupBy.paramName", "line", "warning click-param-shown params"),
    (COLUMN(3) + ".renderFnParams.sendToAgent", GONE,
     f"error send-to-agent-missing {COLUMN(3)}.renderFnParams.sendToAgent.markdown"),
    (COLUMN(1) + ".renderFnParams.hoverCard.title", 5, "error wrong-type"),
    (RULE.format(0), "red", "error wrong-type"),
    (RULE.format(0) + ".range", GONE, "error color-range"),
    (RULE.format(0) + ".range", {"min": 3, "max": 1}, "error color-range"),
    (RULE.format(0) + ".condition", GONE, "error color-condition"),
    (RULE.format(2) + ".condition", "above", "error color-condition"),
    (RULE.format(2) + ".value", None, "error color-value"),
    (RULE.format(1) + ".value", 5, "error color-value"),
    (RULE.format(1) + ".color", "", "error color-missing"),
    (RULE.format(1) + ".fill", "yes", "error wrong-type"),
    (SPARK, "line", "error wrong-type"),
    (SPARK + ".type", "column", "error sparkline-type"),
    (SPARK + ".type", GONE, "warning sparkline-type"),
    (SPARK + ".options.fillOpacity", 30, "error sparkline-opacity"),
    (SPARK + ".options.min", 100, "error sparkline-scale"),
    (SPARK + ".options.direction", "up", "error sparkline-direction"),
    (SPARK + ".options.stroke", 5, "error wrong-type"),
    (SPARK + ".options.customFormatter", "(p) => p.yValue", "info sparkline-code"),
    (SPARK + ".options.padding.top", "2px", "error wrong-type"),
    (SPARK + ".options.markers.size", "2", "error wrong-type"),
    (SPARK + ".options.pointsOfInterest.maximum.fill", 5, "error wrong-type"),
    (SPARK + ".options.pointsOfInterest.positiveNegative.negative", "red", "error wrong-type"),
    (SPARK + ".options.pointsOfInterest.positiveNegative.positive.size", "2", "error wrong-type"),
    ("params", None, "error params-type"),
    ("params", {"line": {}}, "error params-type"),
    ("params", [], None),
    ("params[0]", "line", "error wrong-type", "error options-param-unknown params[1].optionsParams.line"),
    ("params[2]", [{**TRAMS["params"][2]}], "error params-mixed params"),
    ("params[0].paramName", "", "error param-name-missing",
     "error options-param-unknown params[1].optionsParams.line"),
    ("params[2].paramName", "theme", "warning param-name-taken"),
    ("params[2].paramName", "line", "error param-name-repeated"),
    ("params[2].label", GONE, "warning param-texts"),
    ("params[2].description", "", "warning param-texts"),
    ("params[5].type", GONE, "warning param-type-missing"),
    ("params[2].type", "datetime", "error param-type"),
    ("params[2].type", "button", "error param-type"),
    ("params[0].show", "false", "error wrong-type"),
    ("params[4].default", True, None),
    ("params[5].editable", True, "warning key-spelling"),
    ("params[2].value", "yesterday", "error default-date"),
    ("params[2].value", "$currentDate-1m", "error default-date"),
    ("params[2].value", "$currentDate-1q", "error default-date"),
    ("params[2].value", "2026-02-30", "error default-date"),
    ("params[2].value", 20260131, "error default-date"),
    ("params[2].value", "2026-02-28", None),
    ("params[2].value", "$currentDate", None),
    ("params[2].value", "", None),
    ("params[2].value", ["2026-01-01"], "error default-type"),
    ("params[3].value", "many", "error default-type"),
    ("params[3].value", "1e2", None),
    ("params[3].value", 501, "error default-limits"),
    ("params[3].value", 0, "error default-limits"),
    ("params[3].min", 501, "error number-limits"),
    ("params[4].value", "yes", "error default-type"),
    ("params[4].value", "False", None),
    ("params[0].value", {"line": 4}, "error default-type"),
    ("params[1].value", ["a", ["b"]], "error default-type params[1].value[1]"),
    ("params[0].optionsEndpoint", GONE, "error options-endpoint-missing"),
    ("params[0].optionsEndpoint", "/widgets.json?x=1", "error endpoint-reserved"),
    ("params[2].optionsEndpoint", "days", "warning options-endpoint-unused"),
    ("params[1].optionsParams.line", "$route", "error options-param-unknown"),
    ("params[1].optionsParams.line", "$stop", "warning options-param-self"),
    ("params[0].optionsParams", {"stop": "$stop"}, "error options-params-cycle params"),
    ("params[3].multiSelect", True, "info multi-select-unused"),
    ("params[0].multiple", True, "warning multiple-unused"),
    ("params[0].style.popupWidth", 199, "error popup-width"),
    ("params[0].style.popupWidth", "300", "error popup-width"),
    ("params[0].style.color", "red", "warning style-key"),
    ("params[0].roles", ["chooser"], "warning role params[0].roles[0]"),
    ("params[5].language", "perl", "error language"),
    ("params[5].value", "low,new", "warning default-not-a-choice"),
    ("params[5].options[0]", "low", "warning option-text"),
    ("params[5].options[0]", 5, "error wrong-type", "warning default-not-a-choice params[5].value"),
    ("params[5].options[0].label", GONE, "warning option-label"),
    ("params[5].options[0].value", ["low"], "error option-value",
     "warning default-not-a-choice params[5].value"),
    ("params[5].options[0].value", "lo,w", "error option-comma",
     "warning default-not-a-choice params[5].value"),
    ("params[5].options[0].extraInfo", "New", "error wrong-type"),
    ("params[6].value", 3, "error tabs-default"),
    ("params[6].value", GONE, "error tabs-default"),
    ("params[6].options", [], "error tabs-options"),
]  # fmt: skip


def wanted(place: str, expected: tuple[str | None, ...]) -> list[tuple[str, ...]]:
    return [tuple(f"{text} {place}".split(" ")[:3]) for text in expected if text]


@pytest.mark.parametrize(("place", "value", "expected"), [(row[0], row[1], row[2:]) for row in WIDGET_FAULTS])
def test_each_fault_of_a_widget_is_found_where_it_is(place: str, value: object, expected: tuple[str | None, ...]):
    findings = check_widget("trams", changed(TRAMS, place, value))
    assert sorted(brief(findings)) == sorted(wanted(place, expected))


OTHER_FAULTS: list[tuple[Any, ...]] = [
    (FORM, "type", GONE, "warning type-missing"),
    (FORM, "params[0].endpoint", GONE, "error form-endpoint-missing"),
    (FORM, "params[0].endpoint", "-/health", "error endpoint-reserved"),
    (FORM, "params[0].inputParams", [], "error form-fields-missing"),
    (FORM, "params[0].inputParams[3].value", "send", "error button-value"),
    (FORM, "params[0].inputParams[3].type", "boolean", "warning form-button-missing params[0].inputParams",
     ),
    (FORM, "params[0].inputParams[0].type", "tabs", "error param-type",
     "error tabs-options params[0].inputParams[0].options"),
    (FORM, "params[0].inputParams[0].type", "form", "error param-type"),
    (FORM, "params[0].inputParams[0]", [], "error wrong-type",
     "error options-param-unknown params[0].inputParams[2].optionsParams.tram"),
    (FORM, "params[0].inputParams[1].options", GONE,
     "error options-endpoint-missing params[0].inputParams[1].optionsEndpoint"),
    (FORM, "params[0].inputParams[1].paramName", "tram", "error param-name-repeated"),
    (FORM, "params[0].inputParams[1].paramName", "raw", None),
    (FORM, "params[0].inputParams[2].optionsParams.tram", "$report", None),
    (FORM, "params[0].inputParams[2].optionsParams.tram", "$line", "error options-param-unknown"),
    (LIVE, "wsEndpoint", GONE, "error ws-endpoint-missing"),
    (LIVE, "wsEndpoint", "static/ws", "error endpoint-reserved"),
    (LIVE, "data.wsRowIdColumn", GONE, "error ws-row-id-missing"),
    (FILES, "params[0].roles", GONE, "error file-selector params"),
    (FILES, "params[0].multiSelect", GONE, "warning file-selector-kind params",
     "error default-type params[0].value"),
    (ASK, "params[0].paramName", "question", "error prompt-missing params"),
    (PAGE, "endpoint", "javascript:alert(1)", "error iframe-address"),
    (PAGE, "endpoint", "ftp://example.org/x", "error iframe-address"),
    (PAGE, "endpoint", "http://[broken", "error iframe-address"),
    (PAGE, "endpoint", "/page", "info iframe-path"),
    (PAGE, "endpoint", "static/clocks.html", "info iframe-path"),
    (PAGE, "endpoint", "http://maps.example.org/", "warning iframe-http"),
    (PAGE, "endpoint", "http://localhost:8000/", None),
    (CARD, "type", "advanced-chart", "warning type-legacy"),
    (CARD, "type", "table_ssrm", None),
    (CARD, "params[1]", {**CARD["params"][0], "paramName": "tram"}, "error param-name-repeated params[1].paramName"),
]  # fmt: skip


@pytest.mark.parametrize(("definition", "place", "value", "expected"), [(*row[:3], row[3:]) for row in OTHER_FAULTS])
def test_each_fault_of_a_special_widget_is_found(
    definition: dict[str, Any], place: str, value: object, expected: tuple[str | None, ...]
):
    findings = check_widget("w", changed(definition, place, value))
    assert sorted(brief(findings)) == sorted(wanted(place, expected))


def test_parameters_in_rows_are_checked_as_parameters_of_one_list():
    line, stop = TRAMS["params"][:2]
    rows = [[line], [], [stop, {**line, "value": {}}]]
    findings = check_widget("trams", {**TRAMS, "params": rows})
    assert brief(findings) == [
        ("error", "default-type", "params[2][1].value"),
        ("error", "param-name-repeated", "params[2][1].paramName"),
    ]


def test_a_circle_of_dependent_dropdowns_is_told_as_a_chain():
    definition = changed(TRAMS, "params[0].optionsParams", {"stop": "$stop"})
    (finding,) = check_widget("trams", definition)
    assert '"line" needs "stop" needs "line"' in finding.message or (
        '"stop" needs "line" needs "stop"' in finding.message
    )


def test_the_old_name_of_type_is_understood_and_reported():
    definition = {**changed(LIVE, "type", GONE), "defaultViz": "live_grid"}
    assert brief(check_widget("w", definition)) == [("warning", "key-spelling", "defaultViz")]


def test_a_widget_with_a_run_button_is_not_refetched_so_old_data_may_stay():
    definition = {**changed(TRAMS, "refetchInterval", GONE), "staleTime": 3_600_000}
    assert brief(check_widget("trams", definition)) == [("warning", "stale-time-late", "staleTime")]
    assert check_widget("trams", {**definition, "runButton": True}) == []


@pytest.mark.parametrize("widget_id", ["a/b", "a b", "", "ä"])
def test_an_unusual_widget_id_is_warned_about(widget_id: str):
    definition = changed(TRAMS, "widgetId", GONE)
    assert brief(check_widget(widget_id, definition)) == [("warning", "widget-id", "")]


@pytest.mark.parametrize(
    "endpoint",
    ["/", "/?x=1", "widgets.json", "/apps.json", "templates.json#x", "agents.json?a=b", "admin", "/admin/",
     "admin/auth/user", "%61dmin", "static/x.css", "-", "/-/health", "./admin"],
)  # fmt: skip
def test_paths_of_the_backend_itself_are_reserved(endpoint: str):
    assert is_reserved(endpoint)


@pytest.mark.parametrize(
    "endpoint",
    ["metrics/overview", "administration", "widgets.json.backup", "data/widgets.json", "-x", "statics",
     "https://example.org/admin/"],
)  # fmt: skip
def test_other_paths_are_free(endpoint: str):
    assert not is_reserved(endpoint)


def test_reserved_paths_can_be_given():
    definition = changed(TRAMS, "endpoint", "admin")
    assert check_widget("trams", definition, reserved=frozenset()) == []
    found = check_widgets({"trams": TRAMS}, reserved=frozenset({"trams/"}))
    assert brief(found["trams"]) == [("error", "endpoint-reserved", "endpoint")]


def test_widgets_with_one_name_are_warned_about_and_name_each_other():
    found = check_widgets({"trams": TRAMS, "card": {**CARD, "name": TRAMS["name"]}})
    assert brief(found["trams"]) == brief(found["card"]) == [("warning", "name-shared", "name")]
    assert '"card"' in found["trams"][0].message
    assert '"trams"' in found["card"][0].message


def test_widgets_at_one_endpoint_are_mentioned_whatever_the_spelling_of_the_path():
    found = check_widgets({"trams": TRAMS, "card": {**CARD, "endpoint": "/trams/now?x=1"}})
    assert brief(found["trams"]) == brief(found["card"]) == [("info", "endpoint-shared", "endpoint")]


@pytest.mark.parametrize(
    "text",
    ["* * * * *", "0 10 * * 1-5", "*/15 6-20 * * 1-5", "0,30 0 1,15 jan,JUL 7", "59 23 31 12 SUN", "5/10 * * * *",
     "  0  0 * * mon-fri/2 ", "0 0 1-31/2 JAN-DEC MON"],
)  # fmt: skip
def test_schedules_of_five_fields_are_valid(text: str):
    assert cron_problem(text) is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "0 fields"),
        ("@daily", "it has 1 field instead of 5"),
        ("0 0 * * * *", "6 fields"),
        ("60 * * * *", "minute"),
        ("* 24 * * *", "hour"),
        ("* * 0 * *", "day of the month"),
        ("* * 32 * *", "day of the month"),
        ("* * * 13 *", "month"),
        ("* * * MON *", "month"),
        ("* * * * 8", "day of the week"),
        ("* * * * JAN", "day of the week"),
        ("* * * * FRI-MON", "day of the week"),
        ("*/0 * * * *", "minute"),
        ("1, * * * *", "minute"),
        ("*-5 * * * *", "minute"),
        ("- * * * *", "minute"),
        ("٣ * * * *", "minute"),
        ("999999999 * * * *", "minute"),
        ("0 0 ? * *", "day of the month"),
    ],
)
def test_other_schedules_are_told_which_field_is_wrong(text: str, problem: str):
    assert problem in (cron_problem(text) or "")


def test_only_what_makes_workspace_refuse_the_entry_breaks_it():
    assert breaks_entry("trams", TRAMS) is None
    assert breaks_entry("trams", {"name": "n", "endpoint": "e", "type": "new", "params": None}) is None
    assert breaks_entry("feed", {"name": "n", "type": "live_feed"}) is None
    broken: list[tuple[object, str]] = [
        ([], "widget-not-object"),
        (None, "widget-not-object"),
        ({"endpoint": "e"}, "name-missing"),
        ({"name": "", "endpoint": "e"}, "name-missing"),
        ({"name": "n"}, "endpoint-missing"),
        ({"name": "n", "type": "note", "endpoint": ""}, "endpoint-missing"),
    ]
    for definition, code in broken:
        found = breaks_entry("w", definition)
        assert found is not None
        assert (found.severity, found.code) == ("error", code)
        assert found in check_widget("w", definition)


def test_only_what_makes_workspace_refuse_the_app_breaks_it():
    assert breaks_app(APP) is None
    assert breaks_app({"name": "n", "layout": []}) is None
    broken: list[tuple[object, str]] = [
        ([], "app-not-object"),
        ({"tabs": APP["tabs"]}, "app-name-missing"),
        ({"name": "n"}, "app-tabs-missing"),
        ({"name": "n", "tabs": {}}, "app-tabs-missing"),
        ({"name": "n", "tabs": [], "layout": []}, "app-tabs-missing"),
    ]
    for app, code in broken:
        found = breaks_app(app)
        assert found is not None
        assert (found.severity, found.code) == ("error", code)
        assert found in check_app(app, {})


def test_findings_on_imported_definitions_are_errors_only_if_they_break_the_entry():
    found = as_imported(check_widget("w", {"endpoint": "e", "description": "d", "raw": 1, "source": "s"}))
    assert brief(found) == [
        ("error", "name-missing", "name"),
        ("warning", "type-missing", "type"),
        ("warning", "wrong-type", "raw"),
        ("warning", "source-text", "source"),
    ]


NOW = "tabs.now.layout[{}]".format
SERVER = {"name": "Depot", "url": "https://depot.example.org/mcp", "authType": "token"}
APP_FAULTS: list[tuple[Any, ...]] = [
    ("name", 5, "error app-name-missing"),
    ("description", GONE, "warning app-description"),
    ("description", 5, "error wrong-type", "warning app-description"),
    ("img", GONE, "warning app-image"),
    ("allowCustomization", "yes", "error wrong-type"),
    ("prompts", GONE, "warning app-key-missing"),
    ("id", "custom-control", "warning app-id-given"),
    ("id", "control", "error app-id"),
    ("allow_customization", True, None),
    ("selectedAgent", "x", "warning key-spelling"),
    ("tabs.now.id", "then", "error tab-id"),
    ("tabs.now.name", GONE, "error tab-name"),
    ("tabs.later", {"id": "later", "name": "Later"}, "error tab-layout tabs.later.layout"),
    ("tabs.later", [], "error wrong-type"),
    (NOW(3), "trams", "error wrong-type"),
    (NOW(3) + ".i", GONE, "error layout-id-missing"),
    (NOW(3) + ".i", "buses", "error layout-widget-unknown"),
    (NOW(3) + ".i", "navigation_bar", None),
    (NOW(3) + ".i", "/buses", "error layout-widget-unknown", "warning layout-id-unusual"),
    (NOW(3) + ".x", GONE, "error layout-place"),
    (NOW(3) + ".h", 1.5, "error layout-place"),
    (NOW(3) + ".h", 1.0, None),
    (NOW(3) + ".y", -1, "error layout-place"),
    (NOW(3) + ".x", 1, "error layout-width " + NOW(3) + ".w"),
    (NOW(3) + ".h", 3, "error layout-overlap " + NOW(0), "error layout-overlap " + NOW(1)),
    (NOW(1) + ".w", 9, "warning layout-size"),
    (NOW(1) + ".h", 21, "warning layout-size", "error layout-overlap " + NOW(2)),
    (NOW(3) + ".groups", "Group 1", "error wrong-type"),
    (NOW(2) + ".groups", ["Group 1", "Group 3"], "error layout-group-unknown " + NOW(2) + ".groups[1]"),
    (NOW(2) + ".groups", ["Group 1", 2], "error layout-group-unknown " + NOW(2) + ".groups[1]"),
    (NOW(2) + ".groups", [], "warning group-layout groups[0].widgetIds"),
    (NOW(2) + ".state", [], "error wrong-type"),
    (NOW(2) + ".state", {"params": {"anything": 1}}, None),
    (NOW(0) + ".state.params", [], "error wrong-type"),
    (NOW(0) + ".state.params.route", "4", "warning state-param-unknown"),
    (NOW(0) + ".state.params.kind", "low,new", "warning state-param-value"),
    (NOW(0) + ".state.params.kind", [], None),
    (NOW(0) + ".state.params.view", 3, "warning state-param-value"),
    (NOW(0) + ".state.chartView.chartType", "stackedLine", "warning chart-type"),
    (NOW(0) + ".state.chartView.enabled", 1, "error wrong-type"),
    (NOW(0) + ".state.style.borderWidth", 25, "error state-style"),
    (NOW(0) + ".state.style.shadow", "xl", "error state-style"),
    (NOW(0) + ".state.style.colour", "red", "error state-style"),
    (NOW(0) + ".state.chartModel.cellRange.columns", ["speed"], "warning state-field-unknown " + NOW(0) + ".state"),
    (NOW(0) + ".state.columnState.default.sort.sortModel", [{"colId": "speed"}],
     "warning state-field-unknown " + NOW(0) + ".state"),
    ("groups[0]", 5, "error wrong-type", *(f"error layout-group-unknown {NOW(at)}.groups[0]" for at in range(3))),
    ("groups[1].name", "Group 1", "error group-name-repeated", "error layout-group-unknown " + NOW(0) + ".groups[1]",
     "error layout-group-unknown " + NOW(1) + ".groups[1]", "warning group-members groups[1].widgetIds"),
    ("groups[1].type", "parameter", "error group-type"),
    ("groups[1].type", GONE, "error group-type"),
    ("groups[0].type", GONE, "error group-type"),
    ("groups[1].type", "endpointParam", "warning group-type-mismatch"),
    ("groups[1].paramName", GONE, "error group-param-missing"),
    ("groups[1].paramName", "late", "error group-param-unknown"),
    ("groups[1].defaultValue", {}, "error wrong-type"),
    ("groups[1].widgetIds", "card", "error wrong-type", "warning group-members"),
    ("groups[1].widgetIds", [], "warning group-members"),
    ("groups[1].widgetIds", ["trams", "card", "buses"], "error group-widget-unknown groups[1].widgetIds[2]"),
    ("groups[1].widgetIds", ["trams", "card", 5], "error group-widget-unknown groups[1].widgetIds[2]"),
    ("groups[0].widgetIds", ["trams", "card", "map", "ask"], "error group-widget-absent groups[0].widgetIds[3]",
     "error group-param-unknown groups[0].paramName"),
    ("groups[2]", {"name": "Lines", "type": "ticker"}, "warning group-name groups[2].name",
     "warning group-empty groups[2].widgetIds"),
    ("groups[2]", {"name": "", "type": "ticker"}, "error group-name-missing groups[2].name",
     "warning group-empty groups[2].widgetIds"),
    ("prompts[0]", 5, "error wrong-type"),
    ("prompts[0]", "What about @[id:buses]?", "warning prompt-widget-unknown"),
    ("prompts[0]", "@[id:trams], @[id:buses] or @[id:ferries], @[id:buses]?", "warning prompt-widget-unknown",
     "warning prompt-widget-unknown"),
    ("prompts[0]", "What about @[id: ]?", "warning prompt-mention"),
    ("prompts[0]", "@[id:trams and @[id:card]", "warning prompt-mention"),
    ("prompts[0]", "Is @[trams] late?", "info prompt-mention"),
    ("prompts[0]", "Mail a@[b", "info prompt-mention"),
    ("mcp_servers[0]", "depot", "error wrong-type"),
    ("mcp_servers[0].url", "/mcp", "error mcp-url"),
    ("mcp_servers[0].name", GONE, "error mcp-name-missing"),
    ("mcp_servers[0].authType", "basic", "error mcp-auth-type"),
    ("mcp_servers", [SERVER, {**SERVER, "url": "https://two.example.org/"}], "warning mcp-name-shared mcp_servers[1].name"),
    ("mcp_servers", [SERVER, {**SERVER, "name": "Two"}], None),
]  # fmt: skip


@pytest.mark.parametrize(("place", "value", "expected"), [(row[0], row[1], row[2:]) for row in APP_FAULTS])
def test_each_fault_of_an_app_is_found_where_it_is(place: str, value: object, expected: tuple[str | None, ...]):
    app = deepcopy(APP)
    app["groups"] += [None] if place == "groups[2]" else []
    findings = check_app(changed(app, place, value), WIDGETS)
    assert sorted(brief(findings)) == sorted(wanted(place, expected))


def test_the_agent_that_an_app_selects_is_looked_up_where_the_agents_are_known():
    app = {**APP, "selected_agent": "clerk"}
    assert check_app(app, WIDGETS) == []
    assert check_app(app, WIDGETS, {"clerk"}) == []
    assert check_app({**APP, "selected_agent": ""}, WIDGETS, set()) == []
    (finding,) = check_app(app, WIDGETS, frozenset())
    assert brief([finding]) == [("warning", "app-agent-unknown", "selected_agent")]
    assert "unless it is one of Workspace's own" in finding.fix
    assert check_apps([app], WIDGETS, ["conductor"]) == [[finding]]


def test_members_with_other_options_for_the_shared_parameter_are_warned_about():
    card = changed(CARD, "params[1].optionsEndpoint", "other_lines")
    findings = check_app(APP, {**WIDGETS, "card": card})
    assert brief(findings) == [("warning", "group-options", "groups[0].paramName")]


def test_an_app_in_the_old_form_is_checked_like_a_tab():
    app = {**APP, "layout": [{"i": "buses", "x": 0, "y": 0, "w": 10, "h": 5}], "groups": []}
    del app["tabs"]
    assert brief(check_app(app, WIDGETS)) == [
        ("warning", "app-layout-legacy", "layout"),
        ("error", "layout-widget-unknown", "layout[0].i"),
    ]


def test_widgets_in_different_tabs_and_side_by_side_do_not_overlap():
    item = {"i": "card", "x": 0, "y": 0, "w": 20, "h": 5}
    tabs = {
        "a": {"id": "a", "name": "A", "layout": [item, {**item, "x": 20}, {**item, "y": 5}]},
        "b": {"id": "b", "name": "B", "layout": [item]},
    }
    assert check_app({**APP, "tabs": tabs, "groups": []}, WIDGETS) == []


def test_a_tab_with_an_unusual_key_is_named_in_quotes():
    app = changed(APP, "tabs.now.id", "x")
    app["tabs"] = {"my tab.1": app["tabs"]["now"]}
    places = {finding.where for finding in check_app(app, WIDGETS)}
    assert places == {'tabs["my tab.1"].id'}


def test_apps_with_one_name_are_warned_about():
    found = check_apps([APP, APP, None, None], WIDGETS)
    assert [brief(findings) for findings in found] == [
        [("warning", "app-name-shared", "name")],
        [("warning", "app-name-shared", "name")],
        [("error", "app-not-object", "")],
        [("error", "app-not-object", "")],
    ]


@pytest.mark.parametrize(
    ("findings", "expected"),
    [
        (check_render_fn_params(None, None), []),
        (check_render_fn_params([], "greenRed"), [("error", "wrong-type", "")]),
        (check_render_fn_params(None, "columnColor"), [("error", "color-rules-missing", "colorRules")]),
        (check_render_fn_params({"colorValueKey": "delta"}, ["columnColor"]), []),
        (check_render_fn_params({"hoverCardData": ["a"]}, "hoverCard"), []),
        (check_sparkline("bar"), [("error", "wrong-type", "")]),
        (check_sparkline({"type": "pie"}), [("error", "sparkline-type", "type")]),
        (check_chart_view(None), [("error", "wrong-type", "")]),
        (check_chart_view({"chartType": "pies"}), [("error", "chart-type", "chartType")]),
        (check_state(5), [("error", "wrong-type", "")]),
        (check_state({"style": {"radius": "8"}, "own": [1]}), [("error", "state-style", "style.radius")]),
    ],
)
def test_free_form_fields_are_checked_by_themselves(findings: list[Finding], expected: list[tuple[str, str, str]]):
    assert brief(findings) == expected


def test_long_and_odd_values_are_shown_cut_and_on_one_line():
    definition = changed(TRAMS, "data.table.formatterFn", "x\n\u2028" * 400 + "\ud800")
    (finding,) = check_widget("trams", definition)
    assert len(finding.message) < 200
    assert len(finding.message.splitlines()) == 1
    (finding,) = check_widget("trams", changed(TRAMS, "refetchInterval", -(10**5000)))
    assert "a huge number" in finding.message


def test_of_many_ids_the_first_are_listed_and_the_rest_counted():
    found = check_widgets({f"w{number}": {**CARD, "endpoint": f"card/{number}"} for number in range(11)})
    (finding,) = found["w0"]
    assert finding.code == "name-shared"
    assert '"w1", "w2", ' in finding.message
    assert '"w8" and 2 more too' in finding.message


def test_labels_of_every_set_of_words_are_distinct_and_words_unique():
    sets = {name: value for name, value in vars(vocabulary).items() if isinstance(value, tuple)}
    assert len(sets) > 15
    for name, choices in sets.items():
        for column in zip(*choices, strict=True):
            assert max(Counter(column).values()) == 1, name
    assert len(vocabulary.CHART_TYPES) == 30


# Any JSON, with the keys and words that the checks look for, so that wrong things sit at right places too.
KEYS = sorted(
    {key for document in (*WIDGETS.values(), APP) for key in json.dumps(document).split('"')[1::2] if len(key) < 25}
    | {"columnDefs", "groupByParamName", "layout", "positiveNegative", "defaultViz", "editable", "range"}
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**400, -(10**4200), 40, 1, 0]),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(KEYS),
    st.sampled_from(["\ud800", "$line", "$", "", "http://[", "* * * * *", "a,b", "\x00\n\u2028", "@[id:x]"]),
)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), inner, max_size=5)
    ),
    max_leaves=12,
)


def places(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    members = document.items() if isinstance(document, dict) else enumerate(document)
    found = [path] if path else []
    for key, value in members if isinstance(document, dict | list) else ():
        found += places(value, (*path, key)) if isinstance(value, dict | list) else [(*path, key)]
    return found


def assert_well_formed(findings: list[Finding]) -> None:
    for finding in findings:
        assert finding.severity in ("error", "warning", "info")
        for text in (finding.code, finding.where, finding.message, finding.fix):
            assert len(text.splitlines()) <= 1
            assert "\x00" not in text
            text.encode()
        assert finding.message
        assert finding.fix


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_widget_with_any_json_at_any_place_is_checked_without_an_exception(data: st.DataObject):
    definition = deepcopy(data.draw(st.sampled_from([TRAMS, TRAMS, FORM, LIVE, FILES, ASK, PAGE, CARD])))
    *path, last = data.draw(st.sampled_from(places(definition)))
    item = definition
    for part in path:
        item = item[part]
    item[last] = data.draw(JSON)
    widget_id = data.draw(st.text(max_size=3))
    found = check_widgets({widget_id: definition, "card": CARD})
    assert_well_formed(found[widget_id])
    broken = breaks_entry(widget_id, definition)
    assert (broken is not None) == any(finding.code in BREAKING for finding in check_widget(widget_id, definition))
    assert check_app(APP, {**WIDGETS, "trams": definition}) is not None


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_an_app_with_any_json_at_any_place_is_checked_without_an_exception(data: st.DataObject):
    app = deepcopy(APP)
    *path, last = data.draw(st.sampled_from(places(app)))
    item = app
    for part in path:
        item = item[part]
    item[last] = data.draw(JSON)
    (found,) = check_apps([app], WIDGETS)
    assert_well_formed(found)
    assert (breaks_app(app) is not None) == any(finding.code in BREAKING for finding in found)


@settings(max_examples=100, deadline=None)
@given(JSON, JSON)
def test_any_json_is_checked_without_an_exception(value: object, other: object):
    widgets = value if isinstance(value, dict) else {"w": value}
    for findings in (
        *check_widgets(widgets).values(),
        check_app(other, widgets),
        check_render_fn_params(value, other),
        check_sparkline(value),
        check_chart_view(value),
        check_state(value),
    ):
        assert_well_formed(findings)


def test_deeply_nested_forms_are_checked_without_an_exception():
    form: dict[str, Any] = {"paramName": "f", "type": "form"}
    for _ in range(5000):
        form = {"paramName": "f", "type": "form", "endpoint": "e", "inputParams": [form]}
    assert_well_formed(check_widget("w", {**FORM, "params": [form]}))


def corpus(kind: str) -> list[tuple[str, Any]]:
    found = []
    for path in sorted(CORPUS.glob(f"*/{kind}*.json")):
        try:
            found.append((f"{path.parent.name}/{path.name}", json.loads(path.read_text())))
        except ValueError:  # some files are broken on purpose
            continue
    return found


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the collection of real definitions is not beside this checkout")
def test_real_widgets_are_never_left_out_for_what_workspace_takes():
    seen: Counter[str] = Counter()
    for _, document in corpus("widgets"):
        for key, definition in document.items() if isinstance(document, dict) else ():
            assert breaks_entry(key, definition) is None
            seen["widgets"] += 1
        for findings in check_widgets(document).values() if isinstance(document, dict) else ():
            assert_well_formed(findings)
            seen.update(finding.severity for finding in as_imported(findings))
    assert seen["widgets"] > 400
    assert seen["error"] == 0
    assert seen["warning"] > 100


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the collection of real definitions is not beside this checkout")
def test_real_apps_are_never_left_out_for_what_workspace_takes():
    widgets = dict(corpus("widgets"))
    documents = corpus("apps")
    assert len(documents) > 20
    for name, document in documents:
        beside = widgets.get(name.replace("apps", "widgets"), {})
        for findings in check_apps(document if isinstance(document, list) else [document], beside):
            assert_well_formed(findings)
            assert "error" not in {finding.severity for finding in as_imported(findings)}
