"""Testing a source and looking into it: who may, what is shown, and that nothing of it is taken for markup."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from enum import Enum
from html import escape, unescape
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from tests.admin.backend import SECRET
from tests.admin.conftest import Open, url
from tests.admin.pages import Page
from widgets_app import functions
from widgets_app.admin.exploring import _query_url
from widgets_app.models import Query, Source
from widgets_app.services import exploring
from widgets_app.sources import reaching
from widgets_app.sources.base import Step, Table
from widgets_app.sources.files import FilesBackend

pytestmark = pytest.mark.django_db

SCRIPT = "<script>alert('x')</script>"


class Side(Enum):
    """What an argument may take."""

    BUY = "buy"


@pytest.fixture(autouse=True)
def _uncounted() -> Iterator[None]:
    exploring._tests.clear()
    yield
    exploring._tests.clear()


@pytest.fixture
def market(tmp_path: Path) -> Source:
    """A database with names that are markup."""
    path = tmp_path / "market.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f'create table "{SCRIPT}" (id integer, "{SCRIPT}" text)')
        connection.execute(f'insert into "{SCRIPT}" values (1, ?)', [SCRIPT])
        connection.execute("create table trades (id integer, note text)")
        connection.executemany("insert into trades values (?, ?)", [(n, "long " * 100) for n in range(30)])
        connection.execute("create view dear as select id from trades where id > 3")
    return Source.objects.create(name="market", kind="database", options={"url": f"sqlite:///{path}"})


def steps_of(client: Client, source: Source, **sent: Any) -> Page:
    address = url("source", "test", source.pk)
    return Page(client, address, client.post(address, sent))


def test_a_saved_source_is_tested_step_by_step(boss: Client, upstream: Source) -> None:
    assert "as it is saved" in Page(boss, url("source", "test", upstream.pk)).text
    text = steps_of(boss, upstream).text
    assert "Host works 127.0.0.1 may be asked, and answers." in text
    assert "Its widgets.json is JSON and has 2 widgets." in text
    assert " ms" in text


def test_what_is_in_the_form_is_tested_and_not_saved(change: Open, boss: Client, upstream: Source) -> None:
    form = change(upstream).fill(options__http__url="http://127.0.0.1:1", description="New")
    text = steps_of(boss, upstream, **form.data).text
    assert "Headers fails The address leads to another server now." in text
    form = change(upstream).fill(options__http__max_mb="7", description="New")
    assert "Answer works" in steps_of(boss, upstream, **form.data).text
    upstream.refresh_from_db()
    assert (upstream.description, (upstream.options or {}).get("max_mb")) == ("", None)


def test_a_new_source_is_tested_before_it_is_saved(boss: Client, add: Open, backend_port: int) -> None:
    form = add("source").fill(name="new", kind="http", options__http__url=f"http://127.0.0.1:{backend_port}/")
    form.fill(options__http__private_hosts="127.0.0.1", options__http__headers=f"X-API-KEY: {SECRET}")
    address = reverse("admin:widgets_app_source_test_new")
    response = boss.post(f"{address}?part=1", form.data)
    assert "has 2 widgets" in response.content.decode()
    assert "<html" not in response.content.decode()
    assert SECRET not in response.content.decode()
    assert not Source.objects.exists()
    assert "fails" in boss.post(address, {"name": ""}).content.decode()


def test_a_file_in_the_form_is_not_taken_in(boss: Client, add: Open, tmp_path: Path, settings: Any) -> None:
    settings.WIDGETS_FILES = tmp_path
    form = add("source").fill(name="desk", kind="files", upload=SimpleUploadedFile("a.csv", b"a\n1\n"))
    assert "It is not there yet" in boss.post(reverse("admin:widgets_app_source_test_new"), form.data).content.decode()
    assert not list(tmp_path.iterdir())


def test_a_source_that_cannot_be_opened_says_why(boss: Client) -> None:
    source = Source.objects.create(name="old", kind="fax")
    assert "Settings fails There is no source kind" in steps_of(boss, source).text


def test_only_who_may_change_sources_tests_them(files_source: Source, staff: Callable[..., Client]) -> None:
    address, new = url("source", "test", files_source.pk), reverse("admin:widgets_app_source_test_new")
    for permissions, status in {("view_source",): 403, ("view_source", "change_source"): 200, (): 403}.items():
        client = staff(*permissions)
        assert client.get(address).status_code == status
        assert client.post(address).status_code == status
        assert client.post(new).status_code == 403
    assert staff("add_source", "view_source").post(new, {"name": ""}).status_code == 200
    assert Client().post(address).status_code == 302
    assert "Test now" not in Page(staff("view_source"), url("source", "change", files_source.pk)).text
    assert "Test now" in Page(staff("change_source"), url("source", "change", files_source.pk)).text


def test_a_test_wants_the_token_of_the_page(files_source: Source, boss: Client) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = boss.cookies
    assert strict.post(url("source", "test", files_source.pk)).status_code == 403


def test_tests_are_bounded_for_each_user(
    boss: Client, staff: Callable[..., Client], files_source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exploring, "TESTS_PER_MINUTE", 2)
    other = staff("view_source", "change_source")
    assert ["2 tests a minute" in steps_of(boss, files_source).text for _ in range(3)] == [False, False, True]
    assert "Folder works" in steps_of(other, files_source).text
    monkeypatch.setattr(exploring, "MINUTE", 0.0)
    assert "Folder works" in steps_of(boss, files_source).text


def test_a_test_that_hangs_ends_with_the_steps_so_far(
    boss: Client, files_source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_go = threading.Event()

    def check(*_: Any) -> Iterator[Step]:
        yield Step("First", "It goes well.")
        let_go.wait(60)

    monkeypatch.setattr(FilesBackend, "check", check)
    monkeypatch.setattr(exploring, "TEST_SECONDS", 0.3)
    text = steps_of(boss, files_source).text
    let_go.set()
    assert "First works It goes well." in text
    assert "took longer than 0.3 s" in text


def test_a_database_that_is_not_reached_takes_no_page_down(boss: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reaching, "REACH_SECONDS", 0.5)
    options = {"url": "postgresql://reader@127.0.0.1:1/market"}
    source = Source.objects.create(name="db", kind="database", options=options)
    assert "Host fails The database can't be reached." in steps_of(boss, source).text
    assert "can't be reached" in Page(boss, url("source", "explore", source.pk)).text


# ---- tables


def test_tables_are_listed_and_searched(boss: Client, market: Source) -> None:
    page = Page(boss, url("source", "explore", market.pk))
    assert "dear view" in page.text
    assert "trades table" in page.text
    searched = Page(boss, f"{page.url}?q=TRA")
    assert "trades" in searched.text
    assert "dear" not in searched.text
    assert "Nothing has “nope” in its name." in Page(boss, f"{page.url}?q=nope").text


def test_a_long_list_is_cut(boss: Client, market: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exploring, "TABLES_SHOWN", 2)
    assert "The first 2. Search" in Page(boss, url("source", "explore", market.pk)).text


def test_a_table_shows_columns_and_its_first_rows(boss: Client, market: Source) -> None:
    text = Page(boss, f"{url('source', 'explore', market.pk)}?table=trades").text
    assert "Name Type id INTEGER note TEXT" in text
    assert "19 long" in text
    assert "20 long" not in text
    assert "There are more rows." in text
    assert "long " * 30 not in text


def test_names_and_values_are_no_markup(boss: Client, market: Source) -> None:
    address = url("source", "explore", market.pk)
    listed, shown = boss.get(address), boss.get(address, {"table": SCRIPT})
    for response in (listed, shown, boss.get(address, {"q": SCRIPT}), boss.get(address, {"table": f"{SCRIPT}2"})):
        html = response.content.decode()
        assert "<script>alert" not in html
        assert escape(SCRIPT) in html
    assert shown.content.decode().count(escape(SCRIPT)) >= 4


@pytest.mark.parametrize("name", ["trades; drop table trades", "sqlite_master", 'trades"', "main.trades", "TRADES"])
def test_only_what_is_listed_is_read(boss: Client, market: Source, name: str) -> None:
    response = boss.get(url("source", "explore", market.pk), {"table": name})
    assert "The source has no table" in response.content.decode()
    assert 'id="sample"' not in response.content.decode()


def test_a_query_is_made_of_a_table(boss: Client, market: Source) -> None:
    html = boss.get(url("source", "explore", market.pk), {"table": SCRIPT}).content.decode()
    address = html.split('href="/admin/widgets_app/query/add/')[1].split('"')[0].replace("&amp;", "&")
    form = Page(boss, f"/admin/widgets_app/query/add/{address}").form("query_form")
    assert form["name"] == "market-scriptalertxscript"
    assert (form["source"], form["text"]) == (str(market.pk), f'select * from "{SCRIPT}"')
    assert form.send("_draft").status_code == 302
    assert Query.objects.get().source == market


def test_files_functions_and_backends_are_explored(
    boss: Client, files_source: Source, upstream: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = Page(boss, f"{url('source', 'explore', files_source.pk)}?table=prices").text
    assert "prices table prices.csv, " in text
    assert "day date" in text
    assert "2024-01-02 AAA" in text
    monkeypatch.setattr(functions, "_FUNCTIONS", {})

    @functions.data_function
    def made(ticker: str, days: int = 3) -> None:
        """Make <b>rows</b>."""
        raise AssertionError

    @functions.data_function
    def later(tickers: Sequence[str], side: Side = Side.BUY) -> None:
        """Take what is written as text, as all annotations of this module are."""

    code = Source.objects.create(name="code", kind="python")
    page = Page(boss, f"{url('source', 'explore', code.pk)}?table=made")
    assert "Parameters Name Type ticker" in page.text
    assert "3 if not given" in page.text
    assert "Make &lt;b&gt;rows&lt;/b&gt;." in page.html
    text = Page(boss, f"{url('source', 'explore', code.pk)}?table=later").text
    assert "tickers Sequence[str] has to be given side Side 'buy' if not given" in text
    monkeypatch.setattr(functions, "_FUNCTIONS", {})
    assert "Register one with @data_function" in Page(boss, url("source", "explore", code.pk)).text
    assert "can't be asked for what it has" in unescape(Page(boss, url("source", "explore", upstream.pk)).text)


def test_a_query_is_named_after_the_schema_and_the_table() -> None:
    link = _query_url(Source(pk=1, name="market"), Table("Sales.Trades", "select 1", "table"))
    assert "name=market-sales-trades&" in link


def test_only_who_writes_queries_or_changes_sources_sees_data(market: Source, staff: Callable[..., Client]) -> None:
    address = url("source", "explore", market.pk)
    for permissions, status in {
        ("view_source",): 403, ("add_query",): 403, ("view_source", "add_query"): 200, ("change_source",): 200,
        ("view_source", "view_query"): 403,
    }.items():  # fmt: skip
        assert staff(*permissions).get(address, {"table": "trades"}).status_code == status
    page = Page(staff("change_source"), f"{address}?table=trades")
    assert "Make a query" not in page.text
    assert address not in Page(staff("view_source"), url("source", "change", market.pk)).html
