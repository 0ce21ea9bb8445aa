"""Slots and time limits: no source can take more threads than its own, and nobody waits past the limit."""

from __future__ import annotations

import contextvars
import logging
import queue
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import closing
from functools import partial
from typing import Any, TypeVar

from django.db import connections

from widgets_app.errors import Abandoned, Busy, RequestError, SourceFailed, SourceTimeout
from widgets_app.sources.base import Call, Pieces

logger = logging.getLogger("widgets_app.sources")

# How long a request waits for a slot before it is told to come back, and when to come back.
SLOT_WAIT_SECONDS = 0.5
RETRY_AFTER_SECONDS = 2
# How often work past its limit is told to stop: an interrupt that comes before the query starts has no effect.
CANCEL_SECONDS = 0.05
# How many pieces of a body wait for a slow reader before whoever sends them has to wait.
PIECES_AHEAD = 8

# What people can do about a query that takes too long.
ADVICE = "Narrow the request or raise the time limit of the query."

T = TypeVar("T")
Job = Callable[[], None]


class Slots:
    """At most `count` pieces of work at a time, each in a daemon thread that belongs to this source."""

    def __init__(self, name: str, count: int) -> None:
        self.name = name
        self.count = count
        self._taken = 0
        self._stopping = 0
        self._threads = 0
        self._freed = threading.Condition()
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        weakref.finalize(self, self._jobs.put, None)

    @property
    def taken(self) -> int:
        """How many slots hold work that has not ended, answered or not."""
        return self._taken

    @property
    def stopping(self) -> int:
        """How many of them hold work that was told to stop and goes on, as plain Python does."""
        return self._stopping

    def told_to_stop(self, future: Future[Any]) -> None:
        """Count work as one that should stop, until it has ended."""

        def ended(_: Future[Any]) -> None:
            with self._freed:
                self._stopping -= 1

        with self._freed:
            self._stopping += 1
        future.add_done_callback(ended)

    def take(self, *, spare: int = 0) -> bool:
        """Take a slot, waiting a moment for one, and leave `spare` others free; say whether there was one."""
        most = max(1, self.count - spare)
        with self._freed:
            free = self._freed.wait_for(lambda: self._taken < most, SLOT_WAIT_SECONDS)
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
    # Of this backend's own database, for collections and functions.
    connections.close_all()


def run_limited(slots: Slots, work: Callable[[], T], *, deadline: Deadline, call: Call) -> T:
    """Run `work` in a slot and return what it returns; at the deadline, stop waiting and have it cancelled.

    The slot is free again when the work has really ended, which may be later. Raises Busy without a free slot,
    SourceTimeout at the deadline, Abandoned when the call is, whatever RequestError the work raises, and SourceFailed
    for anything else it raises.
    """
    if call.abandoned.done():
        raise _abandoned(deadline)
    future: Future[T] = Future()
    _start(slots, partial(_finish, slots, future, partial(contextvars.copy_context().run, work)), deadline.what)
    either: list[Future[Any]] = [future, call.abandoned]
    wait(either, deadline.remaining(), FIRST_COMPLETED)
    if not future.done():
        _cancel(slots, call, future)
        raise _abandoned(deadline) if call.abandoned.done() else deadline.exceeded()
    try:
        return _outcome(future, deadline.what)
    finally:
        del future, either, work


def _abandoned(deadline: Deadline) -> Abandoned:
    return Abandoned(f"{deadline.what} was stopped: nobody waited for it any more.")


class Deadline:
    """When work has to be done: after `seconds`, unless it is given longer.

    `what` starts the sentences for people, as in 'Query "prices"', and `advice` ends the one for work that isn't.
    """

    def __init__(self, seconds: float, what: str, advice: str = ADVICE) -> None:
        self.what = what
        self._seconds = seconds
        self._advice = advice
        self._pause = seconds
        self._end = time.monotonic() + seconds

    def prolong(self, seconds: float) -> None:
        """Let the work last so long from now, with no wait that is longer than the time it had before."""
        self._pause, self._seconds = self._seconds, seconds
        self._end = time.monotonic() + seconds

    def remaining(self) -> float:
        """Return how many seconds a wait that starts now may take; none when the time is over."""
        return max(0.0, min(self._pause, self._end - time.monotonic()))

    def left(self) -> float:
        """Return the remaining seconds; raises SourceTimeout when there are none."""
        if not (seconds := self.remaining()):
            raise self.exceeded()
        return seconds

    def exceeded(self) -> SourceTimeout:
        """Return the error of a wait that took too long."""
        if self._pause < self._seconds and time.monotonic() < self._end:
            return SourceTimeout(f"{self.what} was silent for {self._pause:g} s. {self._advice}")
        return SourceTimeout(f"{self.what} took longer than {self._seconds:g} s. {self._advice}")


def run_streamed(
    slots: Slots, work: Callable[[], tuple[T, Pieces]], *, deadline: Deadline, call: Call, what: str, spare: int = 0
) -> tuple[T, Pieces]:
    """Run `work` in a slot and return its first result with the pieces that follow, each as soon as it is there.

    The slot is held until the pieces end or are closed; a slow reader makes the work wait. It is taken only while
    `spare` others are free. Raises as `run_limited`, and so does iterating the pieces. Once these have begun, it is
    for whoever has them to close them.
    """
    head: Future[T] = Future()
    end: Future[None] = Future()
    channel = _Channel()
    received = _Received(slots, channel, deadline, call, end)
    context = contextvars.copy_context()
    _start(slots, partial(context.run, _pump, slots, head, end, channel, deadline, work), what, spare=spare)
    either: list[Future[Any]] = [head, call.abandoned]
    wait(either, deadline.remaining(), FIRST_COMPLETED)
    if not head.done():
        received.close()
        raise _abandoned(deadline) if call.abandoned.done() else deadline.exceeded()
    try:
        return _outcome(head, what), received
    finally:
        # An error knows this frame, and each of these may know the error.
        del head, end, either, received, work


class _Channel:
    """Pieces on their way from one thread to another, a few at a time."""

    def __init__(self) -> None:
        self._pieces: deque[bytes] = deque()
        self._changed = threading.Condition()
        self._ended = False
        self._closed = False

    def put(self, piece: bytes, deadline: Deadline) -> bool:
        """Wait for room and add a piece; say whether anybody wants more."""
        with self._changed:
            if not self._changed.wait_for(self._has_room, deadline.remaining()):
                raise SourceTimeout(f"{deadline.what} was cut off: the answer was not read in time. Read it faster.")
            self._pieces.append(piece)
            self._changed.notify_all()
            return not self._closed

    def get(self, deadline: Deadline) -> bytes | None:
        """Wait for a piece and return it; nothing after the last one."""
        with self._changed:
            if not self._changed.wait_for(self._has_news, deadline.remaining()):
                raise deadline.exceeded()
            self._changed.notify_all()
            return self._pieces.popleft() if self._pieces and not self._closed else None

    def end(self) -> None:
        """Say that no more pieces come."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def close(self) -> None:
        """Say that no more pieces are wanted."""
        with self._changed:
            self._closed = True
            self._pieces.clear()
            self._changed.notify_all()

    def _has_room(self) -> bool:
        return self._closed or len(self._pieces) < PIECES_AHEAD

    def _has_news(self) -> bool:
        return self._closed or self._ended or bool(self._pieces)


class _Received(Iterator[bytes]):
    """The reader's end of a channel. Letting go of it stops the work as closing it does."""

    def __init__(self, slots: Slots, channel: _Channel, deadline: Deadline, call: Call, end: Future[None]) -> None:
        self._channel = channel
        self._deadline = deadline
        self._end = end
        self._stop = weakref.finalize(self, _hang_up, slots, channel, call, end)
        self._stop.atexit = False

    def __next__(self) -> bytes:
        try:
            if (piece := self._channel.get(self._deadline)) is not None:
                return piece
            if self._stop.alive:
                _outcome(self._end, self._deadline.what)
        except RequestError as error:
            logger.warning("An answer was cut off: %s", str(error))
            self.close()
            # The error knows this frame, and so would live on with what it holds.
            del self._end
            raise
        self.close()
        raise StopIteration

    def close(self) -> None:
        """Stop the work, if it hasn't ended."""
        self._stop()


def _hang_up(slots: Slots, channel: _Channel, call: Call, end: Future[None]) -> None:
    channel.close()
    if not end.done():
        _cancel(slots, call, end)


def _pump(
    slots: Slots,
    head: Future[T],
    end: Future[None],
    channel: _Channel,
    deadline: Deadline,
    work: Callable[[], tuple[T, Pieces]],
) -> None:
    fault: BaseException | None = None
    try:
        first, pieces = work()
        with closing(pieces):
            head.set_result(first)
            while (piece := next(pieces, None)) is not None and channel.put(piece, deadline):
                pass
    except BaseException as raised:
        fault = raised
    slots.release()
    if fault is None:
        end.set_result(None)
    else:
        end.set_exception(fault)
        if not head.done():
            head.set_exception(fault)
    channel.end()
    # As in `_finish`: what the frames of an error know must not live on with it.
    del fault, head, end, channel, work


def _start(slots: Slots, job: Job, what: str, *, spare: int = 0) -> None:
    if not slots.take(spare=spare):
        raise Busy(
            f"{what} has to wait: its source takes no more than {slots.count} at once. Try again in a moment.",
            retry_after=RETRY_AFTER_SECONDS,
        )
    try:
        slots.start(job)
    except RuntimeError as error:
        slots.release()
        message = f"{what} has to wait: this machine has no thread to spare. Try again in a moment."
        raise Busy(message, retry_after=RETRY_AFTER_SECONDS) from error


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


def _cancel(slots: Slots, call: Call, future: Future[Any]) -> None:
    slots.told_to_stop(future)
    # Even where nothing can be told yet: work that has only begun says later what stops it.
    threading.Thread(target=keep_cancelling, args=(call, future), name="cancel", daemon=True).start()


def keep_cancelling(call: Call, future: Future[Any]) -> None:
    """Tell work to stop until it has ended."""
    while not future.done():
        for stop in call.on_cancel:
            _tell(stop)
        time.sleep(CANCEL_SECONDS)


def _tell(stop: Callable[[], None]) -> None:
    try:
        stop()
    except Exception:
        logger.exception("Work past its time limit couldn't be cancelled")
