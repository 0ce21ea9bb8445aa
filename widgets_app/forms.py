"""What is done with a form that was sent: rows of a collection are changed, or a Python function is called."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.db import DatabaseError, InterfaceError
from django.utils import timezone

from widgets_app import collecting
from widgets_app.authentication import Caller
from widgets_app.catalog import FormRoute
from widgets_app.collecting import Collection, Data
from widgets_app.compiled import Action, Form, OpenSource
from widgets_app.errors import BadRequest, Busy, DefinitionError, SourceFailed
from widgets_app.models import CollectionRow, FormAction, Submission
from widgets_app.parameters.types import is_true
from widgets_app.parameters.validate import validate
from widgets_app.sources.base import Call
from widgets_app.sources.collection import RETRY_SECONDS, CollectionBackend
from widgets_app.sources.limits import Deadline, run_limited
from widgets_app.sources.python import PythonBackend


def submit(route: FormRoute, body: Mapping[str, Any], caller: Caller) -> None:
    """Do what a form asks for, all of it or nothing. Raises BadRequest naming the field that is wrong."""
    form = route.form
    action = _action(form, _pressed(form, body))
    values = validate(form.specs, body, now=timezone.localtime())
    sent = {name: value for name, value in values.items() if name in body or value is not None}
    source = route.sources.get(action.source)
    if action.does == FormAction.Does.FUNCTION:
        _call(source, action, sent, caller, form.path)
    else:
        _write(source, action, sent, caller, form.path)


def _pressed(form: Form, body: Mapping[str, Any]) -> str:
    """Return the name of the pressed button, nothing where the form has none."""
    pressed = [name for name in form.buttons if is_true(body.get(name))]
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


def _call(source: OpenSource | None, action: Action, sent: Data, caller: Caller, path: str) -> None:
    if source is None or not isinstance(source.backend, PythonBackend):
        raise SourceFailed(f'The source "{action.source}" of the form calls no functions. Choose another one.')
    try:
        function = source.backend.prepare(action.function)
    except DefinitionError as error:
        # It was there when the form was published.
        raise SourceFailed(f"The form can't be taken: {error}") from error
    call = Call(caller=caller.told())
    given = {name: sent.get(name) for name in function.placeholders}
    submission = _submission(path, action, sent, caller)
    # Before the call, which may take long: a second click comes while it runs.
    if not _is_first_or_busy(submission):
        return
    deadline = Deadline(source.limits.seconds, f'The function "{action.function}"')
    try:
        run_limited(source.slots, lambda: function.act(given, call), deadline=deadline, call=call)
    except BaseException:
        _forget(submission)
        raise


def _write(source: OpenSource | None, action: Action, sent: Data, caller: Caller, path: str) -> None:
    if source is None or not isinstance(source.backend, CollectionBackend):
        raise SourceFailed(f'The source "{action.source}" of the form keeps no rows. Choose a collection.')
    options = source.backend.columns
    data = collecting.typed(options, sent)
    with collecting.held(source.name, options) as collection:
        if _is_first(_submission(path, action, sent, caller)):
            _DOES[action.does](collection, data, caller.name)


def _submission(path: str, action: Action, sent: Data, caller: Caller) -> Submission | None:
    """Return what to remember of a form, nothing where each one counts."""
    if action.once_seconds is None:
        return None
    what = [path, action.button, action.does, action.source, action.function, sent, caller.name, caller.user]
    digest = hashlib.sha256(json.dumps(what, sort_keys=True, default=str).encode()).hexdigest()
    return Submission(digest=digest, expires_at=timezone.now() + timedelta(seconds=action.once_seconds))


def _is_first(submission: Submission | None) -> bool:
    """Remember a form; say whether no equal one is remembered."""
    if submission is None:
        return True
    Submission.objects.filter(expires_at__lte=timezone.now()).delete()
    defaults = {"expires_at": submission.expires_at}
    return Submission.objects.get_or_create(digest=submission.digest, defaults=defaults)[1]


def _is_first_or_busy(submission: Submission | None) -> bool:
    try:
        return _is_first(submission)
    except (DatabaseError, InterfaceError) as error:
        raise Busy("The form can't be taken now. Try again in a moment.", retry_after=RETRY_SECONDS) from error


def _forget(submission: Submission | None) -> None:
    """Let a form that failed be sent again; should the database be away, it is forgotten when its time is over."""
    if submission is not None:
        with suppress(DatabaseError, InterfaceError):
            # Not one that was sent after this one's time was over.
            Submission.objects.filter(digest=submission.digest, expires_at=submission.expires_at).delete()


def _append(collection: Collection, data: Data, by: str) -> None:
    collection.add(data, by, once=True)


def _change(collection: Collection, data: Data, _by: str) -> None:
    for row in collection.found(data):
        collection.change(row, data)


def _delete(collection: Collection, data: Data, _by: str) -> None:
    collection.delete(CollectionRow.objects.filter(pk__in=[row.pk for row in collection.found(data)]))


_DOES: Mapping[str, Callable[[Collection, Data, str], None]] = {
    FormAction.Does.APPEND: _append,
    FormAction.Does.CHANGE: _change,
    FormAction.Does.DELETE: _delete,
}
