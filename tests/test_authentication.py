"""Keys: how they are kept, found, limited and taken back."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone

from tests.conftest import refresh
from widgets_app import authentication
from widgets_app.errors import DefinitionError
from widgets_app.models import ApiKey
from widgets_app.services.keys import key_issue, key_revoke

pytestmark = pytest.mark.django_db


def status(text: str, **extra: Any) -> int:
    return Client(headers={"X-API-KEY": text}).get("/widgets.json", **extra).status_code


def test_only_a_hash_of_the_secret_is_kept() -> None:
    key, text = key_issue(name="Ana")
    secret = text.split("_", 2)[2]
    row = ApiKey.objects.filter(pk=key.pk).values().get()
    assert not any(secret in str(value) for value in row.values())
    assert row["prefix"] in text
    assert len(secret) >= 40


def test_an_expired_key_is_refused_from_its_second_on() -> None:
    _, text = key_issue(name="Ana", expires_at=timezone.now() + timedelta(hours=1))
    refresh()
    assert status(text) == 200
    with time_machine.travel(timezone.now() + timedelta(hours=1, seconds=1)):
        assert status(text) == 403


def test_a_revoked_key_is_refused_and_says_so() -> None:
    _, text = key_issue(name="Ana")
    key_revoke(prefix=text)
    refresh()
    response = Client(headers={"X-API-KEY": text}).get("/widgets.json")
    assert response.status_code == 403
    assert "revoked" in response.json()["error"]


def test_a_key_stops_with_its_owner() -> None:
    user = User.objects.create_user("ana")
    _, text = key_issue(name="Ana", user=user)
    refresh()
    assert status(text) == 200
    User.objects.update(is_active=False)
    refresh()
    assert status(text) == 403


def test_a_key_is_bound_to_its_networks() -> None:
    _, text = key_issue(name="Ana", networks=["10.1.0.0/16", "2001:db8::7"])
    refresh()
    assert status(text, REMOTE_ADDR="10.1.2.3") == 200
    assert status(text, REMOTE_ADDR="::ffff:10.1.2.3") == 200
    assert status(text, REMOTE_ADDR="2001:db8::7") == 200
    assert status(text, REMOTE_ADDR="10.2.0.1") == 403
    assert status(text, REMOTE_ADDR="no address") == 403


def test_networks_that_cannot_be_read_close_the_key_instead_of_opening_it() -> None:
    key, text = key_issue(name="Ana")
    ApiKey.objects.filter(pk=key.pk).update(networks=["nonsense"])
    refresh()
    assert status(text) == 403


def test_a_key_has_its_own_groups_and_those_of_its_owner() -> None:
    own, owners = Group.objects.create(name="Own"), Group.objects.create(name="Owner's")
    user = User.objects.create_user("ana")
    user.groups.add(owners)
    _, text = key_issue(name="Ana", user=user, groups=[own])
    refresh()
    caller = authentication.authenticate({"x-api-key": text}, {}, "127.0.0.1")
    assert caller.groups == {"Own", "Owner's"}
    assert (caller.name, caller.user) == ("Ana", "ana")


@pytest.mark.parametrize("text", ["x", "wk_", "wk__", "wk_00000000_secret", "sk_a_b", "wk_" + "é" * 8, "\x00"])
def test_what_is_no_key_is_refused(text: str) -> None:
    key_issue(name="Ana")
    refresh()
    assert status(text) == 403


def test_another_keys_secret_does_not_fit() -> None:
    (_, one), (_, other) = key_issue(name="Ana"), key_issue(name="Ben")
    refresh()
    mixed = "_".join([*one.split("_", 2)[:2], other.split("_", 2)[2]])
    assert status(mixed) == 403


def test_last_use_is_written_down_later_and_only_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    key, text = key_issue(name="Ana")
    refresh()
    assert status(text) == 200
    monkeypatch.setattr(authentication, "_written_at", time.monotonic())
    authentication.write_last_use()
    assert ApiKey.objects.get(pk=key.pk).last_used_at is None
    monkeypatch.setattr(authentication, "LAST_USE_SECONDS", -1.0)
    authentication.write_last_use()
    used = ApiKey.objects.get(pk=key.pk).last_used_at
    assert used is not None
    assert abs(used - timezone.now()) < timedelta(minutes=1)


def test_revoking_twice_keeps_the_first_time() -> None:
    key, _ = key_issue(name="Ana")
    first = key_revoke(prefix=key.prefix).revoked_at
    assert key_revoke(prefix=f"wk_{key.prefix}").revoked_at == first


@pytest.mark.parametrize("wrong", [{"name": " "}, {"name": "x" * 256}, {"name": "a", "networks": ["10.0.0.0/99"]}])
def test_a_key_that_makes_no_sense_is_not_issued(wrong: dict[str, Any]) -> None:
    with pytest.raises(DefinitionError):
        key_issue(**wrong)
    assert not ApiKey.objects.exists()


def test_revoking_an_unknown_key_says_so() -> None:
    with pytest.raises(DefinitionError, match="no key"):
        key_revoke(prefix="deadbeef")
