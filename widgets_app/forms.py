"""What is done with a form that was sent: rows of a collection are changed, or a Python function is called."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import DatabaseError, InterfaceError, transaction
from django.utils import timezone

from widgets_app.authentication import Caller
from widgets_app.catalog import FormRoute
from widgets_app.compiled import Action, Form, OpenSource
from widgets_app.errors import BadRequest, Busy, SourceFailed
from widgets_app.models import CollectionRow, FormAction, Source
from widgets_app.parameters.types import as_text, number, shown
from widgets_app.parameters.validate import validate
from widgets_app.sources.base import Call
from widgets_app.sources.collection import RETRY_SECONDS, CollectionBackend, CollectionOptions
from widgets_app.sources.limits import run_limited
from widgets_app.sources.python import PythonBackend

Data = dict[str, Any]


def submit(route: FormRoute, body: Mapping[str, Any], caller: Caller) -> None:
    """Do what a form asks for, all of it or nothing. Raises BadRequest naming the field that is wrong."""
    form = route.form
    action = _action(form, _pressed(form, body))
    values = validate(form.specs, body, now=timezone.localtime())
    source = route.sources.get(action.source)
    if action.does == FormAction.Does.FUNCTION:
        _call(source, action, values, caller)
    else:
        sent = {name: value for name, value in values.items() if name in body or value is not None}
        _write(source, action, sent, caller)


def _pressed(form: Form, body: Mapping[str, Any]) -> str:
    """Return the name of the pressed button, nothing where the form has none."""
    pressed = [name for name in form.buttons if as_text(body.get(name)).strip().lower() in ("true", "1")]
    if len(pressed) > 1:
        raise BadRequest(f"Several buttons came as pressed: {', '.join(pressed)}. Send one of them.")
    if form.buttons and not pressed:
        raise BadRequest(f"No button was pressed. Send one of {', '.join(form.buttons)} as true.")
    return pressed[0] if pressed else ""


def _action(form: Form, button: str) -> Action:
    for name in (button, ""):
        if found := next((action for action in form.actions if action.button == name), None):
            return found
    raise BadRequest(f'The button "{button}" does nothing yet. Choose on the page of the form what it does.')


def _call(source: OpenSource | None, action: Action, values: Mapping[str, Any], caller: Caller) -> None:
    if source is None or not isinstance(source.backend, PythonBackend):
        raise SourceFailed(f'The source "{action.source}" of the form calls no functions. Choose another one.')
    function = source.backend.prepare(action.function)
    call = Call(caller={"name": caller.name, "user": caller.user, "groups": sorted(caller.groups)})
    given = {name: values.get(name) for name in function.placeholders}
    run_limited(
        source.slots,
        lambda: function.act(given, call),
        seconds=source.limits.seconds,
        call=call,
        what=f'The function "{action.function}"',
    )


def _write(source: OpenSource | None, action: Action, values: Mapping[str, Any], caller: Caller) -> None:
    if source is None or not isinstance(source.backend, CollectionBackend):
        raise SourceFailed(f'The source "{action.source}" of the form keeps no rows. Choose a collection.')
    options = source.backend.columns
    data = {name: _kept(name, options.types[name], values[name]) for name in options.types if name in values}
    try:
        with transaction.atomic():
            # Whoever writes to the same collection waits here, so that nobody counts or compares too early.
            locked = Source.objects.select_for_update(no_key=True).get(name=source.name)
            _DOES[action.does](Writing(locked, options, action, data, caller.name))
    except (DatabaseError, InterfaceError, Source.DoesNotExist) as error:
        raise Busy("The form can't be stored now. Try again in a moment.", retry_after=RETRY_SECONDS) from error


@dataclass(frozen=True)
class Writing:
    """A change of a collection: `data` has the values of the columns that were sent."""

    source: Source
    options: CollectionOptions
    action: Action
    data: Data
    by: str

    @property
    def rows(self) -> list[CollectionRow]:
        """All rows there are."""
        return list(CollectionRow.objects.filter(source=self.source))

    @property
    def whole(self) -> Data:
        """A row of these values."""
        return {name: self.data.get(name) for name in self.options.types}

    @property
    def key(self) -> Data:
        """The values of the key columns."""
        if missing := [name for name in self.options.key if self.data.get(name) is None]:
            raise BadRequest(f'"{missing[0]}" has no value, but rows are found by it. Fill it in.')
        return {name: self.data[name] for name in self.options.key}

    @property
    def found(self) -> list[CollectionRow]:
        """The rows that have the key; BadRequest when there are none."""
        if not self.options.key:
            raise BadRequest(f'The collection "{self.source.name}" has no key columns. Name them on its page.')
        key = self.key
        if not (rows := [row for row in self.rows if _has(row, key)]):
            raise BadRequest(f"There is no row with {_told(key)}. Look at what is there.")
        return rows


def _append(writing: Writing) -> None:
    data = writing.whole
    if writing.options.key:
        same = [row for row in writing.rows if _has(row, writing.key)]
        if any(_has(row, data) for row in same):
            return
        if same:
            raise BadRequest(f"There is a row with {_told(writing.key)} already. Change that one.")
    elif any(_has(row, data) for row in _just_sent(writing)):
        return
    count = CollectionRow.objects.filter(source=writing.source).count()
    if count >= writing.options.max_rows:
        raise BadRequest(f"The collection is full: it has {count:,} rows. Delete some, or allow more on its page.")
    CollectionRow.objects.create(source=writing.source, data=data, created_by=writing.by)


def _just_sent(writing: Writing) -> Iterable[CollectionRow]:
    """Return the rows of the same sender within the time in which equal values are stored once."""
    if (seconds := writing.action.once_seconds) is None:
        return ()
    since = timezone.now() - timedelta(seconds=seconds)
    return CollectionRow.objects.filter(source=writing.source, created_by=writing.by, created_at__gte=since)


def _change(writing: Writing) -> None:
    for row in writing.found:
        row.data = {**row.data, **writing.data}
        row.save(update_fields=["data", "updated_at"])


def _delete(writing: Writing) -> None:
    CollectionRow.objects.filter(pk__in=[row.pk for row in writing.found]).delete()


_DOES: Mapping[str, Callable[[Writing], None]] = {
    FormAction.Does.APPEND: _append,
    FormAction.Does.CHANGE: _change,
    FormAction.Does.DELETE: _delete,
}


def _has(row: CollectionRow, wanted: Data) -> bool:
    return all(row.data.get(name) == value for name, value in wanted.items())


def _told(key: Data) -> str:
    return ", ".join(f'{name} "{shown(value)}"' for name, value in key.items())


def _kept(name: str, kind: str, value: Any) -> Any:
    """Return a value as a row of a collection keeps it."""
    if value is None:
        return None
    try:
        return _AS[kind](value)
    except ValueError:
        raise BadRequest(f'"{name}": "{shown(value)}" is no {kind}. Send one.') from None


def _boolean(value: Any) -> bool:
    found = {"true": True, "1": True, "false": False, "0": False}.get(as_text(value).strip().lower())
    if found is None:
        raise ValueError
    return found


_AS: Mapping[str, Callable[[Any], Any]] = {
    "text": as_text,
    "number": number,
    "boolean": _boolean,
    "date": lambda value: date.fromisoformat(as_text(value)[:10]).isoformat(),
    "datetime": lambda value: datetime.fromisoformat(as_text(value)).isoformat(),
}
