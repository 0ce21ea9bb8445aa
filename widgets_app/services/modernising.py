"""Modernising what is here: planned, shown, and done in one transaction."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass
from itertools import groupby
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from widgets_app.manifest import reading
from widgets_app.manifest.diff import Change, changes
from widgets_app.manifest.modernise import modernise_agent, modernise_app, modernise_widget
from widgets_app.models import Agent, App, Widget
from widgets_app.services.bundles import Selection
from widgets_app.services.publishing import definitions_publish, document_of, identifier_of, is_changed, with_parts

NOTE = "Modernised"
# Where a document holds the entry of the manifest.
ENTRIES: Mapping[Any, str] = {Widget: "definition", App: "app", Agent: "agent"}

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rewrite:
    """What becomes of a draft; `publishes` says that it was served as it is, and will be as it becomes."""

    kind: str
    name: str
    changes: tuple[Change, ...]
    publishes: bool
    document: Document
    row: Any


@dataclass(frozen=True, slots=True)
class Rewrites:
    """All that modernising would do."""

    steps: tuple[Rewrite, ...]

    @property
    def digest(self) -> str:
        """Return what tells these rewrites from others."""
        seen = [(step.kind, step.name, step.publishes, [astuple(c) for c in step.changes]) for step in self.steps]
        return hashlib.sha256(json.dumps(seen).encode()).hexdigest()


def modernise_plan(only: Selection | None = None) -> Rewrites:
    """Return what modernising would do to the drafts of everything, or of a selection."""
    widgets = {row.widget_id: (row, document_of(row)) for row in _rows(Widget, None)}
    modern = {name: modernise_widget(name, document["definition"]) for name, (_, document) in widgets.items()}
    chosen = [
        (row, document, modern[name])
        for name, (row, document) in widgets.items()
        if only is None or row.pk in only.widgets
    ]
    apps = _entries(App, only.apps if only else None, lambda app: modernise_app(app, modern))
    agents = _entries(Agent, only.agents if only else None, modernise_agent)
    return Rewrites(tuple(_rewrites((*chosen, *apps, *agents))))


@transaction.atomic
def modernise_apply(
    *, author: User | None, only: Selection | None = None, check: Callable[[Rewrites], None] = lambda found: None
) -> Rewrites:
    """Modernise, and publish again what was served as its draft was; return what was done.

    What `check` raises, which is shown the rewrites before anything is done, keeps all of them from being done.
    """
    for model in ENTRIES:
        list(model.objects.select_for_update(of=("self",)).values_list("pk"))
    found = modernise_plan(only)
    check(found)
    for _, group in groupby(found.steps, key=lambda step: step.kind):
        steps = list(group)
        rows = _READERS[steps[0].kind]([(step.document, step.row) for step in steps])
        again = [row for step, row in zip(steps, rows, strict=True) if step.publishes]
        definitions_publish(again, author=author, note=NOTE, strict=False)
    return found


Entry = tuple[Any, Document, Document]


def _entries(model: Any, pks: frozenset[int] | None, rewrite: Callable[[Document], Document]) -> Iterator[Entry]:
    for row in _rows(model, pks):
        document = document_of(row)
        yield row, document, rewrite(document[ENTRIES[model]])


def _rows(model: Any, pks: frozenset[int] | None) -> Iterable[Any]:
    rows = model.objects.all() if pks is None else model.objects.filter(pk__in=pks)
    return with_parts(rows.select_related("published"))  # type: ignore[no-any-return]  # a queryset


def _rewrites(entries: Iterable[Entry]) -> Iterator[Rewrite]:
    for row, document, modern in entries:
        key = ENTRIES[type(row)]
        found = tuple(changes({key: document[key]}, {key: modern}))
        if found:
            publishes = row.published is not None and not is_changed(row)
            yield Rewrite(row._meta.model_name, identifier_of(row), found, publishes, {**document, key: modern}, row)


_READERS: Mapping[str, Callable[[list[tuple[Document, Any]]], list[Any]]] = {
    "widget": reading.read_widgets,
    "app": lambda pairs: [reading.read_app(document, row) for document, row in pairs],
    "agent": lambda pairs: [reading.read_agent(document, row) for document, row in pairs],
}
