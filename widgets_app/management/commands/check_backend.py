"""The doctor on the command line."""

from __future__ import annotations

import argparse
import json
import re
import sys
import textwrap
from collections.abc import Iterator
from typing import Any

from django.conf import settings

from widgets_app.authentication import HEADER, QUERY_NAME
from widgets_app.doctor import Limits, Report, Target, examine
from widgets_app.doctor.visit import WORKSPACE
from widgets_app.management.base import OneLineCommand, header_of, number_between
from widgets_app.manifest.contract import Finding
from widgets_app.services.checkups import with_key

WIDTH = 79
KEY_NAME = "check_backend"
# So many places of the same finding are named.
PLACES = 6
WORDS = {"error": "error", "warning": "warning", "info": "note"}


class Command(OneLineCommand):
    """Examines a backend as Workspace would use it."""

    help = "Asks a backend, this one or any other, what Workspace would ask, and says what is wrong and what to do."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Take whom to examine, and as whom."""
        limits = Limits()
        parser.add_argument("url", nargs="?", default="", help=f"address as in Workspace ({settings.PUBLIC_URL})")
        parser.add_argument("--key", help=f"API key, sent in the header {HEADER}")
        parser.add_argument("--header", action="append", default=[], metavar="'NAME: VALUE'",
                            help="header to send, instead of or besides the key; may be repeated")  # fmt: skip
        parser.add_argument("--query", action="append", type=_pair, default=[], metavar="NAME=VALUE",
                            help=f"credential to send in the query, such as {QUERY_NAME}=KEY")  # fmt: skip
        parser.add_argument(
            "--origin", type=_origin, default=WORKSPACE, help="page that calls the backend (%(default)s)"
        )
        parser.add_argument("--skip-forms", action="store_true", help="send no empty form to the paths of forms")
        parser.add_argument("--seconds", type=_seconds, default=limits.seconds, help="end after so long (%(default)g)")
        parser.add_argument(
            "--calls", type=_calls, default=limits.calls, help="end after so many requests (%(default)s)"
        )
        parser.add_argument("--json", action="store_true", help="write the report as JSON")

    def handle(self, *args: Any, url: str, **options: Any) -> None:
        """Examine it and write the report; exit code 1 when there are errors."""
        limits = Limits(seconds=options["seconds"], calls=options["calls"])
        headers = dict(header_of(text) for text in options["header"])
        target = Target(
            url or settings.PUBLIC_URL,
            headers=headers | ({HEADER: options["key"]} if options["key"] else {}),
            query=dict(options["query"]),
            origin=options["origin"],
            send_forms=not options["skip_forms"],
        )
        with with_key(target, KEY_NAME, limits) as target:
            report = examine(target, limits=limits, progress=self._progress)
        self._clear()
        lines = [json.dumps(report.document(), indent=2)] if options["json"] else self._lines(report)
        self.stdout.write("\n".join(lines))
        if not report.ok:
            sys.exit(1)

    def _progress(self, what: str, done: int, total: int) -> None:
        if self.stderr.isatty():
            text = f"Looking at {what}{f': {done} of {total}' if total > 1 else ''} ..."
            self.stderr.write(f"\r{text:<{WIDTH}.{WIDTH}}\r", ending="")

    def _clear(self) -> None:
        if self.stderr.isatty():
            self.stderr.write(f"\r{'':<{WIDTH}}\r", ending="")

    def _lines(self, report: Report) -> Iterator[str]:
        checked = ", ".join(f"{count:,} {what}" for what, count in report.checked.items())
        yield f"{report.url}: {checked}"
        for alike in report.alike():
            yield ""
            yield self._graded(alike[0])
            places = [finding.where for finding in alike if finding.where]
            yield from wrapped(
                ", ".join(places[:PLACES]) + (f" and {len(places) - PLACES} more" * (len(places) > PLACES))
            )
            yield from wrapped(alike[0].message)
            yield from wrapped(f"-> {alike[0].fix}")
        yield ""
        yield self._summary(report)

    def _graded(self, finding: Finding) -> str:
        styles = {"error": self.style.ERROR, "warning": self.style.WARNING, "info": self.style.NOTICE}
        return styles[finding.severity](f"{finding.severity.upper():<7} {finding.code}")

    def _summary(self, report: Report) -> str:
        counted = [_counted(report.count(severity), word) for severity, word in WORDS.items()]
        text = f"{', '.join(counted)}."
        return self.style.SUCCESS(text) if report.ok else self.style.ERROR(text)


def _origin(text: str) -> str:
    scheme, separator, host = text.partition("://")
    if scheme not in ("http", "https") or not separator or not re.fullmatch(r"[A-Za-z0-9.:\[\]-]+", host):
        raise argparse.ArgumentTypeError(f"write it as {WORKSPACE}, without a path")
    return text


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise argparse.ArgumentTypeError("write it as NAME=VALUE")
    return name.strip(), value


def _seconds(text: str) -> float:
    return number_between(text, 1, 3600)


def _calls(text: str) -> int:
    return number_between(text, 1, 100_000)


def _counted(count: int, word: str) -> str:
    return f"{count or 'no'} {word}{'' if count == 1 else 's'}"


def wrapped(text: str) -> list[str]:
    """Return a text in lines that fit a terminal, indented."""
    return textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)
