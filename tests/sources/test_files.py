"""Queries over files: one read, values bound, nothing else within reach."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pydantic import ValidationError

from widgets_app.errors import DefinitionError, SourceFailed, SourceTimeout
from widgets_app.sources.base import Call, Limits
from widgets_app.sources.files import FilesBackend, FilesOptions
from widgets_app.sources.frame import Frame, FrameColumn
from widgets_app.sources.limits import Deadline, Slots, run_limited
from widgets_app.sources.registry import backend_class

Ask = Callable[..., Frame]
SLOW = "select count(*) as n from range(100000000) a, range(100000000) b where a.range * b.range % 7 = 3"


@pytest.fixture(autouse=True)
def prices(folder: Path) -> Path:
    path = folder / "prices.csv"
    path.write_text("day,ticker,price\n2024-01-02,AAA,1.5\n2024-01-03,AAA,\n2024-01-02,BBB,3\n")
    return path


def test_the_kind_is_registered():
    assert backend_class("files") is FilesBackend


def test_a_table_is_answered_with_rows_and_columns(ask: Ask):
    frame = ask("select * from prices")
    assert frame.json == (
        b'[{"day":"2024-01-02","ticker":"AAA","price":1.5},{"day":"2024-01-03","ticker":"AAA","price":null},'
        b'{"day":"2024-01-02","ticker":"BBB","price":3.0}]'
    )
    assert frame.columns == (FrameColumn("day", "date"), FrameColumn("ticker", "text"), FrameColumn("price", "number"))
    assert (frame.row_count, frame.truncated) == (3, False)


@pytest.mark.parametrize(
    "text",
    [
        "select count(*) as n from prices;",
        "select count(*) as n from prices -- the end",
        "select count(*) as n from prices; /* the end */ ;;",
        "-- first\nselect count(*) as n from prices\n",
        "with p as (from prices) select count(*) as n from p",
        "from prices select count(*) as n",
        "values (3)",
        "select AAA + BBB as n from (pivot (select ticker from prices) on ticker in ('AAA', 'BBB') using count(*))",
    ],
)
def test_every_way_to_read_is_accepted(ask: Ask, text: str):
    (row,) = ask(text).rows()
    assert list(row.values()) == [3]


def test_values_are_bound_and_never_pasted(ask: Ask):
    text = "select count(*) as n from prices where ticker = :ticker"
    assert ask(text, ticker="AAA").rows() == [{"n": 2}]
    assert ask(text, ticker="' or 1=1 --").rows() == [{"n": 0}]


def test_typed_values_missing_values_and_lists_are_bound(ask: Ask):
    day = datetime.date(2024, 1, 3)
    assert ask("select price from prices where day >= :day - interval 1 day", day=day).row_count == 3
    assert ask("select price from prices where (:ticker is null or ticker = :ticker)").row_count == 3
    assert ask("select price from prices where ticker in :tickers", tickers=("AAA", "CCC")).row_count == 2
    assert ask("select price from prices where ticker in :tickers", tickers=()).row_count == 0
    assert ask("select price from prices where price > :least", least=2).row_count == 1


def test_placeholders_come_in_order_of_first_use(backend: FilesBackend):
    query = backend.prepare("select :b, ':c' from prices where ticker = :a and price > :b")
    assert query.placeholders == ("b", "a")


def test_one_query_takes_values_of_changing_types(backend: FilesBackend):
    query = backend.prepare("select :v as v, 1 as one")
    for value, expected in [
        (1, 1),
        ("x", "x"),
        (None, None),
        (2**53 + 1, str(2**53 + 1)),
        (float("nan"), None),
        (1, 1),
    ]:
        assert query.run({"v": value}, Limits(), Call()).rows() == [{"v": expected, "one": 1}]


def test_types_that_depend_on_a_value_are_found_again(backend: FilesBackend):
    query = backend.prepare("select struct_extract({'a': 1, 'x': 'inf'::double, 't': timestamp '2024-01-01'}, :f) as v")
    for field, expected in [("a", 1), ("x", None), ("t", "2024-01-01T00:00:00"), ("a", 1)]:
        assert query.run({"f": field}, Limits(), Call()).rows() == [{"v": expected}]


def test_a_value_that_the_query_cannot_use_is_an_error_in_one_line(backend: FilesBackend):
    query = backend.prepare("select struct_extract({'a': 1}, :f) as v")
    assert query.run({"f": "a"}, Limits(), Call()).rows() == [{"v": 1}]
    with pytest.raises(SourceFailed, match='The query failed: Could not find key "b" in struct') as raised:
        query.run({"f": "b"}, Limits(), Call())
    assert "\n" not in str(raised.value)


def test_columns_that_depend_on_a_value_are_found_again(backend: FilesBackend, folder: Path):
    (folder / "other.csv").write_text("x\n1\n")
    query = backend.prepare("select * from query_table(:name)")
    assert query.run({"name": "other"}, Limits(), Call()).rows() == [{"x": 1}]
    assert query.run({"name": "prices"}, Limits(), Call()).row_count == 3


def test_columns_are_known_without_running(backend: FilesBackend):
    query = backend.prepare("select day, price, error('ran')::int as boom from prices where ticker = :ticker")
    assert query.columns() == (
        FrameColumn("day", "date"),
        FrameColumn("price", "number"),
        FrameColumn("boom", "number"),
    )


def test_columns_of_a_table_that_went_away_are_not_known(backend: FilesBackend, prices: Path):
    query = backend.prepare("select * from prices")
    prices.unlink()
    backend.look_again()
    assert query.columns() == ()


def test_columns_that_cannot_be_inferred_are_no_error(backend: FilesBackend):
    query = backend.prepare("select * from prices where day > :day - interval 1 day")
    assert query.columns() == ()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "The query is empty"),
        (" -- nothing\n;", "The query is empty"),
        ("select 1; select 2", "has 2 statements"),
        ("insert into prices values (null, null, null)", "not a plain read but INSERT"),
        ("delete from prices returning ticker", "not a plain read but DELETE"),
        ("with x as (delete from prices returning ticker) from x", "changes data or writes a file"),
        ("copy prices to 'x.csv'", "not a plain read but COPY"),
        ("with x as (copy prices to 'x.csv') select 1", "changes data or writes a file"),
        ("explain select 1", "not a plain read but EXPLAIN"),
        ("set threads = 1", "not a plain read but SET"),
        ("attach 'x.db'", "not a plain read but ATTACH"),
        ("pragma version", "not a plain read but"),
        ("pivot prices on ticker using count(*)", "Name the values of a PIVOT"),
        ("select $ticker", "can't be filled: ticker. Write them as :name"),
        ("select ?", "can't be filled: 1"),
        ("select 1 frmo prices where", 'Line 1, column 15: syntax error at or near "prices"'),
        ("select 'öö',\n  prise from prices", 'Line 2, column 3: Referenced column "prise" not found'),
        ("select * from nope", 'There is no table "nope". Tables: prices.'),
        ("select * from prices where ticker = 'open", "never closed"),
        ("select * from prices where ticker = :a or ticker = :A", "differ only in case"),
        ("select :key_region", "a list of values that the caller holds"),
    ],
)
def test_a_text_that_is_not_one_read_is_refused_in_one_line(backend: FilesBackend, text: str, reason: str):
    with pytest.raises(DefinitionError) as raised:
        backend.prepare(text)
    assert reason in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "text",
    [
        "select * from read_csv('/etc/passwd')",
        "select * from '{outside}'",
        "select * from read_csv('{folder}/../outside.csv')",
        "select * from read_csv('{folder}/link.csv')",
        "select * from read_text('{outside}')",
        "select * from glob('/etc/*')",
        "select * from read_csv('http://127.0.0.1:9/x.csv')",
        "select * from read_json('{outside}')",
        "select getenv('HOME')",
        "select * from outside_variable",
    ],
)
def test_nothing_outside_the_folder_is_within_reach(backend: FilesBackend, folder: Path, text: str):
    outside_variable = [1]  # noqa: F841  DuckDB could read local variables
    outside = folder.parent / "outside.csv"
    outside.write_text("a\n1\n")
    (folder / "link.csv").symlink_to(outside)
    with pytest.raises((DefinitionError, SourceFailed)):
        backend.prepare(text.format(folder=folder, outside=outside)).run({}, Limits(), Call())


def test_a_read_that_fails_tells_duckdbs_first_line_without_paths(ask: Ask, folder: Path):
    with pytest.raises(SourceFailed, match=r"^The query failed: Could not convert string 'AAA' to INT32"):
        ask("select ticker::int from prices")
    with pytest.raises(SourceFailed) as raised:
        ask("select * from read_csv(:file)", file=f"{folder}/nope.csv")
    assert str(folder) not in str(raised.value)


def test_a_query_on_a_broken_file_says_why_and_works_once_it_is_mended(backend: FilesBackend, folder: Path):
    (folder / "sales.json").write_text('[{"a": 1')
    with pytest.raises(DefinitionError, match=r'"sales" can\'t be used: sales\.json: Malformed JSON'):
        backend.prepare("select * from sales")
    (folder / "sales.json").write_text('[{"a": 1}]')
    backend.look_again()
    query = backend.prepare("select * from sales")
    (folder / "sales.json").write_text("nothing")
    backend.look_again()
    with pytest.raises(SourceFailed, match=r"The query failed: The table \"sales\" can't be used"):
        query.run({}, Limits(), Call())


def test_a_prepared_query_survives_changes_of_its_files(backend: FilesBackend, prices: Path):
    query = backend.prepare("select * from prices where ticker = :ticker")
    before = query.fingerprint()
    assert query.run({"ticker": "AAA"}, Limits(), Call()).row_count == 2
    prices.write_text("ticker,amount\nAAA,9007199254740993\n")
    backend.look_again()
    frame = query.run({"ticker": "AAA"}, Limits(), Call())
    assert frame.rows() == [{"ticker": "AAA", "amount": "9007199254740993"}]
    assert query.fingerprint() != before


def test_a_folder_that_cannot_be_read_is_a_fault_of_the_definition(backend: FilesBackend, folder: Path, prices: Path):
    prices.unlink()
    folder.rmdir()
    folder.write_text("not a folder")
    with pytest.raises(DefinitionError, match="can't be read"):
        backend.prepare("select 1")


def test_the_row_limit_cuts_and_says_so(ask: Ask):
    frame = ask("select range as n from range(10)", limits=Limits(rows=4))
    assert (frame.row_count, frame.truncated) == (4, True)
    assert not ask("select range as n from range(4)", limits=Limits(rows=4)).truncated


def test_one_query_runs_with_different_limits(backend: FilesBackend):
    query = backend.prepare("select range as n from range(10)")
    assert [query.run({}, Limits(rows=rows), Call()).row_count for rows in (2, 5, 20)] == [2, 5, 10]


def test_the_byte_limit_cuts_ten_million_rows_at_a_whole_row(ask: Ask):
    limits = Limits(rows=10_000_000, bytes=100_000)
    frame = ask("select range as n, 'some text' as t from range(10000000)", limits=limits)
    assert frame.truncated
    assert 99_000 < len(frame.json) <= 100_000
    assert frame.rows()[-1] == {"n": frame.row_count - 1, "t": "some text"}


def test_a_query_past_its_time_limit_is_interrupted_and_its_slot_comes_free(backend: FilesBackend):
    query, slots, call = backend.prepare(SLOW), Slots("market", 1), Call()
    with pytest.raises(SourceTimeout):
        run_limited(slots, lambda: query.run({}, Limits(), call), deadline=Deadline(0.1, "Query"), call=call)
    again = Call()
    quick = backend.prepare("select 1 as one")
    for _ in range(200):
        if not slots.taken:
            break
        threading.Event().wait(0.1)
    frame = run_limited(slots, lambda: quick.run({}, Limits(), again), deadline=Deadline(20, "Query"), call=again)
    assert frame.rows() == [{"one": 1}]


def test_an_interrupted_query_says_that_it_was_stopped(backend: FilesBackend):
    query, call = backend.prepare(SLOW), Call()
    stopped = threading.Event()

    def stop() -> None:
        while not stopped.wait(0.05):
            for one in call.on_cancel:
                one()

    stopper = threading.Thread(target=stop)
    stopper.start()
    try:
        with pytest.raises(SourceFailed, match="it was stopped"):
            query.run({}, Limits(), call)
    finally:
        stopped.set()
        stopper.join()
    # Once more, with the cursor closed.
    call.on_cancel[0]()


def test_runs_in_several_threads_at_once_keep_their_rows_apart(backend: FilesBackend):
    query = backend.prepare("select :n as n, range as i from range(3000) where range % :n = 0 order by i")
    wrong: list[Any] = []

    def run(n: int) -> None:
        for _ in range(5):
            rows = query.run({"n": n}, Limits(), Call()).rows()
            if rows != [{"n": n, "i": i} for i in range(0, 3000, n)]:
                wrong.append(n)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(1, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_the_tables_can_not_be_changed_through_a_query(backend: FilesBackend, ask: Ask):
    for text in (
        "with x as (update prices set price = 0 returning 1) from x",
        "select * from (with x as (update prices set price = 0 returning 1) from x)",
        "from query('with x as (update prices set price = 0 returning 1) from x')",
        "from query('drop table prices')",
        "drop table prices",
    ):
        with pytest.raises((DefinitionError, SourceFailed)):
            backend.prepare(text).run({}, Limits(), Call())
    assert ask("select sum(price) as s from prices").rows() == [{"s": 4.5}]


def test_an_engine_that_broke_is_opened_anew(backend: FilesBackend, monkeypatch: pytest.MonkeyPatch):
    query = backend.prepare("select count(*) as n from prices")
    broken = backend._folder.opened()
    broken.connection.execute("create table gone as select 1")

    def fail(*_: object) -> Frame:
        raise duckdb.FatalException("Fatal Error: the database has been invalidated")

    with monkeypatch.context() as patched:
        patched.setattr(type(query), "_read", fail)
        with pytest.raises(SourceFailed, match="invalidated"):
            query.run({}, Limits(), Call())
    assert query.run({}, Limits(), Call()).rows() == [{"n": 3}]
    assert backend._folder.opened() is not broken


def test_a_source_opened_again_sees_the_files_of_now(backend: FilesBackend, prices: Path):
    query = backend.prepare("select count(*) as n from prices")
    prices.write_text("a\n1\n")
    again = FilesBackend("market", FilesOptions()).prepare("select count(*) as n from prices")
    assert again.run({}, Limits(), Call()).rows() == [{"n": 1}]
    assert query.run({}, Limits(), Call()).rows() == [{"n": 1}]


def test_a_query_that_fails_on_purpose_with_our_own_signs_is_no_endless_loop(backend: FilesBackend):
    query = backend.prepare("select error('widgets: an integer beyond 2^53')::int as n, 2^53::bigint as big")
    with pytest.raises(SourceFailed, match="beyond 2"):
        query.run({}, Limits(), Call())
    other = backend.prepare("select error('widgets: the columns have other types')::int as n, :a as a")
    with pytest.raises(SourceFailed, match="other types"):
        other.run({"a": 1}, Limits(), Call())


@pytest.mark.parametrize("wrong", ["..", "a/../b", "/etc", ".hidden", "a/.git"])
def test_a_folder_outside_files_is_refused(wrong: str):
    with pytest.raises(ValidationError, match="below files/"):
        FilesOptions(folder=wrong)


def test_the_folder_can_be_chosen_and_is_the_sources_name_otherwise(folder: Path):
    assert FilesBackend("market", FilesOptions()).path == folder
    assert FilesBackend("x", FilesOptions(folder=" market/daily/ ")).path == folder / "daily"
    assert FilesBackend("../my data", FilesOptions()).path == folder.parent / "___my_data"


@pytest.mark.parametrize(("query", "tables"), [
    ("with x as (select * from t) select *, :n as n from x where a in :many limit :n", ("t",)),
    ('select (select max(a) from u) as m from "main".odd_name where exists (from T)', ("T", "main.odd_name", "u")),
    ("with t as (select 1 as a) select * from t", ()),
    ("from main.t -- from u", ("main.t",)),
])  # fmt: skip
def test_the_tables_that_a_text_names_are_known(
    folder: Path, backend: FilesBackend, query: str, tables: tuple[str, ...]
) -> None:
    for name in ("t", "odd name"):
        (folder / f"{name}.csv").write_text("a\n1\n")
    # Parquet is a view, whose name counts and not what is below it.
    duckdb.connect().execute(f"copy (select 1 as a) to '{folder}/u.parquet'")
    backend.look_again()
    assert backend.prepare(query).tables == tables
