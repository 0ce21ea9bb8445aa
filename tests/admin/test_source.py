"""Sources: options by kind, uploads that are checked first, and what there is to query."""

from __future__ import annotations

import threading
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client, override_settings
from django.urls import reverse

from tests.admin.backend import HEADERS, SECRET
from tests.admin.backend import source as backend_source
from tests.admin.conftest import Open, url
from tests.admin.pages import Form, Page, messages
from tests.conftest import Define
from tests.loopback import PATIENCE, eventually
from widgets_app import catalog, functions, serving
from widgets_app.authentication import ANYONE
from widgets_app.errors import SourceTimeout
from widgets_app.models import Agent, Source, Widget
from widgets_app.sealing import seal, unseal
from widgets_app.sources import putting

pytestmark = pytest.mark.django_db

CSV = b"ticker,price\nAAA,1\n"


def upload(content: bytes = CSV, name: str = "quotes.csv") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


@pytest.fixture
def folder(tmp_path: Path, settings: object) -> Path:
    settings.WIDGETS_FILES = tmp_path  # type: ignore[attr-defined]  # settings of our own
    return tmp_path


def test_a_new_source_of_files_takes_a_file_and_lists_it(add: Open, boss: Client, folder: Path) -> None:
    response = add("source").send(name="desk", kind="files", upload=upload())
    assert "the table “quotes”" in messages(response)[0]
    assert (folder / "desk" / "quotes.csv").read_bytes() == CSV
    text = Page(boss, url("source", "change", Source.objects.get().pk)).text
    assert "quotes ticker VARCHAR price BIGINT quotes.csv CSV, UTF-8, separator comma 1 19 bytes" in text.replace(
        "\xa0", " "
    )


@pytest.mark.parametrize(("file", "error"), [
    (upload(b"\x89PNG\r\n\x1a\n\0\0"), "quotes.csv"),
    (upload(name="x.exe"), "can't be a table"),
    (upload(b"{", "x.json"), "x.json"),
])  # fmt: skip
def test_a_bad_file_is_refused_and_changes_nothing(
    add: Open, folder: Path, file: SimpleUploadedFile, error: str
) -> None:
    assert error in add("source").errors(name="desk", kind="files", upload=file)
    assert not Source.objects.exists()
    assert not [path for path in folder.rglob("*") if path.is_file()]


def test_a_file_for_a_name_that_is_taken_is_not_taken_in(add: Open, folder: Path) -> None:
    Source.objects.create(name="desk", kind="files")
    assert "already exists" in add("source").errors(name="desk", kind="files", upload=upload())
    assert not (folder / "desk").exists()


def test_only_the_options_of_the_chosen_kind_are_stored(add: Open, change: Open, folder: Path) -> None:
    add("source").send(name="desk", kind="files", options__files__folder="a/b")
    source = Source.objects.get()
    assert source.options == {"folder": "a/b"}
    form = change(source)
    assert form["options__files__folder"] == "a/b"
    form.send(kind="python")
    source.refresh_from_db()
    assert (source.kind, source.options) == ("python", None)


def test_a_folder_outside_is_refused_at_its_field(add: Open, folder: Path) -> None:
    assert "Name a folder below files/" in add("source").errors(name="x", kind="files", options__files__folder="../x")


def test_a_source_of_functions_takes_no_files_and_lists_functions(add: Open, boss: Client, folder: Path) -> None:
    assert "Only a source of files" in add("source").errors(name="f", kind="python", upload=upload())
    add("source").send(name="f", kind="python")
    assert "hello_world( name )" in Page(boss, url("source", "change", Source.objects.get().pk)).text.replace(
        "(", "( "
    ).replace(")", " )")


def test_a_file_that_is_no_table_is_told_beside_those_that_are(boss: Client, files_source: Source) -> None:
    (Path(settings.WIDGETS_FILES) / "market" / "broken.parquet").write_bytes(b"PAR1 nonsense")
    try:
        text = Page(boss, url("source", "change", files_source.pk)).text
    finally:
        (Path(settings.WIDGETS_FILES) / "market" / "broken.parquet").unlink()
    assert "Files that can't be read broken" in text
    assert "BIGINT prices.csv CSV" in text


def test_what_was_found_out_about_each_table_is_shown(add: Open, boss: Client, folder: Path) -> None:
    add("source").send(name="desk", kind="files", upload=upload("a;b\né;2,5\n".encode("cp1252")))
    (folder / "desk/trades").mkdir()
    (folder / "desk/trades/1.ndjson").write_text('{"n": 1}\n')
    text = Page(boss, url("source", "change", Source.objects.get().pk)).text.replace("\xa0", " ")
    assert "CSV, Windows-1252 (guessed), separator semicolon, decimal comma 1 10 bytes" in text
    assert "a VARCHAR b DOUBLE" in text
    assert "trades/ (1 file) NDJSON, UTF-8 1 9 bytes" in text


def test_an_earlier_version_is_put_back(
    add: Open, change: Open, boss: Client, folder: Path, tmp_path: Path, settings: Any
) -> None:
    settings.WIDGETS_HOME = tmp_path
    add("source").send(name="desk", kind="files", upload=upload(b"a\n1\n"))
    source = Source.objects.get()
    assert "Earlier versions" not in Page(boss, url("source", "change", source.pk)).text
    change(source).send(upload=upload(b"a\n2\n"))
    assert "Earlier versions File Version Size Changed quotes.csv 1 4 bytes" in (
        Page(boss, url("source", "change", source.pk)).text.replace("\xa0", " ")
    )
    address = url("source", "put_back", source.pk) + "?file=quotes.csv&version=1"
    assert "Put version 1 of quotes.csv back?" in Page(boss, address).text
    response = boss.post(address)
    assert messages(response)[-1] == "Version 1 of quotes.csv is served again, as version 3."
    assert (folder / "desk/quotes.csv").read_bytes() == b"a\n1\n"
    assert "There is no earlier version 9" in messages(boss.post(address.replace("version=1", "version=9")))[-1]
    assert boss.get(address.replace("version=1", "version=x")).status_code == 404


def test_a_full_disk_is_told_at_the_upload(add: Open, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(putting, "_write", full)
    assert "There is no room left" in add("source").errors(name="desk", kind="files", upload=upload())


def test_a_source_that_cannot_be_opened_says_why(boss: Client, change: Open, db: None) -> None:
    source = Source.objects.create(name="old", kind="fax")
    assert "There is no source kind" in Page(boss, url("source", "change", source.pk)).text
    assert 'There is no source kind "fax"' in change(source).errors()


def test_a_source_that_published_queries_name_keeps_its_name(change: Open, define_query: Define) -> None:
    source = define_query().source
    assert "What is served names it so: query prices." in change(source).errors(name="other")


def test_a_renamed_source_goes_on_reading_its_folder(change: Open, folder: Path) -> None:
    source = Source.objects.create(name="desk", kind="files")
    change(source).send(name="bureau")
    source.refresh_from_db()
    assert (source.name, source.options) == ("bureau", {"folder": "desk"})


def test_deleting_a_source_in_use_is_refused_kindly(boss: Client, define_query: Define) -> None:
    source = define_query().source
    text = Page(boss, url("source", "delete", source.pk)).text
    assert "“market” is used by query prices. Without it, 1 query would break. Choose another source there" in text
    boss.post(url("source", "delete", source.pk), {"post": "yes"})
    assert Source.objects.exists()


def test_the_list_counts_what_uses_a_source(
    boss: Client, define_query: Define, define_widget: Define, upstream: Source
) -> None:
    define_query()
    define_widget("one", upstream="desk")
    define_widget("two", upstream="desk")
    text = Page(boss, url("source")).text
    assert "market Files (CSV, JSON, Parquet, Excel) - 1 query" in text
    assert "desk HTTP API or backend - 2 widgets" in text


DOTS = "••••••"
NEW_SECRET = "an0ther-secret"
HEADERS_FIELD = "options__http__headers"


def secrets(source: Source) -> object:
    source.refresh_from_db()
    return unseal(source.secrets).get("headers")


def filled(form: Form, port: int, headers: str) -> Form:
    form.fill(name="desk", kind="http", options__http__url=f"http://127.0.0.1:{port}/")
    return form.fill(options__http__private_hosts="127.0.0.1", options__http__headers=headers)


def test_a_backend_is_made_with_secret_headers(add: Open, backend_port: int) -> None:
    filled(add("source"), backend_port, f"X-API-KEY: {SECRET}\r\nX-Desk: a: b").send()
    source = Source.objects.get()
    assert source.options == {"url": f"http://127.0.0.1:{backend_port}", "private_hosts": ["127.0.0.1"]}
    assert secrets(source) == {"X-API-KEY": SECRET, "X-Desk": "a: b"}
    assert SECRET not in str(source.secrets)


def test_stored_headers_show_their_names_only(upstream: Source, change: Open) -> None:
    assert change(upstream)[HEADERS_FIELD] == f"X-API-KEY: {DOTS}"


def test_headers_that_nobody_touched_stay_sealed_as_they_are(upstream: Source, change: Open) -> None:
    sealed = upstream.secrets
    change(upstream).send(options__http__max_mb="7", description="New")
    upstream.refresh_from_db()
    assert upstream.options is not None
    assert (upstream.options["max_mb"], upstream.secrets) == (7, sealed)


@pytest.mark.parametrize(("lines", "kept"), [
    (f"X-API-KEY: {DOTS}\r\nX-New: {NEW_SECRET}", {"X-API-KEY": SECRET, "X-New": NEW_SECRET}),
    (f"X-API-KEY: {NEW_SECRET}", {"X-API-KEY": NEW_SECRET}),
    (f"X-Other: {NEW_SECRET}", {"X-Other": NEW_SECRET}),
    ("", None),
])  # fmt: skip
def test_headers_are_kept_replaced_and_removed_line_by_line(
    upstream: Source, change: Open, lines: str, kept: object
) -> None:
    assert change(upstream).send(options__http__headers=lines).status_code == 302
    assert secrets(upstream) == kept


@pytest.mark.parametrize(("lines", "error"), [
    (f"X-Other: {DOTS}", "Enter the value of X-Other"),
    ("X-API-KEY:", "Line 1 lacks its value"),
    (NEW_SECRET, "Line 1 lacks its name"),
    (f"A: {NEW_SECRET}\nA: {NEW_SECRET}", "Line 2 has the name of another line"),
    (f"X Y: {NEW_SECRET}", "can't be the name of a header"),
    (f"Host: {NEW_SECRET}", "set for each request"),
])  # fmt: skip
def test_wrong_headers_are_refused_without_repeating_values(
    upstream: Source, change: Open, lines: str, error: str
) -> None:
    response = change(upstream).send(options__http__headers=lines)
    assert response.status_code == 200
    html = response.content.decode()
    assert error in unescape(html)
    assert NEW_SECRET not in html
    assert secrets(upstream) == HEADERS


def test_a_typed_header_is_asked_for_again_when_another_field_is_wrong(
    upstream: Source, change: Open, boss: Client
) -> None:
    form = change(upstream)
    response = form.send(name="", options__http__headers=f"X-API-KEY: {DOTS}\r\nX-New: {NEW_SECRET}")
    assert response.status_code == 200
    assert NEW_SECRET not in response.content.decode()
    assert f"X-API-KEY: {DOTS}\nX-New: </textarea>" in response.content.decode()


def test_headers_do_not_follow_to_another_server(upstream: Source, change: Open) -> None:
    form = change(upstream)
    assert "leads to another server" in form.errors(options__http__url="http://127.0.0.1:1")
    assert secrets(upstream) == HEADERS
    form.send(options__http__headers=f"X-API-KEY: {SECRET}")
    upstream.refresh_from_db()
    assert upstream.options is not None
    assert upstream.options["url"] == "http://127.0.0.1:1"
    change(upstream).send(options__http__url="http://127.0.0.1:1/below")
    assert secrets(upstream) == HEADERS


def test_headers_go_when_the_kind_is_changed(upstream: Source, change: Open) -> None:
    change(upstream).send(kind="python")
    upstream.refresh_from_db()
    assert (upstream.options, upstream.secrets) == (None, None)


def test_headers_sealed_with_another_key_are_asked_for_again(upstream: Source, change: Open, boss: Client) -> None:
    with override_settings(SECRET_KEY="the one before"):
        Source.objects.update(secrets=seal({"headers": HEADERS}))
    page = Page(boss, url("source", "change", upstream.pk))
    assert "encrypted with another SECRET_KEY. Enter them again" in page.text
    assert "another SECRET_KEY" in page.form("source_form").errors(description="New")
    assert change(upstream).send(options__http__headers=f"X-API-KEY: {NEW_SECRET}").status_code == 302
    assert secrets(upstream) == {"X-API-KEY": NEW_SECRET}


def test_no_answer_of_the_admin_holds_a_stored_header(
    upstream: Source, change: Open, boss: Client, define_widget: Define, backend_port: int
) -> None:
    define_widget(upstream="desk")
    change(upstream).send(options__http__headers=f"X-API-KEY: {DOTS}\r\nX-New: {NEW_SECRET}")
    form = change(upstream).fill(options__http__max_mb="0")
    # The backend repeats its key in the text of a refusal.
    wrong = backend_source(backend_port, name="wrong", headers={"X-API-KEY": NEW_SECRET})
    answers = [
        form.send(),
        *(boss.get(url("source", page, row.pk), follow=True)
          for row in (upstream, wrong) for page in ("change", "history", "delete", "test", "explore")),
        *(boss.post(url("source", "test", row.pk)) for row in (upstream, wrong)),
        boss.get(url("source")),
        boss.get(url("widget", "change", Widget.objects.get().pk)),
        boss.get(reverse("admin:index")),
    ]  # fmt: skip
    for answer in answers:
        assert answer.status_code == 200
        assert SECRET not in answer.content.decode()
        assert NEW_SECRET not in answer.content.decode()
    entry = LogEntry.objects.get()
    assert "Headers" in entry.get_change_message()
    assert NEW_SECRET not in entry.change_message
    assert SECRET not in str(dict(boss.session))


def test_who_may_only_look_sees_no_header(upstream: Source, staff: Callable[..., Client]) -> None:
    page = Page(staff("view_source"), url("source", "change", upstream.pk))
    assert SECRET not in page.html
    assert "options__http__headers" not in page.form("source_form").data


def test_the_page_of_a_backend_names_what_it_answers_for(
    boss: Client, upstream: Source, define_widget: Define, define_agent: Define
) -> None:
    assert (
        "Nothing yet. Write a query for it, choose it as the upstream"
        in Page(boss, url("source", "change", upstream.pk)).text
    )
    define_widget(upstream="desk")
    define_agent(upstream="desk")
    assert "Widgets prices answers all of it Agents analyst" in Page(boss, url("source", "change", upstream.pk)).text


def test_a_backend_that_is_served_keeps_its_name_and_is_not_deleted(
    boss: Client, change: Open, upstream: Source, define_widget: Define, define_agent: Define
) -> None:
    define_widget(upstream="desk")
    define_agent(upstream="desk")
    assert "What is served names it so: widget prices, agent analyst." in change(upstream).errors(name="other")
    Widget.objects.update(upstream=None)
    Agent.objects.update(upstream=None)
    text = Page(boss, url("source", "delete", upstream.pk)).text
    assert "“desk” is used by agent analyst, widget prices. Without it, 1 widget, 1 agent would break." in text
    boss.post(url("source", "delete", upstream.pk), {"post": "yes"})
    assert Source.objects.exists()


def test_each_field_is_offered_the_sources_that_suit_it(boss: Client, upstream: Source, files_source: Source) -> None:
    offered = {}
    for model, field in (("query", "source"), ("widget", "upstream"), ("agent", "upstream")):
        asked = {"app_label": "widgets_app", "model_name": model, "field_name": field, "term": ""}
        answer = boss.get(reverse("admin:autocomplete"), asked).json()
        offered[model] = [each["text"] for each in answer["results"]]
    assert offered == {"query": ["desk", "market"], "widget": ["desk"], "agent": ["desk"]}


def test_secret_parameters_do_not_follow_to_another_server_either(upstream: Source, change: Open) -> None:
    change(upstream).send(options__http__headers="", options__http__parameters=f"api_key: {NEW_SECRET}")
    upstream.refresh_from_db()
    assert unseal(upstream.secrets) == {"parameters": {"api_key": NEW_SECRET}}
    form = change(upstream)
    assert NEW_SECRET not in str(form.data)
    assert "leads to another server" in form.errors(options__http__url="http://127.0.0.1:1")


PASSWORD_FIELD = "options__database__password"


@pytest.fixture
def market(db: None) -> Source:
    """A database as a source, with a password."""
    options = {"url": "postgresql://reader@db.example.com/market"}
    return Source.objects.create(name="db", kind="database", options=options, secrets=seal({"password": SECRET}))


def password(source: Source) -> object:
    source.refresh_from_db()
    return unseal(source.secrets).get("password")


def test_a_database_is_made_with_a_sealed_password(add: Open) -> None:
    form = add("source").fill(name="db", kind="database", options__database__url="mysql://reader@db.example.com/market")
    assert form.send(options__database__password=SECRET).status_code == 302
    source = Source.objects.get()
    assert source.options == {"url": "mysql://reader@db.example.com/market"}
    assert password(source) == SECRET
    assert SECRET not in str(source.secrets)


@pytest.mark.parametrize(("typed", "kept"), [(DOTS, SECRET), (NEW_SECRET, NEW_SECRET), ("", None)])
def test_a_password_is_kept_replaced_or_removed(market: Source, change: Open, typed: str, kept: object) -> None:
    form = change(market)
    assert form[PASSWORD_FIELD] == DOTS
    assert form.send(options__database__password=typed, description="New").status_code == 302
    assert password(market) == kept


def test_a_password_does_not_follow_to_another_database(market: Source, change: Open) -> None:
    address = "postgresql://reader@db.example.net/market"
    assert "leads to another server" in change(market).errors(options__database__url=address)
    assert password(market) == SECRET
    change(market).send(options__database__url=address, options__database__password=NEW_SECRET)
    assert password(market) == NEW_SECRET


def test_a_password_in_an_address_is_refused_and_a_typed_one_not_sent_back(market: Source, change: Open) -> None:
    response = change(market).send(name="", options__database__password=NEW_SECRET)
    assert NEW_SECRET not in response.content.decode()
    address = "postgresql://reader:geheim@db.example.com/market"
    assert "enter it as the password of the source" in change(market).errors(options__database__url=address)


def test_a_missing_driver_is_named_on_the_page(market: Source, change: Open) -> None:
    form = change(market).fill(options__database__password=SECRET)
    assert "snowflake-sqlalchemy" in form.errors(options__database__url="snowflake://reader@account/market")


def test_a_database_that_is_away_can_be_saved_and_shown(market: Source, change: Open, boss: Client) -> None:
    assert change(market).send(description="New").status_code == 302
    assert SECRET not in boss.get(url("source", "change", market.pk)).content.decode()


def test_what_runs_right_now_is_shown_and_what_should_have_stopped(
    boss: Client, define_query: Define, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(functions, "_FUNCTIONS", {})
    go = threading.Event()

    @functions.data_function
    def slow() -> None:
        go.wait(PATIENCE)

    source = Source.objects.create(name="team", kind="python")
    define_query("slow", "slow", source="team", seconds=1, cache_seconds=0)
    read = serving.reading(catalog.current().queries["slow"], {}, ANYONE, 0)
    assert "Right now" not in Page(boss, url("source", "change", source.pk)).text
    with pytest.raises(SourceTimeout):
        read.fresh()
    page = Page(boss, url("source", "change", source.pk)).text
    assert "1 of 4 queries at once in this server process. 1 of them should have stopped" in page
    go.set()
    eventually(lambda: "Right now" not in Page(boss, url("source", "change", source.pk)).text)
