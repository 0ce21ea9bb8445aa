"""What the demo's definitions say: right, and worth copying."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from pathlib import Path
from typing import Any, get_args

import pytest

from widgets_app import vocabulary
from widgets_app.compiled import as_served
from widgets_app.manifest import contract
from widgets_app.models import App, Query, Widget
from widgets_app.parameters.types import flatten
from widgets_app.services.bundles import Plan
from widgets_app.services.demo import DATA, data_files, demo_bundle
from widgets_app.services.publishing import findings_of
from widgets_app.shapes.chart.options import ChartOptions

ROOT = Path(__file__).resolve().parent.parent.parent
CORPUS = ROOT.parent / "shared" / "corpus" / "bfo-hello-world"
MAX_BYTES = 1_000_000
# Types of widgets that get no data from queries yet.
WITHOUT_DATA = {"live_grid", "advanced_charting", "pdf", "multi_file_viewer", "omni"}


def definitions() -> dict[str, Any]:
    return {document["id"]: document["definition"] for document in demo_bundle().widgets}


def params(*chosen: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the parameters of some definitions, or of all, the fields of forms besides."""
    found = [param for definition in chosen or definitions().values() for param in flatten(definition.get("params"))]
    return [*found, *(field for param in found for field in param.get("inputParams", []))]


def app(slug: str) -> dict[str, Any]:
    (found,) = [document["app"] for document in demo_bundle().apps if document["slug"] == slug]
    return dict(found)


def test_nothing_is_to_be_said_about_them(demo: Plan, db: None) -> None:
    rows: list[Query | Widget | App] = [*Query.objects.all(), *Widget.objects.all(), *App.objects.all()]
    found = {(str(row), finding.code) for row in rows for finding in findings_of(row)}
    assert not found
    served = {key: as_served(definition, upstream=None, imported=False) for key, definition in definitions().items()}
    shared = contract.check_widgets(served)
    assert not [(key, finding.code) for key, said in shared.items() for finding in said]


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the collection of real backends is not beside the project")
def test_hello_world_is_the_tutorial_s() -> None:
    (widgets, apps) = (json.loads((CORPUS / name).read_text()) for name in ("widgets.json", "apps.json"))
    assert {"hello_world": definitions()["hello_world"]} == widgets
    assert [app("hello-world")] == apps


def test_each_type_of_parameter_is_shown() -> None:
    types = {param["type"] for param in params()}
    assert types == vocabulary.words(vocabulary.PARAMETER_TYPES) | vocabulary.words(vocabulary.FORM_FIELD_TYPES)
    for key in ("multiSelect", "multiple", "optionsParams", "style", "inputParams", "min"):
        assert any(param.get(key) is not None for param in params()), key
    assert any(isinstance(row, list) for definition in definitions().values() for row in definition.get("params", []))


def test_the_showcase_has_each_type_of_widget_and_each_kind_of_chart() -> None:
    placed = {item["i"] for tab in app("showcase")["tabs"].values() for item in tab["layout"]}
    types = {definitions()[key]["type"] for key in placed}
    assert types == vocabulary.words(vocabulary.WIDGET_TYPES) - WITHOUT_DATA
    shapes = [found["shape"] or {} for found in demo_bundle().widgets if definitions()[found["id"]]["type"] == "chart"]
    assert {shape.get("kind", "line") for shape in shapes} == set(
        get_args(ChartOptions.model_fields["kind"].annotation)
    )


def test_the_showcase_says_on_each_tab_what_it_shows() -> None:
    for key, tab in app("showcase")["tabs"].items():
        assert tab["layout"][0]["i"] == f"show_about_{key}"


def test_the_showcase_has_every_way_to_draw_a_cell() -> None:
    columns = [
        column
        for definition in definitions().values()
        for column in definition.get("data", {}).get("table", {}).get("columnsDefs", [])
    ]
    drawn = {name for column in columns for name in [column.get("renderFn")] if isinstance(name, str)}
    assert drawn == vocabulary.words(vocabulary.RENDER_FNS) - {"showCellChange"}  # of live tables only
    actions = {column.get("renderFnParams", {}).get("actionType") for column in columns} - {None}
    assert actions == vocabulary.words(vocabulary.ACTION_TYPES)


@pytest.mark.parametrize("slug", ["markets", "showcase"])
def test_widgets_of_one_group_get_their_options_from_one_query(slug: str) -> None:
    for group in app(slug)["groups"]:
        members = [definitions()[key] for key in group["widgetIds"]]
        shared = [param for param in params(*members) if param["paramName"] == group["paramName"]]
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


@pytest.mark.parametrize("slug", ["markets", "showcase"])
def test_prompts_name_widgets(slug: str) -> None:
    for prompt in app(slug)["prompts"]:
        assert re.search(r"@\[id:\w+\]", prompt)


@pytest.mark.parametrize("slug", ["markets", "showcase"])
def test_the_app_s_images_are_its_own(slug: str) -> None:
    for key in ("img", "img_dark", "img_light"):
        kind, _, content = app(slug)[key].partition(",")
        assert kind == "data:image/svg+xml;base64"
        assert b64decode(content).startswith(b"<svg")


def test_the_data_is_small_and_its_origin_is_told() -> None:
    about = (DATA / "README.md").read_text(encoding="utf-8")
    assert sum(path.stat().st_size for path in data_files()) < MAX_BYTES
    assert {path.name for path in data_files()} == set(re.findall(r"^\| `([\w.]+)` \|", about, re.MULTILINE))
