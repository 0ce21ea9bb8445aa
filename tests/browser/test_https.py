"""A page of another origin reads a widget over HTTPS, once the browser has been told to trust our authority."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from project.certificates import common_name, own_pair
from project.tls import TRUST
from tests.browser.conftest import DEFINITIONS, PASSWORD, manage
from tests.browser.harness import CHROMIUM, NO_CHROMIUM, NO_PLAYWRIGHT, chromium
from tests.commands.conftest import Command
from tests.commands.test_https import trusting
from tests.loopback import free_port, serving

pytestmark = pytest.mark.browser

PAGE = b"""<!doctype html><meta charset="utf-8"><title>Client</title><link rel="icon" href="data:,"><pre></pre><script>
async function read(backend, key) {
    const ask = async path => (await fetch(backend + path, { headers: { "X-API-KEY": key } })).json();
    const { imported_0: widget } = await ask("/widgets.json");
    const [row] = await ask(`/${widget.endpoint}?ticker=AAA`);
    document.querySelector("pre").textContent = `${row.day} ${row.price}`;
}
</script>"""
# The first Chromium that asks before a page from the internet may reach this computer.
ASKS = 142
NO_CERTUTIL = "There is no certutil; Debian's package is called libnss3-tools."


@dataclass(frozen=True)
class Places:
    """Addresses of the backend and of a page that may call it, by scheme; the home folder of the browser's user."""

    backend: dict[str, str]
    page: dict[str, str]
    key: str
    authority: Path
    home: Path


async def page(scope: Any, receive: Any, send: Any) -> None:
    headers = [(b"content-type", b"text/html; charset=utf-8")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": PAGE})


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    """A backend and a page, both with HTTPS of one authority and with plain HTTP."""
    if CHROMIUM is None:
        pytest.skip(NO_CHROMIUM)
    if shutil.which("certutil") is None:
        pytest.skip(NO_CERTUTIL)
    pytest.importorskip("playwright.sync_api", reason=NO_PLAYWRIGHT)
    home, user = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("user")
    (home / "files" / "market").mkdir(parents=True)
    (home / "files" / "market" / "prices.csv").write_text("day,ticker,price\n2024-01-02,AAA,10.5\n", encoding="utf-8")
    manage(home, "migrate", "-v", "0")
    manage(home, "createsuperuser", "--noinput", "--username", "boss", "--email", "boss@example.com",
           DJANGO_SUPERUSER_PASSWORD=PASSWORD)  # fmt: skip
    manage(home, "shell", "-v", "0", "-c", DEFINITIONS)
    key = manage(home, "issue_key", "Ana").splitlines()[-1]
    with ExitStack() as stack:
        certfile = str(own_pair(home, ["localhost", "127.0.0.1"]).certfile)
        pages = {
            scheme: f"{scheme}://localhost:{stack.enter_context(serving(page, ssl_certfile=file))[0]}"
            for scheme, file in (("https", certfile), ("http", None))
        }
        backends = {}
        for scheme in pages:
            port = free_port()
            options = ("--https",) if scheme == "https" else ()
            more = {"WIDGETS_HOME": str(home), "PORT": str(port), "CORS_ALLOWED_ORIGINS": ",".join(pages.values())}
            command = Command("serve", "--port", str(port), *options, **more)
            stack.callback(command.clean_up)
            command.wait_until_it_serves(port, tls=trusting(home) if options else None)
            backends[scheme] = f"{scheme}://127.0.0.1:{port}"
        yield Places(backends, pages, key, home / "tls" / "authority.pem", user)


@pytest.fixture(scope="module")
def start(places: Places) -> Iterator[Callable[..., Any]]:
    """Start the browser of a user who has nothing but the folder of `places`."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield lambda *arguments: chromium(playwright, *arguments, home=places.home)


@pytest.fixture(scope="module")
def trusted(places: Places, start: Callable[..., Any]) -> None:
    """Trust the authority as the server says, after the browser has run once and refused it."""
    with start() as browser:
        assert "ERR_CERT_AUTHORITY_INVALID" in refusal(browser, places.page["https"])
        tab = browser.new_page()
        tab.goto(places.page["http"])
        assert "Failed to fetch" in reading(tab, places, "https")
    _, _, after = TRUST.format(authority=places.authority, name=common_name(places.authority)).partition("  Linux (")
    command = after.partition("\n")[2].partition("  Debian")[0]
    environment = os.environ | {"HOME": str(places.home)}
    subprocess.run(["sh", "-c", command], env=environment, stdin=subprocess.DEVNULL, check=True)


def refusal(browser: Any, address: str) -> str:
    """Return why a browser does not open an address; nothing if it does."""
    from playwright.sync_api import Error

    try:
        browser.new_page().goto(address)
    except Error as error:
        return error.message
    return ""


def reading(tab: Any, places: Places, scheme: str) -> str:
    """Have a page read a widget; return what it shows, or why it could not."""
    from playwright.sync_api import Error

    try:
        tab.evaluate("([backend, key]) => read(backend, key)", [places.backend[scheme], places.key])
    except Error as error:
        return error.message
    shown: str = tab.inner_text("pre")
    return shown


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("scheme", ["https", "http"])
@pytest.mark.parametrize("of_page", ["https", "http"])
def test_a_page_of_another_origin_reads_a_widget(
    places: Places, start: Callable[..., Any], of_page: str, scheme: str
) -> None:
    with start() as browser:
        tab = browser.new_page()
        asked: list[tuple[str, str]] = []
        protocol = tab.context.new_cdp_session(tab)
        protocol.on(
            "Network.requestWillBeSent", lambda sent: asked.append((sent["request"]["method"], sent["request"]["url"]))
        )
        protocol.send("Network.enable")
        tab.goto(places.page[of_page])
        assert reading(tab, places, scheme) == "2024-01-02 10.5"
    assert ("OPTIONS", f"{places.backend[scheme]}/widgets.json") in asked


@pytest.mark.usefixtures("trusted")
def test_a_page_from_the_internet_needs_the_permission_to_reach_this_computer(
    places: Places, start: Callable[..., Any]
) -> None:
    public = places.page["https"].rpartition(":")[2]
    with start(f"--ip-address-space-overrides=127.0.0.1:{public}=public") as browser:
        if int(browser.version.partition(".")[0]) < ASKS:
            pytest.skip(f"Chromium {browser.version} does not ask yet.")
        window = browser.new_context()
        tab = window.new_page()
        said: list[str] = []
        tab.on("console", lambda message: said.append(message.text))
        tab.goto(places.page["https"])
        for scheme in places.backend:
            assert "Failed to fetch" in reading(tab, places, scheme)
        assert "Permission was denied" in said[0]
        window.grant_permissions(["local-network-access"], origin=places.page["https"])
        for scheme in places.backend:
            tab.reload()
            assert reading(tab, places, scheme) == "2024-01-02 10.5"


@pytest.mark.usefixtures("trusted")
def test_the_admin_is_signed_in_to_over_https(places: Places, start: Callable[..., Any]) -> None:
    with start() as browser:
        tab = browser.new_page()
        tab.goto(f"{places.backend['https']}/admin/")
        tab.fill("[name=username]", "boss")
        tab.fill("[name=password]", PASSWORD)
        tab.click("#login-form button[type=submit]")
        tab.wait_for_url("**/admin/")
        cookies = {cookie["name"]: cookie["secure"] for cookie in tab.context.cookies()}
    assert cookies == {"csrftoken": True, "sessionid": True}
