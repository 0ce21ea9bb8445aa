"""What a published document becomes when it is compiled."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from django.test import Client
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import Define
from widgets_app import catalog
from widgets_app.compiled import Entry, app_as_served, as_served, entry_of, query_of
from widgets_app.errors import DefinitionError
from widgets_app.manifest import document
from widgets_app.services import findings
from widgets_app.shapes.registry import shapes

pytestmark = pytest.mark.django_db


def compiled(definition: dict[str, Any], **published: Any) -> Entry:
    whole = {"name": "w", "endpoint": "w", **definition}
    return entry_of(1, document.dump({"id": "w", "definition": whole, **published}).decode())


@pytest.mark.parametrize(
    ("endpoint", "address"),
    [
        ("page", "https://widgets.example.com/base/page"),
        ("/page?x=1#top", "https://widgets.example.com/base/page?x=1#top"),
        ("https://example.com/page", "https://example.com/page"),
    ],
)
def test_the_page_of_an_iframe_is_served_with_its_whole_address(endpoint: str, address: str, settings: Any) -> None:
    settings.PUBLIC_URL = "https://widgets.example.com/base"
    entry = compiled({"type": "iframe", "endpoint": endpoint})
    assert entry.definition["endpoint"] == address
    assert entry.path is None


@pytest.mark.parametrize("published", [{"imported": True}, {"upstream": "Desk"}])
def test_the_page_of_an_iframe_stays_as_it_came_where_it_was_not_made_here(published: dict[str, Any]) -> None:
    assert compiled({"type": "iframe", "endpoint": "/page"}, **published).definition["endpoint"] == "/page"


def test_an_iframe_may_show_the_page_of_another_widget(caller: Client, define_widget: Define, settings: Any) -> None:
    frame = define_widget("frame", type="iframe", endpoint="page")
    page = define_widget("page", type="html", endpoint="page", shape={"text": "<p>Hello</p>"})
    assert caller.get("/page").content == b"<p>Hello</p>"
    assert caller.get("/widgets.json").json()["frame"]["endpoint"] == f"{settings.PUBLIC_URL}/page"
    for widget in (frame, page):
        codes = [finding.code for finding in findings.widget_findings(widget)]
        assert "endpoint-shared" not in codes
        assert "no-source" not in codes
    assert not catalog.current().left_out


@pytest.mark.parametrize("published", [{}, {"upstream": "Desk"}])
def test_the_longest_times_are_cut_to_a_month(published: dict[str, Any]) -> None:
    assert compiled({"staleTime": 10**400}, **published).stale_seconds == 30 * 24 * 3600
    assert compiled({"staleTime": 1500}, **published).stale_seconds == 1.5


def test_options_that_are_wrong_are_told_in_one_sentence() -> None:
    with pytest.raises(DefinitionError) as caught:
        compiled({"type": "html"}, shape={"text": "{% for row in rows %}"})
    assert str(caught.value).startswith("Look: text: Line 1: Unclosed tag on line 1: 'for'.")
    assert not str(caught.value).endswith("..")


odd = st.none() | st.booleans() | st.integers() | st.sampled_from([2**70, -(10**400), 1e300, "\ud800", "a\0", "form"])
anything = st.recursive(
    odd | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
PARAMETER = (
    "paramName", "type", "label", "value", "optional", "min", "max", "multiSelect", "multiple", "options",
    "optionsEndpoint", "endpoint", "inputParams",
)  # fmt: skip
PARTS = ("params", "data", "staleTime", "gridData", "imgUrl", "refetchInterval", "defaultViz")
few = settings(max_examples=150, deadline=None)


def some(*keys: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(keys), anything, max_size=4)


@few
@given(
    parts=some(*PARTS),
    params=st.lists(some(*PARAMETER), max_size=2),
    kind=st.sampled_from(sorted(shapes())),
    look=st.data(),
    upstream=st.sampled_from([None, "desk"]),
)
def test_any_json_is_compiled_or_refused_in_one_line(
    parts: dict[str, Any], params: list[Any], kind: str, look: st.DataObject, upstream: str | None
) -> None:
    options = look.draw(some(*shapes()[kind].Options.model_fields) if shapes()[kind].Options.model_fields else anything)
    with suppress(DefinitionError):
        entry = compiled({"params": params, **parts, "type": kind}, shape=options, upstream=upstream)
        assert document.dump(entry.definition)


@few
@given(choices=st.lists(some("value", "label", "extraInfo"), max_size=2))
def test_any_options_are_compiled_or_become_the_fault_of_their_query(choices: list[Any]) -> None:
    published = {
        "name": "q", "text": "", "source": None, "seconds": None, "rows": None, "cache_seconds": None,
        "options_path": "q", "choices": choices,
    }  # fmt: skip
    query = query_of(1, published, None)
    assert (query.prepared is None) == bool(query.fault)


@pytest.mark.parametrize(("imported", "source"), [(False, ["A"]), (True, "A")])
def test_what_was_made_here_is_served_as_workspace_documents_it(imported: bool, source: Any) -> None:
    assert as_served({"source": "A"}, upstream=None, imported=imported)["source"] == source


def test_apps_that_were_made_here_have_what_some_builds_of_workspace_ask_for() -> None:
    app = {"name": "A", "prompts": ["Why?"]}
    assert app_as_served(app, imported=False) == {**app, "allowCustomization": True, "groups": []}
    assert app_as_served(app, imported=True) == app
