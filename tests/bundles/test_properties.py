"""Any definition, however odd, stays what it is on its whole way: in, through the admin, back in time, and out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.admin.conftest import url
from tests.admin.pages import Form, Page
from tests.bundles.conftest import AGENT, AGENTS, APPS, WIDGETS, actions, app, bring, taken_out, widget
from tests.manifest.test_round_trip import anything, apps, objects, text, widgets
from widgets_app.manifest.keys import AGENT as AGENT_LEVEL
from widgets_app.models import Agent, App, Widget
from widgets_app.services.publishing import definitions_publish, version_restore, versions_of

pytestmark = pytest.mark.django_db

few = settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))

HALF, NUL, LONG = "half \ud800", "a\x00b", "long/" * 50
ids = st.sampled_from(["w", "a b/c?d=é", LONG, "<b>&amp;", '"quoted"', "Ω\u2028", "..", " ", "0"])
agents = objects(*AGENT_LEVEL.keys, "endpoints", inner={"endpoints": objects("query", "other"), "features": anything})

ODD_WIDGET = widget(
    HALF, unknown={NUL: [HALF, 2**70, 1e100, -0.0, 1.0, 0, False, "", None, {}]}, description="", refetchInterval=0,
    raw=False, gridData={"w": 2**31, "h": 1.5, "odd": NUL}, source=["", HALF],
    data={"table": {"columnsDefs": [{"field": NUL, "hide": False, "width": 0}, {}], "odd": [[]]}, "dataKey": ""},
    params=[[{"paramName": HALF, "options": [{"label": "", "value": 0}, {"odd": NUL}]}], [], [{"value": -1e-9}]],
)  # fmt: skip
ODD_APP = app(
    NUL, HALF, tabs={"": {"id": "", "layout": [{"i": HALF, "x": 0.5, "state": {NUL: HALF}}, {}]}, "b": {}},
    groups=[{"name": "", "defaultValue": 2**70, "widgetIds": []}], prompts=[HALF], other={"": 1.0},
)  # fmt: skip
ODD_AGENT = {**AGENT, "name": HALF, "features": {NUL: [1.0]}, "endpoints": {"query": "", "more": None}, "": 0}


def form_of(row: Any, client: Client) -> Form:
    name = row._meta.model_name
    return Page(client, url(name, "change", row.pk)).form(f"{name}_form")


def assert_stays(kind: str, model: Any, content: Any, client: Client) -> None:
    """Take a manifest all the way, and compare at each stage."""
    with transaction.atomic():
        bring({kind: content})
        assert text(taken_out()[kind]) == text(content)
        rows = list(model.objects.all())
        for row in rows:
            response = form_of(row, client).send("_save")
            assert response.status_code == 302, response.content.decode()[:10000]
        assert text(taken_out()[kind]) == text(content)
        assert not bring({kind: content}).acts
        definitions_publish(list(model.objects.all()), strict=False)
        for row in rows:
            version_restore(versions_of(row).last())
        assert text(taken_out()[kind]) == text(content)
        plan = bring({kind: content})
        assert not plan.acts, actions(plan)
        transaction.set_rollback(True)


@few
@given(widget_id=ids, definition=widgets, other=widgets)
@example(widget_id=LONG, definition=ODD_WIDGET, other={})
@example(widget_id="w", definition=widget("w", endpoint="same"), other=widget("x", endpoint="same", widgetId="w"))
def test_any_widgets_stay_what_they_are(
    admin_client: Client, widget_id: str, definition: dict[str, Any], other: dict[str, Any]
) -> None:
    definition = {key: value for key, value in definition.items() if (key, value) != ("widgetId", widget_id)}
    assert_stays(WIDGETS, Widget, {widget_id: definition, "other": other}, admin_client)


@few
@given(definition=apps, other=apps)
@example(definition=ODD_APP, other={})
@example(definition={"name": "Twin"}, other={"name": "Twin", "tabs": {}})
def test_any_apps_stay_what_they_are(admin_client: Client, definition: dict[str, Any], other: dict[str, Any]) -> None:
    assert_stays(APPS, App, [definition, other], admin_client)


@few
@given(agent_id=ids, definition=agents)
@example(agent_id="a/b", definition=ODD_AGENT)
def test_any_agents_stay_what_they_are(admin_client: Client, agent_id: str, definition: dict[str, Any]) -> None:
    assert_stays(AGENTS, Agent, {agent_id: definition}, admin_client)


@few
@given(definition=widgets, other=widgets)
def test_any_change_of_a_widget_is_seen_and_made(definition: dict[str, Any], other: dict[str, Any]) -> None:
    definition, other = ({k: v for k, v in found.items() if k != "widgetId"} for found in (definition, other))
    with transaction.atomic():
        bring({WIDGETS: {"w": definition}})
        plan = bring({WIDGETS: {"w": other}}, on_conflict="replace")
        assert plan.acts == (text(definition) != text(other))
        assert text(taken_out()[WIDGETS]["w"]) == text(other)
        assert not bring({WIDGETS: {"w": other}}).acts
        transaction.set_rollback(True)


def test_the_odd_ones_are_served_too(caller: Client) -> None:
    bring({WIDGETS: {"w": ODD_WIDGET}, APPS: [ODD_APP], AGENTS: {"a": ODD_AGENT}})
    assert text(json.loads(caller.get("/widgets.json").content)["w"]) == text(ODD_WIDGET)
