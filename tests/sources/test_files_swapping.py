"""Files are replaced while queries read them: each answer is of one state, and none is missing."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pytest_django.fixtures import Settings

from tests.loopback import eventually
from widgets_app.errors import Busy, DefinitionError, SourceFailed
from widgets_app.sources import folder as folder_module
from widgets_app.sources import putting
from widgets_app.sources.base import Call, Limits
from widgets_app.sources.files import FilesBackend
from widgets_app.sources.frame import Frame
from widgets_app.sources.listing import Listing

# Reads the file twice.
TWICE = "select min(v) as low, max(v) as high, count(*) // 2 as n from (select v from t union all select v from t)"
# Some 250 MB of groups that all stay to the end.
LARGE = "select count(*) as n from (select md5(range::varchar) as a, count(*) from range(8000000) group by a)"
Ask = Callable[..., Frame]


def content(tmp_path: Path, version: int, ending: str) -> bytes:
    """A table of `1000 + version` rows that all hold the version; other versions have other columns beside it."""
    path = tmp_path / f"made.{ending}"
    extra = ", ".join(f"hash(i) as h{n}" for n in range(version % 3))
    with duckdb.connect() as connection:
        select = f"select {version} as v, {extra or '1 as one'} from range({1000 + version}) r(i)"
        connection.execute(f"copy ({select}) to '{path}' (format {ending})")
    return path.read_bytes()


@pytest.mark.parametrize("ending", ["parquet", "csv"])
@pytest.mark.parametrize("name", ["t.{}", "t/piece.{}"])
@pytest.mark.parametrize("by_hand", [False, True])
def test_no_answer_is_wrong_or_mixed(
    backend: FilesBackend, folder: Path, tmp_path: Path, ending: str, name: str, by_hand: bool
):
    name = name.format(ending)
    contents = [content(tmp_path, version, ending) for version in range(12)]
    putting.put_file(backend, name, [contents[0]])
    query = backend.prepare(TWICE)
    seen: list[tuple[int, int, int]] = []
    faults: list[str] = []
    over = threading.Event()

    def read() -> None:
        while not over.is_set():
            try:
                (row,) = query.run({}, Limits(), Call()).rows()
                seen.append((row["low"], row["high"], row["n"]))
            except SourceFailed as error:
                faults.append(str(error))

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    try:
        for version, new in enumerate(contents[1:] * (1 if by_hand else 2), start=1):
            if by_hand:
                (tmp_path / "waiting").write_bytes(new)
                os.replace(tmp_path / "waiting", folder / name)
                threading.Event().wait(0.1)
            else:
                putting.put_file(backend, name, [new])
                (row,) = query.run({}, Limits(), Call()).rows()
                assert row["n"] == 1000 + (version - 1) % 11 + 1
    finally:
        over.set()
        for reader in readers:
            reader.join()
    assert faults == []
    assert len(seen) > 30
    assert [row for row in set(seen) if row[0] != row[1] or row[2] != 1000 + row[0]] == []


def test_rows_of_before_are_not_kept_under_the_new_fingerprint(backend: FilesBackend, folder: Path):
    (folder / "t.csv").write_text("a\n1\n")
    query = backend.prepare("from t")
    before = query.fingerprint()
    (folder / "t.csv").write_text("a\n22\n")
    backend.look_again()
    # Another thread is opening the new state, and not done yet.
    with backend._folder._opening:
        assert query.fingerprint() == before
        assert query.run({}, Limits(), Call()).rows() == [{"a": 1}]
    # Nobody asks for rows, as kept ones answer; it is opened all the same.
    eventually(lambda: query.fingerprint() != before)
    assert query.run({}, Limits(), Call()).rows() == [{"a": 22}]


def test_who_asks_first_after_a_change_gets_the_new_rows(backend: FilesBackend, folder: Path):
    (folder / "t.csv").write_text("a\n1\n")
    query = backend.prepare("from t")
    for number in range(2, 12):
        before = query.fingerprint()
        (folder / "new").write_text(f"a\n{number}\n")
        os.replace(folder / "new", folder / "t.csv")
        backend.look_again()
        assert [query.waits, query.fingerprint() != before, query.waits] == [True, True, False]
        assert query.run({}, Limits(), Call()).rows() == [{"a": number}]


def test_nobody_waits_for_long_while_new_files_are_opened(
    backend: FilesBackend, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    (folder / "t.csv").write_text("a\n1\n")
    query = backend.prepare("from t")
    before, go, read = query.fingerprint(), threading.Event(), folder_module.Folder._read

    def slow(watching: folder_module.Folder, listing: Listing) -> folder_module.OpenFolder:
        assert go.wait(20)
        return read(watching, listing)

    monkeypatch.setattr(folder_module.Folder, "_read", slow)
    monkeypatch.setattr(folder_module, "OPEN_SECONDS", 0.3)
    (folder / "t.csv").write_text("a\n22\n")
    backend.look_again()
    began = time.monotonic()
    try:
        assert [query.fingerprint() for _ in range(100)] == [before] * 100
        assert 0.3 <= time.monotonic() - began < 5
        assert not query.waits
        assert query.run({}, Limits(), Call()).rows() == [{"a": 1}]
    finally:
        go.set()
    eventually(lambda: query.fingerprint() != before)


def test_a_download_breaks_off_where_a_file_is_replaced(backend: FilesBackend, folder: Path, write_parquet: Any):
    write_parquet("t.parquet", "select range as a from range(1000)")
    query = backend.prepare("from t")
    assert sum(batch.num_rows for batch in query.stream({}, Limits(), Call(), as_json=False)) == 1000
    rows = query.stream({}, Limits(), Call(), as_json=False)
    next(rows)
    write_parquet("new", "select range as a from range(2000)")
    os.replace(folder / "new", folder / "t.parquet")
    with pytest.raises(SourceFailed, match="A file was replaced while its rows were read"):
        list(rows)


def test_files_that_never_stand_still_are_told(
    backend: FilesBackend, folder: Path, write_parquet: Any, monkeypatch: pytest.MonkeyPatch
):
    write_parquet("t.parquet", "select 1 as a")
    query = backend.prepare("from t")
    monkeypatch.setattr(folder_module, "TRY_SECONDS", 0.1)
    monkeypatch.setattr(folder_module.OpenFolder, "moved", lambda _self: True)
    with pytest.raises(SourceFailed, match="change faster than they can be read"):
        query.run({}, Limits(), Call())


def test_a_second_put_within_one_step_of_the_clock_is_seen(backend: FilesBackend, folder: Path):
    putting.put_file(backend, "t.csv", [b"a\n1\n"])
    later = (folder / "t.csv").stat().st_mtime_ns + 3_600_000_000_000
    os.utime(folder / "t.csv", ns=(later, later))
    other = folder_module.Folder(folder.resolve())
    before = other.fingerprint()
    putting.put_file(backend, "t.csv", [b"a\n2\n"])
    other.look_again()
    assert other.fingerprint() != before


def test_what_a_killed_process_left_waiting_goes_after_a_day(backend: FilesBackend, folder: Path):
    old, new = folder / ".incoming/old", folder / ".incoming/new"
    for path in (old, new):
        path.mkdir(parents=True)
        (path / "t.csv").write_text("a\n")
    os.utime(old, (1, 1))
    putting.put_file(backend, "t.csv", [b"a\n1\n"])
    assert (old.exists(), new.exists()) == (False, True)


def test_a_second_put_waits_and_then_gives_up(backend: FilesBackend, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(putting, "LOCK_SECONDS", 0.1)
    with putting._alone(backend), pytest.raises(Busy, match="Other files of this source are being checked"):
        putting.put_file(backend, "t.csv", [b"a\n1\n"])


def test_a_file_that_takes_too_long_to_check_is_refused(backend: FilesBackend, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(putting, "CHECK_SECONDS", 0.0)
    with pytest.raises(DefinitionError, match="takes more than 0 s to read"):
        putting.put_file(backend, "t.csv", [b"a\n", b"1\n" * 5_000_000])


def test_memory_is_bounded_and_the_limit_is_named(ask: Ask, settings: Settings):
    settings.WIDGETS_DUCKDB_MEMORY_MB, settings.WIDGETS_DUCKDB_TEMP_MB = 64.0, 0.0
    with pytest.raises(SourceFailed) as raised:
        ask(LARGE)
    assert str(raised.value) == (
        "The query failed: it takes more memory, and then more temporary space than the 0 MB of WIDGETS_DUCKDB_TEMP_MB. "
        "Read fewer rows or columns."
    )


def test_temporary_space_is_below_the_state_folder_and_bounded(ask: Ask, backend: FilesBackend, settings: Settings):
    settings.WIDGETS_DUCKDB_MEMORY_MB, settings.WIDGETS_DUCKDB_TEMP_MB = 64.0, 16.0
    backend.renewed()
    found = backend.opened().connection.cursor().execute("select current_setting('temp_directory')").fetchall()
    assert Path(found[0][0]).is_relative_to(Path(settings.WIDGETS_HOME) / "temporary")
    with pytest.raises(SourceFailed, match=r"more temporary space than the 16 MB of WIDGETS_DUCKDB_TEMP_MB"):
        ask(LARGE)
    assert ask("select 1 as one").rows() == [{"one": 1}]


def test_a_file_that_does_not_fit_says_which_limit(ask: Ask, backend: FilesBackend, folder: Path, settings: Settings):
    settings.WIDGETS_DUCKDB_MEMORY_MB, settings.WIDGETS_DUCKDB_TEMP_MB = 64.0, 1.0
    with (folder / "big.csv").open("w") as file:
        file.write("a,b\n" + "".join(f"{os.urandom(40).hex()},{os.urandom(40).hex()}\n" for _ in range(600_000)))
    with pytest.raises(DefinitionError, match=r"big\.csv: it takes more memory.* of WIDGETS_DUCKDB_(TEMP|MEMORY)_MB"):
        backend.prepare("from big")


def test_temporary_files_of_a_killed_process_are_removed(backend: FilesBackend, tmp_path: Path, settings: Settings):
    settings.WIDGETS_HOME = tmp_path
    left = tmp_path / "temporary/left"
    left.mkdir(parents=True)
    (left / "duckdb_temp_storage.tmp").write_text("x")
    left.with_suffix(".lock").write_text("")
    first = folder_module.OpenFolder(backend.path, Listing())
    second = folder_module.OpenFolder(backend.path, Listing())
    assert not left.exists()
    assert first._temporary.is_dir()
    assert second._temporary.is_dir()
