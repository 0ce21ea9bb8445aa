"""Sub-folders whose files are the pieces of one table."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from tests.loopback import eventually
from widgets_app.errors import DefinitionError
from widgets_app.sources import folder as folder_module
from widgets_app.sources import listing, storage
from widgets_app.sources.descriptions import describe
from widgets_app.sources.files import FilesBackend
from widgets_app.sources.folder import Folder
from widgets_app.sources.frame import Frame

Ask = Callable[..., Frame]


def write(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def parquet(path: Path, select: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as connection:
        connection.execute(f"copy ({select}) to '{path}' (format parquet)")


@pytest.mark.parametrize(
    ("ending", "pieces"),
    [
        ("csv", ["a,b\n1,x\n", "b,a\ny,2\n"]),
        ("csv", ["a,b\n1,x\n", "a;b\n2;y\n"]),
        ("tsv", ["a\tb\n1\tx\n", "a\tb\n2\ty\n"]),
        ("ndjson", ['{"a": 1, "b": "x"}\n', '{"b": "y", "a": 2}\n']),
        ("jsonl", ['{"a": 1, "b": "x"}\n', '{"a": 2, "b": "y"}\n']),
        ("json", ['[{"a": 1, "b": "x"}]', '[{"a": 2, "b": "y"}]']),
    ],
)
def test_the_files_of_a_folder_are_one_table(ask: Ask, folder: Path, ending: str, pieces: list[str]):
    for number, content in enumerate(pieces):
        write(folder / f"trades/{number}.{ending}", content)
    assert ask("select a, b from trades order by a").rows() == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]


def test_pieces_in_different_encodings_are_one_table(ask: Ask, folder: Path):
    write(folder / "trades/1.csv", "a;b\né;2,5\n".encode("cp1252"))
    write(folder / "trades/2.csv", "a,b\nü,1.5\n")
    write(folder / "trades/3.csv", "a,b\nö,0.5\n".encode("utf-16"))
    assert ask("select a, b from trades order by b").rows() == [
        {"a": "ö", "b": 0.5}, {"a": "ü", "b": 1.5}, {"a": "é", "b": 2.5},
    ]  # fmt: skip


def test_columns_that_a_piece_lacks_are_empty_in_it(ask: Ask, folder: Path):
    parquet(folder / "trades/1.parquet", "select 1 as a")
    parquet(folder / "trades/2.parquet", "select 2 as a, 'x' as b")
    parquet(folder / "trades/3.parquet", "select 2.5 as a")
    assert ask("select a, b from trades order by a").rows() == [
        {"a": 1.0, "b": None}, {"a": 2.0, "b": "x"}, {"a": 2.5, "b": None},
    ]  # fmt: skip


@pytest.mark.parametrize("ending", ["parquet", "csv", "ndjson"])
def test_folders_named_for_values_are_columns(ask: Ask, folder: Path, ending: str):
    contents = {"csv": "n\n{}\n", "ndjson": '{{"n": {}}}\n'}
    for number, (year, month) in enumerate([(2025, 12), (2026, 1)]):
        path = folder / f"trades/year={year}/month={month}/part.{ending}"
        if ending == "parquet":
            parquet(path, f"select {number} as n")
        else:
            write(path, contents[ending].format(number))
    assert ask("select n, year, month from trades where year = :y", y=2026).rows() == [
        {"n": 1, "year": 2026, "month": 1}
    ]


def test_a_new_piece_is_seen_and_a_removed_one_is_gone(backend: FilesBackend, ask: Ask, folder: Path):
    write(folder / "trades/1.csv", "n\n1\n")
    assert ask("select sum(n) as n from trades").rows() == [{"n": 1}]
    before = backend.prepare("from trades").fingerprint()
    write(folder / "trades/2.csv", "n\n2\n")
    assert ask("select sum(n) as n from trades").rows() == [{"n": 3}]
    assert backend.prepare("from trades").fingerprint() != before
    (folder / "trades/1.csv").unlink()
    assert ask("select sum(n) as n from trades").rows() == [{"n": 2}]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("2.csv", "n\n1,2,3\n", "trades/2.csv: row 2 has 3 values"),
        ("2.csv", "", "trades/2.csv is empty"),
        ("2.csv", b"\x89PNG\0\0", "2.csv is not text"),
        ("2.parquet", b"PAR1", "Let all files of a folder have one format"),
        ("2.xlsx", b"PK", "Let all files of a folder have one format"),
        ("year=1/2.csv", "n\n2\n", "Hive partition"),
    ],
)
def test_a_damaged_piece_is_named_and_other_tables_stay(
    ask: Ask, backend: FilesBackend, folder: Path, name: str, content: str | bytes, reason: str
):
    write(folder / "good.csv", "a\n1\n")
    write(folder / "trades/1.csv", "n\n1\n")
    write(folder / f"trades/{name}", content)
    assert ask("from good").row_count == 1
    with pytest.raises(DefinitionError) as raised:
        backend.prepare("from trades")
    assert reason in str(raised.value)
    assert str(folder) not in str(raised.value)


def test_a_half_written_parquet_piece_is_named(ask: Ask, backend: FilesBackend, folder: Path):
    for number in range(3):
        parquet(folder / f"trades/{number}.parquet", "from range(1000)")
    whole = (folder / "trades/1.parquet").read_bytes()
    write(folder / "trades/1.parquet", whole[:-100])
    with pytest.raises(DefinitionError, match=r"trades/1\.parquet"):
        ask("from trades")
    write(folder / "trades/1.parquet", whole)
    assert ask("select count(*) as n from trades").rows() == [{"n": 3000}]


def test_links_are_not_followed(ask: Ask, folder: Path):
    outside = folder.parent / "secret"
    write(outside / "s.csv", "n\n1\n")
    write(folder / "trades/1.csv", "n\n1\n")
    (folder / "linked").symlink_to(outside)
    with pytest.raises(DefinitionError, match="linked is a link"):
        ask("from linked")
    (folder / "trades/2.csv").symlink_to(outside / "s.csv")
    with pytest.raises(DefinitionError, match=r"trades/2\.csv is a link"):
        ask("from trades")
    (folder / "trades/2.csv").unlink()
    (folder / "trades/sub").symlink_to(outside)
    with pytest.raises(DefinitionError, match="trades/sub is a link"):
        ask("from trades")


def test_what_other_programs_leave_is_no_piece(ask: Ask, folder: Path):
    write(folder / "trades/1.csv", "n\n1\n")
    for name in ("_SUCCESS", "_delta_log/0.json", ".1.csv", "readme.txt", "2.csv.tmp"):
        write(folder / f"trades/{name}", "x")
    write(folder / "empty/readme.txt", "x")
    assert ask("from trades").row_count == 1
    with pytest.raises(DefinitionError, match=r"Tables: trades\."):
        ask("from empty")


def test_a_folder_and_a_file_of_one_name_are_both_named(ask: Ask, folder: Path):
    write(folder / "trades/1.csv", "n\n1\n")
    write(folder / "trades.csv", "n\n1\n")
    with pytest.raises(DefinitionError, match=r"trades and trades\.csv would all be the table"):
        ask("from trades")


def test_there_are_bounds(ask: Ask, folder: Path, monkeypatch: pytest.MonkeyPatch):
    write(folder / ("deep/" + "x/" * 9 + "1.csv"), "n\n1\n")
    with pytest.raises(DefinitionError, match="at most 8 folders inside each other"):
        ask("from deep")
    monkeypatch.setattr(listing, "MAX_PIECES", 3)
    for number in range(4):
        write(folder / f"many/{number}.csv", "n\n1\n")
    with pytest.raises(DefinitionError, match="many holds more than 3 files"):
        ask("from many")


def test_where_looking_takes_long_it_is_put_off_and_nobody_waits_for_it(
    backend: FilesBackend, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    write(folder / "trades/1.csv", "n\n1\n")
    watching = backend._folder
    query = backend.prepare("from trades")
    before = query.fingerprint()
    assert watching._wait == pytest.approx(folder_module.LOOK_SECONDS)
    go = threading.Event()

    def slow(path: Path) -> listing.Listing:
        assert go.wait(20)
        time.sleep(0.2)
        return listing.look(path)

    monkeypatch.setattr(folder_module, "look", slow)
    go.set()
    backend.renewed()
    assert watching._wait > 3
    go.clear()
    write(folder / "trades/2.csv", "n\n2\n")
    backend.look_again()
    assert query.fingerprint() == before
    go.set()
    eventually(lambda: query.fingerprint() != before)


def test_a_look_that_began_before_a_change_does_not_count(folder: Path, monkeypatch: pytest.MonkeyPatch):
    watching = Folder(folder)

    def look(path: Path) -> listing.Listing:
        found = listing.look(path)
        if not (folder / "t.csv").exists():
            write(folder / "t.csv", "n\n1\n")
            watching.look_again()
        return found

    monkeypatch.setattr(folder_module, "look", look)
    assert watching.listing().files == ()
    assert [file.name for file in watching.listing().files] == ["t.csv"]


def test_a_piece_of_equal_size_and_a_new_time_is_seen(ask: Ask, folder: Path):
    write(folder / "trades/1.csv", "n\n1\n")
    assert ask("from trades").rows() == [{"n": 1}]
    write(folder / "trades/1.csv", "n\n2\n")
    os.utime(folder / "trades/1.csv", ns=(1, 1))
    assert ask("from trades").rows() == [{"n": 2}]


def test_large_text_in_pieces_is_converted_and_parquet_is_not(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(storage, "CONVERTED_BYTES", 100)
    state = tmp_path / "state"
    for number in range(2):
        write(folder / f"texts/year={number}/1.csv", "n\n" + "12345\n" * 50)
        parquet(folder / f"columns/{number}.parquet", "from range(500)")
    watching = Folder(folder, state)

    def converted() -> int:
        with watching.opened().connection.cursor() as cursor:
            asked = "select count(*) from duckdb_databases() where database_name like 'stored%'"
            return int(cursor.execute(asked).fetchall()[0][0])

    eventually(lambda: converted() == 1)
    with watching.opened().connection.cursor() as cursor:
        assert cursor.execute("select count(*), sum(year) from texts").fetchall() == [(100, 50)]
        assert cursor.execute("select count(*) from columns").fetchall() == [(1000,)]
    write(folder / "texts/year=2/1.csv", "n\n" + "12345\n" * 50)
    watching.look_again()
    with watching.opened().connection.cursor() as cursor:
        assert cursor.execute("select count(*) from texts").fetchall() == [(150,)]


def test_a_folder_is_described(ask: Ask, backend: FilesBackend, folder: Path):
    write(folder / "trades/1.csv", "a;b\né;2,5\n".encode("cp1252"))
    write(folder / "trades/2.csv", "a;b\nü;1,5\n".encode("cp1252"))
    parquet(folder / "p/year=2026/1.parquet", "select 1 as n")
    one, two = describe(backend.renewed())
    assert (one.table, one.file, one.how, one.rows) == ("p", "p/ (1 file)", "Parquet", 1)
    assert one.columns == (("n", "INTEGER"), ("year", "BIGINT"))
    assert (two.file, two.how) == (
        "trades/ (2 files)", "CSV, Windows-1252 (guessed), separator semicolon, decimal comma",
    )  # fmt: skip
    assert (two.rows, two.size, two.columns) == (2, 20, (("a", "VARCHAR"), ("b", "DOUBLE")))
