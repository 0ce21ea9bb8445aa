"""Exports as their users make them."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.bundles.conftest import AGENTS, APPS, BACKEND, WIDGETS, app, bring, widget, write
from widgets_app.models import Widget

FILES: dict[str, Any] = {WIDGETS: {"a": widget("Zürich"), "bad": {"description": "No name"}}, APPS: [app("Desk", "a")]}


def run(folder: Path, **options: Any) -> dict[str, Any]:
    out = StringIO()
    call_command("export_bundle", str(folder), stdout=out, **options)
    files = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
    assert sorted(out.getvalue().splitlines()) == [
        f"{folder / name}: {len(content):,} bytes" for name, content in files.items()
    ]
    return {name: json.loads(content) for name, content in files.items()}


def test_what_is_served_is_written_and_with_all_the_rest_too(db: None, tmp_path: Path) -> None:
    bring(FILES)
    Widget.objects.filter(widget_id="a").update(name="Draft")
    served = run(tmp_path / "new" / "served")
    assert set(served) == {WIDGETS, APPS, AGENTS, BACKEND}
    assert served[WIDGETS] == {"a": FILES[WIDGETS]["a"]}
    everything = run(tmp_path / "all", all=True)
    assert everything[WIDGETS] == {"a": {**FILES[WIDGETS]["a"], "name": "Draft"}, "bad": FILES[WIDGETS]["bad"]}


def test_a_second_export_replaces_the_first_and_leaves_other_files(db: None, tmp_path: Path) -> None:
    bring(FILES)
    run(tmp_path / "out")
    bring({WIDGETS: {}}, prune=True)
    assert run(tmp_path / "out")[WIDGETS] == {}
    (tmp_path / "out" / "README.md").write_text("mine")
    call_command("export_bundle", str(tmp_path / "out"), stdout=StringIO())
    assert (tmp_path / "out" / "README.md").read_text() == "mine"


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_folder_that_cannot_be_written_is_told_in_one_line(db: None, tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CommandError, match=r"^[^\n]*file[^\n]*$"):
        call_command("export_bundle", str(tmp_path / place), stdout=StringIO())


def test_the_same_definitions_give_the_same_bytes_in_another_backend(manage: Any, home: Path, tmp_path: Path) -> None:
    def done(*arguments: str, **environment: str) -> None:
        command = manage(*arguments, home=home, **environment)
        assert command.wait() == 0, command.output

    first, second = tmp_path / "first", tmp_path / "second"
    done("import_bundle", str(write(FILES, tmp_path / "in")))
    done("export_bundle", str(first), "--all")
    done("flush", "--no-input")
    done("import_bundle", str(first))
    done("export_bundle", str(second), "--all", PYTHONHASHSEED="7")
    assert {path.name: path.read_bytes() for path in first.iterdir()} == {
        path.name: path.read_bytes() for path in second.iterdir()
    }
