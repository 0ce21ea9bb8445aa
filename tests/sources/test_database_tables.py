"""Tables of databases: listed, searched, bounded, quoted right whatever they are called, with columns and rows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import make_url

from tests.sources.databases import PLACES, Place
from widgets_app.sources.base import Call, Limits, Table
from widgets_app.sources.database import DatabaseBackend, DatabaseOptions

ODD = ("<script>alert(1)</script>", "od`d", 'q"uote', "a:b %s %(c)s", "semi; drop table trades", "Ünïcode", "select")


@pytest.fixture(scope="module", params=PLACES)
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with PLACES[request.param](tmp_path_factory.mktemp("database")) as found:
        for name in ODD:
            found.execute(f"create table {quoted(found, name)} (id integer, {quoted(found, name)} varchar(20))")
            found.execute(f"insert into {quoted(found, name)} values (1, 'one'), (2, 'two')")
        found.execute("create view dear as select * from trades where price > 1")
        yield found


def quoted(place: Place, name: str) -> str:
    mark = "`" if place.kind == "mariadb" else '"'
    written = mark + name.replace(mark, mark * 2) + mark
    # The test's own drivers take a percent sign for a placeholder only where values are given.
    return written


@pytest.fixture
def backend(place: Place) -> DatabaseBackend:
    return DatabaseBackend("desk", DatabaseOptions(url=place.url, password=place.password))  # type: ignore[arg-type]


def tables(backend: DatabaseBackend, search: str = "", rows: int = 500) -> list[Table]:
    return list(backend.tables(search, Limits(rows=rows), Call()))


def full(place: Place, name: str) -> str:
    schema = {"sqlite": "", "postgresql": "public."}.get(place.kind, f"{make_url(place.url).database}.")
    return f"{schema}{name}"


def test_tables_and_views_are_listed_by_name(backend: DatabaseBackend, place: Place) -> None:
    found = {table.name: table.kind for table in tables(backend, full(place, "") if place.kind != "sqlite" else "")}
    wanted = {full(place, name): "table" for name in (*ODD, "trades")} | {full(place, "dear"): "view"}
    assert found == wanted


def test_a_list_is_searched_and_bounded(backend: DatabaseBackend, place: Place) -> None:
    found = [table.name for table in tables(backend, "TRADE")]
    # Other databases of the same server may have such tables too.
    own = [name for name in found if name.startswith(full(place, ""))]
    assert own == [full(place, "semi; drop table trades"), full(place, "trades")]
    assert len(tables(backend, rows=2)) == 3
    exact = full(place, "trades")
    assert tables(backend, exact, rows=1)[0].name == exact
    assert tables(backend, "%") != tables(backend, "")
    assert not tables(backend, "' or 1=1 --")
    assert isinstance(tables(backend, "nul\0"), list)


@pytest.mark.parametrize("name", ODD)
def test_every_name_is_quoted_right(backend: DatabaseBackend, place: Place, name: str) -> None:
    (table, *_) = tables(backend, full(place, name), rows=1)
    assert table.name == full(place, name)
    assert [column.name for column in backend.table_columns(table, Limits(), Call())] == ["id", name]
    assert backend.sample(table, Limits(rows=1), Call()).rows() == [{"id": 1, name: "one"}]


def test_columns_have_the_types_of_the_database(backend: DatabaseBackend, place: Place) -> None:
    (table, *_) = tables(backend, full(place, "trades"), rows=1)
    found = {column.name: column.type.lower() for column in backend.table_columns(table, Limits(), Call())}
    assert list(found) == ["id", "name", "price", "day"]
    assert found["name"] in ("varchar(40)", "character varying(40)")
    assert found["price"].startswith("double")


def test_the_login_sees_its_own_tables_only(place: Place) -> None:
    if place.kind != "postgresql":
        pytest.skip("PostgreSQL only")
    place.execute("create role widgets_blind login")
    try:
        url = make_url(place.url).set(username="widgets_blind").render_as_string()
        backend = DatabaseBackend("desk", DatabaseOptions(url=url))
        assert tables(backend) == []
        place.execute("grant select on trades to widgets_blind")
        assert [table.name for table in tables(backend)] == ["public.trades"]
    finally:
        place.execute("drop owned by widgets_blind")
        place.execute("drop role widgets_blind")
