"""Rows in this backend's database: typed, queried like files, and as they are now."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from pydantic import ValidationError

from tests.conftest import Define, refresh
from widgets_app.errors import DefinitionError, SourceFailed
from widgets_app.manifest.reading import read_query
from widgets_app.models import CollectionRow, Revision, Source
from widgets_app.services.publishing import definition_publish
from widgets_app.sources.base import Call, Limits
from widgets_app.sources.collection import CollectionBackend, CollectionOptions

pytestmark = pytest.mark.django_db(transaction=True)

COLUMNS = ["vessel: text", "tons: number", "in_port: boolean", "arrived: date", "seen: datetime"]
FULL = {"vessel": "Aurora", "tons": 12.5, "in_port": True, "arrived": "2024-02-29", "seen": "2024-02-29T10:00:00"}


@pytest.fixture
def log() -> Source:
    return Source.objects.create(name="log", kind="collection", options={"columns": COLUMNS, "key": ["vessel"]})


def ask(text: str, **values: Any) -> list[dict[str, Any]]:
    query = CollectionBackend("log", CollectionOptions(columns=COLUMNS)).prepare(text)
    return query.run(values, Limits(), Call()).rows()


def add(log: Source, **data: Any) -> CollectionRow:
    return CollectionRow.objects.create(source=log, data=data, created_by="Ana")


def test_values_come_back_with_the_types_of_their_columns(log: Source) -> None:
    row = add(log, **FULL)
    add(log, vessel="Borealis")
    found = ask("select * exclude (created_at, updated_at) from rows order by row_id")
    assert found[0] == {**FULL, "row_id": row.pk, "created_by": "Ana"}
    assert found[1] == {**dict.fromkeys(FULL), "vessel": "Borealis", "row_id": row.pk + 1, "created_by": "Ana"}
    types = "select typeof(tons) as n, typeof(arrived) as d, typeof(seen) as t, typeof(created_at) as c from rows"
    assert ask(types)[0] == {"n": "DOUBLE", "d": "DATE", "t": "TIMESTAMP", "c": "TIMESTAMP"}


def test_a_collection_without_rows_has_its_columns(log: Source) -> None:
    assert ask("select * from rows") == []
    query = CollectionBackend("log", CollectionOptions(columns=COLUMNS)).prepare("select vessel, tons from rows")
    assert [(column.name, column.type) for column in query.columns()] == [("vessel", "text"), ("tons", "number")]


def test_values_are_bound(log: Source) -> None:
    add(log, vessel="Aurora'; drop table rows; --")
    text = "select vessel from rows where vessel = :vessel"
    assert ask(text, vessel="Aurora'; drop table rows; --") == [{"vessel": "Aurora'; drop table rows; --"}]
    assert ask(text, vessel="Aurora") == []


def test_a_value_that_does_not_suit_its_column_any_more_is_null(log: Source) -> None:
    add(log, vessel="Aurora", tons="many", arrived="soon")
    assert ask("select vessel, tons, arrived from rows") == [{"vessel": "Aurora", "tons": None, "arrived": None}]


def test_nothing_else_is_within_reach(log: Source, tmp_path: Any) -> None:
    (tmp_path / "x.csv").write_text("a\n1\n")
    with pytest.raises((DefinitionError, SourceFailed)):
        ask(f"select * from read_csv('{tmp_path}/x.csv')")
    with pytest.raises(DefinitionError, match="Only a SELECT"):
        ask("delete from rows")
    with pytest.raises(DefinitionError, match='The rows of a collection are the table "rows"'):
        ask("select * from prices")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"columns": ["vessel"]}, "write the type of vessel"),
        ({"columns": ["vessel: blob"]}, "write the type of vessel"),
        ({"columns": ["a: text", "A: number"]}, "the column A is there already"),
        ({"columns": ["created_at: date"]}, "the column created_at is there already"),
        ({"columns": ["1 a: text"]}, "is no name of a column"),
        ({"columns": ["a: text"], "key": ["b"]}, "the key has b, which is no column"),
        ({"columns": ["a: text"], "max_rows": 0}, "max_rows"),
    ],
)
def test_columns_that_can_not_be_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        CollectionOptions.model_validate(options)


def test_a_collection_without_columns_can_not_be_opened() -> None:
    with pytest.raises(DefinitionError, match="has no columns"):
        CollectionBackend("log", CollectionOptions())


def test_every_change_moves_the_number_of_its_collection_alone(log: Source) -> None:
    other = Source.objects.create(name="other", kind="collection", options={"columns": COLUMNS})
    row = add(other, vessel="x")

    def numbers() -> tuple[int, int]:
        found = dict(Revision.objects.values_list("name", "number"))
        return found.get(f"rows_{log.pk}", 0), found.get(f"rows_{other.pk}", 0)

    before = numbers()
    for change in (
        lambda: CollectionRow.objects.bulk_create([CollectionRow(source=log, data={"vessel": "a"})]),
        lambda: CollectionRow.objects.filter(source=log).update(data={"vessel": "b"}),
        lambda: CollectionRow.objects.filter(source=log).delete(),
    ):
        change()
        assert numbers()[0] > before[0]
        assert numbers()[1] == before[1]
        before = numbers()
    with transaction.atomic():
        row.delete()
        transaction.set_rollback(True)
    assert numbers() == before


def test_a_change_shows_at_the_very_next_request_though_results_are_kept(
    log: Source, caller: Client, define_widget: Define, django_assert_num_queries: Any
) -> None:
    query = read_query({
        "name": "log", "description": "", "source": "log", "text": "select vessel, tons from rows order by row_id",
        "cache_seconds": 600, "seconds": None, "rows": None, "options_path": "options/log", "choices": [],
    })  # fmt: skip
    definition_publish(query)
    define_widget("log", query="log")
    refresh()
    assert caller.get("/log").json() == []
    row = add(log, vessel="Aurora", tons=1)
    assert caller.get("/log").json() == [{"vessel": "Aurora", "tons": 1.0}]
    CollectionRow.objects.filter(pk=row.pk).update(data={"vessel": "Aurora", "tons": 2})
    assert caller.get("/log").json() == [{"vessel": "Aurora", "tons": 2.0}]
    with django_assert_num_queries(1):
        assert json.loads(caller.get("/log").content) == [{"vessel": "Aurora", "tons": 2.0}]
    row.delete()
    assert caller.get("/log").json() == []
