"""DuckDB writes every type in the form that clients expect, and in order."""

from __future__ import annotations

import base64
import datetime
import json
import math
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from django.test import override_settings
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from widgets_app.sources.base import Call, Limits
from widgets_app.sources.files import FilesBackend, FilesOptions
from widgets_app.sources.frame import Frame
from widgets_app.sources.json_sql import repaired

Ask = Callable[..., Frame]
BIG = 2**53 + 1

VALUES: list[tuple[str, str, Any]] = [
    ("null", "text", None),
    ("true", "boolean", True),
    ("1::utinyint", "number", 1),
    ("9007199254740991", "number", 9007199254740991),
    ("9007199254740993", "number", "9007199254740993"),
    ("-9007199254740993", "number", "-9007199254740993"),
    ("18446744073709551615::ubigint", "number", "18446744073709551615"),
    ("170141183460469231731687303715884105727::hugeint", "number", "170141183460469231731687303715884105727"),
    ("5::uhugeint", "number", 5),
    ("7::bignum", "number", 7),
    ("123456789012345678901234567890123456789012345::bignum", "number", f"1234567890{'1234567890' * 3}12345"),
    ("1.10::decimal(5, 2)", "number", 1.1),
    ("5::decimal(38, 0)", "number", 5),
    ("9007199254740993::decimal(38, 0)", "number", "9007199254740993"),
    ("0.1::float", "number", 0.1),
    ("1e30::float", "number", 1e30),
    ("'inf'::float", "number", None),
    ("1e-7::double", "number", 1e-7),
    ("'nan'::double", "number", None),
    ("'-inf'::double", "number", None),
    ("'é \" \\ / \n'", "text", 'é " \\ / \n'),
    ("chr(0) || 'a'", "text", "\0a"),
    ("'NaN'", "text", "NaN"),
    ("date '2024-01-02'", "date", "2024-01-02"),
    ("'infinity'::date", "date", None),
    ("date '0044-03-15 (BC)'", "date", "0044-03-15 (BC)"),
    ("timestamp '2024-01-02 03:04:05'", "datetime", "2024-01-02T03:04:05"),
    ("timestamp '2024-01-02 03:04:05.678'", "datetime", "2024-01-02T03:04:05.678"),
    ("timestamp '0044-03-15 (BC) 01:02:03'", "datetime", "0044-03-15 (BC) 01:02:03"),
    ("'infinity'::timestamp", "datetime", None),
    ("'2024-01-02 03:04:05'::timestamp_s", "datetime", "2024-01-02T03:04:05"),
    ("'2024-01-02 03:04:05.5'::timestamp_ms", "datetime", "2024-01-02T03:04:05.5"),
    ("'2024-01-02 03:04:05.123456789'::timestamp_ns", "datetime", "2024-01-02T03:04:05.123456789"),
    ("'infinity'::timestamp_ns", "datetime", None),
    ("'2024-01-02 03:04:05+03'::timestamptz", "datetime", "2024-01-02T00:04:05Z"),
    ("'2024-01-02 03:04:05.25+00'::timestamptz", "datetime", "2024-01-02T03:04:05.25Z"),
    ("'-infinity'::timestamptz", "datetime", None),
    ("time '01:02:03.5'", "text", "01:02:03.5"),
    ("interval '3 days 2 hours'", "text", "3 days 02:00:00"),
    ("'5b0f2f3a-0000-4000-8000-000000000001'::uuid", "text", "5b0f2f3a-0000-4000-8000-000000000001"),
    ("'a'::enum('a', 'b')", "text", "a"),
    ("'\\xAA\\x00'::blob", "text", base64.b64encode(b"\xaa\x00").decode()),
    ("'101'::bit", "text", "101"),
    ("[1, null, 2]", "object", [1, None, 2]),
    ("[]", "object", []),
    ("['nan'::double, 1.5]", "object", [None, 1.5]),
    ("[9007199254740993, 1, null]", "object", ["9007199254740993", 1, None]),
    ("[[timestamp '2024-01-02 03:04:05']]", "object", [["2024-01-02T03:04:05"]]),
    ("array_value('inf'::double)", "object", [None]),
    ("{'a': 1, 'b': 'x'}", "object", {"a": 1, "b": "x"}),
    ("{'it''s': 'nan'::double, 'y': {'z': date '2024-01-02'}}", "object", {"it's": None, "y": {"z": "2024-01-02"}}),
    ("null::struct(a double)", "object", None),
    ("[{'a': 'nan'::double}, null]", "object", [{"a": None}, None]),
    ("row(1, 2)", "object", [1, 2]),
    ("row('nan'::double, 2)", "object", [None, 2]),
    ("map {'a': 1}", "object", {"a": 1}),
    ("map {'a': 'nan'::double, 'b': 2.5}", "object", {"a": None, "b": 2.5}),
    ("map {1.5: [9007199254740993]}", "object", {"1.5": ["9007199254740993"]}),
    ("null::map(varchar, double)", "object", None),
    ('\'{"b": [1, 2], "a": null}\'::json', "object", {"b": [1, 2], "a": None}),
    ('\'{"a": NaN, "b": [Infinity, -inf, nan]}\'::json', "object", {"a": None, "b": [None, None, None]}),
    ("'[9007199254740993, 9007199254740991, 1.5e3]'::json", "object", ["9007199254740993", 9007199254740991, 1500]),
    ('\'{"NaN": "inf 1234567890123456 \\" nan"}\'::json', "object", {"NaN": 'inf 1234567890123456 " nan'}),
    ("'nan'::double::variant", "object", None),
    ("union_value(n := 9007199254740993)", "object", {"n": "9007199254740993"}),
]


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> FilesBackend:
    """A source without files, opened once."""
    with override_settings(WIDGETS_FILES=tmp_path_factory.mktemp("files")):
        return FilesBackend("empty", FilesOptions())


@pytest.mark.parametrize(("expression", "kind", "expected"), VALUES)
def test_every_type_has_its_form(empty: FilesBackend, expression: str, kind: str, expected: Any):
    frame = empty.prepare(f"select {expression} as v").run({}, Limits(), Call())
    assert frame.columns[0].type == kind
    assert frame.rows() == [{"v": expected}]


def test_every_type_has_its_form_beside_a_placeholder(ask: Ask):
    # With placeholders the types are verified at each run, so their names must be read as DuckDB writes them.
    columns = ", ".join(f"{expression} as v{n}" for n, (expression, _, _) in enumerate(VALUES))
    expected = {f"v{n}": value for n, (_, _, value) in enumerate(VALUES)}
    assert ask(f"select {columns}, :n as n", n=1).rows() == [{**expected, "n": 1}]


def test_decimals_keep_all_their_digits(ask: Ask):
    frame = ask("select 123456789012345678901234567890.12::decimal(38, 2) as v")
    assert frame.json == b'[{"v":123456789012345678901234567890.12}]'


def test_columns_keep_their_order_and_equal_names_are_told_apart(ask: Ask):
    frame = ask('select 1 as z, 2 as a, 3 as a, 4 as "it\'s", 5 as "a b"')
    assert frame.json == b'[{"z":1,"a":2,"a_1":3,"it\'s":4,"a b":5}]'
    assert [column.name for column in frame.columns] == ["z", "a", "a_1", "it's", "a b"]


def test_no_rows_are_an_empty_list_with_columns(ask: Ask):
    frame = ask("select 1 as a, date '2024-01-01' as d where false")
    assert frame.json == b"[]"
    assert [(column.name, column.type) for column in frame.columns] == [("a", "number"), ("d", "date")]


def test_repairing_leaves_text_alone():
    row = b'{"a": "NaN \\" 12345678901234567890", "b": -Infinity, "c": 1.2345678901234567890}'
    assert repaired(row) == b'{"a": "NaN \\" 12345678901234567890", "b": null, "c": 1.2345678901234567890}'


def test_300_000_rows_come_in_their_order_with_several_threads(folder: Path, backend: FilesBackend, settings: Any):
    settings.WIDGETS_DUCKDB_THREADS = 4
    count = 300_000
    with duckdb.connect() as connection:
        connection.execute(
            "create table t as select i as id, 'name ' || (i * 7919 % 1000) as name, "
            "case when i % 97 = 0 then 'nan'::double else i / 8 end as price, "
            "timestamp '2024-01-01 00:00:00' + to_seconds(i) as at, "
            f"case when i = 250000 then {BIG} else i end as big, i % 2 = 0 as even from range({count}) r(i)"
        )
        connection.execute(f"copy t to '{folder}/t.parquet'; copy t to '{folder}/c.csv'")
    start = datetime.datetime(2024, 1, 1)
    expected = [
        {
            "id": i,
            "name": f"name {i * 7919 % 1000}",
            "price": None if i % 97 == 0 else i / 8,
            "at": (start + datetime.timedelta(seconds=i)).isoformat(),
            "big": str(BIG) if i == 250_000 else i,
            "even": i % 2 == 0,
        }
        for i in range(count)
    ]
    limits = Limits(rows=count)
    query = backend.prepare("select * from t")
    frame = query.run({}, limits, Call())
    assert (frame.row_count, frame.truncated) == (count, False)
    assert frame.rows() == expected
    # A result known to be large is read another way.
    assert query.run({}, limits, Call()).json == frame.json
    assert backend.prepare("select * from c").run({}, limits, Call()).json == frame.json
    backwards = backend.prepare("select id from t where id >= :least order by id desc")
    assert [row["id"] for row in backwards.run({"least": 5}, limits, Call()).rows()] == list(range(count - 1, 4, -1))


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
TIMES = st.datetimes(min_value=datetime.datetime(1, 1, 2), max_value=datetime.datetime(9999, 12, 30))
FIELDS: dict[str, tuple[str, st.SearchStrategy[Any]]] = {
    "i": ("bigint", st.integers(-(2**63), 2**63 - 1) | st.sampled_from([2**53 - 1, 2**53, -(2**53)])),
    "h": ("decimal(38, 0)", st.integers(-(10**37), 10**37)),
    "x": ("double", st.floats()),
    "s": ("varchar", TEXT),
    "d": ("date", st.dates()),
    "t": ("timestamp", TIMES),
    "b": ("boolean", st.booleans()),
    "n": ("decimal(18, 4)", st.decimals(-(10**13), 10**13, places=4)),
    "l": ("double[]", st.lists(st.floats() | st.none(), max_size=3)),
    "o": ("struct(x double, i bigint)", st.fixed_dictionaries({"x": st.floats(), "i": st.integers(0, 2**63 - 1)})),
    "y": ("blob", st.binary(max_size=5)),
    "j": ("json", st.dictionaries(TEXT, st.floats() | st.integers(), max_size=2)),
}  # fmt: skip
ROWS = st.lists(st.fixed_dictionaries({name: st.none() | values for name, (_, values) in FIELDS.items()}), max_size=5)


def plain(value: Any) -> Any:
    """What a strict JSON reader should see of a Python value."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**53 else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime.datetime):
        return value.isoformat().rstrip("0") if value.microsecond else value.isoformat()
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, list):
        return [plain(item) for item in value]
    return {key: plain(item) for key, item in value.items()} if isinstance(value, dict) else value


def bound(row: dict[str, Any]) -> list[Any]:
    return [json.dumps(row[name]) if name == "j" and row[name] is not None else row[name] for name in FIELDS]


@given(ROWS)
@hypothesis_settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_table_comes_back_as_plain_python_sees_it(folder: Path, ask: Ask, rows: list[dict[str, Any]]):
    with duckdb.connect() as connection:
        columns = ", ".join(f"{name} {kind}" for name, (kind, _) in FIELDS.items())
        connection.execute(f"create table t ({columns})")
        for row in rows:
            connection.execute(f"insert into t values ({', '.join('?' * len(FIELDS))})", bound(row))
        connection.execute(f"copy t to '{folder}/made.parquet'")

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    frame = ask("select * from made")
    assert json.loads(frame.json, parse_constant=refuse) == [
        {name: plain(row[name]) for name in FIELDS} for row in rows
    ]
