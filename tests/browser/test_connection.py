"""The page Connection in a real browser: the test from this browser, and the doctor on this very backend."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import PASSWORD, manage
from tests.browser.test_admin import press
from tests.commands.conftest import Command
from tests.loopback import eventually, free_port

pytestmark = pytest.mark.browser

CONNECTION = "/admin/connection/"
TEST = "Test from this browser"


@pytest.fixture
def open_page(signed_in: Any) -> Iterator[Any]:
    """The page Connection. The browser itself complains in the console about what is kept from strangers."""
    page = signed_in.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(CONNECTION)
    yield page
    page.close()
    assert not faults


def rows_of_test(page: Any, key: str = "") -> list[tuple[str, str]]:
    """Test from this browser; returns what each row says first, and its words."""
    page.fill("#test_key", key)
    press(page, TEST)
    page.wait_for_selector("#test_start:enabled")
    rows = page.locator(".wb-check")
    return [(row.locator(".wb-label").inner_text(), row.locator("p").inner_text()) for row in rows.all()]


def test_the_address_and_the_header_are_copied(open_page: Any, signed_in: Any, server: str) -> None:
    signed_in.grant_permissions(["clipboard-read", "clipboard-write"])
    for name, text in (("url", server), ("header", "X-API-KEY")):
        open_page.locator(f"[data-copy={name}]").click()
        open_page.wait_for_selector(f"[data-copy={name}]:has-text('Copied')")
        assert open_page.evaluate("navigator.clipboard.readText()") == text


def test_a_page_of_another_origin_asks_and_is_told_what_works(open_page: Any, server: str) -> None:
    said = rows_of_test(open_page)
    assert [state for state, _ in said] == ["ok"] * 6 + ["not tested"]
    words = " ".join(text for _, text in said)
    assert f"from a page of {server.replace('127.0.0.1', 'localhost')}" in words
    assert "No key was given, so none was tried" in words
    assert "Kept from the page, as it should be" in words
    assert "What can be tested from here works" in open_page.inner_text("#test_verdict")
    assert open_page.locator("iframe").count() == 0


def test_a_wrong_key_is_found_out_and_stays_in_the_page(open_page: Any) -> None:
    asked: list[Any] = []
    open_page.on("request", lambda request: asked.append(request))
    said = rows_of_test(open_page, "wk_00000000_wrong")
    assert ("failed", "This API key is not known here. Check that it was copied whole, or ask for a new one.") in said
    assert "1 of 7 failed" in open_page.inner_text("#test_verdict")
    assert not [request for request in asked if "wk_0" in request.url + (request.post_data or "")]


def test_a_sandbox_asks_where_this_computer_has_no_other_name(open_page: Any) -> None:
    open_page.route(re.compile("^http://localhost:.*/frame$"), lambda route: route.abort())
    said = rows_of_test(open_page)
    assert "from a page without an origin (a sandbox)" in " ".join(text for _, text in said)
    assert [state for state, _ in said] == ["ok"] * 6 + ["not tested"]


def test_a_server_that_does_not_answer_is_told_from_one_that_forbids(open_page: Any, server: str) -> None:
    open_page.route(f"{server}/-/connection/*/ask", lambda route: route.abort())
    said = rows_of_test(open_page)
    assert [state for state, _ in said][:2] == ["ok", "failed"]
    assert "answers the preflight (OPTIONS) itself" in said[1][1]
    open_page.route(f"{server}/-/health", lambda route: route.abort())
    said = rows_of_test(open_page)
    assert [state for state, _ in said] == ["failed", "not tested"]
    assert "No answer at this address from this browser" in said[0][1]
    assert "What comes after was not tested" in open_page.inner_text("#test_verdict")


def test_the_doctor_examines_this_backend_and_is_watched(page: Any) -> None:
    page.goto(CONNECTION)
    press(page, "Examine")
    page.wait_for_selector("#progress")
    page.wait_for_selector("#progress:has-text('of at most 120')")
    page.wait_for_selector("#findings")
    assert page.inner_text("#state") == "Done"
    # The definitions of the sample have faults; that it saw them shows that its key opened everything.
    assert "imported_0" in page.inner_text("#findings")
    page.goto("/admin/widgets_app/apikey/")
    assert "Examination" not in page.inner_text("#main")
    page.goto(CONNECTION)
    assert page.locator("#doctor td").nth(3).inner_text() == "Done"


def test_it_is_started_with_the_keyboard(page: Any) -> None:
    page.goto(CONNECTION)
    page.focus("#id_url")
    page.keyboard.press("Enter")
    page.wait_for_selector("#findings")


def test_without_scripts_it_is_started_and_looked_at_again(browser: Any, signed_in: Any, server: str) -> None:
    window = browser.new_context(java_script_enabled=False, base_url=server, storage_state=signed_in.storage_state())
    try:
        page = window.new_page()
        page.goto(CONNECTION)
        assert "needs JavaScript" in page.inner_text("#browser_test")
        press(page, "Examine")
        while page.locator("#progress").count():
            page.get_by_role("link", name="Load the page again").click()
        assert page.inner_text("#state") == "Done"
    finally:
        window.close()


class Place:
    """A state folder of its own with somebody who may sign in, and servers on it."""

    def __init__(self, home: Path, browser: Any, stack: ExitStack) -> None:
        self.home, self.browser, self.stack = home, browser, stack
        manage(home, "migrate", "-v", "0")
        manage(home, "createsuperuser", "--noinput", "--username", "boss", "--email", "boss@example.com",
               DJANGO_SUPERUSER_PASSWORD=PASSWORD)  # fmt: skip

    def serve(self, port: int, *options: str, **environment: str) -> Command:
        """Start a server and wait until it serves."""
        where = {"WIDGETS_HOME": str(self.home), "PORT": str(port)}
        command = Command("serve", "--port", str(port), *options, **where, **environment)
        self.stack.callback(command.clean_up)
        eventually(lambda: "startup complete" in command.output or command.process.poll() is not None)
        return command

    def sign_in(self, port: int) -> Any:
        """Return the page Connection."""
        window = self.browser.new_context(base_url=f"http://127.0.0.1:{port}")
        self.stack.callback(window.close)
        page = window.new_page()
        page.goto("/admin/login/")
        page.fill("[name=username]", "boss")
        page.fill("[name=password]", PASSWORD)
        page.click("#login-form button[type=submit]")
        page.wait_for_url("**/admin/")
        page.goto(CONNECTION)
        return page


@pytest.fixture
def place(browser: Any, tmp_path: Path) -> Iterator[Place]:
    """A deployment without anything in it."""
    with ExitStack() as stack:
        yield Place(tmp_path, browser, stack)


def test_a_restart_in_the_middle_is_told_and_it_is_started_again(place: Place) -> None:
    port = free_port()
    # An examination waits until other processes know its key: here for long.
    first = place.serve(port, WIDGETS_CATALOG_CHECK_SECONDS="60")
    page = place.sign_in(port)
    press(page, "Examine")
    page.wait_for_selector("#progress")
    os.kill(first.process.pid, signal.SIGKILL)
    page.wait_for_selector("#progress:has-text('The server does not answer')")
    place.serve(port)
    page.wait_for_selector("#progress:has-text('It begins')")
    now = "from widgets_app.models import Checkup; from django.utils import timezone; "
    manage(place.home, "shell", "-v", "0", "--no-imports", "-c", f"{now}Checkup.objects.update(ends_by=timezone.now())")
    page.wait_for_selector("text=restarted or stopped before the examination was over")
    page.get_by_role("link", name="Examine it again").click()
    press(page, "Examine")
    page.wait_for_selector("#state:has-text('Done')")


def test_a_certificate_that_the_browser_does_not_trust_is_told(place: Place) -> None:
    port, secure = free_port(), free_port()
    url = f"https://127.0.0.1:{secure}"
    place.serve(secure, "--https")
    place.serve(port, PUBLIC_URL=url)
    page = place.sign_in(port)
    said = rows_of_test(page)
    assert said[0][0] == "failed"
    assert f"a certificate that this browser does not trust; it tells no page which. Open {url}/-/health" in said[0][1]
    with page.expect_download() as download:
        page.get_by_role("link", name="Download it").click()
    authority = (place.home / "tls" / "authority.pem").read_bytes()
    assert Path(download.value.path()).read_bytes() == authority
