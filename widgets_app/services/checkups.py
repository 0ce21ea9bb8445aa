"""Examinations by the doctor in the background: started, told about while they run, kept, and compared.

Each runs in a thread of the process that was asked for it. When that process ends, so does the examination.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple, TypeVar

from django.conf import settings
from django.contrib.auth.models import User
from django.db import DatabaseError, connection
from django.utils import timezone

from widgets_app.authentication import HEADER, KEYS
from widgets_app.doctor import Limits, Report, Target, examine
from widgets_app.errors import Busy
from widgets_app.manifest.contract import Finding
from widgets_app.models import Checkup
from widgets_app.services.keys import key_for_a_moment

AT_ONCE = 2  # in each process
KEPT = 20  # of each address
KEY_NAME = "Examination from the admin"
KEY_SECONDS = 10.0  # at most, for other processes to know a new key
# How often it is written down how far an examination is.
TELL_SECONDS = 1.0
# How long after its limit an examination may still be ending.
MARGIN = timedelta(seconds=30)
# What is found in two minutes is not lost because the database is busy for a moment.
WRITE_ATTEMPTS = 5
BUSY = f"This server examines {AT_ONCE} backends already. Wait until one of them is done, then start again."
FAULT = "The examination itself failed: the server's log says why. What it had found is lost; start it again."

T = TypeVar("T")

logger = logging.getLogger(__name__)

_places = threading.BoundedSemaphore(AT_ONCE)


def checkup_start(*, target: Target, by: User, limits: Limits | None = None) -> Checkup:
    """Start an examination in the background; raises Busy while others take all places.

    This backend itself is asked with a key made for as long as it lasts, where the target has none.
    """
    if not _places.acquire(blocking=False):
        raise Busy(BUSY)
    try:
        limits = limits or Limits()
        checkup = Checkup.objects.create(
            url=target.url,
            origin=target.origin,
            sends_forms=target.send_forms,
            started_by=by,
            ends_by=timezone.now() + timedelta(seconds=limits.seconds) + MARGIN,
        )
        _prune(checkup.url)
        threading.Thread(target=_run, args=(checkup.pk, target, limits), name="checkup", daemon=True).start()
    except BaseException:
        _places.release()
        raise
    return checkup


def is_this_backend(url: str) -> bool:
    """Say whether an address is the one under which this backend is reached."""
    return url.rstrip("/") == settings.PUBLIC_URL.rstrip("/")


def _prune(url: str) -> None:
    """Delete old results of an address."""
    old = list(Checkup.objects.filter(url=url).values_list("pk", flat=True)[KEPT:])
    Checkup.objects.filter(pk__in=old).delete()


# ---- the thread


class _Progress:
    """What an examination says of itself, and the thread that writes it down once in a while."""

    def __init__(self, pk: int) -> None:
        self._pk = pk
        self._said = self._written = ("", 0, 0)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._tell, name="checkup-progress", daemon=True)

    def __call__(self, what: str, done: int, total: int) -> None:
        """Take what is looked at now."""
        self._said = (what, done, total)

    def __enter__(self) -> _Progress:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _tell(self) -> None:
        try:
            while not self._over.wait(TELL_SECONDS):
                self._write()
        finally:
            connection.close()

    def _write(self) -> None:
        said = self._said
        if said == self._written:
            return
        try:
            Checkup.objects.filter(pk=self._pk).update(looking_at=said[0], done=said[1], total=said[2])
            self._written = said
        except DatabaseError as error:
            logger.warning("The progress of an examination can't be written down: %s", error)


def _run(pk: int, target: Target, limits: Limits) -> None:
    try:
        with _Progress(pk) as progress:
            outcome = _outcome(target, limits, progress)
        _finish(pk, outcome)
    except Exception:
        logger.exception("The outcome of an examination is lost")
    finally:
        connection.close()
        _places.release()


def _outcome(target: Target, limits: Limits, progress: _Progress) -> dict[str, str]:
    try:
        with with_key(target, KEY_NAME, limits) as target:
            report = examine(target, limits=limits, progress=progress)
        return {"report": json.dumps(report.document())}
    except Exception:
        logger.exception("An examination of %s failed", target.url)
        return {"fault": FAULT}


@contextmanager
def with_key(target: Target, name: str, limits: Limits) -> Iterator[Target]:
    """Yield the target as it is to be asked: this backend itself with a key made for that, where none was given."""
    if target.headers or target.query or settings.WIDGETS_OPEN or not is_this_backend(target.url):
        yield target
        return
    wait = min(settings.WIDGETS_CATALOG_CHECK_SECONDS * 2, KEY_SECONDS)
    moment = timedelta(seconds=limits.seconds + wait) + MARGIN
    with ExitStack() as stack:
        text = _persistently(lambda: stack.enter_context(key_for_a_moment(name, moment)))
        KEYS.check()
        # Other processes look for new keys once in this time.
        time.sleep(wait)
        yield replace(target, headers={HEADER: text})
    KEYS.check()


def _finish(pk: int, outcome: dict[str, str]) -> None:
    _persistently(lambda: Checkup.objects.filter(pk=pk).update(finished_at=timezone.now(), **outcome))


def _persistently(write: Callable[[], T]) -> T:
    """Write to the database, and try again where it is busy."""
    for attempt in range(1, WRITE_ATTEMPTS):
        try:
            return write()
        except DatabaseError:
            connection.close()
            time.sleep(attempt)
    return write()


# ---- results


def report_of(checkup: Checkup) -> Report | None:
    """Return what was found; None while nothing is."""
    if not checkup.report:
        return None
    found = json.loads(checkup.report)
    return Report(found["url"], found["checked"], tuple(Finding(**each) for each in found["findings"]))


class Difference(NamedTuple):
    """What one examination found that an earlier one did not, what is gone since, and what both found."""

    new: tuple[Finding, ...]
    gone: tuple[Finding, ...]
    same: tuple[Finding, ...]


def difference(before: Sequence[Finding], after: Sequence[Finding]) -> Difference:
    """Compare what was found, by what and where it is: texts may name times and numbers that differ each time."""
    known = {(finding.code, finding.where) for finding in before}
    found = {(finding.code, finding.where) for finding in after}
    return Difference(
        new=tuple(each for each in after if (each.code, each.where) not in known),
        gone=tuple(each for each in before if (each.code, each.where) not in found),
        same=tuple(each for each in after if (each.code, each.where) in known),
    )
