"""The form of widgets: what is saved, what is kept, what is refused and what is published."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from tests.admin.conftest import Open, url
from tests.admin.pages import Page, messages
from tests.conftest import Define
from widgets_app import catalog
from widgets_app.manifest.reading import read_widget
from widgets_app.manifest.widgets import widget_document
from widgets_app.models import App, Placement, Query, Source, Version, Widget
from widgets_app.services.publishing import findings_of, is_changed

pytestmark = pytest.mark.django_db

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"
NEW = {"widget_id": "prices", "name": "Prices", "description": "Daily prices of a share.", "source": "Us, Them"}


def imported(**keys: Any) -> Widget:
    definition = {"name": "Prices", "description": "Daily.", "type": "table", "endpoint": "prices", **keys}
    return read_widget({"id": "prices", "definition": definition})


def document(widget: Widget) -> Any:
    return widget_document(Widget.objects.get(pk=widget.pk))


def test_a_new_widget_is_published_and_served_at_once(add: Open, define_query: Define) -> None:
    query = define_query()
    response = add("widget").send(**NEW, query=str(query.pk))
    assert response["Location"] == url("widget")
    definition = catalog.current().entries["prices"].definition
    assert definition["source"] == ["Us", "Them"]
    assert (definition["endpoint"], definition["type"]) == ("prices", "table")
    assert Widget.objects.get().feeds.get().query == query


def test_a_draft_is_saved_without_being_served(add: Open) -> None:
    response = add("widget").send("_draft", **NEW)
    widget = Widget.objects.get()
    assert response["Location"] == url("widget", "change", widget.pk)
    assert (widget.published, catalog.current().entries) == (None, {})
    assert "not served yet" in messages(response)[0]


def test_what_may_not_be_published_is_saved_as_a_draft_with_all_reasons(add: Open, define_query: Define) -> None:
    query = define_query("one", "select * from prices where ticker = :ticker")
    response = add("widget").send(widget_id="bad", name="Bad", query=str(query.pk))
    widget = Widget.objects.get()
    assert response["Location"] == url("widget", "change", widget.pk)
    assert (widget.published, Version.objects.filter(kind="widget").exists()) == (None, False)
    (message,) = messages(response)
    assert "was not published" in message
    assert "no description" in message
    assert ":ticker" in message


def test_the_page_shows_what_is_to_be_said_about_the_draft(boss: Client) -> None:
    widget = imported(description=None, refreshInterval=60000)
    text = Page(boss, url("widget", "change", widget.pk)).text
    assert "1 error" in text
    assert "The widget has no description" in text
    assert "refreshInterval" in text


def test_an_unchanged_widget_is_not_published_again(define_widget: Define, change: Open) -> None:
    widget = define_widget()
    response = change(widget).send()
    assert "has not changed since version 1" in messages(response)[0]
    assert Version.objects.count() == 1


def test_going_on_editing_publishes_and_stays(define_widget: Define, change: Open) -> None:
    widget = define_widget()
    response = change(widget).send("_continue", name="Other")
    assert response["Location"] == url("widget", "change", widget.pk)
    assert catalog.current().entries["prices"].definition["name"] == "Other"


@pytest.mark.parametrize("keys", [
    {"description": "  one \n\ntwo\r\nthree\r four  "},
    {"description": "\nbegins with a line break"},
    {"name": " two\nlines "},
    {"source": "None"},
    {"source": ["a, b", "c"]},
    {"source": []},
    {"refetchInterval": "0 10 * * 1-5"},
    {"refetchInterval": "30"},
    {"refetchInterval": False},
    {"gridData": {"w": 0, "h": 200, "x": 1}},
    {"type": "table_ssrm", "unknown": [1, {"b": 1, "a": 2}]},
    {"data": {"table": {"chartView": {"enabled": True, "cellRangeCols": {"nonsense": "x"}}}}},
    {"endpoint": "admin/taken"},
    {"dataUpdateDisplay": "daily"},
    {"name": "half \ud83d of a pair", "extra": ["\udc00"]},
    {"params": [{"paramName": "a", "value": value, "label": " x "} for value in ("30", 30, "", "a\nb", [1, "2"], None)]},
    {"params": [[], [{"paramName": "form", "type": "form", "inputParams": [{"paramName": "x", "type": "dropdown"}]}]]},
    {"data": {"table": {"columnsDefs": [{"field": "a", "suffix": " m", "renderFn": ["greenRed", 7, "odd"], "flex": 1}]}}},
])  # fmt: skip
def test_what_nobody_touched_is_kept_to_the_letter(change: Open, keys: dict[str, Any]) -> None:
    widget = imported(**keys)
    before = document(widget)
    form = change(widget)
    assert form.send("_draft").status_code == 302
    assert document(widget) == before
    assert list(json.dumps(document(widget))) == list(json.dumps(before))
    # A change elsewhere leaves it alone too.
    change(widget).send("_draft", category="New")
    after = document(widget)
    assert after["definition"].pop("category") == "New"
    assert after == before


def read_entries(path: Path) -> list[tuple[str, Any]]:
    try:
        found = json.loads(path.read_text())
    except ValueError:  # some real files are not JSON
        return []
    return [entry for entry in found.items() if isinstance(entry[1], dict)] if isinstance(found, dict) else []


def test_real_definitions_survive_the_form(change: Open) -> None:
    if not CORPUS.is_dir():
        pytest.skip("The corpus of real definitions is not beside this checkout.")
    for path in sorted(CORPUS.glob("*/widgets*.json"))[::7]:
        for widget_id, definition in read_entries(path)[:1]:
            widget = read_widget({"id": widget_id, "definition": definition})
            before = document(widget)
            response = change(widget).send("_draft")
            assert response.status_code == 302, (path.parent.name, widget_id)
            assert json.dumps(document(widget)) == json.dumps(before), (path.parent.name, widget_id)
            widget.delete()


def test_reordering_the_members_of_json_is_a_change(change: Open) -> None:
    widget = imported(b=1, a=2)
    change(widget).send("_draft", extra='{"a": 2, "b": 1}')
    assert list(Widget.objects.get().extra) == ["a", "b"]


def test_a_field_takes_the_place_of_the_same_imported_key(change: Open) -> None:
    widget = imported(type="table_ssrm", gridData={"w": 20.5, "x": 1})
    form = change(widget)
    assert form["type"] == ""
    form.send("_draft", type="chart", grid_w="20")
    kept = Widget.objects.get()
    assert (kept.type, kept.extra, kept.grid_extra) == ("chart", None, {"x": 1})


def test_an_imported_value_without_a_field_is_told(boss: Client) -> None:
    widget = imported(type="table_ssrm")
    assert (
        "Imported as “table_ssrm”".replace("“", '"').replace("”", '"')
        in Page(boss, url("widget", "change", widget.pk)).text
    )


@pytest.mark.parametrize(("field", "value", "text"), [
    ("widget_id", "a b", "letters, digits, _ and -"),
    ("widget_id", "taken", "already exists"),
    ("endpoint", "widgets.json", "uses this path itself"),
    ("ws_endpoint", "admin/x", "uses this path itself"),
    ("refetch_interval", "500", "1000 at least"),
    ("refetch_interval", "hourly", "not a schedule"),
    ("data_update_display", "1 2 3", "3 fields instead of 5"),
    ("stale_time", "-1", "counts as old"),
    ("chart_view", '{"chartType": "cake"}', "cake"),
    ("chart_view", "[1]", "an object such as"),
    ("extra", "{nonsense", "no JSON"),
    ("extra", '{"a": NaN}', "no JSON number"),
    ("extra", '{"a": 1e400}', "too large"),
    ("grid_w", "0", "greater than or equal to 1"),
    ("type", "cake", "valid choice"),
])  # fmt: skip
def test_what_would_not_work_is_refused_at_its_field(
    define_widget: Define, add: Open, field: str, value: str, text: str
) -> None:
    define_widget("taken")
    assert text in add("widget").errors(**{**NEW, "type": "table", field: value})
    assert Widget.objects.count() == 1


def test_an_endpoint_with_other_data_is_refused(define_query: Define, define_widget: Define, add: Open) -> None:
    define_query()
    define_widget("taken", query="prices")
    error = add("widget").errors(**NEW, endpoint="/taken")
    assert '"taken" is already the address of the widget taken' in error
    assert '"options/prices" is already the address' in add("widget").errors(**NEW, endpoint="options/prices")


def test_an_endpoint_may_be_shared_where_the_answer_is_the_same(
    define_query: Define, define_widget: Define, add: Open
) -> None:
    query = define_query()
    define_widget("taken", query="prices")
    add("widget").send(**NEW, endpoint="taken", query=str(query.pk))
    assert set(catalog.current().entries) == {"taken", "prices"}


def test_only_the_options_of_the_chosen_type_are_stored(add: Open, define_query: Define) -> None:
    query = define_query()
    form = add("widget").fill(**NEW, type="chart", query=str(query.pk))
    form.fill(shape__chart__kind="bar", shape__chart__y="price, volume", shape__chart__horizontal="on")
    form.send("_draft", shape__metric__label="name")
    assert Widget.objects.get().shape == {"kind": "bar", "y": ["price", "volume"], "horizontal": True}


def test_changing_the_type_drops_the_options_of_the_old_one(add: Open, change: Open) -> None:
    add("widget").send("_draft", **NEW, type="markdown", shape__markdown__text=" # Title\n")
    widget = Widget.objects.get()
    assert widget.shape == {"text": " # Title\n"}
    form = change(widget)
    assert form["shape__markdown__text"] == " # Title\r\n"
    form.send("_draft", type="metric")
    assert Widget.objects.get().shape is None


def test_an_option_that_is_wrong_is_told_at_its_field(add: Open) -> None:
    assert "valid choice" in add("widget").errors(**NEW, type="chart", shape__chart__kind="cake")


def test_the_endpoint_of_a_page_is_not_guessed(add: Open) -> None:
    add("widget").send("_draft", **NEW, type="iframe")
    assert Widget.objects.get().endpoint is None


def test_a_page_may_be_a_static_file_of_this_server(add: Open) -> None:
    add("widget").send(**NEW, type="iframe", endpoint="static/widgets_app/clocks.html")
    widget = Widget.objects.get()
    served = catalog.current().entries[widget.widget_id].definition
    assert served["endpoint"] == f"{settings.PUBLIC_URL}/static/widgets_app/clocks.html"
    assert not [finding.code for finding in findings_of(widget) if finding.code.startswith(("iframe", "endpoint"))]


def test_the_query_can_be_changed_and_taken_away(define_query: Define, define_widget: Define, change: Open) -> None:
    define_query()
    other = define_query("other")
    widget = define_widget(query="prices")
    form = change(widget)
    assert form["query"] == str(Query.objects.get(name="prices").pk)
    form.send(query=str(other.pk))
    assert [feed.query for feed in widget.feeds.all()] == [other]
    assert catalog.current().entries["prices"].query == "other"
    change(widget).send(query="")
    assert not widget.feeds.exists()


def test_groups_count_as_soon_as_they_are_saved(define_widget: Define, change: Open) -> None:
    widget = define_widget()
    desk = Group.objects.create(name="Desk")
    change(widget).send("_draft", groups=[str(desk.pk)])
    assert catalog.current().entries["prices"].groups == {"Desk"}
    assert not is_changed(Widget.objects.get())


def test_parameters_and_columns_are_edited_in_rows(define_query: Define, define_widget: Define, change: Open) -> None:
    query = define_query()
    widget = define_widget(data={"table": {"columnsDefs": [{"field": "day"}, {"field": "price"}]}})
    form = change(widget)
    form.add_row(
        "parameters", param_name="ticker", type="endpoint", label="Ticker", value="AAA", options_query="prices"
    )
    form.add_row("parameters", param_name="limit", type="number", label="Limit", value="30")
    form.add_row("columns", field="volume", cell_data_type="number", hide="true")
    form.fill(**{"columns-0-position": "1", "columns-1-position": "0", "columns-0-header_name": "Day"})
    form.send("_draft")
    definition = document(widget)["definition"]
    assert definition["params"] == [
        {
            "paramName": "ticker",
            "type": "endpoint",
            "label": "Ticker",
            "value": "AAA",
            "optionsEndpoint": query.options_path,
        },
        {"paramName": "limit", "type": "number", "label": "Limit", "value": 30},
    ]
    assert definition["data"]["table"]["columnsDefs"] == [
        {"field": "price"},
        {"field": "day", "headerName": "Day"},
        {"field": "volume", "cellDataType": "number", "hide": True},
    ]


def test_a_row_can_be_deleted(define_widget: Define, change: Open) -> None:
    widget = define_widget(data={"table": {"columnsDefs": [{"field": "day"}, {"field": "price"}]}})
    change(widget).send("_draft", **{"columns-0-DELETE": "on"})
    assert [column.field for column in widget.columns.all()] == ["price"]


def test_a_row_names_a_query_that_exists(define_widget: Define, change: Open) -> None:
    form = change(define_widget()).add_row("parameters", param_name="a", options_query="nowhere")
    assert "There is no query “nowhere”" in form.errors()


def test_columns_are_offered_to_tables_only(define_widget: Define, change: Open) -> None:
    assert "columns-TOTAL_FORMS" in change(define_widget())
    assert "columns-TOTAL_FORMS" not in change(define_widget("chart", type="chart"))


def test_renaming_a_placed_widget_warns_and_moves_the_link(
    define_widget: Define, define_app: Define, change: Open
) -> None:
    widget = define_widget()
    define_app(widgets=("prices",))
    assert Placement.objects.get().widget == widget
    response = change(widget).send(widget_id="quotes")
    assert "“desk”" in messages(response)[0]
    assert Placement.objects.get().widget is None
    assert set(catalog.current().entries) == {"quotes"}


def test_a_new_widget_is_linked_to_places_that_waited_for_it(define_app: Define, add: Open) -> None:
    define_app(widgets=("prices",))
    add("widget").send("_draft", **NEW)
    assert Placement.objects.get().widget == Widget.objects.get()


def test_deleting_warns_about_apps(define_widget: Define, define_app: Define, boss: Client) -> None:
    widget = define_widget()
    define_app(widgets=("prices",))
    assert "Apps place the widget “prices”" in Page(boss, url("widget", "delete", widget.pk)).text
    boss.post(url("widget", "delete", widget.pk), {"post": "yes"})
    assert (catalog.current().entries, App.objects.count()) == ({}, 1)


def test_an_upstream_answers_instead_of_a_query(add: Open, upstream: Source, define_query: Define) -> None:
    query = define_query()
    form = add("widget").fill(**NEW, upstream=str(upstream.pk), endpoint="prices/daily")
    assert "Choose a query or an upstream, not both" in form.errors(query=str(query.pk))
    form.send(query="")
    entry = catalog.current().entries["prices"]
    assert (entry.upstream, entry.passed_paths) == ("desk", frozenset({"prices/daily"}))


def test_only_backends_can_be_upstreams(add: Open, files_source: Source) -> None:
    assert "Select a valid choice" in add("widget").errors(**NEW, upstream=str(files_source.pk))


def test_the_endpoint_of_an_upstream_is_not_guessed(add: Open, upstream: Source) -> None:
    response = add("widget").send(**NEW, upstream=str(upstream.pk))
    assert "was not published" in messages(response)[0]
    assert Widget.objects.get().endpoint is None


def test_widgets_of_one_upstream_may_share_an_endpoint_and_others_may_not(
    add: Open, upstream: Source, define_widget: Define
) -> None:
    define_widget("taken", upstream="desk")
    form = add("widget").fill(**NEW, endpoint="taken", type="metric")
    assert '"taken" is already the address of the widget taken' in form.errors()
    form.send(upstream=str(upstream.pk))
    assert set(catalog.current().entries) == {"taken", "prices"}


def test_an_upstream_keeps_the_look_for_the_time_after_it(
    upstream: Source, define_query: Define, define_widget: Define, change: Open
) -> None:
    define_query()
    widget = define_widget(query="prices", type="chart", shape={"kind": "bar"})
    change(widget).send("_draft", query="", upstream=str(upstream.pk), shape__chart__kind="pie")
    widget.refresh_from_db()
    assert (widget.shape, widget.upstream, widget.feeds.exists()) == ({"kind": "bar"}, upstream, False)


def test_the_list_names_upstreams_and_filters_by_them(boss: Client, upstream: Source, define_widget: Define) -> None:
    define_widget("passed", upstream="desk")
    define_widget("own", query=None)
    assert "→ desk" in Page(boss, url("widget")).text
    filtered = boss.get(url("widget"), {"upstream__id__exact": upstream.pk})
    assert [widget.widget_id for widget in filtered.context["cl"].result_list] == ["passed"]


def test_a_copy_asks_the_upstream_for_the_same_path(boss: Client, upstream: Source, define_widget: Define) -> None:
    rows = [define_widget("passed", upstream="desk", endpoint="a/b"), define_widget("own", endpoint="own")]
    boss.post(url("widget"), {"action": "duplicate_selected", "_selected_action": [row.pk for row in rows]})
    assert Widget.objects.get(widget_id="passed_copy").endpoint == "a/b"
    assert Widget.objects.get(widget_id="own_copy").endpoint == "own_copy"


PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 20


@pytest.mark.parametrize(("content", "start"), [
    (PNG, "data:image/png;base64,iVBOR"),
    (b"\xff\xd8\xff\xe0", "data:image/jpeg;base64,"),
    (b"GIF89a", "data:image/gif;base64,"),
    (b"RIFF\0\0\0\0WEBPVP8 ", "data:image/webp;base64,"),
    (b'<?xml version="1.0"?>\n<!-- x -->\n<svg xmlns="http://www.w3.org/2000/svg"/>', "data:image/svg+xml;base64,"),
])  # fmt: skip
def test_an_uploaded_picture_is_kept_inside(add: Open, content: bytes, start: str) -> None:
    add("widget").send("_draft", **NEW, img_url_file=SimpleUploadedFile("x.bin", content))
    assert (Widget.objects.get().img_url or "").startswith(start)


@pytest.mark.parametrize(("content", "text"), [
    (b"plain text", "no picture"),
    (PNG + b"0" * 205_000, "larger than 200 KB"),
    (b"<svg><script>alert(1)</script></svg>", "holds a script"),
    (b"<svg onload='x()'></svg>", "holds a script"),
    (b"<!---->" * 20_000 + b"<b>", "no picture"),
])  # fmt: skip
def test_an_upload_that_is_no_picture_is_refused(add: Open, content: bytes, text: str) -> None:
    assert text in add("widget").errors(**NEW, img_url_file=SimpleUploadedFile("x.png", content))


def test_an_inlined_picture_is_shown_and_a_foreign_one_is_not_fetched(change: Open, boss: Client) -> None:
    widget = imported(imgUrl="data:image/png;base64,AAAA")
    assert (
        '<img class="wb-picture" alt="" src="data:image/png;base64,AAAA">'
        in Page(boss, url("widget", "change", widget.pk)).html
    )
    Widget.objects.update(img_url="https://example.com/x.png")
    assert "<img" not in Page(boss, url("widget", "change", widget.pk)).html


def test_scripts_in_names_are_shown_as_text(boss: Client, define_app: Define) -> None:
    evil = "<script>alert(1)</script>"
    widget = imported(name=evil, description=evil, category=evil, params=[{"paramName": evil, "label": evil}], odd=evil)
    Widget.objects.update(widget_id=evil)
    define_app("desk", widgets=(evil,), name=evil)
    pages = [
        url("widget"),
        url("widget", "change", widget.pk),
        url("widget", "delete", widget.pk),
        url("widget", "run", widget.pk),
        url("widget", "unpublish", widget.pk),
        url("app", "change", App.objects.get().pk),
        url("parameter", "change", widget.parameters.get().pk),
        url("version", "change", Version.objects.get().pk),
    ]
    for page in pages:
        html = Page(boss, page).html
        assert evil not in html, page
        assert "alert(1)" in html, page


def test_the_page_says_where_the_data_comes_from_and_where_it_is_shown(
    boss: Client, staff: Callable[..., Client], define_query: Define, define_widget: Define, define_app: Define
) -> None:
    query = define_query()
    widget = define_widget(query="prices")
    define_app(widgets=("prices",))
    page = Page(boss, url("widget", "change", widget.pk))
    assert "Its data comes from Queries prices rows Sources market by prices" in page.text
    assert "Shown in Apps desk shows prices" in page.text
    assert url("query", "change", query.pk) in page.html
    page = Page(staff("view_widget"), page.url)
    assert "Queries prices rows" in page.text
    assert url("query", "change", query.pk) not in page.html
