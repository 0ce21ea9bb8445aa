"""The command as its users run it: what it prints, what it answers, what it leaves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.bundles.conftest import AGENT, AGENTS, APPS, WIDGETS, app, as_bytes, here, taken_out, widget, write
from tests.loopback import serving
from widgets_app import catalog
from widgets_app.models import App, Source, Version, Widget
from widgets_app.services.sources import secrets_of

KEY = "the-key-of-the-backend"
OLD: dict[str, Any] = {WIDGETS: {"a": widget("a", description="old"), "b": widget("b")}, APPS: [app("Desk", "a")]}
NEW: dict[str, Any] = {WIDGETS: {"a": widget("a", description="new"), "c": widget("c")}}


def run(*arguments: object, **options: Any) -> str:
    out = StringIO()
    call_command("import_bundle", *map(str, arguments), stdout=out, stderr=out, **options)
    return out.getvalue()


@pytest.fixture
def old(db: None, tmp_path: Path) -> None:
    run(write(OLD, tmp_path / "old"))


class Backend:
    """A backend of somebody else: what it has by path, and what it was asked."""

    def __init__(self) -> None:
        self.files: dict[str, Any] = {f"/{name}": content for name, content in OLD.items()}
        self.asked: list[tuple[str, str | None]] = []
        self.key: str | None = None
        self.address = ""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        given = dict(scope["headers"]).get(b"x-api-key")
        self.asked.append((scope["path"], given and given.decode()))
        refused = self.key is not None and given != self.key.encode()
        found = self.files.get(scope["path"])
        status = 401 if refused else 404 if found is None else 200
        body = as_bytes({"detail": "no"} if status != 200 else found)
        await send(
            {"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]}
        )
        await send({"type": "http.response.body", "body": body})


@pytest.fixture
def backend() -> Iterator[Backend]:
    running = Backend()
    with serving(running) as (port, _):
        running.address = f"http://127.0.0.1:{port}"
        yield running


def test_an_import_says_what_it_added_and_what_is_to_be_said_about_it(db: None, tmp_path: Path) -> None:
    output = run(write(OLD, tmp_path))
    assert output.startswith("+ widget a\n+ widget b\n+ app desk\n")
    assert "  warning: no-source, 2 times\n" in output
    assert "      widgets.json: widget a, endpoint\n" in output
    assert output.endswith("\nImported: 3 added.\n")
    assert set(catalog.current().entries) == {"a", "b"}
    assert run(tmp_path).endswith("\nNothing to do: 3 unchanged.\n")


def test_a_few_places_of_a_finding_are_shown_and_all_of_them_on_request(db: None, tmp_path: Path) -> None:
    folder = write({WIDGETS: {f"w{number}": widget(f"w{number}") for number in range(5)}}, tmp_path)
    assert "      and 2 more; all with -v 2\n" in run(folder, dry_run=True)
    assert run(folder, dry_run=True, verbosity=2).count("widgets.json: widget w") == 5


def test_a_dry_run_shows_each_changed_key_and_changes_nothing(old: None, tmp_path: Path) -> None:
    before = here()
    output = run(write(NEW, tmp_path), on_conflict="replace", prune=True, dry_run=True)
    assert output.startswith('~ widget a\n    ~ definition.description: "old" → "new"\n+ widget c\n- widget b\n')
    assert output.endswith("\nNothing was changed. An import would do this: 1 added, 1 changed, 1 removed.\n")
    assert here() == before


def test_a_dry_run_with_conflicts_shows_them_and_fails(old: None, tmp_path: Path) -> None:
    out = StringIO()
    with pytest.raises(CommandError, match=r'^Nothing was imported: widget "a" would be changed\. '):
        call_command("import_bundle", str(write(NEW, tmp_path)), dry_run=True, stdout=out)
    assert '! widget a\n    ~ definition.description: "old" → "new"\n' in out.getvalue()


def test_conflicts_are_shown_key_by_key(old: None, tmp_path: Path) -> None:
    before, out = here(), StringIO()
    with pytest.raises(CommandError, match=r"would be changed\. Choose to replace or to skip"):
        call_command("import_bundle", str(write(NEW, tmp_path)), stdout=out)
    assert out.getvalue() == '! widget a\n    ~ definition.description: "old" → "new"\n'
    assert here() == before


def test_the_order_is_told_when_it_changes(old: None, tmp_path: Path) -> None:
    turned = {WIDGETS: {"b": OLD[WIDGETS]["b"], "a": OLD[WIDGETS]["a"]}}
    assert run(write(turned, tmp_path)).startswith("~ order of widgets\n")
    assert list(taken_out()[WIDGETS]) == ["b", "a"]


def test_rewrites_are_shown(db: None, tmp_path: Path) -> None:
    output = run(write({WIDGETS: {"a": widget("a", source="One")}}, tmp_path), modernise=True, dry_run=True)
    assert output.startswith('* widget a is modernised\n    ~ definition.source: "One" → ["One"]\n+ widget a\n')


def test_long_values_are_cut(old: None, tmp_path: Path) -> None:
    long = {WIDGETS: {"a": widget("a", description="x" * 1000)}}
    output = run(write(long, tmp_path), on_conflict="replace")
    assert f'    ~ definition.description: "old" → "{"x" * 159}…\n' in output


def test_a_running_backend_is_read_with_its_header(db: None, backend: Backend) -> None:
    backend.key = KEY
    with pytest.raises(
        CommandError, match=r"^127\.0\.0\.1 wants a key for widgets\.json \(status 401\)\. Give its header"
    ):
        run(backend.address)
    run(f"{backend.address}/", header=[f"X-API-KEY: {KEY}"])
    assert backend.asked[1:] == [(f"/{name}", KEY) for name in (WIDGETS, APPS, AGENTS)]
    assert taken_out()[WIDGETS] == OLD[WIDGETS]
    assert not Source.objects.exists()


def test_what_a_backend_lacks_besides_widgets_is_not_missed(db: None, backend: Backend) -> None:
    del backend.files["/apps.json"]
    run(backend.address)
    assert (Widget.objects.count(), App.objects.count()) == (2, 0)


def test_an_address_may_name_one_file_or_lie_deeper(db: None, backend: Backend) -> None:
    backend.files = {"/deep/er/widgets.json": {"a": widget("a")}, "/my/agents.json": {"x": AGENT}}
    run(f"{backend.address}/deep/er/")
    run(f"{backend.address}/my/agents.json")
    assert (list(taken_out()[WIDGETS]), list(taken_out()[AGENTS])) == (["a"], ["x"])
    with pytest.raises(CommandError, match=r"^127\.0\.0\.1 has nothing at this address\. Check the path\.$"):
        run(f"{backend.address}/gone/widgets.json")


def test_a_backend_can_be_its_own_upstream_and_its_key_is_shown_nowhere(db: None, backend: Backend) -> None:
    backend.key = KEY
    options = {"upstream": backend.address, "header": [f"X-API-KEY: {KEY}"]}
    output = run(backend.address, **options)
    source = Source.objects.get()
    assert f"+ source {source.name}\n" in output
    assert "no-source" not in output
    assert source.options == {"url": backend.address, "private_hosts": ["127.0.0.1"]}
    assert secrets_of(source) == {"headers": {"X-API-KEY": KEY}}
    assert run(backend.address, **options).endswith("\nNothing to do: 4 unchanged.\n")
    assert run(backend.address, header=options["header"]).endswith("\nNothing to do: 3 unchanged.\n")
    shown = [output, str(here()), json.dumps(taken_out()), str(list(Version.objects.values_list("document")))]
    assert not [text for text in shown if KEY in text]


def test_another_key_is_a_conflict_that_does_not_tell_it(db: None, backend: Backend) -> None:
    options = {"upstream": backend.address, "on_conflict": "replace"}
    run(backend.address, **options, header=["X-API-KEY: one-key"])
    output = run(backend.address, **options, header=[f"X-API-KEY: {KEY}"])
    assert "    ~ secrets: (hidden) → (hidden)\n" in output
    assert secrets_of(Source.objects.get()) == {"headers": {"X-API-KEY": KEY}}


def test_the_real_command_ends_with_0_only_after_an_import(manage: Any, home: Path, tmp_path: Path) -> None:
    folder = write({WIDGETS: {"a": widget("Zürich \ud800"), "\x1b[2Jü": widget("→")}}, tmp_path / "good")
    for expected in ("\nImported: 2 added.\n", "\nNothing to do: 2 unchanged.\n"):
        command = manage("import_bundle", str(folder), home=home)
        assert command.wait() == 0, command.output
        assert command.output.endswith(expected)
        assert "\x1b" not in command.output
    changed = write({WIDGETS: {"a": widget("Other \udfff")}}, tmp_path / "changed")
    command = manage("import_bundle", str(changed), home=home, PYTHONIOENCODING="ascii")
    assert command.wait() == 1
    assert command.lines[1].startswith('    ~ definition.name: "Z\\xfcrich \\ud800" \\u2192 "Other \\udfff"')
    assert command.lines[-1].startswith('CommandError: Nothing was imported: widget "a" would be changed. ')
    broken = write({WIDGETS: b"{"}, tmp_path / "broken")
    command = manage("import_bundle", str(broken), home=home)
    assert command.wait() == 1
    assert command.output.startswith("CommandError: widgets.json, line 1, column 1: ")
    assert command.output.count("\n") == 1


def test_long_imports_say_how_far_they_are(manage: Any, home: Path, tmp_path: Path) -> None:
    folder = write({WIDGETS: {f"w{number}": widget(f"w{number}") for number in range(120)}}, tmp_path / "many")
    command = manage("import_bundle", str(folder), home=home)
    assert command.wait() == 0
    assert command.lines[:2] == ["Imported 100 of 120\n", "Imported 120 of 120\n"]


def test_a_database_without_tables_is_told_in_one_line(manage: Any, tmp_path: Path) -> None:
    command = manage("import_bundle", str(write(OLD, tmp_path / "old")), home=tmp_path)
    assert command.wait() == 1
    assert command.output.startswith("CommandError: The database can't be used: no such table: ")
    assert command.output.count("\n") == 1
