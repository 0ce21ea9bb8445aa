"""From a request to a file: the rows that the widget's data would have, by the same rights, parameters and limits."""

from __future__ import annotations

import re
import threading
import weakref
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from urllib.parse import urlencode

import orjson
import pyarrow as pa
from django.conf import settings
from django.utils import timezone
from django.utils.http import content_disposition_header

from widgets_app import catalog, passing, serving
from widgets_app.authentication import Caller
from widgets_app.catalog import DataRoute
from widgets_app.compiled import Entry, PublishedQuery
from widgets_app.errors import BadRequest, Busy, Forbidden, NotFound, RequestError, SourceFailed
from widgets_app.exports.excel import MOST_ROWS
from widgets_app.exports.formats import FORMATS, About, Format
from widgets_app.parameters.types import as_text
from widgets_app.parameters.validate import validate
from widgets_app.serving import Asked, Read, Served
from widgets_app.sources.base import Call, Limits, Pieces
from widgets_app.sources.frame import Cut, Frame
from widgets_app.sources.held import held
from widgets_app.sources.limits import RETRY_AFTER_SECONDS, keep_cancelling, run_streamed
from widgets_app.sources.paging import PageAsk, PagedQuery
from widgets_app.sources.rows import frame_from_rows
from widgets_app.sources.streams import JSON_ROWS, RowStream, StreamedQuery

MB = 1024 * 1024
# A file up to this size is made whole before anything is sent, so that whatever goes wrong has its own answer.
WHOLE_BYTES = 8 * MB
# How long an export may take in all, and how long it may wait for rows, or for its reader, on the way.
EXPORT_SECONDS = 3600.0
PAUSE_SECONDS = 60.0
# Slots of a source that exports leave to the widgets, and how many exports this process makes at a time: each keeps
# one of the threads that answer requests.
SPARE_SLOTS = 1
EXPORTS_AT_ONCE = 8
# How long the rows of a large file are counted beforehand.
COUNT_SECONDS = 10.0
# What is handed on at a time; several pieces wait for a slow reader.
PIECE_BYTES = MB

NO_FORMAT = "There is no such format. Ask for one of: {formats}."
NOT_EXPORTABLE = 'The widget "{id}" may not be exported. Ask whoever runs this backend.'
NO_ROWS = 'The widget "{id}" has no rows to export. Tables and charts have.'
NOT_ROWS = 'The widget "{id}" has no rows to export: its upstream answers with something else than a list of rows.'
UPSTREAM_LARGE = "The answer of the upstream is larger than {size} MB, too large to export. Narrow the request."
FULL_SHEET = "a sheet of Excel holds no more"
TOO_MANY = "{count} exports are being made already. Try again in a moment."
TOO_LARGE = "The file would be larger than {size:g} MB. Narrow the request, or have WIDGETS_EXPORT_MB raised."


_places = threading.BoundedSemaphore(EXPORTS_AT_ONCE)


class Sending(passing.Joined):
    """A file on its way; it keeps its place among the exports until its end."""

    def __init__(self, first: list[bytes], rest: Pieces) -> None:
        super().__init__(first, rest)
        self._end = weakref.finalize(self, _places.release)

    def __next__(self) -> bytes:
        try:
            return super().__next__()
        except BaseException:
            self._end()
            raise

    def close(self) -> None:
        """Stop what makes the file."""
        super().close()
        self._end()


@dataclass(frozen=True, slots=True)
class Wanted:
    """The file that is asked for."""

    about: About
    extension: str

    @property
    def format(self) -> Format:
        """How it is written."""
        return FORMATS[self.extension]

    def most(self, rows: int) -> int:
        """Return how many of so many rows it can hold."""
        return min(rows, MOST_ROWS) if self.extension == "xlsx" else rows

    def headers(self, cut: RowStream | None) -> list[tuple[str, str]]:
        """Return the headers of the file; its name says so too where rows are left out."""
        name = re.sub(r"[^\w .()-]+", "_", self.about.name).strip(" .") or "export"
        mark = f"-first-{cut.limit}-rows" if cut else ""
        file = f"{name}-{timezone.localdate().isoformat()}{mark}.{self.extension}"
        headers = [
            ("Content-Type", self.format.content_type),
            ("Content-Disposition", content_disposition_header(True, file) or ""),
            ("Cache-Control", "private, no-store"),
        ]
        return [*headers, ("X-Truncated", cut.told or f"{cut.limit} rows")] if cut else headers

    def told(self, query: PublishedQuery, rows: int, cut_by: Cut) -> str:
        """Say which limit leaves so many rows of a query."""
        return f"{MOST_ROWS} rows; {FULL_SHEET}" if self.most(rows) < rows else query.told_limit(rows, cut_by)


def export(asked: Asked, caller: Caller) -> Served:
    """Answer with the rows of a widget as a file; the path is the widget's id with the format behind a dot.

    Raises a RequestError in one line that says what to do.
    """
    widget_id, _, extension = asked.path.rpartition(".")
    if extension not in FORMATS:
        known = ", ".join(f"/-/export/{widget_id or extension}.{name}" for name in FORMATS)
        raise NotFound(NO_FORMAT.format(formats=known))
    route = catalog.current().find_widget(widget_id, caller.groups)
    if route.entry.definition.get("exportable") is False:
        raise Forbidden(NOT_EXPORTABLE.format(id=widget_id))
    give = _passed if route.entry.upstream else _queried
    if not _places.acquire(blocking=False):
        raise Busy(TOO_MANY.format(count=EXPORTS_AT_ONCE), retry_after=RETRY_AFTER_SECONDS)
    served = None
    try:
        served = give(route, asked, caller, extension)
    finally:
        # A file that is still being made gives its place back itself.
        if served is None or isinstance(served.content, bytes):
            _places.release()
    return served


def is_exportable(entry: Entry) -> bool:
    """Say whether a widget may be exported and is of a type with rows; of an upstream's only the answer tells."""
    has_rows = bool(entry.upstream) or (entry.shape is not None and entry.shape.shows_rows)
    return has_rows and entry.definition.get("exportable") is not False


def _queried(route: DataRoute, asked: Asked, caller: Caller, extension: str) -> Served:
    entry = route.entry
    if not is_exportable(entry):
        raise NotFound(NO_ROWS.format(id=entry.id))
    values = validate(route.specs, asked.query, now=timezone.localtime())
    if route.query is None:
        raise NotFound(serving.NO_SOURCE.format(id=entry.id))
    read = serving.reading(route.query, values, caller, route.stale_seconds, asked)
    wanted = Wanted(About(_name(route), values, _titles(route)), extension)
    if asked.method == "HEAD":
        return _headers_only(wanted)
    if not isinstance(read.prepared, StreamedQuery):
        return _of_frame(serving.fetch(read), wanted, read.query)
    if asked.departure is not None:
        asked.departure.tell(read.call.abandon)
    stream, pieces = _streamed(read, read.prepared, wanted)
    if asked.departure is not None:
        asked.departure.tell(pieces.close)
    return _served(stream, pieces, wanted)


def _headers_only(wanted: Wanted) -> Served:
    # Pieces, as bytes would tell that the file is empty.
    return Served(Sending([], (piece for piece in list[bytes]())), wanted.headers(None))


def _streamed(read: Read, query: StreamedQuery, wanted: Wanted) -> tuple[RowStream, Pieces]:
    """Start to write a file in a slot of the source; the first rows come within the query's time limit."""
    most = wanted.most(read.query.limits.rows)
    limits = replace(read.query.limits, rows=most, seconds=EXPORT_SECONDS)
    count = partial(_count, read, query) if isinstance(query, PagedQuery) else None

    def work() -> tuple[RowStream, Pieces]:
        stream = RowStream(query.stream(read.values, limits, read.call, as_json=wanted.format.as_json), most)
        stream.told = wanted.told(read.query, read.query.limits.rows, "rows")
        # From now on two limits hold: for each wait, and for all of it.
        read.deadline.prolong(max(PAUSE_SECONDS, read.query.limits.seconds))
        read.deadline.prolong(EXPORT_SECONDS)
        return stream, _written(stream, wanted, count)

    if read.query.source is None:
        return work()
    what = read.deadline.what
    return run_streamed(
        read.query.source.slots, work, deadline=read.deadline, call=read.call, what=what, spare=SPARE_SLOTS
    )


def _count(read: Read, query: PagedQuery) -> int | None:
    """Return how many rows there are, None where that takes long."""
    call, ended = Call(), Future[None]()
    read.call.on_cancel.append(lambda: passing.all_of(call.on_cancel))
    timer = threading.Timer(COUNT_SECONDS, keep_cancelling, (call, ended))
    timer.start()
    try:
        return query.count(read.values, PageAsk(0, 0), read.query.limits, call)
    except RequestError:
        return None
    finally:
        timer.cancel()
        ended.set_result(None)


def _written(stream: RowStream, wanted: Wanted, count: Callable[[], int | None] | None = None) -> Generator[bytes]:
    """Give the pieces of a file. Of one that isn't made whole first, the rows are counted where that is cheap."""
    size, most = 0, settings.WIDGETS_EXPORT_MB * MB
    for piece in wanted.format.write(stream, wanted.about):
        size += len(piece)
        # Before anything comes, the rows wait in a temporary file.
        if (size or stream.size) > most:
            raise BadRequest(TOO_LARGE.format(size=settings.WIDGETS_EXPORT_MB))
        if size > WHOLE_BYTES and count is not None and not stream.ended:
            stream.total = count()
            count = None
        yield from (piece[start : start + PIECE_BYTES] for start in range(0, len(piece) or 1, PIECE_BYTES))


def _served(stream: RowStream, pieces: Pieces, wanted: Wanted) -> Served:
    """Answer with a file: whole where it is small, else as it is written."""
    begun: list[bytes] = []
    size = 0
    while size <= WHOLE_BYTES and (piece := next(pieces, None)) is not None:
        begun.append(piece)
        size += len(piece)
    headers = wanted.headers(stream if stream.settle() else None)
    if size <= WHOLE_BYTES:
        return Served(b"".join(begun), headers)
    return Served(Sending(begun, pieces), headers)


def _of_frame(frame: Frame, wanted: Wanted, query: PublishedQuery | None = None) -> Served:
    """Answer with rows that are in memory."""
    if wanted.format.as_json or not frame.columns:
        # All of them as one: what stands between the brackets.
        rows = [{"json": frame.json[1:-1]}] if frame.row_count else []
        schema = JSON_ROWS if wanted.format.as_json else pa.schema([])
        batches = (batch for batch in [pa.RecordBatch.from_pylist(rows, schema=schema)])
    else:
        table = held(frame, wanted.about.name).query
        batches = table.stream({}, Limits(rows=frame.row_count), Call(), as_json=False)
    stream = RowStream(batches, wanted.most(frame.row_count), truncated=frame.truncated)
    stream.told = wanted.told(query, frame.row_count, frame.cut_by) if query else ""
    return _served(stream, _written(stream, wanted), wanted)


def _passed(route: DataRoute, asked: Asked, caller: Caller, extension: str) -> Served:
    """Answer with the rows in the answer of a widget's upstream."""
    entry = route.entry
    wanted = Wanted(About(_name(route), {}, _titles(route)), extension)
    if asked.method == "HEAD":
        return _headers_only(wanted)
    limits = catalog.current().upstream(entry.upstream).limits
    answer = serving.serve(_with_defaults(asked, route), caller)
    rows = _rows_of(_whole(answer, limits), route)
    return _of_frame(frame_from_rows(rows, limits), wanted)


def _with_defaults(asked: Asked, route: DataRoute) -> Asked:
    """Return the request for the upstream; as Workspace does, it names the values of all parameters.

    The rows are wanted in any case, whatever the client has already.
    """
    absent = [spec for spec in route.specs if spec.name not in asked.query]
    values = validate(absent, {}, now=timezone.localtime()).items()
    texts = {name: as_text(value) for name, value in values if value is not None}
    query_string = "&".join(filter(None, (asked.query_string, urlencode(texts))))
    query = {**asked.query, **texts}
    return replace(asked, path=route.entry.path or "", query=query, query_string=query_string, known="")


def _whole(served: Served, limits: Limits) -> bytes:
    if isinstance(served.content, bytes):
        return served.content
    content = b""
    with closing(served.content) as pieces:
        for piece in pieces:
            content += piece
            if len(content) > limits.bytes:
                raise SourceFailed(UPSTREAM_LARGE.format(size=limits.bytes // MB))
    return content


def _rows_of(content: bytes, route: DataRoute) -> list[dict[str, Any]]:
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError:
        found = None
    for name in filter(None, route.entry.data_key.split(".")):
        found = found.get(name) if isinstance(found, dict) else None
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise NotFound(NOT_ROWS.format(id=route.entry.id))
    return found


def _name(route: DataRoute) -> str:
    name = route.entry.definition.get("name")
    return name if isinstance(name, str) and name.strip() else route.entry.id


def _titles(route: DataRoute) -> Mapping[str, str]:
    """Return the titles that the widget's table gives its columns."""
    data = route.entry.definition.get("data")
    table = data.get("table") if isinstance(data, dict) else None
    columns = table.get("columnsDefs") if isinstance(table, dict) else None
    known = [column for column in columns if isinstance(column, dict)] if isinstance(columns, list) else []
    named = ((column.get("field"), column.get("headerName")) for column in known)
    return {field: title for field, title in named if isinstance(field, str) and isinstance(title, str)}
