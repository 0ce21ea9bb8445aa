"""A real server with a few definitions, and a Chromium that is signed in to its admin."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.commands.conftest import Command
from tests.loopback import free_port

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
NO_CHROMIUM = "There is no Chromium; Debian's package is called chromium."
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


def manage(home: Path, *arguments: str, **environment: str) -> None:
    command = Command(*arguments, WIDGETS_HOME=str(home), **environment)
    try:
        assert command.wait() == 0, command.output
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
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is in requirements-dev.txt.")
    with api.sync_playwright() as playwright:
        # As root in a container, Chromium has no sandbox and little shared memory.
        arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield chromium
        chromium.close()


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
