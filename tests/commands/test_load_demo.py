from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from tests.conftest import Define
from widgets_app.models import App, Query, Source, Widget


@pytest.mark.django_db
def test_it_says_what_it_made_and_then_that_it_left_it_alone():
    first, second = StringIO(), StringIO()
    call_command("load_demo", stdout=first)
    call_command("load_demo", stdout=second)
    assert "widgets: hello_world, fx_latest" in first.getvalue()
    assert "apps: hello-world, markets, showcase" in first.getvalue()
    assert "Left alone" not in first.getvalue()
    counted = {"sources": Source, "queries": Query, "widgets": Widget, "apps": App}
    left_alone = ", ".join(f"{model._default_manager.count()} {word}" for word, model in counted.items())
    assert second.getvalue() == f"Left alone, since they exist already: {left_alone}.\n"


def test_what_stands_in_the_way_is_told_in_one_line(define_widget: Define):
    define_widget("ours", endpoint="fx/board")
    with pytest.raises(CommandError, match=r"Nothing was imported: widgets.json: widget fx_board: [^\n]+$"):
        call_command("load_demo")


def test_a_database_without_tables_is_told_in_one_line(manage, tmp_path):
    command = manage("load_demo", home=tmp_path)
    assert command.wait() == 1
    assert command.output == (
        "CommandError: The database can't be used: no such table: widgets_app_revision. "
        "If it is new, run: manage.py migrate\n"
    )


def test_it_fills_a_fresh_database_twice_without_complaint(manage, home):
    for expected in ("Made and published:", "Left alone"):
        command = manage("load_demo", home=home)
        assert command.wait() == 0
        assert command.output.startswith(expected)
        assert "leaked" not in command.output


def test_a_state_folder_that_cannot_be_written_is_told_in_one_line(manage, home):
    (home / "files" / "demo-markets").write_text("in the way")
    command = manage("load_demo", home=home)
    assert command.wait() == 1
    assert command.output.startswith("CommandError: ")
    assert "Traceback" not in command.output
    assert command.output.count("\n") == 1
