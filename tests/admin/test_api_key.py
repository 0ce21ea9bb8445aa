"""API keys: shown once, kept nowhere, and never brought back."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse

from tests.admin.conftest import Open, url
from tests.admin.pages import Page, messages
from widgets_app.authentication import KEYS, authenticate
from widgets_app.models import ApiKey, RowValue
from widgets_app.services.keys import key_issue, key_revoke

pytestmark = pytest.mark.django_db

KEY = re.compile(r"wk_[0-9a-f]{8}_[\w-]{40,}")


def issue(add: Open, **values: Any) -> str:
    response = add("apikey").send(**{"name": "Ana", **values})
    assert response.status_code == 200
    text = KEY.search(response.content.decode())
    assert text
    return text[0]


def status(text: str) -> int:
    return Client(headers={"X-API-KEY": text}).get("/widgets.json").status_code


def test_a_key_is_shown_in_the_answer_and_works_at_once(add: Open) -> None:
    response = add("apikey").send(name="Ana")
    html = response.content.decode()
    text = KEY.findall(html)[0]
    assert f"X-API-KEY: {text}" in html
    assert f"/widgets.json?api_key={text}" in html
    assert "no-store" in response["Cache-Control"]
    assert status(text) == 200


def test_the_right_to_put_files_is_given_and_taken(add: Open, change: Open) -> None:
    issue(add)
    assert not ApiKey.objects.get().may_put_files
    issue(add, name="Job", may_put_files=True)
    key = ApiKey.objects.get(name="Job")
    assert key.may_put_files
    change(key).send(may_put_files=False)
    key.refresh_from_db()
    assert not key.may_put_files


def test_the_query_form_is_not_told_where_it_is_switched_off(add: Open, settings: Any) -> None:
    settings.WIDGETS_QUERY_KEY = False
    assert "api_key=" not in add("apikey").send(name="Ana").content.decode()


def test_the_secret_is_kept_nowhere(add: Open, boss: Client) -> None:
    secret = issue(add).split("_", 2)[2]
    key = ApiKey.objects.get()
    assert secret not in str(key.__dict__)
    assert not any(secret in str(session.get_decoded()) for session in Session.objects.all())
    assert secret not in str(boss.cookies)
    assert not any(secret in str(entry.__dict__) for entry in LogEntry.objects.all())
    for page in (url("apikey"), url("apikey", "change", key.pk)):
        html = Page(boss, page).html
        assert secret not in html
        assert key.prefix in html


def test_a_key_has_what_was_chosen_for_it(add: Open) -> None:
    ana = User.objects.create_user("ana")
    desk = Group.objects.create(name="Desk")
    issue(add, user=str(ana.pk), groups=[str(desk.pk)], networks="10.1.2.3, 10.0.0.0/8",
          expires_at_0="2099-01-31", expires_at_1="12:00:00")  # fmt: skip
    key = ApiKey.objects.get()
    assert (key.user, list(key.groups.all()), key.networks) == (ana, [desk], ["10.1.2.3/32", "10.0.0.0/8"])
    assert key.expires_at == datetime(2099, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(("values", "error"), [
    ({"name": " "}, "required"),
    ({"networks": "home"}, "is no network"),
    ({"expires_at_0": "2020-01-01", "expires_at_1": "00:00"}, "in the past"),
])  # fmt: skip
def test_what_makes_no_key_is_refused(add: Open, values: dict[str, str], error: str) -> None:
    assert error in add("apikey").errors(**{"name": "Ana", **values})
    assert not ApiKey.objects.exists()


def test_later_only_name_groups_expiry_and_networks_change(add: Open, change: Open) -> None:
    issue(add, networks="10.0.0.0/8")
    key = ApiKey.objects.get()
    form = change(key)
    assert "user" not in form
    form.send(name="Ana, Excel", networks="", user="1", revoked_at="", prefix="00000000")
    changed = ApiKey.objects.get()
    assert (changed.name, changed.networks, changed.user) == ("Ana, Excel", None, None)
    assert (changed.prefix, changed.digest) == (key.prefix, key.digest)


def test_an_expiry_that_passed_does_not_stop_other_changes(add: Open, change: Open) -> None:
    issue(add)
    ApiKey.objects.update(expires_at=datetime(2020, 1, 1, tzinfo=UTC))
    assert change(ApiKey.objects.get()).send(name="Old").status_code == 302


def test_a_revoked_key_is_refused_at_once_and_stays_so(add: Open, boss: Client) -> None:
    text = issue(add)
    key = ApiKey.objects.get()
    address = url("apikey", "revoke", key.pk)
    assert "This can't be undone" in Page(boss, address).text
    assert status(text) == 200
    response = boss.post(address)
    assert response["Location"] == url("apikey", "change", key.pk)
    assert status(text) == 403
    html = Page(boss, url("apikey", "change", key.pk)).html
    assert 'name="name"' not in html
    assert address not in html
    boss.post(url("apikey", "change", key.pk), {"name": "Back", "revoked_at": ""})
    kept = ApiKey.objects.get()
    assert (kept.name, bool(kept.revoked_at)) == ("Ana", True)


def test_keys_are_revoked_from_the_list(add: Open, boss: Client) -> None:
    texts = [issue(add), issue(add)]
    pks = [str(pk) for pk in ApiKey.objects.values_list("pk", flat=True)]
    response = boss.post(url("apikey"), {"action": "revoke_selected", "_selected_action": pks, "index": "0"})
    assert len(messages(response)) == 2
    assert [status(text) for text in texts] == [403, 403]


def test_the_list_shows_the_state_of_each_key(add: Open, boss: Client) -> None:
    issue(add, name="good")
    issue(add, name="over")
    issue(add, name="gone")
    issue(add, name="away", user=str(User.objects.create_user("ana", is_active=False).pk))
    now = datetime.now(UTC)
    ApiKey.objects.filter(name="over").update(expires_at=now - timedelta(days=1))
    ApiKey.objects.filter(name="gone").update(revoked_at=now)
    text = Page(boss, url("apikey")).text
    assert re.search(r"good wk_\w+_… -( -)* Active", text)
    assert "Expired" in text
    assert "Revoked" in text
    assert "Owner inactive" in text


@pytest.mark.parametrize(("state", "names"), [
    ("active", {"good"}), ("expired", {"over"}), ("revoked", {"gone"}), ("odd", {"good", "over", "gone"})
])  # fmt: skip
def test_the_list_is_filtered_by_state(add: Open, boss: Client, state: str, names: set[str]) -> None:
    for name in ("good", "over", "gone"):
        issue(add, name=name)
    now = datetime.now(UTC)
    ApiKey.objects.filter(name="over").update(expires_at=now - timedelta(days=1))
    ApiKey.objects.filter(name="gone").update(revoked_at=now)
    response = boss.get(url("apikey"), {"state": state})
    assert {key.name for key in response.context["cl"].result_list} == names


def test_a_key_expires_by_itself(add: Open) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    text = issue(add, expires_at_0=tomorrow.date().isoformat(), expires_at_1="00:00")
    assert status(text) == 200
    with time_machine.travel(tomorrow, tick=False):
        assert status(text) == 403


def held(**holder: Any) -> dict[str, Any]:
    return dict(RowValue.objects.filter(**holder).values_list("name", "values"))


def test_a_key_is_issued_with_row_values(add: Open) -> None:
    form = add("apikey").add_row(
        "row_values", name=":key_Desk", values='EMEA, "North, South"\r\n\r\n007 , 12, -1.5, "12"'
    )
    text = KEY.search(form.send(name="Ana").content.decode())
    assert text
    assert held(api_key__name="Ana") == {"desk": ["EMEA", "North, South", "007", 12, -1.5, "12"]}
    caller = authenticate({"x-api-key": text[0]}, {}, "127.0.0.1")
    assert caller.values == {"desk": ("-1.5", "007", "12", "EMEA", "North, South")}


@pytest.mark.parametrize("holder", ["apikey", "user", "group"])
def test_row_values_are_added_changed_and_deleted_where_they_are_held(boss: Client, holder: str) -> None:
    rows: dict[str, Any] = {
        "apikey": lambda: key_issue(name="Ana")[0],
        "user": lambda: User.objects.create_user("ana"),
        "group": lambda: Group.objects.create(name="Desk"),
    }
    row = rows[holder]()
    address = reverse(f"admin:{row._meta.label_lower.replace('.', '_')}_change", args=[row.pk])

    def form() -> Any:
        page = Page(boss, address)
        assert "A star alone means all rows" in unescape(page.html)
        return page.form(f"{holder}_form")

    assert form().add_row("row_values", name="desk", values="EMEA\r\nAPAC").send().status_code == 302
    assert held() == {"desk": ["EMEA", "APAC"]}
    shown = form()
    assert shown["row_values-0-values"] == "EMEA\r\nAPAC"
    assert shown.send().status_code == 302
    assert form().send(**{"row_values-0-values": "*"}).status_code == 302
    assert held() == {"desk": ["*"]}
    assert getattr(RowValue.objects.get(), {"apikey": "api_key"}.get(holder, holder)) == row
    assert form().send(**{"row_values-0-DELETE": "on"}).status_code == 302
    assert held() == {}


@pytest.mark.parametrize(("name", "values", "error"), [
    ("", "EMEA", "required"),
    ("my desk", "EMEA", "no name for row values"),
    ("1desk", "EMEA", "no name for row values"),
    ("désk", "EMEA", "no name for row values"),
    ("desk", "", "required"),
    ("desk", " , ,", "There is no value"),
    ("desk", "EMEA, *", "it stands alone"),
    ("desk", ",".join(map(str, range(1001))), "at most 1,000"),
    ("desk", "x" * 10_001, "too long"),
])  # fmt: skip
def test_row_values_that_make_no_sense_are_refused(
    boss: Client, change: Open, name: str, values: str, error: str
) -> None:
    key, _ = key_issue(name="Ana")
    assert error in change(key).add_row("row_values", name=name, values=values).errors()
    assert not RowValue.objects.exists()


def test_one_name_is_held_once(change: Open) -> None:
    key, _ = key_issue(name="Ana", rows={"desk": ["EMEA"]})
    assert "duplicate" in change(key).add_row("row_values", name="desk", values="*").errors()
    assert held() == {"desk": ["EMEA"]}


def test_changed_row_values_count_at_once(change: Open) -> None:
    key, text = key_issue(name="Ana", rows={"desk": ["EMEA"]})
    KEYS.reset()
    assert authenticate({"x-api-key": text}, {}, "127.0.0.1").values == {"desk": ("EMEA",)}
    change(key).send(**{"row_values-0-values": "*"})
    assert authenticate({"x-api-key": text}, {}, "127.0.0.1").values == {"desk": ("*",)}


def test_row_values_are_for_those_who_may_change_keys(staff: Callable[..., Client]) -> None:
    group = Group.objects.create(name="Desk")
    RowValue.objects.create(name="desk", values=["EMEA"], group=group)
    address = reverse("admin:auth_group_change", args=[group.pk])
    for rights, shown, editable in (
        (["change_group"], False, False),
        (["change_group", "view_apikey"], True, False),
        (["change_group", "change_apikey"], True, True),
    ):
        client = staff(*rights)
        page = Page(client, address)
        assert ("EMEA" in page.html) == shown
        assert ("row_values-0-values" in page.form("group_form")) == editable
        data = {**page.form("group_form").data, "row_values-TOTAL_FORMS": "1", "row_values-INITIAL_FORMS": "1",
                "row_values-0-id": RowValue.objects.get().pk, "row_values-0-group": group.pk,
                "row_values-0-name": "desk", "row_values-0-values": "*"}  # fmt: skip
        client.post(address, data)
        assert held() == {"desk": ["*"] if editable else ["EMEA"]}


def test_who_may_only_issue_keys_gives_no_row_values(staff: Callable[..., Client]) -> None:
    client = staff("add_apikey")
    form = Page(client, url("apikey", "add")).form("apikey_form")
    assert "row_values-TOTAL_FORMS" not in form
    form.send(name="Ana", **{"row_values-TOTAL_FORMS": "1", "row_values-INITIAL_FORMS": "0",
                             "row_values-0-name": "desk", "row_values-0-values": "*"})  # fmt: skip
    assert ApiKey.objects.count() == 1
    assert held() == {}


def test_row_values_of_a_revoked_key_are_shown_only(boss: Client) -> None:
    key, _ = key_issue(name="Ana", rows={"desk": ["EMEA"]})
    key_revoke(prefix=key.prefix)
    page = Page(boss, url("apikey", "change", key.pk))
    assert "EMEA" in page.html
    assert "row_values-0-values" not in page.html


def test_who_may_not_issue_keys_gets_403(staff: Callable[..., Client]) -> None:
    assert staff("view_apikey", "change_apikey").get(url("apikey", "add")).status_code == 403
    assert staff().get(url("apikey")).status_code == 403
