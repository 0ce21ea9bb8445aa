"""The page of findings, and modernising what is here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.admin.conftest import url
from tests.admin.pages import Page, messages
from tests.conftest import Define, refresh
from widgets_app import catalog
from widgets_app.admin import modernising
from widgets_app.manifest.reading import read_agent, read_app, read_widgets
from widgets_app.models import Agent, App, Version, Widget
from widgets_app.services.publishing import definitions_publish

pytestmark = pytest.mark.django_db

FINDINGS, MODERNISE = "/admin/findings/", "/admin/modernise/"


def imported(*names: str, publish: bool = True, **keys: Any) -> list[Widget]:
    """Make widgets as an import does, each with an old spelling."""
    old = {"description": "Of shares.", "type": "table", "subcategory": "Shares", **keys}
    documents = [{"id": n, "imported": True, "definition": {"name": n, "endpoint": n, **old}} for n in names]
    rows = read_widgets([(document, None) for document in documents])
    if publish:
        definitions_publish(rows, strict=False)
        refresh()
    return rows


def modernise(client: Client, page: Page | None = None) -> Any:
    """Press the button below the differences."""
    form = (page or Page(client, MODERNISE)).form("modernise_form")
    return client.post(MODERNISE, {**form.data, modernising.CONFIRM: "1"})


def test_all_is_well_where_nothing_is_wrong(boss: Client) -> None:
    assert "All is well" in Page(boss, FINDINGS).text


def test_findings_are_grouped_counted_and_linked_errors_first(boss: Client, define_widget: Define) -> None:
    one, _ = imported("one", "two", feeds=None)
    faulty = define_widget("faulty", description=None)
    page = Page(boss, FINDINGS)
    assert "Key spelling 2 times in 2 definitions Modernise mends it" in page.text
    assert '"subcategory" is an old or wrong spelling of "subCategory"' in page.text
    assert "one widget, widgets.json subcategory" in page.text
    assert f'href="{url("widget", "change", one.pk)}"' in page.html
    assert f'href="{url("widget", "change", faulty.pk)}"' in page.html
    assert page.html.index("wb-error") < page.html.index("wb-warning")


def test_many_definitions_are_folded_and_cut(boss: Client) -> None:
    imported(*(f"w{number}" for number in range(230)), publish=False)
    text = Page(boss, FINDINGS).text
    assert "Key spelling 230 times in 230 definitions" in text
    assert "And 210 more" in text
    assert "And 10 more that are not listed." in text


def test_places_of_one_definition_are_counted_too(boss: Client) -> None:
    columns = [{"field": f"c{number}", "headername": "C"} for number in range(8)]
    imported("one", data={"table": {"columnsDefs": columns}})
    text = Page(boss, FINDINGS).text
    assert "Key spelling 9 times in 1 definition" in text
    assert "and 4 more places" in text


def test_links_narrow_the_page_down(boss: Client, define_widget: Define) -> None:
    imported("one")
    define_widget("faulty", description=None)
    read_app({"slug": "desk", "app": {"name": "Desk", "id": "x", "tabs": {}}, "imported": True})
    everything = Page(boss, FINDINGS)
    assert "Key spelling" in everything.text
    apps = Page(boss, f"{FINDINGS}?kind=app").text
    assert "desk app, apps.json" in apps
    assert "Key spelling" not in apps
    errors = Page(boss, f"{FINDINGS}?kind=widget&severity=error").text
    assert "faulty widget" in errors
    assert "one widget" not in errors
    assert "Nothing of this kind." in Page(boss, f"{FINDINGS}?kind=agent&severity=info").text


def test_the_number_of_queries_does_not_grow_with_the_widgets(boss: Client) -> None:
    def count(page: str) -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            boss.get(page)
        return len(queries)

    imported("first")
    boss.get(FINDINGS)
    few = [count(page) for page in (FINDINGS, MODERNISE)]
    imported(*(f"w{number}" for number in range(20)))
    assert [count(page) for page in (FINDINGS, MODERNISE)] == few


def test_who_may_not_see_widgets_and_apps_sees_no_findings(staff: Callable[..., Client]) -> None:
    for rights in ((), ("view_widget",), ("view_app",)):
        assert staff(*rights).get(FINDINGS).status_code == 403
    page = Page(staff("view_widget", "view_app"), FINDINGS)
    assert "All is well" in page.text


def test_findings_on_agents_are_for_who_may_see_agents(staff: Callable[..., Client]) -> None:
    read_agent({"id": "Odd Id", "agent": {"name": "A", "description": "d", "endpoints": {"query": "q"}}})
    assert "Odd Id" not in Page(staff("view_widget", "view_app"), FINDINGS).text
    assert "Odd Id" in Page(staff("view_widget", "view_app", "view_agent"), FINDINGS).text


def test_modernising_shows_what_it_does_and_does_it(boss: Client) -> None:
    imported("one", "two")
    read_app({"slug": "desk", "app": {"name": "Desk", "tabs": {}}, "imported": True})
    read_agent({"id": "a", "agent": {"name": "A", "description": "d", "endpoints": {"query": "q"}}, "imported": True})
    assert MODERNISE in Page(boss, FINDINGS).html
    page = Page(boss, MODERNISE)
    assert "4 definitions can be rewritten" in page.text
    assert "Removed definition.subcategory 2" in page.text
    assert 'added definition.subCategory "Shares"' in page.text
    assert "2 of them differ from what is served, or are not served, and stay drafts." in page.text
    assert Widget.objects.filter(extra__contains="subcategory").count() == 2
    response = modernise(boss, page)
    assert response["Location"] == FINDINGS
    assert messages(response)[0] == "4 definitions modernised."
    assert [each.sub_category for each in Widget.objects.all()] == ["Shares", "Shares"]
    assert all(entry.definition["subCategory"] == "Shares" for entry in catalog.current().entries.values())
    version = Version.objects.filter(kind="widget").first()
    assert version
    assert (version.number, version.note, str(version.author)) == (2, "Modernised", "boss")
    assert (App.objects.get().published, Agent.objects.get().published) == (None, None)
    assert Agent.objects.get().features == {}
    assert "There is nothing to modernise" in Page(boss, MODERNISE).text


def test_a_draft_that_differs_from_what_is_served_stays_a_draft(boss: Client) -> None:
    imported("changed", "same")
    Widget.objects.filter(widget_id="changed").update(description="Not yet published.")
    page = Page(boss, MODERNISE)
    assert "1 of them differs from what is served" in page.text
    response = modernise(boss, page)
    assert "stay drafts" in messages(response)[1]
    changed = catalog.current().entries["changed"].definition
    assert (changed["description"], "subCategory" in changed) == ("Of shares.", False)
    assert Widget.objects.get(widget_id="changed").sub_category == "Shares"
    assert "subCategory" in catalog.current().entries["same"].definition


def test_nothing_but_what_was_shown_is_modernised(boss: Client) -> None:
    imported("one")
    page = Page(boss, MODERNISE)
    imported("two")
    again = Page(boss, MODERNISE, modernise(boss, page))
    assert modernising.CHANGED in again.text
    assert "2 definitions can be rewritten" in again.text
    assert not Widget.objects.filter(sub_category="Shares").exists()


def test_a_selection_of_a_list_is_modernised_alone(boss: Client) -> None:
    one, _ = imported("one", "two")
    response = boss.post(url("widget"), {"action": "modernise_selected", "_selected_action": [one.pk]})
    page = Page(boss, MODERNISE, response)
    assert "1 definition can be rewritten" in page.text
    done = modernise(boss, page)
    assert done["Location"] == url("widget")
    assert [each.widget_id for each in Widget.objects.filter(sub_category="Shares")] == ["one"]


def test_who_may_change_widgets_may_modernise_widgets_only(staff: Callable[..., Client]) -> None:
    (one,) = imported("one")
    client = staff("change_widget", "view_app")
    assert client.get(MODERNISE).status_code == 403
    assert "Modernise everything" not in Page(client, FINDINGS).text
    page = Page(
        client, MODERNISE, client.post(url("widget"), {"action": "modernise_selected", "_selected_action": [one.pk]})
    )
    assert modernise(client, page).status_code == 302
    assert Widget.objects.get().sub_category == "Shares"
    stranger = staff("view_widget", "view_app")
    assert modernise(stranger, page).status_code == 403


@pytest.mark.parametrize("only", ["x", "[]", '{"widgets": ["a"]}', '{"odd": [1]}', "1"])
def test_a_selection_that_no_list_has_made_is_refused(boss: Client, only: str) -> None:
    assert boss.post(MODERNISE, {"only": only}).status_code == 400
