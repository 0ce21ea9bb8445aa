"""Data files put by a command: as the admin's upload, for cron and notebooks on the machine itself."""

from __future__ import annotations

import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.commands.conftest import DEFAULTS, ROOT
from tests.loopback import PATIENCE
from widgets_app.models import Source
from widgets_app.services.files import files_backend
from widgets_app.sources.base import Call, Limits

pytestmark = pytest.mark.django_db


@pytest.fixture
def home(tmp_path: Path, settings: Any) -> Path:
    settings.WIDGETS_HOME = tmp_path
    settings.WIDGETS_FILES = tmp_path / "files"
    Source.objects.create(name="desk", kind="files")
    return tmp_path


def put(*arguments: str) -> Any:
    """Return what the command printed."""
    out = io.StringIO()
    call_command("put_file", *arguments, stdout=out)
    return json.loads(out.getvalue())


def rows(text: str) -> list[dict[str, Any]]:
    return files_backend("desk").prepare(text).run({}, Limits(), Call()).rows()


def written(home: Path, content: bytes, name: str = "mine.csv") -> str:
    (home / name).write_bytes(content)
    return str(home / name)


def test_a_file_is_put_and_told(home: Path):
    told = put("desk/sales.csv", written(home, b"a,b\n1,x\n"))
    assert told == {
        "table": "sales", "tables": ["sales"], "rows": 1, "bytes": 8, "replaced": False, "version": 1,
        "columns": [{"name": "a", "type": "BIGINT"}, {"name": "b", "type": "VARCHAR"}],
    }  # fmt: skip
    assert rows("from sales") == [{"a": 1, "b": "x"}]


def test_the_only_source_need_not_be_named(home: Path):
    assert put("sales.csv", written(home, b"a\n1\n"))["table"] == "sales"
    assert put("trades/1.csv", written(home, b"a\n1\n"))["table"] == "trades"
    Source.objects.create(name="other", kind="files")
    with pytest.raises(
        CommandError, match=r'"sales.csv" names no source. Write source/file. Sources of files: desk, other'
    ):
        put("sales.csv", written(home, b"a\n1\n"))


def test_what_comes_on_stdin_is_taken(home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a\n5\n")))
    assert put("desk/sales.csv", "-")["rows"] == 1
    assert rows("from sales") == [{"a": 5}]


def test_earlier_versions_are_put_back(home: Path):
    for number in (1, 2, 3):
        put("desk/sales.csv", written(home, b"a\n%d\n" % number))
    assert put("desk/sales.csv", "--restore")["version"] == 4
    assert rows("from sales") == [{"a": 2}]
    put("desk/sales.csv", "--restore", "1")
    assert rows("from sales") == [{"a": 1}]
    put("desk/sales.csv", "--restore", "4")
    assert rows("from sales") == [{"a": 2}]


def test_as_many_versions_are_kept_as_the_setting_says(home: Path, settings: Any):
    settings.WIDGETS_FILE_VERSIONS = 2
    for number in range(5):
        put("desk/sales.csv", written(home, b"a\n%d\n" % number))
    kept = home / "versions/desk/sales.csv"
    assert sorted(path.name for path in kept.iterdir()) == ["3-sales.csv", "4-sales.csv"]
    settings.WIDGETS_FILE_VERSIONS = 0
    put("desk/other.csv", written(home, b"a\n1\n"))
    assert put("desk/other.csv", written(home, b"a\n1\n"))["version"] == 1
    assert not (home / "versions/desk/other.csv").exists()


def test_where_no_links_can_be_made_versions_are_copied(home: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    for number in (1, 2):
        put("desk/sales.csv", written(home, b"a\n%d\n" % number))
    assert [path.read_bytes() for path in (home / "versions/desk/sales.csv").iterdir()] == [b"a\n1\n"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["desk/sales.csv", "{bad}"], "sales.csv: row 3 has 3 values"),
        (["desk/sales.csv", "/nowhere/x.csv"], "No such file or directory: '/nowhere/x.csv'"),
        (["desk/sales.csv"], "Give either the file to take in, or --restore."),
        (["desk/sales.csv", "{bad}", "--restore"], "Give either the file to take in, or --restore."),
        (["desk/sales.csv", "--restore"], "There is no earlier version of sales.csv. None are kept."),
        (["desk/../sales.csv", "{bad}"], '".." can\'t be the name'),
        (["nope/sales.exe", "{bad}"], "can't be a table"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(home: Path, arguments: list[str], message: str):
    bad = written(home, b"a,b\n1,2\n1,2,3\n")
    with pytest.raises(CommandError) as raised:
        put(*(argument.format(bad=bad) for argument in arguments))
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not (home / "files/desk/sales.csv").exists()


def test_a_version_that_is_not_kept_names_those_that_are(home: Path):
    for number in (1, 2):
        put("desk/sales.csv", written(home, b"a\n%d\n" % number))
    with pytest.raises(CommandError, match=r"There is no earlier version 7 of sales\.csv\. Versions kept: 1\."):
        put("desk/sales.csv", "--restore", "7")


def test_without_a_source_it_says_so(db: None):
    with pytest.raises(CommandError, match="There is no source of files yet"):
        put("desk/sales.csv", __file__)


class TestFullDisk:
    """A process that may not write much, as on a full disk."""

    def run(self, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        # SQLite's own files are larger than what the test wants to be too much.
        program = (
            "import resource, sys; sys.argv = ['manage.py', *sys.argv[1:]]\n"
            "from django.core.management import execute_from_command_line\n"
            "import django; django.setup()\n"
            "from widgets_app.models import Source; list(Source.objects.all())\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))\n"
            "execute_from_command_line(sys.argv)"
        )
        return subprocess.run(
            [sys.executable, "-c", program, *arguments], cwd=ROOT,
            env=os.environ | DEFAULTS | {"WIDGETS_HOME": str(home)}, capture_output=True, text=True, timeout=PATIENCE,
        )  # fmt: skip

    def test_it_says_so_in_one_line_and_leaves_what_was_there(self, migrated: Path, tmp_path: Path):
        home = Path(shutil.copytree(migrated, tmp_path / "home"))
        with sqlite3.connect(home / "db.sqlite3") as database:
            database.execute(
                "insert into widgets_app_source (name, kind, description, seconds, rows, megabytes, slots) "
                "values ('desk', 'files', '', 30, 1000, 64, 4)"
            )
        database.close()
        small, large = tmp_path / "small.csv", tmp_path / "large.csv"
        small.write_bytes(b"a\n1\n")
        large.write_bytes(b"a\n" + b"1\n" * 1_000_000)
        assert self.run(home, "put_file", "desk/sales.csv", str(small)).returncode == 0
        done = self.run(home, "put_file", "desk/sales.csv", str(large))
        assert done.returncode == 1
        assert "There is no room left to store sales.csv." in done.stderr.splitlines()[-1]
        assert (home / "files/desk/sales.csv").read_bytes() == b"a\n1\n"
        assert [path.name for path in (home / "files/desk").iterdir() if path.name != ".incoming"] == ["sales.csv"]
        assert list((home / "files/desk/.incoming").iterdir()) == []
