"""Loading the demo."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings

from tests.conftest import Define
from widgets_app.errors import DefinitionError
from widgets_app.models import App, Query, Source, Version, Widget
from widgets_app.services.bundles import Plan, bundle_export
from widgets_app.services.demo import DEFINITIONS, demo_load
from widgets_app.services.publishing import definition_unpublish

pytestmark = pytest.mark.django_db


def test_everything_is_made_and_published(demo: Plan) -> None:
    assert {step.action for step in demo.steps} == {"add"}
    assert Source.objects.count() == demo.count("add", "source") > 0
    for model in (Query, Widget, App):
        assert model.objects.exists()
        assert not model.objects.filter(published=None).exists()


def test_a_second_time_changes_nothing(demo: Plan) -> None:
    versions = Version.objects.count()
    assert not demo_load().acts
    assert Version.objects.count() == versions


def test_what_was_changed_since_stays_changed(demo: Plan) -> None:
    Widget.objects.filter(widget_id="fx_board").update(name="Our board")
    definition_unpublish(Widget.objects.get(widget_id="fx_note"))
    Source.objects.filter(name="demo-markets").update(rows=7)
    demo_load()
    assert Widget.objects.get(widget_id="fx_board").name == "Our board"
    assert Widget.objects.get(widget_id="fx_note").published is None
    assert Source.objects.get(name="demo-markets").rows == 7


def test_only_what_is_missing_is_made_again(demo: Plan) -> None:
    Widget.objects.get(widget_id="fx_note").delete()
    assert [step.name for step in demo_load().steps if step.acts] == ["fx_note"]


def test_an_app_of_the_same_name_counts_as_there(define_app: Define) -> None:
    define_app("ours", name="Markets")
    demo_load()
    assert App.objects.filter(name="Markets").count() == 1


def test_nothing_is_made_when_something_stands_in_the_way(define_widget: Define) -> None:
    define_widget("ours", endpoint="fx/board")
    with pytest.raises(DefinitionError, match='"fx/board" is already the address of the widget ours'):
        demo_load()
    assert list(Widget.objects.values_list("widget_id", flat=True)) == ["ours"]
    assert not Source.objects.exists()


def test_a_data_file_that_is_there_is_not_replaced(demo: Plan) -> None:
    file = Path(settings.WIDGETS_FILES) / "demo-markets" / "fx_currencies.csv"
    shipped = file.read_bytes()
    try:
        file.write_bytes(shipped.replace(b"US dollar", b"Greenback"))
        App.objects.all().delete()
        Widget.objects.all().delete()
        Query.objects.all().delete()
        Source.objects.all().delete()
        demo_load()
        assert b"Greenback" in file.read_bytes()
    finally:
        file.write_bytes(shipped)


def test_what_is_loaded_is_what_the_files_say(demo: Plan) -> None:
    exported = bundle_export()
    for path in DEFINITIONS.iterdir():
        assert exported[path.name] == path.read_bytes()
