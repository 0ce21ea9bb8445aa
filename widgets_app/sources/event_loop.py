"""The one event loop of this process that asynchronous functions run on, in a thread of its own."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from widgets_app.sources.base import Call

T = TypeVar("T")

# By process: a loop does not survive a fork.
_loops: dict[int, asyncio.AbstractEventLoop] = {}
_starting = threading.Lock()


def run(work: Coroutine[Any, Any, T], call: Call) -> T:
    """Wait for work on the loop and return its result; raises what it raises. `call` can cancel it."""
    future = asyncio.run_coroutine_threadsafe(work, current())
    call.on_cancel.append(future.cancel)  # type: ignore[arg-type]  # what it returns does not matter
    return future.result()


def current() -> asyncio.AbstractEventLoop:
    """Return the loop, running."""
    with _starting:
        loop = _loops.get(os.getpid())
        if loop is None:
            loop = _loops[os.getpid()] = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name="functions", daemon=True).start()
        return loop
