"""What a published document becomes when it is compiled."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from tests.conftest import Define
from widgets_app import catalog
from widgets_app.compiled import Entry, entry_of
from widgets_app.errors import DefinitionError
from widgets_app.manifest import document
from widgets_app.services import findings

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


def test_options_that_are_wrong_are_told_in_one_sentence() -> None:
    with pytest.raises(DefinitionError) as caught:
        compiled({"type": "html"}, shape={"text": "{% for row in rows %}"})
    assert str(caught.value).startswith("Look: text: Line 1: Unclosed tag on line 1: 'for'.")
    assert not str(caught.value).endswith("..")
