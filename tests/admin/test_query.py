"""Queries: checked when saved, run as drafts, and not taken away from those who use them."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.admin.conftest import Open, url
from tests.admin.pages import Page, messages
from tests.conftest import Define
from widgets_app import catalog
from widgets_app.models import Parameter, Query, Source
from widgets_app.services.publishing import definition_unpublish

pytestmark = pytest.mark.django_db

TEXT = "\nselect *\nfrom prices -- all\nwhere ticker = :ticker\n"


def test_a_new_query_is_published(add: Open, files_source: Source) -> None:
    response = add("query").send(name="prices", source=str(files_source.pk), text="select * from prices")
    assert response["Location"] == url("query")
    assert catalog.current().queries["prices"].text == "select * from prices"
    assert Query.objects.get().options_path == "options/prices"


@pytest.mark.parametrize(("text", "error"), [
    ("select * from nowhere", "There is no table"),
    ("delete from prices", "Only a SELECT"),
    ("select 1; select 2", "2 statements"),
    ("selekt", "selekt"),
])  # fmt: skip
def test_a_text_that_cannot_run_is_refused_in_one_line(add: Open, files_source: Source, text: str, error: str) -> None:
    assert error in add("query").errors(name="prices", source=str(files_source.pk), text=text)
    assert not Query.objects.exists()


def test_the_text_is_kept_to_the_letter(change: Open, define_query: Define) -> None:
    query = define_query(text=TEXT)
    change(query).send(description="New")
    query.refresh_from_db()
    assert (query.text, query.description) == (TEXT, "New")


def test_a_query_that_broke_since_can_still_be_edited(change: Open, define_query: Define) -> None:
    query = define_query()
    Query.objects.update(text="select * from gone")
    assert change(query).send("_draft", description="New").status_code == 302


def test_the_page_shows_placeholders_columns_and_users(
    boss: Client, define_query: Define, define_widget: Define
) -> None:
    query = define_query(text=TEXT)
    define_widget(query="prices", params=[{"paramName": "t", "type": "endpoint", "optionsEndpoint": "options/prices"}])
    text = Page(boss, url("query", "change", query.pk)).text
    assert "Placeholders: :ticker" in text
    assert "Columns: day date , ticker text" in text
    assert "Widgets prices rows, options of t" in text
    assert "Tables: prices" in text


def test_the_page_of_a_broken_query_says_why(boss: Client, define_query: Define) -> None:
    query = define_query()
    Query.objects.update(text="select * from gone")
    assert 'There is no table "gone"' in Page(boss, url("query", "change", query.pk)).text


def test_fixed_options_are_rows(add: Open, change: Open) -> None:
    add("query").add_row("choices", label="One", value="1").send(name="fixed")
    query = Query.objects.get()
    assert list(query.choices.values_list("label", "value")) == [("One", 1)]
    assert "choices-TOTAL_FORMS" in change(query)


def test_a_query_with_a_source_has_no_fixed_options(change: Open, define_query: Define) -> None:
    assert "choices-TOTAL_FORMS" not in change(define_query())


@pytest.mark.parametrize(("field", "value"), [("name", "quotes"), ("options_path", "options/quotes")])
def test_what_published_widgets_ask_for_keeps_its_name(
    change: Open, define_query: Define, define_widget: Define, field: str, value: str
) -> None:
    query = define_query()
    define_widget(query="prices")
    assert "Published widgets ask for it by this: prices" in change(query).errors(**{field: value})


def test_a_query_that_nothing_uses_may_be_renamed(change: Open, define_query: Define) -> None:
    change(define_query()).send(name="quotes")
    assert set(catalog.current().queries) == {"quotes"}


@pytest.mark.parametrize(("path", "error"), [("admin/x", "uses this path itself"), ("taken", "The widget taken")])
def test_an_options_path_that_is_taken_is_refused(add: Open, define_widget: Define, path: str, error: str) -> None:
    define_widget("taken")
    assert error in add("query").errors(name="fixed", options_path=path)


def test_deleting_a_query_in_use_is_refused_kindly(boss: Client, define_query: Define, define_widget: Define) -> None:
    query = define_query()
    define_widget(query="prices")
    text = Page(boss, url("query", "delete", query.pk)).text
    assert "“prices” is used by prices. Without it, 1 widget would break. Choose another query there" in text
    boss.post(url("query", "delete", query.pk), {"post": "yes"})
    assert Query.objects.exists()


def test_what_is_served_keeps_its_query_even_when_the_draft_does_not(
    boss: Client, define_query: Define, define_widget: Define
) -> None:
    query = define_query()
    define_widget(query="prices").feeds.all().delete()
    assert "protected related objects: widget prices" in Page(boss, url("query", "delete", query.pk)).text
    boss.post(url("query", "delete", query.pk), {"post": "yes"})
    assert Query.objects.exists()


def test_a_query_that_nothing_uses_is_deleted(boss: Client, define_query: Define) -> None:
    query = define_query()
    boss.post(url("query", "delete", query.pk), {"post": "yes"})
    assert not Query.objects.exists()


def test_the_draft_of_a_query_runs_with_values(boss: Client, define_query: Define) -> None:
    query = define_query(text=TEXT)
    Query.objects.update(text="select ticker, price, :ticker as asked from prices where ticker = :ticker order by day")
    page = Page(boss, url("query", "run", query.pk))
    response = page.form("run_form").send("_run", value_0="AAA")
    html = response.content.decode()
    assert "<th>price (number)</th>" in html
    assert "<td>10.5</td>" in html
    assert "20.25" not in html


def test_an_error_of_a_run_looks_as_clients_see_it(boss: Client, define_query: Define) -> None:
    query = define_query(text="select price / (:by :: integer) as x, error('no luck') from prices")
    html = Page(boss, url("query", "run", query.pk)).form("run_form").send("_run", value_0="1").content.decode()
    assert "502" in html
    assert "&quot;detail&quot;: &quot;The query failed" in html


def test_a_value_that_cannot_be_sent_is_told(boss: Client, define_query: Define) -> None:
    query = define_query(text=TEXT)
    form = Page(boss, url("query", "run", query.pk)).form("run_form")
    assert "too large" in form.errors("_run", value_0="1e999")


def test_a_query_without_placeholders_runs_and_says_when_rows_are_left_out(boss: Client, define_query: Define) -> None:
    query = define_query(text="select range as n from range(80)")
    html = Page(boss, url("query", "run", query.pk)).form("run_form").send("_run").content.decode()
    assert "The first 50 of 80 rows." in html


def test_a_query_that_cannot_run_says_why(boss: Client, define_query: Define) -> None:
    query = define_query()
    Query.objects.update(text="select * from gone")
    assert "There is no table" in Page(boss, url("query", "run", query.pk)).text


def test_a_fixed_list_runs_too(boss: Client, add: Open) -> None:
    add("query").add_row("choices", label="One", value="1").send("_draft", name="fixed")
    html = Page(boss, url("query", "run", Query.objects.get().pk)).form("run_form").send("_run").content.decode()
    assert "<td>One</td>" in html


def test_a_used_query_is_not_unpublished(boss: Client, define_query: Define, define_widget: Define) -> None:
    query = define_query()
    define_widget(query="prices")
    response = boss.post(url("query", "unpublish", query.pk))
    assert "Unpublish the widget first" in messages(response)[0]
    assert Query.objects.get().published


def test_a_query_is_made_and_mended_in_the_window_beside_a_widget(
    add: Open, boss: Client, files_source: Source
) -> None:
    form = add("query").fill(name="prices", source=str(files_source.pk), text="select 1 as a", _popup="1")
    assert "popup_response" in form.send().content.decode()
    query = Query.objects.get()
    page = Page(boss, url("query", "change", query.pk) + "?_popup=1")
    assert "Publish and go on editing" not in page.text
    assert "popup_response" in page.form("query_form").send(text="select 2 as a").content.decode()
    assert catalog.current().queries["prices"].text == "select 2 as a"


def test_a_change_that_takes_columns_away_is_warned_of(
    boss: Client, change: Open, define_query: Define, define_widget: Define
) -> None:
    query = define_query()
    define_widget(query="prices", data={"table": {"columnsDefs": [{"field": "price"}]}})
    response = change(query).send("_draft", text="select day from prices")
    assert any('“prices”: The table shows the column "price", but' in text for text in messages(response))
    assert Query.objects.get().text == "select day from prices"
    response = change(query).send("_draft", text="select day, price from prices")
    assert not any("The table shows" in text for text in messages(response))


def test_another_path_is_warned_of_with_the_dropdowns_that_use_it(
    change: Open, define_query: Define, define_widget: Define
) -> None:
    query = define_query()
    params = [{"paramName": name, "type": "endpoint", "optionsEndpoint": "options/prices"} for name in "ab"]
    definition_unpublish(define_widget(params=params))
    Parameter.objects.filter(param_name="b").update(options_query=None, options_endpoint="options/prices")
    told = messages(change(query).send("_draft", options_path="options/other"))
    assert "Dropdowns that use it: 1. They follow when their widgets are published again." in told
    assert "Dropdowns that go on asking for options/prices: prices.b. Choose the query there instead." in told


def test_a_request_is_checked_and_run_as_a_draft(add: Open, boss: Client, upstream: Source) -> None:
    form = add("query")
    assert "Line 2, column 7: That is no path." in form.errors(
        name="api", source=str(upstream.pk), text="GET /prices/:ticker\nrows: a..b"
    )
    assert "a request such as GET /v1/prices/:ticker" in Page(boss, url("query", "add")).text
    response = form.send(name="api", source=str(upstream.pk), text="GET /prices/:ticker\ncolumns: path")
    assert "Placeholders: :ticker. Columns: known when it has run." in " ".join(messages(response))
    query = Query.objects.get()
    assert "Tables: GET /prices/:ticker" in Page(boss, url("query", "change", query.pk)).text
    form = Page(boss, url("query", "run", query.pk)).form("run_form")
    assert "<td>/prices/AAA</td>" in form.send("_run", value_0="AAA").content.decode()


def test_a_schedule_is_checked_and_kept(change: Open, define_query: Define) -> None:
    query = define_query(cache_seconds=3600)
    assert "the minute field can't be 61" in change(query).errors(cron="61 * * * *")
    assert "such a day never comes" in change(query).errors(cron="0 0 31 2 *")
    change(query).send(cron="*/15 6-20 * * 1-5")
    assert catalog.current().queries["prices"].cron == "*/15 6-20 * * 1-5"


def test_a_schedule_that_comes_less_often_than_results_last_is_warned_of(boss: Client, define_query: Define) -> None:
    short = define_query(cron="0 * * * *", cache_seconds=600)
    text = Page(boss, url("query", "change", short.pk)).text
    assert "kept for 600 s, but made anew every 3600 s at most" in text
    by_widgets = define_query("w", cron="0 * * * *")
    assert "300 s, where no widget says otherwise" in Page(boss, url("query", "change", by_widgets.pk)).text
    for cron, seconds in (("0 * * * *", 3600), ("*/5 * * * *", None), ("", None)):
        fine = define_query(f"fine{len(cron)}", cron=cron, cache_seconds=seconds)
        assert "made anew every" not in Page(boss, url("query", "change", fine.pk)).text


def test_what_to_write_is_told_for_each_kind_of_source(boss: Client) -> None:
    text = Page(boss, url("query", "add")).text
    for told in ("Files, databases, collections : one SELECT", "HTTP APIs : a request", "Python functions : the name"):
        assert told in text
    assert "For files: one SELECT" not in text


def test_kept_results_are_made_anew_from_the_page(
    boss: Client, caller: Client, define_query: Define, define_widget: Define
) -> None:
    query = define_query(cache_seconds=600)
    page = url("query", "change", query.pk)
    assert "No published widget or dropdown uses it" in str(
        messages(boss.post(url("query", "refresh", query.pk), follow=True))
    )
    define_widget(query="prices")
    asked = Page(boss, url("query", "refresh", query.pk)).text
    assert "runs now" in asked
    answer = boss.post(url("query", "refresh", query.pk), follow=True)
    assert messages(answer) == ["1 result made anew."]
    assert answer.redirect_chain[0][0] == page
    assert caller.get("/prices")["Age"] == "0"


def test_what_is_not_published_can_not_be_refreshed(boss: Client, define_query: Define) -> None:
    query = define_query()
    assert "refresh/" in boss.get(url("query", "change", query.pk)).content.decode()
    Query.objects.update(published=None)
    assert "refresh/" not in boss.get(url("query", "change", query.pk)).content.decode()
