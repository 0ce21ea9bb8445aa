"""Large files are converted once to DuckDB's storage, while the originals serve."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from tests.loopback import PATIENCE, eventually
from widgets_app.sources import folder as folder_module
from widgets_app.sources import storage
from widgets_app.sources.folder import Folder

ROOT = Path(__file__).resolve().parent.parent.parent
Write = Callable[[str, str], None]


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where files are converted; every file but the smallest counts as large."""
    monkeypatch.setattr(storage, "CONVERTED_BYTES", 200)
    return tmp_path / "state"


def files(state: Path) -> list[str]:
    return sorted(path.name for path in state.glob("*") if path.name != storage.LOCK)


def rows(watched: Folder, sql: str = "select * from t") -> list[tuple[object, ...]]:
    with watched.opened().connection.cursor() as cursor:
        return cursor.execute(sql).fetchall()


def reads_converted(watched: Folder) -> bool:
    found = rows(watched, "select count(*) from duckdb_databases() where database_name like 'stored%'")
    return found == [(1,)]


def test_a_large_file_is_converted_and_its_rows_stay_as_they_are(folder: Path, state: Path, write_parquet: Write):
    write_parquet("t.parquet", "select i as n, i * 7919 % 1000 as m, 'x' || i as word from range(5000) r(i)")
    (folder / "small.csv").write_text("a\n1\n")
    watched = Folder(folder, state)
    before = rows(watched)
    eventually(lambda: reads_converted(watched))
    assert rows(watched) == before
    assert len(files(state)) == 1
    assert rows(watched, "select * from small") == [(1,)]
    # Another process, or a later one, opens it at once.
    assert reads_converted(Folder(folder, state))
    # It can not be changed through a query.
    with pytest.raises(duckdb.Error):
        rows(watched, "insert into stored_0.main.converted values (1, 1, 'x')")


def test_the_original_serves_until_the_converted_file_is_there(
    folder: Path, state: Path, write_parquet: Write, monkeypatch: pytest.MonkeyPatch
):
    write_parquet("t.parquet", "from range(500)")
    with monkeypatch.context() as patched:
        patched.setattr(storage, "convert_later", lambda *_, **__: None)
        watched = Folder(folder, state)
        assert len(rows(watched)) == 500
    assert not reads_converted(watched)


def test_a_changed_file_is_converted_anew_and_the_old_one_goes(folder: Path, state: Path, write_parquet: Write):
    write_parquet("t.parquet", "from range(500)")
    watched = Folder(folder, state)
    eventually(lambda: reads_converted(watched))
    old, still_open = files(state), watched.opened()
    write_parquet("t.parquet", "from range(700)")
    watched.look_again()
    assert len(rows(watched)) == 700
    eventually(lambda: reads_converted(watched) and files(state) != old)
    assert len(rows(watched)) == 700
    assert len(files(state)) == 1
    # Who opened the old one reads on.
    assert still_open.connection.execute("select count(*) from t").fetchall() == [(500,)]
    (folder / "t.parquet").unlink()
    watched.look_again()
    watched.opened()
    eventually(lambda: files(state) == [])


def test_several_who_open_a_folder_at_once_share_one_converted_file(folder: Path, state: Path, write_parquet: Write):
    write_parquet("t.parquet", "from range(5000)")
    everybody = [Folder(folder, state) for _ in range(4)]
    for watched in everybody:
        assert len(rows(watched)) == 5000
    eventually(lambda: all(map(reads_converted, everybody)))
    assert len(files(state)) == 1


def test_a_file_that_can_not_be_converted_is_read_as_it_is(
    folder: Path, state: Path, write_parquet: Write, caplog: pytest.LogCaptureFixture
):
    write_parquet("t.parquet", "from range(500)")
    state.write_text("no folder can be made here")
    watched = Folder(folder, state)
    assert len(rows(watched)) == 500
    eventually(lambda: "can't be converted" in caplog.text)
    assert len(rows(watched)) == 500


def test_a_damaged_converted_file_is_passed_over(folder: Path, state: Path, write_parquet: Write):
    write_parquet("t.parquet", "from range(500)")
    state.mkdir()
    stored = storage.converted(state, folder / "t.parquet")
    assert stored is not None
    stored.write_bytes(b"nonsense" * 1000)
    assert len(rows(Folder(folder, state))) == 500


def test_what_a_killed_process_left_is_removed(folder: Path, state: Path, write_parquet: Write):
    write_parquet("t.parquet", "from range(500)")
    state.mkdir()
    (state / "0815.part").write_bytes(b"half")
    watched = Folder(folder, state)
    eventually(lambda: reads_converted(watched))
    assert "0815.part" not in files(state)


def test_a_file_that_changes_while_it_is_converted_is_not_kept(folder: Path, state: Path, write_parquet: Write):
    write_parquet("t.parquet", "from range(500)")

    def store(path: Path, target: Path) -> None:
        folder_module._store(path, target)
        write_parquet("t.parquet", "from range(900)")

    storage.convert_later(state, [folder / "t.parquet"], store, lambda: None).join()
    assert files(state) == []


def test_a_process_that_ends_while_it_converts_ends_well(tmp_path: Path):
    program = f"""
import os, pathlib, time
import django, duckdb
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
django.setup()
from widgets_app.sources import folder, storage
storage.CONVERTED_BYTES = 1
path = pathlib.Path({str(tmp_path)!r}) / "files"
path.mkdir()
duckdb.execute(f"copy (select i, hash(i) as h from range(3000000) r(i)) to '{{path}}/t.parquet'")
folder.watched(path, path.parent / "state").opened()
while not storage._converting:
    time.sleep(0.001)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stderr) == (0, "")
