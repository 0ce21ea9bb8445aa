"""Imports that meet each other, editors, and the end of the power: real processes on a real database."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings

from tests.bundles.conftest import WIDGETS, widget, write
from tests.commands.conftest import Command
from tests.loopback import eventually

ON_POSTGRESQL = "postgresql" in settings.DATABASES["default"]["ENGINE"]
# So many that an import tells its progress before it is done.
MANY = 110


class Place:
    """A deployment of its own: its database, and the commands that run on it."""

    def __init__(self, home: Path, database: str, stack: ExitStack) -> None:
        self.home, self.database, self.stack = home, database, stack

    def start(self, *arguments: str) -> Command:
        """Start a command."""
        command = Command(*arguments, WIDGETS_HOME=str(self.home), DATABASE_URL=self.database)
        self.stack.callback(command.clean_up)
        return command

    def run(self, *arguments: str) -> str:
        """Run a command to its end, which must be a good one."""
        command = self.start(*arguments)
        assert command.wait() == 0, command.output
        return command.output

    def shell(self, code: str) -> Command:
        """Start some code in the project."""
        return self.start("shell", "-v", "0", "--no-imports", "-c", code)

    def waits(self, command: Command) -> bool:
        """Say whether a command is at the database now, where another one is in its way."""
        assert command.process.poll() is None, command.output
        if self.database:
            with psycopg.connect(self.database) as connection:
                held = connection.execute("select count(*) from pg_stat_activity where wait_event_type = 'Lock' "
                                          "and datname = current_database()").fetchone()  # fmt: skip
                return bool(held and held[0])
        files = Path(f"/proc/{command.process.pid}/fd")
        with suppress(FileNotFoundError):  # closed while it was looked at
            return any(os.path.realpath(file).endswith("db.sqlite3") for file in files.iterdir())
        return False

    def widgets(self) -> dict[str, Any]:
        """Return what is here."""
        folder = self.home / "out"
        self.run("export_bundle", str(folder), "--all")
        found: dict[str, Any] = json.loads((folder / WIDGETS).read_bytes())
        return found

    def count(self, table: str) -> int:
        """Count the rows of a table, past everything."""
        statement = f"select count(*) from widgets_app_{table}"
        if self.database:
            with psycopg.connect(self.database) as connection:
                return int((connection.execute(statement).fetchone() or (0,))[0])
        with closing(sqlite3.connect(self.home / "db.sqlite3")) as file:
            return int(file.execute(statement).fetchone()[0])


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A deployment with all tables and nothing in them."""
    home, url = tmp_path_factory.mktemp("home"), ""
    if ON_POSTGRESQL:
        server, _, _ = os.environ["DATABASE_URL"].rpartition("/")
        url = f"{server}/widgets_at_once_{os.getpid()}"
        administer(f"CREATE DATABASE widgets_at_once_{os.getpid()}")
    with ExitStack() as stack:
        Place(home, url, stack).run("migrate")
    yield home, url
    if url:
        administer(f"DROP DATABASE widgets_at_once_{os.getpid()} WITH (FORCE)")


def administer(statement: str) -> None:
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(statement)


@pytest.fixture
def place(template: tuple[Path, str], tmp_path: Path) -> Iterator[Place]:
    """A deployment with nothing in it."""
    home, url = template
    home = Path(shutil.copytree(home, tmp_path / "home"))
    with ExitStack() as stack:
        yield Place(home, url, stack)
    if url:
        with ExitStack() as stack:
            Place(home, url, stack).run("flush", "--no-input")


Stopped = Callable[..., Command]


@pytest.fixture
def halfway(place: Place, tmp_path: Path) -> Stopped:
    """Start an import, and stop it in the middle of its work."""

    def start(files: dict[str, Any], *options: str) -> Command:
        folder = write(files, tmp_path / "halfway")
        command = place.start("import_bundle", str(folder), *options)
        eventually(lambda: "Imported 100 of" in command.output or command.process.poll() is not None)
        assert command.process.poll() is None, command.output
        command.process.send_signal(signal.SIGSTOP)
        return command

    return start


def goes_on(command: Command) -> int:
    command.process.send_signal(signal.SIGCONT)
    return command.wait()


def many(first: int = 0, **keys: Any) -> dict[str, Any]:
    return {WIDGETS: {f"w{number}": widget(f"w{number}", **keys) for number in range(first, first + MANY)}}


def test_of_two_imports_that_disagree_one_wins_whole(place: Place, halfway: Stopped, tmp_path: Path) -> None:
    first = halfway(many())
    second = place.start("import_bundle", str(write(many(100, raw=True), tmp_path / "other")))
    eventually(lambda: place.waits(second))
    assert (goes_on(first), second.wait()) == (0, 1)
    assert 'Nothing was imported: widget "w100", widget "w101"' in second.output
    assert place.widgets() == many()[WIDGETS]


def test_of_two_imports_of_the_same_the_second_has_nothing_to_do(
    place: Place, halfway: Stopped, tmp_path: Path
) -> None:
    first = halfway(many())
    second = place.start("import_bundle", str(write(many(), tmp_path / "other")))
    eventually(lambda: place.waits(second))
    assert (goes_on(first), second.wait()) == (0, 0)
    assert second.output.endswith(f"\nNothing to do: {MANY} unchanged.\n")
    assert place.count("version") == MANY


def test_an_import_that_is_killed_leaves_nothing_and_the_next_one_works(
    place: Place, halfway: Stopped, tmp_path: Path
) -> None:
    command = halfway(many())
    command.process.kill()
    command.wait()
    assert [place.count(table) for table in ("widget", "version", "column")] == [0, 0, 0]
    assert place.run("import_bundle", str(tmp_path / "halfway")).endswith(f"\nImported: {MANY} added.\n")
    assert place.widgets() == many()[WIDGETS]


EDIT = """
from django.db import transaction
from widgets_app.models import Widget
from widgets_app.services.publishing import definition_publish
with transaction.atomic():
    widget = Widget.objects.select_for_update().get(widget_id="w109")
    widget.category = f"{widget.description} and edited"
    widget.save()
    definition_publish(widget)
"""


def test_what_is_edited_while_an_import_runs_is_not_lost(place: Place, halfway: Stopped, tmp_path: Path) -> None:
    place.run("import_bundle", str(write(many(), tmp_path / "first")))
    command = halfway(many(description="Replaced"), "--on-conflict", "replace")
    editor = place.shell(EDIT)
    eventually(lambda: place.waits(editor))
    assert (goes_on(command), editor.wait()) == (0, 0), editor.output
    expected = many(description="Replaced")[WIDGETS]
    expected["w109"]["category"] = "Replaced and edited"
    assert place.widgets() == expected
