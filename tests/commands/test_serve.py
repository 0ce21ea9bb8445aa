from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest

from tests.loopback import ask, eventually, everything, free_port, raw


def workers(pid: int) -> set[int]:
    """Return the processes that a supervisor has started to serve."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return {int(child) for child in children if b"spawn_main" in command_line(child)}


def command_line(process: str) -> bytes:
    """Return how a process was started, nothing if it has just ended."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def test_it_serves_until_it_is_told_to_stop_and_logs_no_keys(manage, home):
    port = free_port()
    command = manage("serve", "--port", str(port), home=home)
    command.wait_until_it_serves(port, "/widgets.json?api_key=secret")
    assert ask(port, "/nothing?api_key=secret").headers["Content-Type"] == "application/json"
    assert command.stop() in (0, -signal.SIGTERM)
    assert f"http://127.0.0.1:{port}/" in command.output
    assert "secret" not in command.output
    assert "Traceback" not in command.output


def test_the_address_comes_from_the_settings(manage, home):
    port = free_port()
    command = manage("serve", home=home, PORT=str(port), HOST="127.0.0.2")
    eventually(lambda: f"http://127.0.0.2:{port}/" in command.output)
    command.stop()


def test_a_request_under_way_does_not_hold_up_the_stop(manage, home):
    port = free_port()
    command = manage("serve", "--port", str(port), home=home)
    command.wait_until_it_serves(port)
    token = "a" * 32
    request = (
        f"POST /admin/login/ HTTP/1.1\r\nHost: localhost\r\nCookie: csrftoken={token}\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\nusername="
    )
    waiting = raw(port, request.encode())
    ask(port)
    command.stop()
    answer = everything(waiting)
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"restarting" in answer
    assert "Traceback" not in command.output


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds worker processes in /proc")
def test_a_killed_worker_is_replaced_and_all_end_with_the_supervisor(manage, home):
    port = free_port()
    command = manage("serve", "--port", str(port), "--workers", "2", home=home)
    command.wait_until_it_serves(port)
    first = workers(command.process.pid)
    assert len(first) == 2
    os.kill(victim := first.pop(), signal.SIGKILL)
    eventually(lambda: len(found := workers(command.process.pid)) == 2 and victim not in found)
    command.wait_until_it_serves(port)
    last = workers(command.process.pid)
    assert command.stop() == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in last)


def test_a_database_without_tables_is_refused_in_one_line(manage, tmp_path):
    command = manage("serve", "--port", str(free_port()), home=tmp_path / "new")
    assert command.wait() == 1
    (line,) = command.lines
    assert "migration" in line
    assert "manage.py migrate" in line


def test_a_database_that_is_away_does_not_keep_the_server_from_starting(manage, tmp_path):
    port = free_port()
    away = f"postgres://somebody:secret@127.0.0.1:{free_port()}/nothing"
    command = manage("serve", "--port", str(port), home=tmp_path, DATABASE_URL=away)
    command.wait_until_it_serves(port, "/nothing/at/all")
    answer = ask(port, "/widgets.json", Origin="https://pro.openbb.co")
    assert answer.status in (401, 503)
    assert answer.headers["Access-Control-Allow-Origin"] == "https://pro.openbb.co"
    command.stop()
    assert "secret" not in command.output


def test_a_port_in_use_is_refused_in_one_line(manage, home):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = manage("serve", "--port", str(port), home=home)
        assert command.wait() == 1
    (line,) = command.lines
    assert f"port {port}" in line


@pytest.mark.parametrize("option", [("--workers", "0"), ("--workers", "two"), ("--port", "70000")])
def test_numbers_out_of_range_are_refused(manage, home, option):
    command = manage("serve", *option, home=home)
    assert command.wait() == 2
    assert f'"{option[1]}" is not a number from 1 to' in command.output
    assert "Traceback" not in command.output
