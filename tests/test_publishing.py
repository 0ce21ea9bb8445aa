"""Draft and published: what a version is, what is refused, and the way back."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, User

from tests.conftest import Define
from widgets_app.errors import DefinitionError
from widgets_app.manifest.diff import Change, changes
from widgets_app.manifest.reading import read_app, read_widget
from widgets_app.models import App, Query, Version, Widget
from widgets_app.services.publishing import (
    NotPublished,
    definition_publish,
    definition_unpublish,
    document_of,
    findings_of,
    is_changed,
    version_restore,
    versions_of,
)

pytestmark = pytest.mark.django_db

GOOD = {"name": "Prices", "description": "Daily prices.", "type": "table", "endpoint": "prices", "source": ["Us"]}


def widget(widget_id: str = "prices", feeds: dict[str, str] | None = None, **keys: Any) -> Widget:
    return read_widget({"id": widget_id, "definition": {**GOOD, **keys}, "feeds": feeds or {}})


def test_publishing_keeps_the_whole_definition_with_author_and_note(define_query: Define) -> None:
    define_query()
    ana = User.objects.create_user("ana")
    row = widget(
        feeds={"rows": "prices"}, params=[{"paramName": "a", "type": "text", "label": "A", "description": "d"}]
    )
    version = definition_publish(row, author=ana, note="First")
    assert (version.number, version.identifier, version.author, version.note) == (1, "prices", ana, "First")
    assert Widget.objects.get().published == version
    assert not is_changed(Widget.objects.get())


def test_an_unchanged_draft_makes_no_new_version() -> None:
    row = widget()
    first = definition_publish(row)
    row.groups.add(Group.objects.create(name="Desk"))
    assert definition_publish(row) == first
    assert versions_of(row).count() == 1


def test_a_changed_draft_makes_the_next_version() -> None:
    row = widget()
    definition_publish(row)
    Widget.objects.update(name="New")
    assert is_changed(Widget.objects.get())
    assert definition_publish(row).number == 2


def test_errors_keep_a_draft_from_being_published_and_nothing_is_left_behind() -> None:
    row = widget(refetchInterval=5, gridData={"w": 50, "h": 200})
    with pytest.raises(NotPublished, match="not published") as refused:
        definition_publish(row)
    assert {finding.code for finding in refused.value.findings} >= {"refetch-interval"}
    assert not Version.objects.exists()
    assert definition_publish(row, strict=False).number == 1


def test_a_placeholder_without_a_parameter_is_refused(define_query: Define) -> None:
    define_query("one", "select * from prices where ticker = :ticker")
    row = widget(feeds={"rows": "one"})
    with pytest.raises(NotPublished, match=":ticker"):
        definition_publish(row)


@pytest.mark.parametrize("endpoint", ["widgets.json", "/apps.json", "admin/login", "-/health", "static/x"])
def test_an_endpoint_that_is_ours_is_refused(endpoint: str) -> None:
    with pytest.raises(NotPublished, match="backend uses itself"):
        definition_publish(widget(endpoint=endpoint))


def test_two_widgets_that_a_request_cannot_tell_apart_are_refused(define_query: Define) -> None:
    define_query()
    define_query("other", "select 1 as a")
    definition_publish(widget("one", feeds={"rows": "prices"}, name="One"))
    definition_publish(widget("same", feeds={"rows": "prices"}, name="Two", endpoint="/prices"))
    with pytest.raises(NotPublished, match="already the address of the widget one"):
        definition_publish(widget("other", feeds={"rows": "other"}, name="Three"))


def test_an_endpoint_that_is_an_options_path_is_refused(define_query: Define) -> None:
    define_query()
    with pytest.raises(NotPublished, match="options of a query"):
        definition_publish(widget(endpoint="options/prices"))


def test_options_that_depend_on_a_parameter_that_does_not_exist_are_refused() -> None:
    param = {"paramName": "a", "type": "endpoint", "label": "A", "description": "d", "optionsEndpoint": "x"}
    with pytest.raises(NotPublished, match="nowhere"):
        definition_publish(widget(params=[{**param, "optionsParams": {"c": "$nowhere"}}]))


def test_an_app_that_places_a_widget_that_does_not_exist_is_refused(define_widget: Define) -> None:
    define_widget("here")
    layout = [{"i": name, "x": 0, "y": 9 * n, "w": 20, "h": 9} for n, name in enumerate(("here", "gone"))]
    app = {
        "name": "A", "description": "d", "img": "", "allowCustomization": True, "groups": [], "prompts": [],
        "tabs": {"t": {"id": "t", "name": "T", "layout": layout}},
    }  # fmt: skip
    row = read_app({"slug": "a", "app": app})
    with pytest.raises(NotPublished, match="gone"):
        definition_publish(row)
    define_widget("gone")
    assert definition_publish(row).number == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("select 1; select 2", "2 statements"),
        ("delete from prices", "DELETE"),
        ("select * from nowhere", "nowhere"),
        ("selec 1", "selec"),
        ("", "empty"),
    ],
)
def test_a_query_that_is_not_one_read_is_refused(define_query: Define, text: str, says: str) -> None:
    with pytest.raises(NotPublished, match=says):
        define_query("bad", text)


def test_publishing_a_widget_publishes_the_queries_it_was_the_first_to_need(files_source: object) -> None:
    Query.objects.create(name="rows", source_id=Widget.objects.count() or None, text="")
    row = widget(feeds={"rows": "rows"})
    definition_publish(row)
    assert Query.objects.get().published is not None


def test_an_id_that_is_still_served_for_another_widget_is_refused() -> None:
    first = widget("old")
    definition_publish(first)
    Widget.objects.update(widget_id="renamed")
    second = widget("old", name="Other", endpoint="other")
    with pytest.raises(DefinitionError, match="still served"):
        definition_publish(second)
    definition_publish(first)
    assert definition_publish(second).identifier == "old"


def test_unpublishing_keeps_draft_and_versions() -> None:
    row = widget()
    definition_publish(row)
    definition_unpublish(row)
    assert Widget.objects.get().published is None
    assert versions_of(row).count() == 1


def test_a_query_in_use_is_not_unpublished(define_query: Define, define_widget: Define) -> None:
    query = define_query()
    define_widget(query="prices")
    with pytest.raises(DefinitionError, match="published widget prices"):
        definition_unpublish(query)


def test_restoring_brings_the_draft_back_children_included() -> None:
    params = [{"paramName": "a", "options": [{"label": "x", "value": 1}]}, {"paramName": "b"}]
    row = widget(params=params, data={"table": {"columnsDefs": [{"field": "f"}]}})
    first = definition_publish(row, strict=False)
    read_widget({"id": "prices", "definition": {**GOOD, "name": "New"}}, row)
    definition_publish(row)
    restored = version_restore(first)
    assert document_of(restored)["definition"] == {**GOOD, "params": params, **document_of(restored)["definition"]}
    assert restored.pk == row.pk
    assert is_changed(Widget.objects.get())


def test_a_deleted_definition_is_restored_with_its_history(define_query: Define, define_widget: Define) -> None:
    query = define_query()
    define_widget("prices", query="prices")
    version = Version.objects.get(kind="widget")
    Widget.objects.all().delete()
    restored = version_restore(version)
    assert versions_of(restored).count() == 1
    assert definition_publish(restored, strict=False).number == 2
    Widget.objects.all().delete()
    document = Version.objects.get(kind="query")
    query.delete()
    assert isinstance(version_restore(document), Query)


def test_restoring_what_refers_to_something_gone_changes_nothing(define_query: Define, define_widget: Define) -> None:
    define_query()
    define_widget(query="prices")
    Widget.objects.all().delete()
    Query.objects.all().delete()
    with pytest.raises(DefinitionError, match='query "prices"'):
        version_restore(Version.objects.get(kind="widget"))
    assert not Widget.objects.exists()


def test_an_app_is_published_and_restored(define_widget: Define, define_app: Define) -> None:
    define_widget("a")
    app = define_app("desk", ("a",))
    app.tabs.all().delete()
    version_restore(Version.objects.get(kind="app"))
    assert not is_changed(App.objects.get())


def test_findings_come_errors_first() -> None:
    row = widget(refetchInterval=5, type=None, source="text")
    severities = [finding.severity for finding in findings_of(row)]
    assert severities == sorted(severities)
    assert {"error", "warning"} <= set(severities)


def test_two_widgets_with_one_name_are_pointed_out() -> None:
    widget("one")
    row = widget("two", endpoint="two")
    assert "name-twice" in {finding.code for finding in findings_of(row)}


def test_changes_name_what_was_added_changed_removed_and_moved() -> None:
    old = {"a": 1, "gone": [1], "params": [{"paramName": "x", "value": 1}, {"paramName": "y"}], "n": 1}
    new = {"a": 2, "params": [{"paramName": "y"}, {"paramName": "x", "value": 2}], "new": None, "n": True}
    assert list(changes(old, new)) == [
        Change("changed", "a", "1", "2"),
        Change("removed", "gone", old="[1]"),
        Change("changed", "params[x].value", "1", "2"),
        Change("moved", "params", '["[x]", "[y]"]', '["[y]", "[x]"]'),
        Change("changed", "n", "1", "true"),
        Change("added", "new", new="null"),
    ]
    assert list(changes(old, old)) == []


def test_a_change_of_type_alone_is_a_change() -> None:
    assert list(changes({"a": [{"b": 1}]}, {"a": [{"b": 1.0}]})) != []


def test_tabs_in_another_order_are_a_change() -> None:
    old = {"app": {"tabs": {"a": {"id": "a"}, "b": {"id": "b"}}}}
    new = {"app": {"tabs": {"b": {"id": "b"}, "a": {"id": "a"}}}}
    assert [change.kind for change in changes(old, new)] == ["moved"]
