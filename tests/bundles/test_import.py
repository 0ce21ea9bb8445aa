"""What an import makes of a bundle, with each of its options, and that it makes it once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from tests.bundles.conftest import (
    AGENT,
    AGENTS,
    APPS,
    BACKEND,
    WIDGETS,
    Files,
    actions,
    app,
    bring,
    bundle_of,
    here,
    taken_out,
    widget,
)
from tests.conftest import Define, refresh
from widgets_app import catalog
from widgets_app.errors import DefinitionError
from widgets_app.models import Agent, App, Placement, Query, RowValue, Source, Version, Widget
from widgets_app.services.bundles import ImportRefused, Options, bundle_export, bundle_plan
from widgets_app.services.keys import key_issue
from widgets_app.services.publishing import definition_publish, version_restore, versions_of
from widgets_app.services.sources import secrets_of

pytestmark = pytest.mark.django_db

MANIFESTS: Files = {
    WIDGETS: {"a": widget("a"), "b": widget("b")},
    APPS: [app("Desk", "b", "a")],
    AGENTS: {"controller": AGENT},
}
UPSTREAM: dict[str, Any] = {"upstream": "http://127.0.0.1:7780", "private_hosts": ("127.0.0.1",)}
SECRET = "very-secret-value"


def refused(files: Files, **options: Any) -> ImportRefused:
    """Import what must be refused, and see that nothing has changed."""
    before = here()
    with pytest.raises(ImportRefused) as caught:
        bring(files, **options)
    assert here() == before
    return caught.value


def assert_done(files: Files, **options: Any) -> None:
    """Import again, and see that there is nothing to do."""
    before = here()
    plan = bring(files, **options)
    assert not plan.acts, (actions(plan), plan.moved)
    assert here() == before


def served(widget_id: str) -> Any:
    refresh()
    return catalog.current().entries[widget_id].definition


def test_everything_of_a_bundle_is_published_in_its_order() -> None:
    plan = bring(MANIFESTS)
    assert actions(plan) == dict.fromkeys(["widget a", "widget b", "app desk", "agent controller"], "add")
    assert taken_out(everything=False)[WIDGETS] == MANIFESTS[WIDGETS]
    assert [row.imported for row in (*Widget.objects.all(), App.objects.get(), Agent.objects.get())] == [True] * 4
    assert [version.number for version in Version.objects.all()] == [1] * 4


def test_versions_tell_who_imported_them_and_why(db: None) -> None:
    user = User.objects.create_user("ana")
    bring(MANIFESTS, author=user, note="From the depot")
    assert {(version.author, version.note) for version in Version.objects.all()} == {(user, "From the depot")}


def test_places_of_an_app_are_linked_to_the_widgets_that_come_along() -> None:
    bring(MANIFESTS)
    assert [place.widget and place.widget.widget_id for place in Placement.objects.all()] == ["b", "a"]


def test_places_of_apps_that_came_earlier_are_linked_when_their_widget_arrives() -> None:
    bring({APPS: MANIFESTS[APPS]})
    assert [place.widget for place in Placement.objects.all()] == [None, None]
    before = taken_out()[APPS]
    bring({WIDGETS: {"a": widget("a")}})
    assert [place.widget and place.widget.widget_id for place in Placement.objects.all()] == [None, "a"]
    assert taken_out()[APPS] == before


@pytest.mark.parametrize("options", [{}, UPSTREAM, {"modernise": True}, {"prune": True}, {"on_conflict": "replace"}])
def test_a_second_import_changes_nothing(options: dict[str, Any]) -> None:
    old = widget("c", source="One", data={"table": {"columnsDefs": [{"field": "f", "unknown": None}]}}, none=None)
    files = {**MANIFESTS, WIDGETS: {**MANIFESTS[WIDGETS], "c": {"widgetId": "c", **old}}}
    assert bring(files, **options).acts
    assert_done(files, **options)


def test_a_second_import_with_headers_for_the_upstream_changes_nothing() -> None:
    options = {**UPSTREAM, "headers": {"X-API-KEY": SECRET}}
    bring(MANIFESTS, **options)
    assert_done(MANIFESTS, **options)
    assert_done(MANIFESTS, **UPSTREAM)
    assert_done(MANIFESTS)


def test_apps_of_one_name_keep_apart() -> None:
    apps = [app("Twin", f"w{number}") for number in range(8)]
    bring({APPS: apps})
    assert_done({APPS: apps})
    changed = [*apps[:3], app("Twin", "other"), *apps[4:]]
    plan = bring({APPS: changed}, on_conflict="replace")
    assert plan.count("change") == 1
    assert taken_out()[APPS] == changed


def test_a_conflict_in_the_middle_refuses_the_whole_import() -> None:
    bring({WIDGETS: {"w15": widget("w15", description="old")}})
    many = {WIDGETS: {f"w{number}": widget(f"w{number}") for number in range(30)}, APPS: MANIFESTS[APPS]}
    error = refused(many)
    assert str(error) == (
        'Nothing was imported: widget "w15" would be changed. Choose to replace or to skip what is here already.'
    )
    (change,) = error.plan.conflicts[0].changes
    assert (change.where, change.old, change.new) == ("definition.description", '"old"', '"About w15."')


def test_many_conflicts_are_counted_and_a_few_are_named() -> None:
    bring({WIDGETS: {f"w{number}": widget("w") for number in range(7)}})
    error = refused({WIDGETS: {f"w{number}": widget("other") for number in range(7)}})
    assert '"w4" and 2 more would be changed.' in str(error)


def test_skipping_leaves_alone_what_is_here_and_brings_the_rest() -> None:
    bring({WIDGETS: {"a": widget("mine")}})
    plan = bring(MANIFESTS, on_conflict="skip")
    assert (actions(plan)["widget a"], actions(plan)["widget b"]) == ("skip", "add")
    assert taken_out()[WIDGETS] == {"a": widget("mine"), "b": widget("b")}
    assert Version.objects.filter(identifier="a").count() == 1
    assert_done(MANIFESTS, on_conflict="skip")


def test_skipping_does_not_publish_what_was_taken_back() -> None:
    bring(MANIFESTS)
    Widget.objects.filter(widget_id="a").update(published=None)
    assert_done(MANIFESTS, on_conflict="skip")


@pytest.mark.parametrize("on_conflict", ["fail", "replace"])
def test_what_was_taken_back_is_published_again(on_conflict: str) -> None:
    bring(MANIFESTS)
    Widget.objects.filter(widget_id="a").update(published=None)
    plan = bring(MANIFESTS, on_conflict=on_conflict)
    assert (actions(plan)["widget a"], plan.count("same")) == ("publish", 3)
    assert served("a")["name"] == "a"


def test_replacing_keeps_what_the_file_does_not_speak_of_and_the_version_before(
    define_query: Define, define_widget: Define
) -> None:
    define_query()
    ours = define_widget("prices", query="prices", type="note", shape={"text": "Hm"})
    desk = Group.objects.create(name="Desk")
    ours.groups.add(desk)
    plan = bring({WIDGETS: {"prices": widget("New", type="note")}}, on_conflict="replace")
    assert plan.count("change") == 1
    now = Widget.objects.get()
    assert (now.pk, now.name, now.imported) == (ours.pk, "New", True)
    assert (list(now.groups.all()), now.shape, now.feeds.get().query.name) == ([desk], {"text": "Hm"}, "prices")
    assert served("prices")["name"] == "New"
    version_restore(versions_of(now).last())
    definition_publish(Widget.objects.get())
    assert served("prices")["name"] == "prices"
    assert versions_of(now).count() == 3


def test_replacing_says_what_changes_key_by_key() -> None:
    bring(MANIFESTS)
    changed = {"a": widget("a", description="Else.", raw=True), "b": {**widget("b"), "type": None}}
    plan = bring({WIDGETS: changed}, on_conflict="replace")
    assert [(step.name, change.kind, change.where) for step in plan.steps for change in step.changes] == [
        ("a", "changed", "definition.description"),
        ("a", "added", "definition.raw"),
        ("b", "removed", "definition.type"),
    ]


def test_numbers_of_another_type_are_a_change() -> None:
    bring({WIDGETS: {"a": widget("a", odd=1)}})
    assert refused({WIDGETS: {"a": widget("a", odd=1.0)}}).plan.conflicts
    assert refused({WIDGETS: {"a": widget("a", odd=True)}}).plan.conflicts


def test_definitions_stand_in_the_order_of_the_bundle() -> None:
    bring({WIDGETS: {name: widget(name) for name in "abc"}, APPS: [app("A"), app("B")]})
    files = {WIDGETS: {name: widget(name) for name in "cxaby"}, APPS: [app("B"), app("N"), app("A")]}
    plan = bring(files)
    assert plan.moved == ("widget", "app")
    assert list(taken_out()[WIDGETS]) == list("cxaby")
    assert [found["name"] for found in taken_out()[APPS]] == ["B", "N", "A"]
    assert Version.objects.count() == 8
    assert_done(files)


def test_a_new_definition_in_the_middle_of_the_bundle_stands_in_the_middle() -> None:
    bring({WIDGETS: {name: widget(name) for name in "ab"}})
    files = {WIDGETS: {name: widget(name) for name in "axb"}}
    assert bring(files).moved == ("widget",)
    assert list(taken_out()[WIDGETS]) == list("axb")
    assert_done(files)


def test_what_is_not_in_the_bundle_keeps_its_place() -> None:
    bring({WIDGETS: {name: widget(name) for name in "abcd"}})
    bring({WIDGETS: {name: widget(name) for name in "db"}})
    assert list(taken_out()[WIDGETS]) == list("adcb")


def test_pruning_removes_what_the_bundle_lacks_of_the_kinds_that_it_has() -> None:
    bring(MANIFESTS)
    bring({WIDGETS: {"a": widget("a")}, AGENTS: {}}, prune=True)
    assert (list(taken_out()[WIDGETS]), len(taken_out()[APPS]), taken_out()[AGENTS]) == (["a"], 1, {})
    assert Version.objects.filter(identifier="b").count() == 1
    assert_done({WIDGETS: {"a": widget("a")}, AGENTS: {}}, prune=True)


def test_pruning_by_an_own_bundle_removes_sources_and_queries_too(define_query: Define) -> None:
    define_query()
    bring({BACKEND: {"format": 1}, WIDGETS: {}}, prune=True)
    assert (Query.objects.count(), Source.objects.count()) == (0, 0)


def test_pruning_what_others_need_refuses_all(define_query: Define, define_widget: Define) -> None:
    define_query()
    define_widget(query="prices")
    before = here()
    with pytest.raises(DefinitionError, match=r'^query "prices" can\'t be removed: .*prices.* needs it\.'):
        bring({BACKEND: {"format": 1}, APPS: [app("New")]}, prune=True)
    assert here() == before


def test_pruning_reaches_nothing_while_there_are_conflicts() -> None:
    bring(MANIFESTS)
    refused({WIDGETS: {"a": widget("other")}}, prune=True)


def test_modernising_shows_its_rewrites_and_publishes_the_result() -> None:
    old = {WIDGETS: {"a": widget("a", source="One")}, AGENTS: {"x": {**AGENT, "features": None}}}
    plan = bring(old, modernise=True)
    assert [(kind, name, [change.where for change in found]) for kind, name, found in plan.modernised] == [
        ("widget", "a", ["definition.source"]),
        ("agent", "x", ["agent.features"]),
    ]
    assert served("a")["source"] == ["One"]
    assert taken_out()[AGENTS]["x"]["features"] == {}


def test_an_upstream_becomes_one_source_that_feeds_every_entry() -> None:
    bring(MANIFESTS, **UPSTREAM, headers={"X-API-KEY": SECRET})
    source = Source.objects.get()
    assert (source.name, source.kind) == ("127-0-0-1-7780", "http")
    assert source.options == {"url": "http://127.0.0.1:7780", "private_hosts": ["127.0.0.1"]}
    assert secrets_of(source) == {"headers": {"X-API-KEY": SECRET}}
    assert {row.upstream for row in Widget.objects.all()} | {row.upstream for row in Agent.objects.all()} == {source}
    assert not [found for found in bring(MANIFESTS).findings if found.finding.code == "no-source"]


def test_another_bundle_with_the_same_upstream_takes_the_source_that_is_there() -> None:
    bring({WIDGETS: {"a": widget("a")}}, **UPSTREAM)
    bring({WIDGETS: {"b": widget("b")}}, **{**UPSTREAM, "upstream": "http://127.0.0.1:7780/"})
    assert [row.upstream for row in Widget.objects.all()] == [Source.objects.get()] * 2


def test_another_upstream_on_the_same_host_is_another_source() -> None:
    bring({WIDGETS: {"a": widget("a")}}, **UPSTREAM)
    bring({WIDGETS: {"b": widget("b")}}, **{**UPSTREAM, "upstream": "http://127.0.0.1-7780.example.com"})
    bring({WIDGETS: {"c": widget("c")}}, **{**UPSTREAM, "upstream": "https://127.0.0.1:7780"})
    assert list(Source.objects.values_list("name", flat=True)) == [
        "127-0-0-1-7780",
        "127-0-0-1-7780-2",
        "127-0-0-1-7780-example-com",
    ]


def test_other_headers_are_a_conflict_that_does_not_show_them() -> None:
    bring(MANIFESTS, **UPSTREAM, headers={"X-API-KEY": SECRET})
    error = refused(MANIFESTS, **UPSTREAM, headers={"X-API-KEY": "another-secret"})
    (change,) = error.plan.conflicts[0].changes
    assert (change.where, change.old, change.new) == ("secrets", "(hidden)", "(hidden)")
    bring(MANIFESTS, **UPSTREAM, headers={"X-API-KEY": "another-secret"}, on_conflict="replace")
    assert secrets_of(Source.objects.get()) == {"headers": {"X-API-KEY": "another-secret"}}


def test_headers_that_cannot_be_read_any_more_are_replaced(settings: Any) -> None:
    bring(MANIFESTS, **UPSTREAM, headers={"X-API-KEY": SECRET})
    settings.SECRET_KEY = "another-key-of-the-deployment-0123456789"
    refused(MANIFESTS, **UPSTREAM, headers={"X-API-KEY": SECRET})
    bring(MANIFESTS, **UPSTREAM, headers={"X-API-KEY": SECRET}, on_conflict="replace")
    assert secrets_of(Source.objects.get()) == {"headers": {"X-API-KEY": SECRET}}


def test_secrets_stand_in_no_row_no_plan_and_no_export() -> None:
    plan = bring(MANIFESTS, **UPSTREAM, headers={"X-API-KEY": SECRET})
    assert SECRET not in str(here())
    assert SECRET not in repr(plan)
    assert SECRET not in str(bundle_export(everything=True))


def test_entries_that_are_fed_otherwise_keep_their_queries(define_query: Define, define_widget: Define) -> None:
    define_query()
    define_widget("a", query="prices")
    bring(
        {**MANIFESTS, BACKEND: {"format": 1, "widgets": {"a": {"feeds": {"rows": "prices"}, "upstream": None}}}},
        **UPSTREAM,
        on_conflict="replace",
    )
    ours, other = Widget.objects.all()
    assert (ours.upstream, ours.feeds.get().query.name) == (None, "prices")
    assert other.upstream == Source.objects.get(kind="http")


def test_an_own_bundle_brings_back_all_of_it(whole: None) -> None:
    files = bundle_export(everything=True)
    assert_done(files)
    changed = json.loads(files[BACKEND])
    changed["queries"][0]["text"] = "select 1 as value"
    changed["widgets"]["note"]["shape"] = {"text": "Other"}
    changed["widgets"]["prices"]["groups"] = []
    plan = bring({**files, BACKEND: changed}, on_conflict="replace")
    assert {name for name, action in actions(plan).items() if action == "change"} == {
        "query prices",
        "widget note",
        "widget prices",
    }
    assert taken_out()[BACKEND]["widgets"]["prices"]["groups"] == []
    bring(files, on_conflict="replace")
    assert bundle_export(everything=True) == files


def test_an_own_bundle_leaves_drafts_unpublished(whole: None) -> None:
    files = bundle_export(everything=True)
    Widget.objects.get(widget_id="draft").delete()
    App.objects.get(slug="desk-2").delete()
    plan = bring(files)
    assert {name for name, action in actions(plan).items() if action == "add"} == {"widget draft", "app desk-2"}
    assert Widget.objects.get(widget_id="draft").published is None
    assert App.objects.get(slug="desk-2").published is None
    assert_done(files)


def test_groups_count_whatever_their_order_and_however_often_they_are_named() -> None:
    files = {
        WIDGETS: {"a": widget("a")},
        BACKEND: {"format": 1, "widgets": {"a": {"groups": ["Desk", "Audit", "Desk"]}}},
    }
    assert actions(bring(files)) == {"group Desk": "add", "group Audit": "add", "widget a": "add"}
    assert_done(files)


def test_what_an_own_definition_may_not_be_refuses_the_import() -> None:
    files = {WIDGETS: {"a": {"description": "x"}}, BACKEND: {"format": 1, "widgets": {"a": {"imported": False}}}}
    assert str(refused(files)).startswith("Nothing was imported: widgets.json: widget a: ")
    files = {**files, BACKEND: {"format": 1, "widgets": {"a": {"imported": False, "published": False}}}}
    assert actions(bring(files)) == {"widget a": "add"}


BAD_LOOK = {"document": {"series": [{"data": 2**70}]}}


def test_the_look_of_an_own_widget_is_checked_before_anything_is_done() -> None:
    bring({WIDGETS: {"a": widget("a")}})
    kept = {"format": 1, "widgets": {"chart": {"imported": False, "shape": BAD_LOOK}}}
    files = {WIDGETS: {"chart": widget("chart", type="chart-highcharts")}, BACKEND: kept}
    told = str(refused(files, on_conflict="replace"))
    assert "widget chart: Look: document: The document holds what can't be sent" in told


def test_an_imported_widget_with_a_look_that_is_wrong_is_left_out_and_told(caller: Client) -> None:
    kept = {"format": 1, "widgets": {"chart": {"shape": BAD_LOOK}}}
    plan = bring({WIDGETS: {"a": widget("a"), "chart": widget("chart", type="chart-highcharts")}, BACKEND: kept})
    refresh()
    found = [each.finding for each in plan.findings if each.name == "chart" and each.finding.code == "look"]
    assert [finding.severity for finding in found] == ["error"]
    assert list(caller.get("/widgets.json").json()) == ["a"]
    assert "what can't be sent" in catalog.current().left_out["widget chart"]


def test_findings_say_what_is_wrong_and_do_not_hinder(define_query: Define, define_widget: Define) -> None:
    define_query()
    define_widget("ours", query="prices", endpoint="data/a")
    plan = bring({WIDGETS: {"a": widget("a"), "b": widget("b", type="tabel"), "c": {"description": "No name"}}})
    found = {(reported.name, reported.finding.code) for reported in plan.findings}
    assert {("a", "endpoint-taken"), ("a", "no-source")} <= found
    assert not plan.errors
    assert taken_out()[WIDGETS]["c"] == {"description": "No name"}
    assert "c" not in taken_out(everything=False)[WIDGETS]


def test_a_plan_changes_nothing() -> None:
    bring(MANIFESTS)
    before = here()
    plan = bundle_plan(bundle_of({WIDGETS: {"n": widget("n"), "a": widget("other")}}), Options(**UPSTREAM, prune=True))
    assert actions(plan) == {
        "source 127-0-0-1-7780": "add",
        "widget n": "add",
        "widget a": "conflict",
        "widget b": "remove",
    }
    assert here() == before


def test_progress_counts_every_step_that_acts() -> None:
    from widgets_app.services.bundles import bundle_import

    told: list[tuple[int, int]] = []
    files = {**MANIFESTS, WIDGETS: {f"w{number}": widget("w") for number in range(230)}}
    bundle_import(bundle_of(files), Options(**UPSTREAM), progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 233), (101, 233), (201, 233), (231, 233), (232, 233), (233, 233)]


def test_a_parameter_whose_name_is_kept_for_row_values_is_told() -> None:
    params = [{"paramName": "key_desk", "type": "text", "label": "D", "description": "d"}]
    files: Files = {WIDGETS: {"a": widget("a", params=params)}}
    (found,) = [each for each in bring(files).findings if each.finding.code == "parameter-key-name"]
    assert (found.name, found.finding.severity, found.blocks) == ("a", "warning", False)
    plan = bundle_plan(bundle_of(files), Options(**UPSTREAM, on_conflict="replace"))
    assert not [each for each in plan.findings if each.finding.code == "parameter-key-name"]


def test_row_values_stay_where_they_are(whole: None) -> None:
    key_issue(name="Ana", rows={"desk": ["very secret desk"]})
    RowValue.objects.create(name="desk", values=["very secret desk"], group=Group.objects.get(name="Desk"))
    files = taken_out()
    assert "very secret desk" not in json.dumps(files)
    bring(files, on_conflict="replace")
    assert RowValue.objects.count() == 2
