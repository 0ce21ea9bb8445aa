from __future__ import annotations

import json
import re
import stat
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from tests.conftest import refresh
from widgets_app.models import ApiKey
from widgets_app.services.keys import key_revoke

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def file(settings, tmp_path) -> Path:
    """The file that keeps what was shown, in a state folder of its own."""
    settings.WIDGETS_HOME = tmp_path
    return Path(tmp_path / "welcome.json")


def welcome() -> str:
    out = StringIO()
    call_command("welcome", stdout=out)
    refresh()
    return out.getvalue()


def login(output: str) -> tuple[str, str]:
    found = re.search(r"Login +(\S+) / (\S+)$", output, re.MULTILINE)
    assert found, output
    return found[1], found[2]


def key(output: str) -> str:
    found = re.search(r"Header +X-API-KEY: (wk_\S+)$", output, re.MULTILINE)
    assert found, output
    return found[1]


def test_what_is_shown_works(settings):
    settings.PUBLIC_URL = "https://widgets.example.com"
    output = welcome()
    name, password = login(output)
    user = authenticate(username=name, password=password)
    assert user is not None
    assert user.is_superuser
    assert Client(headers={"X-API-KEY": key(output)}).get("/widgets.json").status_code == 200
    assert re.search(r"URL +https://widgets\.example\.com$", output, re.MULTILINE)
    assert "https://widgets.example.com/admin/" in output


def test_a_second_time_shows_the_same_and_makes_nothing(file):
    assert welcome() == welcome()
    assert (User.objects.count(), ApiKey.objects.count()) == (1, 1)


def test_only_the_owner_can_read_what_is_kept(file):
    output = welcome()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert str(file) in output
    assert list(file.parent.iterdir()) == [file]


def test_secrets_that_are_not_kept_any_more_are_not_shown(file):
    welcome()
    file.unlink()
    output = welcome()
    assert "changepassword admin" in output
    assert "issue_key NAME" in output
    assert "wk_" not in output
    assert not file.exists()
    assert (User.objects.count(), ApiKey.objects.count()) == (1, 1)


def test_a_changed_password_is_told():
    output = welcome()
    _, password = login(output)
    user = User.objects.get()
    user.set_password("another one, by hand")
    user.save()
    again = welcome()
    assert password not in again
    assert "changed since it was shown. Set a password: manage.py changepassword admin" in again
    assert key(again) == key(output)


def test_a_login_that_was_switched_off_is_told():
    welcome()
    User.objects.update(is_active=False)
    assert "changed since it was shown" in welcome()


def test_a_revoked_key_is_told():
    text = key(welcome())
    key_revoke(prefix=text)
    output = welcome()
    assert text not in output
    assert "the key shown before was revoked. Issue another: manage.py issue_key NAME" in output


def test_an_expired_key_is_told():
    welcome()
    ApiKey.objects.update(expires_at=timezone.now())
    assert "the key shown before has expired" in welcome()


def test_what_was_kept_for_another_database_is_replaced(file):
    first = welcome()
    User.objects.all().delete()
    ApiKey.objects.all().delete()
    second = welcome()
    assert login(first) != login(second)
    assert key(first) != key(second)
    assert json.loads(file.read_text())["key"] == key(second)


def test_a_key_of_the_same_name_from_elsewhere_is_told():
    welcome()
    ApiKey.objects.update(prefix="deadbeef")
    assert "the key shown before is not in this database" in welcome()


def test_an_administrator_there_already_is_left_alone(file):
    User.objects.create_superuser("ana", password="by hand")
    output = welcome()
    assert "ana, whose password is not kept here" in output
    assert User.objects.count() == 1
    assert "password" not in json.loads(file.read_text())
    assert "the key." in output


def test_a_user_named_admin_without_rights_is_not_made_one():
    User.objects.create_user("admin", password="by hand")
    assert "createsuperuser" in welcome()
    assert not User.objects.filter(is_superuser=True).exists()


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"key": 5, "password": null}', "\udcff"])
def test_a_file_that_cannot_be_used_is_as_good_as_none(file, content):
    file.write_bytes(content.encode("utf-8", "surrogateescape"))
    output = welcome()
    assert login(output)
    assert key(output)
