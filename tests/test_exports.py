"""Exports: the rows of a widget as a file, with the rights, parameters and limits that its data has."""

from __future__ import annotations

import csv
import io
import itertools
import json
import zipfile
from datetime import date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import python_calamine
from django.contrib.auth.models import Group
from django.test import Client

from tests.backend import content
from tests.conftest import Define, refresh
from tests.test_serving import error
from tests.upstream import WIDGETS
from tests.workspace import askings
from widgets_app.exports import door
from widgets_app.exports.formats import FORMATS
from widgets_app.functions import data_function
from widgets_app.models import Source
from widgets_app.services.keys import key_issue

pytestmark = pytest.mark.django_db

# Every kind of value that a widget may show.
ODD = """
select * from (values
    (1, 1.5::double, 9007199254740993::bigint, 170141183460469231731687303715::hugeint, 1.10::decimal(9, 2),
     0.1::float, true, date '2024-02-29', timestamp '2024-01-02 03:04:05.5',
     timestamptz '2024-01-02 03:04:05+02', time '10:20:30', 'Zoë "q" ''s', [1, null], {'a': 'x', 'n': 'nan'::double},
     'ab'::blob, uuid '7b1f7f0c-6a3c-4f4b-9a53-0123456789ab', '{"k": [1, 2]}'::json, '"plain"'::json,
     ['nan'::double]::variant),
    (2, 'nan'::double, -1, 5, -2.00, 'inf'::float, false, date 'infinity', timestamp '1999-12-31 00:00:00',
     timestamptz 'infinity', null, e'two\\nlines, and a comma', [], null, null, null, 'null'::json, null, null),
    (3, '-inf'::double, null, null, null, null, null, null, null, null, null, '', null, null, null, null, null, null, null)
) as t(id, ratio, large, huge, money, short, flag, day, moment, zoned, clock, name, list, struct, bytes, code, doc, word, "any")
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
    rows = python_calamine.load_workbook(io.BytesIO(body)).get_sheet_by_name("About").to_python()
    return {str(name): str(value) for name, value in rows}


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


def test_odd_values_are_in_a_file_as_the_widget_shows_them(
    caller: Client, define_query: Define, define_widget: Define
) -> None:
    define_query("odd", ODD)
    define_widget("odd", query="odd")
    assert exported(caller, "odd.json") == caller.get("/odd").content
    first = {
        "id": "1", "ratio": "1.5", "large": "9007199254740993", "huge": "170141183460469231731687303715",
        "money": "1.10", "short": "0.1", "flag": "true", "day": "2024-02-29", "moment": "2024-01-02T03:04:05.5",
        "zoned": "2024-01-02T01:04:05Z", "clock": "10:20:30", "name": "Zoë \"q\" 's", "list": "[1,null]",
        "struct": '{"a":"x","n":null}', "bytes": "YWI=", "code": "7b1f7f0c-6a3c-4f4b-9a53-0123456789ab",
        "doc": '{"k":[1,2]}', "word": "plain", "any": '[null]',
    }  # fmt: skip
    names, *rows = rows_of("csv", exported(caller, "odd.csv"))
    assert dict(zip(names, rows[0], strict=True)) == first
    assert [value for value in rows[1] if value] == [
        "2", "-1", "5", "-2.00", "false", "1999-12-31T00:00:00", "two\nlines, and a comma", "[]"
    ]  # fmt: skip
    assert set(rows[2]) == {"3", ""}


def test_types_are_exact_in_parquet_and_arrow(caller: Client, define_query: Define, define_widget: Define) -> None:
    define_query("odd", ODD)
    define_widget("odd", query="odd")
    table = table_of("parquet", exported(caller, "odd.parquet"))
    assert table_of("arrow", exported(caller, "odd.arrow")).equals(table)
    types = dict(zip(table.schema.names, map(str, table.schema.types), strict=True))
    assert {name: types.pop(name) for name in list(types)[:10]} == {
        "id": "int32", "ratio": "double", "large": "int64", "huge": "decimal128(38, 0)", "money": "decimal128(9, 2)",
        "short": "double", "flag": "bool", "day": "date32[day]", "moment": "timestamp[us]",
        "zoned": "timestamp[us, tz=UTC]",
    }  # fmt: skip
    assert set(types.values()) == {"string"}
    assert table["large"].to_pylist() == [9007199254740993, -1, None]
    assert table["ratio"].to_pylist() == [1.5, None, None]
    assert table["day"].to_pylist() == [date(2024, 2, 29), None, None]
    assert table["doc"].to_pylist() == ['{"k":[1,2]}', None, None]
    assert table["name"].to_pylist() == ['Zoë "q" \'s', "two\nlines, and a comma", ""]


def test_excel_gets_numbers_and_dates_and_a_sheet_that_says_what_it_is(
    caller: Client, define_query: Define, define_widget: Define
) -> None:
    define_query("odd", f"select * from ({ODD}) where id >= :least")
    columns = [{"field": "id", "headerName": "Number"}, {"field": "ratio"}]
    define_widget(
        "odd",
        name="Odd: all/of it",
        query="odd",
        data={"table": {"columnsDefs": columns}},
        params=[{"paramName": "least", "type": "number", "value": 1}],
    )
    body = exported(caller, "odd.xlsx")
    names, first, second, third = rows_of("xlsx", body)
    assert names[:3] == ["Number", "ratio", "large"]
    assert first[:12] == [
        1, 1.5, "9007199254740993", "170141183460469231731687303715", 1.1, 0.1, True, date(2024, 2, 29),
        datetime(2024, 1, 2, 3, 4, 5, 500_000), datetime(2024, 1, 2, 1, 4, 5), "10:20:30", "Zoë \"q\" 's",
    ]  # fmt: skip
    assert second[:7] == [2, "", -1, 5, -2, "", False]
    assert set(third) == {3, ""}
    said = about(body)
    assert (said["Widget"], said["Rows"], said["Parameter least"]) == ("Odd: all/of it", "3", "1")
    assert "Left out" not in said


def test_text_is_never_a_formula(caller: Client, define_query: Define, define_widget: Define) -> None:
    texts = ["=1+1", "+1-CALL()", "-2+cmd|' /C calc'!A0", "@SUM(A1)", "\t=1", "-", "-12.5 %", "+371 2000", "a=b", ""]
    listed = ", ".join(f"('{text.replace(chr(39), chr(39) * 2)}')" for text in texts)
    define_query("risky", f'select t as "=name" from (values {listed}) as v(t)')
    define_widget("risky", query="risky")
    names, *rows = rows_of("csv", exported(caller, "risky.csv"))
    assert names == ["'=name"]
    assert [row[0] for row in rows] == [f"'{text}" for text in texts[:5]] + texts[5:]
    assert rows_of("parquet", exported(caller, "risky.parquet")) == [["=name"], *([text] for text in texts)]
    body = exported(caller, "risky.xlsx")
    assert [row[0] for row in rows_of("xlsx", body)] == ["=name", *texts]
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert b"<f>" not in archive.read("xl/worksheets/sheet1.xml")


def test_a_key_is_needed_and_sees_what_it_may_see(
    caller: Client, client: Client, define_query: Define, define_widget: Define
) -> None:
    define_query()
    define_widget(query="prices")
    hidden = define_widget("hidden", query="prices")
    desk = Group.objects.create(name="desk")
    hidden.groups.add(desk)
    refresh()
    assert client.get("/-/export/prices.csv").status_code == 401
    assert client.get("/-/export/prices.csv", headers={"X-API-KEY": "wk_no_no"}).status_code == 403
    unknown = caller.get("/-/export/nothing.csv")
    assert unknown.status_code == 404
    assert caller.get("/-/export/hidden.csv").content == unknown.content
    _, text = key_issue(name="Bo", groups=[desk])
    refresh()
    assert client.get("/-/export/hidden.csv", headers={"X-API-KEY": text}).status_code == 200


def test_what_may_not_be_exported_is_refused(caller: Client, define_query: Define, define_widget: Define) -> None:
    define_query()
    define_widget("closed", query="prices", exportable=False)
    define_widget("open", query="prices", exportable=True)
    refused = caller.get("/-/export/closed.csv")
    assert (refused.status_code, error(refused)) == (
        403, 'The widget "closed" may not be exported. Ask whoever runs this backend.'
    )  # fmt: skip
    assert caller.get("/-/export/open.csv").status_code == 200


@pytest.mark.parametrize("name", ["prices", "prices.", "prices.pdf", ".csv", "prices.CSV"])
def test_other_formats_are_not_found(caller: Client, define_query: Define, define_widget: Define, name: str) -> None:
    define_query()
    define_widget(query="prices")
    assert caller.get(f"/-/export/{name}").status_code == 404
    if not name.endswith(".csv"):
        assert all(f".{extension}" in error(caller.get(f"/-/export/{name}")) for extension in FORMATS)


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_only_reading_is_possible(caller: Client, define_widget: Define, method: str) -> None:
    define_widget()
    assert getattr(caller, method)("/-/export/prices.csv").status_code == 405


def test_head_has_the_headers_and_runs_nothing(caller: Client, define_query: Define, define_widget: Define) -> None:
    define_query("fails", "select error('boom') as a")
    define_widget("fails", query="fails")
    answer = caller.head("/-/export/fails.xlsx")
    assert (answer.status_code, content(answer)) == (200, b"")
    assert "Content-Length" not in answer
    assert answer["Content-Disposition"].endswith('.xlsx"')
    failed = caller.get("/-/export/fails.xlsx")
    assert (failed.status_code, "boom" in error(failed)) == (502, True)


def test_parameters_are_those_of_the_widget(caller: Client, define_query: Define, define_widget: Define) -> None:
    define_query("one", "select * from prices where ticker = :ticker")
    params = [{"paramName": "ticker", "type": "tabs", "value": "BBB", "options": [{"value": "AAA"}, {"value": "BBB"}]}]
    define_widget("one", query="one", params=params)
    assert len(rows_of("csv", exported(caller, "one.csv"))) == 1 + 1
    assert len(rows_of("csv", exported(caller, "one.csv?ticker=AAA"))) == 1 + 2
    wrong = caller.get("/-/export/one.csv?ticker=CCC")
    assert (wrong.status_code, "AAA" in error(wrong)) == (400, True)


@pytest.mark.parametrize(
    ("kind", "shape", "status"),
    [("markdown", {"text": "Hi"}, 404), ("html", None, 404), ("metric", None, 404), ("omni", None, 404),
     ("chart", None, 200), ("ssrm_table", None, 200), ("chart-highcharts", None, 200)],
)  # fmt: skip
def test_widgets_without_rows_say_so(
    caller: Client, define_query: Define, define_widget: Define, kind: str, shape: Any, status: int
) -> None:
    define_query()
    define_widget("w", type=kind, query="prices", shape=shape)
    answer = caller.get("/-/export/w.csv")
    assert answer.status_code == status
    assert status == 200 or "no rows to export" in error(answer)


def test_a_widget_without_a_source_says_so(caller: Client, define_widget: Define) -> None:
    define_widget()
    assert "no data source yet" in error(caller.get("/-/export/prices.csv"))


@pytest.mark.parametrize("extension", FORMATS)
def test_no_rows_are_a_file_too(caller: Client, define_query: Define, define_widget: Define, extension: str) -> None:
    define_query("none", "select * from prices where false")
    define_widget("none", query="none")
    body = exported(caller, f"none.{extension}")
    assert body == b"[]" if extension == "json" else rows_of(extension, body) == [["day", "ticker", "price", "volume"]]


def test_a_file_has_a_name_that_any_system_takes(caller: Client, define_query: Define, define_widget: Define) -> None:
    define_query()
    define_widget(query="prices", name='Cenas: "ostas"/../Rīga\n.')
    disposition = caller.get("/-/export/prices.csv")["Content-Disposition"]
    assert disposition.startswith("attachment; filename*=utf-8''Cenas_%20_ostas_.._R%C4%ABga")
    assert "\n" not in disposition


@pytest.mark.parametrize("extension", FORMATS)
def test_a_cut_file_says_so_in_its_name(
    caller: Client, define_query: Define, define_widget: Define, extension: str
) -> None:
    define_query(rows=2)
    define_widget(query="prices")
    response = caller.get(f"/-/export/prices.{extension}")
    assert response["X-Truncated"] == '2 rows; row limit of 2, set at the query "prices" or its source'
    assert f'-first-2-rows.{extension}"' in response["Content-Disposition"]
    assert len(rows_of(extension, response.content)) == 1 + 2
    if extension == "xlsx":
        assert "limit" in about(response.content)["Left out"]


def test_excel_holds_no_more_rows_than_a_sheet(
    caller: Client, define_query: Define, define_widget: Define, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "MOST_ROWS", 2)
    define_query()
    define_widget(query="prices")
    response = caller.get("/-/export/prices.xlsx")
    assert response["X-Truncated"] == "2 rows; a sheet of Excel holds no more"
    assert len(rows_of("xlsx", response.content)) == 3
    assert "X-Truncated" not in caller.get("/-/export/prices.csv")


def test_a_file_that_would_be_too_large_is_refused(
    caller: Client, define_query: Define, define_widget: Define, settings: Any
) -> None:
    settings.WIDGETS_EXPORT_MB = 0.0001
    define_query("many", "select range as n from range(1000)")
    define_widget("many", query="many")
    for extension in FORMATS:
        answer = caller.get(f"/-/export/many.{extension}")
        assert (answer.status_code, "WIDGETS_EXPORT_MB" in error(answer)) == (400, True), extension


def test_rows_of_functions_and_of_fixed_lists_are_exported_with_types(
    caller: Client, define_query: Define, define_widget: Define
) -> None:
    Source.objects.create(name="code", kind="python")
    define_query("plan", "savings_plan", source="code")
    numbers = [{"paramName": name, "type": "number", "value": 1} for name in ("start", "monthly", "rate", "years")]
    define_widget("plan", query="plan", params=numbers)
    table = table_of("parquet", exported(caller, "plan.parquet"))
    assert table.to_pylist() == caller.get("/plan").json()
    assert table.schema.field(0).type == pa.int64()
    assert exported(caller, "plan.json") == caller.get("/plan").content
    define_query("ports", "", source=None, choices=[{"label": "Rīga", "value": "RIX"}])
    define_widget("ports", query="ports")
    assert rows_of("csv", exported(caller, "ports.csv"))[1][:2] == ["RIX", "Rīga"]


def test_a_function_without_rows_is_a_file(caller: Client, define_query: Define, define_widget: Define) -> None:
    Source.objects.create(name="code", kind="python")
    define_query("none", "no_rows", source="code")
    define_widget("none", query="none")
    for extension in FORMATS:
        assert exported(caller, f"none.{extension}") is not None
    assert exported(caller, "none.json") == b"[]"


def test_a_kept_result_of_a_function_is_exported_as_it_is_shown(
    caller: Client, define_query: Define, define_widget: Define
) -> None:
    Source.objects.create(name="code", kind="python")
    define_query("count", "counting", source="code", cache_seconds=60)
    define_widget("count", query="count")
    shown = caller.get("/count").json()
    assert json.loads(exported(caller, "count.json")) == shown


@data_function
def no_rows() -> list[dict[str, Any]]:
    return []


@data_function
def counting() -> list[dict[str, Any]]:
    return [{"n": next(_numbers)}]


_numbers = itertools.count()


@pytest.mark.parametrize("extension", FORMATS)
def test_the_rows_of_an_upstream_are_exported(caller: Client, define_passed: Define, extension: str) -> None:
    define_passed("table", **{key: value for key, value in WIDGETS["table"].items() if key != "name"})
    shown = caller.get(next(one for one in askings(WIDGETS["table"]) if one.what == "data").target).json()
    names, *rows = rows_of(extension, exported(caller, f"table.{extension}?port=RIX"))
    assert names == list(shown[0])
    assert len(rows) == len(shown)


def test_the_kept_rows_of_an_upstream_are_exported_to_who_has_them_already(
    caller: Client, define_passed: Define
) -> None:
    keys = {key: value for key, value in WIDGETS["table"].items() if key != "name"}
    define_passed("table", **keys | {"staleTime": 60_000})
    assert caller.get("/-/export/table.json?port=RIX").status_code == 200
    assert caller.get("/-/export/table.json?port=RIX", headers={"If-None-Match": "*"}).status_code == 200


def test_an_upstream_without_rows_is_told(caller: Client, define_passed: Define) -> None:
    define_passed("echo")
    answer = caller.get("/-/export/echo.csv")
    assert (answer.status_code, "list of rows" in error(answer)) == (404, True)
    define_passed("gone", endpoint="status/503")
    assert caller.get("/-/export/gone.csv").status_code == 502


@pytest.mark.parametrize("extension", FORMATS)
def test_each_key_exports_its_own_rows(
    caller: Client, define_query: Define, define_widget: Define, extension: str
) -> None:
    define_query("own", "select * from prices where ticker in :key_desk")
    define_widget("own", query="own")
    _, text = key_issue(name="Bo", rows={"desk": ["BBB"]})
    refresh()
    lacking = caller.get(f"/-/export/own.{extension}")
    assert (lacking.status_code, "desk" in error(lacking)) == (403, True)
    body = exported(Client(headers={"X-API-KEY": text}), f"own.{extension}?key_desk=AAA")
    assert [row[1] for row in rows_of(extension, body)[1:]] == ["BBB"]
