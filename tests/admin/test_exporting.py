"""Export in the admin: everything, or what is selected, with what it needs."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tests.admin.conftest import url
from tests.admin.pages import Page
from tests.conftest import Define
from widgets_app.manifest.reading import read_agent, read_widget
from widgets_app.models import Source, Widget
from widgets_app.sealing import seal

pytestmark = pytest.mark.django_db

EXPORT = "/admin/export/"
RIGHTS = [f"view_{model}" for model in ("widget", "app", "agent", "query", "source")]


def files(response: Any) -> dict[str, Any]:
    assert response["Content-Disposition"] == 'attachment; filename="bundle.zip"'
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        return {name: json.loads(archive.read(name)) for name in archive.namelist()}


def export(client: Client, model: str, *rows: Any) -> dict[str, Any]:
    """Select rows in their list, and choose the action."""
    selected = {"action": "export_selected", "_selected_action": [row.pk for row in rows]}
    return files(client.post(url(model), selected))


def test_selected_widgets_come_with_their_query_and_source(
    boss: Client, define_query: Define, define_widget: Define
) -> None:
    define_query()
    define_query("unused")
    define_widget("other")
    found = export(boss, "widget", define_widget(query="prices"))
    assert list(found["widgets.json"]) == ["prices"]
    assert [query["name"] for query in found["backend.json"]["queries"]] == ["prices"]
    assert [source["name"] for source in found["backend.json"]["sources"]] == ["market"]
    assert (found["apps.json"], found["agents.json"]) == ([], {})


def test_an_app_brings_what_it_places_and_selects(boss: Client, define_widget: Define, define_app: Define) -> None:
    define_widget("placed")
    define_widget("other")
    for agent in ("analyst", "idle"):
        read_agent({"id": agent, "agent": {"name": agent, "description": "d", "endpoints": {"query": "q"}}})
    app = define_app(widgets=("placed", "not-here"), selected_agent="analyst")
    found = export(boss, "app", app)
    assert [each["name"] for each in found["apps.json"]] == ["desk"]
    assert list(found["widgets.json"]) == ["placed"]
    assert list(found["agents.json"]) == ["analyst"]


def test_the_draft_is_exported(boss: Client, define_widget: Define) -> None:
    widget = define_widget(description="Served.")
    Widget.objects.update(description="Draft.")
    assert export(boss, "widget", widget)["widgets.json"]["prices"]["description"] == "Draft."


def test_everything_is_exported_drafts_too_and_no_secrets(boss: Client, define_widget: Define) -> None:
    define_widget("served")
    read_widget({"id": "draft", "definition": {"name": "D"}})
    Source.objects.create(
        name="up", kind="http", options={"url": "https://a.example"}, secrets=seal({"headers": {"X-API-KEY": "hush"}})
    )
    assert EXPORT in Page(boss, "/admin/import/").html
    response = boss.get(EXPORT)
    found = files(response)
    assert list(found["widgets.json"]) == ["served", "draft"]
    assert [source["name"] for source in found["backend.json"]["sources"]] == ["up"]
    assert "hush" not in json.dumps(found)
    assert "secrets" not in json.dumps(found)
    assert boss.get(EXPORT).content == response.content


@pytest.mark.parametrize("missing", RIGHTS)
def test_who_may_not_see_all_of_it_exports_nothing(
    staff: Callable[..., Client], define_widget: Define, missing: str
) -> None:
    widget = define_widget()
    client = staff(*(right for right in RIGHTS if right != missing), "change_apikey")
    assert client.get(EXPORT).status_code == 403
    if missing != "view_widget":
        response = client.post(url("widget"), {"action": "export_selected", "_selected_action": [widget.pk]})
        assert "Content-Disposition" not in response


def test_who_may_look_at_all_of_it_may_export_but_not_import(staff: Callable[..., Client]) -> None:
    client = staff(*RIGHTS)
    assert client.get(EXPORT).status_code == 200
    page = Page(client, "/admin/import/")
    assert "Export everything" in page.text
    assert "Show what would be done" not in page.text
    assert client.post("/admin/import/").status_code == 403


def test_queries_are_not_exported_alone(boss: Client, define_query: Define) -> None:
    define_query()
    page = Page(boss, url("query"))
    assert "export_selected" not in page.html
    assert "modernise_selected" not in page.html
