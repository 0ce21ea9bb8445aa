"""Results as they come, a few thousand rows at a time, so that however many rows there are they need little memory."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Generator, Iterator, Mapping
from typing import Any

import pyarrow as pa

from widgets_app.errors import SourceFailed
from widgets_app.sources.base import Call, Limits, PreparedQuery

# The one column of a result whose rows are JSON objects already.
JSON_ROWS = pa.schema([("json", pa.binary())])


class StreamedQuery(PreparedQuery):
    """A query whose source gives its rows as it finds them."""

    @abstractmethod
    def stream(
        self, values: Mapping[str, Any], limits: Limits, call: Call, *, as_json: bool
    ) -> Generator[pa.RecordBatch]:
        """Run as `run` does, for at most `limits.rows` rows and one more, which tells that there are others.

        Gives at least one batch, if need be without rows. Its columns are booleans, numbers, dates, times and text;
        whatever else there is becomes text, lists and objects JSON. `as_json`: each row is one value, the object that
        `run` would make of it. Raises as `run`, at any row.
        """


class RowStream(Iterator[pa.RecordBatch]):
    """At most `limit` rows of a result, read once; making it waits for the first of them. Close it in any case.

    `count` and `size` say how many rows came by now, and how many bytes they had.
    `truncated` says that there were more, `told` which limit that is, `total` how many there are, if that is known.
    Once it is settled, whoever reads has been told whether rows are left out: then rows that are left out untold raise
    SourceFailed.
    """

    def __init__(self, batches: Generator[pa.RecordBatch], limit: int, *, truncated: bool = False) -> None:
        self._batches = batches
        self._first: pa.RecordBatch | None = next(batches)
        self.schema: pa.Schema = self._first.schema
        self.limit = limit
        self.count = self.size = 0
        self.ended = False
        self.total: int | None = None
        self.truncated = truncated
        self.told = ""
        self._settled = False
        self._lock = threading.Lock()

    def __next__(self) -> pa.RecordBatch:
        if self.ended:
            raise StopIteration
        first, self._first = self._first, None
        batch = next(self._batches, None) if first is None else first
        if batch is None or self.count + batch.num_rows > self.limit:
            self._end(cut=batch is not None)
        if batch is None:
            raise StopIteration
        kept = batch.slice(0, self.limit - self.count)
        self.count += kept.num_rows
        self.size += kept.nbytes
        return kept

    def _end(self, *, cut: bool) -> None:
        with self._lock:
            self.ended = True
            if cut and self._settled and not self.truncated:
                raise SourceFailed(
                    f"The result has more than {self.limit:,} rows, which is the limit of its query. "
                    "Narrow the request or raise the limit."
                )
            self.truncated = self.truncated or cut

    def settle(self) -> bool:
        """Say whether rows are left out, as far as can be told by now."""
        with self._lock:
            self._settled = True
            self.truncated = self.truncated or (self.total or 0) > self.limit
            return self.truncated

    def close(self) -> None:
        """Stop what makes the rows."""
        self._batches.close()
