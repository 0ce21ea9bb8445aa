"""Exports: the rows of a widget as a file, with the rights, parameters and limits that its data has."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import python_calamine
from django.test import Client

from tests.backend import content
from tests.conftest import Define, refresh
from widgets_app.exports.formats import FORMATS
from widgets_app.models import Source

pytestmark = pytest.mark.django_db

# Every kind of value that a widget may show.
ODD = """
select * from (values
    (1, 1.5::double, 9007199254740993::bigint, 170141183460469231731687303715::hugeint, 1.10::decimal(9, 2),
     0.1::float, true, date '2024-02-29', timestamp '2024-01-02 03:04:05.5',
     timestamptz '2024-01-02 03:04:05+02', time '10:20:30', 'Zoë "q" ''s', [1, null], {'a': 'x', 'n': 'nan'::double},
     'ab'::blob, uuid '7b1f7f0c-6a3c-4f4b-9a53-0123456789ab', '{"k": [1, 2]}'::json),
    (2, 'nan'::double, -1, 5, -2.00, 'inf'::float, false, date 'infinity', timestamp '1999-12-31 00:00:00',
     timestamptz 'infinity', null, e'two\\nlines, and a comma', [], null, null, null, 'null'::json),
    (3, '-inf'::double, null, null, null, null, null, null, null, null, null, '', null, null, null, null, null)
) as t(id, ratio, large, huge, money, short, flag, day, moment, zoned, clock, name, list, struct, bytes, code, doc)
"""


def rows_of(extension: str, body: bytes) -> list[list[Any]]:
    """Read a file back: its names, then its rows."""
    if extension == "json":
        rows = json.loads(body)
        return [list(rows[0]), *(list(row.values()) for row in rows)]
    if extension == "csv":
        return list(csv.reader(io.StringIO(body.decode("utf-8-sig"), newline="")))
    if extension == "xlsx":
        return python_calamine.load_workbook(io.BytesIO(body)).get_sheet_by_name("Data").to_python()
    table = table_of(extension, body)
    return [table.schema.names, *([*row.values()] for row in table.to_pylist())]


def table_of(extension: str, body: bytes) -> pa.Table:
    if extension == "parquet":
        return pq.read_table(pa.BufferReader(body))
    return pa.ipc.open_file(pa.BufferReader(body)).read_all()


def about(body: bytes) -> dict[str, str]:
    return dict(python_calamine.load_workbook(io.BytesIO(body)).get_sheet_by_name("About").to_python())


def exported(client: Client, address: str) -> bytes:
    response = client.get(f"/-/export/{address}")
    assert response.status_code == 200, content(response)
    return content(response)


@pytest.mark.parametrize("extension", FORMATS)
def test_a_file_has_the_rows_of_the_widget(
    caller: Client, define_query: Define, define_widget: Define, extension: str
) -> None:
    define_query()
    define_widget(query="prices")
    response = caller.get(f"/-/export/prices.{extension}")
    assert response.status_code == 200
    assert response["Content-Type"] == FORMATS[extension].content_type
    assert response["Content-Disposition"].startswith('attachment; filename="prices-2')
    assert response["Content-Disposition"].endswith(f'.{extension}"')
    assert response["Cache-Control"] == "private, no-store"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert "X-Truncated" not in response
    names, *rows = rows_of(extension, response.content)
    assert names == ["day", "ticker", "price", "volume"]
    assert [str(row[1]) for row in rows] == ["AAA", "AAA", "BBB"]
    assert [float(row[2]) for row in rows] == [10.5, 11.0, 20.25]
