"""Lists: states, filters, order by dragging, actions on several rows, and how many queries they take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.admin.conftest import Open, url
from tests.admin.pages import Page, messages
from tests.conftest import Define
from widgets_app import catalog
from widgets_app.manifest.reading import read_app, read_query, read_widget
from widgets_app.models import App, Column, Parameter, Placement, Query, Tab, Widget
from widgets_app.services.publishing import definition_publish

pytestmark = pytest.mark.django_db


def ids(client: Client, model: str = "widget", **query: str) -> list[str]:
    response = client.get(url(model), query)
    assert response.status_code == 200
    return [str(row) for row in response.context["cl"].result_list]


@pytest.fixture
def four(define_widget: Define) -> None:
    """A widget in each state: published, changed, draft, and published with errors."""
    define_widget("good", category="Prices", type="table")
    define_widget("changed", category="News", type="chart")
    Widget.objects.filter(widget_id="changed").update(name="New")
    read_widget({"id": "draft", "definition": {"name": "Draft", "description": "d", "type": "table", "endpoint": "d"}})
    define_widget("faulty", description=None)


def test_the_list_shows_states_queries_and_groups(four: None, boss: Client, define_query: Define) -> None:
    query = define_query()
    good = Widget.objects.get(widget_id="good")
    good.feeds.create(query=query)
    good.groups.add(Group.objects.create(name="Desk"))
    text = Page(boss, url("widget")).text
    assert "good good Table good prices Changed Desk" in text
    assert "changed New Chart (Plotly) changed Changed everybody" in text
    assert "draft Draft Table d Draft everybody" in text
    assert "faulty faulty Table faulty Published 1 error everybody" in text


@pytest.mark.parametrize(("state", "found"), [
    ("published", ["good", "faulty"]),
    ("changed", ["changed"]),
    ("draft", ["draft"]),
    ("errors", ["faulty"]),
])  # fmt: skip
def test_widgets_are_filtered_by_state(four: None, boss: Client, state: str, found: list[str]) -> None:
    assert ids(boss, state=state) == found


def test_widgets_are_filtered_and_searched(four: None, boss: Client) -> None:
    assert ids(boss, category="News") == ["changed"]
    assert ids(boss, type__exact="chart") == ["changed"]
    assert ids(boss, q="DRAFT") == ["draft"]


def test_queries_and_apps_have_states_too(define_query: Define, define_app: Define, boss: Client) -> None:
    define_query()
    define_app()
    read_query({"name": "b", "description": "", "source": "market", "text": "x", "cache_seconds": None, "seconds": None,
                "rows": None, "options_path": "options/b", "choices": []})  # fmt: skip
    read_app({"slug": "empty", "app": {"name": "Empty"}})
    assert ids(boss, "query", state="draft") == ["b"]
    assert ids(boss, "app", state="errors") == ["Empty"]
    assert "empty Empty Draft 1 error everybody" in Page(boss, url("app")).text


def test_a_published_query_that_cannot_run_shows_an_error(define_query: Define, boss: Client) -> None:
    query = define_query()
    Query.objects.update(text="select * from gone")
    definition_publish(query, strict=False)
    catalog.check()
    assert "1 error" in Page(boss, url("query")).text
    assert ids(boss, "query", state="errors") == ["prices"]


def place(client: Client, order: list[str], **query: str) -> object:
    page = Page(client, url("widget"))
    form = page.form("changelist-form")
    rows = {form[f"form-{n}-id"]: n for n in range(int(form["form-TOTAL_FORMS"]))}
    for position, widget_id in enumerate(order):
        row = rows[str(Widget.objects.get(widget_id=widget_id).pk)]
        form.fill(**{f"form-{row}-position": str(position)})
    form.url = url("widget") + ("?o=2" if query else "")
    return form.send()


def test_dragging_puts_the_manifest_in_order(four: None, boss: Client) -> None:
    response = place(boss, ["faulty", "good", "draft", "changed"])
    assert "have moved" in messages(response)[0]
    assert ids(boss) == ["faulty", "good", "draft", "changed"]
    assert list(catalog.current().entries) == ["faulty", "good", "changed"]


def test_rows_of_a_page_are_ordered_in_their_own_places(four: None, boss: Client) -> None:
    chosen = [Widget.objects.get(widget_id=widget_id) for widget_id in ("faulty", "changed")]
    data: dict[str, Any] = {f"form-{n}-id": row.pk for n, row in enumerate(chosen)}
    data |= {f"form-{n}-position": n for n in range(2)}
    data |= {"form-9-id": "x", "form-9-position": "1"}
    boss.post(url("widget"), {**data, "_save": "1"})
    assert ids(boss) == ["good", "faulty", "draft", "changed"]


def test_a_list_that_is_sorted_by_a_column_is_not_put_in_order(four: None, boss: Client) -> None:
    response = place(boss, ["faulty", "good", "draft", "changed"], sorted="yes")
    assert "Take the sorting off" in messages(response)[0]
    assert ids(boss) == ["good", "changed", "draft", "faulty"]


def test_who_may_only_look_does_not_move_rows(four: None, staff: Callable[..., Client]) -> None:
    client = staff("view_widget")
    assert "drag_indicator" not in Page(client, url("widget")).form("changelist-form").data
    assert client.post(url("widget"), {"_save": "1"}).status_code == 403


def act(client: Client, action: str, *widget_ids: str) -> list[str]:
    pks = [str(pk) for pk in Widget.objects.filter(widget_id__in=widget_ids).values_list("pk", flat=True)]
    return messages(client.post(url("widget"), {"action": action, "_selected_action": pks, "index": "0"}))


def test_several_are_published_each_on_its_own(four: None, boss: Client) -> None:
    Widget.objects.filter(widget_id="faulty").update(name="Other")
    said = act(boss, "publish_selected", "draft", "faulty", "changed")
    assert len(said) == 3
    assert "no description" in next(text for text in said if "faulty" in text)
    entries = catalog.current().entries
    assert (entries["draft"].definition["name"], entries["changed"].definition["name"]) == ("Draft", "New")
    assert entries["faulty"].definition["name"] == "faulty"


def test_several_are_unpublished(four: None, boss: Client) -> None:
    act(boss, "unpublish_selected", "good", "changed")
    assert list(catalog.current().entries) == ["faulty"]


def test_a_copy_is_a_draft_with_an_endpoint_of_its_own(four: None, boss: Client) -> None:
    Widget.objects.get(widget_id="good").columns.create(field="price")
    act(boss, "duplicate_selected", "good")
    act(boss, "duplicate_selected", "good")
    copies = Widget.objects.filter(widget_id__startswith="good_copy")
    assert [(copy.widget_id, copy.endpoint, copy.name, copy.published) for copy in copies] == [
        ("good_copy", "good_copy", "good (copy)", None),
        ("good_copy_2", "good_copy_2", "good (copy)", None),
    ]
    assert copies[0].columns.get().field == "price"


def test_deleting_several_warns_about_apps(four: None, define_app: Define, boss: Client) -> None:
    define_app(widgets=("good",))
    pks = [str(pk) for pk in Widget.objects.values_list("pk", flat=True)]
    response = boss.post(url("widget"), {"action": "delete_selected", "_selected_action": pks, "index": "0"})
    text = "Apps place widgets that will be gone: “desk” shows good. Change their tabs too."
    assert text in response.content.decode()


COLUMNS = {"data": {"table": {"columnsDefs": [{"field": "a"}, {"field": "b"}]}}}


def fill(number: int) -> None:
    """Make this many widgets with all that hangs on them, placed in as many tabs."""
    query = Query.objects.get()
    group = Group.objects.get_or_create(name="Desk")[0]
    layout = [{"i": f"w{n}", "x": 0, "y": n, "w": 1, "h": 1} for n in range(number)]
    for n in range(number):
        param = {
            "paramName": "t",
            "type": "endpoint",
            "label": "T",
            "description": "d",
            "optionsEndpoint": "options/prices",
        }
        definition: dict[str, Any] = {
            "name": f"W{n}",
            "description": "d",
            "type": "table",
            "endpoint": f"w{n}",
            **COLUMNS,
        }
        definition["params"] = [{**param, "paramName": f"t{m}"} for m in range(number)]
        widget = read_widget({"id": f"w{n}", "definition": definition, "feeds": {"rows": query.name}})
        widget.groups.add(group)
        definition_publish(widget, strict=False)
        read_app({"slug": f"a{n}", "app": {"name": f"A{n}", "tabs": {str(t): {"layout": layout} for t in range(3)}}})
    catalog.check()


def count(client: Client, address: str) -> int:
    client.get(address)  # what is looked up once per process
    with CaptureQueriesContext(connection) as queries:
        assert client.get(address).status_code == 200
    return len(queries)


def addresses() -> dict[str, str]:
    return {
        **{name: url(name) for name in ("widget", "app", "query", "source", "version", "apikey")},
        "front page": "/admin/",
        "widget page": url("widget", "change", Widget.objects.order_by("pk")[0].pk),
        "column page": url("column", "change", Column.objects.order_by("pk")[0].pk),
        "parameter page": url("parameter", "change", Parameter.objects.order_by("pk")[0].pk),
        "query page": url("query", "change", Query.objects.get().pk),
        "app page": url("app", "change", App.objects.order_by("pk")[0].pk),
        "tab page": url("tab", "change", Tab.objects.order_by("pk")[0].pk),
        "placement page": url("placement", "change", Placement.objects.order_by("pk")[0].pk),
    }


def test_pages_take_as_many_queries_for_many_rows_as_for_few(define_query: Define, boss: Client) -> None:
    define_query()
    fill(2)
    few = {name: count(boss, address) for name, address in addresses().items()}
    Widget.objects.all().delete()
    App.objects.all().delete()
    fill(12)
    many = {name: count(boss, address) for name, address in addresses().items()}
    assert many == few
    assert max(many.values()) < 40


def test_saving_takes_queries_for_what_changed_only(define_query: Define, change: Open, boss: Client) -> None:
    define_query()
    counts = []
    for number in (10, 200):
        columns = [{"field": f"c{n}"} for n in range(number)]
        definition = {"name": "W", "description": "d", "type": "table", "endpoint": f"w{number}"}
        widget = read_widget(
            {"id": f"w{number}", "definition": {**definition, "data": {"table": {"columnsDefs": columns}}}}
        )
        form = change(widget)
        with CaptureQueriesContext(connection) as queries:
            assert form.send("_draft", **{"columns-3-header_name": "Three"}).status_code == 302
        counts.append(len(queries))
    assert counts[0] == counts[1] < 40


def test_people_find_their_way_by_search(define_widget: Define, boss: Client) -> None:
    define_widget()
    html = boss.get("/admin/search/", {"s": "prices", "extended": "1"}).content.decode()
    assert url("widget", "change", Widget.objects.get().pk) in html


def test_users_and_groups_have_pages(boss: Client) -> None:
    ana = User.objects.create_user("ana")
    page = Page(boss, f"/admin/auth/user/{ana.pk}/change/")
    assert page.form("user_form").send(first_name="Ana").status_code == 302
    html = Page(boss, "/admin/auth/group/add/").html
    assert "Can change widget" in html
    assert "Can add session" not in html
    assert Page(boss, "/admin/auth/user/add/").response.status_code == 200
    assert Page(boss, f"/admin/auth/user/{ana.pk}/password/").response.status_code == 200
