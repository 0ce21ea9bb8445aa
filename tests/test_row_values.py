"""Row-level access: `:key_` placeholders take what the caller holds, and never what a request says."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from tests.conftest import Define, refresh
from tests.sources.databases import PLACES
from widgets_app import cache, front, serving
from widgets_app.authentication import ANYONE, KEYS, authenticate
from widgets_app.errors import DefinitionError, Forbidden
from widgets_app.functions import data_function
from widgets_app.manifest.reading import read_widget
from widgets_app.models import ApiKey, CollectionRow, RowValue, Source
from widgets_app.sealing import seal
from widgets_app.services.findings import prepare, query_findings, widget_findings
from widgets_app.services.keys import key_for_a_moment, key_issue
from widgets_app.services.publishing import definition_publish
from widgets_app.sources.frame import Frame
from widgets_app.stores import MemoryCache

pytestmark = pytest.mark.django_db

HELD = "select * from prices where ticker in :key_desk order by day, ticker"
LACKS = 'Your key has no row values "desk", which this widget needs. Ask whoever runs this backend to add them.'
_runs = itertools.count()


@data_function("test_row_values_of_caller")
def values_of_caller(*, caller: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what a function is told, and which run it was."""
    return [{"values": json.dumps(caller["values"]), "run": next(_runs)}]


def client_of(*, rows: Mapping[str, Any] | None = None, **more: Any) -> Client:
    """Return a client whose key holds these row values."""
    _, text = key_issue(name="Ana", rows=rows, **more)
    refresh()
    return Client(headers={"X-API-KEY": text})


def hold(holder: Any, values: Any, name: str = "desk") -> RowValue:
    kind = {ApiKey: "api_key", User: "user", Group: "group"}[type(holder)]
    return RowValue.objects.create(name=name, values=values, **{kind: holder})


def tickers(client: Client, path: str = "/prices", **query: Any) -> set[str]:
    answer = client.get(path, query)
    assert answer.status_code == 200, answer.content
    return {row["ticker"] for row in answer.json()}


@pytest.fixture
def widget(define_query: Define, define_widget: Define) -> None:
    define_query(text=HELD)
    define_widget(query="prices")


# ---- whose values count


@pytest.mark.usefixtures("widget")
def test_a_caller_sees_the_rows_of_its_values() -> None:
    assert tickers(client_of(rows={"desk": ["AAA"]})) == {"AAA"}
    assert tickers(client_of(rows={"desk": ["BBB", "nobody's"]})) == {"BBB"}
    assert tickers(client_of(rows={"desk": ["aaa"]})) == set()


@pytest.mark.usefixtures("widget")
def test_the_most_specific_holder_wins_and_groups_are_united() -> None:
    user = User.objects.create_user("ana")
    own, owners, foreign = (Group.objects.create(name=name) for name in ("Own", "Owner's", "Foreign"))
    user.groups.add(owners)
    hold(foreign, ["*"])
    client = client_of(user=user, groups=[own])
    assert client.get("/prices").json()["error"] == LACKS
    hold(own, ["AAA"])
    refresh()
    assert tickers(client) == {"AAA"}
    hold(owners, ["BBB"])
    refresh()
    assert tickers(client) == {"AAA", "BBB"}
    hold(user, ["BBB"])
    refresh()
    assert tickers(client) == {"BBB"}
    hold(ApiKey.objects.get(), ["AAA"])
    refresh()
    assert tickers(client) == {"AAA"}


def test_each_name_has_a_most_specific_holder_of_its_own() -> None:
    group = Group.objects.create(name="Desk")
    hold(group, ["AAA"])
    hold(group, [1], "level")
    _key, text = key_issue(name="Ana", groups=[group], rows={"desk": ["BBB"]})
    refresh()
    caller = authenticate({"x-api-key": text}, {}, "127.0.0.1")
    assert caller.values == {"desk": ("BBB",), "level": (1,)}


@pytest.mark.parametrize("values", [[], "AAA", {"AAA": 1}, ["AAA", None], ["AAA", True], [["AAA"]], 5])
@pytest.mark.usefixtures("widget")
def test_what_is_no_list_of_values_lacks_and_hides_what_wider_holders_have(values: Any) -> None:
    group = Group.objects.create(name="Desk")
    hold(group, ["*"])
    client = client_of(groups=[group])
    assert tickers(client) == {"AAA", "BBB"}
    hold(ApiKey.objects.get(), values)
    refresh()
    answer = client.get("/prices")
    assert (answer.status_code, answer.json()["error"]) == (403, LACKS)


@pytest.mark.usefixtures("widget")
def test_a_star_means_all_rows_wherever_among_a_holders_values() -> None:
    one, other = Group.objects.create(name="One"), Group.objects.create(name="Other")
    hold(one, ["AAA"])
    hold(other, ["*", "AAA"])
    assert tickers(client_of(groups=[one])) == {"AAA"}
    assert tickers(client_of(groups=[one, other])) == {"AAA", "BBB"}
    assert tickers(client_of(groups=[other], rows={"desk": ["AAA"]})) == {"AAA"}


@pytest.mark.usefixtures("widget")
def test_a_caller_without_a_value_is_told_what_to_ask_for(key: str, settings: Any) -> None:
    answer = Client(headers={"X-API-KEY": key}).get("/prices")
    assert (answer.status_code, answer.json()["error"]) == (403, LACKS)
    settings.WIDGETS_OPEN = True
    hold(ApiKey.objects.get(), ["*"])
    refresh()
    answer = Client().get("/prices")
    assert (answer.status_code, answer.json()["error"]) == (403, LACKS)


# ---- only from the caller


@pytest.mark.parametrize("query", [{"key_desk": "BBB"}, {"key_desk": "*"}, {"key_desk": ""}, {"KEY_DESK": "BBB"}])
def test_a_request_can_not_set_them(query: dict[str, str], define_query: Define, define_widget: Define) -> None:
    define_query(text=HELD)
    # An imported widget may have a parameter of such a name.
    define_widget(query="prices", params=[{"paramName": "key_desk", "type": "text", "value": "BBB"}])
    define_widget("paged", query="prices", type="ssrm_table")
    client, stranger = client_of(rows={"desk": ["AAA"]}), client_of()
    assert tickers(client, **query) == {"AAA"}
    assert stranger.get("/prices", query).status_code == 403
    body = json.dumps({"startRow": 0, "endRow": 10, **query})
    page = client.post(f"/paged?key_desk={query.get('key_desk', 'x')}", body, content_type="application/json").json()
    assert ({row["ticker"] for row in page["rowData"]}, page["rowCount"]) == ({"AAA"}, 2)
    assert stranger.post("/paged", body, content_type="application/json").status_code == 403


@pytest.mark.parametrize("value", ["x') or ('1'='1", "AAA'--", "$key_desk", ":key_desk", "%", "null", "*'", "AAA, BBB"])
@pytest.mark.usefixtures("widget")
def test_values_are_bound(value: str) -> None:
    assert tickers(client_of(rows={"desk": [value]})) == set()
    assert tickers(client_of(rows={"desk": [value, "AAA"]})) == {"AAA"}


# ---- what a query may say


ALLOWED = {
    "{} in :key_desk": {"AAA"},
    "{} in (:key_desk)": {"AAA"},
    "p.{} in :key_desk and 1 = 1": {"AAA"},
    "1 = 0 or {} in :key_desk": {"AAA"},
    "upper({}) in :key_desk": {"AAA"},
    "({} in :key_desk) and price > 0": {"AAA"},
    "price between 1 and 100 and {} in :key_desk": {"AAA"},
    "price < 0 and {} in :key_desk": set(),
    "{} in :key_desk and price < 0": set(),
}
# What follows a NOT is less for who has more.
TURNED = {"not ({} in :key_desk)": {"BBB"}, "not ({} in (:key_desk)) and 1 = 1": {"BBB"}}


@pytest.mark.parametrize("condition", [*ALLOWED, *TURNED])
def test_conditions_in_files_hold_for_a_star_and_mean_what_they_say(
    condition: str, define_query: Define, define_widget: Define
) -> None:
    define_query(text="select ticker from prices p where " + condition.format("ticker"))
    define_widget(query="prices")
    expected = {**ALLOWED, **TURNED}[condition]
    assert tickers(client_of(rows={"desk": ["AAA"]})) == expected
    everything = set() if not expected or condition in TURNED else {"AAA", "BBB"}
    assert tickers(client_of(rows={"desk": ["*"]})) == everything


REFUSED = [
    "ticker not in :key_desk", "not ticker in :key_desk", "ticker = :key_desk", ":key_desk is null",
    ":key_desk is null or ticker in :key_desk", "ticker in (:key_desk, 'BBB')", "'x' || ticker in :key_desk",
    "ticker in :key_desk || 'x'", "price between 1 and ticker in :key_desk", "ticker in :key_desk = true",
    "'AAA' in :key_desk", "ticker in :key_desk is null", "list_contains(:key_desk, ticker)", "ticker in :KEY_desk",
    "ticker in :key_Desk", "ticker in :key_", "ticker in :key_1", "not(ticker) in :key_desk", "a is not b in :key_desk",
]  # fmt: skip


@pytest.mark.parametrize("kind", ["files", "database"])
@pytest.mark.parametrize("condition", REFUSED)
def test_other_places_are_refused_as_they_might_open_rows(
    condition: str, kind: str, tmp_path: Path, files_source: Source
) -> None:
    source = files_source
    if kind == "database":
        source = Source.objects.create(name="db", kind="database", options={"url": f"sqlite:///{tmp_path}/x.db"})
    with pytest.raises(DefinitionError, match=r"placeholder \":(key|KEY)_"):
        prepare(source, f"select * from prices where {condition}")


def test_a_text_that_may_be_used_has_no_findings(define_query: Define) -> None:
    assert query_findings(define_query(text=HELD)) == []


@pytest.mark.parametrize("kind", PLACES)
def test_every_database_shows_the_rows_of_the_values(
    kind: str, tmp_path: Path, define_query: Define, define_widget: Define
) -> None:
    with PLACES[kind](tmp_path) as place:
        secrets = seal({"password": place.password}) if place.password else None
        Source.objects.create(name="trades", kind="database", options={"url": place.url}, secrets=secrets)
        place.execute("insert into trades values (4, null, 1, null)")
        define_query("names", "select id from trades where name in :key_name order by id", source="trades")
        define_query("numbers", "select id from trades where id in (:key_id) and 1 = 1 order by id", source="trades")
        define_query(
            "others", "select id from trades where not (t.name in :key_name)".replace("t.", ""), source="trades"
        )
        for name in ("names", "numbers", "others"):
            define_widget(name, query=name)

        def ids(client: Client, path: str) -> list[int]:
            answer = client.get(path)
            assert answer.status_code == 200, answer.content
            return sorted(row["id"] for row in answer.json())

        some = client_of(rows={"name": ["Zoë's", "BBB", "x') or ('1'='1"], "id": [1, 3]})
        assert (ids(some, "/names"), ids(some, "/numbers"), ids(some, "/others")) == ([2, 3], [1, 3], [1])
        every = client_of(rows={"name": ["*"], "id": ["*"]})
        assert (ids(every, "/names"), ids(every, "/numbers"), ids(every, "/others")) == ([1, 2, 3, 4], [1, 2, 3, 4], [])
        assert client_of().get("/names").status_code == 403


def test_rows_of_a_collection_are_kept_apart_too(define_query: Define, define_widget: Define) -> None:
    source = Source.objects.create(
        name="visits", kind="collection", options={"columns": ["vessel: text", "port: text"]}
    )
    for vessel, port in (("Aurora", "RIX"), ("Birk", "VNT")):
        CollectionRow.objects.create(source=source, data={"vessel": vessel, "port": port}, created_by="t")
    define_query("visits", "select vessel from rows where port in :key_port order by 1", source="visits")
    define_widget("visits", query="visits")
    assert client_of(rows={"port": ["RIX"]}).get("/visits").json() == [{"vessel": "Aurora"}]
    assert len(client_of(rows={"port": ["*"]}).get("/visits").json()) == 2
    assert client_of(rows={"desk": ["RIX"]}).get("/visits").status_code == 403


def test_pages_counts_and_groups_of_a_grid_have_no_rows_of_others(define_query: Define, define_widget: Define) -> None:
    define_query(text=HELD)
    define_widget(query="prices", type="ssrm_table")

    def ask(client: Client, **parts: Any) -> Any:
        answer = client.post(
            "/prices", json.dumps({"startRow": 0, "endRow": 1, **parts}), content_type="application/json"
        )
        assert answer.status_code == 200, answer.content
        return answer.json()

    one, other, every = (client_of(rows={"desk": [name]}) for name in ("AAA", "BBB", "*"))
    for _ in range(2):
        assert [ask(client)["rowCount"] for client in (one, other, every)] == [2, 1, 3]
        assert [ask(client)["rowData"][0]["ticker"] for client in (one, other)] == ["AAA", "BBB"]
        grouped = {"rowGroupCols": [{"field": "ticker", "id": "ticker"}], "endRow": 9}
        assert [ask(client, **grouped)["rowCount"] for client in (one, other, every)] == [1, 1, 2]


def test_values_of_another_type_than_their_column_are_told(define_query: Define, define_widget: Define) -> None:
    define_query(text="select * from prices where volume in :key_volume")
    define_widget(query="prices")
    assert tickers(client_of(rows={"volume": [100, 2.5]})) == {"AAA"}
    assert tickers(client_of(rows={"volume": ["*"]})) == {"AAA", "BBB"}
    answer = client_of(rows={"volume": ["100"]}).get("/prices")
    assert (answer.status_code, "cast(id as varchar)" in answer.json()["error"]) == (502, True)


# ---- dropdowns, functions


def test_dropdowns_offer_what_the_caller_may_see(define_query: Define, define_widget: Define) -> None:
    define_query("tickers", "select distinct ticker as value from prices where ticker in :key_desk order by 1")
    followed = (
        "select distinct day::text as value from prices where ticker in :key_desk and ticker = :ticker order by 1"
    )
    define_query("days", followed)
    params = [
        {"paramName": name, "type": "endpoint", "optionsEndpoint": f"options/{query}"}
        for name, query in (("ticker", "tickers"), ("day", "days"))
    ]
    define_widget(params=params)
    one, stranger = client_of(rows={"desk": ["AAA"]}), client_of()
    assert [option["value"] for option in one.get("/options/tickers").json()] == ["AAA"]
    assert [option["value"] for option in one.get("/options/tickers?key_desk=BBB").json()] == ["AAA"]
    assert one.get("/options/days").json() == []
    assert len(one.get("/options/days?ticker=AAA").json()) == 2
    assert one.get("/options/days?ticker=BBB").json() == []
    answer = stranger.get("/options/tickers")
    assert (answer.status_code, answer.json()["error"]) == (403, LACKS)
    assert stranger.get("/options/days?ticker=AAA").status_code == 403


def test_functions_are_told_what_the_caller_holds_and_share_no_results(
    db: None, define_query: Define, define_widget: Define
) -> None:
    Source.objects.create(name="code", kind="python")
    define_query("told", "test_row_values_of_caller", source="code")
    define_widget("told", query="told")
    group = Group.objects.create(name="Desk")
    hold(group, ["x", 5], "b")
    (one,) = client_of(rows={"a": ["*"]}, groups=[group]).get("/told").json()
    assert json.loads(one["values"]) == {"a": ["*"], "b": ["5", "x"]}
    (other,) = client_of(rows={"a": ["x"]}, groups=[group]).get("/told").json()
    assert (json.loads(other["values"])["a"], other["run"]) == (["x"], one["run"] + 1)


def test_an_argument_of_a_function_can_not_have_such_a_name(db: None) -> None:
    @data_function("test_row_values_reserved")
    def reserved(key_desk: str = "") -> None: ...

    source = Source.objects.create(name="code", kind="python")
    with pytest.raises(DefinitionError, match="caller\\["):
        prepare(source, "test_row_values_reserved")


# ---- kept results


def test_equal_values_share_a_result_and_others_never_do(
    define_query: Define, define_widget: Define, monkeypatch: pytest.MonkeyPatch
) -> None:
    define_query(text=HELD)
    define_widget(query="prices")
    runs: list[Any] = []
    fresh = serving.Read.fresh

    def counted(read: serving.Read) -> Frame:
        runs.append(read.values)
        return fresh(read)

    monkeypatch.setattr(serving.Read, "fresh", counted)
    callers = [
        ({"desk": ["AAA", "BBB"]}, {"AAA", "BBB"}, 1),
        ({"desk": ["BBB", "AAA"], "other": ["x"]}, {"AAA", "BBB"}, 1),
        ({"desk": ["AAA"]}, {"AAA"}, 2),
        ({"desk": ["*"]}, {"AAA", "BBB"}, 3),
        ({"desk": ["AAA,BBB"]}, set(), 4),
        ({"desk": ["BBB"]}, {"BBB"}, 5),
        ({"desk": ["AAA"]}, {"AAA"}, 5),
    ]
    for rows, seen, expected in callers:
        assert tickers(client_of(rows=rows)) == seen
        assert len(runs) == expected
    assert client_of().get("/prices").status_code == 403


@pytest.mark.usefixtures("widget")
def test_what_is_answered_from_memory_is_kept_apart_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "results", MemoryCache("test", {}))
    (_, one), (_, other) = key_issue(name="A", rows={"desk": ["AAA"]}), key_issue(name="B", rows={"desk": ["BBB"]})
    _, stranger = key_issue(name="C")
    refresh()
    callers = {text: authenticate({"x-api-key": text}, {}, "127.0.0.1") for text in (one, other, stranger)}
    asked = serving.Asked("prices", {"key_desk": ["AAA"]})
    assert serving.serve_kept(asked, callers[one]) is None
    serving.serve(asked, callers[one])
    kept = serving.serve_kept(asked, callers[one])
    assert kept is not None
    assert b"AAA" in kept.content
    assert b"BBB" not in kept.content
    assert serving.serve_kept(asked, callers[other]) is None
    for nobody in (callers[stranger], ANYONE):
        with pytest.raises(Forbidden):
            serving.serve_kept(asked, nobody)

    def at_once(text: str) -> bool:
        headers = [(b"host", b"127.0.0.1"), (b"x-api-key", text.encode())]
        return front.answer("GET", "/prices", headers, b"key_desk=AAA", "127.0.0.1") is not None

    assert [at_once(text) for text in callers] == [True, False, False]


@pytest.mark.usefixtures("widget")
@pytest.mark.django_db(transaction=True)
def test_changes_at_any_holder_are_seen_at_the_next_look() -> None:
    user, group = User.objects.create_user("ana"), Group.objects.create(name="Desk")
    client = client_of(user=user, groups=[group], rows={"desk": ["AAA"]})
    assert tickers(client) == {"AAA"}

    def look() -> None:
        KEYS.check()

    RowValue.objects.filter(api_key__isnull=False).delete()
    look()
    assert client.get("/prices").status_code == 403
    of_group = hold(group, ["BBB"])
    look()
    assert tickers(client) == {"BBB"}
    RowValue.objects.filter(pk=of_group.pk).update(values=["*"])
    look()
    assert tickers(client) == {"AAA", "BBB"}
    of_user = hold(user, ["AAA"])
    look()
    assert tickers(client) == {"AAA"}
    of_user.delete()
    user.groups.add(group)
    ApiKey.groups.through.objects.all().delete()
    look()
    assert tickers(client) == {"AAA", "BBB"}
    user.groups.clear()
    look()
    assert client.get("/prices").status_code == 403


# ---- definitions


def test_publishing_needs_no_holder_and_no_parameter(define_query: Define) -> None:
    define_query(text=HELD)
    widget = read_widget({
        "id": "w", "feeds": {"rows": "prices"},
        "definition": {"name": "W", "description": "d", "type": "table", "endpoint": "w"},
    })  # fmt: skip
    assert not [finding for finding in widget_findings(widget) if finding.severity == "error"]
    definition_publish(widget)


def test_a_parameter_of_such_a_name_is_an_error_but_for_upstreams(define_query: Define, desk: Source) -> None:
    define_query()
    params = [{"paramName": "Key_desk", "type": "text"}]

    def codes(**more: Any) -> dict[str, str]:
        widget = read_widget({
            "id": f"w{next(_runs)}", **more,
            "definition": {"name": "W", "description": "d", "type": "table", "endpoint": "w", "params": params},
        })  # fmt: skip
        return {finding.code: finding.severity for finding in widget_findings(widget)}

    assert codes(feeds={"rows": "prices"})["parameter-key-name"] == "error"
    assert "parameter-key-name" not in codes(upstream="desk")


@pytest.mark.usefixtures("widget")
def test_the_key_of_an_examination_sees_every_row() -> None:
    with key_for_a_moment("examined", timedelta(minutes=1)) as text:
        KEYS.reset()
        assert tickers(Client(headers={"X-API-KEY": text})) == {"AAA", "BBB"}
    assert not RowValue.objects.exists()
