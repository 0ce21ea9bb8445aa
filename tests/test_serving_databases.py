"""Widgets over databases: served, paged and exported as others are."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from django.test import Client

from tests.conftest import Define, refresh
from tests.sources.databases import PLACES
from widgets_app.models import Source
from widgets_app.sealing import seal
from widgets_app.services.sources import secrets_of, source_document, source_save

pytestmark = pytest.mark.django_db

SECRET = "hunter-2-hunter"


@pytest.mark.parametrize("kind", PLACES)
def test_a_widget_is_the_same_over_any_database(
    kind: str, tmp_path: Path, caller: Client, define_query: Define, define_widget: Define
) -> None:
    with PLACES[kind](tmp_path) as place:
        secrets = seal({"password": place.password}) if place.password else None
        Source.objects.create(name="trades", kind="database", options={"url": place.url}, secrets=secrets)
        text = "select id, name, price from trades where (:name is null or name in :name) order by id"
        define_query("trades", text, source="trades")
        params = [{"paramName": "name", "type": "text", "value": "AAA,Zoë's", "multiSelect": True, "options": [
            {"label": name, "value": name} for name in ("AAA", "BBB", "Zoë's")
        ]}]  # fmt: skip
        define_widget("trades", query="trades", params=params)
        define_widget("paged", type="ssrm_table", query="trades")
        assert (
            caller.get("/trades").content
            == ('[{"id":1,"name":"AAA","price":1.5},{"id":2,"name":"Zoë\'s","price":null}]').encode()
        )
        assert [row["id"] for row in caller.get("/trades", {"name": "BBB"}).json()] == [3]
        page = {"startRow": 0, "endRow": 2, "sortModel": [{"colId": "price", "sort": "desc"}]}
        answer = caller.post("/paged", json.dumps(page), content_type="application/json").json()
        assert ([row["id"] for row in answer["rowData"]], answer["rowCount"]) == ([3, 1], 3)


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_pages_that_a_database_cannot_make_are_made_here(
    kind: str, tmp_path: Path, caller: Client, define_query: Define, define_widget: Define
) -> None:
    with PLACES[kind](tmp_path) as place:
        secrets = seal({"password": place.password}) if place.password else None
        Source.objects.create(name="trades", kind="database", options={"url": place.url}, secrets=secrets)
        define_query("twice", "select id, name as a, price as a from trades", source="trades")
        define_widget("twice", type="ssrm_table", query="twice")
        page = {"startRow": 0, "endRow": 2, "sortModel": [{"colId": "a_1", "sort": "desc"}]}
        answer = caller.post("/twice", json.dumps(page), content_type="application/json").json()
        assert [row["a_1"] for row in answer["rowData"]] == [2.0, 1.5]
        assert answer["rowCount"] == 3


@pytest.mark.parametrize("kind", PLACES)
def test_a_page_reaches_beyond_the_limit_of_rows(
    kind: str, tmp_path: Path, caller: Client, define_query: Define, define_widget: Define
) -> None:
    with PLACES[kind](tmp_path) as place:
        secrets = seal({"password": place.password}) if place.password else None
        Source.objects.create(name="trades", kind="database", options={"url": place.url}, secrets=secrets, rows=1)
        define_query("trades", "select id, name from trades", source="trades")
        define_widget("trades", query="trades")
        define_widget("paged", type="ssrm_table", query="trades")
        assert len(caller.get("/trades").json()) == 1
        page = {"startRow": 0, "endRow": 10, "sortModel": [{"colId": "id", "sort": "desc"}]}
        answer = caller.post("/paged", json.dumps(page), content_type="application/json").json()
        assert ([row["id"] for row in answer["rowData"]], answer["rowCount"]) == ([3, 2, 1], 3)


def test_a_failing_database_is_one_line_for_the_caller(
    tmp_path: Path, caller: Client, define_query: Define, define_widget: Define
) -> None:
    path = tmp_path / "gone.db"
    Source.objects.create(name="trades", kind="database", options={"url": f"sqlite:///{path}"})
    define_query("trades", "select 1 as a", source="trades")
    define_widget("trades", query="trades")
    answer = caller.get("/trades")
    assert (answer.status_code, answer.json()["detail"].count("\n")) == (502, 0)
    assert "can't be opened" in answer.json()["detail"]
    with closing(sqlite3.connect(path)) as made:
        made.execute("create table t (a int)")
    assert caller.get("/trades").json() == [{"a": 1}]


def test_rows_of_one_database_are_not_given_for_another(
    tmp_path: Path, caller: Client, define_query: Define, define_widget: Define
) -> None:
    for number in (1, 2):
        with closing(sqlite3.connect(tmp_path / f"{number}.db")) as made:
            made.execute(f"create table t as select {number} as a")
    source = Source.objects.create(name="trades", kind="database", options={"url": f"sqlite:///{tmp_path}/1.db"})
    define_query("trades", "select a from t", source="trades", cache_seconds=3600)
    define_widget("trades", query="trades")
    define_widget("paged", query="trades", type="ssrm_table")
    first = caller.get("/trades")
    page = json.dumps({"startRow": 0, "endRow": 10})
    assert caller.post("/paged", page, content_type="application/json").json()["rowData"] == [{"a": 1}]
    source.options = {"url": f"sqlite:///{tmp_path}/2.db"}
    source.save()
    refresh()
    second = caller.get("/trades", headers={"If-None-Match": first.headers["ETag"]})
    assert (first.json(), second.status_code, second.json()) == ([{"a": 1}], 200, [{"a": 2}])
    assert caller.post("/paged", page, content_type="application/json").json()["rowData"] == [{"a": 2}]


def test_a_password_is_in_no_document_and_goes_with_its_address() -> None:
    document = {"name": "db", "kind": "database", "options": {"url": "postgresql://ana@one.example.com/x"}}
    source = source_save(document, secrets={"password": SECRET})
    assert SECRET not in json.dumps(source_document(source))
    source_save({"description": "New"}, source)
    assert secrets_of(source) == {"password": SECRET}
    source_save({"options": {"url": "postgresql://ana@two.example.com/x"}}, source)
    assert secrets_of(source) == {}
