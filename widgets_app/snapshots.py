"""State that every process keeps in memory and replaces when its Revision number moves.

Request threads never ask the database: one thread per process looks at the numbers, with a connection of its own.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from django.conf import settings
from django.db import DatabaseError, InterfaceError, close_old_connections, connection, transaction

from widgets_app.errors import Busy

logger = logging.getLogger(__name__)

T = TypeVar("T")

# How long a request waits for the first snapshot, and how long a failed attempt keeps others from trying.
FIRST_WAIT_SECONDS = 10.0
RETRY_SECONDS = 2
UNAVAILABLE = "The backend's database can't be reached, so its definitions are not loaded yet. Try again soon."


class Snapshot(Generic[T]):
    """One immutable value, compiled from the database, and the Revision number it was compiled at."""

    def __init__(self, revision: str, compile_value: Callable[[T | None, int], T]) -> None:
        self.revision = revision
        self._compile = compile_value
        self._value: T | None = None
        self._number: int | None = None
        self._lock = threading.Lock()
        self._failed_at = float("-inf")
        self.stale = False

    def current(self) -> T:
        """Return the value without asking the database, except for the very first time.

        Raises Busy when there is no value yet because the database is away.
        """
        watch()
        value = self._value
        return value if value is not None else self._first()

    @property
    def is_loaded(self) -> bool:
        """Say whether there is a value to serve from."""
        watch()
        return self._value is not None

    def check(self) -> None:
        """Compile again if the number has moved. When the database is away, the old value stays."""
        with self._lock:
            self._check()

    def reset(self) -> None:
        """Forget the value."""
        with self._lock:
            self._value = self._number = None
            self._failed_at = float("-inf")

    def _first(self) -> T:
        if not self._lock.acquire(timeout=FIRST_WAIT_SECONDS):
            raise Busy(UNAVAILABLE, retry_after=RETRY_SECONDS)
        try:
            if self._value is None and time.monotonic() - self._failed_at > RETRY_SECONDS:
                self._check()
            if self._value is None:
                raise Busy(UNAVAILABLE, retry_after=RETRY_SECONDS)
            return self._value
        finally:
            self._lock.release()

    def _check(self) -> None:
        try:
            if self._value is not None and self._read_number() == self._number:
                self.stale = False
                return
            # The number first: whatever is written after it moves it again.
            with read_only():
                number = self._read_number()
                self._value = self._compile(self._value, number)
            self._number, self.stale = number, False
        except (DatabaseError, InterfaceError) as error:
            self._failed_at = time.monotonic()
            if not self.stale:
                logger.error("The %s can't be read, the last one serves on: %s", self.revision, error)
            self.stale = True
            if not connection.in_atomic_block:
                connection.close()

    def _read_number(self) -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT number FROM widgets_app_revision WHERE name = %s", [self.revision])
            row = cursor.fetchone()
        return int(row[0]) if row else 0


@contextmanager
def read_only() -> Iterator[None]:
    """See one state of the database throughout, without keeping writers waiting."""
    if connection.in_atomic_block:
        yield
    elif connection.vendor == "sqlite":
        # Django's own transactions begin IMMEDIATE here, which would wait for whoever is writing.
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")
        try:
            yield
        finally:
            with connection.cursor() as cursor:
                cursor.execute("ROLLBACK")
    else:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield


_tasks: list[Callable[[], None]] = []
_watcher: threading.Thread | None = None
_watcher_lock = threading.Lock()


def each_round(task: Callable[[], None]) -> None:
    """Have the watching thread call `task` in every round."""
    _tasks.append(task)


def watch() -> None:
    """Start this process's watching thread, unless it runs or is switched off by a setting of 0 seconds."""
    global _watcher
    if (_watcher is not None and _watcher.is_alive()) or not settings.WIDGETS_CATALOG_CHECK_SECONDS:
        return
    with _watcher_lock:
        if _watcher is None or not _watcher.is_alive():
            _watcher = threading.Thread(target=_watch, name="catalog-watcher", daemon=True)
            _watcher.start()


def _watch() -> None:
    while True:
        close_old_connections()
        for task in _tasks:
            try:
                task()
            except Exception:
                # The thread must outlive whatever goes wrong in one round.
                logger.exception("A round of the watcher failed")
        time.sleep(settings.WIDGETS_CATALOG_CHECK_SECONDS)
