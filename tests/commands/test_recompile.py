from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection

from tests.conftest import Define
from widgets_app.catalog import CATALOG
from widgets_app.models import Query, Revision, Source, Version, triggers

pytestmark = pytest.mark.django_db


def numbers() -> dict[str, int]:
    return dict(Revision.objects.values_list("name", "number"))


def recompile() -> str:
    out = StringIO()
    call_command("recompile", stdout=out)
    return out.getvalue()


def change(version: Version | None, old: str, new: str) -> None:
    """Write past the triggers, which don't look at the texts of versions."""
    assert version is not None
    assert old in version.document
    version.document = version.document.replace(old, new)
    version.save()


def test_both_numbers_move_and_are_told():
    recompile()
    before = numbers()
    output = recompile()
    assert numbers() == {name: number + 1 for name, number in before.items()}
    assert set(before) == {"catalog", "keys"}
    for name, number in numbers().items():
        assert f"Revision of the {name}: {number}.\n" in output


def test_numbers_that_were_lost_start_anew():
    Revision.objects.all().delete()
    recompile()
    assert numbers() == {"catalog": 1, "keys": 1}


def test_triggers_that_were_lost_are_put_back():
    table = "widgets_app_widget"
    name = next(name for name in triggers.names() if name.endswith(f"{table}_insert"))
    on = f' ON "{table}"' if connection.vendor == "postgresql" else ""
    with connection.cursor() as cursor:
        cursor.execute(f'DROP TRIGGER "{name}"{on}')
    assert name not in triggers.installed()
    recompile()
    assert name in triggers.installed()


def test_a_change_past_the_triggers_is_served(define_query: Define, define_widget: Define):
    define_query()
    widget = define_widget("prices", query="prices")
    assert CATALOG.current().entries["prices"].definition["name"] == "prices"
    change(widget.published, '"name": "prices"', '"name": "Our prices"')
    assert "Served: 1 widgets, 0 apps, 1 queries." in recompile()
    assert CATALOG.current().entries["prices"].definition["name"] == "Our prices"


def test_what_cannot_be_served_is_told_with_the_reason(define_query: Define, define_widget: Define):
    define_query()
    change(define_widget("nameless").published, '"name": "nameless", ', "")
    change(Query.objects.get().published, "from prices", "from costs")
    Source.objects.create(name="odd", kind="files", options={"folder": "../elsewhere"})
    output = recompile()
    assert "Left out: widget nameless. The widget has no name" in output
    assert "Does not open: source odd. " in output
    assert 'Does not run: query prices. Query "prices" can\'t run: ' in output
