"""What an export writes, and that another backend becomes the same by it."""

from __future__ import annotations

import io
import json
import stat
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.bundles.conftest import (
    AGENTS,
    APPS,
    BACKEND,
    WIDGETS,
    actions,
    app,
    bring,
    bundle_of,
    taken_out,
    widget,
    wipe,
)
from widgets_app.models import Agent, App, Query, Widget
from widgets_app.services.bundles import Selection, bundle_export, from_inputs, write_folder, zipped

pytestmark = pytest.mark.django_db


def pks(model: Any, **names: Any) -> frozenset[int]:
    return frozenset(model.objects.filter(**names).values_list("pk", flat=True))


@pytest.mark.parametrize("everything", [True, False])
def test_what_is_exported_in_one_place_and_imported_in_another_is_exported_the_same(
    whole: None, everything: bool
) -> None:
    files = bundle_export(everything=everything)
    wipe()
    assert bundle_export(everything=everything)[BACKEND] != files[BACKEND]
    plan = bring(files)
    assert plan.count("add") == len(plan.steps)
    assert bundle_export(everything=everything) == files


def test_an_export_has_all_that_is_served_and_no_draft(whole: None) -> None:
    files = taken_out(everything=False)
    assert list(files[WIDGETS]) == ["prices", "note", "old/one"]
    assert [found["name"] for found in files[APPS]] == ["Desk"]
    assert list(files[AGENTS]) == ["controller"]
    backend = files[BACKEND]
    assert [source["name"] for source in backend["sources"]] == ["legacy", "market"]
    assert [query["name"] for query in backend["queries"]] == ["prices", "tickers"]
    assert backend["groups"] == ["Audit", "Desk"]
    assert backend["widgets"]["prices"] == {
        "shape": None, "feeds": {"rows": "prices"}, "upstream": None, "groups": ["Audit", "Desk"], "imported": False
    }  # fmt: skip


def test_an_export_of_everything_has_drafts_as_they_are(whole: None) -> None:
    Widget.objects.filter(widget_id="prices").update(name="Being edited")
    assert taken_out(everything=False)[WIDGETS]["prices"]["name"] == "prices"
    files = taken_out()
    assert files[WIDGETS]["prices"]["name"] == "Being edited"
    kept = files[BACKEND]["widgets"]
    assert (kept["draft"]["published"], kept["prices"]["published"]) == (False, True)
    assert [found["slug"] for found in files[BACKEND]["apps"]] == ["the-desk", "desk-2"]


def test_what_breaks_the_manifest_is_only_in_an_export_of_everything() -> None:
    bring({WIDGETS: {"bad": {"description": "No name"}, "good": widget("good")}})
    assert list(taken_out(everything=False)[WIDGETS]) == ["good"]
    assert list(taken_out()[WIDGETS]) == ["bad", "good"]


def test_no_secret_is_exported(whole: None) -> None:
    assert b"upstream-secret" not in b"".join(bundle_export(everything=True).values())


def test_chosen_definitions_bring_along_what_they_refer_to(whole: None) -> None:
    only = Selection(widgets=pks(Widget, widget_id="prices"))
    files = {name: json.loads(content) for name, content in bundle_export(only=only).items()}
    assert (list(files[WIDGETS]), files[APPS], files[AGENTS]) == (["prices"], [], {})
    assert [query["name"] for query in files[BACKEND]["queries"]] == ["prices", "tickers"]
    assert [source["name"] for source in files[BACKEND]["sources"]] == ["market"]
    only = Selection(agents=pks(Agent), apps=pks(App))
    files = {name: json.loads(content) for name, content in bundle_export(only=only).items()}
    assert list(files[WIDGETS]) == ["prices", "old/one"]
    assert [source["name"] for source in files[BACKEND]["sources"]] == ["legacy", "market"]
    only = Selection(agents=pks(Agent))
    files = {name: json.loads(content) for name, content in bundle_export(only=only).items()}
    assert [source["name"] for source in files[BACKEND]["sources"]] == ["legacy"]
    assert (files[BACKEND]["queries"], files[BACKEND]["groups"]) == ([], ["Audit"])


def test_chosen_definitions_can_be_imported_on_their_own(whole: None) -> None:
    files = bundle_export(only=Selection(widgets=pks(Widget, widget_id="prices")))
    wipe()
    plan = bring(files)
    assert plan.count("add") == len(plan.steps) == 6
    assert Query.objects.filter(published__isnull=False).count() == 2


def test_an_archive_of_an_export_is_the_same_each_time_and_can_be_imported(whole: None, tmp_path: Path) -> None:
    files = bundle_export(everything=True)
    packed = zipped(files)
    assert packed == zipped(files)
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == files
    assert set(actions(bring({"bundle.zip": packed})).values()) == {"same"}


def test_a_folder_is_written_whole_and_read_back(whole: None, tmp_path: Path) -> None:
    files = bundle_export(everything=True)
    folder = tmp_path / "new" / "folder"
    write_folder(files, folder)
    write_folder(files, folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == files
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o644}
    bundle = from_inputs([str(folder)], headers={}, private_hosts=frozenset())
    assert bundle == bundle_of(files)


def test_a_folder_that_cannot_be_written_keeps_what_it_had(tmp_path: Path) -> None:
    (tmp_path / APPS).mkdir()
    write_folder({WIDGETS: b"old"}, tmp_path)
    with pytest.raises(OSError, match=APPS):
        write_folder({APPS: b"new"}, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [APPS, WIDGETS]


def test_files_are_written_for_people_too() -> None:
    bring({WIDGETS: {"a": widget("Zürich"), "b": widget("half \ud800")}})
    content = bundle_export()[WIDGETS]
    assert content.endswith(b"\n}\n")
    assert json.loads(content)["b"]["name"] == "half \ud800"
    bring({WIDGETS: {"a": widget("Zürich")}}, prune=True)
    assert '\n    "name": "Zürich",\n'.encode() in bundle_export()[WIDGETS]


def test_an_empty_backend_is_exported_as_empty_files() -> None:
    files = taken_out()
    assert (files[WIDGETS], files[APPS], files[AGENTS]) == ({}, [], {})
    assert not bring(bundle_export()).acts


def test_names_of_apps_may_be_anything() -> None:
    apps = [{**app("x"), "name": 5}, {"tabs": {}}, app(""), {**app("x"), "name": [None]}, {"tabs": {}, "name": None}]
    bring({APPS: apps})
    files = bundle_export(everything=True)
    assert [found.get("name") for found in json.loads(files[APPS])] == [5, None, "", [None], None]
    assert not bring(files).acts
    wipe()
    bring(files)
    assert bundle_export(everything=True) == files
