"""Fills a state folder for the benchmark; run as a module, prints the key's text."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import django
import duckdb

from tests.bench.works import CACHED, FRESH, PAGED, PAGED_ROWS, ROWS, SOURCE, WIDGETS, statement, table_name

# A typical table of a desk: a number to order by, a day, a time, a text, a price, a number with gaps, a flag.
TABLE = """
select
    n as id,
    date '2020-01-01' + (n % 2000)::int as day,
    timestamp '2024-01-02 09:30:00' + to_seconds(n) as traded_at,
    'TICKER' || lpad((n * 7919 % 500)::varchar, 3, '0') as ticker,
    round(20 + (n * 104729 % 99991) / 97.0, 2) as price,
    case when n % 13 > 0 then n * 31 % 1000000 end as volume,
    n % 3 = 0 as is_open
from range(1, {rows} + 1) as numbers(n)
"""


def write_tables(folder: Path) -> None:
    """Write one CSV file for each number of rows."""
    folder.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as connection:
        for rows in ROWS:
            target = folder / f"{table_name(rows)}.csv"
            connection.execute(f"copy ({TABLE.format(rows=rows)}) to '{target}' (header)")


def write_paged(folder: Path) -> None:
    """Write the table that is too large to send whole."""
    with duckdb.connect() as connection:
        connection.execute("set enable_progress_bar = false")
        connection.execute(f"copy ({TABLE.format(rows=PAGED_ROWS)}) to '{folder / PAGED}.parquet'")


def queries() -> Iterator[dict[str, Any]]:
    """Return the documents of the queries: each table twice, never cached and long cached."""
    for rows in ROWS:
        for prefix, seconds in ((FRESH, 0), (CACHED, 24 * 3600)):
            yield _query(f"{prefix}-{rows}", statement(rows), seconds)


def _query(name: str, text: str, seconds: int) -> dict[str, Any]:
    return {
        "name": name, "description": "", "source": SOURCE, "text": text,
        "cache_seconds": seconds, "seconds": None, "rows": None, "options_path": "", "choices": [],
    }  # fmt: skip


def widgets() -> Iterator[dict[str, Any]]:
    """Return the documents of the widgets: one for each query, the others without data."""
    names = [query["name"] for query in queries()]
    for number in range(WIDGETS):
        query = names[number] if number < len(names) else None
        yield {
            "id": f"widget_{number}",
            "definition": _definition(number, query or f"prices/{number}"),
            "shape": None,
            "feeds": {"rows": query} if query else {},
        }


def _definition(number: int, endpoint: str) -> dict[str, Any]:
    return {
        "name": f"Prices {number}",
        "description": f"Daily prices and volumes of the instruments on list {number}, newest day first.",
        "category": "Markets",
        "subCategory": f"List {number % 10}",
        "type": "table",
        "endpoint": endpoint,
        "gridData": {"w": 20, "h": 9},
        "source": ["Exchange"],
        "params": [
            {"paramName": "day", "label": "Day", "type": "date", "value": "$currentDate-1d", "description": "Day."},
            {"paramName": "ticker", "label": "Ticker", "type": "text", "value": "", "description": "Its symbol."},
        ],
        "data": {"table": {"showAll": True, "columnsDefs": [*_columns()]}},
    }


def _columns() -> Iterator[Mapping[str, str]]:
    for field, kind in (("day", "date"), ("ticker", "text"), ("price", "number"), ("volume", "number")):
        yield {"field": field, "headerName": field.title(), "cellDataType": kind}


def fill(*, paged: bool) -> str:
    """Make and publish everything in an empty state folder, the large table if asked to; return the text of a key."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    django.setup()
    from django.conf import settings
    from django.core.management import call_command

    from widgets_app.manifest.reading import read_query, read_widget
    from widgets_app.models import Source
    from widgets_app.services.keys import key_issue
    from widgets_app.services.publishing import definition_publish

    call_command("migrate", verbosity=0)
    write_tables(Path(settings.WIDGETS_FILES) / SOURCE)
    Source.objects.create(name=SOURCE, kind="files", slots=12)
    for document in queries():
        definition_publish(read_query(document))
    for document in widgets():
        definition_publish(read_widget(document))
    if paged:
        write_paged(Path(settings.WIDGETS_FILES) / SOURCE)
        definition_publish(read_query(_query(PAGED, f"select * from {PAGED}", 0)))
        definition = {**_definition(WIDGETS, PAGED), "type": "ssrm_table", "params": []}
        document = {"id": PAGED, "definition": definition, "shape": None, "feeds": {"rows": PAGED}}
        definition_publish(read_widget(document))
    return key_issue(name="Benchmark")[1]


if __name__ == "__main__":
    sys.stdout.write(f"{fill(paged=PAGED in sys.argv)}\n")
