from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from tests.conftest import refresh
from widgets_app.models import ApiKey
from widgets_app.services.keys import key_issue

pytestmark = pytest.mark.django_db


def revoke(prefix: str) -> str:
    out = StringIO()
    call_command("revoke_key", prefix, stdout=out)
    refresh()
    return out.getvalue()


def test_a_revoked_key_is_refused_and_another_one_is_not():
    key, text = key_issue(name="Ana")
    _, other = key_issue(name="Bob")
    assert revoke(key.prefix).startswith(f"Revoked: Ana ({key.prefix}…), at 20")
    assert Client(headers={"X-API-KEY": text}).get("/widgets.json").status_code == 403
    assert Client(headers={"X-API-KEY": other}).get("/widgets.json").status_code == 200


def test_the_whole_key_will_do():
    _, text = key_issue(name="Ana")
    revoke(text)
    assert ApiKey.objects.get().revoked_at


def test_a_second_time_changes_nothing():
    key, _ = key_issue(name="Ana")
    assert revoke(key.prefix) == revoke(key.prefix)


def test_an_unknown_prefix_is_told_and_revokes_nothing():
    key_issue(name="Ana")
    with pytest.raises(CommandError, match='There is no key with the prefix "nope"'):
        revoke("nope")
    assert ApiKey.objects.get().revoked_at is None
