"""What is compared: each piece of work, and the least ratio that this backend aims at."""

from __future__ import annotations

import json
from dataclasses import dataclass

SOURCE = "bench"
FRESH, CACHED = "fresh", "cached"
ROWS = (1_000, 100_000)
WIDGETS = 200

# A table too large to send whole, as Parquet, and what a grid asks of it.
PAGED = "paged"
PAGED_ROWS = 5_000_000
PAGE_FILTER = "lower(ticker) like lower('%12%') and price > 500"
_FILTERS = {
    "ticker": {"filterType": "text", "type": "contains", "filter": "12"},
    "price": {"filterType": "number", "type": "greaterThan", "filter": 500},
}
PAGE_SORTED = json.dumps(
    {"startRow": 0, "endRow": 100, "sortModel": [{"colId": "price", "sort": "desc"}], "filterModel": _FILTERS}
)
PAGE_GROUPED = json.dumps(
    {
        "startRow": 0, "endRow": 10, "sortModel": [{"colId": "price", "sort": "desc"}], "filterModel": _FILTERS,
        "rowGroupCols": [{"id": "ticker", "field": "ticker"}],
        "valueCols": [{"field": "price", "aggFunc": "max"}, {"field": "volume", "aggFunc": "sum"}],
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Work:
    """One path here, one path of the peer with the same body, and how many times the peer's rate is aimed at.

    Without a goal it is there to compare. With `revalidate`, the request here says which version the client has, and
    is answered 304. Of `slow` work every answer counts, those under way at the end too. With a `body` it is a POST.
    """

    name: str
    title: str
    path: str
    peer_path: str
    goal: float | None = None
    callers: tuple[int, ...] = (16, 1)
    revalidate: bool = False
    slow: bool = False
    body: str = ""


def table_name(rows: int) -> str:
    """Return the name of the table with so many rows."""
    return f"trades_{rows}"


def statement(rows: int) -> str:
    """Return the query that both sides run."""
    return f"select * from {table_name(rows)} order by id"


def works() -> list[Work]:
    """Return all work, in the order of the report."""
    manifest, (small, large) = "/widgets.json", ROWS
    fresh_small, fresh_large = f"/{FRESH}-{small}", f"/{FRESH}-{large}"
    return [
        Work("manifest-file", "widgets.json / file read and written again", manifest, "/file", 20, (16,)),
        Work("manifest-cached", "widgets.json / cached bytes", manifest, "/manifest", 0.8),
        Work("manifest-304", "widgets.json unchanged / cached bytes", manifest, "/manifest", 1.2, revalidate=True),
        Work("small-dicts", "1,000 rows / dicts", fresh_small, f"/dicts/{small}", 8, slow=True),
        Work("small-typed", "1,000 rows / dicts, typed", fresh_small, f"/typed/{small}", None, (16,), slow=True),
        # One caller, as a single answer of the peer keeps one processor busy for seconds.
        Work("large-dicts", "100,000 rows / dicts", fresh_large, f"/dicts/{large}", 25, (1,), slow=True),
        Work("large-typed", "100,000 rows / dicts, typed", fresh_large, f"/typed/{large}", None, (1,), slow=True),
        Work("large-orjson", "100,000 rows / orjson", fresh_large, f"/orjson/{large}", 2.5, (4, 1), slow=True),
        Work("small-cached", "1,000 rows cached / cached bytes", f"/{CACHED}-{small}", f"/table/{small}", 0.7),
        Work("large-cached", "100,000 rows cached / cached bytes", f"/{CACHED}-{large}", f"/table/{large}", 1),
        # Not cached: both sides make the page and count, each time.
        Work(
            "page-sorted",
            "page of 5,000,000, sorted / on Parquet",
            f"/{PAGED}",
            "/page/sorted",
            2,
            (4, 1),
            slow=True,
            body=PAGE_SORTED,
        ),
        Work(
            "page-grouped",
            "page of 5,000,000, grouped / on Parquet",
            f"/{PAGED}",
            "/page/grouped",
            2,
            (4, 1),
            slow=True,
            body=PAGE_GROUPED,
        ),
    ]
