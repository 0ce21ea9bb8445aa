"""Putting files while real servers run: other processes, kills, a disk that is full."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.commands.conftest import Command
from tests.loopback import ask, eventually, free_port, raw

Manage = Callable[..., Command]


@pytest.fixture
def desk(home: Path) -> Path:
    """A state folder with a source of files."""
    with sqlite3.connect(home / "db.sqlite3") as database:
        database.execute(
            "insert into widgets_app_source (name, kind, description, seconds, rows, megabytes, slots) "
            "values ('desk', 'files', '', 30, 1000, 64, 4)"
        )
    database.close()
    return home


@pytest.fixture
def writer(manage: Manage, desk: Path) -> str:
    issued = manage("issue_key", "Job", "--may-put-files", home=desk)
    assert issued.wait() == 0
    return issued.lines[-1].strip()


@pytest.fixture
def served(manage: Manage, desk: Path) -> tuple[int, Command]:
    port = free_port()
    server = manage("serve", "--port", str(port), home=desk)
    server.wait_until_it_serves(port, "/-/health")
    return port, server


def put(port: int, key: str, content: bytes, name: str = "sales.csv") -> tuple[int, dict[str, object]]:
    answer = ask(port, f"/-/files/desk/{name}", "PUT", content, X_API_KEY=key)
    return answer.status, json.loads(answer.body)


def test_a_server_that_is_killed_half_way_leaves_the_file_before(
    manage: Manage, desk: Path, writer: str, served: tuple[int, Command]
):
    port, server = served
    assert put(port, writer, b"a\n1\n")[0] == 201
    rows = "2\n" * 1000
    head = f"PUT /-/files/desk/sales.csv HTTP/1.1\r\nHost: 127.0.0.1\r\nX-API-KEY: {writer}\r\n"
    with raw(port, f"{head}Content-Length: 1000000\r\n\r\na\n{rows}".encode()):
        eventually(lambda: bool(list((desk / "files/desk/.incoming").glob("*/sales.csv"))))
        os.killpg(server.process.pid, signal.SIGKILL)
        server.wait()
    assert (desk / "files/desk/sales.csv").read_bytes() == b"a\n1\n"
    again = manage("serve", "--port", str(port), home=desk)
    again.wait_until_it_serves(port, "/-/health")
    assert put(port, writer, b"a\n3\n") == (200, {
        "table": "sales", "tables": ["sales"], "rows": 1, "columns": [{"name": "a", "type": "BIGINT"}], "bytes": 4,
        "replaced": True, "version": 2,
    })  # fmt: skip


def test_a_server_sees_what_a_command_puts_and_kills_change_nothing(
    manage: Manage, desk: Path, writer: str, served: tuple[int, Command]
):
    port, _ = served
    (desk / "mine.csv").write_bytes(b"a\n1\n")
    command = manage("put_file", "desk/sales.csv", str(desk / "mine.csv"), home=desk)
    assert command.wait() == 0, command.output
    assert json.loads(command.output)["table"] == "sales"
    listed = json.loads(ask(port, "/-/files/desk", X_API_KEY=writer).body)
    assert [(file["name"], file["version"]) for file in listed["files"]] == [("sales.csv", 1)]
    assert put(port, writer, b"a\n2\n")[1]["version"] == 2


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes."""
    path = tmp_path / "small"
    path.mkdir()
    mounting = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(path)], capture_output=True)
    if mounting.returncode:
        pytest.skip("only a privileged user may mount a file system")
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def test_a_full_disk_is_told_and_the_file_before_is_served(manage: Manage, desk: Path, writer: str, small_disk: Path):
    files = desk / "files/desk"
    if files.exists():
        files.rmdir()
    files.symlink_to(small_disk)
    port = free_port()
    server = manage("serve", "--port", str(port), home=desk)
    server.wait_until_it_serves(port, "/-/health")
    assert put(port, writer, b"a\n1\n")[0] == 201
    status, told = put(port, writer, b"a\n" + b"1\n" * 2_000_000)
    assert (status, "There is no room left to store sales.csv." in str(told["detail"])) == (507, True)
    assert (small_disk / "sales.csv").read_bytes() == b"a\n1\n"
    assert list((small_disk / ".incoming").iterdir()) == []
    assert put(port, writer, b"a\n2\n")[0] == 200
