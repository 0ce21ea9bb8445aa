"""Agents: their form, their features, who selects them, and that they are served."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from tests.admin.conftest import Open, url
from tests.admin.pages import Page, messages
from tests.conftest import Define
from widgets_app import catalog
from widgets_app.manifest.agents import agent_document
from widgets_app.manifest.reading import read_agent
from widgets_app.models import Agent, App, Source

pytestmark = pytest.mark.django_db

NEW = {
    "agent_id": "analyst",
    "name": "Analyst",
    "description": "Knows the prices of shares.",
    "query_url": "https://agents.example.com/ask",
}


def imported(**keys: Any) -> Agent:
    definition = {"name": "A", "description": "d", "endpoints": {"query": "https://a.example.com"}, **keys}
    return read_agent({"id": "An_agent", "agent": definition, "imported": True})


def document(agent: Agent) -> str:
    return json.dumps(agent_document(Agent.objects.get(pk=agent.pk)))


def served() -> dict[str, Any]:
    return catalog.current().agents_json(frozenset())


def test_a_new_agent_is_published_and_served_at_once(add: Open) -> None:
    response = add("agent").send(**NEW)
    assert response["Location"] == url("agent")
    assert served() == {
        "analyst": {
            "name": "Analyst",
            "description": "Knows the prices of shares.",
            "endpoints": {"query": "https://agents.example.com/ask"},
            "features": {"streaming": True},
        }
    }


def test_a_draft_is_not_served(add: Open) -> None:
    add("agent").send("_draft", **NEW)
    assert (Agent.objects.get().published, served()) == (None, {})


def test_what_workspace_would_refuse_stays_a_draft_with_all_reasons(add: Open) -> None:
    response = add("agent").send(agent_id="bad")
    (message,) = messages(response)
    assert "was not published" in message
    assert "no name" in message
    assert "where questions are sent" in message
    assert Agent.objects.get().published is None


def test_groups_decide_who_sees_an_agent(define_agent: Define, change: Open) -> None:
    desk = Group.objects.create(name="Desk")
    change(define_agent()).send("_draft", groups=[str(desk.pk)])
    assert served() == {}
    assert "analyst" in catalog.current().agents_json(frozenset({"Desk"}))


def test_features_are_switched_and_written(add: Open, change: Open, define_agent: Define) -> None:
    own = {"deep": {"label": "Think", "default": False, "description": "Longer."}}
    agent = define_agent(features={"streaming": True, **own, "widget-dashboard-search": False})
    form = change(agent)
    shown = [form[name] for name in ("feature_streaming", "feature_widget_dashboard_search", "feature_mcp_tools")]
    assert shown == ["true", "false", "unknown"]
    assert json.loads(form["features"]) == own
    form.send(feature_streaming="false", feature_mcp_tools="true", feature_widget_dashboard_search="unknown")
    assert json.dumps(served()["analyst"]["features"]) == json.dumps({"streaming": False, **own, "mcp-tools": True})
    change(agent).send(feature_streaming="unknown", feature_mcp_tools="unknown", features="")
    assert Agent.objects.get().features is None


@pytest.mark.parametrize("keys", [
    {"features": {"mcp-tools": True, "odd": [1], "streaming": "yes"}},
    {"features": {}},
    {"features": {"streaming": True}},
    {"features": {"b": {"label": "B", "description": "d"}, "streaming": False, "a": {}}},
    {"features": ["streaming"]},
    {"features": None},
    {"endpoints": {"query": "/ask", "more": 1}, "description": " one\r\ntwo\n", "hasStreaming": True},
    {"name": "", "image": 7},
])  # fmt: skip
def test_what_nobody_touched_is_kept_to_the_letter(change: Open, keys: dict[str, Any]) -> None:
    agent = imported(**keys)
    before = document(agent)
    assert change(agent).send("_draft").status_code == 302
    assert document(agent) == before


@pytest.mark.parametrize(("field", "value", "text"), [
    ("agent_id", "An_agent", "small letters, digits and -"),
    ("agent_id", "taken", "already exists"),
    ("query_url", "ftp://example.com", "not an address that a browser can send questions to"),
    ("query_url", "widgets.json", "uses itself"),
    ("features", "[1]", "an object such as"),
    ("features", '{"deep": 7}', "deep"),
    ("features", '{"deep": {"label": "D", "description": "d", "type": "select"}}', "nothing to choose from"),
    ("image_file", SimpleUploadedFile("x.png", b"text"), "no picture"),
])  # fmt: skip
def test_what_would_not_work_is_refused_at_its_field(
    define_agent: Define, add: Open, field: str, value: Any, text: str
) -> None:
    define_agent("taken")
    assert text in add("agent").errors(**{**NEW, field: value})
    assert Agent.objects.count() == 1


def test_an_imported_id_stays_until_it_is_changed(change: Open) -> None:
    agent = imported()
    change(agent).send("_draft", name="New")
    assert "small letters" in change(agent).errors("_draft", agent_id="Other_agent")
    assert Agent.objects.get().agent_id == "An_agent"


def test_a_picture_is_taken_in(add: Open) -> None:
    add("agent").send("_draft", **NEW, image_file=SimpleUploadedFile("x.gif", b"GIF89a"))
    assert (Agent.objects.get().image or "").startswith("data:image/gif;base64,")


def test_questions_go_to_a_whole_address_or_to_a_path_of_an_upstream(add: Open, upstream: Source, boss: Client) -> None:
    form = add("agent").fill(**NEW, upstream=str(upstream.pk))
    assert "Write a path, or choose no upstream" in form.errors()
    form.send(query_url="ask")
    assert catalog.current().agents[0].passed_paths == {"ask"}
    Agent.objects.update(upstream=None)
    text = Page(boss, url("agent", "change", Agent.objects.get().pk)).text
    assert 'sent to "ask" on this backend, where no upstream answers' in text


def test_only_backends_can_be_upstreams(add: Open, files_source: Source) -> None:
    assert "Select a valid choice" in add("agent").errors(**{**NEW, "query_url": "a", "upstream": str(files_source.pk)})


def test_renaming_or_deleting_a_selected_agent_warns(
    define_agent: Define, define_app: Define, change: Open, boss: Client
) -> None:
    agent = define_agent()
    define_app(selected_agent="analyst")
    assert "Apps select the agent “analyst”" in Page(boss, url("agent", "delete", agent.pk)).text
    response = change(agent).send(agent_id="expert")
    assert "“analyst”, which no longer exists: “desk”" in messages(response)[0]
    assert set(served()) == {"expert"}
    boss.post(url("agent", "delete", agent.pk), {"post": "yes"})
    assert (served(), App.objects.count()) == ({}, 1)


def test_an_agent_that_is_left_out_says_why(define_agent: Define, boss: Client) -> None:
    agent = define_agent(name=None)
    text = Page(boss, url("agent", "change", agent.pk)).text
    assert "left out of what Workspace gets: The agent has no name" in text
    assert "Published 1 error" in Page(boss, url("agent")).text


def test_imported_agents_have_errors_only_where_they_break(boss: Client) -> None:
    imported(description=None)
    assert not re.search("[0-9] error", Page(boss, url("agent")).text)
    Agent.objects.update(imported=False)
    assert "Draft 2 errors" in Page(boss, url("agent")).text


def test_the_order_of_the_list_is_that_of_the_file(define_agent: Define, boss: Client) -> None:
    define_agent("first"), define_agent("second")
    form = Page(boss, url("agent")).form("changelist-form")
    form.send(**{"form-0-position": "1", "form-1-position": "0"})
    assert list(served()) == ["second", "first"]


def test_the_list_says_what_an_agent_is(boss: Client) -> None:
    assert "An agent answers questions in Workspace. It runs elsewhere" in Page(boss, url("agent")).text


def test_agents_are_counted_on_the_front_page(define_agent: Define, boss: Client) -> None:
    define_agent()
    assert "Agents 1 served" in Page(boss, "/admin/").text
