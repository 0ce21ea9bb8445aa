"""Whether an upstream answers now."""

from __future__ import annotations

import time
from contextlib import closing

import orjson

from widgets_app import catalog
from widgets_app.compiled import open_source
from widgets_app.errors import DefinitionError
from widgets_app.models import Source
from widgets_app.sources.base import Call, Forward, Limits, UpstreamBackend

# Somebody waits for it in front of a page.
CHECK_SECONDS = 5.0
CHECKED = "widgets.json"


def upstream_check(source: Source) -> str:
    """Ask an upstream for its widgets.json, with the headers of the source, and say in words what it has.

    Raises DefinitionError when it can't be asked, and what UpstreamBackend.send raises.
    """
    opened = open_source(source, catalog.current().sources.get(source.pk))
    if not isinstance(opened.backend, UpstreamBackend):
        raise DefinitionError(opened.fault or f'The source "{source.name}" is no backend that could be asked.')
    started = time.perf_counter()
    answer = opened.backend.send(
        Forward("GET", CHECKED),
        limits=Limits(seconds=min(CHECK_SECONDS, source.seconds)),
        slots=opened.slots,
        call=Call(),
        what=f'Checking "{source.name}"',
    )
    with closing(answer):
        content = b"".join(answer.chunks)
    milliseconds = round((time.perf_counter() - started) * 1000)
    return f"“{source.name}” answers with status {answer.status} after {milliseconds} ms: {_in_words(content)}"


def _in_words(content: bytes) -> str:
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError:
        return f"what it has as {CHECKED} is no JSON. Look whether its address leads to the backend itself."
    if not isinstance(found, dict):
        return f"its {CHECKED} is no object of widgets, as Workspace wants it. Its other addresses may still be right."
    return f"its {CHECKED} has {len(found)} widget{'' if len(found) == 1 else 's'}."
