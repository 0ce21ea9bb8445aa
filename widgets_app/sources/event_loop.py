"""The one event loop of this process that asynchronous functions run on, in a thread of its own."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
import time
import traceback
from collections.abc import Coroutine
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar

from widgets_app.sources.base import Call

T = TypeVar("T")

logger = logging.getLogger("widgets_app.sources")

# For how long a function may keep the loop to itself before the log tells, and how often that is looked at.
BLOCKED_SECONDS = 1.0
LOOK_SECONDS = 0.25

# By process: a loop does not survive a fork.
_loops: dict[int, asyncio.AbstractEventLoop] = {}
_starting = threading.Lock()


def run(work: Coroutine[Any, Any, T], call: Call, *, name: str) -> T:
    """Wait until work on the loop has really ended, cancelled or not, and return its result; raises what it raises.

    `call` can cancel it; `name` is what the log calls it.
    """
    ended: Future[T] = Future()
    loop = current()
    loop.call_soon_threadsafe(_start, loop, _settled(work, ended), call, name)
    try:
        return ended.result()
    finally:
        # An error knows this frame, and each of these may know the error.
        del ended, work


def _start(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, None], call: Call, name: str) -> None:
    task = loop.create_task(work, name=name)
    # Known only now, so that it can't be cancelled before it has begun: then nobody would hear of its end.
    call.on_cancel.append(partial(_have_cancelled, loop, task))


def _have_cancelled(loop: asyncio.AbstractEventLoop, task: asyncio.Task[None]) -> None:
    loop.call_soon_threadsafe(_cancel, task)


def _cancel(task: asyncio.Task[None]) -> None:
    # Once, however often it is asked for: another time would break off the tidying up after the first.
    if not task.cancelling():
        task.cancel()


async def _settled(work: Coroutine[Any, Any, T], ended: Future[T]) -> None:
    try:
        result = await work
    except BaseException as error:
        # An exit too: it must not end the loop of all others.
        ended.set_exception(error)
    else:
        ended.set_result(result)


def current() -> asyncio.AbstractEventLoop:
    """Return the loop, running."""
    with _starting:
        loop = _loops.get(os.getpid())
        if loop is None:
            loop = _loops[os.getpid()] = asyncio.new_event_loop()
            thread = threading.Thread(target=loop.run_forever, name="functions", daemon=True)
            thread.start()
            threading.Thread(target=_watch, args=(loop, thread), name="functions-watcher", daemon=True).start()
        return loop


def _watch(loop: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
    """Log which function keeps the loop from all others, once for each time."""
    while True:
        answered = threading.Event()
        loop.call_soon_threadsafe(answered.set)
        if not answered.wait(BLOCKED_SECONDS):
            _tell_blocked(asyncio.current_task(loop), sys._current_frames().get(thread.ident or 0))
            answered.wait()
        time.sleep(LOOK_SECONDS)


def _tell_blocked(task: asyncio.Task[Any] | None, frame: Any) -> None:
    logger.warning(
        'The function "%s" has kept all asynchronous functions waiting for more than %g s. Have it await what takes '
        "long, or call that with asyncio.to_thread. It is here:\n%s",
        task.get_name() if task else "unknown",
        BLOCKED_SECONDS,
        "".join(traceback.format_stack(frame)) if frame else "",
    )
