"""Documents -> rows -> documents."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from widgets_app.errors import DefinitionError
from widgets_app.manifest.apps import app_document
from widgets_app.manifest.keys import COLUMN, PARAMETER, WIDGET
from widgets_app.manifest.reading import read_app, read_query, read_widget
from widgets_app.manifest.widgets import query_document, widget_document
from widgets_app.models import App, Column, Parameter, Query, Widget

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"

pytestmark = pytest.mark.django_db


def round_trip(definition: dict[str, Any], widget_id: str = "w") -> dict[str, Any]:
    widget = read_widget({"id": widget_id, "definition": definition})
    written: dict[str, Any] = widget_document(Widget.objects.get(pk=widget.pk))["definition"]
    Widget.objects.all().delete()
    return written


def app_round_trip(definition: dict[str, Any]) -> dict[str, Any]:
    app = read_app({"slug": "a", "app": definition})
    written: dict[str, Any] = app_document(App.objects.get(pk=app.pk))["app"]
    App.objects.all().delete()
    return written


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


def text(value: Any) -> str:
    """JSON text, in which 1 and 1.0, and 1 and true, differ."""
    return json.dumps(without_nulls(value), sort_keys=True)


ODD = [
    {"name": "N", "endpoint": "e"},
    {"name": "N", "source": "None", "refetchInterval": False, "staleTime": 0, "raw": False, "category": ""},
    {"name": "N", "refetchInterval": "*/5 * * * *", "source": ["A", "B"], "ai": False, "unknown": {"a": [None]}},
    {"name": "N", "type": "prompt", "gridData": {"w": 12.5, "h": "4", "minW": 3, "y": 1}},
    {"name": "N", "gridData": {}, "data": {}, "params": []},
    {"name": "N", "data": {"table": {}}},
    {"name": "N", "data": {"table": {"columnsDefs": []}, "dataKey": "a.b"}},
    {"name": "N", "data": {"table": [1]}, "gridData": [], "params": {"a": 1}},
    {"name": "N", "params": [[{"paramName": "a"}], [], [{"paramName": "b"}, {"paramName": "c"}]]},
    {"name": "N", "params": [[], []]},
    {"name": "N", "params": [{"paramName": "a"}, [{"paramName": "b"}]]},
    {"name": "N", "params": [{}, {"paramName": "x", "options": ["a", "b"], "value": 0}]},
    {"name": "N", "params": [{"paramName": "x", "options": [{"label": "L", "value": False}, {}], "value": ""}]},
    {"name": "N", "params": [{"paramName": "f", "type": "form", "inputParams": [{"paramName": "i", "type": "button",
     "value": True, "inputParams": [{"paramName": "deep"}]}]}]},
    {"name": "N", "params": [{"paramName": "s", "style": {"popupWidth": 300}, "min": 0.5, "max": 10, "step": "1"},
                             {"paramName": "t", "style": {"popupWidth": 300, "other": 1}}]},
    {"name": "N", "storage": {"mcpUrl": "https://m"}, "mcp_tool": {"mcp_server": "a"}},
    {"name": "N", "storage": {"mcpUrl": ""}, "mcp_tool": {}},
    {"name": " padded ", "description": "line\r\nline\n", "endpoint": "x" * 1001, "wsEndpoint": 5},
    {"name": "N", "staleTime": 2**70, "exportable": "yes", "decimal": 1e100},
    {"name": "nul\x00", "description": "half \ud800 pair", "data": {"table": {"columnsDefs": [{"field": "a\x00"}]}}},
]  # fmt: skip


@pytest.mark.parametrize("definition", ODD, ids=range(len(ODD)))
def test_a_definition_comes_back_the_same(definition: dict[str, Any]) -> None:
    assert text(round_trip(definition)) == text(definition)


def test_every_documented_key_has_a_field() -> None:
    """What the admin offers a field for must not end up among the other keys."""
    definition = {
        **dict.fromkeys(["name", "description", "category", "subCategory", "searchCategory", "endpoint"], "t"),
        "type": "table", "source": ["s"], "refetchInterval": 1000, "staleTime": 5, "runButton": True,
        "storage": {"mcpUrl": "u"}, "mcp_tool": {"mcp_server": "m", "tool_id": "t"},
        "gridData": {"w": 10, "h": 5, "minW": 1, "minH": 2, "maxW": 40, "maxH": 100},
        "data": {"dataKey": "k", "table": {"showAll": False, "columnsDefs": [{"field": "f", "hide": True}]}},
        "params": [{"paramName": "p", "type": "text", "options": [{"label": "l", "value": 1}]}],
    }  # fmt: skip
    widget = read_widget({"id": "w", "definition": definition})
    assert (widget.extra, widget.grid_extra, widget.data_extra, widget.table_extra) == (
        None,
        None,
        None,
        None,
    )
    assert Column.objects.get().extra is None
    assert Parameter.objects.get().extra is None


def test_a_widget_id_equal_to_the_key_is_not_kept() -> None:
    assert "widgetId" not in round_trip({"name": "N", "widgetId": "w"})
    assert round_trip({"name": "N", "widgetId": "other"})["widgetId"] == "other"


def test_a_field_wins_over_the_same_key_in_extra() -> None:
    widget = read_widget({"id": "w", "definition": {"name": "N", "type": "prompt"}})
    assert widget.type is None
    widget.type = "table"
    widget.save()
    assert widget_document(widget)["definition"]["type"] == "table"


def test_an_app_comes_back_with_its_tabs_and_states_in_order() -> None:
    state = {"zz": 1, "a": {"y": [], "b": None}, "params": {"n": "32", "flag": "true", "list": ["x"]}}
    app = {
        "name": "A", "img": "", "id": "custom-1", "extraKey": 1, "prompts": ["one", "two\nlines"],
        "tabs": {
            "z": {"id": "z", "name": "Z", "layout": [{"i": "w", "x": 0, "y": 2, "w": 40, "h": 5, "state": state}]},
            "a": {"id": "other", "name": "", "layout": []},
            "": {"name": "no id", "layout": [{"i": "w", "x": 1.5, "groups": ["Group 1"], "more": 0}]},
        },
        "groups": [{"name": "Group 1", "type": "odd", "paramName": "p", "defaultValue": False}],
    }  # fmt: skip
    written = app_round_trip(app)
    assert text(written) == text(app)
    assert list(written["tabs"]) == ["z", "a", ""]
    assert json.dumps(written["tabs"]["z"]["layout"][0]["state"]) == json.dumps(state)


@pytest.mark.parametrize("tabs", [{}, [], {"a": 1}, {"x" * 300: {"name": "long"}}, {"n\x00": {}}])
def test_tabs_that_rows_cannot_hold_are_kept_as_they_are(tabs: Any) -> None:
    assert app_round_trip({"name": "A", "tabs": tabs})["tabs"] == tabs


def test_a_query_comes_back_the_same() -> None:
    document = {
        "name": "countries", "description": "d", "source": None, "text": "", "cache_seconds": 60, "seconds": None,
        "rows": None, "options_path": "countries",
        "choices": [{"label": "Latvia", "value": "LV", "extraInfo": {"description": "Baltic"}}, {"value": 2}],
    }  # fmt: skip
    assert query_document(read_query(document)) == document


def test_a_path_of_a_query_becomes_a_link_and_comes_back_as_the_path() -> None:
    query = Query.objects.create(name="countries", options_path="options/countries")
    params = [{"paramName": "c", "type": "endpoint", "optionsEndpoint": "options/countries"},
              {"paramName": "d", "type": "endpoint", "optionsEndpoint": "/options/countries"}]  # fmt: skip
    widget = read_widget({"id": "w", "definition": {"name": "N", "params": params}})
    linked, other = widget.parameters.all()
    assert (linked.options_query, linked.options_endpoint) == (query, None)
    assert (other.options_query, other.options_endpoint) == (None, "/options/countries")
    assert widget_document(widget)["definition"]["params"] == params


def test_reading_again_replaces_children_and_leaves_groups_alone() -> None:
    desk = Group.objects.create(name="Desk")
    document = {"id": "w", "definition": {"name": "N", "params": [{"paramName": "a"}]}, "groups": ["Desk"]}
    widget = read_widget(document)
    assert list(widget.groups.all()) == [desk]
    widget.groups.clear()
    again = read_widget({**document, "definition": {"name": "M"}}, widget)
    assert (again.pk, again.parameters.count(), again.groups.count()) == (widget.pk, 0, 0)


@pytest.mark.parametrize("broken", [{"feeds": {"rows": "missing"}}, {"groups": ["missing"]}, {"id": ""}])
def test_a_document_that_names_what_is_missing_changes_nothing(broken: dict[str, Any]) -> None:
    with pytest.raises(DefinitionError):
        read_widget({"id": "w", "definition": {"name": "N", "params": [{"paramName": "a"}]}, **broken})
    assert Widget.objects.count() == Parameter.objects.count() == 0


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def objects(*known: str, inner: dict[str, Any] | None = None) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with known keys and unknown ones, holding anything at all."""
    shaped = {key: st.one_of(strategy, anything) for key, strategy in (inner or {}).items()}
    keys = st.sampled_from(known) | st.text(max_size=5)
    return st.builds(
        lambda base, more: {**base, **more},
        st.dictionaries(keys, anything, max_size=4),
        st.fixed_dictionaries({}, optional=shaped),
    )


columns = st.lists(objects(*COLUMN.keys), max_size=3)
parameters = objects(*PARAMETER.keys, "style", inner={"options": st.lists(objects("label", "value"), max_size=2)})
params = st.lists(parameters, max_size=3) | st.lists(st.lists(parameters, max_size=2), max_size=3)
tables = objects("showAll", "chartView", inner={"columnsDefs": columns})
widgets = objects(
    *WIDGET.keys, "widgetId", inner={"params": params, "data": objects("dataKey", inner={"table": tables}),
                                     "gridData": objects("w", "h", "minW")},
)  # fmt: skip
tabs = st.dictionaries(
    st.text(max_size=4), objects("id", "name", inner={"layout": st.lists(objects("i", "x", "state"))})
)
apps = objects("name", "prompts", inner={"tabs": tabs, "groups": st.lists(objects("name", "type"), max_size=2)})

some = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@some
@given(definition=widgets)
def test_any_definition_comes_back_the_same(definition: dict[str, Any]) -> None:
    expected = {key: value for key, value in definition.items() if (key, value) != ("widgetId", "w")}
    assert text(round_trip(definition)) == text(expected)


@some
@given(definition=apps)
def test_any_app_comes_back_the_same(definition: dict[str, Any]) -> None:
    assert text(app_round_trip(definition)) == text(definition)


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the collection of real definitions is not on this machine")
def test_real_definitions_come_back_the_same() -> None:
    seen = 0
    for path in sorted(CORPUS.rglob("*.json")):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            continue
        if path.name.startswith("widgets") and isinstance(content, dict):
            for widget_id, definition in content.items():
                expected = {k: v for k, v in definition.items() if (k, v) != ("widgetId", widget_id)}
                assert text(round_trip(definition, widget_id)) == text(expected), (path, widget_id)
                seen += 1
        elif path.name.startswith("apps"):
            for app in content if isinstance(content, list) else [content]:
                assert text(app_round_trip(app)) == text(app), path
                seen += 1
    assert seen > 400
