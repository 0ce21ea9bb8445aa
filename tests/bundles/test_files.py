"""What a file is, by its name and by what it holds; folders and archives."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.bundles.conftest import AGENT, AGENTS, APPS, BACKEND, WIDGETS, Files, app, as_bytes, bundle_of, widget, write
from widgets_app.errors import DefinitionError
from widgets_app.services.bundles import Bundle, from_inputs

NOTHING = b"{}"


def read(*inputs: Path) -> Bundle:
    return from_inputs([str(path) for path in inputs], headers={}, private_hosts=frozenset())


def ids(bundle: Bundle) -> list[str]:
    return [document["id"] for document in bundle.widgets]


def archive(files: Files, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", compression) as opened:
        for name, content in files.items():
            opened.writestr(name, as_bytes(content))
    return packed.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("widgets.json", {"a": widget("a")}, "widget"),
        ("My Widgets (1).JSON", {"a": widget("a")}, "widget"),
        ("depot\\export\\widgets_2.json", {"a": widget("a")}, "widget"),
        ("apps.json", [app("A")], "app"),
        ("apps.json", app("A"), "app"),
        ("templates.json", [app("A")], "app"),
        ("agents.json", {"a": AGENT}, "agent"),
        ("copilots.json", {"a": AGENT}, "agent"),
        ("w936.json", {"a": widget("a")}, "widget"),
        ("w936.json", [app("A")], "app"),
        ("w936.json", {"a": AGENT}, "agent"),
        ("w936.json", {"format": 1, "sources": []}, "backend"),
        ("backend.json", {"format": 1}, "backend"),
    ],
)
def test_what_a_file_is_follows_from_its_name_or_else_from_what_it_holds(name: str, content: Any, kind: str) -> None:
    assert bundle_of({name: content}).files[kind] == name


@pytest.mark.parametrize("empty", [{WIDGETS: {}}, {APPS: []}, {AGENTS: {}}])
def test_a_file_without_entries_is_a_bundle_without_definitions(empty: Files) -> None:
    bundle = bundle_of(empty)
    assert (bundle.widgets, bundle.apps, bundle.agents, len(bundle.files)) == ([], [], [], 1)


def test_several_files_of_a_kind_go_together_in_the_order_in_which_they_are_given() -> None:
    bundle = bundle_of({"widgets_2.json": {"z": widget("z")}, WIDGETS: {"a": widget("a"), "z": widget("z")}})
    assert ids(bundle) == ["z", "a"]
    assert bundle.files == {"widget": "widgets_2.json, widgets.json"}


@pytest.mark.parametrize("odd", [None, 5, "text", [], [widget("a")]])
def test_an_entry_that_is_no_object_is_left_out_and_told(odd: Any) -> None:
    bundle = bundle_of({WIDGETS: {"a": widget("a"), "b": odd}, APPS: [odd, app("A")]})
    assert ids(bundle) == ["a"]
    assert [document["app"]["name"] for document in bundle.apps] == ["A"]
    assert [(left.file, left.kind, left.name, left.finding.severity) for left in bundle.left_out] == [
        (WIDGETS, "widget", "b", "error"),
        (APPS, "app", "[0]", "error"),
    ]


def test_a_folder_gives_its_manifests_and_nothing_else(tmp_path: Path) -> None:
    files = {WIDGETS: {"a": widget("a")}, APPS: [app("A")], "package.json": {"scripts": {}}, "widgets_2.json": b"no"}
    bundle = read(write(files, tmp_path))
    assert (ids(bundle), len(bundle.apps), bundle.agents) == (["a"], 1, [])


def test_older_names_in_a_folder_count_where_todays_are_missing(tmp_path: Path) -> None:
    old = {"templates.json": [app("old")], "copilots.json": {"old": AGENT}}
    assert read(write(old, tmp_path / "one")).files == {"app": "templates.json", "agent": "copilots.json"}
    both = {**old, APPS: [app("new")]}
    assert [document["app"]["name"] for document in read(write(both, tmp_path / "two")).apps] == ["new"]


def test_folders_and_files_can_be_mixed(tmp_path: Path) -> None:
    folder = write({WIDGETS: {"a": widget("a")}}, tmp_path / "folder")
    other = write({"w.json": {"b": widget("b")}}, tmp_path) / "w.json"
    assert ids(read(folder, other)) == ["a", "b"]


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_archive_stands_for_what_is_in_it_whatever_it_is_called(tmp_path: Path, compression: int) -> None:
    packed = archive({"depot/widgets.json": {"a": widget("a")}, "depot/apps.json": [app("A")]}, compression)
    bundle = read(write({"download": packed}, tmp_path) / "download")
    assert ids(bundle) == ["a"]
    assert bundle.files == {"widget": "depot/widgets.json", "app": "depot/apps.json"}


def test_other_files_of_an_archive_do_not_count() -> None:
    other = {"package.json": {"scripts": {}}, "README.md": b"#", "__MACOSX/._widgets.json": b"\x00\x05", "d/": b""}
    assert ids(bundle_of({"a.zip": archive({WIDGETS: {"a": widget("a")}, **other})})) == ["a"]


def test_what_is_kept_about_an_app_belongs_to_the_next_app_of_its_name() -> None:
    kept = [{"slug": "one", "name": "Twin"}, {"slug": "two", "name": "Twin"}, {"slug": "no-name", "name": None}]
    apps = [app("Twin", "a"), {"tabs": {}}, app("Twin", "b"), app("Twin", "c")]
    bundle = bundle_of({APPS: apps, BACKEND: {"format": 1, "apps": kept}})
    assert [document.get("slug") for document in bundle.apps] == ["one", "no-name", "two", None]


def test_what_a_backend_file_does_not_say_is_left_open() -> None:
    kept = {"format": 1, "widgets": {"a": {"groups": ["Desk"]}}}
    assert bundle_of({WIDGETS: {"a": widget("a")}, BACKEND: kept}).widgets == [
        {"groups": ["Desk"], "id": "a", "definition": widget("a")}
    ]


def test_the_same_file_twice_is_the_same_as_once_and_another_version_is_refused() -> None:
    assert ids(bundle_of({"widgets_1.json": {"a": widget("a")}, "widgets_2.json": {"a": widget("a")}})) == ["a"]
    with pytest.raises(DefinitionError, match=r'^widgets_1.json and widgets_2.json both define "a", differently\.$'):
        bundle_of({"widgets_1.json": {"a": widget("a")}, "widgets_2.json": {"a": widget("b")}})
