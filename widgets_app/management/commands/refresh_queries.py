"""Make results anew before anybody asks."""

from __future__ import annotations

import argparse
from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from widgets_app import cache, catalog, warming
from widgets_app.compiled import PublishedQuery
from widgets_app.management.base import OneLineCommand
from widgets_app.warming import Refreshed

NOT_SHARED = (
    "Without CACHE_URL each process keeps results for itself, so this one would make them for nobody. "
    "Set CACHE_URL to a Redis; running servers follow schedules by themselves."
)


class Command(OneLineCommand):
    """Follows the schedules of queries, as running servers do by themselves."""

    help = "Makes results of published queries anew, on their schedules, for all processes that share a cache."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Take what is to be made, and when."""
        only = parser.add_mutually_exclusive_group()
        only.add_argument("--once", action="store_true", help="make what came due in the last minute, and end")
        only.add_argument("--query", nargs="+", metavar="NAME", help="make these now, whatever their schedule, and end")

    def handle(self, *args: Any, once: bool, query: list[str] | None, **options: Any) -> None:
        """Do it; raises CommandError where some couldn't be made."""
        if not cache.is_shared():
            raise CommandError(NOT_SHARED)
        if query or once:
            found = [_named(name) for name in query] if query else _due()
            failed = [one.name for one in found if self._told(one, warming.refresh(one)).failed]
            if failed:
                raise CommandError(f"These could not be made anew: {', '.join(failed)}.")
            return
        self.stdout.write("Following the schedules of published queries.")
        with suppress(KeyboardInterrupt):
            warming.Schedule().start().join()

    def _told(self, query: PublishedQuery, told: Refreshed) -> Refreshed:
        self.stdout.write(f"{query.name}: {told}")
        return told


def _named(name: str) -> PublishedQuery:
    found = catalog.current().queries.get(name)
    if found is None:
        raise CommandError(f'There is no published query "{name}".')
    return found


def _due() -> list[PublishedQuery]:
    now = timezone.localtime()
    due = warming.due_between(now - timedelta(minutes=1), now)
    return [query for query, moment in due if warming.claim(query, moment)]
