"""Uploads are checked before they replace anything."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from widgets_app.errors import DefinitionError, TooLarge
from widgets_app.sources import putting
from widgets_app.sources.base import Call, Limits
from widgets_app.sources.files import FilesBackend
from widgets_app.sources.frame import Frame
from widgets_app.sources.putting import INCOMING, check_file, store_file

Ask = Callable[..., Frame]


def left_over(folder: Path) -> list[Path]:
    return list((folder / INCOMING).rglob("*"))


def test_a_stored_file_is_a_table_at_once(backend: FilesBackend):
    query = backend.prepare("select 1 as a")
    assert query.run({}, Limits(), Call()).rows() == [{"a": 1}]
    stored = store_file(backend, "sales.csv", [b"a,b\n", b"1,x\n"])
    assert [(table.name, table.rows) for table in stored.tables] == [("sales", 1)]
    assert stored.tables[0].columns == (("a", "BIGINT"), ("b", "VARCHAR"))
    assert backend.prepare("from sales").run({}, Limits(), Call()).rows() == [{"a": 1, "b": "x"}]


def test_the_folder_is_made_when_it_is_not_there(backend: FilesBackend, folder: Path):
    folder.rmdir()
    store_file(backend, "sales.csv", [b"a\n1\n"])
    assert (folder / "sales.csv").read_bytes() == b"a\n1\n"
    assert left_over(folder) == []


def test_a_broken_upload_leaves_the_file_before_it_in_place(backend: FilesBackend, folder: Path, ask: Ask):
    store_file(backend, "sales.csv", [b"a\n1\n"])
    with pytest.raises(DefinitionError, match=r"^sales\.csv: row 3 has 3 values") as raised:
        store_file(backend, "sales.csv", [b"a,b\n1,2\n1,2,3\n"])
    assert str(folder) not in str(raised.value)
    assert ask("from sales").rows() == [{"a": 1}]
    assert left_over(folder) == []


def test_an_upload_that_breaks_off_leaves_nothing_behind(backend: FilesBackend, folder: Path):
    def chunks() -> Iterator[bytes]:
        yield b"a\n1\n"
        raise OSError("client gone")

    with pytest.raises(OSError, match="client gone"):
        store_file(backend, "sales.csv", chunks())
    assert [path.name for path in folder.iterdir()] == [INCOMING]
    assert left_over(folder) == []


def test_a_file_over_the_size_limit_is_refused(backend: FilesBackend, folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(putting, "MAX_FILE_BYTES", 1024 * 1024)
    with pytest.raises(TooLarge, match="larger than 1 MB"):
        store_file(backend, "sales.csv", [b"a\n", b"1\n" * 1024 * 1024])
    assert left_over(folder) == []


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("sales.csv", "sales.csv"),
        ("../../etc/sales.CSV", "sales.csv"),
        ("C:\\data\\my sales.csv", "my_sales.csv"),
        ("..csv.csv", "csv.csv"),
        ("größe 1.csv", "größe_1.csv"),
        ("x" * 300 + ".csv", "x" * 100 + ".csv"),
    ],
)
def test_names_are_made_safe(backend: FilesBackend, folder: Path, name: str, stored: str):
    store_file(backend, name, [b"a\n1\n"])
    assert sorted(path.name for path in folder.iterdir()) == sorted([INCOMING, stored])


@pytest.mark.parametrize(
    "name", ["sales.docx", "sales", "sales.parquet.gz", "sales.gz", "", ".csv", "folder/", "sales.csv.exe"]
)
def test_other_kinds_of_files_are_refused(backend: FilesBackend, name: str):
    with pytest.raises(DefinitionError, match=r"ends in one of \.csv"):
        store_file(backend, name, [b"a\n1\n"])


def test_a_second_file_for_a_table_is_refused(backend: FilesBackend):
    store_file(backend, "sales.csv", [b"a\n1\n"])
    with pytest.raises(DefinitionError, match=r"comes from sales\.csv already"):
        store_file(backend, "Sales.json", [b'[{"a": 1}]'])


def test_damage_inside_a_parquet_file_is_found(folder: Path, write_parquet: Callable[[str, str], None]):
    write_parquet("t.parquet", "select range as a, random() as b from range(20000)")
    path = folder / "t.parquet"
    check_file(path, folder)
    content = bytearray(path.read_bytes())
    content[2000:9000] = os.urandom(7000)
    path.write_bytes(content)
    with pytest.raises(DefinitionError, match=r"^t\.parquet is damaged: "):
        check_file(path, folder)


def test_a_good_file_passes_the_check(tmp_path: Path):
    (tmp_path / "t.json").write_text('[{"a": 1}]')
    check_file(tmp_path / "t.json", tmp_path)
