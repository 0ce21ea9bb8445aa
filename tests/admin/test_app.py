"""Apps: tabs, what they place, which widgets share a parameter."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from tests.admin.conftest import Open, url
from tests.admin.pages import Page, messages
from tests.conftest import Define
from widgets_app import catalog
from widgets_app.manifest.reading import read_app
from widgets_app.models import App, ParameterGroup, Placement, Tab

pytestmark = pytest.mark.django_db


def served() -> Any:
    (app,) = catalog.current().apps
    return app.definition


def test_an_app_is_made_tab_by_tab(add: Open, change: Open, define_widget: Define) -> None:
    define_widget()
    form = add("app").fill(name="Desk", slug="desk", description="For the desk.", prompts="One?\r\nTwo, or three?")
    form.add_row("tabs", name="Morning news").send("_draft")
    tab = Tab.objects.get()
    assert (tab.key, tab.tab_id, tab.name) == ("morning-news", "morning-news", "Morning news")
    form = change(tab).add_row(
        "placements", widget_id_text="prices", x="0", y="0", w="20", h="10", groups="Group 1, Group 2"
    )
    form.add_row(
        "placements", widget_id_text="elsewhere", x="20", y="0", w="20", h="10", state='{"params": {"a": "1"}}'
    )
    form.send("_draft")
    first, second = Placement.objects.all()
    assert (first.widget and first.widget.widget_id, first.groups, first.position) == (
        "prices",
        ["Group 1", "Group 2"],
        0,
    )
    assert (second.widget, second.state, second.position) == (None, {"params": {"a": "1"}}, 1)
    assert App.objects.get().prompts == ["One?", "Two, or three?"]


def test_saving_a_tab_publishes_its_app(define_app: Define, define_widget: Define, change: Open) -> None:
    define_widget()
    define_app(widgets=("prices",))
    response = change(Tab.objects.get()).send(name="New")
    assert response["Location"] == url("app", "change", App.objects.get().pk)
    assert served()["tabs"]["main"]["name"] == "New"
    change(Placement.objects.get()).send(w="30")
    assert served()["tabs"]["main"]["layout"][0]["w"] == 30


def test_an_app_that_workspace_would_refuse_stays_a_draft(define_app: Define, change: Open) -> None:
    app = define_app()
    response = change(app).send(name="")
    assert "The app has no name" in messages(response)[0]
    assert served()["name"] == "desk"


def test_the_page_of_a_tab_shows_what_is_wrong_with_the_app(define_app: Define, boss: Client) -> None:
    define_app(widgets=("gone",))
    text = Page(boss, url("tab", "change", Tab.objects.get().pk)).text
    assert 'There is no widget "gone"' in text


def test_the_id_of_a_tab_follows_its_key(define_app: Define, change: Open) -> None:
    app = define_app()
    change(app).send("_draft", **{"tabs-0-key": "start"})
    assert Tab.objects.get().tab_id == "start"
    change(Tab.objects.get()).send("_draft", tab_id="", key="begin")
    assert Tab.objects.get().tab_id == "begin"


def test_an_imported_id_of_a_tab_stays(change: Open) -> None:
    app = read_app({"slug": "desk", "app": {"name": "Desk", "tabs": {"a": {"id": "b", "name": "A", "layout": []}}}})
    change(app).send("_draft", **{"tabs-0-name": "New", "tabs-0-key": "c"})
    assert Tab.objects.get().tab_id == "b"


def test_two_tabs_with_one_key_are_refused(define_app: Define, change: Open) -> None:
    tabs: Any = {key: {"id": key, "name": key, "layout": []} for key in ("a", "b")}
    app = define_app(tabs=tabs)
    assert "Another tab of the app has this key." in change(app).errors(**{"tabs-0-key": "b"})
    form = change(app).add_row("tabs", name="C", key="c").add_row("tabs", name="C")
    assert "correct the duplicate" in form.errors()
    assert "Another tab of the app has this key." in change(Tab.objects.get(key="a")).errors(key="b")


def test_tabs_are_put_in_order(define_app: Define, change: Open) -> None:
    tabs: Any = {key: {"id": key, "name": key, "layout": []} for key in ("a", "b")}
    app = define_app(tabs=tabs)
    change(app).send("_draft", **{"tabs-0-position": "1", "tabs-1-position": "0"})
    assert [tab.key for tab in app.tabs.all()] == ["b", "a"]


def test_shared_parameters_are_rows(define_app: Define, define_widget: Define, change: Open) -> None:
    define_widget(params=[{"paramName": "t", "type": "text", "label": "T", "description": "d"}])
    app = define_app(widgets=("prices",))
    form = change(app)
    form.add_row(
        "parameter_groups", name="Group 1", type="param", param_name="t", widget_ids="prices", default_value="30"
    )
    form.send("_draft")
    group = ParameterGroup.objects.get()
    assert (group.widget_ids, group.default_value) == (["prices"], 30)
    change(group).send("_draft", default_value="AAA")
    assert ParameterGroup.objects.get().default_value == "AAA"


@pytest.mark.parametrize("prompts", [["a, b", "c"], ["two\nlines"], ["[1]"], [" blank "], [], ['"quoted"'], ["x", 7]])
def test_prompts_that_nobody_touched_stay(change: Open, prompts: Any) -> None:
    app = read_app({"slug": "desk", "app": {"name": "Desk", "prompts": prompts}})
    change(app).send("_draft", description="New")
    assert App.objects.get().prompts == prompts


def test_prompts_are_cleared_to_an_empty_list(change: Open) -> None:
    app = read_app({"slug": "desk", "app": {"name": "Desk", "prompts": ["a"]}})
    change(app).send("_draft", prompts="")
    assert App.objects.get().prompts == []


def test_lists_of_texts_hold_texts_only(change: Open) -> None:
    app = read_app({"slug": "desk", "app": {"name": "Desk"}})
    assert "Write texts only" in change(app).errors(prompts="[1, 2]")
    change(app).send("_draft", prompts='["one\\ntwo"]')
    assert App.objects.get().prompts == ["one\ntwo"]
    change(app).send("_draft", prompts='"half a quote')
    assert App.objects.get().prompts == ['"half a quote']


def test_a_state_that_workspace_would_not_read_is_refused(define_app: Define, change: Open) -> None:
    define_app(widgets=("prices",))
    form = change(Tab.objects.get())
    assert "style.radius" in form.errors(**{"placements-0-state": '{"style": {"radius": 100}}'})


def test_pictures_are_taken_in_for_each_theme(change: Open, define_app: Define) -> None:
    app = define_app()
    change(app).send("_draft", img_dark_file=SimpleUploadedFile("x.gif", b"GIF89a"))
    kept = App.objects.get()
    assert (kept.img_dark or "").startswith("data:image/gif;base64,")
    assert kept.img is None


def test_ids_of_widgets_are_suggested(define_app: Define, define_widget: Define, boss: Client) -> None:
    define_widget("a<b")
    define_app(widgets=("prices",))
    for page in (url("tab", "change", Tab.objects.get().pk), url("placement", "change", Placement.objects.get().pk)):
        html = Page(boss, page).html
        assert html.count('<option value="a&lt;b">') == 1
        assert 'list="widget-ids"' in html


def test_agents_are_suggested_and_any_other_may_be_named(
    define_app: Define, define_agent: Define, change: Open, boss: Client
) -> None:
    define_agent()
    app = define_app()
    page = Page(boss, url("app", "change", app.pk))
    assert 'list="agent-ids"' in page.html
    assert '<option value="analyst">' in page.html
    change(app).send(selected_agent="analyst")
    assert "There is no agent" not in Page(boss, url("app", "change", app.pk)).text
    change(app).send(selected_agent="copilot")
    assert served()["selected_agent"] == "copilot"
    assert 'There is no agent "copilot" here' in Page(boss, url("app", "change", app.pk)).text
