"""The page that runs a widget: what a client gets, for a client's key, or why there is nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone

from tests.admin.backend import source
from tests.admin.conftest import url
from tests.admin.pages import Page, messages
from tests.conftest import Define, refresh
from widgets_app import catalog
from widgets_app.manifest.reading import read_widget
from widgets_app.models import ApiKey, Source, Widget
from widgets_app.services.keys import key_issue, key_revoke

pytestmark = pytest.mark.django_db

PARAMS = [
    {"paramName": "ticker", "type": "text", "label": "Ticker", "description": "d", "value": "AAA",
     "options": [{"label": "A", "value": "AAA"}, {"label": "B", "value": "BBB"}]},
    {"paramName": "limit", "type": "number", "label": "Rows", "description": "d", "value": 5},
    {"paramName": "on", "type": "boolean", "label": "On", "description": "d", "value": True},
]  # fmt: skip
TEXT = "select * from prices where ticker = :ticker and :on limit :limit"


@pytest.fixture
def widget(define_query: Define, define_widget: Define) -> Widget:
    define_query(text=TEXT)
    row: Widget = define_widget(query="prices", params=PARAMS)
    return row


def run(client: Client, widget: Widget, **values: str | None) -> str:
    form = Page(client, url("widget", "run", widget.pk)).form("run_form")
    response = form.send("_run", **values)
    assert response.status_code == 200
    html: str = response.content.decode()
    return html


def test_a_widget_is_run_with_its_defaults(widget: Widget, boss: Client) -> None:
    form = Page(boss, url("widget", "run", widget.pk)).form("run_form")
    assert (form["value_0"], form["value_1"], form["value_2"]) == ("AAA", "5", "true")
    html = run(boss, widget)
    assert "&quot;price&quot;: 10.5" in html
    assert "<dd>2</dd>" in html
    assert "application/json" in html
    curl = (
        "curl -H &#x27;X-API-KEY: your key&#x27; &#x27;http://127.0.0.1:7779/prices?ticker=AAA&amp;limit=5&amp;on=true"
    )
    assert curl in html


def test_the_rows_of_a_table_are_shown_as_a_table_too(
    define_query: Define, define_widget: Define, widget: Widget, boss: Client
) -> None:
    html = run(boss, widget)
    assert "<th>price (number)</th>" in html
    assert "<td>10.5</td>" in html
    define_query("many", "select range as n from range(60)")
    html = run(boss, define_widget("many", query="many"))
    assert "The first 50 of 60 rows." in html
    assert html.count("<td>") == 50
    assert "<th>" not in run(boss, define_widget("chart", query="prices", type="chart", params=PARAMS), raw="on")


def test_values_reach_the_query(widget: Widget, boss: Client) -> None:
    html = run(boss, widget, value_0="BBB", value_1="1")
    assert "20.25" in html
    assert "10.5" not in html


def test_an_error_looks_as_clients_see_it(widget: Widget, boss: Client) -> None:
    html = run(boss, widget, value_1="many")
    assert ">400<" in html
    assert "&quot;detail&quot;: &quot;Parameter" in html


def test_a_widget_is_run_as_the_owner_of_a_key_sees_it(widget: Widget, boss: Client) -> None:
    desk = Group.objects.create(name="Desk")
    widget.groups.add(desk)
    _, _ = key_issue(name="Inside", groups=[desk]), key_issue(name="Outside")
    key_issue(name="Over")
    inside, outside = ApiKey.objects.get(name="Inside").prefix, ApiKey.objects.get(name="Outside").prefix
    ApiKey.objects.filter(name="Over").update(revoked_at="2020-01-01T00:00Z")
    refresh()
    page = Page(boss, url("widget", "run", widget.pk))
    assert "Outside" in page.text
    assert "Over (" not in page.text
    assert ">200<" in run(boss, widget)
    assert ">200<" in run(boss, widget, seen_by=inside)
    assert ">404<" in run(boss, widget, seen_by=outside)


def test_keys_are_offered_to_those_only_who_may_see_keys(widget: Widget, staff: Callable[..., Client]) -> None:
    key_issue(name="Secretive")
    refresh()
    client = staff("view_widget")
    page = Page(client, url("widget", "run", widget.pk))
    assert "Secretive" not in page.text
    prefix = ApiKey.objects.get().prefix
    assert "valid choice" in page.form("run_form").errors("_run", seen_by=prefix)


def test_the_rows_of_a_chart_are_asked_for_with_raw(define_query: Define, define_widget: Define, boss: Client) -> None:
    define_query()
    chart = define_widget("chart", query="prices", type="chart")
    assert "&quot;layout&quot;" in run(boss, chart)
    html = run(boss, chart, raw="on", theme="light")
    assert "&quot;layout&quot;" not in html
    assert "theme=light&amp;raw=true" in html


def test_a_long_body_is_cut_and_says_so(define_query: Define, define_widget: Define, boss: Client) -> None:
    define_query(text="select repeat('x', 2000000) as long")
    html = run(boss, define_widget(query="prices"))
    assert "The first 20,000 characters of 2,000," in html
    assert len(html) < 100_000


def test_rows_that_a_limit_cut_off_are_told(define_query: Define, define_widget: Define, boss: Client) -> None:
    define_query(rows=1)
    assert "1 rows; row limit of 1, set at the query" in run(boss, define_widget(query="prices"))
    Source.objects.update(megabytes=1)
    define_query("long", text="select repeat('x', 400000) as x from range(9)")
    html = run(boss, define_widget("long", query="long"))
    assert "2 rows; size limit of 1 MB, set at the source of the query" in html


def test_the_age_of_a_kept_result_is_told(define_query: Define, define_widget: Define, boss: Client) -> None:
    define_query(cache_seconds=600)
    widget = define_widget(query="prices")
    with time_machine.travel("2026-01-01T00:00:00Z", tick=False) as clock:
        assert "a kept result" not in run(boss, widget)
        clock.shift(90)
        assert "90 s: a kept result" in run(boss, widget)


def test_changes_that_are_not_published_are_told(widget: Widget, boss: Client) -> None:
    Widget.objects.update(name="New")
    assert "The draft has changes" in Page(boss, url("widget", "run", widget.pk)).text


def test_a_draft_is_published_from_its_run_page(boss: Client, staff: Callable[..., Client]) -> None:
    row = read_widget({"id": "w", "definition": {"name": "W", "description": "d", "type": "note", "endpoint": "w"}})
    address = url("widget", "run", row.pk)
    assert "Publish it now" not in Page(staff("view_widget"), address).text
    assert staff("view_widget").post(address, {"_publish": "1"}).status_code == 403
    assert "Publish it now" in Page(boss, address).text
    response = boss.post(address, {"_publish": "1"})
    assert response["Location"] == address
    assert "w" in catalog.current().entries
    assert "published as version 1" in messages(response)[0]


def test_a_draft_with_errors_is_not_published_from_its_run_page(boss: Client) -> None:
    row = read_widget({"id": "w", "definition": {"name": "W", "endpoint": "w"}})
    response = boss.post(url("widget", "run", row.pk), {"_publish": "1"})
    assert response["Location"] == url("widget", "change", row.pk)


def test_a_widget_elsewhere_has_no_data_here(define_widget: Define, boss: Client) -> None:
    page = define_widget(type="iframe", endpoint="https://example.com/")
    assert "names an address of another server" in Page(boss, url("widget", "run", page.pk)).text


def test_a_widget_that_is_left_out_says_why(define_widget: Define, boss: Client) -> None:
    widget = define_widget(name=None)
    assert "The widget has no name" in Page(boss, url("widget", "run", widget.pk)).text
    assert (
        "left out of what Workspace gets: The widget has no name" in Page(boss, url("widget", "change", widget.pk)).text
    )


def test_what_is_gone_is_404(boss: Client, db: None) -> None:
    assert boss.get(url("widget", "run", 99)).status_code == 404


def answer(html: str) -> Any:
    """Return the body that the page shows."""
    return json.loads(unescape(html.partition('id="body">')[2].partition("</pre>")[0]))


def test_a_widget_of_an_upstream_runs_there_with_the_values_that_clients_send(
    upstream: Source, define_widget: Define, boss: Client
) -> None:
    params = [*PARAMS, {"paramName": "day", "type": "date", "value": "$currentDate", "label": "D", "description": "d"}]
    widget = define_widget("echo", upstream="desk", params=params, endpoint="echo?fixed=1")
    with time_machine.travel("2026-03-01T12:00:00Z", tick=False):
        sent = answer(run(boss, widget, value_0="BBB"))
    assert (sent["method"], sent["path"], sent["body"]) == ("GET", "/echo", None)
    assert sent["query"] == "fixed=1&ticker=BBB&limit=5&on=true&day=2026-03-01&theme=dark"


def test_the_page_shows_the_status_that_the_upstream_chose(
    upstream: Source, define_widget: Define, boss: Client
) -> None:
    html = run(boss, define_widget("made", upstream="desk"))
    assert '<dd class="wb-label wb-published">201</dd>' in html
    assert answer(html) == {"made": True}
    html = run(boss, define_widget("bad", upstream="desk", endpoint="nonsense"))
    assert "{nonsense" in html


def test_an_upstream_that_refuses_is_told_as_clients_see_it(
    define_widget: Define, boss: Client, backend_port: int
) -> None:
    source(backend_port, headers={})
    html = run(boss, define_widget("echo", upstream="desk"))
    assert ">502<" in html
    assert "refused the headers of the source" in html


def test_only_the_beginning_of_a_large_answer_is_read(upstream: Source, define_widget: Define, boss: Client) -> None:
    html = run(boss, define_widget("large", upstream="desk"))
    assert "The first 20,000 characters of more than 4,0" in html


@pytest.mark.parametrize(("widget_type", "besides"), [
    ("omni", {}),
    ("multi_file_viewer", {}),
    ("ssrm_table", {"startRow": 0, "endRow": 100, "sortModel": [], "filterModel": {}}),
])  # fmt: skip
def test_types_that_post_send_their_values_as_json(
    upstream: Source, define_widget: Define, boss: Client, widget_type: str, besides: dict[str, Any]
) -> None:
    params = [
        *PARAMS[1:],
        {"paramName": "prompt", "type": "text", "label": "P", "description": "d"},
        {
            "paramName": "many",
            "type": "text",
            "multiSelect": True,
            "value": ["a", "b"],
            "label": "M",
            "description": "d",
        },
    ]
    widget = define_widget("echo", upstream="desk", type=widget_type, params=params)
    html = run(boss, widget)
    sent = answer(html)
    assert (sent["method"], sent["query"]) == ("POST", "")
    assert sent["body"] == {**besides, "limit": 5, "on": True, "prompt": "", "many": ["a", "b"]}
    assert "Content-Type: application/json" in html
    assert answer(run(boss, widget, post=None))["method"] == "GET"


def test_a_trading_chart_of_an_upstream_is_asked_for_its_configuration(
    upstream: Source, define_widget: Define, boss: Client
) -> None:
    widget = define_widget("udf", upstream="desk", type="advanced_charting")
    html = run(boss, widget)
    assert answer(html)["path"] == "/udf/config"
    assert "This is the first of them: /config." in html


def test_types_that_get_offer_no_post(upstream: Source, define_widget: Define, boss: Client) -> None:
    page = Page(boss, url("widget", "run", define_widget("echo", upstream="desk").pk))
    assert "Send by POST" not in page.text


def test_a_paged_table_of_our_own_is_asked_for_its_first_page(
    define_query: Define, define_widget: Define, boss: Client
) -> None:
    define_query()
    html = run(boss, define_widget(query="prices", type="ssrm_table"))
    assert "&quot;rowCount&quot;: 3" in html
    assert "&quot;startRow&quot;: 0" in unescape(html).replace('"', "&quot;")


# ---- row values

HELD = "select * from prices where ticker in :key_desk"
LACKS = 'Your key has no row values "desk", which this widget needs.'


@pytest.mark.parametrize("page", ["query", "widget"])
def test_rows_that_depend_on_row_values_are_seen_as_a_key_sees_them(
    define_query: Define, define_widget: Define, boss: Client, page: str
) -> None:
    query = define_query(text=HELD)
    row = define_widget(query="prices") if page == "widget" else query
    issued = {name: key_issue(name=name, rows=rows)[0] for name, rows in {
        "One": {"desk": ["AAA"]}, "Every": {"desk": ["*"]}, "None": {}, "Gone": {"desk": ["*"]}, "Over": {"desk": ["*"]},
    }.items()}  # fmt: skip
    key_revoke(prefix=issued["Gone"].prefix)
    ApiKey.objects.filter(name="Over").update(expires_at=timezone.now() - timedelta(minutes=1))
    refresh()
    address = url(page, "run", row.pk)
    shown = Page(boss, address)
    assert "row values of the caller's key: desk. Choose a key" in shown.text
    offered = {name for name, key in issued.items() if f'value="{key.prefix}"' in shown.html}
    assert offered == {"One", "Every", "None"}

    def answered(**values: str) -> str:
        return unescape(shown.form("run_form").send("_run", **values).content.decode())

    (body,) = re.findall(r'id="body">(.*?)</pre>', answered(), re.DOTALL)
    assert LACKS in json.loads(body)["error"]
    assert LACKS in answered(seen_by=issued["None"].prefix).replace('\\"', '"')
    one = answered(seen_by=issued["One"].prefix)
    assert "AAA" in one
    assert "BBB" not in one
    assert "BBB" in answered(seen_by=issued["Every"].prefix)
    assert "BBB" not in answered(seen_by=issued["Gone"].prefix)


def test_who_may_not_see_keys_can_not_look_with_one(define_query: Define, staff: Callable[..., Client]) -> None:
    query = define_query(text=HELD)
    key, _ = key_issue(name="Every", rows={"desk": ["*"]})
    refresh()
    client = staff("view_query")
    shown = Page(client, url("query", "run", query.pk))
    assert "Only who may view keys can choose one here." in shown.text
    assert key.prefix not in shown.html
    assert "BBB" not in shown.form("run_form").send("_run", seen_by=key.prefix).content.decode()


def test_queries_without_row_values_ask_for_no_key(define_query: Define, boss: Client) -> None:
    query = define_query()
    assert "seen_by" not in Page(boss, url("query", "run", query.pk)).form("run_form")


def test_the_rows_are_downloaded_as_a_file(widget: Widget, boss: Client) -> None:
    form = Page(boss, url("widget", "run", widget.pk)).form("run_form")
    response = download(boss, form, value_0="BBB")
    assert response["Content-Disposition"].endswith('.csv"')
    assert response.content.decode("utf-8-sig").split("\r\n")[1:] == ['2024-01-02,"BBB",20.25,300', ""]
    failed = download(boss, form, value_1="many")
    assert (failed.status_code, "is not a number" in messages(failed)[0]) == (200, True)


def download(client: Client, form: Any, **values: str) -> Any:
    form.fill(**values)
    return client.post(form.url, {**form.data, "_download": "csv"})


def test_what_may_not_be_exported_is_not_offered(define_query: Define, define_widget: Define, boss: Client) -> None:
    define_query()
    refused: dict[str, dict[str, Any]] = {"closed": {"exportable": False}, "text": {"type": "markdown"}}
    for widget_id, keys in refused.items():
        row = define_widget(widget_id, query="prices", **keys)
        html = boss.get(url("widget", "run", row.pk)).content.decode()
        assert "run_form" in html
        assert "_download" not in html
