"""Takes a picture of each tab of each app of a running backend, as a client draws it, and says what can't be drawn.

The page asks from an address of its own, which the backend has to allow:

    CORS_ALLOWED_ORIGINS=http://127.0.0.1:7790 .venv/bin/python manage.py serve
    .venv/bin/python -m tests.browser.screenshots http://127.0.0.1:7779 KEY pictures
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.browser.harness import (
    CHROMIUM,
    HOW_TO_INSTALL,
    NO_CHROMIUM,
    NO_PLAYWRIGHT,
    chromium,
    client_served,
    missing_libraries,
)

PORT = 7790
WIDTH = 1600
# Grids and frames paint once more after they have said that they are done.
SETTLED_MS = 500
HEIGHT = "() => document.querySelector('main').getBoundingClientRect().height + 16"


def pictures(page: Any, backend: dict[str, str], folder: Path, only: str | None) -> Iterator[tuple[Path, list[Any]]]:
    """Yield the file of each picture, and which widgets in it could not be drawn."""
    _, apps = page.evaluate("backend => client.documents(backend)", backend)
    for app in apps:
        for number, tab in enumerate(app["tabs"]):
            if only in (None, app["name"]):
                failures = page.evaluate("asked => client.show(asked)", backend | {"app": app["name"], "tab": tab})
                # As high as the tab: a frame that is out of sight stays unpainted.
                page.set_viewport_size({"width": WIDTH, "height": page.evaluate(HEIGHT)})
                page.wait_for_timeout(SETTLED_MS)
                file = folder / file_name(app["name"], tab or str(number + 1), backend["theme"])
                page.screenshot(path=file)
                yield file, failures


def file_name(*words: str) -> str:
    """Return a plain name: `markets-currencies-dark.png`."""
    return re.sub(r"[^a-z0-9]+", "-", "-".join(words).lower()).strip("-") + ".png"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.browser.screenshots",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("url", metavar="URL", help="address of the backend")
    parser.add_argument("key", metavar="KEY", help="a key of its own")
    parser.add_argument("folder", metavar="OUT_DIR", type=Path, help="where the pictures go")
    parser.add_argument("--app", metavar="NAME", help="only this app")
    parser.add_argument("--theme", choices=("dark", "light"), default="dark", help="(%(default)s)")
    parser.add_argument("--port", type=int, default=PORT, help="port of the page (%(default)s)")
    return parser.parse_args()


def main() -> None:
    """Draw all tabs; ends with 1 when a widget could not be drawn."""
    arguments = _arguments()
    if CHROMIUM is None:
        sys.exit(NO_CHROMIUM)
    if missing := missing_libraries():
        sys.exit(f"Not installed: {', '.join(missing)}. Run: {HOW_TO_INSTALL}")
    if find_spec("playwright") is None:
        sys.exit(NO_PLAYWRIGHT)
    try:
        with client_served(arguments.port) as origin:
            taken, failed = _take(arguments, origin)
    except OSError as error:
        sys.exit(f"The page can't be served: {error}. Choose another port with --port, and allow that one.")
    if not taken:
        sys.exit(f'There is no app named "{arguments.app}".' if arguments.app else "The backend has no apps.")
    if failed:
        sys.exit(f"Widgets that could not be drawn: {failed}.")


def _take(arguments: argparse.Namespace, origin: str) -> tuple[int, int]:
    """Take the pictures, print their files; return how many there are, and how many widgets failed."""
    from playwright.sync_api import Error, sync_playwright

    arguments.folder.mkdir(parents=True, exist_ok=True)
    backend = {"url": arguments.url, "key": arguments.key, "theme": arguments.theme}
    taken = failed = 0
    with sync_playwright() as playwright, chromium(playwright) as browser:
        page = browser.new_page(viewport={"width": WIDTH, "height": 900})
        page.goto(origin)
        try:
            for file, failures in pictures(page, backend, arguments.folder, arguments.app):
                taken, failed = taken + 1, failed + len(failures)
                sys.stdout.write(f"{file}\n" + "".join(f"  {one['widget']}: {one['message']}\n" for one in failures))
        except Error as error:
            reason = error.message.splitlines()[0]
            sys.exit(f"{reason}. Does {arguments.url} run, with CORS_ALLOWED_ORIGINS={origin} in its environment?")
    return taken, failed


if __name__ == "__main__":
    main()
