"""Examinations in the admin: who may start and see them, what they leave behind, and backends that behave badly."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from tests.admin.pages import Page, messages
from tests.doctor.patient import KEY, WIDGETS, Asked, Patient, Told
from tests.loopback import PATIENCE, free_port, serving
from widgets_app.doctor import Limits, Target
from widgets_app.doctor.redaction import HIDDEN
from widgets_app.models import ApiKey, Checkup
from widgets_app.services import checkups
from widgets_app.services.checkups import checkup_start, report_of
from widgets_app.services.keys import key_for_a_moment, key_issue

# The thread of an examination has a connection of its own.
pytestmark = pytest.mark.django_db(transaction=True)

CONNECTION = "/admin/connection/"
VIEWS = ("view_widget", "view_app", "view_agent")
TAG = "<script>alert('them')</script>"


def wait_for_examinations() -> None:
    """Wait until every examination of this process is over."""
    for thread in threading.enumerate():
        if thread.name == "checkup":
            thread.join(PATIENCE)
            assert not thread.is_alive()


@pytest.fixture(autouse=True)
def _over() -> Iterator[None]:
    yield
    wait_for_examinations()


@contextmanager
def patient() -> Iterator[tuple[Patient, str]]:
    """A backend in good health, and its address."""
    found = Patient()
    with serving(found, ws="websockets-sansio") as (port, _):
        yield found, f"http://127.0.0.1:{port}"


def ask_for(client: Client, url: str, **more: str) -> Any:
    """Fill in the form and send it."""
    return Page(client, CONNECTION).form("checkup_form").send("_start", **{"url": url, **more})


def examined(client: Client, url: str, **more: str) -> Page:
    """Have a backend examined; returns the page of the result."""
    response = ask_for(client, url, **more)
    assert response.status_code == 302, response.content.decode()
    wait_for_examinations()
    return Page(client, response["Location"])


def said_at_once(client: Client, url: str, **more: str) -> str:
    """Ask for what is refused; returns the text of the page that comes back."""
    response = ask_for(client, url, **more)
    assert not Checkup.objects.exists()
    return Page(client, CONNECTION, response).text


def test_a_backend_is_examined_and_the_result_is_grouped_errors_first(boss: Client) -> None:
    with patient() as (ill, url):
        ill.widgets["tides"].pop("name")
        ill.bodies["table"] = ("application/json", {"rows": "none"})
        page = examined(boss, url, value=KEY)
    text = page.text
    assert "State Done" in text
    assert "by boss" in text
    assert "Widgets 19" in text
    assert "Begin with the errors" in text
    assert page.html.index("wb-findings wb-error") < page.html.index("wb-findings wb-info")
    report = report_of(Checkup.objects.get())
    assert report
    assert (
        f"docs/troubleshooting.md#{report.findings[0].code}" in page.text
        or "/admin/guide/troubleshooting/#" in page.html
    )
    assert report.findings[0].fix in text
    assert {asked.headers.get("origin") for asked in ill.asked} >= {"https://pro.openbb.co"}


def test_a_key_in_the_query_is_sent_there(boss: Client) -> None:
    with patient() as (ill, url):
        examined(boss, url, place="query", name="token", value="abc def")
    assert all(asked.query["token"] for asked in ill.asked if asked.path == "apps.json")
    assert not [asked for asked in ill.asked if asked.key and asked.query.get("token")]


def test_the_key_is_kept_nowhere_even_where_the_backend_repeats_it(boss: Client) -> None:
    # Findings cut long texts, and so what they quote of a key.
    secret = f"very-secret-key-{'4711' * 200}"

    def repeat(asked: Asked, told: Told) -> Told | None:
        kind = {"content-type": "application/json"}
        if asked.path == "widgets.json":
            return Told(200, WIDGETS, kind)
        text = f"No {asked.key} {asked.headers.get('authorization')} {asked.query} here"
        return Told(500, {"detail": text, "error": text}, kind) if asked.path == "metric" else None

    with patient() as (ill, url):
        ill.hooks.append(repeat)
        page = examined(boss, url, value=secret)
        bearer = examined(boss, url, name="Authorization", value=f"Bearer {secret}")
        again = examined(boss, url, place="query", name="k", value=f"{secret} &?")
    shown = [page.html, bearer.html, again.html]
    assert "very-secret" not in json.dumps([*Checkup.objects.values(), *shown], default=str)
    assert [html for html in shown if HIDDEN not in html] == []


def test_forms_are_left_alone_where_that_is_wanted(boss: Client) -> None:
    with patient() as (ill, url):
        form = Page(boss, CONNECTION).form("checkup_form").fill(send_forms=None)
        response = form.send("_start", url=url, value=KEY)
        wait_for_examinations()
    assert not [asked for asked in ill.asked if asked.path == "log/entry" and asked.method == "POST"]
    assert "Forms none sent" in Page(boss, response["Location"]).text


# ---- who may


def test_who_may_not_see_definitions_starts_and_sees_no_examination(staff: Callable[..., Client]) -> None:
    checkup = made("http://127.0.0.1:7779")
    for rights in ((), VIEWS[:2], ("change_source",)):
        client = staff(*rights)
        assert client.post(CONNECTION, {"url": "http://127.0.0.1:7779"}).status_code == 403
        for page in ("", "progress/"):
            assert client.get(f"/admin/connection/examinations/{checkup.pk}/{page}").status_code == 403


def test_who_may_not_change_sources_examines_this_backend_only(staff: Callable[..., Client], settings: Any) -> None:
    settings.PUBLIC_URL = f"http://127.0.0.1:{free_port()}"
    client = staff(*VIEWS)
    assert "Who may change sources may examine others too" in Page(client, CONNECTION).text
    for url in ("http://10.0.0.1", f"{settings.PUBLIC_URL}.example", f"{settings.PUBLIC_URL}/admin"):
        assert f"You may examine {settings.PUBLIC_URL} only" in said_at_once(client, url)
    # The form offers nothing else, whatever a link says.
    assert "10.0.0.1" not in Page(client, f"{CONNECTION}?url=http://10.0.0.1").html
    assert "Port closed" in examined(client, settings.PUBLIC_URL).text


def test_results_of_other_backends_are_for_who_may_examine_them(staff: Callable[..., Client]) -> None:
    own, other = made("http://127.0.0.1:7779"), made("http://10.0.0.1")
    client = staff(*VIEWS)
    assert "10.0.0.1" not in Page(client, CONNECTION).text
    assert client.get(f"/admin/connection/examinations/{own.pk}/").status_code == 200
    assert client.get(f"/admin/connection/examinations/{other.pk}/").status_code == 404
    assert client.get(f"/admin/connection/examinations/{other.pk}/progress/").status_code == 404
    allowed = staff(*VIEWS, "change_source")
    assert "10.0.0.1" in Page(allowed, CONNECTION).text
    assert allowed.get(f"/admin/connection/examinations/{other.pk}/").status_code == 200


# ---- what is typed


@pytest.mark.parametrize(
    "url", ["no address", "ftp://host", "http://", "http://h:99999", "javascript:alert(1)", "http://[x"]
)
def test_an_address_that_is_none_is_a_finding(boss: Client, url: str) -> None:
    text = examined(boss, url).text
    assert "State Done" in text
    assert "→" in text
    assert "Begin with the errors" in text


@pytest.mark.parametrize("url", ["http://ana:secret@host", "http://host/?api_key=secret", "http://host#secret"])
def test_a_key_in_the_address_is_refused_and_not_kept(boss: Client, url: str) -> None:
    assert "keys are entered below" in said_at_once(boss, url)


@pytest.mark.parametrize("value", ["one\r\nX-Other: two", "one\ntwo", "wk_\x7f", "ключ"])
def test_a_key_that_can_not_be_sent_is_refused_at_its_field(boss: Client, value: str) -> None:
    text = said_at_once(boss, "http://127.0.0.1:1", value=value)
    assert "has line breaks or other unusual characters" in text


def test_a_name_that_can_not_be_one_is_refused(boss: Client) -> None:
    assert "can't be the name of a header" in said_at_once(boss, "http://h", name="X Y", value="k")
    assert "Write the name under which the key is sent" in said_at_once(boss, "http://h", name="", value="k")


@pytest.mark.parametrize("origin", ["pro.openbb.co", "https://", "https://a/b", "https://a b", "https://a:x", "nul\nl"])
def test_an_origin_that_browsers_do_not_send_is_refused(boss: Client, origin: str) -> None:
    assert "scheme and host" in said_at_once(boss, "http://h", origin=origin)


# ---- backends that behave badly


def outcome(url: str, **limits: Any) -> str:
    """Examine within narrow limits; returns the text that is shown."""
    boss = User.objects.create_superuser("narrow", password="-")
    checkup = checkup_start(target=Target(url), by=boss, limits=Limits(**limits))
    wait_for_examinations()
    client = Client()
    client.force_login(boss)
    return Page(client, f"/admin/connection/examinations/{checkup.pk}/").text


async def _hangs(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await receive()  # until the client goes away


async def _streams(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(10_000):
        await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})


def test_an_address_that_hangs_is_left_in_time() -> None:
    with serving(_hangs) as (port, _):
        assert "No answer" in outcome(f"http://127.0.0.1:{port}", seconds=2, answer_seconds=0.5)


def test_an_address_that_streams_without_end_is_left() -> None:
    with serving(_streams) as (port, _):
        text = outcome(f"http://127.0.0.1:{port}", seconds=5, answer_seconds=2, answer_bytes=100_000)
    assert "Answer too large" in text


def test_texts_of_the_other_backend_are_shown_as_texts(boss: Client) -> None:
    with patient() as (ill, url):
        ill.widgets[TAG] = {**ill.widgets["berths"], "name": TAG, "type": TAG, "endpoint": TAG}
        ill.hooks.append(
            lambda asked, told: (
                Told(500, {"detail": TAG, "error": TAG}, {"content-type": "application/json"})
                if asked.path == "metric"
                else None
            )
        )
        page = examined(boss, url, value=KEY)
        compared = examined(boss, url, value=KEY)
    first = Checkup.objects.order_by("pk")[0]
    compared = Page(boss, f"{compared.url}?compare={first.pk}")
    for html in (page.html, compared.html):
        assert "<script>alert" not in html
        assert "&lt;script&gt;alert" in html


# ---- several


def test_only_so_many_run_at_once(boss: Client) -> None:
    gate = threading.Event()

    async def waits(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.to_thread(gate.wait, PATIENCE)
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    with serving(waits) as (port, _):
        url = f"http://127.0.0.1:{port}"
        try:
            started = [ask_for(boss, url) for _ in range(checkups.AT_ONCE + 1)]
            assert "examines 2 backends already" in messages(started[-1])[0]
            assert Checkup.objects.count() == checkups.AT_ONCE
            page = Page(boss, started[0]["Location"])
            assert "State Running" in page.text
            assert "Load the page again" in page.text
            found = boss.get(f"{started[0]['Location']}progress/").json()
            assert found["state"] == "running"
        finally:
            gate.set()
            wait_for_examinations()
    assert ask_for(boss, "nowhere").status_code == 302


def test_progress_is_written_down_while_it_runs(boss: Client) -> None:
    seen = threading.Event()

    def slow(asked: Asked, told: Told) -> None:
        if asked.path == "table" and asked.key:
            seen.wait(PATIENCE)

    with patient() as (ill, url):
        ill.hooks.append(slow)
        response = ask_for(boss, url, value=KEY)
        try:
            threading.Event().wait(checkups.TELL_SECONDS * 2.5)
            found = boss.get(f"{response['Location']}progress/").json()
            page = Page(boss, response["Location"]).text
        finally:
            seen.set()
    assert found["looking_at"]
    assert f"Looking at {found['looking_at']}" in page


def made(url: str, *codes: str, **more: Any) -> Checkup:
    """Make the result of an examination that found these."""
    findings = [{"severity": "error", "code": code, "where": "here", "message": "It is so.", "fix": "Mend it."}
                for code in codes]  # fmt: skip
    report = json.dumps({"url": url, "ok": not codes, "checked": {"requests": 1}, "findings": findings})
    now = timezone.now()
    values = {"url": url, "origin": "https://pro.openbb.co", "ends_by": now, "finished_at": now, "report": report}
    return Checkup.objects.create(**{**values, **more})


def test_two_results_are_compared(boss: Client) -> None:
    before, after = made("http://a", "old-fault", "lasting-fault"), made("http://a", "lasting-fault", "new-fault")
    made("http://b", "of-another")
    page = Page(boss, f"/admin/connection/examinations/{after.pk}/")
    assert f'href="?compare={before.pk}"' in page.html
    assert "http://b" not in page.text
    text = Page(boss, f"/admin/connection/examinations/{after.pk}/?compare={before.pk}").text
    order = ["New", "New fault", "Gone", "Old fault", "The same", "Lasting fault"]
    places = [text.index(word, text.index("Compared with")) for word in order]
    assert places == sorted(places)
    for nothing in ("x", "0", str(after.pk)):
        other = Page(boss, f"/admin/connection/examinations/{after.pk}/?compare={nothing}").text
        assert "Compared with" not in other


def test_old_results_of_an_address_are_deleted_and_those_of_others_stay(boss: Client) -> None:
    for _ in range(checkups.KEPT + 5):
        made("nowhere")
    other = made("elsewhere")
    examined(boss, "nowhere")
    assert Checkup.objects.filter(url="nowhere").count() == checkups.KEPT
    assert Checkup.objects.filter(pk=other.pk).exists()


def test_an_examination_whose_process_ended_is_interrupted_and_can_be_started_again(boss: Client) -> None:
    dead = made("nowhere", finished_at=None, report="", ends_by=timezone.now() - timedelta(seconds=1))
    page = Page(boss, f"/admin/connection/examinations/{dead.pk}/")
    assert "Interrupted" in page.text
    assert "restarted or stopped" in page.text
    assert "?url=nowhere&amp;" in page.html
    again = Page(boss, f"{CONNECTION}?url=nowhere&origin=https://own.example").form("checkup_form")
    assert (again["url"], again["origin"]) == ("nowhere", "https://own.example")
    assert again.send("_start").status_code == 302


def test_a_key_for_an_examination_is_gone_with_it_and_so_are_those_of_ended_processes(db: None) -> None:
    key_issue(name=checkups.KEY_NAME, expires_at=timezone.now() - timedelta(minutes=1))
    kept, _ = key_issue(name="Ana", expires_at=timezone.now() - timedelta(minutes=1))
    with key_for_a_moment(checkups.KEY_NAME, timedelta(minutes=1)):
        assert ApiKey.objects.filter(name=checkups.KEY_NAME, expires_at__gt=timezone.now()).count() == 1
        assert ApiKey.objects.filter(name=checkups.KEY_NAME).count() == 1
    assert list(ApiKey.objects.all()) == [kept]


def test_who_may_only_look_sends_no_forms(staff: Callable[..., Client]) -> None:
    assert 'name="send_forms"' not in Page(staff(*VIEWS), CONNECTION).html
    assert 'name="send_forms"' in Page(staff(*VIEWS, "change_widget"), CONNECTION).html


def test_one_that_failed_says_so(boss: Client) -> None:
    failed = made("nowhere", report="", fault=checkups.FAULT)
    assert "The examination itself failed" in Page(boss, f"/admin/connection/examinations/{failed.pk}/").text


def test_without_any_the_page_says_what_they_are_for(boss: Client) -> None:
    assert "None yet. Each one is kept here" in Page(boss, CONNECTION).text
    assert boss.get("/admin/connection/examinations/1/").status_code == 404
