"""Results made anew on schedule, so that nobody has to wait for them."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from django.utils import timezone

from widgets_app import cache, catalog, serving
from widgets_app.authentication import Caller
from widgets_app.catalog import DataRoute
from widgets_app.compiled import STALE_SECONDS, Entry, PublishedQuery
from widgets_app.errors import Busy, NotFound, RequestError
from widgets_app.parameters.validate import validate
from widgets_app.schedules import last_due, schedule_problem
from widgets_app.serving import Read
from widgets_app.shapes.ssrm import PagedTable
from widgets_app.sources.base import PreparedQuery
from widgets_app.sources.paging import PagedQuery

logger = logging.getLogger(__name__)

# Queries that one process makes anew at the same time.
AT_ONCE = 2
# How often a full source is tried again, and after how long.
TRIES, PAUSE_SECONDS = 5, 2.0
# For how long it is remembered which process took a query at its time.
CLAIM_SECONDS = 3600.0
# Times that were missed for longer, as on a machine that slept, are not made up for.
LONGEST_GAP = timedelta(days=1)
# Nobody in particular: what depends on who asks is not made in advance.
NOBODY = Caller("schedule")


@dataclass
class Refreshed:
    """What came of making a query's results anew: how many there are, and why others are not."""

    made: int = 0
    left: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        made = f"{self.made} result{'' if self.made == 1 else 's'} made anew."
        return " ".join([made, *self.failed, *self.left])


def refresh(query: PublishedQuery) -> Refreshed:
    """Make and keep what who opens a dashboard gets: for each widget on a query, with its defaults, and its options."""
    told = Refreshed()
    try:
        if reason := _personal(query.ready()):
            told.left.append(reason)
            return told
        done: set[str] = set()
        for read in _reads(query, told):
            if read.key not in done:
                done.add(read.key)
                _make(read, told)
    except RequestError as error:
        told.failed.append(str(error))
    if not (told.made or told.left or told.failed):
        told.left.append("No published widget or dropdown uses it.")
    return told


def _personal(prepared: PreparedQuery) -> str:
    """Say why a query's results can't be made in advance, if they can't."""
    if prepared.uses_caller or prepared.key_names:
        return "Its results depend on who asks, so none are made in advance."
    return ""


def _make(read: Read, told: Refreshed) -> None:
    if read.seconds <= 0:
        told.left.append("Results that are kept for 0 seconds are not made in advance.")
        return
    try:
        _tried(read)
        told.made += 1
    except RequestError as error:
        told.failed.append(str(error))


def _tried(read: Read) -> None:
    for tries_left in reversed(range(TRIES)):
        try:
            serving.fetch(replace(read, force=True))
            return
        except Busy:
            if not tries_left:
                raise
            time.sleep(PAUSE_SECONDS)


def _reads(query: PublishedQuery, told: Refreshed) -> Iterator[Read]:
    snapshot = catalog.current()
    for entry in snapshot.entries.values():
        if entry.query == query.name and entry.path and not entry.upstream:
            yield from _of_widget(entry, told)
    if query.options_path in snapshot.option_paths and not query.ready().placeholders:
        yield serving.reading(query, {}, NOBODY, STALE_SECONDS)


def _of_widget(entry: Entry, told: Refreshed) -> Iterator[Read]:
    try:
        route = catalog.current().find(entry.path or "", entry.groups)
        if not isinstance(route, DataRoute) or route.query is None or route.query.name != entry.query:
            return
        if isinstance(route.entry.shape, PagedTable) and isinstance(route.query.ready(), PagedQuery):
            told.left.append(f'The widget "{entry.id}" asks for pages, which are made when they are asked for.')
            return
        values = validate(route.specs, {}, now=timezone.localtime())
        yield serving.reading(route.query, values, NOBODY, route.stale_seconds)
    except NotFound:
        return
    except RequestError as error:
        told.left.append(f'The widget "{entry.id}" needs values: {error}')


class Schedule:
    """Has the published queries with a schedule made anew when they are due, in a few threads of this process.

    Where processes share a cache, one of them takes each; else each fills its own memory.
    """

    def __init__(self) -> None:
        self._since = timezone.localtime()
        self._going: set[str] = set()
        self._jobs: queue.SimpleQueue[tuple[PublishedQuery, datetime] | None] = queue.SimpleQueue()
        self._ended = threading.Event()

    def start(self) -> threading.Thread:
        """Begin, in daemon threads; return the one that looks."""
        for number in range(AT_ONCE):
            threading.Thread(target=self._work, name=f"schedule-{number + 1}", daemon=True).start()
        looking = threading.Thread(target=self._watch, name="schedule", daemon=True)
        looking.start()
        return looking

    def stop(self) -> None:
        """Begin nothing any more; what is being made is made to its end."""
        self._ended.set()
        for _ in range(AT_ONCE):
            self._jobs.put(None)

    def _watch(self) -> None:
        while not self._ended.wait(60 - time.time() % 60):
            try:
                self.look(timezone.localtime())
            except RequestError as error:
                logger.warning("The schedule can't be followed now: %s", error)
            except Exception:
                logger.exception("A look at the schedule failed")

    def look(self, now: datetime) -> None:
        """Have made anew what has come due since the last look; not what is still being made."""
        due = due_between(max(self._since, now - LONGEST_GAP), now)
        self._since = now
        for query, moment in due:
            if query.name not in self._going:
                self._going.add(query.name)
                self._jobs.put((query, moment))

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._run(*job)
            # What is done must not live on until the next one comes.
            del job

    def _run(self, query: PublishedQuery, moment: datetime) -> None:
        try:
            if claim(query, moment):
                _refresh_logged(query)
        except Exception:
            logger.exception('Query "%s" failed on schedule', query.name)
        finally:
            self._going.discard(query.name)


def due_between(since: datetime, now: datetime) -> list[tuple[PublishedQuery, datetime]]:
    """Return the published queries whose schedule has a time after `since` until `now`, each with its last one."""
    scheduled = [query for query in catalog.current().queries.values() if query.cron]
    followed = [query for query in scheduled if not schedule_problem(query.cron)]
    return [(query, moment) for query in followed if (moment := last_due(query.cron, since, now))]


def claim(query: PublishedQuery, moment: datetime) -> bool:
    """Take a query for a time of its schedule; say whether no other process has."""
    return cache.claimed(f"due:{query.name}:{moment.timestamp():.0f}", CLAIM_SECONDS)


def _refresh_logged(query: PublishedQuery) -> None:
    started = time.monotonic()
    told = refresh(query)
    log = logger.warning if told.failed or not told.made else logger.info
    log('Query "%s" on schedule, in %.1f s: %s', query.name, time.monotonic() - started, told)
