"""Reaching a server while a source is tested, without telling more of a network than its user may know."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from widgets_app.errors import RequestError, SourceFailed
from widgets_app.sources.base import Call
from widgets_app.sources.limits import Deadline, Slots, run_limited

# How long a server that is tested may take to answer, and how long it takes to be told that none can be reached.
REACH_SECONDS = 5.0

T = TypeVar("T")


class Unreached(SourceFailed):
    """A server that can't be reached. Why is not told: that nothing listens, that nothing answers, or no such host."""


def reach(work: Callable[[], T], *, call: Call, told: Callable[[RequestError], bool], otherwise: str) -> T:
    """Do what reaches a server; what goes wrong is raised as it is where `told` says so, else as Unreached.

    That always takes the whole time and says `otherwise`, so that nobody can tell what is there and what isn't.
    """
    ends = time.monotonic() + REACH_SECONDS
    try:
        return run_limited(Slots("reach", 1), work, deadline=Deadline(REACH_SECONDS, "The test"), call=call)
    except RequestError as error:
        if told(error):
            raise
    time.sleep(max(0.0, ends - time.monotonic()))
    raise Unreached(otherwise)
