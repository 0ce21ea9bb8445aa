"""A real server with a few definitions, and a Chromium that is signed in to its admin."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.browser.harness import (
    CHROMIUM,
    HOW_TO_INSTALL,
    NO_CHROMIUM,
    NO_PLAYWRIGHT,
    chromium,
    client_served,
    missing_libraries,
)
from tests.commands.conftest import Command
from tests.loopback import free_port, serving
from tests.upstream import Upstream

PASSWORD = "-secret-"
DEFINITIONS = """
from widgets_app.manifest.reading import read_query, read_widget
from widgets_app.models import Source
from widgets_app.services.publishing import definition_publish

Source.objects.create(name="market", kind="files")
definition_publish(read_query({
    "name": "prices", "description": "", "source": "market", "text": "select * from prices where ticker = :ticker",
    "cache_seconds": None, "seconds": None, "rows": None, "options_path": "options/prices", "choices": [],
}))
definition = {
    "name": " Prices\\nof shares ", "description": "\\n one \\r\\n two\\rthree\\n\\n", "type": "table", "endpoint": "imported",
    "source": "None", "refetchInterval": "30", "odd": {"b": [1, 2], "a": " x\\n"},
    "params": [{"paramName": "ticker", "type": "text", "label": " T ", "description": "d", "value": "30"}],
    "data": {"table": {"columnsDefs": [{"field": "price", "suffix": " m", "renderFn": ["greenRed"]}, {"field": "day"}]}},
}
for number in range(2):
    read = read_widget({"id": f"imported_{number}", "definition": definition, "feeds": {"rows": "prices"}})
    definition_publish(read, strict=False)
"""


def manage(home: Path, *arguments: str, **environment: str) -> str:
    """Run a command; return what it printed."""
    command = Command(*arguments, WIDGETS_HOME=str(home), **environment)
    try:
        assert command.wait() == 0, command.output
        return command.output
    finally:
        command.clean_up()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server; the admin's user is boss."""
    if CHROMIUM is None:
        pytest.skip(NO_CHROMIUM)
    home = tmp_path_factory.mktemp("home")
    (home / "files" / "market").mkdir(parents=True)
    (home / "files" / "market" / "prices.csv").write_text("day,ticker,price\n2024-01-02,AAA,10.5\n", encoding="utf-8")
    manage(home, "migrate", "-v", "0")
    manage(home, "createsuperuser", "--noinput", "--username", "boss", "--email", "boss@example.com",
           DJANGO_SUPERUSER_PASSWORD=PASSWORD)  # fmt: skip
    manage(home, "shell", "-v", "0", "-c", DEFINITIONS)
    port = free_port()
    command = Command("serve", "--port", str(port), WIDGETS_HOME=str(home), PORT=str(port))
    try:
        command.wait_until_it_serves(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        command.clean_up()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A Chromium. It must end with the module: while it runs, Django takes this thread for an asynchronous one."""
    if CHROMIUM is None:
        pytest.skip(NO_CHROMIUM)
    api = pytest.importorskip("playwright.sync_api", reason=NO_PLAYWRIGHT)
    with api.sync_playwright() as playwright, chromium(playwright) as browser:
        yield browser


@pytest.fixture(scope="module")
def signed_in(server: str, browser: Any) -> Iterator[Any]:
    """A window of somebody who has signed in."""
    window = browser.new_context(viewport={"width": 1280, "height": 900}, base_url=server)
    page = window.new_page()
    page.goto("/admin/login/")
    page.fill("[name=username]", "boss")
    page.fill("[name=password]", PASSWORD)
    page.click("#login-form button[type=submit]")
    page.wait_for_url("**/admin/")
    yield window
    window.close()


@pytest.fixture
def page(signed_in: Any) -> Iterator[Any]:
    """A page on which nothing goes wrong: no error of a script, nothing that fails to load."""
    page = signed_in.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    yield page
    page.close()
    assert not faults


@dataclass(frozen=True)
class Backend:
    """A running server with the sample, a key of its own, and the address of the page that may call it."""

    url: str
    key: str
    client: str
    port: int

    def asked(self, app: str, theme: str = "dark") -> dict[str, str]:
        """Return what the page is told to draw."""
        return {"url": self.url, "key": self.key, "theme": theme, "app": app, "tab": "main"}


@pytest.fixture(scope="session")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """A server with a widget of every type; those it has no data for are answered by another one."""
    if CHROMIUM is None:
        pytest.skip(NO_CHROMIUM)
    pytest.importorskip("playwright.sync_api", reason=NO_PLAYWRIGHT)
    home, port, pictures = tmp_path_factory.mktemp("sample"), free_port(), free_port()
    url = f"http://127.0.0.1:{port}"
    with client_served() as client, serving(Upstream()) as (upstream, _):
        made = f"fill(Path({str(home)!r}), {url!r}, 'http://127.0.0.1:{upstream}')"
        code = f"from pathlib import Path; from tests.browser.sample import fill; print({made})"
        key = manage(home, "shell", "-v", "0", "-c", code).strip()
        origins = f"{client},http://127.0.0.1:{pictures}"
        command = Command(
            "serve", "--port", str(port), WIDGETS_HOME=str(home), PORT=str(port), CORS_ALLOWED_ORIGINS=origins
        )
        try:
            command.wait_until_it_serves(port)
            yield Backend(url, key, client, pictures)
        finally:
            command.clean_up()


@pytest.fixture(scope="session")
def libraries() -> None:
    """The libraries that clients draw with; only where there is no npm may a check of everything do without."""
    if missing := missing_libraries():
        reason = f"Not installed: {', '.join(missing)}. Run: {HOW_TO_INSTALL}"
        if os.environ.get("CI") == "true" and shutil.which("npm"):
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture
def client(backend: Backend, browser: Any) -> Iterator[Any]:
    """The page of a client, on which nothing goes wrong: no error, no warning of a library."""
    page = browser.new_page(viewport={"width": 1600, "height": 900})
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if message.type in ("error", "warning") else None)
    page.goto(backend.client)
    yield page
    page.close()
    assert not faults


@pytest.fixture
def show(client: Any, backend: Backend) -> Callable[..., None]:
    """Draw the tab of an app; every widget of it can be drawn."""

    def drawn(app: str, theme: str = "dark") -> None:
        assert client.evaluate("asked => client.show(asked)", backend.asked(app, theme)) == []

    return drawn
