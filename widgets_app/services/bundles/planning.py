"""What an import would do: every document of a bundle beside what is here, key by key."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import astuple, dataclass, field, replace
from math import inf
from typing import Any, Literal

from django.contrib.auth.models import Group
from django.utils.text import slugify

from widgets_app.errors import DefinitionError
from widgets_app.manifest import document as documents
from widgets_app.manifest.diff import Change, changes
from widgets_app.models import Agent, App, Query, Source, Widget
from widgets_app.services.bundles.bundle import Bundle, Document, Reported
from widgets_app.services.bundles.checking import references_check, sources_check
from widgets_app.services.publishing import document_of, identifier_of, is_changed, with_parts
from widgets_app.services.sources import SECRETS, secrets_of, source_document

Action = Literal["add", "change", "publish", "same", "skip", "remove", "conflict"]
OnConflict = Literal["fail", "skip", "replace"]

# In this order each kind finds what it refers to.
KINDS: Mapping[str, Any] = {
    "group": Group,
    "source": Source,
    "query": Query,
    "widget": Widget,
    "app": App,
    "agent": Agent,
}
ORDERED = ("widget", "app", "agent")
# What a document says that counts at once, apart from what is published.
NOT_COMPARED = ("imported", "published", SECRETS)


@dataclass(frozen=True, slots=True)
class Step:
    """What happens to one definition: `document` is what it will be, `changes` how that differs from what is here."""

    kind: str
    name: str
    action: Action
    document: Document = field(default_factory=dict, repr=False)  # may hold secrets
    changes: tuple[Change, ...] = ()
    row: Any = None

    @property
    def acts(self) -> bool:
        """Say whether it changes anything."""
        return self.action in ("add", "change", "publish", "remove")


@dataclass(frozen=True, slots=True)
class Plan:
    """All steps of an import, in the order in which they are done, and what is to be said about the definitions."""

    steps: tuple[Step, ...]
    findings: tuple[Reported, ...] = ()
    # Kinds whose order will be another one.
    moved: tuple[str, ...] = ()
    # What modernising changed in the bundle: kind, name and changes.
    modernised: tuple[tuple[str, str, tuple[Change, ...]], ...] = ()

    @property
    def acts(self) -> bool:
        """Say whether the import changes anything."""
        return bool(self.moved) or any(step.acts for step in self.steps)

    @property
    def errors(self) -> list[Reported]:
        """Return the findings that keep the import from being done: the rules for definitions made here."""
        return [found for found in self.findings if found.blocks]

    @property
    def conflicts(self) -> list[Step]:
        """Return the steps that keep the import from being done."""
        return [step for step in self.steps if step.action == "conflict"]

    @property
    def digest(self) -> str:
        """Return what tells this plan from another one: whoever has seen it knows what would be done."""
        seen = [
            (step.kind, step.name, step.action, _without_secrets(step.document), [astuple(c) for c in step.changes])
            for step in self.steps
        ]
        return hashlib.sha256(json.dumps([seen, self.moved]).encode()).hexdigest()

    def count(self, action: Action, kind: str | None = None) -> int:
        """Count the steps with an action."""
        return sum(step.action == action and kind in (None, step.kind) for step in self.steps)


def _without_secrets(document: Document) -> Document:
    return {key: value for key, value in document.items() if key != SECRETS}


def steps_of(bundle: Bundle, *, on_conflict: OnConflict, prune: bool, lock: bool = False) -> tuple[Step, ...]:
    """Return what an import of the bundle would do, removals last.

    With `lock`, nobody else changes what is here until the transaction ends. Raises DefinitionError for what can't be
    imported at all.
    """
    here = {kind: Here(kind, lock=lock) for kind in KINDS}
    references_check(bundle, {kind: found.rows.keys() for kind, found in here.items()})
    steps = [
        *(_group(name, here["group"]) for name in _groups(bundle)),
        *(_step("source", doc, here["source"], on_conflict) for doc in bundle.sources),
        *(_step("query", doc, here["query"], on_conflict) for doc in bundle.queries),
        *(_step("widget", doc, here["widget"], on_conflict) for doc in bundle.widgets),
        *(_step("app", doc, here["app"], on_conflict) for doc in named_apps(bundle.apps, here["app"])),
        *(_step("agent", doc, here["agent"], on_conflict) for doc in bundle.agents),
    ]
    made = ((step.document, step.row) for step in steps if step.kind == "source" and step.acts)
    sources_check(made, file=bundle.files.get("source", "The upstream"))
    return (*steps, *(_removals(bundle, steps, here) if prune else ()))


def moved_kinds(steps: Iterable[Step]) -> tuple[str, ...]:
    """Return the kinds whose rows stand in another order than the bundle has them."""
    places: dict[str, list[tuple[float, int]]] = {}
    for number, step in enumerate(steps):
        if step.kind in ORDERED and step.action in ("add", "change", "publish", "same"):
            # What is new is made at the end.
            place = (inf, number) if step.row is None else (step.row.position, step.row.pk)
            places.setdefault(step.kind, []).append(place)
    return tuple(kind for kind, found in places.items() if found != sorted(found))


class Here:
    """The definitions of one kind that this backend has."""

    def __init__(self, kind: str, *, lock: bool) -> None:
        model: Any = KINDS[kind]
        rows = model.objects.select_for_update(of=("self",)) if lock else model.objects.all()
        if kind not in ("group", "source"):
            rows = with_parts(rows.select_related("published"))
        self.rows = {_name_of(row): row for row in rows}

    def document(self, row: Any) -> Document:
        """Return what is here of a definition."""
        return source_document(row) if isinstance(row, Source) else document_of(row)


def _name_of(row: Any) -> str:
    return str(row.name) if isinstance(row, Group | Source) else identifier_of(row)


def name_in(kind: str, document: Document) -> str:
    """Return the name under which a document is known here."""
    return str(document[{"widget": "id", "agent": "id", "app": "slug"}.get(kind, "name")])


def _groups(bundle: Bundle) -> Iterator[str]:
    named = (
        name
        for kind in ("widgets", "apps", "agents")
        for doc in getattr(bundle, kind)
        for name in doc.get("groups", ())
    )
    yield from dict.fromkeys([*bundle.groups, *named])


def _group(name: str, here: Here) -> Step:
    row = here.rows.get(name)
    return Step("group", name, "same" if row else "add", {"name": name}, row=row)


def _step(kind: str, given: Document, here: Here, on_conflict: OnConflict) -> Step:
    name = name_in(kind, given)
    row = here.rows.get(name)
    if row is None:
        return Step(kind, name, "add", {**NEW.get(kind, {}), **given})
    there = here.document(row)
    wanted = {**there, **given}
    found = (*changes(_compared(there), _compared(wanted)), *_secret_changes(row, wanted))
    step = Step(kind, name, "change", wanted, found, row)
    if not found:
        # What is to be left alone may be unpublished on purpose.
        publishes = on_conflict != "skip" and _publishes(row, wanted, there)
        return replace(step, action="publish" if publishes else "same")
    if on_conflict != "replace":
        return replace(step, action="skip" if on_conflict == "skip" else "conflict")
    # What is replaced by a file of another backend has come from there.
    return replace(step, document={**wanted, "imported": given.get("imported", True)})


# What a file that says nothing of it means for a new definition.
NEW: Mapping[str, Document] = {kind: {"imported": True} for kind in ("widget", "app", "agent")}


def _compared(document: Document) -> Document:
    """Return what of a document makes a difference: a null says the same as nothing, as does a repeated id."""
    shown = {key: value for key, value in document.items() if key not in NOT_COMPARED}
    definition = shown.get("definition")
    if isinstance(definition, dict) and definition.get("widgetId") == document["id"]:
        shown["definition"] = {key: value for key, value in definition.items() if key != "widgetId"}
    if "groups" in shown:
        shown["groups"] = sorted(set(shown["groups"]))
    return _without_nulls(shown)  # type: ignore[no-any-return]  # an object stays one


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _secret_changes(row: Any, wanted: Document) -> Iterator[Change]:
    secrets = wanted.get(SECRETS)
    if not isinstance(row, Source) or secrets is None:
        return
    with suppress(DefinitionError):  # those that can't be read any more are others
        if secrets == secrets_of(row):
            return
    yield Change("changed", SECRETS, "(hidden)", "(hidden)")


def _publishes(row: Any, wanted: Document, there: Document) -> bool:
    return not isinstance(row, Source) and bool(wanted.get("published", True)) and is_changed(row, draft=there)


def named_apps(apps: Iterable[Document], here: Here) -> Iterator[Document]:
    """Give apps the slug they have here, found by their name too, or a free one: files of other backends have none."""
    named = {app["slug"] for app in apps if "slug" in app}
    waiting: dict[str, list[str]] = {}
    for slug in (slug for slug in here.rows if slug not in named):
        waiting.setdefault(_app_name(document_of(here.rows[slug])), []).append(slug)
    taken = {*here.rows, *named}
    for app in apps:
        known = waiting.get(_app_name(app), [])
        if app.get("slug") in here.rows or not ("slug" not in app or known):
            yield app
            continue
        slug = known.pop(0) if known else _free_slug(app["app"].get("name"), taken)
        taken.add(slug)
        yield {**app, "slug": slug}


def _app_name(app: Document) -> str:
    return documents.dump_version(app["app"].get("name"))


def _free_slug(name: Any, taken: set[str]) -> str:
    stem = slugify(name)[:200] if isinstance(name, str) else ""
    number, slug = 1, stem or "app"
    while slug in taken:
        number += 1
        slug = f"{stem or 'app'}-{number}"
    return slug


def _removals(bundle: Bundle, steps: Iterable[Step], here: Mapping[str, Here]) -> Iterator[Step]:
    """Yield the removals of what a bundle lacks, of the kinds that it has; what refers to others goes first."""
    named = {(step.kind, step.name) for step in steps}
    for kind in ("app", "agent", "widget", "query", "source"):
        if kind in bundle.files:
            gone = ((name, row) for name, row in here[kind].rows.items() if (kind, name) not in named)
            yield from (Step(kind, name, "remove", here[kind].document(row), row=row) for name, row in gone)
