"""The full pages of columns, parameters and choices."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from tests.admin.conftest import Open, url
from tests.admin.pages import Page, messages
from tests.conftest import Define
from widgets_app import catalog
from widgets_app.models import Choice, Column, Parameter, Query, Source, Widget

pytestmark = pytest.mark.django_db

FORM = {
    "paramName": "form",
    "type": "form",
    "endpoint": "log",
    "inputParams": [{"paramName": "x", "type": "text"}, {"paramName": "add", "type": "button", "value": True}],
}


@pytest.fixture
def column(define_widget: Define) -> Column:
    define_widget(data={"table": {"columnsDefs": [{"field": "price"}]}})
    return Column.objects.get()


@pytest.fixture
def parameter(define_widget: Define) -> Parameter:
    define_widget(params=[{"paramName": "ticker", "type": "text", "label": "Ticker", "description": "Which."}])
    return Parameter.objects.get()


def served(widget_id: str = "prices") -> Any:
    return catalog.current().entries[widget_id].definition


def test_saving_a_column_publishes_its_widget_and_goes_back_to_it(column: Column, change: Open) -> None:
    response = change(column).send(header_name="Price", decimal_places="2", prefix="$ ", suffix=" m")
    assert response["Location"] == url("widget", "change", column.widget_id)
    (definition,) = served()["data"]["table"]["columnsDefs"]
    assert definition == {"field": "price", "headerName": "Price", "decimalPlaces": 2, "prefix": "$ ", "suffix": " m"}
    assert "published as version 2" in messages(response)[0]


def test_a_column_may_be_saved_as_a_draft(column: Column, change: Open) -> None:
    response = change(column).send("_draft", header_name="Price")
    assert response["Location"] == url("column", "change", column.pk)
    assert served()["data"]["table"]["columnsDefs"] == [{"field": "price"}]


@pytest.mark.parametrize(("ticked", "stored"), [
    (["greenRed"], "greenRed"),
    (["greenRed", "titleCase"], ["greenRed", "titleCase"]),
    (None, None),
])  # fmt: skip
def test_one_render_function_is_a_text_and_several_are_a_list(
    column: Column, change: Open, ticked: list[str] | None, stored: Any
) -> None:
    Column.objects.update(render_fn='"hoverCard"')
    Column.objects.filter(pk=column.pk).update(render_fn="hoverCard")
    change(column).send("_draft", render_fn=ticked)
    assert Column.objects.get().render_fn == stored


@pytest.mark.parametrize(
    "value", ["greenRed", ["greenRed"], ["titleCase", "greenRed"], ["greenRed", "odd", 7], {"a": 1}]
)
def test_render_functions_that_nobody_touched_stay(column: Column, change: Open, value: Any) -> None:
    Column.objects.filter(pk=column.pk).update(render_fn=value)
    change(column).send("_draft", header_name="New")
    assert Column.objects.get().render_fn == value


def test_an_odd_render_function_survives_another_tick(column: Column, change: Open) -> None:
    Column.objects.filter(pk=column.pk).update(render_fn="odd")
    form = change(column)
    form.send("_draft", render_fn=[*form.data["render_fn"], "greenRed"])
    assert sorted(Column.objects.get().render_fn) == ["greenRed", "odd"]


@pytest.mark.parametrize(("field", "value", "text"), [
    ("sparkline", '{"type": "cake"}', "cake"),
    ("sparkline", "[]", "an object such as"),
    ("render_fn_params", '{"colorRules": [{"condition": "gt"}]}', "colorRules[0].color: "),
    ("extra", "7", "an object such as"),
])  # fmt: skip
def test_settings_that_workspace_would_not_read_are_refused(
    column: Column, change: Open, field: str, value: str, text: str
) -> None:
    assert text in change(column).errors(**{field: value})


def test_imported_settings_that_are_wrong_do_not_stop_other_changes(column: Column, change: Open) -> None:
    Column.objects.filter(pk=column.pk).update(sparkline={"type": "cake"}, render_fn_params={"colorRules": 7})
    assert change(column).send("_draft", header_name="New").status_code == 302


def test_all_of_a_parameter_can_be_edited(parameter: Parameter, change: Open, define_query: Define) -> None:
    query = define_query()
    form = change(parameter).fill(type="endpoint", options_query=str(query.pk), value="AAA", multi_select="true")
    form.send(options_params='{"market": "$market"}', popup_width="300", show="false", label="Share")
    parameter.refresh_from_db()
    assert parameter.options_params == {"market": "$market"}
    assert (parameter.label, parameter.show, parameter.popup_width) == ("Share", False, 300)


@pytest.mark.parametrize(("typed", "stored"), [
    ("AAPL", "AAPL"),
    ("30", 30),
    ('"30"', "30"),
    ("false", False),
    ("1.5", 1.5),
    ("NaN", "NaN"),
    ('["a", "b"]', ["a", "b"]),
    ("$currentDate-1w", "$currentDate-1w"),
    ("{half", "{half"),
    ("", None),
    ('""', ""),
])  # fmt: skip
def test_a_default_is_json_where_it_is_json_and_else_text(
    parameter: Parameter, change: Open, typed: str, stored: Any
) -> None:
    Parameter.objects.update(value="before")
    change(parameter).send("_draft", value=typed)
    assert Parameter.objects.get().value == stored
    assert type(Parameter.objects.get().value) is type(stored)
    assert change(parameter)["value"] == typed


def test_a_number_that_json_cannot_hold_is_refused(parameter: Parameter, change: Open) -> None:
    assert "too large" in change(parameter).errors(value="1e400")
    assert "too large" in change(parameter).errors(minimum="9" * 5000)


def test_the_page_tells_what_the_options_of_a_dropdown_can_follow(
    boss: Client, define_query: Define, define_widget: Define
) -> None:
    define_query("tickers", "select ticker as value from prices where day >= :since and volume > :least")
    dropdown = {"paramName": "ticker", "type": "endpoint", "optionsEndpoint": "options/tickers"}
    define_widget(params=[dropdown, {"paramName": "since", "type": "date"}, FORM])
    page = Page(boss, url("parameter", "change", Parameter.objects.get(param_name="ticker").pk))
    assert "The query takes :since, :least. There are $since to follow." in page.text
    Query.objects.update(text="select * from nowhere")
    assert "There are $since to follow." in Page(boss, page.url).text
    field = Page(boss, url("parameter", "change", Parameter.objects.get(param_name="x").pk))
    assert "There are $ticker, $since to follow." in field.text


def test_a_query_and_a_path_for_the_same_options_are_refused(
    parameter: Parameter, change: Open, define_query: Define
) -> None:
    query = define_query()
    error = change(parameter).errors(options_query=str(query.pk), options_endpoint="options/other")
    assert "Choose a query, or write a path, not both." in error


def test_a_query_takes_the_place_of_an_imported_path(parameter: Parameter, change: Open, define_query: Define) -> None:
    query = define_query()
    Parameter.objects.update(options_endpoint="somewhere")
    change(parameter).send("_draft", options_query=str(query.pk))
    parameter.refresh_from_db()
    assert (parameter.options_query, parameter.options_endpoint) == (query, None)


def test_a_path_of_ours_is_refused(parameter: Parameter, change: Open) -> None:
    assert "uses this path itself" in change(parameter).errors(options_endpoint="admin/x")


def test_choices_are_rows_of_the_parameter(parameter: Parameter, change: Open) -> None:
    form = change(parameter)
    form.add_row("choices", label="One", value="1").add_row(
        "choices", label="Two", value='"2"', description="The second"
    )
    form.send()
    assert served()["params"][0]["options"] == [
        {"label": "One", "value": 1},
        {"label": "Two", "value": "2", "extraInfo": {"description": "The second"}},
    ]


def test_a_choice_has_a_page_for_its_other_keys(parameter: Parameter, change: Open) -> None:
    choice = Choice.objects.create(parameter=parameter, label="One", value=1)
    response = change(choice).send(extra='{"odd": true}')
    assert response["Location"] == url("parameter", "change", parameter.pk)
    assert served()["params"][0]["options"] == [{"label": "One", "value": 1, "odd": True}]


def test_the_fields_of_a_form_are_rows_of_the_form(define_widget: Define, change: Open) -> None:
    define_widget(params=[FORM])
    form_parameter = Parameter.objects.get(parent=None)
    form = change(form_parameter)
    form.fill(**{"fields-0-label": "X"}).add_row("fields", param_name="y", type="number", label="Y")
    form.send("_draft")
    assert list(form_parameter.fields.values_list("param_name", "label", "widget_id")) == [
        ("x", "X", form_parameter.widget_id),
        ("add", None, form_parameter.widget_id),
        ("y", "Y", form_parameter.widget_id),
    ]


def test_the_fields_of_forms_are_not_rows_of_the_widget(define_widget: Define, change: Open) -> None:
    widget = define_widget(params=[FORM])
    assert change(widget)["parameters-TOTAL_FORMS"] == "1"
    field = Parameter.objects.get(param_name="x")
    assert change(field).send("_save", label="X").url == url("parameter", "change", field.parent_id)


def test_deleting_a_part_goes_back_to_what_it_was_part_of(column: Column, boss: Client) -> None:
    response = boss.post(url("column", "delete", column.pk), {"post": "yes"})
    assert response["Location"] == url("widget", "change", column.widget_id)
    assert not Column.objects.exists()


def test_parts_are_not_added_or_listed_by_themselves(column: Column, boss: Client) -> None:
    assert boss.get(url("column", "add")).status_code == 403
    assert boss.get(url("column"))["Location"] == url("widget")
    assert boss.get(url("tab"))["Location"] == url("app")
    assert "part of" not in Page(boss, url("widget")).text


def test_a_part_that_is_gone_is_told(boss: Client, db: None) -> None:
    assert boss.get(url("column", "change", 99)).status_code == 302
    assert boss.post(url("column", "delete", 99), {"post": "yes"}).status_code == 302


def test_a_widget_of_320_columns_saves(define_widget: Define, change: Open) -> None:
    widget = define_widget(data={"table": {"columnsDefs": [{"field": f"column_{n}"} for n in range(320)]}})
    form = change(widget)
    form.send(**{"columns-319-header_name": "The last", "columns-7-hide": "true"})
    columns = served()["data"]["table"]["columnsDefs"]
    assert (len(columns), columns[319]["headerName"], columns[7]["hide"]) == (320, "The last", True)
    assert Widget.objects.get().columns.count() == 320


def test_a_name_that_is_kept_for_row_values_is_refused_unless_an_upstream_has_it(
    parameter: Parameter, define_widget: Define, upstream: Source, change: Open
) -> None:
    assert "stand for row values" in change(parameter).errors(param_name="Key_desk")
    widget = define_widget("other")
    assert "stand for row values" in change(widget).add_row("parameters", param_name="key_desk", label="D").errors()
    passed = define_widget("passed", upstream=upstream.name, params=[{"paramName": "a", "type": "text"}])
    assert change(passed.parameters.get()).send("_draft", param_name="key_desk").status_code == 302
    # A column of a collection may have such a name.
    form = define_widget("form", params=[FORM]).parameters.get(parent=None)
    assert change(form).add_row("fields", param_name="key_date", label="D").send("_draft").status_code == 302
