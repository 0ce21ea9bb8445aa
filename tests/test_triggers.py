"""Every change that counts moves its number, however it is written; no other change does."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection, transaction
from django.utils import timezone

from tests.conftest import Define
from widgets_app.models import ApiKey, Revision, Source, Version, Widget, triggers

pytestmark = pytest.mark.django_db(transaction=True)

Change = Callable[[], object]


def numbers() -> tuple[int, int]:
    found = dict(Revision.objects.values_list("name", "number"))
    return found.get("catalog", 0), found.get("keys", 0)


@pytest.fixture
def things(define_widget: Define) -> dict[str, int]:
    widget = define_widget()
    group, user = Group.objects.create(name="Desk"), User.objects.create_user("ana")
    source = Source.objects.create(name="s", kind="files")
    key = ApiKey.objects.create(name="k", prefix="p", digest="d")
    return {"widget": widget.pk, "group": group.pk, "user": user.pk, "source": source.pk, "key": key.pk}


def sql(statement: str) -> object:
    with connection.cursor() as cursor:
        return cursor.execute(statement)


CATALOG: dict[str, Change] = {
    "unpublish in bulk": lambda: Widget.objects.update(published=None),
    "a new place": lambda: Widget.objects.update(position=7),
    "delete": lambda: Widget.objects.all().delete(),
    "delete by hand": lambda: sql("DELETE FROM widgets_app_widget"),
    "a source's options": lambda: Source.objects.update(options={"folder": "x"}),
    "a new source": lambda: Source.objects.bulk_create([Source(name="t", kind="files")]),
    "who may see it": lambda: Widget.groups.through.objects.create(
        widget=Widget.objects.get(), group=Group.objects.get()
    ),
}
KEYS: dict[str, Change] = {
    "revoke in bulk": lambda: ApiKey.objects.update(revoked_at=timezone.now()),
    "delete a key": lambda: ApiKey.objects.all().delete(),
    "a key's group": lambda: ApiKey.objects.get().groups.add(Group.objects.get()),
    "an owner's group": lambda: User.objects.get().groups.add(Group.objects.get()),
    "an owner leaves": lambda: User.objects.update(is_active=False),
}
NEITHER: dict[str, Change] = {
    "a draft": lambda: Widget.objects.update(name="other"),
    "the same value": lambda: Widget.objects.update(position=Widget.objects.get().position),
    "last use": lambda: ApiKey.objects.update(last_used_at=timezone.now()),
    "a password": lambda: User.objects.update(password="x"),
    "a version's note": lambda: Version.objects.update(note="x"),
    "nothing set": lambda: Widget.objects.get().groups.set([]),
}


@pytest.mark.parametrize("change", CATALOG)
def test_what_is_served_moves_the_catalog(things: dict[str, int], change: str) -> None:
    before = numbers()
    CATALOG[change]()
    after = numbers()
    assert after[0] > before[0]
    assert after[1] == before[1]


@pytest.mark.parametrize("change", KEYS)
def test_what_decides_who_gets_in_moves_the_keys(things: dict[str, int], change: str) -> None:
    before = numbers()
    KEYS[change]()
    after = numbers()
    assert after[1] > before[1]
    assert after[0] == before[0]


@pytest.mark.parametrize("change", NEITHER)
def test_what_is_not_served_moves_nothing(things: dict[str, int], change: str) -> None:
    before = numbers()
    NEITHER[change]()
    assert numbers() == before


def test_a_change_of_a_groups_name_moves_both(things: dict[str, int]) -> None:
    before = numbers()
    Group.objects.update(name="Renamed")
    after = numbers()
    assert after[0] > before[0]
    assert after[1] > before[1]


def test_a_change_taken_back_takes_its_number_back(things: dict[str, int]) -> None:
    before = numbers()
    with transaction.atomic():
        Widget.objects.update(position=9)
        transaction.set_rollback(True)
    assert numbers() == before


def test_missing_triggers_are_reported_and_put_back() -> None:
    name = sorted(triggers.names())[0]
    table = next(t.table for t in triggers.tracked() if f"_{t.table}_" in name)
    on = f' ON "{table}"' if connection.vendor == "postgresql" else ""
    sql(f'DROP TRIGGER "{name}"{on}')
    from widgets_app.checks import triggers_are_in_place

    (message,) = triggers_are_in_place(None, databases=["default"])
    assert message.id == "widgets_app.W002"
    triggers.install()
    assert triggers_are_in_place(None, databases=["default"]) == []
    assert triggers.installed() == triggers.names()
