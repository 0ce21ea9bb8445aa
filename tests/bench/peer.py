"""The peer: what people write by hand with FastAPI for the same answers, from plain to as fast as it gets."""

from __future__ import annotations

import hmac
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import duckdb
import orjson
from fastapi import Depends, FastAPI, Header, HTTPException
from fastapi.responses import JSONResponse, Response

from tests.bench.works import PAGE_FILTER, PAGED, ROWS, statement, table_name

FOLDER = Path(os.environ["BENCH_FOLDER"])
KEY = os.environ["BENCH_KEY"].encode()
MANIFEST = Path(os.environ["BENCH_MANIFEST"])
JSON = "application/json"


async def check_key(x_api_key: Annotated[str, Header()] = "") -> None:
    """Refuse a request without the key."""
    if not hmac.compare_digest(x_api_key.encode(), KEY):
        raise HTTPException(403, "Wrong key.")


def _database() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    for rows in ROWS:
        file = FOLDER / f"{table_name(rows)}.csv"
        connection.execute(f"create table {table_name(rows)} as from read_csv('{file}', sample_size = -1)")
    return connection


database = _database()


def _rows(rows: int) -> list[dict[str, Any]]:
    with database.cursor() as cursor:
        found = cursor.execute(statement(rows))
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def file() -> Any:
    """Read the manifest's file and write it again, as the official example does."""
    return JSONResponse(json.load(MANIFEST.open()))


# Without a return type, as most such functions are written: FastAPI then walks through every value by itself.
def dicts(rows: int):
    """Return the rows as dicts."""
    return _rows(rows)


def typed(rows: int) -> list[dict[str, Any]]:
    """Return the rows as dicts, with a return type: FastAPI then has pydantic check and write them."""
    return _rows(rows)


def fast_json(rows: int) -> Any:
    """Write the rows with orjson."""
    return Response(orjson.dumps(_rows(rows)), media_type=JSON)


def page(kind: str) -> Any:
    """Return one page of the Parquet file and the number of rows or groups, with orjson."""
    source = f"from read_parquet('{FOLDER / PAGED}.parquet') where {PAGE_FILTER}"
    ties = "id, day, traded_at, ticker, volume, is_open"
    text, count = {
        "sorted": (f"select * {source} order by price desc, {ties} limit 100", f"select count(*) {source}"),
        "grouped": (
            f"select ticker, max(price) as price, sum(volume)::bigint as volume {source} group by ticker "
            "order by max(price) desc, ticker limit 10",
            f"select count(distinct ticker) {source}",
        ),
    }[kind]
    with database.cursor() as cursor:
        found = cursor.execute(text)
        names = [column[0] for column in found.description]
        rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
        total = cursor.execute(count).fetchall()[0][0]
    return Response(orjson.dumps({"rowData": rows, "rowCount": total}), media_type=JSON)


_manifest = MANIFEST.read_bytes()
_tables = {rows: orjson.dumps(_rows(rows)) for rows in ROWS}


async def manifest() -> Any:
    """Return the manifest's bytes from memory."""
    return Response(_manifest, media_type=JSON)


async def table(rows: int) -> Any:
    """Return the bytes of a table from memory."""
    return Response(_tables[rows], media_type=JSON)


def _routes() -> Iterator[tuple[str, Any]]:
    yield "/file", file
    yield "/manifest", manifest
    yield "/dicts/{rows}", dicts
    yield "/typed/{rows}", typed
    yield "/orjson/{rows}", fast_json
    yield "/table/{rows}", table


app = FastAPI(dependencies=[Depends(check_key)])
for path, endpoint in _routes():
    app.get(path)(endpoint)
app.post("/page/{kind}")(page)
