from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.loopback import ask, eventually, free_port


@pytest.fixture
def editable(tmp_path: Path) -> Path:
    """A settings module outside the project, that a test may edit."""
    path = tmp_path / "edited_settings.py"
    path.write_text("from project.settings import *\n")
    return path


def test_it_serves_the_application_with_static_files_and_logs_no_keys(manage, home):
    port = free_port()
    command = manage("runserver", "--noreload", str(port), home=home, DEBUG="1")
    command.wait_until_it_serves(port, "/nothing?api_key=secret")
    assert ask(port, "/static/admin/css/base.css").status == 200
    assert ask(port, "/static/nothing.css").status == 404
    eventually(lambda: '"GET /nothing HTTP/1.1" ' in command.output)
    assert f"Starting development server at http://127.0.0.1:{port}/" in command.output
    assert "secret" not in command.output
    command.stop()
    assert "Traceback" not in command.output


def test_the_address_comes_from_the_settings(manage, home):
    port = free_port()
    command = manage("runserver", "--noreload", "--nothreading", home=home, PORT=str(port))
    command.wait_until_it_serves(port)
    command.stop()


def test_a_port_in_use_is_told_in_one_line_and_ends_it(manage, home):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        command = manage("runserver", str(taken.getsockname()[1]), home=home)
        assert command.wait() == 1
    assert command.lines[-1] == "Error: That port is already in use.\n"
    assert "Traceback" not in command.output


def test_a_database_that_is_away_is_told_in_one_line(manage, tmp_path):
    port = free_port()
    away = f"postgres://somebody:secret@127.0.0.1:{free_port()}/nothing"
    command = manage("runserver", "--noreload", str(port), home=tmp_path, DATABASE_URL=away)
    command.wait_until_it_serves(port)
    command.stop()
    assert "The database can't be reached yet: " in command.output
    assert "Traceback" not in command.output
    assert "secret" not in command.output


def test_an_edit_is_served_without_a_restart(manage, home, editable):
    port = free_port()
    environment = {"PYTHONPATH": str(editable.parent), "DJANGO_SETTINGS_MODULE": "edited_settings"}
    command = manage("runserver", str(port), home=home, **environment)
    command.wait_until_it_serves(port)
    assert ask(port, Host="edited.example").status == 400
    editable.write_text('from project.settings import *\nALLOWED_HOSTS = ["edited.example"]\n')

    def is_served() -> bool:
        # An edit before the reloader's first look goes unnoticed, so it is repeated.
        editable.touch()
        try:
            return ask(port, Host="edited.example").status != 400
        except OSError:
            return False

    eventually(is_served, every=3)
