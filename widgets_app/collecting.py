"""Writing rows of collections: one way for forms and for the admin, so that the same rules hold for both."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import DatabaseError, InterfaceError, transaction
from django.db.models import QuerySet

from widgets_app.errors import BadRequest, Busy
from widgets_app.models import CollectionRow, Source
from widgets_app.models.collection import CollectionRowQuerySet
from widgets_app.parameters.types import TEXT_LIMIT, as_text, number, shown, storable_text
from widgets_app.sources.collection import RETRY_SECONDS, CollectionOptions

Data = dict[str, Any]


def typed(options: CollectionOptions, values: Mapping[str, Any]) -> Data:
    """Return the values that columns have, each as a row keeps it. Raises BadRequest naming the column."""
    return {name: kept(name, kind, values[name]) for name, kind in options.types.items() if name in values}


def kept(name: str, kind: str, value: Any) -> Any:
    """Return a value as a row keeps it in a column of this type. Raises BadRequest naming the column."""
    if value is None:
        return None
    try:
        return _AS[kind](value)
    except ValueError:
        raise BadRequest(f'"{name}" can\'t be "{shown(value)}". Send {_EXPECTED[kind]}.') from None


@contextmanager
def held(name: str, options: CollectionOptions) -> Iterator[Collection]:
    """Hold a collection in a transaction: who else writes to it waits, so that nobody counts or compares too early.

    All that is done while it is held is stored, or nothing. Raises Busy when it can't be stored now.
    """
    try:
        with transaction.atomic():
            yield Collection(Source.objects.select_for_update(no_key=True).get(name=name), options)
    except (DatabaseError, InterfaceError, Source.DoesNotExist) as error:
        raise Busy("The rows can't be stored now. Try again in a moment.", retry_after=RETRY_SECONDS) from error


@dataclass(frozen=True)
class Collection:
    """A collection that is held. What is `data` here is typed; BadRequest says what stands against a change."""

    source: Source
    options: CollectionOptions

    def add(self, data: Data, by: str, *, once: bool = False) -> CollectionRow:
        """Add a row and return it. With `once`, an equal row that has the key already stands for it."""
        whole = {name: data.get(name) for name in self.options.types}
        same = self._same(whole)
        if once and (equal := next((row for row in same if _has(row, whole)), None)):
            return equal
        self._refuse(same, whole)
        count = self._rows.count()
        if count >= self.options.max_rows:
            raise BadRequest(f"The collection is full: it has {count:,} rows. Delete some, or allow more on its page.")
        return CollectionRow.objects.create(source=self.source, data=whole, created_by=by)

    def change(self, row: CollectionRow, data: Data) -> None:
        """Change some columns of a row; what it keeps of columns that are gone stays."""
        changed = {**row.data, **data}
        if any(changed.get(name) != row.data.get(name) for name in self.options.key):
            self._refuse([other for other in self._same(changed) if other.pk != row.pk], changed)
        row.data = changed
        row.save(update_fields=["data", "updated_at"])

    def delete(self, rows: QuerySet[CollectionRow]) -> None:
        """Delete rows of this collection."""
        rows.filter(source=self.source).delete()

    def row(self, pk: int) -> CollectionRow:
        """Return a row as it is now."""
        if (row := self._rows.filter(pk=pk).first()) is None:
            raise BadRequest("The row was deleted meanwhile. Go back to the list.")
        return row

    def found(self, data: Data) -> list[CollectionRow]:
        """Return the rows that have the key; BadRequest when there are none."""
        if not self.options.key:
            raise BadRequest(f'The collection "{self.source.name}" has no key columns. Name them on its page.')
        if not (rows := self._same(data)):
            raise BadRequest(f"There is no row with {_told(self._key(data))}. Look at what is there.")
        return rows

    @property
    def _rows(self) -> CollectionRowQuerySet:
        return CollectionRow.objects.filter(source=self.source)

    def _same(self, data: Data) -> list[CollectionRow]:
        """Return the rows with the same key, none where there are no key columns."""
        key = self._key(data)
        return [row for row in self._rows.maybe_having(key) if _has(row, key)] if key else []

    def _key(self, data: Data) -> Data:
        if missing := [name for name in self.options.key if data.get(name) is None]:
            raise BadRequest(f'"{missing[0]}" has no value, but rows are found by it. Fill it in.')
        return {name: data[name] for name in self.options.key}

    def _refuse(self, same: list[CollectionRow], data: Data) -> None:
        if same:
            raise BadRequest(f"There is a row with {_told(self._key(data))} already. Change that one.")


def _has(row: CollectionRow, wanted: Data) -> bool:
    return all(row.data.get(name) == value for name, value in wanted.items())


def _told(key: Data) -> str:
    return ", ".join(f'{name} "{shown(value)}"' for name, value in key.items())


def _text(value: Any) -> str:
    text = as_text(value)
    if len(text) > TEXT_LIMIT or not storable_text(text):
        raise ValueError
    return text


def _boolean(value: Any) -> bool:
    found = {"true": True, "1": True, "false": False, "0": False}.get(as_text(value).strip().lower())
    if found is None:
        raise ValueError
    return found


def _time(value: Any) -> datetime:
    return datetime.fromisoformat(as_text(value).strip())


def _in_utc(time: datetime) -> datetime:
    """Return a time as columns keep it, without a zone: one that names a zone is the same moment in UTC."""
    try:
        return time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time
    except OverflowError:
        raise ValueError("outside the years 1 to 9999") from None


_AS: Mapping[str, Callable[[Any], Any]] = {
    "text": _text,
    "number": number,
    "boolean": _boolean,
    "date": lambda value: _time(value).date().isoformat(),
    "datetime": lambda value: _in_utc(_time(value)).isoformat(),
}
_EXPECTED: Mapping[str, str] = {
    "text": f"a text of up to {TEXT_LIMIT:,} usual characters",
    "number": "a number such as 30",
    "boolean": "true or false",
    "date": "a date such as 2026-03-01",
    "datetime": "a date and time such as 2026-03-01T14:30",
}
