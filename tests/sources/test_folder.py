"""Files become tables; a broken one says why and leaves the others alone; a changed folder is opened anew."""

from __future__ import annotations

import gc
import gzip
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow
import pytest
from pytest_django.fixtures import Settings

from widgets_app.errors import SourceFailed
from widgets_app.sources import folder as folder_module
from widgets_app.sources.folder import Folder, OpenFolder, watched
from widgets_app.sources.formats import table_name
from widgets_app.sources.listing import DataFile, Listing

CITIES = [("Москва", 1), ("Казань", 2)]
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256)) * 8


def zstd(content: bytes) -> bytes:
    packed: bytes = pyarrow.compress(content, "zstd", asbytes=True)
    return packed


def opened(path: Path) -> OpenFolder:
    return Folder(path.resolve()).opened()


def rows(open_folder: OpenFolder, sql: str) -> list[tuple[object, ...]]:
    return open_folder.connection.cursor().execute(sql).fetchall()


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("t.csv", b"a,b\n1,x\n2,y\n", [(1, "x"), (2, "y")]),
        ("t.CSV", b"a,b\n1,x\n", [(1, "x")]),
        ("t.csv", b"\xef\xbb\xbfa;b\n1;2,5\n", [(1, 2.5)]),
        ("t.csv", b"a;b\n1;2,500\n", [(1, "2,500")]),
        ("t.csv", b"a;b\n1;2,500\n2;0,25\n", [(1, 2.5), (2, 0.25)]),
        ("t.csv", b"a;b\n1.5;2,5\n", [(1.5, "2,5")]),
        ("t.csv", "a;b\né;2,5\n".encode("cp1252"), [("é", 2.5)]),
        ("t.csv", b'"a,1"|b\n1|2\n', [(1, 2)]),
        ("t.csv", b'a,b\r\n1,"x\r\ny, ""z"""\r\n', [(1, 'x\r\ny, "z"')]),
        ("t.csv", b"a,b\n#1,2\n\n3,4\n", [("#1", 2), ("3", 4)]),
        ("t.csv", b"zip\n01234\n", [("01234",)]),
        ("t.csv", b"a\n" + b"1\n" * 30_000 + b"x\n", None),
        ("t.csv", b"name,city\nBo,Riga\n", [("Bo", "Riga")]),
        ("t.tsv", b"a\tb\n1,5\t2\n", [(1.5, 2)]),
        ("t.csv", "a,b\n1,é\n".encode("latin-1"), [(1, "é")]),
        ("t.csv", "a,b\n1,€\n".encode("cp1252"), [(1, "€")]),
        ("t.csv", "город,n\nМосква,1\nКазань,2\n".encode("cp1251"), CITIES),  # noqa: RUF001
        ("t.csv", b"a\n" + b"x\n" * 40_000 + "é\n".encode("latin-1"), None),
        ("t.csv", "a,b\n1,ü\n".encode("utf-16"), [(1, "ü")]),
        ("t.csv", "a,b\n1,ü\n".encode("utf-16-le"), [(1, "ü")]),
        ("t.csv", "a,b\n1,ü\n".encode("utf-16-be"), [(1, "ü")]),
        ("t.json", '[{"a": "é"}]'.encode("utf-16"), [("é",)]),
        ("t.ndjson", '{"a": "é"}\n'.encode("latin-1"), [("é",)]),
        ("t.jsonl", b'{"a": 1}\n{"a": 2}\n', [(1,), (2,)]),
        ("t.csv.gz", gzip.compress(b"a;b\n1;x\n"), [(1, "x")]),
        ("t.csv.gz", gzip.compress("a;b\n1;é\n".encode("cp1252")), [(1, "é")]),
        ("t.ndjson.GZ", gzip.compress(b'{"a": 1}\n'), [(1,)]),
        ("t.json.zst", zstd(b'[{"a": 1}]'), [(1,)]),
        ("t.tsv.zst", zstd("a\tb\n1\té\n".encode("latin-1")), [(1, "é")]),
        ("t.json", b'[{"a": 1, "b": [1]}, {"a": 2}]', [(1, [1]), (2, None)]),
        ("t.json", b'{"a": 1}\n{"a": 2}\n', [(1,), (2,)]),
        ("t.ndjson", b'{"a": 1}\n{"a": 2}\n', [(1,), (2,)]),
    ],
)
def test_files_become_tables(tmp_path: Path, name: str, content: bytes, expected: list[tuple[object, ...]] | None):
    (tmp_path / name).write_bytes(content)
    found = rows(opened(tmp_path), "from t")
    assert found == expected if expected else found[-1] in (("x",), ("é",))


def test_parquet_files_become_views(folder: Path, write_parquet: Callable[[str, str], None]):
    write_parquet("prices.parquet", "select 1 as a")
    assert rows(opened(folder), "from prices") == [(1,)]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("bad.csv", PNG, "is not text"),
        ("bad.csv.gz", gzip.compress(PNG), "is not text"),
        ("bad.csv.gz", b"a,b\n1,2\n", "can't be unpacked"),
        ("bad.csv.gz", gzip.compress(b"a,b\n" + os.urandom(99_000).hex().encode())[:-60_000], "can't be unpacked"),
        ("bad.csv.zst", b"a,b\n1,2\n", "can't be unpacked"),
        ("bad.csv.gz", gzip.compress(b"a,b\n1,2\n1,2,3\n"), "row 3 has 3 values"),
        ("bad.csv", "a,b\n1,é\n1,é,3\n".encode("utf-16"), "row 3 has 3 values"),
        ("bad.csv", b"a,b\n1,2\n1,2,3\n", "row 3 has 3 values, but the first line names 2 columns"),
        ("bad.csv", b"a,b\n1\n", "row 2 has 1 values"),
        ("bad.csv", b"Sales report\n\na,b\n1,2\n", "row 3 has 2 values, but the first line names 1"),
        ("bad.csv", b"a,b\n" + b"1,2\n" * 50_000 + b"1,2,3\n", "row 50002 has 3 values"),
        ("bad.csv", b'a,b\n1,"open\n', "quotes that are not closed"),
        ("bad.csv", b'a,b\n1,"' + b"x" * 200_000 + b"\n", "bad.csv: "),
        ("bad.csv", b"", "empty"),
        ("bad.csv", b"<!doctype html><html></html>", "web page"),
        ("bad.json", b'[{"a": 1}, {"a":', "Malformed JSON"),
        ("bad.json", PNG, "is not text"),
        ("bad.ndjson", b'{"a": 1}\n{"a":\n', "Malformed JSON"),
        ("bad.parquet", b"hello" * 100, "No magic bytes"),
    ],
)
def test_a_broken_file_says_why_and_the_others_stay(tmp_path: Path, name: str, content: bytes, reason: str):
    (tmp_path / name).write_bytes(content)
    (tmp_path / "good.csv").write_text("a\n1\n")
    found = opened(tmp_path)
    assert found.tables == ["good"]
    assert rows(found, "from good") == [(1,)]
    message = found.missing("Bad")
    assert reason in message
    assert message.startswith('The table "Bad" can\'t be used: bad.')
    assert str(tmp_path) not in message


def test_a_truncated_parquet_file_is_only_missing(folder: Path, write_parquet: Callable[[str, str], None]):
    write_parquet("cut.parquet", "select range as a from range(1000)")
    whole = (folder / "cut.parquet").read_bytes()
    (folder / "cut.parquet").write_bytes(whole[: len(whole) // 2])
    assert "cut.parquet" in opened(folder).faults["cut"]


def test_a_file_that_cannot_be_read_is_only_missing(tmp_path: Path):
    # A folder listed as a file stands for a file that went away after the look.
    listing = Listing((DataFile("gone.csv", 1, 1),))
    assert "No such file" in OpenFolder(tmp_path, listing).faults["gone"]


def test_two_files_for_one_table_are_both_named(tmp_path: Path):
    for name in ("a b.csv", "A_b.csv", "other.csv"):
        (tmp_path / name).write_text("x\n1\n")
    found = opened(tmp_path)
    assert found.tables == ["other"]
    assert "A_b.csv and a b.csv" in found.missing("a_b")


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path):
    (tmp_path / "secret.csv").write_text("a\n1\n")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "link.csv").symlink_to(tmp_path / "secret.csv")
    assert "leads out of the folder" in opened(inside).missing("link")


def test_other_files_hidden_files_and_folders_are_no_tables(tmp_path: Path):
    for name in ("readme.txt", ".hidden.csv", "old.csv.bak"):
        (tmp_path / name).write_text("a\n1\n")
    (tmp_path / "folder.csv").mkdir()
    found = opened(tmp_path)
    assert found.tables == []
    assert found.missing("x") == 'There is no table "x". Tables: none yet.'


def test_a_folder_that_is_not_there_has_no_tables_until_it_is(tmp_path: Path):
    path = tmp_path / "later"
    watching = Folder(path)
    assert watching.opened().tables == []
    path.mkdir()
    (path / "t.csv").write_text("a\n1\n")
    watching.look_again()
    assert watching.opened().tables == ["t"]


def test_a_folder_that_is_a_file_is_an_error_in_one_line(tmp_path: Path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(SourceFailed, match="can't be read: Not a directory"):
        Folder(tmp_path / "file").opened()


def test_an_engine_that_cannot_be_opened_is_an_error_in_one_line(tmp_path: Path, settings: Settings):
    settings.WIDGETS_DUCKDB_THREADS = -1
    with pytest.raises(SourceFailed, match="the log tells why"):
        Folder(tmp_path).opened()


@pytest.mark.parametrize(
    ("file_name", "table"), [("Sales 2024-Q1.csv", "Sales_2024_Q1"), ("größe.json", "größe"), ("a.b.csv", "a_b")]
)
def test_tables_are_named_for_their_files(file_name: str, table: str):
    assert table_name(file_name) == table


def test_a_changed_file_is_opened_anew_while_the_old_state_stays_usable(tmp_path: Path):
    file = tmp_path / "t.csv"
    file.write_text("a\n1\n")
    watching = Folder(tmp_path)
    before = watching.opened()
    fingerprint = watching.listing().fingerprint
    file.write_text("a\n22\n")
    watching.look_again()
    after = watching.opened()
    assert rows(before, "from t") == [(1,)]
    assert rows(after, "from t") == [(22,)]
    assert watching.listing().fingerprint != fingerprint


def test_a_file_of_equal_size_and_a_new_time_is_seen(tmp_path: Path):
    file = tmp_path / "t.csv"
    file.write_text("a\n1\n")
    watching = Folder(tmp_path)
    watching.opened()
    file.write_text("a\n2\n")
    os.utime(file, ns=(1, 1))
    watching.look_again()
    assert rows(watching.opened(), "from t") == [(2,)]


def test_an_unchanged_folder_stays_open(tmp_path: Path):
    watching = Folder(tmp_path)
    first = watching.opened()
    watching.look_again()
    assert watching.opened() is first


def test_changes_are_noticed_without_being_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(folder_module, "LOOK_SECONDS", 0.02)
    watching = Folder(tmp_path)
    assert watching.opened().tables == []
    (tmp_path / "t.csv").write_text("a\n1\n")
    end = time.monotonic() + 20
    while not watching.opened().tables and time.monotonic() < end:
        time.sleep(0.01)
    assert watching.opened().tables == ["t"]


def test_a_dropped_state_is_opened_again(tmp_path: Path):
    watching = Folder(tmp_path)
    first = watching.opened()
    watching.drop(first)
    second = watching.opened()
    watching.drop(first)
    assert watching.opened() is second is not first


def test_while_one_thread_opens_the_others_use_the_state_before(tmp_path: Path):
    watching = Folder(tmp_path)
    before = watching.opened()
    (tmp_path / "t.csv").write_text("a\n1\n")
    watching.look_again()
    seen: list[OpenFolder] = []
    answered = threading.Event()

    def ask() -> None:
        seen.append(watching.opened())
        answered.set()

    # The lock that the opening thread holds is taken here, for as long as the opening would last.
    with watching._opening:
        thread = threading.Thread(target=ask)
        thread.start()
        assert answered.wait(20)
    thread.join()
    assert seen == [before]
    assert watching.opened().tables == ["t"]


def test_many_threads_open_a_folder_once(tmp_path: Path):
    (tmp_path / "t.csv").write_text("a\n1\n")
    watching = Folder(tmp_path)
    barrier, seen = threading.Barrier(8), []

    def open_it() -> None:
        barrier.wait(20)
        seen.append(watching.opened())

    threads = [threading.Thread(target=open_it) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 8
    assert len({one.number for one in seen}) == 1


def test_sources_on_the_same_folder_share_its_tables(tmp_path: Path):
    first = watched(tmp_path)
    assert watched(tmp_path / "." / "") is first
    assert watched(tmp_path / "other") is not first


def test_the_temporary_folder_goes_with_the_tables(tmp_path: Path):
    found = opened(tmp_path)
    temporary = Path(str(rows(found, "select current_setting('temp_directory')")[0][0]))
    assert temporary.is_dir()
    del found
    gc.collect()
    assert not temporary.exists()
