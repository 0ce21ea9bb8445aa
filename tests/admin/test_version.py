"""Versions: what differs, and the way back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from tests.admin.conftest import Open, url
from tests.admin.pages import Page, messages
from tests.conftest import Define
from widgets_app import catalog
from widgets_app.models import Agent, App, Query, Version, Widget

pytestmark = pytest.mark.django_db


@pytest.fixture
def two(define_widget: Define, change: Open) -> tuple[Version, Version]:
    """Two versions of a widget: its name and a parameter differ."""
    widget = define_widget(params=[{"paramName": "a", "type": "text", "label": "A", "description": "d", "value": 1}])
    change(widget).send(name="Second", **{"parameters-0-value": "2"})
    first, second = Version.objects.order_by("number")
    return first, second


def test_the_versions_of_a_definition_are_found_from_its_page(
    two: tuple[Version, Version], boss: Client, define_widget: Define
) -> None:
    define_widget("other")
    widget = Widget.objects.get(widget_id="prices")
    response = boss.get(url("widget", "versions", widget.pk), follow=True)
    assert [version.pk for version in response.context["cl"].result_list] == [two[1].pk, two[0].pk]
    assert "served" in response.content.decode()


def test_a_version_tells_what_has_changed_since(two: tuple[Version, Version], boss: Client) -> None:
    text = Page(boss, url("version", "change", two[0].pk)).text
    assert 'changed definition.name "prices" "Second"' in text
    assert "changed definition.params[a].value 1 2" in text
    assert "Compare with: the draft · version 2, which is served" in text


def test_a_version_can_be_compared_with_the_one_before(two: tuple[Version, Version], boss: Client) -> None:
    text = Page(boss, url("version", "change", two[1].pk)).text
    assert "What differs in the draft" in text
    assert "Nothing." in text
    text = Page(boss, url("version", "change", two[1].pk) + "?against=before").text
    assert 'changed definition.name "Second" "prices"' in text


def test_long_values_and_many_changes_are_cut(define_widget: Define, change: Open, boss: Client) -> None:
    widget = define_widget(description="x" * 1000, **{f"odd{n}": n for n in range(400)})
    change(widget).send(description="y" * 1000, extra="{}")
    html = Page(boss, url("version", "change", Version.objects.order_by("number")[0].pk)).html
    assert f"{'y' * 399}…" in html
    assert "And more." in html


def test_a_version_is_restored_as_the_draft(two: tuple[Version, Version], boss: Client) -> None:
    response = boss.post(url("version", "change", two[0].pk), {"_restore": "1"})
    widget = Widget.objects.get()
    assert response["Location"] == url("widget", "change", widget.pk)
    assert (widget.name, widget.parameters.get().value) == ("prices", 1)
    assert catalog.current().entries["prices"].definition["name"] == "Second"
    assert "is the draft again" in messages(response)[-1]


def test_a_version_is_restored_and_published(two: tuple[Version, Version], boss: Client) -> None:
    boss.post(url("version", "change", two[0].pk), {"_restore_publish": "1"})
    assert catalog.current().entries["prices"].definition["name"] == "prices"
    assert Version.objects.count() == 3


def test_what_was_deleted_comes_back_from_its_versions(
    define_query: Define, define_widget: Define, define_app: Define, boss: Client
) -> None:
    define_query()
    define_widget(query="prices")
    define_app(widgets=("prices",))
    Widget.objects.all().delete()
    App.objects.all().delete()
    Query.objects.all().delete()
    for kind in ("query", "widget", "app"):
        version = Version.objects.get(kind=kind)
        page = Page(boss, url("version", "change", version.pk))
        assert "deleted since" in page.text
        assert boss.post(page.url, {"_restore_publish": "1"}).status_code == 302
    assert (Widget.objects.count(), App.objects.count(), Query.objects.count()) == (1, 1, 1)
    assert set(catalog.current().entries) == {"prices"}
    assert "deleted" not in Page(boss, url("version")).text


def test_a_version_that_needs_something_gone_is_not_restored(
    define_query: Define, define_widget: Define, boss: Client
) -> None:
    define_query()
    define_widget(query="prices")
    Widget.objects.all().delete()
    Query.objects.all().delete()
    version = Version.objects.get(kind="widget")
    response = boss.post(url("version", "change", version.pk), {"_restore": "1"})
    assert response["Location"] == url("version", "change", version.pk)
    assert 'There is no query "prices"' in messages(response)[0]
    assert not Widget.objects.exists()


def test_a_version_whose_id_was_given_away_is_not_restored(
    two: tuple[Version, Version], boss: Client, define_widget: Define
) -> None:
    Widget.objects.all().delete()
    define_widget("prices")
    response = boss.post(url("version", "change", two[0].pk), {"_restore": "1"})
    assert "Another widget is called" in messages(response)[-1]


def test_versions_are_neither_added_nor_changed_nor_deleted(two: tuple[Version, Version], boss: Client) -> None:
    assert boss.get(url("version", "add")).status_code == 403
    assert boss.post(url("version", "delete", two[0].pk), {"post": "yes"}).status_code == 403
    boss.post(url("version"), {"action": "delete_selected", "_selected_action": [two[0].pk], "index": "0"})
    assert Version.objects.count() == 2


def test_only_who_may_change_a_widget_may_restore_it(
    two: tuple[Version, Version], staff: Callable[..., Client]
) -> None:
    address = url("version", "change", two[0].pk)
    looking = staff("view_version", "view_widget")
    assert "Restore" not in Page(looking, address).text
    assert looking.post(address, {"_restore": "1"}).status_code == 403
    assert staff("change_widget").get(address).status_code == 403
    assert "Restore and publish" in Page(staff("view_version", "change_widget"), address).text
    Widget.objects.all().delete()
    assert staff("view_version", "change_widget").post(address, {"_restore": "1"}).status_code == 403
    assert staff("view_version", "change_widget", "add_widget").post(address, {"_restore": "1"}).status_code == 302


def test_an_agent_comes_back_from_its_versions(define_agent: Define, change: Open, boss: Client) -> None:
    agent = define_agent(upstream=None)
    change(agent).send(name="Second", feature_mcp_tools="true")
    first = Version.objects.get(kind="agent", number=1)
    text = Page(boss, url("version", "change", first.pk)).text
    assert 'changed agent.name "Analyst" "Second"' in text
    Agent.objects.all().delete()
    boss.post(url("version", "change", first.pk), {"_restore_publish": "1"})
    (served,) = catalog.current().agents
    assert (served.definition["name"], served.definition["features"]) == ("Analyst", {"streaming": True})
