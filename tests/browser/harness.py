"""The page that draws as Workspace does, served on the loopback address with the libraries it draws with."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import plotly

from tests.loopback import serving

HERE = Path(__file__).parent
CLIENT, MODULES = HERE / "client", HERE / "node_modules"
LIBRARIES = {
    "plotly.js": Path(plotly.__file__).parent / "package_data" / "plotly.min.js",
    "ag-grid.js": MODULES / "ag-grid-community" / "dist" / "ag-grid-community.min.js",
    "vega.js": MODULES / "vega" / "build" / "vega.min.js",
    "vega-lite.js": MODULES / "vega-lite" / "build" / "vega-lite.min.js",
    "vega-embed.js": MODULES / "vega-embed" / "build" / "vega-embed.min.js",
    "markdown-it.js": MODULES / "markdown-it" / "dist" / "browser" / "markdown-it.umd.min.js",
    "purify.js": MODULES / "dompurify" / "dist" / "purify.min.js",
}
HOW_TO_INSTALL = "make browser-libraries (it needs npm)"
FILES = {
    "/": (CLIENT / "index.html", b"text/html; charset=utf-8"),
    "/client.css": (CLIENT / "client.css", b"text/css; charset=utf-8"),
    "/client.js": (CLIENT / "client.js", b"text/javascript; charset=utf-8"),
    **{f"/library/{name}": (path, b"text/javascript; charset=utf-8") for name, path in LIBRARIES.items()},
}
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
NO_CHROMIUM = "There is no Chromium; Debian's package is called chromium."
NO_PLAYWRIGHT = "Playwright is in requirements-dev.txt."


def missing_libraries() -> list[str]:
    """Return the libraries that are not installed."""
    return [name for name, path in LIBRARIES.items() if not path.is_file()]


async def _files(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
    path, kind = FILES.get(scope["path"], (HERE / "missing", b"text/plain"))
    found = path.is_file()
    headers = [(b"content-type", kind), (b"cache-control", b"no-cache")]
    await send({"type": "http.response.start", "status": 200 if found else 404, "headers": headers})
    await send({"type": "http.response.body", "body": path.read_bytes() if found else b""})


@contextmanager
def client_served(port: int = 0) -> Iterator[str]:
    """Serve the page; gives its origin, which the backend must allow."""
    with serving(_files, port=port) as (taken, _):
        yield f"http://127.0.0.1:{taken}"


@contextmanager
def chromium(playwright: Any, *arguments: str, home: Path | None = None) -> Iterator[Any]:
    """Run a Chromium, of a user with another home folder if there is one."""
    # As root in a container, Chromium has no sandbox and little shared memory.
    always = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
    # Which other folders are used must follow from the home folder.
    others = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    environment = {**others, "HOME": str(home)} if home else None
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*always, *arguments], env=environment)
    try:
        yield browser
    finally:
        browser.close()
