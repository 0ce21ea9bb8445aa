from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
import time_machine
from django.contrib.auth.models import Group, User
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from tests.commands.conftest import DEFAULTS, ROOT
from tests.conftest import refresh
from tests.loopback import PATIENCE
from widgets_app.errors import DefinitionError
from widgets_app.models import ApiKey, RowValue

NO_NETWORK = '"desk" is no network. Write an address such as 10.1.2.3, or a network such as 10.0.0.0/8.'
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)

pytestmark = pytest.mark.django_db


def issue(*arguments: str) -> tuple[str, str]:
    """Return what the command wrote to stdout and to stderr."""
    out, err = StringIO(), StringIO()
    call_command("issue_key", *arguments, stdout=out, stderr=err)
    refresh()
    return out.getvalue(), err.getvalue()


def test_the_key_stands_alone_and_works():
    out, err = issue("Ana")
    assert out.count("\n") == 1
    assert out.strip() not in err
    assert Client(headers={"X-API-KEY": out.strip()}).get("/widgets.json").status_code == 200
    assert "X-API-KEY" in err


def test_a_key_can_have_an_owner_groups_networks_and_an_end():
    ana = User.objects.create_user("ana")
    for name in ("desk", "risk"):
        Group.objects.create(name=name)
    with time_machine.travel(NOON, tick=False):
        _, err = issue(
            "Excel", "--user", "ana", "--group", "desk", "--group", "risk", "--expires", "90d",
            "--network", "10.1.2.3/8", "--network", "192.168.1.7",
        )  # fmt: skip
    key = ApiKey.objects.get()
    assert key.user == ana
    assert {group.name for group in key.groups.all()} == {"desk", "risk"}
    assert key.networks == ["10.0.0.0/8", "192.168.1.7/32"]
    assert key.expires_at == NOON + timedelta(days=90)
    for word in ("ana", "desk, risk", "10.0.0.0/8", "2026-08-30"):
        assert word in err


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("12h", datetime(2026, 6, 2, 0, tzinfo=UTC)),
        ("1d", datetime(2026, 6, 2, 12, tzinfo=UTC)),
        ("2026-06-01", datetime(2026, 6, 1, 23, 59, 59, 999999, tzinfo=UTC)),
    ],
)
def test_the_end_is_a_length_of_time_or_the_last_day(text, end):
    with time_machine.travel(NOON, tick=False):
        issue("Ana", "--expires", text)
    assert ApiKey.objects.get().expires_at == end


def test_the_last_day_ends_where_the_backend_is(settings):
    settings.TIME_ZONE = "Europe/Riga"
    with timezone.override("Europe/Riga"), time_machine.travel(NOON, tick=False):
        issue("Ana", "--expires", "2026-06-30")
    assert ApiKey.objects.get().expires_at == datetime(2026, 6, 30, 20, 59, 59, 999999, tzinfo=UTC)


def test_a_key_may_be_given_the_right_to_put_files():
    _, err = issue("Job", "--may-put-files")
    assert ApiKey.objects.get().may_put_files
    assert "may put files" in err
    _, err = issue("Ana")
    assert not ApiKey.objects.get(name="Ana").may_put_files
    assert "may put files" not in err


def test_an_expired_key_is_refused():
    with time_machine.travel(NOON):
        out, _ = issue("Ana", "--expires", "1h")
    with time_machine.travel(NOON + timedelta(hours=2)):
        assert Client(headers={"X-API-KEY": out.strip()}).get("/widgets.json").status_code == 403


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["Ana", "--user", "bob"], 'There is no user "bob". There are: ana. Add users in the admin.'),
        (["Ana", "--group", "desk"], 'There is no group "desk". There is none yet. Add groups in the admin.'),
        (["Ana", "--expires", "soon"], '"soon" is no time to expire at. Write 90d, 12h or 2026-12-31.'),
        (["Ana", "--expires", "2026-13-01"], '"2026-13-01" is no time to expire at. Write 90d, 12h or 2026-12-31.'),
        (["Ana", "--expires", "0d"], '"0d" is not in the future. Write 90d, 12h or a later day.'),
        (["Ana", "--expires", "2020-01-01"], '"2020-01-01" is not in the future. Write 90d, 12h or a later day.'),
        (["Ana", "--network", "desk"], NO_NETWORK),
        ([" "], "Give the key a name of 1 to 255 characters: whose or what for it is."),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_and_no_key_is_made(arguments, message):
    User.objects.create_user("ana")
    with pytest.raises(CommandError) as caught:
        issue(*arguments)
    assert str(caught.value) == message
    assert not ApiKey.objects.exists()


def test_many_users_are_not_all_listed():
    User.objects.bulk_create(User(username=f"user{number:02}") for number in range(12))
    with pytest.raises(CommandError, match=r"user08, user09, …\. Add users"):
        issue("Ana", "--user", "bob")


def test_a_length_of_time_has_a_bound():
    with pytest.raises(CommandError, match="is no time to expire at"):
        issue("Ana", "--expires", "999999d")


def test_a_process_prints_the_key_to_stdout_and_faults_to_stderr(home):
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", "issue_key", *arguments], cwd=ROOT,
            env=os.environ | DEFAULTS | {"WIDGETS_HOME": str(home)}, capture_output=True, text=True, timeout=PATIENCE,
        )  # fmt: skip

    issued = run("Ana", "--expires", "90d")
    assert issued.returncode == 0
    assert re.fullmatch(r"wk_\w{8}_\S{43}\n", issued.stdout)
    refused = run("Ana", "--group", "desk")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == 'CommandError: There is no group "desk". There is none yet. Add groups in the admin.\n'


def test_a_key_can_have_row_values():
    _, err = issue("Ana", "--row", "desk=EMEA,APAC", "--row", "desk=LATAM", "--row", "Level=1", "--row", "book=*")
    held = dict(RowValue.objects.filter(api_key__name="Ana").values_list("name", "values"))
    assert held == {"desk": ["EMEA", "APAC", "LATAM"], "level": [1], "book": ["*"]}
    assert "book *; desk EMEA, APAC, LATAM; level 1." in err


@pytest.mark.parametrize(
    ("row", "error"),
    [
        ("desk", '"desk" is no row value. Write a name and its values, such as desk=EMEA.'),
        ("=EMEA", '"" is no name for row values.'),
        ("my desk=EMEA", '"my desk" is no name for row values.'),
        ("desk=", "There is no value."),
        ("desk=*,EMEA", "The star means all rows, so it stands alone."),
    ],
)
def test_row_values_that_make_no_sense_issue_no_key(row: str, error: str):
    with pytest.raises((CommandError, DefinitionError), match=re.escape(error)):
        issue("Ana", "--row", row)
    assert not ApiKey.objects.exists()
