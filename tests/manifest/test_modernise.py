from __future__ import annotations

import json
from collections.abc import Iterable
from copy import deepcopy
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.manifest.definitions import APP, CARD, FORM, LIVE, TRAMS, WIDGETS
from tests.manifest.test_contract import GONE, JSON, changed, places
from tests.manifest.test_contract_agents import AGENT
from widgets_app.manifest.contract import (
    Finding,
    check_agent,
    check_agents,
    check_app,
    check_apps,
    check_widget,
    check_widgets,
)
from widgets_app.manifest.modernise import MODERNISED, modernise_agent, modernise_app, modernise_widget

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
PLAIN: dict[str, Any] = {"name": "Trams", "description": "d", "endpoint": "trams", "type": "table"}


def text(document: object) -> str:
    """JSON text, in which order counts and 1, 1.0 and true differ."""
    return json.dumps(document)


def widget(**members: Any) -> dict[str, Any]:
    return modernise_widget("trams", {**PLAIN, **members})


def codes(findings: list[Finding]) -> set[str]:
    return {finding.code for finding in findings}


def test_definitions_of_today_come_back_as_they_are():
    for key, definition in WIDGETS.items():
        expected = {name: value for name, value in definition.items() if name != "widgetId"}
        modern = {"type": "table"} if "type" not in definition else {}
        assert text(modernise_widget(key, definition)) == text({**expected, **modern})
    assert text(modernise_app(APP, WIDGETS)) == text(APP)
    assert text(modernise_agent(AGENT)) == text(AGENT)


def test_keys_are_put_right_in_their_place():
    old = {"name": "n", "subcategory": "Trams", "defaultViz": "metric", "refreshInterval": 5000, "run_button": True}
    assert list(modernise_widget("w", old).items()) == [
        ("name", "n"), ("subCategory", "Trams"), ("type", "metric"), ("refetchInterval", 5000), ("runButton", True),
    ]  # fmt: skip


def test_a_key_that_is_there_already_is_never_overwritten():
    assert widget(subCategory="Trams", subcategory="Buses") == {**PLAIN, "subCategory": "Trams", "subcategory": "Buses"}
    assert widget(sub_category="a", subcategory="b") == {**PLAIN, "subCategory": "a", "subcategory": "b"}
    assert widget(defaultViz="chart")["defaultViz"] == "chart"
    assert widget(defaultViz="chart")["type"] == "table"


def test_an_old_key_that_only_repeats_the_new_one_goes():
    assert widget(defaultViz="table") == PLAIN


def test_null_counts_as_absent_where_an_old_key_says_it():
    for old in ({"type": None, "defaultViz": "chart"}, {"defaultViz": "chart", "type": None}):
        assert modernise_widget("w", old) == {"type": "chart"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (GONE, "table"), (None, "table"), ("advanced-chart", "advanced_charting"), ("table_ssrm", "ssrm_table"),
        ("live_feed", "live_feed"), ("Chart_Highcharts", "chart-highcharts"), ("prompt", "prompt"), (["x"], ["x"]),
    ],
)  # fmt: skip
def test_types_get_the_name_of_today(old: Any, new: Any):
    assert modernise_widget("w", {} if old is GONE else {"type": old})["type"] == new


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"source": "Depot"}, {"source": ["Depot"]}),
        ({"source": "None"}, {"source": ["None"]}),
        ({"source": " "}, {"source": []}),
        ({"widgetId": "trams"}, {}),
        ({"widgetId": "tram"}, {"widgetId": "tram"}),
        ({"id": "/trams/now"}, {}),
        ({"params": None}, {}),
        ({"params": {}}, {}),
        ({"params": {"optional": {}}}, {"params": {"optional": {}}}),
        ({"params": []}, {"params": []}),
        ({"refetchInterval": "60000", "staleTime": " 5000 "}, {"refetchInterval": 60000, "staleTime": 5000}),
        ({"refetchInterval": "False"}, {"refetchInterval": False}),
        ({"refetchInterval": "0 10 * * 1-5"}, {"refetchInterval": "0 10 * * 1-5"}),
        ({"gridData": {"w": 50, "h": 150, "minW": 45, "maxW": 60.5, "x": 0, "y": 2}},
         {"gridData": {"w": 40, "h": 100, "minW": 40, "maxW": 40}}),
        ({"gridData": {"w": "20", "H": "8", "own": "3"}}, {"gridData": {"w": 20, "h": 8, "own": "3"}}),
        ({"gridData": {"w": 0, "h": -1}}, {"gridData": {"w": 0, "h": -1}}),
        ({"gridData": []}, {"gridData": []}),
        ({"own": {"gridData": None}}, {"own": {"gridData": None}}),
    ],
)  # fmt: skip
def test_what_a_widget_says_is_put_into_the_form_of_today(old: dict[str, Any], new: dict[str, Any]):
    assert text(widget(**old)) == text({**PLAIN, **new})


ONE, TWO = [{"field": "a"}], [{"field": "b"}]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"columnsDefs": ONE}, {"data": {"table": {"columnsDefs": ONE}}}),
        ({"columns": ONE, "data": None}, {"data": {"table": {"columnsDefs": ONE}}}),
        ({"data": {"columnDefs": ONE, "dataKey": "x"}}, {"data": {"dataKey": "x", "table": {"columnsDefs": ONE}}}),
        ({"data": {"columnsDefs": ONE, "table": {"showAll": True}}}, {"data": {"table": {"showAll": True, "columnsDefs": ONE}}}),
        ({"data": {"table": {"columns": ONE, "showAll": True}}}, {"data": {"table": {"columnsDefs": ONE, "showAll": True}}}),
        ({"data": {"table": {"column_defs": ONE}}}, {"data": {"table": {"columnsDefs": ONE}}}),
        ({"columns": [{"field": "a", "formatFn": "INT"}]},
         {"data": {"table": {"columnsDefs": [{"field": "a", "formatterFn": "int"}]}}}),
        ({"columns": ONE, "data": {"columnsDefs": ONE, "table": {"columnsDefs": ONE}}}, {"data": {"table": {"columnsDefs": ONE}}}),
        ({"columns": [], "data": {"columnsDefs": []}}, {"data": {}}),
    ],
)  # fmt: skip
def test_columns_are_moved_to_where_workspace_reads_them(old: dict[str, Any], new: dict[str, Any]):
    assert text(widget(**old)) == text({**PLAIN, **new})


@pytest.mark.parametrize(
    "members",
    [
        {"columns": ONE, "data": {"columnsDefs": TWO}},
        {"columns": ONE, "data": {"table": {"columnsDefs": TWO}}},
        {"columns": ONE, "data": {"table": {"columnsDefs": []}}},
        {"columns": ["a", "b"]},
        {"columns": {"a": 1}},
        {"columns": ONE, "data": []},
        {"columns": ONE, "data": {"table": "x"}},
    ],
)
def test_columns_stay_where_they_are_when_it_is_not_certain_which_are_meant(members: dict[str, Any]):
    assert widget(**members) == {**PLAIN, **members}


def table(**members: Any) -> dict[str, Any]:
    found: dict[str, Any] = widget(data={"table": members})["data"]["table"]
    return found


def column(**members: Any) -> dict[str, Any]:
    found: dict[str, Any] = table(columnsDefs=[members])["columnsDefs"][0]
    return found


def test_words_of_tables_get_their_right_spelling():
    view = {"chart_type": "StackedColumn", "cellRangeCols": {"stacked-column": ["a"], "own": ["b"]}}
    assert table(formatter_fn="Percent", showall=True, chartView=view) == {
        "formatterFn": "percent",
        "showAll": True,
        "chartView": {"chartType": "stackedColumn", "cellRangeCols": {"stackedColumn": ["a"], "own": ["b"]}},
    }


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"header_name": "A", "formatFn": "date_to_year"}, {"headerName": "A", "formatterFn": "dateToYear"}),
        ({"cellDataType": "DateString", "pinned": "Left"}, {"cellDataType": "dateString", "pinned": "left"}),
        ({"formatterFn": "currency", "pinned": False}, {"formatterFn": "currency", "pinned": False}),
        ({"renderFn": "green_red"}, {"renderFn": "greenRed"}),
        ({"renderFn": ["CellOnClick", "own", None]}, {"renderFn": ["cellOnClick", "own", None]}),
        ({"renderFnParams": {"groupByParamName": "a", "actionType": "groupby"}},
         {"renderFnParams": {"groupBy": {"paramName": "a"}, "actionType": "groupBy"}}),
        ({"renderFnParams": {"groupByParamName": "a", "groupBy": {"valueField": "b"}}},
         {"renderFnParams": {"groupBy": {"valueField": "b", "paramName": "a"}}}),
        ({"renderFnParams": {"groupByParamName": "a", "groupBy": {"paramName": "a"}}},
         {"renderFnParams": {"groupBy": {"paramName": "a"}}}),
        ({"renderFnParams": {"groupByParamName": "a", "groupBy": {"paramName": "b"}}},
         {"renderFnParams": {"groupByParamName": "a", "groupBy": {"paramName": "b"}}}),
        ({"renderFnParams": {"colorRules": [{"condition": "GT", "value": 1}, 5]}},
         {"renderFnParams": {"colorRules": [{"condition": "gt", "value": 1}, 5]}}),
        ({"sparkline": {"type": "Area", "data_field": "x", "options": {"direction": "Horizontal"}}},
         {"sparkline": {"type": "area", "dataField": "x", "options": {"direction": "horizontal"}}}),
    ],
)  # fmt: skip
def test_what_a_column_says_is_put_into_the_form_of_today(old: dict[str, Any], new: dict[str, Any]):
    assert text(column(**old)) == text(new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"editable": True, "type": "text"}, {"multiple": True, "type": "text"}),
        ({"paramName": "a", "default": 5}, {"paramName": "a", "value": 5, "type": "text"}),
        ({"optionsEndpoint": "lines"}, {"optionsEndpoint": "lines"}),
        ({"type": "Boolean"}, {"type": "boolean"}),
        ({"type": "datetime"}, {"type": "datetime"}),
        ({"type": "text", "options": ["a", 5, True, None, {"label": "L"}]},
         {"type": "text", "options": [{"label": "a", "value": "a"}, {"label": "5", "value": 5},
                                      {"label": "true", "value": True}, None, {"label": "L"}]}),
        ({"type": "text", "style": {"popupWidth": "100"}}, {"type": "text", "style": {"popupWidth": 200}}),
        ({"type": "text", "style": {"popupWidth": 2000, "own": 1}}, {"type": "text", "style": {"popupWidth": 1000, "own": 1}}),
        ({"type": "endpoint", "roles": ["FileSelector", 5]}, {"type": "endpoint", "roles": ["fileSelector", 5]}),
        ({"type": "form", "inputParams": [{"type": "Button"}, {"type": "dropdown"}, {"options": ["a"]}, 5]},
         {"type": "form", "inputParams": [{"type": "button", "value": True}, {"type": "dropdown"},
                                          {"options": [{"label": "a", "value": "a"}], "type": "text"}, 5]}),
        ({"type": "form", "inputParams": [{"type": "button", "value": "send"}]},
         {"type": "form", "inputParams": [{"type": "button", "value": "send"}]}),
    ],
)  # fmt: skip
def test_what_a_parameter_says_is_put_into_the_form_of_today(old: dict[str, Any], new: dict[str, Any]):
    assert text(widget(params=[old])["params"]) == text([new])
    assert text(widget(params=[[], [old]])["params"]) == text([[], [new]])


def modern_app(**members: Any) -> dict[str, Any]:
    return modernise_app({**APP, "groups": [], "prompts": [], **members}, WIDGETS)


def test_an_app_gets_the_keys_that_some_builds_want_and_loses_its_id():
    app = modernise_app({"id": "control", "name": "A", "groups": None}, {})
    assert text(app) == text({"name": "A", "groups": [], "allowCustomization": True, "prompts": []})
    app["groups"].append(1)
    assert modernise_app({}, {})["groups"] == []


def test_a_layout_without_tabs_becomes_the_only_tab():
    layout = [{"i": "card", "x": 0, "y": 0, "w": 10, "h": 5}]
    app = modernise_app({"name": "A", "layout": layout, "img": "", "tabs": None}, WIDGETS)
    assert list(app.items())[:3] == [
        ("name", "A"), ("tabs", {"": {"id": "", "name": "", "layout": layout}}), ("img", ""),
    ]  # fmt: skip
    both = {"tabs": {"a": {"id": "a", "name": "A", "layout": []}}, "layout": layout}
    assert modern_app(**both)["layout"] == layout


def test_tabs_are_known_by_their_key():
    tabs = {"now": {"id": "tab1", "own": 1}, "then": {"name": None, "layout": None}, "x": 5}
    assert text(modern_app(tabs=tabs)["tabs"]) == text({
        "now": {"id": "now", "own": 1, "name": "now", "layout": []},
        "then": {"name": "then", "layout": [], "id": "then"},
        "x": 5,
    })  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"id": "card", "x": 0}, {"i": "card", "x": 0}),
        ({"i": "card", "id": "other"}, {"i": "card", "id": "other"}),
        ({"i": "card", "gridData": {"x": 1, "y": 2, "w": 3, "h": 4}}, {"i": "card", "x": 1, "y": 2, "w": 3, "h": 4}),
        ({"i": "card", "x": 9, "gridData": {"x": 1, "y": 2, "minW": 3}},
         {"i": "card", "x": 9, "y": 2, "gridData": {"x": 1, "minW": 3}}),
        ({"i": "card", "x": 1, "gridData": {"x": 1}}, {"i": "card", "x": 1}),
        ({"i": "card", "x": "1", "y": "top", "w": 2.0}, {"i": "card", "x": 1, "y": "top", "w": 2.0}),
        ({"i": "card", "state": {"id": 1, "chartView": {"chartType": "BAR"}}},
         {"i": "card", "state": {"id": 1, "chartView": {"chartType": "BAR"}}}),
    ],
)  # fmt: skip
def test_placements_say_widget_and_place_themselves(old: dict[str, Any], new: dict[str, Any]):
    tabs = {"now": {"id": "now", "name": "Now", "layout": [old]}}
    assert text(modern_app(tabs=tabs)["tabs"]["now"]["layout"]) == text([new])


def test_groups_and_layouts_name_each_other():
    app = deepcopy(APP)
    layout = app["tabs"]["now"]["layout"]
    del app["groups"][0]["widgetIds"]
    for item in layout:
        item["groups"] = [name for name in item.get("groups", []) if name == "Group 1"]
    modern = modernise_app(app, WIDGETS)
    assert check_app(modern, WIDGETS) == []
    assert modern["groups"][0]["widgetIds"] == [item["i"] for item in layout if item["groups"]]
    assert [item["groups"] for item in modern["tabs"]["now"]["layout"]] == [
        item.get("groups", []) for item in APP["tabs"]["now"]["layout"]
    ]


def test_a_widget_that_is_placed_twice_stays_in_the_group_where_the_layout_says_so():
    item = {"i": "card", "x": 0, "y": 0, "w": 10, "h": 5}
    group = {"name": "Group 1", "type": "param", "paramName": "tram", "widgetIds": ["card"]}
    layout = [{**item, "groups": ["Group 1"]}, {**item, "x": 20, "groups": []}]
    tabs = {"now": {"id": "now", "name": "Now", "layout": layout}}
    assert modern_app(tabs=tabs, groups=[group])["tabs"] == tabs
    bare = {"now": {"id": "now", "name": "Now", "layout": [item, {**item, "x": 20}]}}
    joined = modern_app(tabs=bare, groups=[group])["tabs"]["now"]["layout"]
    assert [item["groups"] for item in joined] == [["Group 1"], ["Group 1"]]


def test_a_widget_that_does_not_exist_is_not_listed_in_a_group():
    item = {"x": 0, "y": 0, "w": 10, "h": 5, "groups": ["Group 1"]}
    layout = [{"i": key, **item} for key in ("buses", "card", "rich_note_1")]
    tabs = {"now": {"id": "now", "name": "Now", "layout": layout}}
    app = modern_app(tabs=tabs, groups=[{"name": "Group 1", "type": "param", "paramName": "tram"}])
    assert app["groups"][0]["widgetIds"] == ["card", "rich_note_1"]
    assert app["tabs"] == tabs


def test_a_group_learns_its_type_where_its_members_agree():
    tram = {"name": "Group 1", "groupById": "tram", "widgetIds": ["card"]}
    line = {"name": "Group 2", "paramName": "line", "widgetIds": ["card", "trams"]}
    unknown = {"name": "Group 3", "paramName": "other", "widgetIds": ["card"]}
    groups = modern_app(tabs={}, groups=[tram, line, unknown])["groups"]
    assert text(groups[0]) == text({"name": "Group 1", "paramName": "tram", "widgetIds": ["card"], "type": "param"})
    assert groups[1]["type"] == "endpointParam"
    assert "type" not in groups[2]


def test_groups_of_one_name_and_without_a_name_are_left_alone():
    groups = [{"name": "Group 1", "type": "param"}, {"name": "Group 1", "type": "param"}, {"name": 5}, 7]
    assert modern_app(groups=groups)["groups"] == groups


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"features": None}, {"features": {}}),
        ({"hasStreaming": False}, {"features": {"streaming": False}}),
        ({"hasStreaming": True, "hasDocuments": False, "hasFunctionCalling": True},
         {"hasFunctionCalling": True, "features": {"streaming": True}}),
        ({"hasStreaming": True, "features": {"streaming": True}}, {"features": {"streaming": True}}),
        ({"hasStreaming": True, "features": {"streaming": False}}, {"hasStreaming": True, "features": {"streaming": False}}),
        ({"features": {"widget_dashboard_select": True}}, {"features": {"widget-dashboard-select": True}}),
        ({"features": 5, "hasStreaming": True}, {"features": 5, "hasStreaming": True}),
    ],
)  # fmt: skip
def test_what_an_agent_says_is_put_into_the_form_of_today(old: dict[str, Any], new: dict[str, Any]):
    assert text(modernise_agent(old)) == text(new)


OLD_APP = changed(changed(APP, "groups[0].widgetIds", ["trams", "card"]), "id", "custom-x")
CURED: list[tuple[str, Any]] = [
    ("key-spelling", {"subcategory": "x"}),
    ("columns-misplaced", {"columns": ONE}),
    ("grid-position", {"gridData": {"x": 1}}),
    ("grid-wide", {"gridData": {"w": 50}}),
    ("group-by-legacy", {"data": {"table": {"columnsDefs": [
        {"field": "a", "renderFn": "cellOnClick", "renderFnParams": {"actionType": "groupBy", "groupByParamName": "p"}}]}}}),
    ("id-differs", {"id": "x"}),
    ("option-text", {"params": [{"options": ["a"]}]}),
    ("param-type-missing", {"params": [{"paramName": "a"}]}),
    ("source-text", {"source": "a"}),
    ("type-legacy", {"type": "advanced-chart"}),
    ("type-missing", {"type": None}),
    ("app-id", {"id": "x"}),
    ("app-id-given", {"id": "custom-x"}),
    ("app-key-missing", {"prompts": None}),
    ("app-layout-legacy", {"tabs": None, "layout": []}),
    ("group-layout", {"tabs": changed(APP, "tabs.now.layout[2].groups", [])["tabs"]}),
    ("group-members", {"groups": changed(APP, "groups[0].widgetIds", [])["groups"]}),
    ("tab-id", {"tabs": {"a": {"name": "A", "layout": []}}}),
    ("tab-layout", {"tabs": {"a": {"id": "a", "name": "A"}}}),
    ("tab-name", {"tabs": {"a": {"id": "a", "layout": []}}}),
    ("agent-features-missing", {"features": None}),
]  # fmt: skip


@pytest.mark.parametrize(("code", "members"), CURED)
def test_every_finding_that_is_said_to_go_away_does(code: str, members: dict[str, Any]):
    if code.startswith("agent"):
        old = {**AGENT, **members}
        before, after = check_agent("a", old), check_agent("a", modernise_agent(old))
    elif code.startswith(("app", "tab", "group-l", "group-m")):
        old = {**APP, **members}
        before, after = check_app(old, WIDGETS), check_app(modernise_app(old, WIDGETS), WIDGETS)
    else:
        old = {**PLAIN, **members}
        before, after = check_widget("w", old), check_widget("w", modernise_widget("w", old))
    assert code in codes(before)
    assert code not in codes(after)


def test_the_list_of_findings_that_go_away_is_tested_whole():
    assert {code for code, _ in CURED} == MODERNISED


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_json_at_any_place_is_modernised_once_and_leaves_the_original_alone(data: st.DataObject):
    document = deepcopy(data.draw(st.sampled_from([TRAMS, FORM, LIVE, CARD, APP, AGENT])))
    is_app, is_agent = "tabs" in document, "endpoints" in document
    *path, last = data.draw(st.sampled_from(places(document)))
    item = document
    for part in path:
        item = item[part]
    item[last] = data.draw(JSON)
    before = text(document)

    def modernise(old: dict[str, Any]) -> dict[str, Any]:
        if is_agent:
            return modernise_agent(old)
        return modernise_app(old, {**WIDGETS, "x": 5}) if is_app else modernise_widget("trams", old)

    once = modernise(document)
    assert text(document) == before
    assert text(modernise(once)) == text(once)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.text(max_size=5), JSON) | JSON, JSON)
def test_any_object_is_modernised_without_an_exception(value: Any, other: Any):
    document = value if isinstance(value, dict) else {"tabs": value, "data": other, "params": value, "groups": other}
    widgets = other if isinstance(other, dict) else {}
    for once, again in (
        (modernise_widget("w", document), lambda old: modernise_widget("w", old)),
        (modernise_app(document, widgets), lambda old: modernise_app(old, widgets)),
        (modernise_agent(document), modernise_agent),
    ):
        assert text(again(once)) == text(once)


def real(kind: str) -> list[tuple[Path, Any]]:
    found = []
    for path in sorted(CORPUS.glob(f"*/{kind}*.json")):
        try:
            found.append((path, json.loads(path.read_text(encoding="utf-8"))))
        except ValueError:  # some files are broken on purpose
            continue
    return found


def real_widgets() -> dict[Path, dict[str, Any]]:
    return {path: document for path, document in real("widgets") if isinstance(document, dict)}


def all_of(found: Iterable[list[Finding]]) -> list[Finding]:
    return list(chain.from_iterable(found))


def assert_better(path: Path, before: list[Finding], after: list[Finding]) -> int:
    assert len(after) <= len(before), path
    # Members that do not exist are not added to groups, and many of these apps lie without their widgets.
    assert codes(after) & MODERNISED <= {"group-members"}, path
    return len(before) - len(after)


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the collection of real definitions is not beside this checkout")
def test_real_definitions_have_fewer_findings_afterwards_and_none_that_should_go_away():
    gone = 0
    widgets = real_widgets()
    for path, document in widgets.items():
        modern = {key: modernise_widget(key, definition) for key, definition in document.items()}
        assert text({key: modernise_widget(key, definition) for key, definition in modern.items()}) == text(modern)
        before, after = check_widgets(document), check_widgets(modern)
        gone += assert_better(path, all_of(before.values()), all_of(after.values()))
    for path, content in real("apps"):
        beside = widgets.get(path.with_name(path.name.replace("apps", "widgets")), {})
        old = content if isinstance(content, list) else [content]
        new = [modernise_app(app, beside) for app in old]
        assert text([modernise_app(app, beside) for app in new]) == text(new)
        gone += assert_better(path, all_of(check_apps(old, beside)), all_of(check_apps(new, beside)))
    for path, content in real("agents"):
        agents = {key: modernise_agent(agent) for key, agent in content.items()}
        gone += assert_better(path, all_of(check_agents(content).values()), all_of(check_agents(agents).values()))
    assert gone > 250
