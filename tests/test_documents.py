"""Manifests: bytes per audience, conditional and compressed."""

from __future__ import annotations

import gzip

import brotli
import pytest
from django.contrib.auth.models import Group
from django.test import Client

from tests.conftest import Define, refresh
from widgets_app import catalog
from widgets_app.documents import document_path
from widgets_app.services.keys import key_issue

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(define_widget: Define, define_app: Define) -> Client:
    """A caller of the group Desk, beside widgets for everybody, for Desk and for Board."""
    for name in ("Desk", "Board"):
        define_widget(name.lower()).groups.set([Group.objects.create(name=name)])
    define_widget("open")
    define_app("all", ("open", "desk", "board"), groups=[{"name": "Group 1", "widgetIds": ["open", "board"]}])
    define_app("board-only", ("board",))
    _, text = key_issue(name="Ana", groups=Group.objects.filter(name="Desk"))
    refresh()
    return Client(headers={"X-API-KEY": text})


def test_callers_see_what_their_groups_may_see(desk: Client, caller: Client) -> None:
    assert set(desk.get("/widgets.json").json()) == {"open", "desk"}
    assert set(caller.get("/widgets.json").json()) == {"open"}


def test_hidden_widgets_leave_no_places_in_apps(desk: Client) -> None:
    (app,) = desk.get("/apps.json").json()
    assert [item["i"] for item in app["tabs"]["main"]["layout"]] == ["open", "desk"]
    assert app["groups"] == [{"name": "Group 1", "widgetIds": ["open"]}]


def test_an_app_of_hidden_widgets_only_is_hidden(desk: Client) -> None:
    assert [app["name"] for app in desk.get("/apps.json").json()] == ["all"]


def test_hidden_and_unknown_paths_get_the_same_answer(desk: Client) -> None:
    hidden, unknown = desk.get("/board"), desk.get("/nothing")
    assert hidden.status_code == unknown.status_code == 404
    assert hidden.content == unknown.content


def test_what_has_not_changed_is_answered_304_without_a_body(caller: Client, define_widget: Define) -> None:
    define_widget()
    first = caller.get("/widgets.json")
    again = caller.get("/widgets.json", headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
    for value in (f'"x", W/{first["ETag"]}', "*"):
        assert caller.get("/widgets.json", headers={"If-None-Match": value}).status_code == 304
    define_widget("more")
    changed = caller.get("/widgets.json", headers={"If-None-Match": first["ETag"]})
    assert (changed.status_code, set(changed.json())) == (200, {"prices", "more"})


def test_bytes_are_compressed_for_clients_that_take_them(caller: Client, define_widget: Define) -> None:
    define_widget()
    plain = caller.get("/widgets.json")
    assert "Content-Encoding" not in plain
    assert "Accept-Encoding" in plain["Vary"]
    br = caller.get("/widgets.json", headers={"Accept-Encoding": "gzip, deflate, br"})
    assert br["Content-Encoding"] == "br"
    assert brotli.decompress(br.content) == plain.content
    zipped = caller.get("/widgets.json", headers={"Accept-Encoding": "gzip, br;q=0"})
    assert zipped["Content-Encoding"] == "gzip"
    assert gzip.decompress(zipped.content) == plain.content


def test_audiences_that_see_the_same_share_the_bytes(define_widget: Define) -> None:
    define_widget()
    served = catalog.current()
    one = served.manifest("widgets", frozenset({"A"}))
    other = served.manifest("widgets", frozenset({"B"}))
    assert one is other


@pytest.mark.parametrize(
    ("path", "query", "found"),
    [
        ("/widgets.json", "", "/widgets.json"),
        ("/", "", None),
        ("/", "k=v/apps.json", "/apps.json"),
        ("/", "k=v/other.json", None),
        ("/data", "k=v/apps.json", None),
    ],
)
def test_which_requests_are_for_a_manifest(path: str, query: str, found: str | None) -> None:
    assert document_path(path, query) == found
