"""What forms do travels with their widgets; the rows of collections are data, and do not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.bundles.conftest import bring, taken_out, widget, wipe
from widgets_app.errors import DefinitionError
from widgets_app.manifest.reading import read_widget
from widgets_app.models import CollectionRow, FormAction, Source, Widget
from widgets_app.services.bundles import bundle_export
from widgets_app.services.bundles.bundle import BACKEND, WIDGETS
from widgets_app.services.bundles.exporting import Selection
from widgets_app.services.publishing import definition_publish, is_changed

pytestmark = pytest.mark.django_db

OPTIONS = {"columns": ["vessel: text"], "key": ["vessel"]}
ACTIONS = [
    {"button": "add", "does": "append", "source": "log", "once_seconds": 5},
    {"does": "function", "source": "code", "function": "note"},
]
FORM = {"paramName": "entry", "type": "form", "endpoint": "log/entry", "inputParams": [
    {"paramName": "vessel", "type": "text"}, {"paramName": "add", "type": "button", "value": True}]}  # fmt: skip


@pytest.fixture
def log(db: None) -> Widget:
    source = Source.objects.create(name="log", kind="collection", options=OPTIONS)
    Source.objects.create(name="code", kind="python")
    Source.objects.create(name="other", kind="python")
    CollectionRow.objects.create(source=source, data={"vessel": "Aurora"})
    row = read_widget({"id": "log", "definition": widget("log", params=[FORM]), "forms": {"entry": ACTIONS}})
    definition_publish(row, strict=False)
    return Widget.objects.get()


def test_forms_and_collections_come_back_from_an_export_without_rows(log: Widget) -> None:
    files = bundle_export(everything=True)
    assert b"Aurora" not in b"".join(files.values())
    assert json.loads(files[BACKEND])["widgets"]["log"]["forms"] == {"entry": ACTIONS}
    wipe()
    bring(files)
    assert bundle_export(everything=True) == files
    assert Source.objects.get(name="log").options == OPTIONS
    assert [action.button for action in FormAction.objects.all()] == ["add", ""]
    assert not CollectionRow.objects.exists()
    assert not is_changed(Widget.objects.get())


def test_a_chosen_widget_brings_along_what_its_forms_write_to(log: Widget) -> None:
    files = bundle_export(only=Selection(widgets=frozenset([log.pk])))
    assert [source["name"] for source in json.loads(files[BACKEND])["sources"]] == ["code", "log"]


@pytest.mark.parametrize(
    ("action", "says"),
    [
        ({"source": "missing"}, 'needs the source "missing"'),
        ({"source": "log", "does": "function"}, '"function" names the function'),
        ({"source": "log", "function": "note"}, '"function" names the function'),
        ({"source": "log", "does": "burn"}, "does"),
    ],
)
def test_forms_that_can_not_be_are_refused_whole(log: Widget, action: dict[str, Any], says: str) -> None:
    before = taken_out()
    kept = {"format": 1, "widgets": {"log": {"forms": {"entry": [action]}}}}
    with pytest.raises(DefinitionError, match=says):
        bring({WIDGETS: {"log": widget("log", params=[FORM])}, BACKEND: kept})
    assert taken_out() == before
