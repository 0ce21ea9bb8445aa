"""Slots and time limits: no source can take more threads than its own, and nobody waits past the limit."""

from __future__ import annotations

import contextvars
import logging
import queue
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import Future, wait
from functools import partial
from typing import Any, TypeVar

from widgets_app.errors import Busy, RequestError, SourceFailed, SourceTimeout
from widgets_app.sources.base import Call

logger = logging.getLogger("widgets_app.sources")

# How long a request waits for a slot before it is told to come back, and when to come back.
SLOT_WAIT_SECONDS = 0.5
RETRY_AFTER_SECONDS = 2
# How often work past its limit is told to stop: an interrupt that comes before the query starts has no effect.
CANCEL_SECONDS = 0.05

T = TypeVar("T")
Job = Callable[[], None]


class Slots:
    """At most `count` pieces of work at a time, each in a daemon thread that belongs to this source."""

    def __init__(self, name: str, count: int) -> None:
        self.name = name
        self.count = count
        self._taken = 0
        self._threads = 0
        self._freed = threading.Condition()
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        weakref.finalize(self, self._jobs.put, None)

    @property
    def taken(self) -> int:
        """How many slots hold work that has not ended, answered or not."""
        return self._taken

    def take(self) -> bool:
        """Take a slot, waiting a moment for one; say whether there was one."""
        with self._freed:
            free = self._freed.wait_for(lambda: self._taken < self.count, SLOT_WAIT_SECONDS)
            self._taken += free
            return free

    def release(self) -> None:
        """Give a slot back."""
        with self._freed:
            self._taken -= 1
            self._freed.notify()

    def start(self, job: Job) -> None:
        """Run a job that holds a slot; the job gives the slot back and raises nothing."""
        with self._freed:
            if self._threads < self._taken:
                name = f"source-{self.name}-{self._threads + 1}"
                threading.Thread(target=_work, args=(self._jobs,), name=name, daemon=True).start()
                self._threads += 1
        self._jobs.put(job)


def _work(jobs: queue.SimpleQueue[Job | None]) -> None:
    while (job := jobs.get()) is not None:
        job()
        # What the work held must not live on until the next job comes.
        del job
    jobs.put(None)


def run_limited(slots: Slots, work: Callable[[], T], *, seconds: float, call: Call, what: str) -> T:
    """Run `work` in a slot and return what it returns; at the limit, stop waiting and have it cancelled.

    `what` starts the sentences for people, as in 'Query "prices"'. The slot is free again when the work has really
    ended, which may be later. Raises Busy without a free slot, SourceTimeout at the limit, whatever RequestError
    the work raises, and SourceFailed for anything else it raises.
    """
    if not slots.take():
        raise Busy(
            f"{what} has to wait: all {slots.count} slots of its source are in use. Try again in a moment.",
            retry_after=RETRY_AFTER_SECONDS,
        )
    future: Future[T] = Future()
    try:
        slots.start(partial(_finish, slots, future, partial(contextvars.copy_context().run, work)))
    except RuntimeError as error:
        slots.release()
        message = f"{what} has to wait: this machine has no thread to spare. Try again in a moment."
        raise Busy(message, retry_after=RETRY_AFTER_SECONDS) from error
    if not wait([future], seconds).done:
        _cancel(call, future)
        raise SourceTimeout(
            f"{what} took longer than {seconds:g} s. Narrow the request or raise the time limit of the query."
        )
    try:
        return _outcome(future, what)
    finally:
        del future, work


def _finish(slots: Slots, future: Future[T], work: Callable[[], T]) -> None:
    try:
        outcome, error = work(), None
    except BaseException as raised:
        outcome, error = None, raised
    slots.release()
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(outcome)  # type: ignore[arg-type]  # without an error it is what the work returned
    # An error knows its frames: what they know must not live on with it, as a result may be large.
    del error, future, outcome, work


def _outcome(future: Future[T], what: str) -> T:
    try:
        return future.result()
    except RequestError:
        raise
    except BaseException as error:
        logger.exception("%s failed", what)
        raise SourceFailed(
            f"{what} failed for a reason that only the log tells. Ask whoever runs this backend."
        ) from error
    finally:
        del future


def _cancel(call: Call, future: Future[Any]) -> None:
    if call.on_cancel:
        threading.Thread(target=_keep_cancelling, args=(call, future), name="cancel", daemon=True).start()


def _keep_cancelling(call: Call, future: Future[Any]) -> None:
    while not future.done():
        for stop in call.on_cancel:
            _tell(stop)
        time.sleep(CANCEL_SECONDS)


def _tell(stop: Callable[[], None]) -> None:
    try:
        stop()
    except Exception:
        logger.exception("Work past its time limit couldn't be cancelled")
