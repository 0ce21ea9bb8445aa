"""The site: the front page, the sidebar, signing in, and who may do what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tests.admin.conftest import url
from tests.admin.pages import Page, messages
from tests.conftest import Define, refresh
from widgets_app import catalog
from widgets_app.manifest.reading import read_widget
from widgets_app.models import ApiKey, App, Parameter, Query, Source, Version, Widget
from widgets_app.services.keys import key_issue

pytestmark = pytest.mark.django_db


def test_the_front_page_of_an_empty_backend_says_what_to_do(boss: Client) -> None:
    page = Page(boss, "/admin/")
    assert "Make a source: where the data is" in page.text
    assert "load_demo" in page.text
    assert url("source", "add") in page.html
    assert "There is no key yet. Issue a key" in page.text
    assert "Import an existing backend" in page.text


def test_who_may_not_import_is_not_told_to(staff: Callable[..., Client]) -> None:
    assert "Import an existing backend" not in Page(staff("add_widget"), "/admin/").text


def test_an_imported_backend_needs_no_queries(boss: Client, define_widget: Define) -> None:
    define_widget()
    assert "What to do next" not in Page(boss, "/admin/").text


def test_steps_go_away_as_they_are_taken(boss: Client, define_query: Define) -> None:
    define_query()
    text = Page(boss, "/admin/").text
    assert "Make a source" not in text
    assert "Make a widget that shows the rows" in text


def test_the_front_page_says_what_is_served_and_how_to_connect(
    boss: Client, define_query: Define, define_widget: Define, define_app: Define
) -> None:
    define_query()
    define_widget(query="prices")
    define_app()
    read_widget({"id": "draft", "definition": {"name": "D"}})
    key_issue(name="Ana")
    refresh()
    text = Page(boss, "/admin/").text
    assert "Widgets 1 served, 1 draft never published" in text
    assert "Apps 1 served" in text
    assert "http://127.0.0.1:7779" in text
    assert "X-API-KEY" in text
    assert "1 key can be used now" in text
    assert "Check the connection" in text
    assert "What to do next" not in text


def test_the_front_page_says_what_is_wrong_with_what_is_served(
    boss: Client, define_query: Define, define_widget: Define
) -> None:
    define_widget(name=None)
    define_query()
    Source.objects.update(kind="fax")
    catalog.check()
    text = Page(boss, "/admin/").text
    assert "widget prices is left out: The widget has no name" in text
    assert 'Query "prices" can\'t run' in text


def test_an_open_backend_says_so(boss: Client, settings: Any) -> None:
    settings.WIDGETS_OPEN = True
    assert "open to everybody" in Page(boss, "/admin/").text


def test_the_sidebar_has_its_order_and_hides_what_may_not_be_seen(boss: Client, staff: Callable[..., Client]) -> None:
    def links(client: Client) -> list[str]:
        sections = client.get("/admin/").context["sidebar_navigation"]
        return [item["title"] for section in sections for item in section["items"]]

    models = ["Widgets", "Apps", "Agents", "Queries", "Sources", "API keys", "Users", "Groups", "Versions"]
    assert links(boss) == ["Overview", "Connection", *models, "Import and export", "Findings"]
    assert links(staff("view_query", "change_widget")) == ["Overview", "Connection", "Widgets", "Queries"]
    text = Page(staff("view_query"), "/admin/").text
    assert "Queries 0 served" in text
    assert "Widgets 0 served" not in text
    assert "Issue a key" not in text


def test_who_is_not_signed_in_is_asked_to(db: None) -> None:
    client = Client()
    for page in ("/admin/", url("widget"), url("widget", "run", 1), url("version", "change", 1)):
        assert client.get(page)["Location"].startswith("/admin/login/")
    assert client.get("/admin/login/")["Location"] == "/admin/login/?next=%2Fadmin%2F"
    assert client.get("/admin/login/?next=%2Fadmin%2F").status_code == 200


def test_signing_in_leads_to_the_front_page(boss: Client) -> None:
    from django.contrib.auth.models import User

    User.objects.create_superuser("ana", password="letmein")
    response = Client().post("/admin/login/?next=%2Fadmin%2F", {"username": "ana", "password": "letmein"})
    assert response["Location"] == "/admin/"


@pytest.fixture
def everything(define_query: Define, define_widget: Define, define_app: Define) -> dict[str, Any]:
    query = define_query()
    widget = define_widget(
        query="prices", params=[{"paramName": "t"}], data={"table": {"columnsDefs": [{"field": "a"}]}}
    )
    app = define_app(widgets=("prices",))
    key, _ = key_issue(name="Ana")
    refresh()
    return {"query": query, "widget": widget, "app": app, "apikey": key, "source": query.source}


PAGES = [
    ("widget", "change"), ("widget", "run"), ("widget", "versions"), ("widget", "unpublish"), ("widget", "delete"),
    ("app", "change"), ("app", "versions"), ("app", "unpublish"), ("query", "change"), ("query", "run"),
    ("source", "change"), ("apikey", "change"), ("apikey", "revoke"),
]  # fmt: skip


def test_staff_without_permissions_gets_403_everywhere(
    everything: dict[str, Any], staff: Callable[..., Client]
) -> None:
    client = staff()
    for model, page in PAGES:
        address = url(model, page, everything[model].pk)
        assert client.get(address).status_code == 403, address
        assert client.post(address, {"post": "yes", "_publish": "1"}).status_code == 403, address
    for model in ("widget", "app", "query", "source", "apikey", "version", "column", "tab"):
        assert client.get(url(model)).status_code == 403, model
    for part in (Parameter.objects.get(), Version.objects.all()[0]):
        assert client.get(url(part._meta.model_name or "", "change", part.pk)).status_code == 403


def test_who_may_look_changes_nothing(everything: dict[str, Any], staff: Callable[..., Client]) -> None:
    client = staff(
        *(f"view_{name}" for name in everything), "view_parameter", "view_column", "view_tab", "view_version"
    )
    for model, page in PAGES:
        address = url(model, page, everything[model].pk)
        allowed = page in ("change", "run", "versions")
        assert (client.get(address).status_code in (200, 302)) == allowed, address
        if page != "run":
            assert client.post(address, {"post": "yes"}).status_code in (403, 302), address
    assert Widget.objects.get().published
    assert ApiKey.objects.get().revoked_at is None
    assert (App.objects.count(), Query.objects.count()) == (1, 1)


def test_who_may_look_sees_values_without_inputs(everything: dict[str, Any], staff: Callable[..., Client]) -> None:
    Widget.objects.update(type="chart", shape={"kind": "bar"})
    client = staff("view_widget", "view_column", "view_parameter")
    page = Page(client, url("widget", "change", everything["widget"].pk))
    assert 'name="widget_id"' not in page.html
    assert "kind: bar" in page.text
    assert "Save and publish" not in page.text
    assert "Unpublish" not in page.text
    assert "Versions" not in page.text


def test_unpublishing_asks_first(everything: dict[str, Any], boss: Client) -> None:
    address = url("app", "unpublish", everything["app"].pk)
    assert "The draft and the versions stay" in Page(boss, address).text
    assert len(catalog.current().apps) == 1
    response = boss.post(address)
    assert response["Location"] == url("app", "change", everything["app"].pk)
    assert "not served any more" in messages(response)[0]
    assert not catalog.current().apps
    assert "Unpublish" not in Page(boss, response["Location"]).text


def test_a_change_is_served_after_the_transaction_and_not_after_looking(
    everything: dict[str, Any], boss: Client
) -> None:
    number = catalog.current().number
    Widget.objects.update(published=None)
    boss.get(url("widget"))
    assert catalog.current().number == number
    boss.post(url("widget"), {"_save": "1"})
    assert "prices" not in catalog.current().entries


def test_the_front_page_says_when_the_definitions_are_not_there_yet(
    boss: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog.CATALOG.reset()
    monkeypatch.setattr(catalog.CATALOG, "_failed_at", float("inf"))
    assert "database can't be reached" in Page(boss, "/admin/").text
