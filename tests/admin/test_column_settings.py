"""Inputs for the settings of a column: what they write, what they leave alone, what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tests.admin.conftest import Open, url
from tests.admin.pages import Page
from tests.conftest import Define
from widgets_app.admin.column_settings import RENDERING, SPARKLINE
from widgets_app.models import Agent, Column

pytestmark = pytest.mark.django_db

RULE = {"condition": "gt", "value": 9, "color": "red", "fill": True}
RANGE = {"condition": "between", "range": {"min": 7, "max": 9.5}, "color": "#eab308", "fill": False}
# Rules that no input can hold whole, and texts that browsers change.
ODD_RULES = [
    RULE, RANGE, 7, "text", None, [], {}, {"condition": "odd", "value": {"a": 1}, "colour": "x"},
    {"condition": "contains", "value": "5"}, {"condition": "eq", "value": "5", "color": " a\nb "},
    {"condition": "eq", "value": True, "fill": "yes"}, {"condition": "between", "range": 3},
]  # fmt: skip


@pytest.fixture
def column(define_widget: Define) -> Column:
    define_widget(data={"table": {"columnsDefs": [{"field": "price"}, {"field": "ticker"}]}})
    return Column.objects.get(field="price")


def store(column: Column, **fields: Any) -> None:
    Column.objects.filter(pk=column.pk).update(**fields)


def saved(column: Column) -> Any:
    column.refresh_from_db()
    return column.render_fn_params


def rule(number: int, **inputs: str | None) -> dict[str, str | None]:
    """Return what one row of inputs sends."""
    return {f"color_rules-{number}-{name}": value for name, value in inputs.items()}


def test_a_click_sets_a_parameter_of_the_group(column: Column, change: Open) -> None:
    form = change(column).fill(render_fn=["cellOnClick"], click_action="groupBy", click_parameter="imo")
    form.send("_draft", click_value_field="ticker", click_refetches="true")
    group = {"paramName": "imo", "valueField": "ticker", "forceUpdate": True}
    assert saved(column) == {"actionType": "groupBy", "groupBy": group}


def test_a_click_sends_a_text_to_the_agent(column: Column, change: Open) -> None:
    form = change(column).fill(render_fn=["cellOnClick"], click_action="sendToAgent", click_text="What of\r\n{ticker}?")
    form.send("_draft", click_agent="analyst")
    send = {"markdown": "What of\n{ticker}?", "agentId": "analyst"}
    assert saved(column) == {"actionType": "sendToAgent", "sendToAgent": send}


def test_a_card_has_columns_or_a_text(column: Column, change: Open) -> None:
    change(column).send("_draft", render_fn=["hoverCard"], hover_fields="name, sector")
    assert saved(column) == {"hoverCardData": ["name", "sector"]}
    form = change(column).fill(hover_fields="", hover_cell_field="label", hover_title="{name}")
    form.send("_draft", hover_text="**{name}**")
    assert saved(column) == {"hoverCard": {"cellField": "label", "title": "{name}", "markdown": "**{name}**"}}


def test_what_is_cleared_takes_the_objects_around_it_along(column: Column, change: Open) -> None:
    store(column, render_fn_params={"groupBy": {"paramName": "imo"}, "actionType": "groupBy"})
    change(column).send("_draft", click_action="", click_parameter="")
    assert saved(column) is None


def test_rules_are_added_in_rows(column: Column, change: Open) -> None:
    form = change(column).fill(render_fn=["columnColor"])
    form.fill(**rule(0, rule="", condition="gt", value="9", min="", max="", color="red", fill="true"))
    form.fill(**rule(1, rule="", condition="between", value="", min="7", max="9.5", color="#eab308"))
    form.fill(**rule(2, rule="", condition="contains", value="5", min="", max="", color="blue"))
    form.fill(**rule(3, rule="", condition="", value="", min="", max="", color=""))
    form.send("_draft", color_value_field="ticker")
    assert saved(column) == {
        "colorRules": [RULE, RANGE, {"condition": "contains", "value": "5", "color": "blue", "fill": False}],
        "colorValueKey": "ticker",
    }


def test_a_rule_is_changed_and_another_removed(column: Column, change: Open) -> None:
    store(column, render_fn="columnColor", render_fn_params={"colorRules": [{**RULE, "odd": 1}, RANGE]})
    form = change(column).fill(**dict.fromkeys(name for name in change(column).data if "rules-1-" in name))
    form.send("_draft", **rule(0, value="10", fill=None))
    changed = {"condition": "gt", "value": 10, "color": "red", "fill": False, "odd": 1}
    assert saved(column) == {"colorRules": [changed]}


def test_another_condition_drops_what_it_does_not_look_at(column: Column, change: Open) -> None:
    store(column, render_fn="columnColor", render_fn_params={"colorRules": [RULE, RANGE]})
    form = change(column).fill(**rule(0, condition="between", min="1", max="2"))
    form.send("_draft", **rule(1, condition="notContains", value="x"))
    first, second = saved(column)["colorRules"]
    assert first == {"condition": "between", "range": {"min": 1, "max": 2}, "color": "red", "fill": True}
    assert second == {"condition": "notContains", "value": "x", "color": "#eab308", "fill": False}


def test_the_last_rule_can_be_removed(column: Column, change: Open) -> None:
    store(column, render_fn_params={"colorRules": [RULE], "odd": 1})
    form = change(column)
    form.send("_draft", **dict.fromkeys(name for name in form.data if name.startswith("color_rules-")))
    assert saved(column) == {"odd": 1}


@pytest.mark.parametrize("value", [
    {"colorRules": ODD_RULES, "colorValueKey": 7},
    {"colorRules": {"a": 1}, "actionType": ["groupBy"], "groupBy": "x", "hoverCard": [1], "hoverCardData": [1, " a"]},
    {"actionType": "openUrl", "groupBy": {"paramName": " x\ny ", "forceUpdate": "yes", "odd": {}}, "groupByParamName": "x"},
    {"hoverCardData": [], "groupBy": {}, "sendToAgent": {"markdown": "\r\n a\rb\n", "agentId": ""}},
    {},
])  # fmt: skip
def test_what_nobody_touched_stays_to_the_letter(column: Column, change: Open, value: Any) -> None:
    store(column, render_fn=["cellOnClick", "columnColor", "hoverCard"], render_fn_params=value, sparkline={"type": 7})
    form = change(column)
    assert form.send("_draft", header_name="New").status_code == 302
    assert saved(column) == value
    assert column.sparkline == {"type": 7}
    change(column).send("_draft", hover_title="Card")
    after = saved(column)
    assert after.pop("hoverCard") == {"title": "Card"}
    assert after == {key: each for key, each in value.items() if key != "hoverCard"}


def test_a_change_of_one_rule_leaves_odd_ones(column: Column, change: Open) -> None:
    store(column, render_fn_params={"colorRules": ODD_RULES})
    change(column).send("_draft", **rule(0, color="teal"))
    assert saved(column) == {"colorRules": [{**RULE, "color": "teal"}, *ODD_RULES[1:]]}
    assert "colorRules[0].color" in change(column).fill(**rule(0, color="")).errors()


def test_what_was_written_as_json_and_an_input_add_up(column: Column, change: Open) -> None:
    form = change(column).fill(render_fn=["cellOnClick", "columnColor"], click_action="groupBy", click_parameter="imo")
    form.send("_draft", render_fn_params='{"colorRules": [{"condition": "gt", "value": 9, "color": "red"}], "x": 1}')
    assert saved(column) == {
        "colorRules": [{"condition": "gt", "value": 9, "color": "red"}],
        "x": 1,
        "actionType": "groupBy",
        "groupBy": {"paramName": "imo"},
    }


@pytest.mark.parametrize(("fields", "place", "text"), [
    ({"render_fn": ["cellOnClick"]}, "click_action", "nothing says what a click does"),
    ({"render_fn": ["cellOnClick"], "click_action": "groupBy"}, "click_parameter", "no parameter is named"),
    ({"render_fn": ["cellOnClick"], "click_action": "sendToAgent"}, "click_text", "there is no text"),
    ({"render_fn": ["hoverCard"]}, "hover_cell_field", "nothing says what is on it"),
    ({"render_fn": ["columnColor"]}, "color_rules", "there are none"),
    ({**rule(0, rule="", condition="gt", value="", min="", max="", color="red")}, "color_rules", "colorRules[0].value"),
    ({"spark_type": "line", "spark_opacity": "2"}, "spark_opacity", "it goes from 0"),
    ({"spark_type": "line", "spark_width": "wide"}, "spark_width", "a number"),
    ({"spark_type": "line", "spark_least": "9", "spark_most": "1"}, "spark_least", "nothing can be drawn"),
])  # fmt: skip
def test_errors_stand_at_the_inputs(
    column: Column, change: Open, fields: dict[str, Any], place: str, text: str
) -> None:
    response = change(column).send(**fields)
    errors = response.context["adminform"].form.errors
    assert list(errors) == [place]
    assert text in errors[place][0]
    assert saved(column) is None


def test_a_small_chart_is_made_of_inputs(column: Column, change: Open) -> None:
    form = change(column).fill(spark_type="area", spark_field="trend", spark_stroke="#0ea5e9", spark_width="1.5")
    form.fill(spark_opacity="0.2", spark_least="0", spark_markers="true", spark_marker_size="3")
    form.send("_draft", spark_minimum_fill="red", spark_minimum_size="4", spark_negative_fill="orange", spark_top="2")
    saved(column)
    assert column.sparkline == {
        "type": "area",
        "dataField": "trend",
        "options": {
            "stroke": "#0ea5e9", "strokeWidth": 1.5, "fillOpacity": 0.2, "min": 0,
            "markers": {"enabled": True, "size": 3},
            "pointsOfInterest": {
                "minimum": {"fill": "red", "size": 4}, "positiveNegative": {"negative": {"fill": "orange"}}
            },
            "padding": {"top": 2},
        },
    }  # fmt: skip


POINT = ("fill", "size", "stroke", "strokeWidth")
POINTS = ("firstLast", "highlighted", "minimum", "maximum", "positiveNegative.positive", "positiveNegative.negative")


def test_every_setting_that_workspace_documents_has_an_input(column: Column, boss: Client) -> None:
    assert {".".join(path) for path in RENDERING.paths.values()} == {
        "actionType", "groupBy.paramName", "groupBy.valueField", "groupBy.forceUpdate", "sendToAgent.markdown",
        "sendToAgent.agentId", "colorValueKey", "colorRules", "hoverCardData", "hoverCard.cellField", "hoverCard.title",
        "hoverCard.markdown",
    }  # fmt: skip
    assert {".".join(path) for path in SPARKLINE.paths.values()} == {
        "type", "dataField",
        *(f"options.{name}" for name in ("stroke", "fill", "strokeWidth", "fillOpacity", "min", "max", "direction")),
        "options.customFormatter",
        *(f"options.padding.{side}" for side in ("top", "right", "bottom", "left")),
        *(f"options.markers.{name}" for name in ("enabled", *POINT)),
        *(f"options.pointsOfInterest.{point}.{name}" for point in POINTS for name in POINT),
    }  # fmt: skip
    page = Page(boss, url("column", "change", column.pk))
    of_the_column = {
        "field", "header_name", "header_tooltip", "cell_data_type", "chart_data_type", "formatter_fn", "decimal_places",
        "width", "min_width", "max_width", "align", "hide", "pinned", "prefix", "suffix", "enable_cell_change_ws", "sort",
    }  # fmt: skip
    inputs = of_the_column | {*RENDERING.paths, *SPARKLINE.paths} - {"color_rules"}
    assert {name for name in inputs if name not in page.form("column_form")} == set()
    for several in ("render_fn", "color_rules"):
        assert f'"{several}' in page.html


def test_every_setting_of_a_table_has_an_input(boss: Client) -> None:
    form = Page(boss, url("widget", "add")).form("widget_form")
    table = {"enable_charts", "show_all", "transpose", "enable_advanced", "enable_formulas", "table_formatter_fn"}
    first_view = {"chart_enabled", "chart_type", "chart_category", "chart_series"}
    first_view |= {"chart_ignores_cells", "chart_navigator", "chart_mini"}
    assert {name for name in table | first_view if name not in form} == set()


def test_who_may_only_look_sees_the_settings_whole(column: Column, staff: Callable[..., Client]) -> None:
    store(column, render_fn="columnColor", render_fn_params={"colorRules": [RULE]}, sparkline={"type": "line"})
    page = Page(staff("view_column", "view_widget"), url("column", "change", column.pk))
    assert "colorRules" in page.text
    assert "Small chart" not in page.text


def test_inputs_suggest_columns_parameters_and_agents(
    column: Column, boss: Client, define_widget: Define, define_agent: Define
) -> None:
    define_widget("other", params=[{"paramName": "imo"}])
    agent: Agent = define_agent()
    lists = Page(boss, url("column", "change", column.pk)).response.context["datalists"]
    assert lists["fields"] == ["price", "ticker"]
    assert lists["parameter-names"] == ["imo"]
    assert lists["agent-ids"] == [agent.agent_id]
