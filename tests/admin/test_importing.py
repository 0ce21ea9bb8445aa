"""Importing in the admin: what is given, what is shown before, and what is done."""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from tests.admin.conftest import url
from tests.admin.pages import Form, Page, messages
from tests.conftest import Define
from tests.loopback import serving
from widgets_app import catalog
from widgets_app.admin import importing
from widgets_app.manifest import parsing
from widgets_app.models import Agent, App, Query, Source, Version, Widget
from widgets_app.services.bundles import Selection, bundle_export, waiting, zipped
from widgets_app.services.sources import secrets_of

pytestmark = pytest.mark.django_db

IMPORT = "/admin/import/"
SECRET = "open-sesame"
RIGHTS = [f"{verb}_{model}" for model in ("widget", "app", "agent") for verb in ("add", "change")]


def widget(**keys: Any) -> dict[str, Any]:
    return {"name": "Prices", "description": "Of shares.", "type": "table", "endpoint": "prices", **keys}


def file(content: Any, name: str = "widgets.json") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content if isinstance(content, bytes) else json.dumps(content).encode())


def show(client: Client, *files: SimpleUploadedFile, **fields: Any) -> Page:
    """Fill in the first form and send it."""
    form = Page(client, IMPORT).form("import_form")
    return Page(client, IMPORT, form.send("_", uploads=list(files) or None, **fields))


def decide(page: Page) -> Form:
    """Return the form below which the differences are shown."""
    form = page.form("import_form")
    assert "token" in form, page.text
    return form


def kept() -> list[Path]:
    return list((Path(settings.WIDGETS_HOME) / "imports").glob("*"))


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    yield
    for path in kept():
        path.unlink()


def test_what_would_be_done_is_shown_and_then_done(boss: Client) -> None:
    page = show(boss, file({"prices": widget()}), file([{"name": "Desk", "tabs": {}}], "apps.json"))
    assert "Read widgets.json, apps.json" in page.text
    assert "Widgets 1 Apps 1" in page.text
    assert "widget prices" in page.text
    assert not Widget.objects.exists()
    response = decide(page).send("_import")
    assert response["Location"] == url("widget")
    assert "1 widget added" in messages(response)[0]
    assert "1 app added" in messages(response)[0]
    assert "prices" in catalog.current().entries
    assert App.objects.get().name == "Desk"
    version = Version.objects.get(kind="widget")
    assert (version.author and version.author.username, version.note) == ("boss", "Imported")
    assert not kept()


def test_a_zip_of_an_export_brings_everything_back(
    boss: Client, define_query: Define, define_widget: Define, define_app: Define
) -> None:
    define_query()
    define_widget(query="prices")
    define_app(widgets=("prices",))
    archive = zipped(bundle_export())
    for model in (App, Widget, Query, Source):
        model.objects.all().delete()
    decide(show(boss, file(archive, "bundle.zip"))).send("_import")
    assert zipped(bundle_export()) == archive


def test_the_same_again_is_nothing_to_do(boss: Client) -> None:
    decide(show(boss, file({"prices": widget()}))).send("_import")
    page = show(boss, file({"prices": widget()}))
    assert "There is nothing to do" in page.text
    assert 'name="_import"' not in page.html


def test_differences_stop_the_import_until_it_is_said_what_to_do(boss: Client, define_widget: Define) -> None:
    define_widget(description="Old.")
    page = show(boss, file({"prices": widget(name="prices", description="New."), "other": widget(endpoint="o")}))
    assert "Nothing can be imported yet" in page.text
    assert 'definition.description "Old." "New."' in page.text
    assert 'name="_import"' not in page.html
    shown = Page(boss, IMPORT, decide(page).send("_show", on_conflict="replace"))
    assert "Changed (1)" in shown.text
    decide(shown).send("_import")
    assert Widget.objects.get(widget_id="prices").description == "New."
    assert Widget.objects.count() == 2


def test_what_is_here_may_be_left_alone(boss: Client, define_widget: Define) -> None:
    define_widget(description="Old.")
    new = {"prices": widget(description="New."), "other": widget(endpoint="o")}
    decide(show(boss, file(new), on_conflict="skip")).send("_import")
    assert Widget.objects.get(widget_id="prices").description == "Old."
    assert Widget.objects.count() == 2


def test_nothing_but_what_was_shown_is_done(boss: Client, define_widget: Define) -> None:
    define_widget(description="Old.")
    form = decide(show(boss, file({"prices": widget(name="prices", description="New.")}), on_conflict="replace"))
    Widget.objects.update(description="Mine.")
    again = Page(boss, IMPORT, form.send("_import"))
    assert importing.CHANGED in again.text
    assert 'definition.description "Mine." "New."' in again.text
    assert Widget.objects.get().description == "Mine."
    decide(again).send("_import")
    assert Widget.objects.get().description == "New."


def test_choices_that_were_not_shown_are_shown_first(boss: Client, define_widget: Define) -> None:
    define_widget("mine")
    form = decide(show(boss, file({"prices": widget()})))
    again = Page(boss, IMPORT, form.send("_import", prune="on"))
    assert importing.CHANGED in again.text
    assert "Removed (1) widget mine" in again.text
    assert Widget.objects.get().widget_id == "mine"


def test_a_conflict_that_came_up_meanwhile_is_shown(boss: Client, define_widget: Define) -> None:
    form = decide(show(boss, file({"prices": widget()})))
    define_widget(description="Mine.")
    again = Page(boss, IMPORT, form.send("_import"))
    assert "would be changed. Choose to replace or to skip" in again.text
    assert "Here already, and different (1)" in again.text


def test_rewrites_are_shown_and_findings_say_which(boss: Client) -> None:
    old = {"prices": widget(subcategory="Shares")}
    assert "Key spelling 1 time in 1 definition Modernise mends it" in show(boss, file(old)).text
    page = show(boss, file(old), modernise="on")
    assert "Modernised before it is imported (1)" in page.text
    assert "Removed definition.subcategory 1" in page.text
    assert "Key spelling" not in page.text
    decide(page).send("_import")
    assert Widget.objects.get().sub_category == "Shares"


def test_what_the_files_lack_is_removed_if_wanted(boss: Client, define_widget: Define) -> None:
    define_widget("mine")
    response = decide(show(boss, file({"prices": widget()}), prune="on")).send("_import")
    assert "1 widget removed" in messages(response)[0]
    assert [each.widget_id for each in Widget.objects.all()] == ["prices"]


@pytest.mark.parametrize(("files", "fields", "said"), [
    ([], {}, "Choose files or give an address."),
    ([file({})], {"address": "https://a.example"}, "Choose files or give an address, not both."),
    ([file(b'{"a": 1,}')], {}, "widgets.json, line 1, column 8"),
    ([file([])], {}, "This is a list"),
    ([file(b"PK\x03\x04nonsense", "all.zip")], {}, "The archive can't be read"),
    ([], {"address": "/etc/passwd"}, "has to start with http:// or https://"),
    ([], {"address": "file:///etc/passwd"}, "has to start with http:// or https://"),
    ([file({})], {"upstream": "localhost:8000"}, "has to start with http:// or https://"),
    ([], {"address": "http://me:pass@a.example"}, "user name or a password"),
    ([file({})], {"headers": "X-API-KEY"}, "Line 1 lacks its name"),
    ([file({})], {"headers": "Host: a"}, "Leave it out"),
])  # fmt: skip
def test_what_is_wrong_is_said_at_the_form(
    boss: Client, files: list[SimpleUploadedFile], fields: dict[str, str], said: str
) -> None:
    for each in files:
        each.seek(0)
    page = show(boss, *files, **fields)
    assert said in page.text
    assert "Show what would be done" in page.text
    assert not kept()


def test_files_that_are_too_large_are_refused_before_they_are_read(
    boss: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parsing, "MAX_BYTES", 100)
    assert "widgets.json: The file has" in show(boss, file(b" " * 101)).text
    assert "These files have more than" in show(boss, file(b"{} " * 20), file(b"[] " * 20, "apps.json")).text


def test_half_characters_are_shown_without_harm(boss: Client, define_widget: Define) -> None:
    define_widget(description="Old.")
    half = b'{"prices": {"name": "prices", "description": "\\udc00", "type": "table", "endpoint": "prices"}}'
    page = show(boss, file(half), on_conflict="replace")
    assert 'definition.description "Old." "?"' in page.text
    assert decide(page).send("_import").status_code == 302


def test_long_lists_are_cut_and_say_so(boss: Client) -> None:
    many = {f"w{number}": widget(endpoint=f"e{number}", subcategory="x") for number in range(160)}
    page = show(boss, file(many))
    assert "Added (160)" in page.text
    assert "And 60 more." in page.text
    assert "And 155 more" in page.text
    assert "And 105 more that are not listed." in page.text
    decide(page).send("_import")
    changed = {name: {**each, "description": "New."} for name, each in many.items()}
    assert "And 110 more definitions." in show(boss, file(changed), on_conflict="replace").text


@contextmanager
def backend(**files: Any) -> Iterator[str]:
    """A backend that is running, and wants a key."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        name = scope["path"].rpartition("/")[2].removesuffix(".json")
        body = json.dumps(files[name]).encode() if name in files else b""
        allowed = dict(scope["headers"]).get(b"x-api-key") == SECRET.encode()
        status = 401 if not allowed else 200 if body else 404
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": body if allowed else b""})

    with serving(app) as (port, _):
        yield f"http://127.0.0.1:{port}"


def test_a_running_backend_is_read_and_its_data_served(boss: Client) -> None:
    agents = {"analyst": {"name": "A", "description": "d", "endpoints": {"query": "/query"}, "features": {}}}
    with backend(widgets={"prices": widget()}, agents=agents) as address:
        page = show(boss, address=address, headers=f"X-API-KEY: {SECRET}", private="on")
    assert "Read widgets.json, agents.json" in page.text
    assert f"Data is fetched from {address}" in page.text
    assert SECRET not in page.html
    assert all(SECRET.encode() not in path.read_bytes() for path in kept())
    decide(page).send("_import")
    source = Source.objects.get()
    assert source.options == {"url": address, "private_hosts": ["127.0.0.1"]}
    assert secrets_of(source) == {"headers": {"X-API-KEY": SECRET}}
    assert (Widget.objects.get().upstream, Agent.objects.get().upstream) == (source, source)


def test_a_backend_may_be_read_without_its_data(boss: Client) -> None:
    with backend(widgets={"prices": widget()}) as address:
        page = show(boss, address=address, headers=f"X-API-KEY: {SECRET}", private="on", serve=None)
    decide(page).send("_import")
    assert Widget.objects.get().upstream is None
    assert not Source.objects.exists()


def test_the_address_of_the_list_itself_will_do(boss: Client) -> None:
    with backend(widgets={"prices": widget()}) as address:
        page = show(boss, address=f"{address}/api/widgets.json", headers=f"X-API-KEY: {SECRET}", private="on")
    decide(page).send("_import")
    assert Source.objects.get().options["url"] == f"{address}/api"


def test_files_may_have_an_upstream_too(boss: Client) -> None:
    decide(show(boss, file({"prices": widget()}), upstream="https://widgets.example.com/")).send("_import")
    assert Source.objects.get().options == {"url": "https://widgets.example.com"}


def test_our_own_network_is_only_asked_when_that_is_said(boss: Client) -> None:
    with backend(widgets={"prices": widget()}) as address:
        page = show(boss, address=address, headers=f"X-API-KEY: {SECRET}")
    assert "is in a private network. Turn this on if that is right." in page.text
    assert SECRET not in page.html


def test_a_backend_that_wants_a_key_says_so(boss: Client) -> None:
    with backend(widgets={}) as address:
        assert "wants a key for widgets.json" in show(boss, address=address, private="on").text


def test_what_waits_is_private(boss: Client, staff: Callable[..., Client]) -> None:
    form = decide(show(boss, file({"prices": widget()})))
    (path,) = kept()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    other = staff(*RIGHTS, "add_source")
    response = other.post(IMPORT, {**form.data, "_import": "1"})
    assert messages(response) == [waiting.GONE]
    assert not Widget.objects.exists()


@pytest.mark.parametrize("token", ["", "x" * 32, "../secret_key", "../" * 10 + "etc/passwd"])
def test_only_what_waits_can_be_opened(boss: Client, token: str) -> None:
    form = decide(show(boss, file({"prices": widget()})))
    for button in ("_import", "_cancel"):
        assert messages(form.send(button, token=token))[-1] == waiting.GONE
    assert len(kept()) == 1


def test_what_waits_is_deleted_when_it_is_not_wanted_or_old(boss: Client) -> None:
    decide(show(boss, file({"prices": widget()}))).send("_cancel")
    assert not kept()
    show(boss, file({"prices": widget()}))
    (path,) = kept()
    boss.get(IMPORT)
    assert path.exists()
    old = time.time() - waiting.KEPT_SECONDS - 1
    os.utime(path, (old, old))
    boss.get(IMPORT)
    assert not path.exists()


def test_a_full_disk_is_told(boss: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    home = tmp_path / "file"
    home.write_text("no folder", encoding="utf-8")
    monkeypatch.setattr(settings, "WIDGETS_HOME", home)
    assert "The files can't be kept in WIDGETS_HOME: Not a directory." in show(boss, file({"prices": widget()})).text


@pytest.mark.parametrize("page", ["import", "export", "findings", "modernise"])
def test_who_is_not_signed_in_is_asked_to(page: str) -> None:
    assert Client().get(f"/admin/{page}/")["Location"].startswith("/admin/login/")
    assert Client().post(f"/admin/{page}/")["Location"].startswith("/admin/login/")


@pytest.mark.parametrize("page", ["import", "modernise"])
def test_forms_of_other_pages_are_refused(page: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_superuser("boss", password="-"))
    assert client.post(f"/admin/{page}/", {"_modernise": "1"}).status_code == 403


@pytest.mark.parametrize("missing", [*RIGHTS, "add_source"])
def test_who_may_not_add_and_change_everything_may_not_import(staff: Callable[..., Client], missing: str) -> None:
    client = staff(*({*RIGHTS, "add_source"} - {missing}))
    assert client.get(IMPORT).status_code == 403
    assert client.post(IMPORT, {"uploads": [file({"prices": widget()})]}).status_code == 403
    assert "Import and export" not in Page(client, "/admin/").text


def test_an_import_takes_the_permissions_for_all_that_it_does(
    staff: Callable[..., Client], define_widget: Define
) -> None:
    define_widget("mine")
    client = staff(*RIGHTS, "add_source")
    backend = {"format": 1, "groups": ["Desk"], "widgets": {"prices": {"groups": ["Desk"]}}}
    page = show(client, file({"prices": widget()}), file(backend, "backend.json"), prune="on")
    said = "You may not add groups, delete widgets. Ask somebody who may to do this import."
    assert said in page.text
    assert 'name="_import"' not in page.html
    again = Page(client, IMPORT, decide(page).send("_import"))
    assert said in again.text
    assert not Group.objects.exists()
    assert Widget.objects.get().widget_id == "mine"
    decide(show(client, file({"prices": widget()}))).send("_import")
    assert Widget.objects.count() == 2


def test_differences_of_what_somebody_may_not_see_are_not_shown(
    staff: Callable[..., Client], define_query: Define, define_widget: Define
) -> None:
    define_query(text="select 'hush' as word")
    archive = zipped(bundle_export(everything=True, only=Selection(frozenset({define_widget(query="prices").pk}))))
    Query.objects.update(text="select 'secret' as word")
    client = staff(*RIGHTS, "add_source")
    page = show(client, file(archive, "bundle.zip"))
    assert "You may not see what is here of it." in page.text
    assert "secret" not in page.html
    boss_like = staff(*RIGHTS, "add_source", "view_query")
    assert "secret" in show(boss_like, file(archive, "bundle.zip")).html
