"""What the demo's definitions say: right, and worth copying."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from widgets_app import vocabulary
from widgets_app.manifest import contract
from widgets_app.models import App, Query, Widget
from widgets_app.services.bundles import Plan
from widgets_app.services.demo import DATA, data_files, demo_bundle
from widgets_app.services.publishing import findings_of

ROOT = Path(__file__).resolve().parent.parent.parent
CORPUS = ROOT.parent / "shared" / "corpus" / "bfo-hello-world"
# What the official tutorial's own files bring along.
TUTORIAL = {("hello_world", "source-text"), ("Hello World", "app-key-missing")}
MAX_BYTES = 1_000_000
# A form writes, and the ticker search knows Workspace's own securities only: the demo has nothing for either.
WITHOUT_DATA = {"form", "ticker"}


def definitions() -> dict[str, Any]:
    return {document["id"]: document["definition"] for document in demo_bundle().widgets}


def params() -> list[dict[str, Any]]:
    return [param for definition in definitions().values() for param in definition.get("params", [])]


def markets() -> dict[str, Any]:
    (found,) = [document["app"] for document in demo_bundle().apps if document["slug"] == "markets"]
    return dict(found)


def test_nothing_is_to_be_said_about_them_but_what_the_tutorial_brings(demo: Plan, db: None) -> None:
    rows: list[Query | Widget | App] = [*Query.objects.all(), *Widget.objects.all(), *App.objects.all()]
    found = {(str(row), finding.code) for row in rows for finding in findings_of(row)}
    assert found == TUTORIAL
    shared = contract.check_widgets(definitions())
    assert {(key, finding.code) for key, said in shared.items() for finding in said} <= TUTORIAL


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the collection of real backends is not beside the project")
def test_hello_world_is_the_tutorial_s() -> None:
    (widgets, apps) = (json.loads((CORPUS / name).read_text()) for name in ("widgets.json", "apps.json"))
    (app,) = [document["app"] for document in demo_bundle().apps if document["slug"] == "hello-world"]
    assert {"hello_world": definitions()["hello_world"]} == widgets
    assert [app] == apps


def test_each_type_of_parameter_is_shown() -> None:
    types = {param["type"] for param in params()}
    assert types == vocabulary.words(vocabulary.PARAMETER_TYPES) - WITHOUT_DATA
    assert any(param.get("multiSelect") for param in params())
    assert any(param.get("optionsParams") for param in params())


def test_widgets_of_one_group_get_their_options_from_one_query() -> None:
    for group in markets()["groups"]:
        members = [definitions()[key] for key in group["widgetIds"]]
        shared = [
            param
            for member in members
            for param in member.get("params", [])
            if param["paramName"] == group["paramName"]
        ]
        assert len(shared) > 1
        assert len({param.get("optionsEndpoint") for param in shared}) == 1
        assert len({json.dumps(param["value"]) for param in shared}) == 1
        assert (group["type"] == "endpointParam") == (shared[0]["type"] == "endpoint")


def test_every_widget_is_placed_and_every_query_used() -> None:
    placed = {
        item["i"]
        for document in demo_bundle().apps
        for tab in document["app"]["tabs"].values()
        for item in tab["layout"]
    }
    assert placed == set(definitions())
    fed = {query for document in demo_bundle().widgets for query in document["feeds"].values()}
    offered = {param["optionsEndpoint"] for param in params() if "optionsEndpoint" in param}
    for query in demo_bundle().queries:
        assert query["name"] in fed or query["options_path"] in offered


def test_prompts_name_widgets() -> None:
    for prompt in markets()["prompts"]:
        assert re.search(r"@\[id:\w+\]", prompt)


def test_the_app_s_images_are_its_own() -> None:
    for key in ("img", "img_dark", "img_light"):
        kind, _, content = markets()[key].partition(",")
        assert kind == "data:image/svg+xml;base64"
        assert b64decode(content).startswith(b"<svg")


def test_the_data_is_small_and_its_origin_is_told() -> None:
    about = (DATA / "README.md").read_text(encoding="utf-8")
    assert sum(path.stat().st_size for path in data_files()) < MAX_BYTES
    assert {path.name for path in data_files()} == set(re.findall(r"^\| `([\w.]+)` \|", about, re.MULTILINE))
