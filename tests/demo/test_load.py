"""Loading the demo."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings

from tests.conftest import Define
from widgets_app.errors import DefinitionError
from widgets_app.models import App, Query, Source, Version, Widget
from widgets_app.services import demo as service
from widgets_app.services.demo import Loaded, demo_load, documents
from widgets_app.services.publishing import definition_unpublish, document_of

KINDS = ("sources", "queries", "widgets", "apps")

pytestmark = pytest.mark.django_db


def test_everything_is_made_and_published(demo: Loaded) -> None:
    assert set(demo.made) == set(KINDS)
    assert not demo.kept
    assert Source.objects.count() == len(documents("sources"))
    for model in (Query, Widget, App):
        assert model.objects.exists()
        assert not model.objects.filter(published=None).exists()


def test_a_second_time_changes_nothing(demo: Loaded) -> None:
    versions = Version.objects.count()
    again = demo_load()
    assert not again.made
    assert again.kept == demo.made
    assert Version.objects.count() == versions


def test_what_was_changed_since_stays_changed(demo: Loaded) -> None:
    Widget.objects.filter(widget_id="fx_board").update(name="Our board")
    definition_unpublish(Widget.objects.get(widget_id="fx_note"))
    Source.objects.filter(name="demo-markets").update(rows=7)
    demo_load()
    assert Widget.objects.get(widget_id="fx_board").name == "Our board"
    assert Widget.objects.get(widget_id="fx_note").published is None
    assert Source.objects.get(name="demo-markets").rows == 7


def test_only_what_is_missing_is_made_again(demo: Loaded) -> None:
    Widget.objects.get(widget_id="fx_note").delete()
    again = demo_load()
    assert again.made == {"widgets": ["fx_note"]}


def test_an_app_of_the_same_name_counts_as_there(define_app: Define) -> None:
    define_app("ours", name="Markets")
    loaded = demo_load()
    assert loaded.kept == {"apps": ["markets"]}
    assert App.objects.filter(name="Markets").count() == 1


def test_nothing_is_made_when_something_stands_in_the_way(define_widget: Define) -> None:
    define_widget("ours", endpoint="fx/board")
    with pytest.raises(DefinitionError, match='"fx/board" is already the address of the widget ours'):
        demo_load()
    assert list(Widget.objects.values_list("widget_id", flat=True)) == ["ours"]
    assert not Source.objects.exists()


def test_a_source_that_is_not_right_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "sources.json").write_text('[{"name": "not a slug", "kind": "files"}]')
    monkeypatch.setattr(service, "DEFINITIONS", tmp_path)
    with pytest.raises(DefinitionError, match="Source not a slug: Enter a valid"):
        demo_load()


def test_a_data_file_that_is_there_is_not_replaced(demo: Loaded) -> None:
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


def test_what_is_loaded_is_what_the_files_say(demo: Loaded) -> None:
    assert [document_of(query) for query in Query.objects.order_by("pk")] == documents("queries")
    assert [document_of(widget) for widget in Widget.objects.all()] == documents("widgets")
    assert [document_of(app) for app in App.objects.all()] == documents("apps")
