"""The same widget gives the same bytes, whatever kind of source its rows come from."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest
from django.conf import settings
from django.test import Client

from tests.conftest import Define
from tests.sources import databases
from tests.sources.api import Asked, Given, served
from widgets_app import functions
from widgets_app.models import CollectionRow, Source
from widgets_app.sealing import seal

pytestmark = pytest.mark.django_db

ROWS = [
    {"id": 1, "name": "AAA", "price": 1.5, "day": datetime.date(2024, 1, 2)},
    {"id": 2, "name": "Zoë's", "price": None, "day": datetime.date(2024, 1, 3)},
    {"id": 3, "name": "BBB", "price": 2.0, "day": None},
]
TEXT = "select id, name, price, day from trades where :least is null or id >= :least order by id"
ALL = (
    '[{"id":1,"name":"AAA","price":1.5,"day":"2024-01-02"},'
    '{"id":2,"name":"Zoë\'s","price":null,"day":"2024-01-03"},'
    '{"id":3,"name":"BBB","price":2.0,"day":null}]'
).encode()
PAGE = {
    "startRow": 0, "endRow": 2, "sortModel": [{"colId": "price", "sort": "desc"}],
    "filterModel": {"name": {"filterType": "text", "type": "notEqual", "filter": "aaa"}},
}  # fmt: skip

# Makes the source "trades"; the text of a query that gives the rows.
Place = Callable[[Path, pytest.MonkeyPatch], Iterator[str]]


def _files(write: Callable[[Path], Any]) -> Place:
    def place(_: Path, __: pytest.MonkeyPatch) -> Iterator[str]:
        folder = Path(settings.WIDGETS_FILES) / "trades"
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():
            old.unlink()
        write(folder)
        Source.objects.create(name="trades", kind="files")
        yield TEXT

    return place


def _csv(folder: Path) -> None:
    lines = [",".join("" if value is None else str(value) for value in row.values()) for row in ROWS]
    (folder / "trades.csv").write_text("\n".join(["id,name,price,day", *lines]), encoding="utf-8")


def _parquet(folder: Path) -> None:
    values = ", ".join("(?, ?, ?, ?)" for _ in ROWS)
    table = f"select id::integer as id, name, price::double as price, day::date as day from (values {values}) t(id, name, price, day)"
    given = [value for row in ROWS for value in row.values()]
    duckdb.connect().execute(f"copy ({table}) to '{folder / 'trades.parquet'}' (format parquet)", given)


def _database(kind: str) -> Place:
    def place(folder: Path, _: pytest.MonkeyPatch) -> Iterator[str]:
        with databases.PLACES[kind](folder) as found:
            secrets = seal({"password": found.password}) if found.password else None
            Source.objects.create(name="trades", kind="database", options={"url": found.url}, secrets=secrets)
            yield TEXT

    return place


def _python(_: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(functions, "_FUNCTIONS", {})

    @functions.data_function
    def trades(least: int | None = None) -> list[dict[str, object]]:
        return [row for row in ROWS if least is None or int(str(row["id"])) >= least]

    Source.objects.create(name="trades", kind="python")
    yield "trades"


def _collection(_: Path, __: pytest.MonkeyPatch) -> Iterator[str]:
    columns = ["id: number", "name: text", "price: number", "day: date"]
    source = Source.objects.create(name="trades", kind="collection", options={"columns": columns})
    for row in ROWS:
        data = {name: str(value) if isinstance(value, datetime.date) else value for name, value in row.items()}
        CollectionRow.objects.create(source=source, data=data)
    # The numbers of a collection may have decimals.
    yield TEXT.replace("select id", "select id::integer as id").replace("trades", "rows")


def _http(_: Path, __: pytest.MonkeyPatch) -> Iterator[str]:
    def answer(asked: Asked) -> Any:
        least = float(asked.values.get("least", 0))
        rows = [row for row in ROWS if int(str(row["id"])) >= least]
        return Given(json.dumps({"items": rows}, default=str).encode())

    with served() as api:
        api.answer = answer
        options = {"url": f"http://127.0.0.1:{api.port}", "private_hosts": ["127.0.0.1"]}
        Source.objects.create(name="trades", kind="http", options=options)
        yield "GET /trades?least=:least\nrows: items"


PLACES: dict[str, Place] = {
    "csv": _files(_csv),
    "parquet": _files(_parquet),
    "sqlite": _database("sqlite"),
    "postgresql": _database("postgresql"),
    "mariadb": _database("mariadb"),
    "python": _python,
    "collection": _collection,
    "http": _http,
}


@pytest.mark.parametrize("kind", PLACES)
def test_a_widget_gives_the_same_bytes(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caller: Client, define_query: Define,
    define_widget: Define,
) -> None:  # fmt: skip
    with contextmanager(PLACES[kind])(tmp_path, monkeypatch) as text:
        define_query("trades", text, source="trades")
        params = [{"paramName": "least", "type": "number"}]
        define_widget("trades", query="trades", params=params)
        define_widget("paged", type="ssrm_table", query="trades", params=params)
        assert caller.get("/trades").content == ALL
        assert [row["id"] for row in caller.get("/trades", {"least": 2}).json()] == [2, 3]
        page = caller.post("/paged", PAGE, content_type="application/json")
        expected = ALL[1:-1].decode().split("},")
        assert page.content.decode() == (f'{{"rowData":[{expected[2]},{expected[1]}}}],"rowCount":2}}')
