"""The snapshot: what is in it, when it changes, what it costs, and what it survives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.conftest import Define, refresh
from tests.upstream import FORM, PORT, Upstream
from widgets_app import catalog, snapshots
from widgets_app.authentication import KEYS
from widgets_app.catalog import CATALOG
from widgets_app.errors import Busy, NotFound
from widgets_app.manifest.reading import read_agent
from widgets_app.models import Revision, Source, Version, Widget
from widgets_app.services.publishing import definition_publish, definition_unpublish

NOBODY: frozenset[str] = frozenset()


@pytest.mark.django_db
def test_a_steady_request_makes_no_query(caller: Client, define_query: Define, define_widget: Define) -> None:
    define_query()
    define_query("tickers", "select distinct ticker from prices where volume > :least")
    params = [{"paramName": "t", "optionsEndpoint": "options/tickers"}]
    define_widget(query="prices", params=params)
    paths = ["/widgets.json", "/apps.json", "/agents.json", "/prices", "/options/tickers?least=1", "/no", "/-/health"]
    for path in paths:
        caller.get(path)
    with CaptureQueriesContext(connection) as queries:
        answers = {path: caller.get(path).status_code for path in paths}
    assert len(queries) == 0
    assert answers == {**dict.fromkeys(paths, 200), "/no": 404}


@pytest.mark.django_db(transaction=True)
def test_an_edit_is_served_once_the_number_has_moved(define_widget: Define) -> None:
    widget = define_widget()
    before = catalog.current()
    catalog.check()
    assert catalog.current() is before
    widget.name = "New"
    widget.save()
    catalog.check()
    assert catalog.current() is before
    definition_publish(widget)
    catalog.check()
    assert catalog.current().number > before.number
    assert catalog.current().entries["prices"].definition["name"] == "New"
    definition_unpublish(Widget.objects.get())
    catalog.check()
    assert catalog.current().entries == {}


@pytest.mark.django_db(transaction=True)
def test_only_what_changed_is_compiled_again(define_query: Define, define_widget: Define) -> None:
    define_query()
    define_widget("one", query="prices")
    other = define_widget("two", query="prices")
    before = catalog.current()
    other.name = "New"
    other.save()
    definition_publish(other)
    catalog.check()
    after = catalog.current()
    assert after.entries["one"] is before.entries["one"]
    assert after.entries["two"] is not before.entries["two"]
    assert after.queries["prices"] is before.queries["prices"]


@pytest.mark.django_db(transaction=True)
def test_who_may_see_it_counts_without_publishing(define_widget: Define) -> None:
    widget = define_widget()
    assert catalog.current().find("prices", NOBODY)
    widget.groups.add(Group.objects.create(name="Desk"))
    catalog.check()
    with pytest.raises(NotFound):
        catalog.current().find("prices", NOBODY)
    assert catalog.current().find("prices", frozenset({"Desk", "Other"}))
    Group.objects.update(name="Renamed")
    catalog.check()
    assert catalog.current().find("prices", frozenset({"Renamed"}))


@pytest.mark.django_db(transaction=True)
def test_a_changed_source_is_opened_again(define_query: Define, define_widget: Define) -> None:
    define_query()
    before = catalog.current().queries["prices"].source
    Source.objects.update(seconds=5)
    catalog.check()
    after = catalog.current().queries["prices"]
    assert before is not None
    assert after.source is not None
    assert after.source.backend is before.backend
    assert after.limits.seconds == 5
    Source.objects.update(options={"folder": "elsewhere"})
    catalog.check()
    moved = catalog.current().queries["prices"]
    assert moved.source is not None
    assert moved.source.backend is not before.backend
    assert "prices" in moved.fault


@pytest.mark.django_db
def test_a_source_that_cannot_be_opened_leaves_the_others_working(
    caller: Client, define_query: Define, define_widget: Define
) -> None:
    define_query()
    define_query("other", "select 1 as a")
    define_widget("fine", query="prices")
    Source.objects.create(name="odd", kind="no-such-kind")
    Source.objects.create(name="bad", kind="files", options={"folder": "../up"})
    document = Version.objects.get(identifier="other").document.replace('"market"', '"bad"')
    Version.objects.filter(identifier="other").update(document=document)
    define_widget("broken", query="other")
    assert caller.get("/fine").status_code == 200
    response = caller.get("/broken")
    assert response.status_code == 502
    assert "folder" in response.json()["error"]


@pytest.mark.django_db
@pytest.mark.parametrize("definition", [{"name": None}, {"endpoint": None}, {"name": 5}])
def test_what_workspace_would_refuse_is_left_out(
    caller: Client, define_widget: Define, definition: dict[str, Any]
) -> None:
    define_widget("fine")
    define_widget("broken", **definition)
    assert list(caller.get("/widgets.json").json()) == ["fine"]
    assert list(catalog.current().left_out) == ["widget broken"]


@pytest.mark.django_db
def test_what_fails_in_a_way_that_nobody_foresaw_is_left_out_alone(
    caller: Client, define_query: Define, define_widget: Define, define_app: Define, caplog: pytest.LogCaptureFixture
) -> None:
    define_query()
    define_query("odd")
    define_widget("fine", query="prices")
    define_widget("odd")
    define_app("odd")
    agent = read_agent({"id": "odd", "agent": {"name": "Odd", "endpoints": {"query": "q"}}})
    definition_publish(agent, strict=False)
    Version.objects.filter(identifier="odd").update(document="[" * 100_000)
    refresh()
    assert list(caller.get("/widgets.json").json()) == ["fine"]
    assert caller.get("/fine").status_code == 200
    kinds = ["query odd", "widget odd", "app odd", "agent odd"]
    assert list(catalog.current().left_out) == kinds
    assert all("only the log tells" in reason for reason in catalog.current().left_out.values())
    assert [f"The {kind} can't be used" for kind in kinds] == [record.message for record in caplog.records]


@pytest.mark.django_db
def test_a_source_that_fails_in_a_way_that_nobody_foresaw_fails_alone(
    caller: Client, define_query: Define, define_widget: Define
) -> None:
    define_query()
    define_query("odd", choices=[{"value": "\ud800"}], source=None)
    define_widget("fine", query="prices")
    define_widget("broken", query="odd")
    Source.objects.create(name="list", kind="files", options=[1])
    refresh()
    assert caller.get("/fine").status_code == 200
    assert "can't be sent as JSON" in caller.get("/broken").json()["error"]
    assert {source.name: bool(source.fault) for source in catalog.current().sources.values()} == {
        "market": False,
        "list": True,
    }


@pytest.mark.django_db
def test_odd_members_of_apps_do_not_hinder_who_may_not_see_a_widget(
    caller: Client, define_widget: Define, define_app: Define
) -> None:
    define_widget("hidden").groups.add(Group.objects.create(name="Desk"))
    layout = [{"i": ["hidden"]}, {"i": "hidden"}, {"i": "other"}]
    groups = [{"name": "g", "widgetIds": [{"id": 1}, "hidden", "other"]}]
    define_app("odd", tabs={"main": {"layout": layout}}, groups=groups)
    app = caller.get("/apps.json").json()[0]
    assert app["tabs"]["main"]["layout"] == [{"i": ["hidden"]}, {"i": "other"}]
    assert app["groups"][0]["widgetIds"] == [{"id": 1}, "other"]


@pytest.mark.django_db
def test_widgets_keep_their_order(caller: Client, define_widget: Define) -> None:
    for name in ("b", "c", "a"):
        define_widget(name)
    assert list(caller.get("/widgets.json").json()) == ["b", "c", "a"]
    Widget.objects.filter(widget_id="a").update(position=0)
    Widget.objects.filter(widget_id="b").update(position=5)
    refresh()
    assert list(caller.get("/widgets.json").json()) == ["a", "c", "b"]


@pytest.mark.django_db
def test_widgets_on_one_path_have_the_parameters_of_those_a_caller_sees(
    define_query: Define, define_widget: Define
) -> None:
    define_query()
    same = {"query": "prices", "endpoint": "shared"}
    define_widget("one", params=[{"paramName": "a", "value": "1"}, {"paramName": "b", "value": "x"}], **same)
    other = define_widget("two", params=[{"paramName": "b", "value": "y"}, {"paramName": "c"}], **same)
    other.groups.add(Group.objects.create(name="Desk"))
    refresh()
    few: Any = catalog.current().find("shared", NOBODY)
    all_of_them: Any = catalog.current().find("shared", frozenset({"Desk"}))
    assert [(spec.name, spec.default) for spec in few.specs] == [("a", "1"), ("b", "x")]
    assert [(spec.name, spec.default) for spec in all_of_them.specs] == [("a", "1"), ("b", None), ("c", None)]


@pytest.mark.django_db
def test_options_are_there_only_for_those_who_see_a_widget_that_uses_them(
    caller: Client, define_query: Define, define_widget: Define
) -> None:
    define_query("tickers", "select distinct ticker from prices order by 1")
    assert caller.get("/options/tickers").status_code == 404
    form = {
        "paramName": "f",
        "type": "form",
        "inputParams": [{"paramName": "i", "optionsEndpoint": "/options/tickers"}],
    }
    widget = define_widget(params=[[form]])
    assert [option["value"] for option in caller.get("/options/tickers").json()] == ["AAA", "BBB"]
    widget.groups.add(Group.objects.create(name="Desk"))
    refresh()
    assert caller.get("/options/tickers").status_code == 404


class Away:
    """A database connection that fails."""

    def __call__(self, *args: Any) -> Any:
        raise OperationalError("connection refused")


@pytest.mark.django_db
def test_with_the_database_gone_the_last_snapshot_serves_on(
    caller: Client, define_query: Define, define_widget: Define
) -> None:
    define_query()
    define_widget(query="prices")
    assert caller.get("/widgets.json").status_code == 200
    with connection.execute_wrapper(Away()):
        CATALOG.check()
        KEYS.check()
        assert caller.get("/widgets.json").status_code == 200
        assert caller.get("/prices").status_code == 200
        assert Client().get("/-/health").json() == {"status": "stale"}
    CATALOG.check()
    assert Client().get("/-/health").json() == {"status": "stale"}
    KEYS.check()
    assert Client().get("/-/health").json() == {"status": "ok"}


@pytest.mark.django_db
def test_with_the_database_away_at_start_requests_are_told_to_wait(key: str) -> None:
    client = Client(headers={"X-API-KEY": key})
    with connection.execute_wrapper(Away()):
        for path in ("/widgets.json", "/prices"):
            response = client.get(path, headers={"Origin": "https://pro.openbb.co"})
            assert response.status_code == 503
            assert int(response["Retry-After"]) > 0
            assert response["Access-Control-Allow-Origin"]
        assert Client().get("/-/health").status_code == 503
    refresh()
    assert client.get("/widgets.json").status_code == 200


@pytest.mark.django_db
def test_a_failed_first_look_is_not_repeated_by_every_request(key: str) -> None:
    looks = []

    def away(*args: Any) -> Any:
        looks.append(1)
        raise OperationalError("connection refused")

    with connection.execute_wrapper(away):
        for _ in range(5):
            with pytest.raises(Busy):
                CATALOG.current()
    assert len(looks) == 1


@pytest.mark.django_db(transaction=True)
def test_reading_sees_one_state_and_leaves_no_transaction_open() -> None:
    with snapshots.read_only():
        assert Revision.objects.count() >= 0
    assert not connection.in_atomic_block
    Revision.objects.create(name="after")
    assert Revision.objects.filter(name="after").exists()


@pytest.fixture
def hidden_widget(define_passed: Define) -> None:
    """A widget that the caller may not see, with every kind of path that it can have."""
    widget = define_passed("hidden", endpoint="/arrivals", params=[PORT, [FORM]], imgUrl="/pictures/table.png")
    chart = define_passed("chart", type="advanced_charting", endpoint="/udf")
    group = Group.objects.create(name="Desk")
    widget.groups.add(group)
    chart.groups.add(group)
    refresh()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/arrivals"), ("GET", "/ports"), ("GET", "/cargoes"), ("POST", "/log_arrival"),
     ("GET", "/pictures/table.png"), ("GET", "/udf"), ("GET", "/udf/config"), ("GET", "/udf/history?symbol=A")],
)  # fmt: skip
def test_paths_of_a_hidden_widget_do_not_go_on_and_look_like_unknown_ones(
    caller: Client, hidden_widget: None, upstream: Upstream, method: str, path: str
) -> None:
    unknown = caller.generic(method, "/unknown")
    answer = caller.generic(method, path)
    assert (answer.status_code, answer.content) == (unknown.status_code, unknown.content) == (404, unknown.content)
    assert answer.headers == unknown.headers
    assert upstream.received == []


@pytest.mark.django_db
def test_a_path_that_a_visible_widget_shares_with_a_hidden_one_goes_on(
    caller: Client, hidden_widget: None, define_passed: Define
) -> None:
    define_passed("open", endpoint="arrivals", params=[PORT])
    assert caller.get("/arrivals?port=RIX").status_code == 200
    assert caller.get("/ports").status_code == 200
    assert caller.get("/cargoes").status_code == 404
    assert caller.post("/log_arrival").status_code == 404


@pytest.mark.django_db
def test_an_upstream_that_is_gone_is_told(caller: Client, desk: Source, define_passed: Define) -> None:
    define_passed("w", endpoint="table")
    define_passed("local", endpoint="other")
    desk.name = "harbour"
    desk.save()
    refresh()
    answer = caller.get("/table")
    assert answer.status_code == 502
    assert '"desk"' in answer.json()["error"]
    assert len(caller.get("/widgets.json").json()) == 2


ROWS = [[{"paramName": "a", "type": "text"}, {"paramName": "b", "type": "text"}], [], [{"paramName": "c"}]]


def _served_params(caller: Client) -> dict[str, list[Any]]:
    refresh()
    return {name: widget["params"] for name, widget in caller.get("/widgets.json").json().items()}


@pytest.mark.django_db
def test_rows_of_parameters_are_served_as_one_list_where_that_is_asked_for(
    caller: Client, define_widget: Define, define_passed: Define, settings: Any
) -> None:
    define_widget("made", params=ROWS)
    define_passed("imported", params=ROWS)
    define_widget("flat", params=[{"paramName": "a"}])
    assert _served_params(caller) == {"made": ROWS, "imported": ROWS, "flat": [{"paramName": "a"}]}
    settings.WIDGETS_FLAT_PARAMS = True
    flat = [*ROWS[0], *ROWS[2]]
    assert _served_params(caller) == {"made": flat, "imported": flat, "flat": [{"paramName": "a"}]}


@pytest.mark.django_db
def test_rows_are_kept_in_what_is_exported_although_one_list_is_served(
    define_widget: Define, settings: Any, tmp_path: Path
) -> None:
    settings.WIDGETS_FLAT_PARAMS = True
    define_widget("made", params=ROWS)
    call_command("export_bundle", str(tmp_path))
    assert json.loads((tmp_path / "widgets.json").read_text())["made"]["params"] == ROWS
